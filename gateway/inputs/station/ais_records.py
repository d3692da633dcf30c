"""AIS messages to the values of records: `ais`, `ais-static`, `ais-aton`, as a device makes them.

    for schema_id, values in records_of(heard): …

A mapping of the gateway's own, because it may not import the device's; tests/gateway/test_station.py
feeds the same logs to both. Rules and their clauses (ITU-R M.1371-5 Annex 8): docs/nmea-and-ais.md.
"""

from datetime import UTC, datetime
from typing import Any, Final

from agent.wire import schema
from agent.wire.series import EPOCH_2020
from gateway.inputs.records import Value
from gateway.inputs.station.ais import Heard

Report = tuple[int, list[Value]]

_LAT_MAX: Final = 54_000_000  # 90° in 1/10,000 minute
_LON_MAX: Final = 108_000_000
_LAT_MAX_27: Final = 54_000  # in 1/10 minute
_LON_MAX_27: Final = 108_000
_CRAFT: Final = range(980_000_000, 990_000_000)  # 98MIDxxxx: craft that belong to a mother ship
_NO_ETA: Final = 2460  # 00-00 24:60


def records_of(heard: Heard) -> list[Report]:
    """Return the records of a message: none, one, or for message 19 two."""
    kind, bits = heard.kind, heard.bits
    if kind in {1, 2, 3, 4, 18, 27}:
        return [(schema.AIS, _position(kind, bits))]
    if kind in {5, 24}:
        return [(schema.AIS_STATIC, _static(kind, bits))]
    if kind == 19:
        return [(schema.AIS, _position(kind, bits)), (schema.AIS_STATIC, _static(kind, bits))]
    if kind == 21:
        return [(schema.AIS_ATON, _aton(bits))]
    return []


def text(bits: Any, start: int, length: int) -> bytes | None:
    """Return `length` six-bit characters up to the first `@`, without blanks at the end."""
    out = bytearray()
    for at in range(start, start + 6 * length, 6):
        code = bits.get(at, 6)
        if code == 0:
            break
        out.append(code + 64 if code < 32 else code)
    return bytes(out).rstrip(b" ") or None


def _position(kind: int, bits: Any) -> list[Value]:
    out: list[Value] = [None] * 13
    out[0] = kind
    out[1] = bits.get(8, 30)
    if kind == 4:
        out[9] = bits.get(78, 1)
        out[2], out[3] = _place(bits, 79, 107)
        out[11] = bits.get(148, 1)
        out[12] = _utc(bits)
    elif kind == 27:
        _long_range(bits, out)
    elif kind < 4:
        out[7] = bits.get(38, 4)
        out[8] = bits.get_signed(42, 8)
        _motion(bits, 50, out)
        out[11] = bits.get(148, 1)
    else:
        _motion(bits, 46, out)
        out[11] = bits.get(147 if kind == 18 else 305, 1)
    return out


def _motion(bits: Any, at: int, out: list[Value]) -> None:
    """Read from speed over ground (bit `at`) to the time stamp, the same in class A and class B."""
    out[4] = _below(bits.get(at, 10), 1023)
    out[9] = bits.get(at + 10, 1)
    out[2], out[3] = _place(bits, at + 11, at + 39)
    out[5] = _below(bits.get(at + 66, 12), 3600)
    out[6] = _below(bits.get(at + 78, 9), 360)
    out[10] = bits.get(at + 87, 6)


def _long_range(bits: Any, out: list[Value]) -> None:
    out[9] = bits.get(38, 1)
    out[11] = bits.get(39, 1)
    out[7] = bits.get(40, 4)
    lon, lat = bits.get_signed(44, 18), bits.get_signed(62, 17)
    if abs(lat) <= _LAT_MAX_27 and abs(lon) <= _LON_MAX_27:
        out[2], out[3] = (5000 * lat + 1) // 3, (5000 * lon + 1) // 3
    speed, course = bits.get(79, 6), bits.get(85, 9)
    out[4] = speed * 10 if speed < 63 else None
    out[5] = course * 10 if course < 360 else None


def _utc(bits: Any) -> int | None:
    """Return a base station's time in seconds since 2020; None for one that there is not."""
    year, month, day = bits.get(38, 14), bits.get(52, 4), bits.get(56, 5)
    hour, minute, second = bits.get(61, 5), bits.get(66, 6), bits.get(72, 6)
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    since = int(at.timestamp()) - EPOCH_2020
    return since if abs(since) <= schema.BOOT_MAX else None


def _static(kind: int, bits: Any) -> list[Value]:
    out: list[Value] = [None] * 17
    out[0] = kind
    out[1] = mmsi = bits.get(8, 30)
    if kind == 5:
        out[3] = bits.get(40, 30) or None
        out[4] = text(bits, 70, 7)
        out[5] = text(bits, 112, 20)
        out[6] = bits.get(232, 8)
        out[7:11] = _dimensions(bits, 240)
        out[11] = bits.get(270, 4)
        parts = (bits.get(274, 4), bits.get(278, 5), bits.get(283, 5), bits.get(288, 6))
        eta = sum(part * 100**n for n, part in enumerate(reversed(parts)))
        out[12] = None if eta == _NO_ETA else eta
        out[13] = bits.get(294, 8) or None
        out[14] = text(bits, 302, min(20, (len(bits) - 302) // 6))
    elif kind == 19:
        out[5] = text(bits, 143, 20)
        out[6] = bits.get(263, 8)
        out[7:11] = _dimensions(bits, 271)
        out[11] = bits.get(301, 4)
    elif bits.get(38, 2) == 0:
        out[2] = 0
        out[5] = text(bits, 40, 20)
    else:
        out[2] = 1
        out[4] = text(bits, 90, 7)
        out[6] = bits.get(40, 8)
        if mmsi in _CRAFT:
            out[15] = bits.get(132, 30) or None
        else:
            out[7:11] = _dimensions(bits, 132)
        out[11] = bits.get(162, 4)
        out[16] = _vendor(bits)
    return out


def _vendor(bits: Any) -> bytes | None:
    """Return three characters of the maker, then model and serial number, big-endian."""
    codes = [bits.get(at, 6) for at in (48, 54, 60)]
    out = bytes(c + 64 if c < 32 else c for c in codes) + bits.get(66, 24).to_bytes(3, "big")
    return None if out == b"@@@\0\0\0" else out


def _aton(bits: Any) -> list[Value]:
    out: list[Value] = [None] * 18
    out[0] = bits.get(8, 30)
    out[1] = bits.get(38, 5)
    out[2] = name = text(bits, 43, 20)
    out[4], out[5] = _place(bits, 164, 192)
    out[6] = bits.get(163, 1)
    out[7] = bits.get(259, 1)
    out[8] = bits.get(260, 8)
    out[9] = bits.get(269, 1)
    out[10] = bits.get(253, 6)
    out[11] = bits.get(249, 4)
    out[12:16] = _dimensions(bits, 219)
    out[16] = bits.get(268, 1)
    out[17] = bits.get(270, 1)
    # The extension goes on where a name of all 20 characters ends; blanks between the two stay.
    if all(bits.get(at, 6) for at in range(43, 163, 6)):
        out[3] = text(bits, 272, min(14, (len(bits) - 272) // 6))
        if out[3]:
            out[2] = (name or b"").ljust(20)
    return out


def _place(bits: Any, lon_at: int, lat_at: int) -> tuple[int | None, int | None]:
    """Return latitude and longitude; 1/10,000 minute is 5/3 of 10⁻⁶ degree."""
    lat, lon = bits.get_signed(lat_at, 27), bits.get_signed(lon_at, 28)
    if abs(lat) > _LAT_MAX or abs(lon) > _LON_MAX:
        return None, None
    return (5 * lat + 1) // 3, (5 * lon + 1) // 3


def _dimensions(bits: Any, at: int) -> list[Value]:
    """Return to bow, stern, port, starboard; all zero: neither the antenna's place nor the size."""
    size = [bits.get(at, 9), bits.get(at + 9, 9), bits.get(at + 18, 6), bits.get(at + 24, 6)]
    return list(size) if any(size) else [None] * 4


def _below(value: int, limit: int) -> int | None:
    return value if value < limit else None

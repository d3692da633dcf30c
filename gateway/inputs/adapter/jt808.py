"""Terminals that speak JT/T 808: vehicle and vessel terminals, and beacon terminals of the same makers.

    adapter = JT808(voltage_item=0x61)
    for said in adapter.feed(data, now_s): …

JT/T 788-2023, the standard for aids to navigation, could not be read (reference/navaid.md §4); JT/T 808 is
what many terminals sold for buoys speak. Its text was not at hand either. From published protocol manuals
of makers, which agree: frame, escape, check, header of 2011/2013 and of 2019, 0x0001 to 0x0704 as far as
used here, status bits 1 to 3, alarm bits 7 and 8, item 0x31, time in UTC+8. From memory: alarm bits 4 to
6, 29 and 30, an altitude below zero as two's complement.

    7e | id 2 | properties 2 | (version 1) | terminal BCD 6 or 10 | serial 2 | body | XOR 1 | 7e

    0x0100 register       0x8100 with a code       0x0102 authenticate  0x8001
    0x0002 heartbeat      0x8001                   0x0003 sign off      0x8001
    0x0200 location       0x8001 after the commit  0x0704 many of them  0x8001 after the commit

The code proves nothing (whoever knows a terminal's number is given it): the network must keep others
away, see `allow` in docs/stations.md.
"""

from collections import Counter
from datetime import UTC, datetime
from functools import reduce
from operator import xor
from typing import Final

from agent.wire import codes, schema
from agent.wire.series import EPOCH_2020
from gateway.inputs.adapter.adapter import Report, Said
from gateway.inputs.records import Value

PARTS_MAX: Final = 8  # of one message, about 8 kB; a connection has one such message open
FRAME_MAX: Final = 2 * (21 + 1023 + 1)  # every byte escaped
_FLAG: Final = 0x7E
_HEAD_2013, _HEAD_2019 = 12, 17
_LENGTH: Final = 0x03FF  # of the properties
_ENCRYPTED: Final = 0x1C00
_IN_PARTS: Final = 0x2000
_VERSION_2019: Final = 0x4000

_TERMINAL_ANSWER, _HEARTBEAT, _SIGN_OFF, _REGISTER, _AUTHENTICATE = (
    0x0001, 0x0002, 0x0003, 0x0100, 0x0102,
)  # fmt: skip
_LOCATION, _LOCATIONS = 0x0200, 0x0704
_ANSWER, _REGISTERED = 0x8001, 0x8100
_KNOWN: Final = (_HEARTBEAT, _SIGN_OFF, _AUTHENTICATE, _LOCATION, _LOCATIONS)
_REPORTS: Final = (_LOCATION, _LOCATIONS)
_DONE, _FAILED, _WRONG, _UNSUPPORTED = 0, 1, 2, 3
_NO_SUCH_TERMINAL: Final = 4
_CODE: Final = b"fairway"

_BASIC: Final = 28  # bytes of a location before its items
_ITEMS_MAX: Final = 64
_LOCATED, _SOUTH, _WEST = 1 << 1, 1 << 2, 1 << 3
_SATELLITES: Final = 0x31
_ZONE_S: Final = 8 * 3600
_FUTURE_S: Final = 86_400

# Alarm bits, and what they mean on a buoy.
_ALARMS: Final = {
    codes.ALARM_BATTERY_LOW: ((1 << 7, codes.LEVEL_WARNING), (1 << 8, codes.LEVEL_ALARM)),
    codes.ALARM_NO_POSITION: ((1 << 4 | 1 << 5 | 1 << 6, codes.LEVEL_ALARM),),
    codes.ALARM_COLLISION: ((1 << 29, codes.LEVEL_ALARM),),
    codes.ALARM_TILT: ((1 << 30, codes.LEVEL_ALARM),),
}


class _RefusedError(Exception):
    """A message that is not what its id says. `reason` and `detail` are a dead letter's."""

    def __init__(self, reason: str, detail: str, result: int = _WRONG) -> None:
        super().__init__(reason, detail)
        self.result = result
        self.reason = reason
        self.detail = detail


class _Head:
    """A message's head: id, terminal and serial number, and what an answer repeats of it."""

    def __init__(self, message: bytes) -> None:
        if len(message) < _HEAD_2013:
            raise ValueError("short")
        self.id = int.from_bytes(message[:2], "big")
        self.properties = int.from_bytes(message[2:4], "big")
        self.newer = bool(self.properties & _VERSION_2019)
        self.size = _HEAD_2019 if self.newer else _HEAD_2013
        if len(message) < self.size:
            raise ValueError("short")
        self.who = message[4 : self.size - 2]  # with the version, as an answer repeats it
        digits = self.who[1:].hex() if self.newer else self.who.hex()
        if not digits.isdecimal():
            raise ValueError("number")
        self.terminal = digits.lstrip("0") or "0"
        self.serials = [message[self.size - 2 : self.size]]  # of its parts, in order
        self.part = (1, 1)
        if self.properties & _IN_PARTS:
            if len(message) < self.size + 4:
                raise ValueError("short")
            total, number = (
                int.from_bytes(message[n : n + 2], "big") for n in (self.size, self.size + 2)
            )
            self.part = (number, total)
            self.size += 4


class _Parts:
    """A message of which parts are missing: (body, serial) by number."""

    def __init__(self, key: tuple[object, ...]) -> None:
        self.key = key
        self.found: dict[int, tuple[bytes, bytes]] = {}


class JT808:
    """One connection.

    Counts frames refused (checksum, escape, short, number, overlong, noise before the first one),
    `unsupported` messages, and `parts-lost`, those given up because another one began.

    `voltage_item` is which item of a location is the supply voltage in 1/100 V, 0 for none: makers
    differ (0x61 is a common one).
    """

    def __init__(self, voltage_item: int = 0) -> None:
        self.counts: Counter[str] = Counter()
        self._voltage_item = voltage_item
        self._rest = b""
        self._open = False  # a flag has been seen
        self._serial = -1
        self._parts: _Parts | None = None

    def feed(self, data: bytes, now_s: int) -> list[Said]:
        """See `Adapter.feed`."""
        *frames, rest = (self._rest + data).split(bytes([_FLAG]))
        out: list[Said] = []
        for frame in frames:
            if frame and self._open and (said := self._frame(frame, now_s)):
                out.append(said)
            elif frame and not self._open:
                self.counts["noise"] += 1
            self._open = True
        if len(rest) > FRAME_MAX:
            self.counts["overlong"] += 1
            self._open = False
            rest = b""
        self._rest = rest
        return out

    def _frame(self, frame: bytes, now_s: int) -> Said | None:
        if len(frame) > FRAME_MAX:
            self.counts["overlong"] += 1
            return None
        message = _unescape(frame)
        if message is None:
            self.counts["escape"] += 1
            return None
        if reduce(xor, message, 0):
            self.counts["checksum"] += 1
            return None
        message = message[:-1]
        try:
            head = _Head(message)
        except ValueError as error:
            self.counts[str(error)] += 1
            return None
        return self._read(head, message, now_s)

    def _read(self, head: _Head, message: bytes, now_s: int) -> Said | None:
        body: bytes | None = message[head.size :]
        reports: list[Report] = []
        refused: tuple[str, str] | None = None
        result = _DONE
        try:
            body = self._body(head, message[head.size :])
            if body is None:
                return None
            self._reports(head, body, now_s, reports)
        except _RefusedError as error:
            # What was read before it is good, and what is wrong lies in a dead letter: sending all of
            # it again would help nobody.
            refused = (error.reason, error.detail)
            result = _DONE if reports else error.result
        if head.id == _REGISTER and refused is None:
            return Said(
                head.terminal,
                message,
                answer=self._send(head, _REGISTERED, head.serials[0] + bytes([_DONE]) + _CODE),
                denied=self._send(head, _REGISTERED, head.serials[0] + bytes([_NO_SUCH_TERMINAL])),
            )
        if head.id == _TERMINAL_ANSWER:
            return Said(head.terminal, message)
        if head.id not in _KNOWN and refused is None:
            self.counts["unsupported"] += 1
            result = _UNSUPPORTED
        return Said(
            head.terminal,
            message[: head.size] + (body or message[head.size :]),
            reports,
            self._answer(head, result),
            self._answer(head, _FAILED),
            refused,
        )

    def _body(self, head: _Head, body: bytes) -> bytes | None:
        """Return a message's whole body; None while parts of it are missing.

        Nothing is answered before all parts are there and committed: a terminal sends again those that
        were not answered.
        """
        if head.properties & _ENCRYPTED:
            raise _RefusedError("jt808-encrypted", f"message {head.id:#06x}", _UNSUPPORTED)
        if len(body) != head.properties & _LENGTH:
            wanted = head.properties & _LENGTH
            raise _RefusedError("jt808-length", f"{len(body)} bytes of body, not {wanted}")
        number, total = head.part
        if total == 1 and number == 1:
            return body
        if head.id not in _REPORTS or not 1 <= number <= total <= PARTS_MAX:
            detail = f"message {head.id:#06x}, part {number} of {total}"
            raise _RefusedError("jt808-in-parts", detail, _UNSUPPORTED)
        serial = int.from_bytes(head.serials[0], "big")
        key = (head.id, head.terminal, total, (serial - number) & 0xFFFF)  # parts are numbered on
        if self._parts is None or self._parts.key != key:
            if self._parts is not None:
                self.counts["parts-lost"] += 1
            self._parts = _Parts(key)
        found = self._parts.found
        found[number] = (body, head.serials[0])
        if len(found) < total:
            return None
        self._parts = None
        head.serials = [found[n][1] for n in range(1, total + 1)]
        return b"".join(found[n][0] for n in range(1, total + 1))

    def _reports(self, head: _Head, body: bytes, now_s: int, reports: list[Report]) -> None:
        """Add a message's reports to `reports`, those before a bad one too."""
        if head.id == _LOCATION:
            reports.append(self._location(head, body, 0, now_s))
        if head.id != _LOCATIONS:
            return
        count, at, bad = int.from_bytes(body[:2], "big"), 3, ""
        while at < len(body):
            size = int.from_bytes(body[at : at + 2], "big")
            one = body[at + 2 : at + 2 + size]
            if len(one) < size or size < _BASIC:
                bad = f"location {len(reports) + 1} has {len(one)} bytes, not {size}"
            else:
                reports.append(self._location(head, one, len(reports), now_s))
            at += 2 + size
        if bad or len(reports) != count:
            raise _RefusedError("jt808-location", bad or f"{len(reports)} locations, not {count}")

    def _location(self, head: _Head, body: bytes, place: int, now_s: int) -> Report:
        if len(body) < _BASIC:
            raise _RefusedError("jt808-location", f"{len(body)} bytes, at least {_BASIC}")
        numbers = [int.from_bytes(body[n : n + 4], "big") for n in (0, 4, 8, 12)]
        alarms, status, lat, lon = numbers
        altitude, speed, course = (int.from_bytes(body[n : n + 2], "big") for n in (16, 18, 20))
        t = _time(body[22:28], now_s)
        items = _items(body[_BASIC:])
        located = bool(status & _LOCATED) and (lat, lon) != (0, 0)
        sats = items.get(_SATELLITES, b"")
        volts = items.get(self._voltage_item, b"") if self._voltage_item else b""
        beacon: list[Value] = [
            0,
            (-lat if status & _SOUTH else lat) if located else None,
            (-lon if status & _WEST else lon) if located else None,
            sats[0] if len(sats) == 1 else None,
            None,
            10 * int.from_bytes(volts, "big") if len(volts) == 2 else None,
        ]
        gnss: list[Value] = [int(located), None, None]
        if located:
            altitude -= 1 << 16 if altitude >> 15 else 0
            sog = (speed * 10_000 + 926) // 1852  # 1/10 km/h to 1/100 kn
            gnss += [10 * altitude, sog, course % 360 * 100 if course <= 360 else None]
        # Without a time of its own two reports may be alike: then its number tells them apart.
        mark = body if t is not None else head.serials[0] + place.to_bytes(2, "big") + body
        states = {
            what: max((level for bits, level in cases if alarms & bits), default=0)
            for what, cases in _ALARMS.items()
        }
        return Report(((schema.BEACON, beacon), (schema.GNSS, gnss)), t, mark, states)

    def _answer(self, head: _Head, result: int) -> bytes:
        """Return the general answer to a message, one for each of its parts."""
        what = head.id.to_bytes(2, "big") + bytes([result])
        return b"".join(self._send(head, _ANSWER, serial + what) for serial in head.serials)

    def _send(self, head: _Head, number: int, body: bytes) -> bytes:
        """Return a frame of ours, numbered and escaped."""
        self._serial = (self._serial + 1) & 0xFFFF
        properties = len(body) | (_VERSION_2019 if head.newer else 0)
        message = (
            number.to_bytes(2, "big")
            + properties.to_bytes(2, "big")
            + head.who
            + self._serial.to_bytes(2, "big")
            + body
        )
        message += bytes([reduce(xor, message)])
        escaped = message.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02")
        return bytes([_FLAG]) + escaped + bytes([_FLAG])


def _unescape(frame: bytes) -> bytes | None:
    """Return a frame's bytes; None if an escape is none."""
    first, *others = frame.split(b"\x7d")
    out = [first]
    for part in others:
        if part[:1] not in {b"\x01", b"\x02"}:
            return None
        out.append((b"\x7d" if part[0] == 1 else b"\x7e") + part[1:])
    return b"".join(out)


def _time(bcd: bytes, now_s: int) -> int | None:
    """Return YYMMDDhhmmss of UTC+8 in seconds since 2020; None for none, or one that cannot be true."""
    digits = bcd.hex()
    if not digits.isdecimal():
        return None
    year, *rest = (int(digits[n : n + 2]) for n in range(0, 12, 2))
    month, day, hour, minute, second = rest
    try:
        at = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    t = int(at.timestamp()) - EPOCH_2020 - _ZONE_S
    return t if 0 <= t <= now_s + _FUTURE_S else None


def _items(data: bytes) -> dict[int, bytes]:
    """Return a location's items; those behind one that is cut are not there."""
    items: dict[int, bytes] = {}
    at = 0
    while at + 2 <= len(data) and len(items) < _ITEMS_MAX:
        size = data[at + 1]
        value = data[at + 2 : at + 2 + size]
        if len(value) == size:
            items.setdefault(data[at], value)
        at += 2 + size
    return items

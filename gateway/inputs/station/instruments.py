"""What a station's own instruments say: its receiver's position and clock, weather and water.

    instruments = Instruments(zero_dd=None)
    instruments.take(sentence, now_ms, wall_ms)   "gnss", "weather", "unknown" or "malformed"
    instruments.weather(now_ms)                   values of a `weather` record

Reads GGA, RMC and ZDA; MWV, MWD, VWR, VWT (wind), MDA, MTW, XDR (air, water, level, visibility), VDR
(current) and HDT (to turn a relative wind) of any talker, parsed by pynmea2 and with the device's rules
(docs/nmea-and-ais.md). A value that cannot be is left out and counted; the others of its sentence stand.
"""

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import pynmea2

from agent.wire import schema
from gateway.inputs.records import Value
from gateway.inputs.station.sentences import Sentence
from gateway.inputs.station.wind import Wind

STALE_MS: Final = 10_000  # of the receiver
_STALE_S: Final = 60  # of the sensors

_GNSS: Final = (b"GGA", b"RMC", b"ZDA")
_WEATHER: Final = (b"MWV", b"MWD", b"VWR", b"VWT", b"MDA", b"MTW", b"XDR", b"VDR", b"HDT")
_WIND, _AIR, _HUMIDITY, _DEW, _PRESSURE, _VISIBILITY, _WATER, _LEVEL, _CURRENT, _SET, _HEADING = (
    0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
)  # fmt: skip

_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")
_ANGLE: Final = re.compile(r"\d{3,5}(?:\.\d*)?")
_FIELD_MAX: Final = 20  # characters of a number
_TURN: Final = 3600
_HDOP_NONE: Final = 9900
_FACTORS: Final = {"M": 3600, "N": 1852, "K": 1000, "S": 1609}  # metres an hour
_VISIBILITY_NAME: Final = "Visibility"
_LEVEL_NAME: Final = "WaterLevel"


class _ValueError(Exception):
    """A field does not say what its format wants."""


class _Fields:
    """The fields of a sentence, from 1 on, as IEC 61162-1 numbers them."""

    def __init__(self, raw: bytes) -> None:
        self._fields: list[str] = pynmea2.parse(raw.decode("ascii"), check=True).data

    def __len__(self) -> int:
        return len(self._fields)

    def text(self, i: int) -> str:
        """Return a field; one that is not there is an empty one."""
        return self._fields[i - 1] if 0 < i <= len(self._fields) else ""

    def number(self, i: int, places: int) -> int | None:
        """Return a field times 10**places, halves away from zero; None if it is empty."""
        text = self.text(i)
        if not text:
            return None
        if len(text) > _FIELD_MAX or not _NUMBER.fullmatch(text):
            raise _ValueError
        return int(Decimal(text).scaleb(places).to_integral_value(ROUND_HALF_UP))

    def place(self, i: int, positive: str, negative: str, limit: int) -> int:
        """Return fields `i` (`dddmm.mmm`) and `i` + 1 in degrees·10⁶."""
        text, side = self.text(i), self.text(i + 1)
        if (
            len(text) > _FIELD_MAX
            or not _ANGLE.fullmatch(text)
            or side not in (positive, negative)
        ):
            raise _ValueError
        degrees, minutes = divmod(Decimal(text), 100)
        if minutes >= 60:
            raise _ValueError
        exact = degrees * 1_000_000 + minutes * 1_000_000 / 60
        value = int(exact.to_integral_value(ROUND_HALF_UP))
        if value > limit * 1_000_000:
            raise _ValueError
        return value if side == positive else -value


class Instruments:
    """One station's. `zero_dd` is where a fixed wind sensor's zero points, in tenths of a degree."""

    def __init__(self, zero_dd: int | None = None) -> None:
        self.malformed = 0
        self.gnss_ms: int | None = None  # when a sentence was read last
        self.weather_ms: int | None = None
        self.gnss_lines = 0
        self.weather_lines = 0
        self._zero_dd = zero_dd
        self._wind = Wind()
        self._kept: dict[int, tuple[int, int]] = {}  # value, second
        self._place: tuple[int, int] | None = None
        self._fix: list[int | None] = [None] * 4  # quality, satellites, HDOP, altitude
        self._fix_ms: int | None = None
        self._quality_ms = 0
        self._motion: tuple[int | None, int | None] = (None, None)
        self._motion_ms = 0
        self._clock_off: tuple[int, int] | None = None  # by how much, when

    def take(self, sentence: Sentence, now_ms: int, wall_ms: int) -> str:
        """Read a sentence; return whose it is, or why not."""
        kind = sentence.raw[3:6] if sentence.raw[6:7] == b"," else b""
        if kind not in _GNSS + _WEATHER:
            return "unknown"
        try:
            fields = _Fields(sentence.raw)
            if kind in _GNSS:
                self.gnss_lines += 1
                self._gnss(kind, fields, now_ms, wall_ms)
                self.gnss_ms = now_ms
                return "gnss"
            self.weather_lines += 1
            self.weather_ms = now_ms
            self._weather(kind, fields, now_ms // 1000)
        except (_ValueError, pynmea2.ParseError, ArithmeticError, ValueError):
            self.malformed += 1
            return "malformed"
        return "weather"

    def position(self, now_ms: int) -> tuple[int | None, int | None, int | None]:
        """Return latitude and longitude (degrees·10⁶) and the satellites used, of the last 10 s."""
        if self._place is None or self._fix_ms is None or now_ms - self._fix_ms > STALE_MS:
            return None, None, None
        sats = self._fix[1] if now_ms - self._quality_ms <= STALE_MS else None
        return *self._place, sats

    def clock_off_ms(self, now_ms: int) -> int | None:
        """Return our clock minus its receiver's, of the last 10 s; None without a fix."""
        if self._clock_off is None or now_ms - self._clock_off[1] > STALE_MS:
            return None
        return self._clock_off[0]

    def gnss(self, now_ms: int) -> list[Value]:
        """Return the values of a `gnss` record; satellites in view are not read here."""
        quality = hdop = alt = None
        if now_ms - self._quality_ms <= STALE_MS:
            quality, _, hdop, alt = self._fix
        motion = self._motion if now_ms - self._motion_ms <= STALE_MS else (None, None)
        age_s = None if self._fix_ms is None else (now_ms - self._fix_ms) // 1000
        return [quality, None, hdop, alt, *motion, age_s]

    def weather(self, now_ms: int) -> list[Value]:
        """Return the values of a `weather` record; the wind's means and its gust begin anew."""
        now_s = now_ms // 1000
        wind: tuple[int | None, ...] = self._wind.take()
        if self._fresh(_WIND, now_s) is None:
            wind = (None, None, None)
        return [*wind, *(self._fresh(field, now_s) for field in range(_AIR, _HEADING))]

    def _gnss(self, kind: bytes, f: _Fields, now_ms: int, wall_ms: int) -> None:
        if kind == b"ZDA":
            if self._place is not None and f.text(1) and f.text(4):
                self._clock(f.text(1), (f.text(4), f.text(3), f.text(2)), now_ms, wall_ms)
            return
        if kind == b"GGA":
            quality = f.number(6, 0) or 0
            sats = f.number(7, 0)
            if not 0 <= quality <= 8 or (sats is not None and not 0 <= sats <= 99):
                raise _ValueError
            place = hdop = alt = None
            if quality:
                place = f.place(2, "N", "S", 90), f.place(4, "E", "W", 180)
                hdop, alt = f.number(8, 2), f.number(9, 1)
            self._at(place, now_ms)
            self._fix = [quality, sats, hdop if hdop and 0 < hdop < _HDOP_NONE else None, alt]
            self._quality_ms = now_ms
            return
        status = f.text(2)
        if status not in {"A", "V", ""}:
            raise _ValueError
        if status != "A" or f.text(12) == "N":
            self._at(None, now_ms)
            return
        place = f.place(3, "N", "S", 90), f.place(5, "E", "W", 180)
        sog, cog = f.number(7, 2), f.number(8, 2)
        if (sog is not None and sog < 0) or (cog is not None and not 0 <= cog <= 36_000):
            raise _ValueError
        date = f.text(9)
        self._at(place, now_ms)
        self._motion = (sog, None if cog is None else cog % 36_000)
        self._motion_ms = now_ms
        if len(date) == 6 and f.text(1):
            self._clock(f.text(1), ("20" + date[4:], date[2:4], date[:2]), now_ms, wall_ms)

    def _at(self, place: tuple[int, int] | None, now_ms: int) -> None:
        self._place = place
        if place is None:
            self._motion = (None, None)
            self._fix[2:] = [None, None]
        else:
            self._fix_ms = now_ms

    def _clock(self, time: str, date: tuple[str, str, str], now_ms: int, wall_ms: int) -> None:
        digits = "".join((*date, time[:6]))
        if not digits.isdecimal() or len(digits) != 14:
            raise _ValueError
        day = datetime.strptime(digits[:12], "%Y%m%d%H%M").replace(tzinfo=UTC)  # 60 s may be
        at_ms = int(day.timestamp()) * 1000 + int(Decimal(time[4:]) * 1000)
        self._clock_off = (wall_ms - at_ms, now_ms)

    def _weather(self, kind: bytes, f: _Fields, now_s: int) -> None:
        if kind == b"MWV":
            if f.text(5) != "V":
                self._add_wind(f, 3, f.text(4), self._turned(self._angle(f, 1), now_s), now_s)
        elif kind == b"MWD":
            self._two_units(f, 5, self._angle(f, 1), now_s)
        elif kind in {b"VWR", b"VWT"}:
            self._two_units(f, 3, None, now_s)
        elif kind == b"XDR":
            for i in range(1, len(f), 4):
                self._transducer(f, i, now_s)
        elif kind == b"MDA":
            if self._put(f, 3, 4, _PRESSURE, now_s) is None:
                self._put(f, 1, 2, _PRESSURE, now_s, 33_864, 10_000)  # inches of mercury
            for i, field in ((5, _AIR), (7, _WATER), (9, _HUMIDITY), (11, _DEW)):
                self._put(f, i, 1, field, now_s)
            self._two_units(f, 17, self._angle(f, 13), now_s)
        elif kind == b"MTW":
            self._put(f, 1, 1, _WATER, now_s)
        elif kind == b"VDR":
            if self._put(f, 5, 2, _CURRENT, now_s, 1852, 3600) is not None:
                self._keep(_SET, self._angle(f, 1), now_s)
        else:
            self._keep(_HEADING, self._angle(f, 1), now_s)

    def _transducer(self, f: _Fields, i: int, now_s: int) -> None:
        """Read type, value, unit and name of one transducer."""
        kind, unit, name = f.text(i), f.text(i + 2), f.text(i + 3)
        if name == _LEVEL_NAME:
            if unit in {"M", ""}:
                self._put(f, i + 1, 2, _LEVEL, now_s)
        elif name == _VISIBILITY_NAME:
            if unit in {"M", "K", ""}:
                self._put(f, i + 1, 3 if unit == "K" else 0, _VISIBILITY, now_s)
        elif kind == "H" and unit == "P":
            self._put(f, i + 1, 1, _HUMIDITY, now_s)
        elif kind == "P":
            # By size, because hectopascals come with the letter of bars and with others.
            size = f.number(i + 1, 0)
            if size is not None and size > 9999:
                self._put(f, i + 1, 0, _PRESSURE, now_s, 1, 10)
            elif size is not None:
                self._put(f, i + 1, 1 if size > 99 else 4, _PRESSURE, now_s)
        elif kind == "C" and unit == "C" and (field := _thermometer(name.upper())):
            self._put(f, i + 1, 1, field, now_s)

    def _two_units(self, f: _Fields, i: int, direction: int | None, now_s: int) -> None:
        """Take knots, N, metres a second, M: the finer one if it is there."""
        if f.text(i + 2):
            self._add_wind(f, i + 2, "M", direction, now_s)
        else:
            self._add_wind(f, i, "N", direction, now_s)

    def _add_wind(self, f: _Fields, i: int, unit: str, direction: int | None, now_s: int) -> None:
        if unit not in _FACTORS:
            raise _ValueError
        speed = self._put(f, i, 2, _WIND, now_s, _FACTORS[unit], 36_000)
        if speed is not None:
            self._wind.add(speed, direction, now_s)

    def _turned(self, angle: int | None, now_s: int) -> int | None:
        zero = self._zero_dd if self._zero_dd is not None else self._fresh(_HEADING, now_s)
        return None if angle is None or zero is None else (angle + zero) % _TURN

    @staticmethod
    def _angle(f: _Fields, i: int) -> int | None:
        value = f.number(i, 1)
        if value is None:
            return None
        if not 0 <= value <= _TURN:
            raise _ValueError
        return value % _TURN

    def _put(
        self, f: _Fields, i: int, places: int, field: int, now_s: int,
        factor: int = 1, divisor: int = 1,
    ) -> int | None:  # fmt: skip
        """Keep field `i` times 10**places·factor/divisor and return it; None if there is none."""
        try:
            value = f.number(i, places)
        except _ValueError:
            self.malformed += 1
            return None
        if value is None:
            return None
        value = (value * factor + divisor // 2) // divisor
        row = schema.SCHEMAS[schema.WEATHER][3][field]
        if not row[3] <= value <= row[4]:
            self.malformed += 1
            return None
        self._keep(field, value, now_s)
        return value

    def _keep(self, field: int, value: int | None, now_s: int) -> None:
        if value is not None:
            self._kept[field] = (value, now_s)

    def _fresh(self, field: int, now_s: int) -> int | None:
        value, at_s = self._kept.get(field, (None, 0))
        return value if value is not None and now_s - at_s <= _STALE_S else None


def _thermometer(name: str) -> int:
    """Return which temperature it is; that of a housing or an engine is none of them: 0."""
    if "WATER" in name or "SEA" in name:
        return _WATER
    if "DEW" in name:
        return _DEW
    if name in {"", "0", "TEMP", "TEMPERATURE"} or "AIR" in name or "OUT" in name:
        return _AIR
    return 0

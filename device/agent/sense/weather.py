"""Weather and water from the sentences of their sensors.

    weather = Weather(alarms, visibility_m=1000)
    weather.take(sentence, now_ms)    # True: it was one of these
    weather.poll(now_ms)              # looks at the limits
    weather.values(now_ms)            # values of a `weather` record

Reads MWV, MWD, VWR, VWT (wind), MDA, MTW, XDR (air, water, level, visibility), VDR (current) and HDT
(to turn a relative wind) of any talker. A value that is no number or cannot be is counted
(`malformed`) and left out; the others of its sentence stand.
"""

from array import array

from agent.alarms import Limit
from agent.compat import const
from agent.sense.sentence import FieldError
from agent.sense.wind import Wind
from agent.wire import codes, schema

# Sentences, as `Sentence.type`.
_HDT = const(0x484454)
_MDA = const(0x4D4441)
_MTW = const(0x4D5457)
_MWD = const(0x4D5744)
_MWV = const(0x4D5756)
_VDR = const(0x564452)
_VWR = const(0x565752)
_VWT = const(0x565754)
_XDR = const(0x584452)

_C = const(0x43)
_H = const(0x48)
_K = const(0x4B)
_M = const(0x4D)
_N = const(0x4E)
_P = const(0x50)
_S = const(0x53)
_V = const(0x56)

# Fields of a `weather` record, and behind them what only we need.
_WIND = const(0)
_AIR = const(3)
_HUMIDITY = const(4)
_DEW = const(5)
_PRESSURE = const(6)
_VISIBILITY = const(7)
_WATER = const(8)
_LEVEL = const(9)
_CURRENT = const(10)
_SET = const(11)
_HEADING = const(12)
# Of `_numbers`: the values, and from here on the seconds at which they came.
_AT = const(13)
_SIZE = const(26)

_STALE_S = const(60)
_LOST_S = const(600)
_TURN = const(3600)

_ON_MS = const(60000)  # waves and banks of fog pass
_OFF_MS = const(600000)
_LEVEL_BACK_CM = const(10)


class Weather:
    """What the sensors said lately; what is older than a minute is not known any more.

    Alarms: visibility below `visibility_m`, water level below `low_cm` or above `high_cm` for a minute
    (None: no such limit); and that these, or all sensors, have been silent for ten minutes.
    `zero_dd`: where a fixed sensor's zero points, in tenths of a degree; None on what swings.
    `visibility` and `level` are their names in XDR.

    Counters: `lines` (sentences read), `malformed` (values refused).
    """

    def __init__(
        self,
        alarms,
        visibility_m=None,
        low_cm=None,
        high_cm=None,
        zero_dd=None,
        visibility=b"Visibility",
        level=b"WaterLevel",
    ):
        self.lines = 0
        self.malformed = 0
        self._alarms = alarms
        self._zero_dd = zero_dd
        self._names = (visibility, level)
        self._wind = Wind()
        self._numbers = array("i", bytes(4 * _SIZE))
        self._good_ms = self._known_ms = 0
        self._now_s = 0  # of the sentence being read, from 1 on
        self._look_s = -1
        limits = []
        for field, what, on, back in (
            (_VISIBILITY, codes.ALARM_VISIBILITY, visibility_m, (visibility_m or 0) // 4 + 1),
            (_LEVEL, codes.ALARM_LEVEL_LOW, low_cm, _LEVEL_BACK_CM),
            (_LEVEL, codes.ALARM_LEVEL_HIGH, high_cm, -_LEVEL_BACK_CM),
        ):
            if on is not None:
                limits.append((field, what, Limit(on, on + back, _ON_MS, _OFF_MS)))
        self._limits = tuple(limits)

    def silent_ms(self, now_ms):
        """Return the time since the last sentence that was read, or since the start."""
        return now_ms - self._good_ms

    def visibility_m(self, now_ms):
        """Return the visibility, None if it is not known."""
        return self._fresh(_VISIBILITY, now_ms)

    def level_cm(self, now_ms):
        """Return the water level over the gauge's zero, None if it is not known."""
        return self._fresh(_LEVEL, now_ms)

    def values(self, now_ms):
        """Return the values of a `weather` record; the wind's means and its gust begin anew."""
        wind = self._wind.take()
        if self._fresh(_WIND, now_ms) is None:
            wind = (None, None, None)
        return wind + tuple([self._fresh(i, now_ms) for i in range(_AIR, _HEADING)])

    def poll(self, now_ms):
        """Compare with the limits, once a second."""
        if now_ms // 1000 == self._look_s:
            return
        self._look_s = now_ms // 1000
        known = not self.lines or self.silent_ms(now_ms) <= _STALE_S * 1000
        for field, what, limit in self._limits:
            value = self._fresh(field, now_ms)
            known = known and value is not None
            state = limit.look(value, now_ms)
            if state is not None:
                self._alarms.set(what, codes.LEVEL_ALARM if state else 0, value, limit.on)
        if known:
            self._known_ms = now_ms
        lost_s = (now_ms - self._known_ms) // 1000
        if known or lost_s >= _LOST_S:
            level = 0 if known else codes.LEVEL_WARNING
            self._alarms.set(codes.ALARM_SENSOR, level, lost_s, None, codes.SENSOR_WEATHER)

    def take(self, s, now_ms):
        """Read sentence `s` if it is one of ours; tell whether it is."""
        kind = s.type
        self._now_s = now_ms // 1000 + 1
        try:
            if kind == _MWV:
                if s.char(5) != _V:
                    self._add_wind(s, 3, s.char(4), self._turned(self._angle(s, 1)))
            elif kind == _MWD:
                self._two_units(s, 5, self._angle(s, 1))
            elif kind in (_VWR, _VWT):
                self._two_units(s, 3, None)
            elif kind == _XDR:
                for i in range(1, s.fields - 1, 4):
                    self._transducer(s, i)
            elif kind == _MDA:
                if self._put(s, 3, 4, _PRESSURE) is None:
                    self._put(s, 1, 2, _PRESSURE, 33864, 10000)  # inches of mercury
                self._put(s, 5, 1, _AIR)
                self._put(s, 7, 1, _WATER)
                self._put(s, 9, 1, _HUMIDITY)
                self._put(s, 11, 1, _DEW)
                self._two_units(s, 17, self._angle(s, 13))
            elif kind == _MTW:
                self._put(s, 1, 1, _WATER)
            elif kind == _VDR:
                if self._put(s, 5, 2, _CURRENT, 1852, 3600) is not None:
                    self._keep(_SET, self._angle(s, 1))
            elif kind == _HDT:
                self._keep(_HEADING, self._angle(s, 1))
            else:
                return False
        except FieldError:
            self.malformed += 1
        self.lines += 1
        self._good_ms = now_ms
        return True

    def _transducer(self, s, i):
        # Type, value, unit, name.
        kind = s.char(i)
        unit = s.char(i + 2)
        name = i + 3
        visibility, level = self._names
        if level and s.equals(name, level):
            if unit in (_M, 0):
                self._put(s, i + 1, 2, _LEVEL)
        elif visibility and s.equals(name, visibility):
            if unit in (_M, _K, 0):
                self._put(s, i + 1, 3 if unit == _K else 0, _VISIBILITY)
        elif kind == _H and unit == _P:
            self._put(s, i + 1, 1, _HUMIDITY)
        elif kind == _P:
            # By size, because hectopascals come with the letter of bars and with others.
            size = s.decimal(i + 1, 0)
            if size is not None and size > 9999:
                self._put(s, i + 1, 0, _PRESSURE, 1, 10)
            elif size is not None:
                self._put(s, i + 1, 1 if size > 99 else 4, _PRESSURE)
        elif kind == _C and unit == _C:
            field = _place(s.copy(name).upper())
            if field:
                self._put(s, i + 1, 1, field)

    def _two_units(self, s, i, direction):
        # Knots, N, metres a second, M: the finer one if it is there.
        if s.is_empty(i + 2):
            self._add_wind(s, i, _N, direction)
        else:
            self._add_wind(s, i + 2, _M, direction)

    def _add_wind(self, s, i, unit, direction):
        factor = 3600 if unit == _M else 1852 if unit == _N else 1000 if unit == _K else 1609
        if unit not in (_M, _N, _K, _S):
            raise s.error("value", i + 1)
        speed = self._put(s, i, 2, _WIND, factor, 36000)
        if speed is not None:
            self._wind.add(speed, direction, self._now_s)

    def _turned(self, angle):
        zero = self._zero_dd
        if zero is None:
            zero = self._fresh(_HEADING, self._now_s * 1000 - 1)
        return None if angle is None or zero is None else (angle + zero) % _TURN

    def _angle(self, s, i):
        value = s.decimal(i, 1)
        if value is None:
            return None
        if not 0 <= value <= _TURN:
            raise s.error("value", i)
        return value % _TURN

    def _put(self, s, i, places, field, factor=1, divisor=1):
        # Keep field `i` times 10**places·factor/divisor and return it; None if there is none.
        try:
            value = s.decimal(i, places)
            if value is None:
                return None
            value = (value * factor + divisor // 2) // divisor
            row = schema.SCHEMAS[schema.WEATHER][3][field]
            if row[3] <= value <= row[4]:
                self._keep(field, value)
                return value
        except FieldError:
            pass
        self.malformed += 1
        return None

    def _keep(self, field, value):
        if value is not None:
            self._numbers[field] = value
            self._numbers[_AT + field] = self._now_s

    def _fresh(self, field, now_ms):
        at = self._numbers[_AT + field]
        return self._numbers[field] if at and now_ms // 1000 + 1 - at <= _STALE_S else None


def _place(name):
    # Which temperature it is; that of a housing or an engine is none of them.
    if b"WATER" in name or b"SEA" in name:
        return _WATER
    if b"DEW" in name:
        return _DEW
    if name in (b"", b"0", b"TEMP", b"TEMPERATURE") or b"AIR" in name or b"OUT" in name:
        return _AIR
    return 0

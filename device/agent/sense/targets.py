"""Which AIS reports are worth sending on: of each ship one now and then, and at once when it changes.

    targets = Targets(interval_s=60, still_s=600)
    if targets.wanted(schema_id, values, now_ms):
        emit(schema_id, values)

A busy roadstead gives hundreds of position reports a minute. A ship under way is wanted again after
`interval_s`, one that stands still after `still_s`; both sooner when they changed. What a ship says
of itself (name, voyage) is wanted when it changes, and once an hour; an aid's message 21 likewise,
and after `still_s`.
"""

from agent.compat import const
from agent.wire.schema import AIS, AIS_STATIC

# When so many are new, those before the last so many are forgotten.
_SLOTS = const(128)

_MIN_S = const(10)  # nothing is wanted sooner again, however it changes
_STATIC_S = const(3600)

# What is remembered of a ship is one small integer, from the lowest bit on:
#   under way: heading 9 bits (degrees), course 9, speed 8 (half knots), navigational status 4
#   still: longitude 9, latitude 9 (in 1/1000 degree, the lower bits), _STILL 8, status 4
# so that a ship swinging round its anchor says nothing new, and one that drags it does.
_NO_ANGLE = const(511)
_NO_SPEED = const(254)
_STILL = const(255)

_TURN_DEG = const(10)
_SPEED_HKN = const(4)  # 2 kn
_MOVED = const(2)  # cells: more than about 300 m, or less in longitude
_STILL_DKN = const(5)  # slower: it stands
_UNDER_WAY_DKN = const(15)  # not slower, after it stood: under way again

# Message 24 is two halves. Their keys lie below those of message 5, all within small integers; two
# ships may share one, which costs a report too many.
_HALVES = const(1000000000)
_HALF_KEYS = const(36500000)

# Fields that are not what a station says of itself, or change with every report.
_SKIP_STATIC = const(0x3)  # type, MMSI
_SKIP_ATON = const(0x471)  # MMSI, position, accuracy, second


class Targets:
    """`interval_s` 0 wants everything. `thinned` counts what was not wanted."""

    def __init__(self, interval_s, still_s=600):
        self.thinned = 0
        self._interval_s = interval_s
        self._still_s = max(still_s, interval_s)
        self._sent_s: dict = {}
        self._said: dict = {}
        self._older_s = (
            self._sent_s
        )  # the generation before: nothing is searched for when it is full
        self._older_said = self._said

    def wanted(self, schema_id, values, now_ms):
        """Return whether the report (values as in the schema table) should be sent."""
        interval_s = self._interval_s
        if not interval_s:
            return True
        now_s = now_ms // 1000
        if schema_id == AIS:
            key = values[1]
        elif schema_id != AIS_STATIC:
            key = -values[0]
        elif values[2] is None:
            key = -values[1]
        else:
            key = -_HALVES - 2 * (values[1] % _HALF_KEYS) - values[2]
        before_s = self._sent_s.get(key)
        if before_s is not None:
            said = self._said[key]
        else:
            before_s = self._older_s.get(key)
            said = self._older_said.get(key, -1)
        age_s = _STATIC_S if before_s is None else now_s - before_s
        if age_s < _MIN_S and age_s < interval_s:
            self.thinned += 1
            return False
        if schema_id == AIS:
            says = _motion(values, said)
            same = said >= 0 and not _changed(said, says)
            if says >> 18 & 255 == _STILL:
                interval_s = self._still_s
        else:
            static = schema_id == AIS_STATIC
            says = _digest(values, _SKIP_STATIC if static else _SKIP_ATON)
            same = said == says
            interval_s = max(_STATIC_S, interval_s) if static else self._still_s
        if same and age_s < interval_s:
            self.thinned += 1
            return False
        if key not in self._sent_s and len(self._sent_s) >= _SLOTS:
            self._older_s = self._sent_s
            self._older_said = self._said
            self._sent_s = {}
            self._said = {}
        self._sent_s[key] = now_s
        self._said[key] = says
        return True


def _motion(values, before):
    speed = values[4]
    status = values[7]
    if status is None:
        status = 15
    if speed is None:
        still = status in (1, 5, 6) or values[0] == 4  # at anchor, moored, aground; a base station
    elif before >= 0 and before >> 18 & 255 == _STILL:
        still = speed < _UNDER_WAY_DKN
    else:
        still = speed < _STILL_DKN
    if still:
        lat = values[2]
        if lat is None:
            low = before & 0x3FFFF if before >= 0 else 0
        else:
            low = (lat // 1000 & 511) << 9 | values[3] // 1000 & 511
        return status << 26 | _STILL << 18 | low
    course = values[5]
    heading = values[6]
    return (
        status << 26
        | (_NO_SPEED if speed is None else (speed + 2) // 5) << 18
        | (_NO_ANGLE if course is None else course // 10) << 9
        | (_NO_ANGLE if heading is None else heading)
    )


def _changed(said, says):
    if said >> 26 != says >> 26:
        return True
    before = said >> 18 & 255
    now = says >> 18 & 255
    if max(before, now) == _STILL:
        return (
            before != now
            or _apart(said >> 9 & 511, says >> 9 & 511, 512) > _MOVED
            or _apart(said & 511, says & 511, 512) > _MOVED
        )
    return abs(before - now) > _SPEED_HKN or _turned(said >> 9, says >> 9) or _turned(said, says)


def _turned(a, b):
    a &= 511
    b &= 511
    return a != b and (max(a, b) == _NO_ANGLE or _apart(a, b, 360) > _TURN_DEG)


def _apart(a, b, circle):
    d = abs(a - b)
    return min(d, circle - d)


def _digest(values, skip):
    h = 0
    for i in range(len(values)):
        if not skip >> i & 1:
            h = (33 * h ^ hash(values[i])) & 0xFFFFFF
    return h

"""Which AIS reports are worth a record: the device's rules (docs/nmea-and-ais.md), with more room.

    targets = Targets(interval_s=60, still_s=600)
    if targets.wanted(schema_id, values, now_ms): …

A station hears a whole estuary, so thousands of ships are remembered and not 256. What is said here
and not there, or otherwise, a test finds: it feeds the same reports to both.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from agent.wire.schema import AIS, AIS_STATIC
from gateway.inputs.records import Value

# When so many are new, those before the last so many are forgotten, and sent on again too early.
SLOTS: Final = 20_000

_MIN_S: Final = 10
_STATIC_S: Final = 3600
_TURN_DEG: Final = 10
_SPEED_HKN: Final = 4  # 2 kn
_MOVED: Final = 2  # cells of 1/1000 degree
_CELLS: Final = 512
_STILL_DKN: Final = 5
_UNDER_WAY_DKN: Final = 15
_AT_REST: Final = (1, 5, 6)  # at anchor, moored, aground
_NO_STATUS: Final = 15

# Fields that are not what a station says of itself, or change with every report.
_SKIP_STATIC: Final = frozenset({0, 1})
_SKIP_ATON: Final = frozenset({0, 4, 5, 6, 10})


class _Motion(NamedTuple):
    """What is remembered of a ship: its cell while it stands; speed, course, heading under way."""

    status: int
    still: bool
    first: int | None  # latitude's cell; speed in half knots
    second: int | None  # longitude's cell; course in degrees
    third: int | None  # heading


_Said = _Motion | tuple[Value, ...]
_Key = tuple[int | None, ...]


class Targets:
    """`interval_s` 0 wants everything. `thinned` counts what was not wanted."""

    def __init__(self, interval_s: int, still_s: int = 600) -> None:
        self.thinned = 0
        self._interval_s = interval_s
        self._still_s = max(still_s, interval_s)
        self._sent: dict[_Key, tuple[int, _Said]] = {}
        self._older = self._sent

    def wanted(self, schema_id: int, values: Sequence[Value], now_ms: int) -> bool:
        """Return whether the report (values as in the schema table) should be sent on."""
        if not self._interval_s:
            return True
        now_s = now_ms // 1000
        key = _key(schema_id, values)
        before = self._sent.get(key) or self._older.get(key)
        age_s = _STATIC_S if before is None else now_s - before[0]
        if age_s < _MIN_S and age_s < self._interval_s:
            self.thinned += 1
            return False
        interval_s = self._interval_s
        says: _Said
        if schema_id == AIS:
            said = before[1] if before and isinstance(before[1], _Motion) else None
            says = motion = _motion(values, said)
            same = said is not None and not _changed(said, motion)
            if motion.still:
                interval_s = self._still_s
        else:
            static = schema_id == AIS_STATIC
            skip = _SKIP_STATIC if static else _SKIP_ATON
            says = tuple(value for n, value in enumerate(values) if n not in skip)
            same = before is not None and before[1] == says
            interval_s = max(_STATIC_S, interval_s) if static else self._still_s
        if same and age_s < interval_s:
            self.thinned += 1
            return False
        if key not in self._sent and len(self._sent) >= SLOTS:
            self._older, self._sent = self._sent, {}
        self._sent[key] = (now_s, says)
        return True


def _key(schema_id: int, values: Sequence[Value]) -> _Key:
    who = values[1] if schema_id in {AIS, AIS_STATIC} else values[0]
    part = values[2] if schema_id == AIS_STATIC else None
    return (
        schema_id,
        who if isinstance(who, int) else None,
        part if isinstance(part, int) else None,
    )


def _int(value: Value) -> int | None:
    return value if isinstance(value, int) else None


def _motion(values: Sequence[Value], before: _Motion | None) -> _Motion:
    speed, status = _int(values[4]), _int(values[7])
    if status is None:
        status = _NO_STATUS
    if speed is None:
        still = status in _AT_REST or values[0] == 4  # a base station
    elif before is not None and before.still:
        still = speed < _UNDER_WAY_DKN
    else:
        still = speed < _STILL_DKN
    if still:
        lat, lon = _int(values[2]), _int(values[3])
        if lat is None or lon is None:
            if before is not None and before.still:
                return _Motion(status, still, before.first, before.second, None)
            return _Motion(status, still, 0, 0, None)
        return _Motion(status, still, lat // 1000 % _CELLS, lon // 1000 % _CELLS, None)
    course = _int(values[5])
    return _Motion(
        status,
        still,
        None if speed is None else (speed + 2) // 5,
        None if course is None else course // 10,
        _int(values[6]),
    )


def _changed(said: _Motion, says: _Motion) -> bool:
    if said.status != says.status or said.still != says.still:
        return True
    if says.still:
        return (
            _apart(said.first, says.first, _CELLS) > _MOVED
            or _apart(said.second, says.second, _CELLS) > _MOVED
        )
    if (said.first is None) != (says.first is None):
        return True
    return (
        abs((said.first or 0) - (says.first or 0)) > _SPEED_HKN
        or _turned(said.second, says.second)
        or _turned(said.third, says.third)
    )


def _turned(a: int | None, b: int | None) -> bool:
    if a is None or b is None:
        return a is not b
    return _apart(a, b, 360) > _TURN_DEG


def _apart(a: int | None, b: int | None, circle: int) -> int:
    d = abs((a or 0) - (b or 0))
    return min(d, circle - d)

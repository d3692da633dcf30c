"""Alarms that stand, in words and natural units."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from agent.wire import codes, words
from cloud import times
from cloud.store import alarms as store
from cloud.values import scale
from cloud.views.models import Alarm

_WHAT: Final = words.FIELDS["alarm.what"]
_LEVEL: Final = words.FIELDS["alarm.level"]
_PHASES: Final = "ABC"
_BY_PHASE: Final = range(codes.ALARM_VOLTAGE_LOW, codes.ALARM_WIRING + 1)


def alarms(connection: Connection, devices: Iterable[str] | None) -> dict[str, list[Alarm]]:
    """Return the alarms that stand, the gravest first, of some devices or of all."""
    return {
        device: [_alarm(one) for one in standing]
        for device, standing in store.standing(connection, devices).items()
    }


def _alarm(one: store.Standing) -> Alarm:
    unit, exponent = words.ALARM_UNITS.get(one.what, (None, 0))
    return Alarm(
        what=_WHAT.get(one.what, str(one.what)),
        level=_LEVEL.get(one.level, str(one.level)),
        part=_part(one),
        value=None if one.value is None or unit is None else scale(one.value, exponent),
        limit=None if one.limit is None or unit is None else scale(one.limit, exponent),
        unit=unit,
        since=times.moment_of_ms(one.since_ms),
    )


def _part(one: store.Standing) -> str | None:
    if one.part is None:
        return None
    if one.what == codes.ALARM_SENSOR:
        return words.SENSORS.get(one.part, str(one.part))
    if one.what in _BY_PHASE and 1 <= one.part <= len(_PHASES):
        return _PHASES[one.part - 1]
    return str(one.part)

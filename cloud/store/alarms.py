"""What devices say of their alarms: the newest word on each, and which of them stand.

A fold over a set, like `store.latest`: whatever order records arrive in, the outcome is the same. An
alarm stands while its newest record says "raised" and the device has not started anew since: a start
raises its alarms again, those of the boot before are over.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import cbor2
from sqlalchemy import Connection, select

from agent.wire import schema
from cloud import times
from cloud.store import database
from cloud.store.records import Arrival
from cloud.store.tables import device_alarms, device_latest

_NO_PART: Final = -1  # a key column cannot be null
_WHAT, _ACTIVE, _VALUE, _LIMIT, _LEVEL, _PART = range(schema.HEAD_ITEMS, schema.HEAD_ITEMS + 6)
_ALARM: Final = 2  # the level of an alarm that names none

_Row = dict[str, Any]


class Standing(NamedTuple):
    """An alarm that stands: codes of agent.wire, value and limit in the alarm's own unit."""

    what: int
    level: int
    part: int | None
    value: int | None
    limit: int | None
    since_ms: int


def fold(connection: Connection, arrivals: Iterable[Arrival]) -> set[str]:
    """Take arrivals in; return the devices whose alarms may stand otherwise now."""
    arrivals = list(arrivals)
    told = [row for arrival in arrivals if (row := _read(arrival)) is not None]
    rows = _rows(connection, {row["device"] for row in told})
    changed: dict[tuple[str, int, int], _Row] = {}
    for row in told:
        key = (row["device"], row["what"], row["part"])
        before = rows.get(key)
        if before is None or _newer(row, before):
            rows[key] = changed[key] = row
    database.upsert(connection, device_alarms, list(changed.values()))
    born = {arrival.device for arrival in arrivals if arrival.schema == schema.BIRTH}
    return born | {row["device"] for row in changed.values()}


def standing(connection: Connection, devices: Iterable[str] | None) -> dict[str, list[Standing]]:
    """Return the alarms that stand, the gravest first, of some devices or of all."""
    query = select(device_alarms).where(device_alarms.c.active)
    births = select(device_latest).where(device_latest.c.schema == schema.BIRTH)
    rows: list[_Row] = []
    started: dict[str, list[_Row]] = {}
    for some in [None] if devices is None else database.chunks(sorted(devices)):
        of_some = query if some is None else query.where(device_alarms.c.device.in_(some))
        rows += [dict(row) for row in connection.execute(of_some).mappings()]
    for some in database.chunks(sorted({row["device"] for row in rows})):
        found = connection.execute(births.where(device_latest.c.device.in_(some)))
        for birth in found.mappings():
            started.setdefault(birth["device"], []).append(dict(birth))
    out: dict[str, list[Standing]] = {}
    for row in rows:
        later = started.get(row["device"], [])
        if not any(birth["boot"] != row["boot"] and _newer(birth, row) for birth in later):
            out.setdefault(row["device"], []).append(_standing(row))
    for alarms in out.values():
        alarms.sort(key=lambda alarm: (-alarm.level, alarm.what, alarm.part or 0))
    return out


def _standing(row: _Row) -> Standing:
    since_ms = row["received_ms"] if row["t"] is None else times.ms_of_t(row["t"])
    part = None if row["part"] == _NO_PART else row["part"]
    return Standing(row["what"], row["level"], part, row["value"], row["limit"], since_ms)


def _rows(connection: Connection, devices: set[str]) -> dict[tuple[str, int, int], _Row]:
    rows = {}
    for some in database.chunks(sorted(devices)):
        found = connection.execute(select(device_alarms).where(device_alarms.c.device.in_(some)))
        for row in found.mappings():
            rows[row["device"], row["what"], row["part"]] = dict(row)
    return rows


def _newer(row: _Row, other: _Row) -> bool:
    """Whether one was made after the other; within a boot the numbers say so, whatever the clock."""
    if row["boot"] == other["boot"]:
        return bool(row["seq"] > other["seq"])
    return (_t(row), row["boot"]) > (_t(other), other["boot"])


def _t(row: _Row) -> int:
    return int(times.t_of_ms(row["received_ms"]) if row["t"] is None else row["t"])


def _read(arrival: Arrival) -> _Row | None:
    """Return an alarm's row; None for other records, and for one that does not say of what."""
    if arrival.schema != schema.ALARM:
        return None
    items = cbor2.loads(arrival.record)
    what, active, value, limit, level, part = (
        items[n] if n < len(items) and type(items[n]) is int else None
        for n in (_WHAT, _ACTIVE, _VALUE, _LIMIT, _LEVEL, _PART)
    )
    if what is None or active not in (0, 1):
        return None
    return {
        "device": arrival.device,
        "what": what,
        "part": _NO_PART if part is None else part,
        "active": bool(active),
        "level": level or _ALARM,
        "value": value,
        "limit": limit,
        "t": arrival.t,
        "boot": arrival.boot,
        "seq": arrival.seq,
        "received_ms": arrival.received_ms,
    }

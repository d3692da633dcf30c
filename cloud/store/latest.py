"""The newest record of each schema, per device and per asset, by the records' own time.

A fold over a set: whatever order records arrive in, and however often, the outcome is the same. So
three days of backlog never move a live view backwards.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from agent.wire import schema
from cloud.freshness import interval_after
from cloud.registry import Registry
from cloud.store import database
from cloud.store.records import Arrival
from cloud.store.tables import asset_latest, device_latest

# What is heard of others says nothing of the device or the asset that heard it.
TARGETS: Final = frozenset({schema.AIS, schema.AIS_STATIC, schema.AIS_ATON})

# Clocks of a device and of the shore may differ by so much. A record that says it was made later than
# that after it came never becomes the latest: it would hide good reports for years.
AHEAD_MAX_S: Final = 300

_Row = dict[str, Any]


def fold_devices(connection: Connection, arrivals: Iterable[Arrival]) -> set[str]:
    """Take arrivals into the devices' latest; return the devices for which something is newer."""
    keyed: dict[tuple[Any, ...], list[Arrival]] = {}
    for arrival in arrivals:
        if arrival.schema not in TARGETS:
            key = (arrival.device, arrival.schema, arrival.t is None)
            keyed.setdefault(key, []).append(arrival)
    changed = _fold(connection, device_latest, ("device", "schema", "undated"), keyed)
    return {row["device"] for row in changed}


def fold_assets(
    connection: Connection, registry: Registry, arrivals: Iterable[Arrival]
) -> set[str]:
    """Take arrivals into the latest of the assets that their devices served when they were made.

    Returns the assets for which something is newer. Undated records belong to no asset.
    """
    keyed: dict[tuple[Any, ...], list[Arrival]] = {}
    for arrival in arrivals:
        if arrival.t is None or arrival.schema in TARGETS:
            continue
        asset = registry.asset_of(arrival.device, arrival.t)
        if asset is not None:
            keyed.setdefault((asset, arrival.schema), []).append(arrival)
    changed = _fold(connection, asset_latest, ("asset", "schema"), keyed)
    return {row["asset"] for row in changed}


def _fold(
    connection: Connection,
    table: Any,
    key_columns: Sequence[str],
    keyed: dict[tuple[Any, ...], list[Arrival]],
) -> list[_Row]:
    """Let newer arrivals replace a table's rows; return the rows that changed."""
    rows: dict[tuple[Any, ...], _Row] = {}
    owners = sorted({key[0] for key in keyed})
    for some in database.chunks(owners):
        found = connection.execute(select(table).where(table.c[key_columns[0]].in_(some)))
        for mapping in found.mappings():
            rows[tuple(mapping[name] for name in key_columns)] = dict(mapping)
    changed: dict[tuple[Any, ...], _Row] = {}
    for key, arrivals in keyed.items():
        for arrival in sorted(arrivals, key=order):
            row = rows.get(key)
            if row is None or order(arrival) > _order_of(row):
                rows[key] = changed[key] = _row(arrival, row) | dict(
                    zip(key_columns, key, strict=True)
                )
    database.upsert(connection, table, list(changed.values()))
    return list(changed.values())


def order(arrival: Arrival) -> tuple[int, int, int]:
    """Return what newer means: the record's time; the arrival's, for those without one."""
    t = arrival.received_ms if arrival.t is None else arrival.t
    return t, arrival.boot, arrival.seq


def _order_of(row: _Row) -> tuple[int, int, int]:
    t = row["received_ms"] if row["t"] is None else row["t"]
    return t, row["boot"], row["seq"]


def _row(arrival: Arrival, before: _Row | None) -> _Row:
    interval_s = before["interval_s"] if before else None
    if before and before["t"] is not None and arrival.t is not None:
        interval_s = interval_after(interval_s, arrival.t - before["t"])
    return {
        "device": arrival.device,
        "t": arrival.t,
        "boot": arrival.boot,
        "seq": arrival.seq,
        "received_ms": arrival.received_ms,
        "interval_s": interval_s,
        "record": arrival.record,
    }

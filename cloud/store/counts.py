"""Counts: what gateways report of themselves, and what this centre counts."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, select

from cloud.store import database
from cloud.store.tables import counters, devices, facts, gateways, tallies

# What the centre counts; every one is in GET /api/system and explained in docs/centre.md.
TALLIES: Final = ("taken", "duplicates", "conflicts", "refused", "faults", "ahead")

# Server-sent events ever made: each has the next number. Not shown, so not among TALLIES.
CHANGES: Final = "changes"


def add(connection: Connection, counts: Mapping[str, int]) -> None:
    """Add to tallies."""
    now = read(connection)
    rows = [{"name": name, "value": now.get(name, 0) + n} for name, n in counts.items() if n]
    database.upsert(connection, tallies, rows)


def read(connection: Connection) -> dict[str, int]:
    """Return every tally."""
    query = select(tallies.c.name, tallies.c.value)
    return {row.name: row.value for row in connection.execute(query)}


def delivered(
    connection: Connection, gateway: str, reported: Mapping[str, int], now_ms: int
) -> None:
    """Note that a gateway delivered, and what it counts."""
    database.upsert(connection, gateways, [{"gateway": gateway, "delivered_ms": now_ms}])
    rows = [{"gateway": gateway, "name": n, "value": value} for n, value in reported.items()]
    database.upsert(connection, counters, rows)


def heard(connection: Connection, last_ms: Mapping[str, int]) -> None:
    """Note when devices were last heard; an older time changes nothing."""
    known = {}
    for some in database.chunks(sorted(last_ms)):
        query = select(devices).where(devices.c.device.in_(some))
        known.update({row.device: row for row in connection.execute(query)})
    rows = []
    for device, ms in last_ms.items():
        row = known.get(device)
        if row is None:
            rows.append({"device": device, "first_ms": ms, "last_ms": ms})
        elif ms > row.last_ms:
            rows.append({"device": device, "first_ms": row.first_ms, "last_ms": ms})
    database.upsert(connection, devices, rows)


def fact(connection: Connection, name: str) -> str | None:
    """Return a fact."""
    return connection.scalar(select(facts.c.value).where(facts.c.name == name))


def set_fact(connection: Connection, name: str, value: str) -> None:
    """Set a fact."""
    database.upsert(connection, facts, [{"name": name, "value": value}])

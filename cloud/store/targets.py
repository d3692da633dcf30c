"""What is heard by AIS: of each station the newest message of each kind, by the records' time."""

from collections.abc import Iterable
from typing import Any, Final

import cbor2
from sqlalchemy import Connection, select

from agent.wire import schema
from cloud.store import database
from cloud.store.latest import order
from cloud.store.records import Arrival
from cloud.store.tables import targets

# Parts of a target. A class B ship tells its name and its dimensions in different messages (24 A
# and B), so the newer must not replace the other.
POSITION: Final = 1
STATIC: Final = 2
NAME: Final = 3
DIMENSIONS: Final = 4
ATON: Final = 5

_PARTED: Final = 24  # the message type whose parts come apart


def fold(connection: Connection, arrivals: Iterable[Arrival]) -> set[int]:
    """Take arrivals into the targets; return the MMSIs of which something is newer."""
    newest: dict[tuple[int, int], Arrival] = {}
    for arrival in arrivals:
        key = _key(arrival)
        if key and (key not in newest or order(arrival) > order(newest[key])):
            newest[key] = arrival
    known: dict[tuple[int, int], tuple[int, int, int]] = {}
    for some in database.chunks(sorted({mmsi for mmsi, _ in newest})):
        query = select(targets).where(targets.c.mmsi.in_(some))
        for found in connection.execute(query).mappings():
            known[found["mmsi"], found["part"]] = (found["t"], found["boot"], found["seq"])
    rows: list[dict[str, Any]] = [
        {
            "mmsi": key[0],
            "part": key[1],
            "device": arrival.device,
            "t": arrival.t,
            "boot": arrival.boot,
            "seq": arrival.seq,
            "record": arrival.record,
        }
        for key, arrival in newest.items()
        if key not in known or order(arrival) > known[key]
    ]
    database.upsert(connection, targets, rows)
    return {row["mmsi"] for row in rows}


def _key(arrival: Arrival) -> tuple[int, int] | None:
    """Return (mmsi, part); None for what is no target, has no time, or no position to show."""
    if arrival.t is None or arrival.schema not in {
        schema.AIS,
        schema.AIS_STATIC,
        schema.AIS_ATON,
    }:
        return None
    fields = [field[0] for field in schema.SCHEMAS[arrival.schema][3]]
    values = dict(zip(fields, cbor2.loads(arrival.record)[schema.HEAD_ITEMS :], strict=False))
    mmsi = values.get("mmsi")
    if type(mmsi) is not int:
        return None
    if arrival.schema == schema.AIS_STATIC:
        if values.get("type") != _PARTED:
            return mmsi, STATIC
        return mmsi, DIMENSIONS if values.get("part") else NAME
    if values.get("lat_e6") is None or values.get("lon_e6") is None:
        return None
    return mmsi, ATON if arrival.schema == schema.AIS_ATON else POSITION

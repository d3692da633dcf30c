"""Takes records in exactly once, by their identity (device, boot, seq).

Events are kept whole. Series records are not kept here (their history is the time-series store's);
of them only the identity is remembered, for `WINDOW_MS`: a gateway repeats a delivery until it is
answered, and it alone knows for ever what it has delivered.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from agent.wire import schema
from cloud.store import database
from cloud.store.tables import arrivals as arrivals_table
from cloud.store.tables import conflicts, events, refused

WINDOW_MS: Final = 48 * 3600 * 1000
_DETAIL_MAX: Final = 200  # characters of a reason that are kept

_IDENTITY: Final = ("device", "boot", "seq")

Identity = tuple[str, int, int]


class Arrival(NamedTuple):
    """One good record with what the gateway said of it; `t` is None while its time is unknown."""

    device: str
    boot: int
    seq: int
    schema: int
    t: int | None
    dated: int
    link: int
    received_ms: int
    record: bytes

    @property
    def identity(self) -> Identity:
        """What makes two deliveries the same record."""
        return self.device, self.boot, self.seq


class Refusal(NamedTuple):
    """Bytes that are no record: which entry of the delivery, whose, and why."""

    entry: int
    device: str
    code: str
    detail: str
    record: bytes


class Kept(NamedTuple):
    """What came of some arrivals: the new ones, how many were known, how many contradict."""

    new: list[Arrival]
    duplicates: int
    conflicts: int


def is_event(schema_id: int) -> bool:
    """Return whether a schema's records are kept here; those of unknown schemas are."""
    return schema_id >= len(schema.SCHEMAS) or schema.SCHEMAS[schema_id][2] == schema.EVENT


def keep(connection: Connection, arrivals: Sequence[Arrival], gateway: str, now_ms: int) -> Kept:
    """Keep what is new; set apart what has a known identity but other bytes."""
    first: dict[Identity, Arrival] = {}
    again: list[tuple[Arrival, bool]] = []  # with "the same bytes"
    for arrival in arrivals:
        earlier = first.setdefault(arrival.identity, arrival)
        if earlier is not arrival:
            again.append((arrival, earlier.record == arrival.record))
    new = []
    fresh = _remember(connection, first.values(), now_ms)
    stored = _store(connection, [a for a in first.values() if is_event(a.schema)], gateway)
    for identity, arrival in first.items():
        if identity not in fresh:
            again.append((arrival, _digest_of(connection, identity) == _digest(arrival.record)))
        elif is_event(arrival.schema) and identity not in stored:
            again.append((arrival, _record_of(connection, identity) == arrival.record))
        else:
            new.append(arrival)
    against = [arrival for arrival, same in again if not same]
    apart = _set_apart(connection, against, gateway)
    return Kept(new, len(again) - apart, apart)


def refuse(connection: Connection, refusals: Sequence[Refusal], gateway: str, now_ms: int) -> int:
    """Keep bytes that are no record, with the reason; return how many are seen the first time."""
    rows = [
        {
            "device": refusal.device,
            "gateway": gateway,
            "received_ms": now_ms,
            "code": refusal.code,
            "detail": refusal.detail[:_DETAIL_MAX],
            "record": refusal.record,
        }
        for refusal in refusals
    ]
    return len(database.insert(connection, refused, rows, ("device", "record")))


def _remember(
    connection: Connection, arrivals: Iterable[Arrival], now_ms: int
) -> set[tuple[object, ...]]:
    """Note identities; return those that were not known."""
    rows = [
        {
            "device": arrival.device,
            "boot": arrival.boot,
            "seq": arrival.seq,
            "digest": _digest(arrival.record),
            "delivered_ms": now_ms,
        }
        for arrival in arrivals
    ]
    return database.insert(connection, arrivals_table, rows, _IDENTITY)


def _store(
    connection: Connection, arrivals: Sequence[Arrival], gateway: str
) -> set[tuple[object, ...]]:
    """Keep events; return the identities of those that were not there."""
    rows = [arrival._asdict() | {"gateway": gateway} for arrival in arrivals]
    return database.insert(connection, events, rows, _IDENTITY)


def _set_apart(connection: Connection, arrivals: Sequence[Arrival], gateway: str) -> int:
    """Keep conflicting records; return how many are seen the first time."""
    rows = [
        {
            "device": arrival.device,
            "boot": arrival.boot,
            "seq": arrival.seq,
            "gateway": gateway,
            "received_ms": arrival.received_ms,
            "record": arrival.record,
        }
        for arrival in arrivals
    ]
    return len(database.insert(connection, conflicts, rows, (*_IDENTITY, "record")))


def _digest(record: bytes) -> int:
    return int.from_bytes(hashlib.sha256(record).digest()[:8], "big", signed=True)


def _digest_of(connection: Connection, identity: Identity) -> int | None:
    c = arrivals_table.c
    query = select(c.digest).where(
        c.device == identity[0], c.boot == identity[1], c.seq == identity[2]
    )
    return connection.scalar(query)


def _record_of(connection: Connection, identity: Identity) -> bytes | None:
    c = events.c
    query = select(c.record).where(
        c.device == identity[0], c.boot == identity[1], c.seq == identity[2]
    )
    return connection.scalar(query)

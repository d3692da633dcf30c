"""Forgets what is only of use for a while, a little at a time."""

from typing import Final

from sqlalchemy import Delete, Table, delete, func, select

from cloud import times
from cloud.store.database import Database
from cloud.store.latest import TARGETS
from cloud.store.records import WINDOW_MS
from cloud.store.tables import arrivals, conflicts, events, refused, targets

_AT_ONCE: Final = 10_000  # rows of one transaction: deliveries wait no longer than that takes
_APART_MAX: Final = 10_000  # rows kept for people to look at; their number is counted for ever
_TARGETS_S: Final = 7 * 86_400  # a ship that was not heard for a week is somewhere else


def prune(database: Database, now_ms: int, ais_days: int) -> None:
    """Delete what is older than it need be; what is left over goes the next time."""
    with database.write() as connection:
        connection.execute(delete(arrivals).where(arrivals.c.delivered_ms < now_ms - WINDOW_MS))
        connection.execute(delete(targets).where(targets.c.t < times.t_of_ms(now_ms) - _TARGETS_S))
        old = (
            select(events.c.id)
            .where(
                events.c.schema.in_(TARGETS),
                events.c.received_ms < now_ms - ais_days * 86_400_000,
            )
            .limit(_AT_ONCE)
        )
        connection.execute(delete(events).where(events.c.id.in_(old)))
        for table in (conflicts, refused):
            connection.execute(_all_but_newest(table))


def _all_but_newest(table: Table) -> Delete:
    newest = select(func.max(table.c.id)).scalar_subquery()
    return delete(table).where(table.c.id <= newest - _APART_MAX)

"""Pieces that several views are made of."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, select

from agent.wire import schema
from cloud import registry, times, values
from cloud.freshness import judge
from cloud.store import database
from cloud.store.tables import presence
from cloud.views.models import Freshness, Position, Presence, Reading, Service

# The every-report schemas: freshness is judged by them.
REPORTS: Final = (schema.BEACON, schema.METER)

KEPT: Final = 32_768  # things of the registry in the API's form; more are made again each time

_LAT: Final = "beacon.lat_e6"
_LON: Final = "beacon.lon_e6"

Row = RowMapping


def rows_of(
    connection: Connection,
    column: Column[Any],
    keys: Iterable[Any] | None,
    *where: ColumnElement[bool],
) -> Iterator[Row]:
    """Yield the rows of a column's table that have one of `keys` there (None: any) and fit `where`."""
    query = select(column.table).where(*where)
    if keys is None:
        yield from connection.execute(query).mappings()
        return
    for some in database.chunks(sorted(keys)):
        yield from connection.execute(query.where(column.in_(some))).mappings()


def presences(connection: Connection, devices: Iterable[str] | None) -> dict[str, Presence]:
    """Return the presence of devices, or of all of them."""
    return {
        row["device"]: Presence(connected=row["up"], since=times.moment_of_ms(row["at_ms"]))
        for row in rows_of(connection, presence.c.device, devices)
    }


def freshness(row: Row | None, now_t: int) -> Freshness:
    """Judge by the newest report, if there is one."""
    t = row["t"] if row else None
    interval_s = row["interval_s"] if row else None
    judged = judge(t, interval_s, now_t)
    return Freshness(
        state=judged.state,
        t=None if t is None else times.moment_of_t(t),
        interval_s=interval_s,
        overdue_s=judged.overdue_s,
        silent_s=judged.silent_s,
    )


def measured_position(row: Row | None) -> Position | None:
    """Return the position in a `beacon` record, if it has one."""
    if row is None or row["t"] is None:
        return None
    report = values.read(row["record"])
    lat, lon = report.get(_LAT), report.get(_LON)
    if not isinstance(lat, int | float) or not isinstance(lon, int | float):
        return None
    return Position(lat=lat, lon=lon, source="device", t=times.moment_of_t(row["t"]))


@lru_cache(maxsize=KEPT)
def service(device: str, given: registry.Service) -> Service:
    """Return a binding of the registry."""
    return Service(
        device=device,
        asset=given.asset,
        notice=given.notice,
        since=times.moment_of_t(given.since),
        until=None if given.until is None else times.moment_of_t(given.until),
    )


def readings(rows: Iterable[Row], now_t: int) -> list[Reading]:
    """Return every value of some newest records, in the order of the schema table."""
    catalogue = values.fields()
    out = []
    for row in sorted(rows, key=lambda row: (row["t"] is None, row["schema"])):
        t = row["t"]
        for key, value in values.read(row["record"]).items():
            out.append(
                Reading(
                    field=key,
                    value=value,
                    unit=catalogue[key].unit,
                    t=None if t is None else times.moment_of_t(t),
                    age_s=None if t is None else max(now_t - t, 0),
                    device=row["device"],
                )
            )
    return out

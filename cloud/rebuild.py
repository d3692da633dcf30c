"""Works the live view out again when the registry, or what this program knows, has changed.

Who serves what is a matter of record times, so a corrected registry moves records from one asset to
another, also of last month. The latest states of assets are then folded anew from everything there
is: what is shown now, the devices' latest, the events, and the time series. The time-series store
may be down; its part is repeated until it answers, beside the daily work.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import cbor2
from sqlalchemy import Connection, RowMapping, delete, select
from sqlalchemy.exc import SQLAlchemyError

from agent.wire import schema
from agent.wire.body import DATED_BY_DEVICE, LINK_MQTT
from agent.wire.series import Row, rows
from cloud import times
from cloud.live import Live
from cloud.registry import Registry
from cloud.series import SeriesError, SeriesStore
from cloud.series.store import Sample
from cloud.store import alarms, counts, latest
from cloud.store.records import Arrival
from cloud.store.tables import asset_latest, device_latest, events

_log = logging.getLogger(__name__)

_RETRY_S: Final = 10.0
_STOP_S: Final = 0.5
_SAMPLES: Final = 5  # newest records that are read of a series: enough to see their interval
_SINCE_T: Final = 0  # nothing is dated before 2020

# Facts: by which basis the tables, and which the time series, were last folded.
_FOLDED: Final = "folded"
_FOLDED_SERIES: Final = "folded-series"

_EVENTS: Final = tuple(
    row[0] for row in schema.SCHEMAS[1:] if row[2] == schema.EVENT and row[0] not in latest.TARGETS
)


def basis(registry: Registry) -> str:
    """Return what the latest states depend on besides the records: registry and schema table."""
    known = repr(schema.SCHEMAS[1:]).encode()
    return f"{registry.digest[:32]}-{hashlib.sha256(known).hexdigest()[:16]}"


class Rebuild:
    """Does it, once for a start of the process; `done` tells whether it is finished."""

    def __init__(self, live: Live, store: SeriesStore) -> None:
        self._live = live
        self._store = store
        self._basis = basis(live.registry)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fold_series, name="rebuild", daemon=True)
        self.done = False

    def start(self) -> None:
        """Fold what is in the tables now, if need be, and the time series in a thread."""
        with self._live.database.read() as connection:
            tables = counts.fact(connection, _FOLDED) == self._basis
            series = counts.fact(connection, _FOLDED_SERIES) == self._basis
        if not tables:
            self._fold_tables()
        if tables and series:
            self.done = True
        else:
            self._thread.start()

    def stop(self) -> None:
        """Stop between two devices; it goes on at the next start."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)  # a store that does not answer must not hold us up

    def _fold_tables(self) -> None:
        registry = self._live.registry
        with self._live.change() as change:
            connection = change.connection
            dated = device_latest.c.t.is_not(None)
            found = [
                *_arrivals(connection.execute(select(asset_latest)).mappings()),
                *_arrivals(connection.execute(select(device_latest).where(dated)).mappings()),
                *_newest_events(connection, registry),
            ]
            connection.execute(delete(asset_latest))
            latest.fold_assets(connection, registry, found)
            told = select(events).where(events.c.schema == schema.ALARM)
            alarms.fold(connection, _arrivals(connection.execute(told).mappings()))
            change.assets |= registry.assets.keys()
            counts.set_fact(connection, _FOLDED, self._basis)
        _log.info("registry: latest states of %d assets worked out anew", len(registry.assets))

    def _fold_series(self) -> None:
        for device, entry in self._live.registry.devices.items():
            spans = [(s.since, s.until) for s in entry.services] or [(_SINCE_T, None)]
            for since, until in spans:
                start_ms = times.ms_of_t(max(since, _SINCE_T))
                end_ms = times.ms_of_t(_present(until))
                if not self._persist(partial(self._fold_span, device, start_ms, end_ms)):
                    return
        if self._persist(self._finish):
            self.done = True

    def _persist(self, work: Callable[[], None]) -> bool:
        """Do something until it succeeds; return False if the process stops before."""
        while not self._stop.is_set():
            try:
                work()
            except (SeriesError, SQLAlchemyError) as error:
                cause = str(error).splitlines()[0]
                _log.warning("latest states: %s; again in %d s", cause, _RETRY_S)
                self._stop.wait(_RETRY_S)
            else:
                return True
        return False

    def _finish(self) -> None:
        with self._live.change() as change:
            counts.set_fact(change.connection, _FOLDED_SERIES, self._basis)

    def _fold_span(self, device: str, start_ms: int, end_ms: int) -> None:
        """Fold a device's newest records of a time."""
        found = [
            _as_arrival(row, device, sample)
            for row in rows()
            for sample in self._store.newest(row, device, start_ms, end_ms, _SAMPLES)
        ]
        if found:
            self._refold(found)

    def _refold(self, found: list[Arrival]) -> None:
        """Fold records together with what is shown, so that their interval is seen again."""
        registry = self._live.registry
        with self._live.change() as change:
            keys = {
                (asset, arrival.schema)
                for arrival in found
                if arrival.t is not None
                and (asset := registry.asset_of(arrival.device, arrival.t)) is not None
            }
            shown: list[Arrival] = []
            for asset, schema_id in keys:
                here = (asset_latest.c.asset == asset) & (asset_latest.c.schema == schema_id)
                query = select(asset_latest).where(here)
                shown += _arrivals(change.connection.execute(query).mappings())
                change.connection.execute(delete(asset_latest).where(here))
            change.assets |= latest.fold_assets(change.connection, registry, [*found, *shown])
            change.devices |= latest.fold_devices(change.connection, found)


def _as_arrival(row: Row, device: str, sample: Sample) -> Arrival:
    """Return a sample as the record it was; a record has one encoding only."""
    t = times.t_of_ms(sample.time_ms)
    values = [sample.values.get(field[0]) for field in row[3]]
    while values and values[-1] is None:
        values.pop()
    record = cbor2.dumps([row[0], sample.boot, sample.seq, t, *values], canonical=True)
    identity = (device, sample.boot, sample.seq)
    return Arrival(*identity, row[0], t, DATED_BY_DEVICE, LINK_MQTT, sample.time_ms, record)


def _newest_events(connection: Connection, registry: Registry) -> list[Arrival]:
    """Return the newest event of each kind in each service of each device."""
    out: list[Arrival] = []
    for device in registry.devices.values():
        for service in device.services:
            for schema_id in _EVENTS:
                query = (
                    select(events)
                    .where(
                        events.c.device == device.id,
                        events.c.schema == schema_id,
                        events.c.t >= service.since,
                        events.c.t < _present(service.until),
                    )
                    .order_by(events.c.t.desc(), events.c.boot.desc(), events.c.seq.desc())
                    .limit(1)
                )
                out += _arrivals(connection.execute(query).mappings())
    return out


def _present(until: int | None) -> int:
    """Return an end, but not one beyond the present: what is dated later is never the latest."""
    limit = times.t_of_ms(times.now_ms()) + latest.AHEAD_MAX_S
    return limit if until is None else min(until, limit)


def _arrivals(found: Iterable[RowMapping]) -> list[Arrival]:
    """Return rows of the tables as arrivals again."""
    return [
        Arrival(
            row["device"],
            row["boot"],
            row["seq"],
            row["schema"],
            row["t"],
            DATED_BY_DEVICE,
            LINK_MQTT,
            row["received_ms"],
            row["record"],
        )
        for row in found
    ]

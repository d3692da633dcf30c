"""Changes to the live view: one at a time, and told to everyone after they are safe.

    with live.change() as change:
        change.assets |= latest.fold_assets(change.connection, …)

What is told is read in the transaction that made it, and numbered there. A snapshot knows the
number that it includes, so a listener can take a snapshot and the events after it, and never sees
an older state after a newer one.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from cloud import times
from cloud.hub import Event, Hub
from cloud.registry import Pile, Registry
from cloud.store import counts
from cloud.store.database import Database
from cloud.views.assets import assets
from cloud.views.devices import devices, unassigned
from cloud.views.models import ASSET, DEVICE, SNAPSHOT, TARGET, Snapshot
from cloud.views.targets import targets_lately

_TOLD_MAX: Final = (
    500  # changed things that are told one by one; beyond it, everything is read anew
)


@dataclass(slots=True)
class Change:
    """A change while it is made: the transaction, its moment, and what it touched."""

    connection: Connection
    now_ms: int
    assets: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    targets: set[int] = field(default_factory=set)


class Live:
    """The live view of one database by one registry."""

    def __init__(self, database: Database, registry: Registry, hub: Hub) -> None:
        self.database = database
        self.registry = registry
        self.hub = hub
        self._lock = threading.Lock()

    @contextmanager
    def change(self) -> Iterator[Change]:
        """Enter a transaction; at its end what was touched is committed and then told."""
        with self._lock:
            with self.database.write() as connection:
                change = Change(connection, times.now_ms())
                yield change
                events = self._events(change)
                counts.add(connection, {counts.CHANGES: len(events)})
            self.hub.publish(events)

    def snapshot(self) -> tuple[int, str]:
        """Return everything as JSON, and the number of the last event that it includes."""
        with self.database.read() as connection:
            number = counts.read(connection).get(counts.CHANGES, 0)
            now_ms = times.now_ms()
            now_t = times.t_of_ms(now_ms)
            everything = Snapshot(
                now=times.moment_of_ms(now_ms),
                assets=assets(connection, self.registry, now_t),
                devices=unassigned(connection, self.registry, now_t),
                targets=targets_lately(connection, now_t),
            )
        return number, SNAPSHOT.dump_json(everything).decode()

    def _events(self, change: Change) -> list[Event]:
        """Read what was touched, as events with the next numbers."""
        piles = [self.registry.assets.get(asset) for asset in change.assets]
        change.assets |= {pile.berth for pile in piles if isinstance(pile, Pile)}
        touched = len(change.assets) + len(change.devices) + len(change.targets)
        if not touched:
            return []
        number = counts.read(change.connection).get(counts.CHANGES, 0)
        if touched > _TOLD_MAX or not self.hub.listening:
            return [Event(number + 1, "reload", "")]
        now_t = times.t_of_ms(change.now_ms)
        connection, registry = change.connection, self.registry
        told = [
            ("asset", ASSET.dump_json(asset))
            for asset in assets(connection, registry, now_t, change.assets)
        ]
        told += [
            ("device", DEVICE.dump_json(device))
            for device in devices(connection, registry, now_t, change.devices)
        ]
        told += [
            ("target", TARGET.dump_json(target))
            for target in targets_lately(connection, now_t, change.targets)
        ]
        return [Event(number + n, kind, data.decode()) for n, (kind, data) in enumerate(told, 1)]

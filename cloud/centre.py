"""The centre's parts, put together, and what it does by itself as time passes."""

import asyncio
import gc
import logging
from typing import Final, Self

from sqlalchemy.exc import SQLAlchemyError

from cloud import registry, times
from cloud.config import Config
from cloud.hub import Hub
from cloud.live import Live
from cloud.rebuild import Rebuild
from cloud.registry import Registry
from cloud.series import SeriesStore, open_store
from cloud.store.database import Database
from cloud.store.prune import prune

_log = logging.getLogger(__name__)

_PRUNE_S: Final = 60.0


class Centre:
    """One monitoring centre: configuration, registry, database, time series, listeners."""

    def __init__(self, config: Config, known: Registry, database: Database) -> None:
        self.config = config
        self.registry = known
        self.database = database
        self.started_ms = times.now_ms()
        self.hub = Hub()
        self.live = Live(database, known, self.hub)
        self.series: SeriesStore = open_store(config.series)
        self.rebuild = Rebuild(self.live, self.series)
        self._upkeep: asyncio.Task[None] | None = None

    @classmethod
    def open(cls, config: Config) -> Self:
        """Read the registry and open the database.

        Raises:
            SettingsError: what is wrong in the registry.
            DatabaseError: why the database cannot be used.
        """
        known = registry.load(config.registry)
        return cls(config, known, Database.open(config.database))

    async def start(self) -> None:
        """Begin to work; returns when the live view can be shown."""
        self.hub.start()
        await asyncio.to_thread(self.rebuild.start)
        self._upkeep = asyncio.create_task(self._keep_up())
        gc.freeze()  # the registry stays: the collector need not look through it again and again

    async def stop(self) -> None:
        """End everything."""
        self.hub.end()
        if self._upkeep:
            self._upkeep.cancel()
            await asyncio.gather(self._upkeep, return_exceptions=True)
        await asyncio.to_thread(self.rebuild.stop)
        self.database.close()

    async def _keep_up(self) -> None:
        """Tell when a binding begins or ends, to the second, and forget what is old."""
        told_t = times.t_of_ms(times.now_ms())
        while True:
            change_t = self.registry.next_change(told_t)
            now_ms = times.now_ms()
            if change_t is not None and times.ms_of_t(change_t) - now_ms < _PRUNE_S * 1000:
                await asyncio.sleep(max(times.ms_of_t(change_t) - now_ms, 0) / 1000)
            else:
                await asyncio.sleep(_PRUNE_S)
            try:
                now_t = times.t_of_ms(times.now_ms())
                await asyncio.to_thread(self._turn, told_t, now_t)
                told_t = now_t
                await asyncio.to_thread(prune, self.database, times.now_ms(), self.config.ais_days)
            except SQLAlchemyError:
                _log.exception("upkeep failed, again in a minute")
                await asyncio.sleep(_PRUNE_S)

    def _turn(self, after: int, until: int) -> None:
        """Tell what changed because its time came."""
        assets, devices = self.registry.changed_between(after, until)
        if assets or devices:
            with self.live.change() as change:
                change.assets |= assets
                change.devices |= devices

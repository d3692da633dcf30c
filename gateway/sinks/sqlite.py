"""The embedded time series: a folder with a SQLite file for each month (agent.wire.series)."""

import sqlite3
from collections import OrderedDict
from pathlib import Path
from typing import Final

from agent.wire import series
from gateway.config import Series
from gateway.journal.reading import Row
from gateway.sinks.months import Month
from gateway.sinks.points import Limits, Point
from gateway.sinks.sink import Sink, SinkError

_OPEN_MAX: Final = 4  # months open at a time; a backlog may reach back over more


class SQLiteSink(Sink):
    """Writes SERIES records; the same identity twice is the same row."""

    batch = 2000

    def __init__(self, store: Series, folder: Path) -> None:
        super().__init__("series", folder)
        self._folder = Path(store.url.removeprefix("sqlite:"))
        self._limits = Limits(store.future_s, store.past_days)
        self._keep = store.months
        self._months: OrderedDict[str, Month] = OrderedDict()
        self._oldest = ""  # the name of the oldest month that is kept, while older ones are not

    def open(self) -> None:
        """Make the folder, and remove what is older than is kept."""
        if self._folder.is_file():
            raise SinkError(f"{self._folder} is a file; series.url names a folder: name another")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._remove_old()
        except OSError as error:
            raise SinkError(f"{self._folder}: {error.strerror}") from error

    def write(self, rows: list[Row]) -> None:
        """Write the rows that belong in the time series, one transaction a month."""
        by_month: dict[str, list[Point]] = {}
        low = high = 0
        for row, ts in self._limits.points(rows, self.refuse):
            if not low <= ts < high:  # mostly it is the month of the one before
                name = series.month_file(ts)
                low, high = series.month_span(name) or (0, 0)
                points = by_month.setdefault(name, [])
            points.append((row, ts))
        for name, points in sorted(by_month.items()):
            if name < self._oldest:
                for row, _ in points:
                    detail = f"series.months keeps {self._oldest} and later"
                    self.refuse(row, "time-ancient", detail)
                continue
            try:
                self._month(name).write(points)
            except (sqlite3.Error, OSError) as error:
                if name in self._months:
                    self._months.pop(name).close()
                raise SinkError(f"{self._folder / name}: {error}") from error

    def close(self) -> None:
        """Close the files, whose logs go into them."""
        while self._months:
            self._months.popitem()[1].close()

    def _month(self, name: str) -> Month:
        """Return a month's file, opened; the one that was used longest ago is closed for it."""
        month = self._months.get(name)
        if month is None:
            begins = not (self._folder / name).exists()
            month = self._months[name] = Month(self._folder / name)
            if begins:
                self._remove_old()
            while len(self._months) > _OPEN_MAX:
                self._months.popitem(last=False)[1].close()
        self._months.move_to_end(name)
        return month

    def _remove_old(self) -> None:
        """Remove all but the newest months that have records, as many as are kept.

        Counted by files and not from now: a clock that is wrong must not cost a year's records.
        """
        names = sorted(
            path.name for path in self._folder.iterdir() if series.month_span(path.name)
        )
        if not 0 < self._keep <= len(names):
            return
        self._oldest = names[-self._keep]
        for name in names[: -self._keep]:
            self._log.info("%s is older than series.months and is removed", name)
            if name in self._months:
                self._months.pop(name).close()
            for ending in ("", "-wal", "-shm"):
                (self._folder / (name + ending)).unlink(missing_ok=True)

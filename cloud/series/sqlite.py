"""Reads the time series from the folder of SQLite files that a gateway writes.

The layout is agent.wire.series'. Wide buckets are put together from a month's rollups where there
are any; what they do not cover, and narrow buckets, from the records.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from agent.wire import series
from agent.wire.body import UNDATED
from agent.wire.series import ROLLUPS, Row, measurement
from cloud.series.store import Bucket, Buckets, Period, Sample, SeriesError
from cloud.values import Field

_BUSY_S: Final = 5.0  # the writer holds a file for milliseconds
_LAST_MASK: Final = (1 << series.LAST_SHIFT) - 1


class SQLiteSeries:
    """A folder of months, opened for reading only, while another process may be writing them."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def buckets(self, row: Row, kind: Field, device: str, period: Period) -> list[Bucket]:
        """Return what was measured, in order of time; a bucket without values is left out."""
        out = Buckets(period)
        for path, start, end in self._months(period.start, period.end):
            with _reading(path, measurement(row), device) as found:
                if found is not None:
                    part = _Part(*found, row, kind, out)
                    part.read(max(start, period.start), min(end, period.end), part.levels)
        return out.in_order()

    def newest(
        self, row: Row, device: str, start_ms: int, end_ms: int, count: int
    ) -> list[Sample]:
        """Return up to `count` records, the newest in start ≤ time < end, in order of time."""
        table = measurement(row)
        sql = f"""
            SELECT * FROM "{table}" WHERE dev = ? AND ts >= ? AND ts < ? AND dated <> ?
            ORDER BY ts DESC, boot DESC, seq DESC LIMIT ?
            """  # noqa: S608  (names from the schema table)
        fields = [field[0] for field in row[3]]
        samples: list[Sample] = []
        for path, _, _ in reversed(self._months(start_ms, end_ms)):
            with _reading(path, table, device) as found:
                if found is None:
                    continue
                connection, dev = found
                left = count - len(samples)
                cursor = connection.execute(sql, (dev, start_ms, end_ms, UNDATED, left))
                columns = [column[0] for column in cursor.description]
                for line in cursor:
                    record = dict(zip(columns, line, strict=True))
                    values = {f: record[f] for f in fields if record.get(f) is not None}
                    samples.append(Sample(record["boot"], record["seq"], record["ts"], values))
            if len(samples) == count:
                break
        return samples[::-1]

    def _months(self, start_ms: int, end_ms: int) -> list[tuple[Path, int, int]]:
        """Return (file, start, end) of the months that a period touches, in order of time."""
        if self.path.is_file():
            raise SeriesError(f"{self.path} is a file; the time series is a folder of months")
        try:
            names = sorted(path.name for path in self.path.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SeriesError(f"{self.path}: {error.strerror}") from error
        spans = [(name, series.month_span(name)) for name in names]
        return [
            (self.path / name, *span)
            for name, span in spans
            if span is not None and span[0] < end_ms and span[1] > start_ms
        ]


class _Part:
    """One device's share of one month, on its way into buckets."""

    def __init__(
        self, connection: sqlite3.Connection, dev: int, row: Row, kind: Field, out: Buckets
    ) -> None:
        self._db = connection
        self._dev = dev
        self._table = measurement(row)
        self._out = out
        period = out.period
        self._value, part = f'"{kind.column}"', kind.column
        if kind.bit is not None:
            self._value, part = series.state_sql(kind.bit), series.state(kind.bit)
        self._part = part
        self._known = kind.column in _columns(connection, self._table)
        # The rollups that fit into the buckets, the widest first.
        self.levels = [
            level
            for level, width in ROLLUPS.items()
            if period.width % width == period.origin % width == 0
            and f"n_{part}" in _columns(connection, f"{self._table}_{level}")
        ]

    def read(self, start: int, end: int, levels: list[str]) -> None:
        """Add what lies in start ≤ time < end: from these rollups, and the rest from records."""
        if not levels:
            self._read_records(start, end)
            return
        width = ROLLUPS[levels[0]]
        at = start
        for bucket, low, high in self._rollups(levels[0], -(-start // width), end // width):
            if at < low:
                self.read(at, low, levels[1:])
            self._out.add(bucket)
            at = high
        if at < end:
            self.read(at, end, levels[1:])

    def _rollups(
        self, level: str, first: int, end: int
    ) -> Iterator[tuple[Bucket | None, int, int]]:
        """Yield (values put together or None, start, end) of each rollup in first ≤ at < end."""
        part, width = self._part, ROLLUPS[level]
        extremes = f"low_{part}, high_{part}"
        if "low" not in series.told(part):
            extremes = f"total_{part} = n_{part}, total_{part} > 0"
        sql = f"""
            SELECT at, n_{part}, {extremes}, total_{part}, first_{part}, last_{part}
            FROM "{self._table}_{level}" WHERE dev = ? AND at >= ? AND at < ? ORDER BY at
            """  # noqa: S608  (names from the schema table)
        found = self._db.execute(sql, (self._dev, first, end)).fetchall()
        for at, values, low, high, total, since, last in found:
            start = at * width
            day = start // series.DAY_MS * series.DAY_MS
            bucket = None
            if values:
                until, final = last >> series.LAST_SHIFT, (last & _LAST_MASK) - series.LAST_ZERO
                bucket = Bucket(day + since, day + until, low, high, total, values, final)
            yield bucket, start, start + width

    def _read_records(self, start: int, end: int) -> None:
        if not self._known:
            return
        value, period = self._value, self._out.period
        together = f"""
            SELECT min(ts), max(ts), min(value), max(value), sum(value), count(*) FROM (
                SELECT ts, {value} AS value FROM "{self._table}"
                WHERE dev = :dev AND ts >= :start AND ts < :end AND dated <> :undated)
            WHERE value IS NOT NULL GROUP BY (ts - :origin) / :width
            """  # noqa: S608  (names from the schema table)
        final = f"""
            SELECT max({value}) FROM "{self._table}" WHERE dev = ? AND ts = ? AND dated <> ?
            """  # noqa: S608
        limits = {"dev": self._dev, "start": start, "end": end, "undated": UNDATED}
        buckets = {"origin": period.origin, "width": period.width}
        for found in self._db.execute(together, limits | buckets).fetchall():
            first, last, low, high, total, values = found
            (newest,) = self._db.execute(final, (self._dev, last, UNDATED)).fetchone()
            self._out.add(Bucket(first, last, low, high, total, values, newest))


@contextmanager
def _reading(
    path: Path, table: str, device: str
) -> Iterator[tuple[sqlite3.Connection, int] | None]:
    """Open a month; None if the device or the table is not in it (yet)."""
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as connection:
            dev = None
            if _columns(connection, "devices") and _columns(connection, table):
                query = "SELECT dev FROM devices WHERE name = ?"
                dev = connection.execute(query, (device,)).fetchone()
            yield None if dev is None else (connection, dev[0])
    except sqlite3.Error as error:
        raise SeriesError(f"{path}: {error}") from error


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """Return a table's columns; none if it is not there."""
    found = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    return {name for (name,) in found}

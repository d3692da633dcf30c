"""Reads the time series from the SQLite file that a gateway writes (layout: agent.wire.series)."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from agent.wire.body import UNDATED
from agent.wire.codes import KNOWN_SHIFT
from agent.wire.series import Row, measurement
from cloud.series.store import Bucket, Period, Sample, SeriesError
from cloud.values import Field

_BUSY_S: Final = 5.0  # the writer holds the file for milliseconds


class SQLiteSeries:
    """A SQLite file, opened for reading only, while another process may be writing it."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def buckets(self, row: Row, kind: Field, device: str, period: Period) -> list[Bucket]:
        """Return what was measured, in order of time; a bucket without values is left out."""
        table, value = measurement(row), _value(kind)
        # The table lies in order of (device, boot, seq), its index in order of (device, ts) holds
        # boot and seq too. To go from each index entry to its row is two to three times slower
        # than to read, boot by boot, the stretch of the table that the index says holds them all.
        together = f"""
            WITH stretch AS MATERIALIZED (
                SELECT boot, min(seq) AS low, max(seq) AS high FROM "{table}"
                WHERE device = :device AND ts >= :start AND ts < :end GROUP BY boot)
            SELECT min(ts), max(ts), min(value), max(value), sum(value), count(*) FROM (
                SELECT ts, {value} AS value FROM stretch CROSS JOIN "{table}" AS record
                ON record.device = :device AND record.boot = stretch.boot
                   AND record.seq BETWEEN stretch.low AND stretch.high
                WHERE ts >= :start AND ts < :end AND dated <> :undated)
            WHERE value IS NOT NULL GROUP BY (ts - :origin) / :width ORDER BY 1
            """  # noqa: S608  (names from the schema table)
        # Without statistics the planner would walk through all rows of the device.
        final = f"""
            SELECT {value} AS value FROM "{table}" INDEXED BY "{table}_by_time"
            WHERE device = ? AND ts = ? AND value IS NOT NULL AND dated <> ?
            ORDER BY seq DESC LIMIT 1
            """  # noqa: S608
        arguments = {**period._asdict(), "device": device, "undated": UNDATED}
        out = []
        with self._open(table, {kind.column}) as connection:
            if connection is None:
                return []
            for found in connection.execute(together, arguments):
                first, last, low, high, total, values = found
                (newest,) = connection.execute(final, (device, last, UNDATED)).fetchone()
                out.append(Bucket(first, last, low, high, total, values, newest))
        return out

    def newest(
        self, row: Row, device: str, start_ms: int, end_ms: int, count: int
    ) -> list[Sample]:
        """Return up to `count` records, the newest in start ≤ time < end, in order of time."""
        table = measurement(row)
        sql = f"""
            SELECT * FROM "{table}" WHERE device = ? AND ts >= ? AND ts < ? AND dated <> ?
            ORDER BY ts DESC, seq DESC LIMIT ?
            """  # noqa: S608  (names from the schema table)
        fields = [field[0] for field in row[3]]
        samples = []
        with self._open(table, set()) as connection:
            if connection:
                cursor = connection.execute(sql, (device, start_ms, end_ms, UNDATED, count))
                columns = [column[0] for column in cursor.description]
                for line in cursor:
                    record = dict(zip(columns, line, strict=True))
                    values = {f: record[f] for f in fields if record.get(f) is not None}
                    samples.append(Sample(record["boot"], record["seq"], record["ts"], values))
        return samples[::-1]

    @contextmanager
    def _open(self, table: str, columns: set[str]) -> Iterator[sqlite3.Connection | None]:
        """Open the file; None if it, the table or the columns are not there (yet)."""
        if not self.path.exists():
            yield None
            return
        try:
            uri = f"{self.path.resolve().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as connection:
                found = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
                present = {name for (name,) in found}
                yield connection if present and columns <= present else None
        except sqlite3.Error as error:
            raise SeriesError(f"{self.path}: {error}") from error


def _value(kind: Field) -> str:
    """Return the SQL of a field's value: a column, or one bit of it where it is known."""
    if kind.bit is None:
        return f'"{kind.column}"'
    known = kind.bit + KNOWN_SHIFT
    return f'CASE WHEN "{kind.column}" >> {known} & 1 THEN "{kind.column}" >> {kind.bit} & 1 END'

"""The embedded time series: one wide table per schema in one SQLite file (agent.wire.series)."""

import sqlite3
from pathlib import Path

import cbor2

from agent.wire import decode, schema, series
from gateway.journal import Row
from gateway.sinks.cursors import Cursors
from gateway.sinks.sink import Sink, SinkError

_IDENTITY = ("device", "boot", "seq", "ts", "dated")


class SQLiteSink(Sink):
    """Writes SERIES records; the same identity twice is the same row."""

    def __init__(self, path: Path, journal: Path, cursors: Cursors) -> None:
        super().__init__("series", journal, cursors)
        self._path = path
        self._db: sqlite3.Connection
        self._inserts = {row[0]: _insert(row) for row in series.rows()}

    def open(self) -> None:
        """Open the file and bring its tables up to the schema table."""
        try:
            self._db = sqlite3.connect(self._path, isolation_level=None, timeout=10)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA journal_size_limit = 67108864")
            for row in series.rows():
                for statement in series.create_table(row):
                    self._db.execute(statement)
                name = series.measurement(row)
                present = {
                    column[1] for column in self._db.execute(f'PRAGMA table_info("{name}")')
                }
                for statement in series.missing_columns(row, present):
                    self._db.execute(statement)
        except sqlite3.Error as error:
            raise SinkError(f"{self._path}: {error}") from error

    def write(self, rows: list[Row]) -> None:
        """Write the rows that belong in the time series, in one transaction."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for row in rows:
                insert = self._inserts.get(row.schema)
                if insert is not None:
                    self._db.execute(insert, _values(row))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise SinkError(f"{self._path}: {error}") from error


def point_ms(row: Row) -> int:
    """Return the time of a row's point; of one that will never be dated, when it came."""
    return row.received_ms if row.time is None else series.point_ms(row.time, row.seq)


def fields(row: Row) -> tuple[list[int | bytes | None], list[int | bytes | None]]:
    """Return the values of a row's known fields, invalid ones as None, and those of newer ones."""
    record = decode.one(row.raw)
    names = [field[0] for field in schema.SCHEMAS[row.schema][3]]
    values = record.values
    for fault in decode.check(record):
        values[names.index(fault.field)] = None
    values += [None] * (len(names) - len(values))
    return values[: len(names)], values[len(names) :]


def _insert(row: series.Row) -> str:
    columns = [*_IDENTITY, *(field[0] for field in row[3]), "newer"]
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" * len(columns))
    # Names from the schema table, values bound.
    return f'INSERT OR IGNORE INTO "{series.measurement(row)}" ({names}) VALUES ({marks})'  # noqa: S608


def _values(row: Row) -> list[object]:
    known, newer = fields(row)
    extra = cbor2.dumps(newer) if newer else None
    return [row.device, row.boot, row.seq, point_ms(row), row.dated, *known, extra]

"""One month's file of the embedded time series: records, and what they come to by hour and half day.

    month = Month(folder / "2026-11.sqlite")
    month.write([(row, ts), …])        one transaction, durable

The table's key decides what is new. Only that reaches the rollups, in the same transaction:
so they stay exact however often and in whatever order records come.
"""

import sqlite3
from pathlib import Path
from typing import Final

import cbor2

from agent.wire import schema, series
from gateway.journal.reading import Row
from gateway.sinks import rollups
from gateway.sinks.points import Point, checked

_BUSY_S: Final = 10.0
_WAL_BYTES: Final = 16 << 20  # the most that is kept of a log that was larger for once
_KEY: Final = ("dev", "ts", "boot", "seq", "dated")


class Month:
    """A file that is being written. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA temp_store = MEMORY")
        self._db.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        self._db.execute(series.DEVICES)
        self._devs: dict[str, int] = {}
        self._tables: dict[int, _Table] = {}

    def close(self) -> None:
        """Close the file; its log goes into it."""
        self._db.close()

    def write(self, points: list[Point]) -> None:
        """Add SERIES rows, each with its point's time; those that are there already vanish.

        After an error nothing of it is there, and the file must be closed and opened anew.
        """
        by_schema: dict[int, list[Point]] = {}
        for point in points:
            by_schema.setdefault(point[0].schema, []).append(point)
        self._db.execute("BEGIN IMMEDIATE")
        for schema_id, some in by_schema.items():
            if schema_id not in self._tables:
                self._tables[schema_id] = _Table(self._db, schema.SCHEMAS[schema_id])
            table = self._tables[schema_id]
            table.add([(self._dev(row.device), ts, *table.values(row)) for row, ts in some])
        self._db.execute("COMMIT")

    def _dev(self, device: str) -> int:
        dev = self._devs.get(device)
        if dev is None:
            self._db.execute("INSERT OR IGNORE INTO devices (name) VALUES (?)", (device,))
            found = self._db.execute("SELECT dev FROM devices WHERE name = ?", (device,))
            dev = self._devs[device] = int(found.fetchone()[0])
        return dev


class _Table:
    """One schema's table with its rollups."""

    def __init__(self, db: sqlite3.Connection, row: series.Row) -> None:
        self._db = db
        self._fields = len(row[3])
        name = series.measurement(row)
        fields = [field[0] for field in row[3]]
        columns = [*_KEY, *fields, "newer"]
        listed = ", ".join(f'"{column}"' for column in columns)
        self._grow(series.create_table(row), name, fields)
        for level in series.ROLLUPS:
            wanted = series.rollup_columns(row)
            self._grow(series.create_rollup(row, level), f"{name}_{level}", wanted)
        fresh = f"temp.fresh_{name}"
        # Names from the schema table, values bound.
        db.execute(
            f"CREATE TABLE {fresh} ({listed}, PRIMARY KEY (dev, ts, boot, seq)) WITHOUT ROWID"
        )
        for statement in rollups.tables(row):
            db.execute(statement)
        self._take = f"INSERT OR IGNORE INTO {fresh} VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        self._steps = [
            f"""DELETE FROM {fresh} WHERE EXISTS (SELECT 1 FROM "{name}" AS old
                WHERE old.dev = fresh_{name}.dev AND old.ts = fresh_{name}.ts
                AND old.boot = fresh_{name}.boot AND old.seq = fresh_{name}.seq)""",  # noqa: S608
            f'INSERT INTO "{name}" ({listed}) SELECT {listed} FROM {fresh}',  # noqa: S608
            *rollups.steps(row, fresh),
            f"DELETE FROM {fresh}",  # noqa: S608
        ]

    def values(self, row: Row) -> list[object]:
        """Return (boot, seq, dated, fields …, newer) of a row."""
        values = checked(row) if row.flawed else cbor2.loads(row.raw)[schema.HEAD_ITEMS :]
        short = self._fields - len(values)
        if short < 0:
            newer = cbor2.dumps(values[short:])
            return [row.boot, row.seq, row.dated, *values[:short], newer]
        return [row.boot, row.seq, row.dated, *values, *(None,) * short, None]

    def add(self, lines: list[tuple[object, ...]]) -> None:
        """Add lines as `values` makes them, behind dev and ts."""
        self._db.executemany(self._take, lines)
        for step in self._steps:
            self._db.execute(step)

    def _grow(self, create: str, table: str, wanted: list[str]) -> None:
        """Make a table, or bring it up to the schema table."""
        self._db.execute(create)
        present = {column[1] for column in self._db.execute(f'PRAGMA table_info("{table}")')}
        for statement in series.missing_columns(table, wanted, present):
            self._db.execute(statement)

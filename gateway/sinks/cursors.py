"""Where each sink has got to, in a small file of its own.

It is not the journal's: a cursor that lost its last moves only makes a sink send again what is there
already, and the journal's writer must not wait for it.
"""

import sqlite3
import threading
from pathlib import Path
from typing import NamedTuple


class Cursor(NamedTuple):
    """The last id handed on, of the records and of the releases."""

    records: int
    releases: int


class Cursors:
    """Every sink's cursor; for any thread, and several processes at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS cursors"
            " (sink TEXT PRIMARY KEY, records INTEGER NOT NULL, releases INTEGER NOT NULL)"
        )

    def get(self, sink: str) -> Cursor:
        """Return a sink's cursor; a new sink begins at the beginning."""
        with self._lock:
            row = self._db.execute(
                "SELECT records, releases FROM cursors WHERE sink = ?", (sink,)
            ).fetchone()
        return Cursor(0, 0) if row is None else Cursor(*row)

    def set(self, sink: str, cursor: Cursor) -> None:
        """Move a sink's cursor."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", (sink, *cursor))

    def slowest(self, sinks: list[str]) -> Cursor:
        """Return what every one of these sinks has passed."""
        cursors = [self.get(sink) for sink in sinks]
        if not cursors:
            return Cursor(0, 0)
        return Cursor(min(c.records for c in cursors), min(c.releases for c in cursors))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

"""Which reports of other makes' terminals have records already, and which: durable before they are used.

    memory = Memory(data / "terminals.sqlite")
    payload = memory.find("buoy-9", mark)             None: it is a new one
    memory.keep([("buoy-9", mark, payload)], now_s)   returns when it is on the disk
    inbox.put(…)

A terminal that got no answer sends its report again: after a restart of ours too, and by the protocol's
other messages, too. If it was committed, it must not be counted twice; if it was not, it must not be lost.
So a report's records are written here, with their identity, before they go to the journal. The same report
gives the same bytes again, and the journal, which knows records for ever by their identity, does the rest.
"""

import hashlib
import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

REMEMBERED: Final = 256  # reports of one device, the latest; about 40 kB on disk
_MARK: Final = 16  # bytes of a digest


class Memory:
    """The file; for the thread that made it.

    A file that is damaged is set aside as `….damaged`, and another one begun: what was sent again at that
    moment may be stored twice, but the terminals go on being heard.

    Raises:
        sqlite3.Error: from every method: the disk does not take it, and nothing was kept.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._open(path)
            if self._db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("quick_check")
        except sqlite3.OperationalError:
            self._db.close()
            raise
        except sqlite3.DatabaseError as error:
            self._db.close()
            log.error("%s is damaged (%s): it is set aside and begun anew", path, error)  # noqa: TRY400  (one line says it)
            for end in ("-wal", "-shm"):
                path.with_name(path.name + end).unlink(missing_ok=True)
            path.replace(path.with_name(path.name + ".damaged"))
            self._open(path)
        self._next: dict[str, int] = {}

    def _open(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS reports (device TEXT NOT NULL, slot INTEGER NOT NULL,"
            " n INTEGER NOT NULL, mark BLOB NOT NULL, at_s INTEGER NOT NULL, payload BLOB NOT NULL,"
            " PRIMARY KEY (device, slot)) WITHOUT ROWID"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS by_mark ON reports (device, mark)")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def find(self, device: str, mark: bytes, since_s: int = 0) -> bytes | None:
        """Return the records that a report was given, None if it was given none since then."""
        query = "SELECT payload FROM reports WHERE device = ? AND mark = ? AND at_s >= ?"
        row = self._db.execute(query, (device, _digest(mark), since_s)).fetchone()
        return bytes(row[0]) if row else None

    def keep(self, reports: Iterable[tuple[str, bytes, bytes]], now_s: int) -> None:
        """Keep (device, mark, payload) of new reports, all or none."""
        following = dict(self._next)
        rows = []
        for device, mark, payload in reports:
            n = following.get(device)
            if n is None:
                query = "SELECT max(n) FROM reports WHERE device = ?"
                n = (self._db.execute(query, (device,)).fetchone()[0] or 0) + 1
            following[device] = n + 1
            rows.append((device, n % REMEMBERED, n, _digest(mark), now_s, payload))
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT OR REPLACE INTO reports VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._next = following


def _digest(mark: bytes) -> bytes:
    return hashlib.sha256(mark).digest()[:_MARK]

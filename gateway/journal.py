"""The journal: every record as it came, committed before anybody is told that it was.

    journal = Journal(folder / "journal.sqlite")
    with journal.transaction():
        journal.add(…)

SQLite in WAL mode with `synchronous=FULL`: when a transaction has returned, its rows survive a power
cut. One process and one thread write; the sinks read through connections of their own
(`JournalReader`). A row waits (`held`) while its time or its schema is not known, and is released
later: sinks follow two cursors, one over `records` and one over `releases`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

GO: Final = 0
AWAITS_DATE: Final = 1
AWAITS_SCHEMA: Final = 2

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
    schema INTEGER NOT NULL,
    t INTEGER NOT NULL,       -- as in the record; negative: -1 - uptime
    time INTEGER,             -- seconds since 2020; null while, or for ever, unknown
    dated INTEGER NOT NULL,   -- how the time is known: agent.wire.body.DATED
    held INTEGER NOT NULL,    -- 0 goes to the sinks, 1 awaits its date, 2 awaits its schema
    link INTEGER NOT NULL, received_ms INTEGER NOT NULL, raw BLOB NOT NULL,
    UNIQUE (device, boot, seq));
CREATE INDEX IF NOT EXISTS records_held ON records (device, boot) WHERE held != 0;
CREATE INDEX IF NOT EXISTS records_received ON records (received_ms);
CREATE TABLE IF NOT EXISTS releases (
    id INTEGER PRIMARY KEY AUTOINCREMENT, record INTEGER NOT NULL,
    at_ms INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)));
CREATE TABLE IF NOT EXISTS ranges (
    device TEXT NOT NULL, boot INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (device, boot, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boots (
    sight INTEGER PRIMARY KEY AUTOINCREMENT,   -- order of first sight
    device TEXT NOT NULL, boot INTEGER NOT NULL,
    epoch INTEGER,                             -- seconds since 2020 at uptime 0; null while unknown
    UNIQUE (device, boot));
CREATE TABLE IF NOT EXISTS handed (
    device TEXT NOT NULL, lost INTEGER NOT NULL, fresh INTEGER NOT NULL,
    PRIMARY KEY (device, lost)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS states (
    device TEXT PRIMARY KEY, boot INTEGER NOT NULL, connection INTEGER NOT NULL,
    up INTEGER NOT NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS conflicts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
    link INTEGER NOT NULL, received_ms INTEGER NOT NULL, raw BLOB NOT NULL,
    UNIQUE (device, boot, seq, raw));
CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL, device TEXT, boot INTEGER, seq INTEGER,
    reason TEXT NOT NULL, detail TEXT NOT NULL, position INTEGER NOT NULL,
    received_ms INTEGER NOT NULL, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

DEAD_LETTERS_MAX: Final = 10_000  # kept for inspection; all are counted


class JournalError(Exception):
    """The journal cannot be opened or is damaged; says which file and what to do."""


class Row(NamedTuple):
    """A record on its way to a sink."""

    id: int
    device: str
    boot: int
    seq: int
    schema: int
    time: int | None
    dated: int
    link: int
    received_ms: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Boot:
    """What is known of one start of a device: its place in the order of sight, its epoch."""

    sight: int
    epoch: int | None


class Journal:
    """The writing side. Every method but `transaction` belongs inside one.

    Raises:
        JournalError: at construction, when the file is not ours or fails its integrity check.
        sqlite3.OperationalError: from `transaction`, when the disk does not take it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _open(path)
            self._db.executescript(_SCHEMA)
            (verdict,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            raise JournalError(
                f"{path}: {error}; move it away and keep it: it may hold data"
            ) from error
        if verdict != "ok":
            raise JournalError(f"{path} is damaged ({verdict}); move it away and keep it")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside one durable step, or nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def add(self, rows: list[tuple[object, ...]]) -> None:
        """Add records: (device, boot, seq, schema, t, time, dated, held, link, received_ms, raw)."""
        self._db.executemany(
            "INSERT INTO records (device, boot, seq, schema, t, time, dated, held, link,"
            " received_ms, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def raw_of(self, device: str, boot: int, seq: int) -> bytes | None:
        """Return a record's bytes, or None when it is no longer here."""
        row = self._db.execute(
            "SELECT raw FROM records WHERE device = ? AND boot = ? AND seq = ?",
            (device, boot, seq),
        ).fetchone()
        return None if row is None else row[0]

    def ranges(self, device: str, boot: int) -> list[tuple[int, int]]:
        """Return what was ever committed of a boot."""
        return self._db.execute(
            "SELECT first, last FROM ranges WHERE device = ? AND boot = ?", (device, boot)
        ).fetchall()

    def save_ranges(self, device: str, boot: int, ranges: list[tuple[int, int]]) -> None:
        """Replace what was committed of a boot."""
        self._db.execute("DELETE FROM ranges WHERE device = ? AND boot = ?", (device, boot))
        self._db.executemany(
            "INSERT INTO ranges VALUES (?, ?, ?, ?)",
            [(device, boot, first, last) for first, last in ranges],
        )

    def boot(self, device: str, boot: int) -> Boot | None:
        """Return what is known of a boot."""
        row = self._db.execute(
            "SELECT sight, epoch FROM boots WHERE device = ? AND boot = ?", (device, boot)
        ).fetchone()
        return None if row is None else Boot(*row)

    def see_boot(self, device: str, boot: int) -> Boot:
        """Note the first sight of a boot."""
        cursor = self._db.execute("INSERT INTO boots (device, boot) VALUES (?, ?)", (device, boot))
        return Boot(int(cursor.lastrowid or 0), None)

    def date_boot(self, device: str, boot: int, epoch: int, dated: int) -> int:
        """Give a boot its epoch and release the rows that waited for it; return how many."""
        self._db.execute(
            "UPDATE boots SET epoch = ? WHERE device = ? AND boot = ?", (epoch, device, boot)
        )
        self._db.execute(
            "UPDATE records SET time = ? + (-1 - t), dated = ?"
            " WHERE device = ? AND boot = ? AND held = ? AND time IS NULL",
            (epoch, dated, device, boot, AWAITS_SCHEMA),
        )
        where = f"device = ? AND boot = ? AND held = {AWAITS_DATE}"
        return self._release(
            "time = ? + (-1 - t), dated = ?", (epoch, dated), where, (device, boot)
        )

    def give_up_dating(self, before_ms: int, dated: int) -> int:
        """Release rows received before `before_ms` without a time; return how many."""
        where = f"held = {AWAITS_DATE} AND received_ms < ?"
        return self._release("time = NULL, dated = ?", (dated,), where, (before_ms,))

    def release_schema(self, schema_id: int) -> int:
        """Release rows whose schema is known now; return how many. Undated ones go on waiting."""
        where = f"schema = ? AND held = {AWAITS_SCHEMA}"
        self._db.execute(
            f"UPDATE records SET held = {AWAITS_DATE} WHERE {where} AND time IS NULL",  # noqa: S608  (constants)
            (schema_id,),
        )
        return self._release("dated = dated", (), where, (schema_id,))

    def _release(
        self, change: str, values: tuple[object, ...], where: str, keys: tuple[object, ...]
    ) -> int:
        # The texts are this module's own; every value is bound.
        self._db.execute(
            f"INSERT INTO releases (record) SELECT id FROM records WHERE {where}",  # noqa: S608
            keys,
        )
        cursor = self._db.execute(
            f"UPDATE records SET {change}, held = {GO} WHERE {where}",  # noqa: S608
            values + keys,
        )
        return cursor.rowcount

    def add_conflict(
        self, device: str, boot: int, seq: int, link: int, received_ms: int, raw: bytes
    ) -> bool:
        """Keep other bytes of an identity apart; return whether these were not there yet."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO conflicts (device, boot, seq, link, received_ms, raw)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (device, boot, seq, link, received_ms, raw),
        )
        return cursor.rowcount == 1

    def add_dead_letters(self, rows: list[tuple[object, ...]]) -> None:
        """Add (topic, device, boot, seq, reason, detail, position, received_ms, raw)."""
        self._db.executemany(
            "INSERT INTO dead_letters (topic, device, boot, seq, reason, detail, position,"
            " received_ms, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        self._db.execute(
            "DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - ?",
            (DEAD_LETTERS_MAX,),
        )

    def state(self, device: str) -> tuple[int, int, int, int] | None:
        """Return (boot, connection, up, at_ms) of a device."""
        row: tuple[int, int, int, int] | None = self._db.execute(
            "SELECT boot, connection, up, at_ms FROM states WHERE device = ?", (device,)
        ).fetchone()
        return row

    def states(self) -> list[tuple[str, int, int, int, int]]:
        """Return every device's state."""
        return self._db.execute(
            "SELECT device, boot, connection, up, at_ms FROM states"
        ).fetchall()

    def save_state(self, device: str, boot: int, connection: int, up: int, at_ms: int) -> None:
        """Replace a device's state."""
        self._db.execute(
            "INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?, ?)",
            (device, boot, connection, up, at_ms),
        )

    def hand_out(self, device: str, lost: int, limit: int) -> int:
        """Return a boot number below `limit` that `device` never used, the same for one `lost`."""
        row = self._db.execute(
            "SELECT fresh FROM handed WHERE device = ? AND lost = ?", (device, lost)
        ).fetchone()
        if row is not None:
            return int(row[0])
        (highest,) = self._db.execute(
            "SELECT max(n) FROM (SELECT boot AS n FROM boots WHERE device = ?1 AND boot < ?2"
            " UNION ALL SELECT fresh FROM handed WHERE device = ?1 UNION ALL SELECT 0)",
            (device, limit),
        ).fetchone()
        fresh = int(highest) + 1
        self._db.execute("INSERT INTO handed VALUES (?, ?, ?)", (device, lost, fresh))
        return fresh

    def count(self, changes: dict[str, int]) -> None:
        """Add to counters."""
        self._db.executemany(
            "INSERT INTO counters VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            changes.items(),
        )

    def prune(self, received_before_ms: int, passed_id: int, passed_release: int) -> int:
        """Delete records that every sink has passed and that are old; return how many."""
        self._db.execute(
            "DELETE FROM releases WHERE id <= ? AND at_ms < ?",
            (passed_release, received_before_ms),
        )
        cursor = self._db.execute(
            "DELETE FROM records WHERE received_ms < ? AND id <= ? AND held = 0"
            " AND id NOT IN (SELECT record FROM releases)",
            (received_before_ms, passed_id),
        )
        return cursor.rowcount


class JournalReader:
    """A reading side of its own, for one thread; works beside the writer and in other processes."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise JournalError(f"{path}: there is no journal here")
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def records(self, after: int, limit: int) -> list[Row]:
        """Return records behind a cursor, in the order of commitment."""
        rows = self._db.execute(
            "SELECT id, device, boot, seq, schema, time, dated, link, received_ms, raw"
            " FROM records WHERE id > ? AND held = 0 ORDER BY id LIMIT ?",
            (after, limit),
        )
        return [Row(*row) for row in rows]

    def releases(self, after: int, limit: int) -> tuple[int, list[Row]]:
        """Return (the new cursor, records released behind the old one)."""
        rows = self._db.execute(
            "SELECT r.id, device, boot, seq, schema, time, dated, link, received_ms, raw, l.id"
            " FROM releases l JOIN records r ON r.id = l.record"
            " WHERE l.id > ? ORDER BY l.id LIMIT ?",
            (after, limit),
        ).fetchall()
        return (rows[-1][-1] if rows else after), [Row(*row[:-1]) for row in rows]

    def cursors_at(self, unix_ms: int) -> tuple[int, int]:
        """Return the cursors (records, releases) that leave everything since a time before them."""
        return (
            self._before("SELECT min(id) FROM records WHERE received_ms >= ?", "records", unix_ms),
            self._before("SELECT min(id) FROM releases WHERE at_ms >= ?", "releases", unix_ms),
        )

    def _before(self, query: str, table: str, unix_ms: int) -> int:
        (first,) = self._db.execute(query, (unix_ms,)).fetchone()
        if first is not None:
            return int(first) - 1
        (last,) = self._db.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()  # noqa: S608  (ours)
        return int(last)

    def counters(self) -> dict[str, int]:
        """Return every counter, and how many rows wait."""
        out = dict(self._db.execute("SELECT name, value FROM counters"))
        for held, name in ((AWAITS_DATE, "awaiting_date"), (AWAITS_SCHEMA, "awaiting_schema")):
            (out[name],) = self._db.execute(
                "SELECT count(*) FROM records WHERE held = ? AND held != 0", (held,)
            ).fetchone()
        return out

    def states(self) -> list[tuple[str, int, int, int, int]]:
        """Return (device, boot, connection, up, at_ms) of every device."""
        return self._db.execute(
            "SELECT device, boot, connection, up, at_ms FROM states"
        ).fetchall()

    def dead_letters(self, limit: int) -> list[sqlite3.Row]:
        """Return the latest dead letters, newest first."""
        self._db.row_factory = sqlite3.Row
        return self._db.execute(
            "SELECT * FROM dead_letters ORDER BY id DESC LIMIT ?", (limit,)
        ).fetchall()

    def accounts(self) -> list[tuple[str, int, int, int, int]]:
        """Return (device, boot, first, last, missing) per boot, in the order of sight."""
        return self._db.execute(
            "SELECT b.device, b.boot, min(first), max(last),"
            " max(last) + 1 - sum(last - first + 1)"
            " FROM boots b JOIN ranges r ON r.device = b.device AND r.boot = b.boot"
            " GROUP BY b.sight ORDER BY b.sight"
        ).fetchall()


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA journal_size_limit = 67108864")
    return db

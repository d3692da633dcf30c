"""The journal: every record as it came, committed before anybody is told that it was.

    journal = Journal(folder / "journal.sqlite")
    with journal.transaction():
        journal.add(…)

SQLite in WAL mode with `synchronous=FULL`: when a transaction has returned, its rows survive a power
cut. One process and one thread write; sinks and people read through connections of their own
(gateway.journal.reading). A row waits (`held`) while its time or its schema is not known, and is released
later: sinks follow two cursors, one over `records` and one over `releases`.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cbor2

from gateway.journal import deadletters
from gateway.journal.ranges import Ranges

GO: Final = 0
AWAITS_DATE: Final = 1
AWAITS_SCHEMA: Final = 2

TOLD_MAX: Final = 1000  # ranges of one boot that are known never to come
CHECKED_MAX: Final = 256 << 20  # bytes of a journal that is checked whole before the start
_WAL_MAX: Final = 64 << 20  # bytes that its write-ahead log keeps when it is done with
_BUSY_MS: Final = 10_000
_CHECKPOINT_MS: Final = 500
_MARK_MS: Final = 1000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS boots (
    sight INTEGER PRIMARY KEY AUTOINCREMENT,   -- order of first sight
    device TEXT NOT NULL, boot INTEGER NOT NULL,
    epoch INTEGER,                             -- seconds since 2020 at uptime 0; null while unknown
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    duplicates INTEGER NOT NULL DEFAULT 0, conflicts INTEGER NOT NULL DEFAULT 0,
    filled INTEGER NOT NULL DEFAULT 0,         -- came after a later one had
    source INTEGER, uncertainty_ms INTEGER,    -- of the newest clock record
    saved INTEGER NOT NULL DEFAULT 0,          -- grows with every change of this row
    UNIQUE (device, boot));
CREATE INDEX IF NOT EXISTS boots_saved ON boots (saved);
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sight INTEGER NOT NULL, seq INTEGER NOT NULL,
    time INTEGER,             -- seconds since 2020; null while, or for ever, unknown
    dated INTEGER NOT NULL,   -- how the time is known: agent.wire.body.DATED
    held INTEGER NOT NULL,    -- 0 goes to the sinks, 1 awaits its date, 2 awaits its schema
    flawed INTEGER NOT NULL,  -- whether a value is outside its field's range
    link INTEGER NOT NULL, received_ms INTEGER NOT NULL, raw BLOB NOT NULL,
    UNIQUE (sight, seq));
CREATE INDEX IF NOT EXISTS records_held ON records (sight) WHERE held != 0;
CREATE TABLE IF NOT EXISTS releases (
    id INTEGER PRIMARY KEY AUTOINCREMENT, record INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS marks (             -- what was committed before a time
    at_ms INTEGER PRIMARY KEY, record INTEGER NOT NULL, release INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ranges (            -- what was ever committed
    sight INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (sight, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told (              -- what a device gave up, or what was no record
    sight INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, lost INTEGER NOT NULL,
    PRIMARY KEY (sight, first, last)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heard (             -- when a boot was last heard by a link
    sight INTEGER NOT NULL, link INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (sight, link)) WITHOUT ROWID;
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
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

CONFLICTS_MAX: Final = 10_000  # kept for inspection; all are counted


class JournalError(Exception):
    """The journal cannot be opened or is damaged; says which file and what to do."""


@dataclass(slots=True, eq=False)
class Account:
    """One start of a device as the journal knows it. Times are Unix milliseconds.

    `told` holds (first, last, lost): of this range so many are known never to come. `changed` is true
    while the file does not have all of it yet; what decides about duplicates, `seen`, always is there
    with the commit.
    """

    device: str
    boot: int
    sight: int
    epoch: int | None
    first_ms: int
    last_ms: int
    duplicates: int
    conflicts: int
    filled: int
    source: int | None
    uncertainty_ms: int | None
    seen: Ranges
    told: set[tuple[int, int, int]]
    heard: dict[int, int]
    changed: bool = False


class Journal:
    """The writing side. Every method but `transaction` belongs inside one.

    Raises:
        JournalError: at construction, when the file is not ours or fails its integrity check.
        sqlite3.OperationalError: from `transaction`, when the disk does not take it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            size = path.stat().st_size if path.exists() else 0
            self._db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(f"PRAGMA journal_size_limit = {_WAL_MAX}")
            verdict = check(self._db) if size <= CHECKED_MAX else ""
            self._db.executescript(_SCHEMA + deadletters.SCHEMA)
            (self._saved,) = self._db.execute(
                "SELECT coalesce(max(saved), 0) FROM boots"
            ).fetchone()
        except sqlite3.DatabaseError as error:
            raise JournalError(
                f"{path}: {error}; move it away and keep it: it may hold data"
            ) from error
        if verdict:
            raise JournalError(f"{path} is damaged ({verdict}); move it away and keep it")
        self.dead_letters = deadletters.DeadLetters(self._db)
        self._marked_ms = 0

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
        """Add records: (sight, seq, time, dated, held, flawed, link, received_ms, raw)."""
        self._db.executemany(
            "INSERT INTO records (sight, seq, time, dated, held, flawed, link, received_ms, raw)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def mark(self, now_ms: int) -> None:
        """Note, about every second, what was committed before now; first thing in a transaction."""
        if abs(now_ms - self._marked_ms) >= _MARK_MS:
            self._db.execute(
                "INSERT OR IGNORE INTO marks VALUES (?, (SELECT coalesce(max(id), 0) FROM records),"
                " (SELECT coalesce(max(id), 0) FROM releases))",
                (now_ms,),
            )
            self._marked_ms = now_ms

    def raw_of(self, sight: int, seq: int) -> bytes | None:
        """Return a record's bytes, or None when it is no longer here."""
        row = self._db.execute(
            "SELECT raw FROM records WHERE sight = ? AND seq = ?", (sight, seq)
        ).fetchone()
        return None if row is None else row[0]

    def knows(self, device: str, boot: int) -> bool:
        """Return whether a boot has been seen."""
        found = self._db.execute(
            "SELECT 1 FROM boots WHERE device = ? AND boot = ?", (device, boot)
        ).fetchone()
        return found is not None

    def account(self, device: str, boot: int, now_ms: int) -> Account:
        """Return what is known of a boot; at first sight it is noted."""
        row = self._db.execute(
            "SELECT sight, epoch, first_ms, last_ms, duplicates, conflicts, filled, source,"
            " uncertainty_ms FROM boots WHERE device = ? AND boot = ?",
            (device, boot),
        ).fetchone()
        if row is None:
            cursor = self._db.execute(
                "INSERT INTO boots (device, boot, first_ms, last_ms) VALUES (?, ?, ?, ?)",
                (device, boot, now_ms, now_ms),
            )
            row = (cursor.lastrowid, None, now_ms, now_ms, 0, 0, 0, None, None)
        (sight, epoch, first_ms, last_ms, duplicates, conflicts, filled, source, uncertainty) = row
        key = (sight,)
        return Account(
            device=device,
            boot=boot,
            sight=sight,
            epoch=epoch,
            first_ms=first_ms,
            last_ms=last_ms,
            duplicates=duplicates,
            conflicts=conflicts,
            filled=filled,
            source=source,
            uncertainty_ms=uncertainty,
            seen=Ranges(self._db.execute("SELECT first, last FROM ranges WHERE sight = ?", key)),
            told=set(self._db.execute("SELECT first, last, lost FROM told WHERE sight = ?", key)),
            heard=dict(self._db.execute("SELECT link, at_ms FROM heard WHERE sight = ?", key)),
        )

    def save_ranges(self, accounts: Iterable[Account]) -> None:
        """Bring the table of what was committed up to these accounts."""
        gone: list[tuple[int, int]] = []
        changed: list[tuple[int, int, int]] = []
        for account in accounts:
            left, new = account.seen.take_changes()
            gone.extend((account.sight, first) for first in left)
            changed.extend((account.sight, first, last) for first, last in new)
        if gone:
            self._db.executemany("DELETE FROM ranges WHERE sight = ? AND first = ?", gone)
        self._db.executemany("INSERT OR REPLACE INTO ranges VALUES (?, ?, ?)", changed)

    def save_accounts(self, accounts: Iterable[Account]) -> None:
        """Save the rest of these accounts."""
        for account in accounts:
            self._saved += 1
            self._db.execute(
                "UPDATE boots SET epoch = ?, first_ms = ?, last_ms = ?, duplicates = ?,"
                " conflicts = ?, filled = ?, source = ?, uncertainty_ms = ?, saved = ?"
                " WHERE sight = ?",
                (
                    account.epoch, account.first_ms, account.last_ms, account.duplicates,
                    account.conflicts, account.filled, account.source, account.uncertainty_ms,
                    self._saved, account.sight,
                ),
            )  # fmt: skip
            self._db.executemany(
                "INSERT OR REPLACE INTO heard VALUES (?, ?, ?)",
                [(account.sight, link, at_ms) for link, at_ms in account.heard.items()],
            )
            account.changed = False

    def tell(self, account: Account, first: int, last: int, lost: int) -> None:
        """Note that of a range so many will never come; beyond TOLD_MAX they stay missing."""
        if len(account.told) >= TOLD_MAX:
            return
        account.told.add((first, last, lost))
        self._db.execute(
            "INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)", (account.sight, first, last, lost)
        )

    def date_boot(self, sight: int, epoch: int, dated: int) -> int:
        """Give a boot its epoch and release the rows that waited for it; return how many.

        A waiting row's `time` is null; its own says, as a negative number, the uptime.
        """
        self._db.execute("UPDATE boots SET epoch = ? WHERE sight = ?", (epoch, sight))
        waiting = self._db.execute(
            "SELECT id, held, raw FROM records WHERE sight = ? AND held != 0 AND time IS NULL",
            (sight,),
        ).fetchall()
        self._db.executemany(
            f"UPDATE records SET time = ?, dated = ?, held = iif(held = {AWAITS_DATE}, {GO}, held)"  # noqa: S608  (constants)
            " WHERE id = ?",
            [(epoch - 1 - _head(raw)[3], dated, id_) for id_, _, raw in waiting],
        )
        free = [(id_,) for id_, held, _ in waiting if held == AWAITS_DATE]
        self._db.executemany("INSERT INTO releases (record) VALUES (?)", free)
        return len(free)

    def give_up_dating(self, before_ms: int) -> int:
        """Release rows received before `before_ms` without a time; return how many."""
        return self._release(f"held = {AWAITS_DATE} AND received_ms < ?", (before_ms,))

    def release_schemas(self, known: int) -> int:
        """Release rows that waited for their schema and whose schema is at most `known`.

        Return how many. They are marked as flawed: nobody has held them against it yet. Undated ones
        go on waiting, for their date.
        """
        rows = self._db.execute(
            f"SELECT id, time, raw FROM records WHERE held = {AWAITS_SCHEMA}"  # noqa: S608
        ).fetchall()
        ready = [(id_, time_) for id_, time_, raw in rows if _head(raw)[0] <= known]
        self._db.executemany(
            "UPDATE records SET flawed = 1, held = ? WHERE id = ?",
            [(GO if time_ is not None else AWAITS_DATE, id_) for id_, time_ in ready],
        )
        free = [(id_,) for id_, time_ in ready if time_ is not None]
        self._db.executemany("INSERT INTO releases (record) VALUES (?)", free)
        return len(free)

    def release_again(self, device: str, boot: int, seq: int) -> bool:
        """Hand a record to the sinks once more; return whether it is still here."""
        cursor = self._db.execute(
            "INSERT INTO releases (record) SELECT id FROM records JOIN boots USING (sight)"
            " WHERE device = ? AND boot = ? AND seq = ? AND held = 0",
            (device, boot, seq),
        )
        return cursor.rowcount == 1

    def _release(self, where: str, keys: tuple[object, ...]) -> int:
        # The texts are this module's own; every value is bound.
        self._db.execute(
            f"INSERT INTO releases (record) SELECT id FROM records WHERE {where}",  # noqa: S608
            keys,
        )
        return self._db.execute(
            f"UPDATE records SET held = {GO} WHERE {where}",  # noqa: S608
            keys,
        ).rowcount

    def add_conflict(
        self, account: Account, seq: int, link: int, received_ms: int, raw: bytes
    ) -> bool:
        """Keep other bytes of an identity apart; return whether these were not there yet."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO conflicts (device, boot, seq, link, received_ms, raw)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (account.device, account.boot, seq, link, received_ms, raw),
        )
        if cursor.rowcount == 1:
            self._db.execute(
                "DELETE FROM conflicts WHERE id <= (SELECT max(id) FROM conflicts) - ?",
                (CONFLICTS_MAX,),
            )
        return cursor.rowcount == 1

    def purge_conflicts(self) -> int:
        """Delete what is kept of conflicts; return how many."""
        return self._db.execute("DELETE FROM conflicts").rowcount

    def state(self, device: str) -> tuple[int, int, int, int] | None:
        """Return (boot, connection, up, at_ms) of a device."""
        row: tuple[int, int, int, int] | None = self._db.execute(
            "SELECT boot, connection, up, at_ms FROM states WHERE device = ?", (device,)
        ).fetchone()
        return row

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

    def counters(self) -> dict[str, int]:
        """Return every counter, and how many rows wait."""
        return counters(self._db)

    def checkpoint(self) -> bool:
        """Empty the write-ahead log into the file and give its room back; outside a transaction.

        Return False when somebody reads what is in it. Waits for that a moment.
        """
        self._db.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_MS}")
        try:
            (busy, _, _) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        return not busy

    def used_bytes(self) -> int:
        """Return how much of the file is in use; what was deleted is used again, not given back."""
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        (size,) = self._db.execute("PRAGMA page_size").fetchone()
        return int((pages - free) * size)

    def prune(self, before_ms: int, passed: tuple[int, int], limit: int) -> int:
        """Delete up to `limit` records committed before a time that every sink has passed.

        `passed` are the slowest sink's cursors (records, releases). Return how many went.
        """
        marked = self._db.execute(
            "SELECT at_ms, record, release FROM marks WHERE at_ms <= ? ORDER BY at_ms DESC LIMIT 1",
            (before_ms,),
        ).fetchone()
        if marked is None:
            return 0
        at_ms, record, release = marked
        self._db.execute(
            "DELETE FROM releases WHERE id <= ? AND id IN"
            " (SELECT id FROM releases ORDER BY id LIMIT ?)",
            (min(passed[1], release), limit),
        )
        gone = self._db.execute(
            "DELETE FROM records WHERE id IN (SELECT id FROM records WHERE id <= ? AND held = 0"
            " AND id NOT IN (SELECT record FROM releases) ORDER BY id LIMIT ?)",
            (min(passed[0], record), limit),
        ).rowcount
        if gone < limit:
            self._db.execute("DELETE FROM marks WHERE at_ms < ?", (at_ms,))
        return gone


def counters(db: sqlite3.Connection) -> dict[str, int]:
    """Return every counter of an open journal, and how many of its rows wait."""
    out = dict(db.execute("SELECT name, value FROM counters"))
    out |= {"awaiting_date": 0, "awaiting_schema": 0}
    names = {AWAITS_DATE: "awaiting_date", AWAITS_SCHEMA: "awaiting_schema"}
    for held, n in db.execute("SELECT held, count(*) FROM records WHERE held != 0 GROUP BY held"):
        out[names[held]] = n
    return out


def _head(raw: bytes) -> list[int]:
    """Return schema, boot, seq and t of a record that was committed, and so is one."""
    head: list[int] = cbor2.loads(raw)[:4]
    return head


def check(db: sqlite3.Connection) -> str:
    """Return what is wrong with an open journal; nothing if it is whole."""
    (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    return "" if verdict == "ok" else str(verdict)


def now_ms() -> int:
    """Return the time as Unix milliseconds."""
    return time.time_ns() // 1_000_000

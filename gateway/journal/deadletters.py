"""Dead letters: bytes that are not the contract, or rows that a store refuses, each with its reason.

    letters = DeadLetters(connection)
    letters.add([Letter(topic, device, boot, seq, "nan", "at byte 4", 0, now_ms, raw)])
    letters.find(reason="nan")

Those of the inputs lie in the journal, and are committed with what came beside them; those of a sink
lie in a small file of its own. All are counted; of each device the latest are kept, so that one that
goes mad does not push out what others sent.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

PER_DEVICE_MAX: Final = 1000
KEPT_MAX: Final = 20_000
TRIM_AFTER: Final = 250  # letters more
RAW_MAX: Final = 16_384  # bytes kept of one

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL, device TEXT NOT NULL, boot INTEGER, seq INTEGER,
    reason TEXT NOT NULL, detail TEXT NOT NULL, position INTEGER NOT NULL,
    link INTEGER NOT NULL, received_ms INTEGER NOT NULL, raw BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS dead_letters_device ON dead_letters (device, id);
"""


class Letter(NamedTuple):
    """One dead letter; `position` is where in the message its bytes were, `device` may be empty."""

    topic: str
    device: str
    boot: int | None
    seq: int | None
    reason: str
    detail: str
    position: int
    link: int
    received_ms: int
    raw: bytes


class Kept(NamedTuple):
    """A dead letter with its number."""

    id: int
    letter: Letter


class DeadLetters:
    """The dead letters of an open file, whose transactions are the caller's."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._added: Counter[str] = Counter()  # of each device since it was last trimmed
        self._all_added = 0

    def add(self, letters: Iterable[Letter]) -> None:
        """Keep letters; the oldest of a device that has too many go, and the oldest of all.

        That is looked at now and then: there are TRIM_AFTER more of each at most.
        """
        letters = [letter._replace(raw=letter.raw[:RAW_MAX]) for letter in letters]
        self._db.executemany(
            "INSERT INTO dead_letters (topic, device, boot, seq, reason, detail, position, link,"
            " received_ms, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            letters,
        )
        for letter in letters:
            self._added[letter.device] += 1
        for device, added in list(self._added.items()):
            if added >= TRIM_AFTER:
                self._trim("device = ?1 AND", device, PER_DEVICE_MAX)
                del self._added[device]
        self._all_added += len(letters)
        if self._all_added >= TRIM_AFTER:
            self._trim("", "", KEPT_MAX)
            self._all_added = 0

    def _trim(self, which: str, device: str, keep: int) -> None:
        where = f"WHERE {which.removesuffix(' AND')}" if which else ""
        self._db.execute(
            f"DELETE FROM dead_letters WHERE {which} id <= (SELECT id FROM dead_letters"  # noqa: S608
            f" {where} ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            (device, keep),
        )

    def find(
        self,
        *,
        ids: Iterable[int] | None = None,
        device: str = "",
        reason: str = "",
        limit: int = -1,
    ) -> list[Kept]:
        """Return the letters that fit everything given, newest first; a negative limit is none."""
        wanted: set[int] | None = None if ids is None else set(ids)
        rows = self._db.execute(
            "SELECT id, topic, device, boot, seq, reason, detail, position, link, received_ms, raw"
            " FROM dead_letters WHERE (?1 = '' OR device = ?1) AND (?2 = '' OR reason = ?2)"
            " ORDER BY id DESC LIMIT ?3",
            (device, reason, -1 if wanted is not None else limit),
        )
        found = (Kept(row[0], Letter(*row[1:])) for row in rows)
        return [kept for kept in found if wanted is None or kept.id in wanted]

    def reasons(self) -> dict[str, int]:
        """Return how many are kept of each reason."""
        return dict(self._db.execute("SELECT reason, count(*) FROM dead_letters GROUP BY reason"))

    def remove(self, ids: Iterable[int]) -> int:
        """Delete letters by number; return how many."""
        removed = 0
        for n in ids:
            removed += self._db.execute("DELETE FROM dead_letters WHERE id = ?", (n,)).rowcount
        return removed


class Refused:
    """The file where a sink sets rows aside that its store will never take."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        if read_only:
            self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
        else:
            self._db = sqlite3.connect(path, timeout=10)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.executescript(SCHEMA)
        self.letters = DeadLetters(self._db)

    def add(self, letters: Iterable[Letter]) -> None:
        """Keep letters, durably; a row that is refused again takes the place of its letter."""
        letters = list(letters)
        with self._db:
            self._db.executemany(
                "DELETE FROM dead_letters WHERE device = ? AND boot = ? AND seq = ? AND reason = ?",
                [(one.device, one.boot, one.seq, one.reason) for one in letters],
            )
            self.letters.add(letters)

    def remove(self, ids: Iterable[int]) -> int:
        """Delete letters by number; return how many."""
        with self._db:
            return self.letters.remove(ids)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

"""Which device is offered which release, how far it is, and what came of it: `updates.sqlite`.

    rollouts = Rollouts(folder / "updates.sqlite")
    image = rollouts.add("buoy-1", release, "a.person", now_ms)
    rollouts.get(image).state

`fairway gateway update` writes rollouts into this file, the gateway (updates.py) carries them
out. A rollout has one number for life, the `image` of the wire: a second try has another. Everything
that happens is a row of `audit`, which SQLite itself does not let anybody change or delete.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.wire import release as r
from agent.wire.series import EPOCH_2020

_BUSY_S: Final = 10.0

_COLUMNS: Final = (
    "image, device, release, who, made_ms, state, missing, sent, heard_ms, ended_ms, result"
)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS releases (
    manifest BLOB NOT NULL, signature BLOB NOT NULL, raw BLOB NOT NULL,
    id INTEGER PRIMARY KEY AUTOINCREMENT, UNIQUE (manifest, signature));
CREATE TABLE IF NOT EXISTS rollouts (
    image INTEGER PRIMARY KEY, device TEXT NOT NULL, release INTEGER NOT NULL,
    who TEXT NOT NULL, made_ms INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,      -- a code UPDATE_*, as the device said last
    missing INTEGER,                       -- chunks
    sent INTEGER NOT NULL DEFAULT 0,       -- chunks, those that were sent again included
    heard_ms INTEGER NOT NULL,
    ended_ms INTEGER, result TEXT);
CREATE INDEX IF NOT EXISTS rollouts_open ON rollouts (device) WHERE ended_ms IS NULL;
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL, image INTEGER NOT NULL, device TEXT NOT NULL,
    who TEXT NOT NULL, what TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS audit_unchanged BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER IF NOT EXISTS audit_kept BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
"""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One release for one device: times in milliseconds of Unix time, `state` a code UPDATE_*."""

    image: int
    device: str
    release: int
    who: str
    made_ms: int
    state: int
    missing: int | None
    sent: int
    heard_ms: int
    ended_ms: int | None
    result: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the audit."""

    at_ms: int
    image: int
    device: str
    who: str
    what: str


class Rollouts:
    """The file. Several processes may have it open; each call is one durable step.

    Raises:
        sqlite3.Error: the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, device: str, release: r.Release, who: str, now_ms: int) -> int:
        """Offer a release to a device; what it was offered before ends. Return the image's number."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for before in self.open():
                if before.device == device:
                    self._end(before, "replaced", now_ms)
            self._db.execute(
                "INSERT OR IGNORE INTO releases (manifest, signature, raw) VALUES (?, ?, ?)",
                (release.manifest, release.signature, r.encode(release)),
            )
            (number,) = self._db.execute(
                "SELECT id FROM releases WHERE manifest = ? AND signature = ?",
                (release.manifest, release.signature),
            ).fetchone()
            # By the clock, so that a file that was lost does not begin with old numbers again.
            (last,) = self._db.execute("SELECT MAX(image) FROM rollouts").fetchone()
            image = max(now_ms // 1000 - EPOCH_2020, (last or 0) + 1)
            self._db.execute(
                "INSERT INTO rollouts (image, device, release, who, made_ms, heard_ms)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (image, device, number, who, now_ms, now_ms),
            )
            facts = release.facts
            self._note(
                image,
                device,
                who,
                f"offered {facts.version.decode(errors='replace')}, counter {facts.counter}",
                now_ms,
            )
        return image

    def get(self, image: int) -> Rollout:
        """Return a rollout.

        Raises:
            KeyError: there is none of this number.
        """
        for rollout in self._rollouts("WHERE image = ?", (image,)):
            return rollout
        raise KeyError(image)

    def open(self) -> list[Rollout]:
        """Return those that have not ended."""
        return list(self._rollouts("WHERE ended_ms IS NULL", ()))

    def all(self, limit: int) -> list[Rollout]:
        """Return the latest, the newest first."""
        return list(self._rollouts("ORDER BY image DESC LIMIT ?", (limit,)))

    def release(self, number: int) -> r.Release:
        """Return a release by its number here."""
        (raw,) = self._db.execute("SELECT raw FROM releases WHERE id = ?", (number,)).fetchone()
        return r.decode(raw)

    def heard(
        self, rollout: Rollout, state: int, missing: int | None, sent: int, now_ms: int
    ) -> None:
        """Keep what the device said."""
        self._db.execute(
            "UPDATE rollouts SET state = ?, missing = ?, sent = ?, heard_ms = ? WHERE image = ?",
            (state, missing, sent, now_ms, rollout.image),
        )

    def note(self, rollout: Rollout, what: str, now_ms: int) -> None:
        """Write a row of the audit."""
        self._note(rollout.image, rollout.device, "", what, now_ms)

    def end(self, rollout: Rollout, result: str, now_ms: int, who: str = "") -> None:
        """End it, if it has not ended; `result` is for people."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._end(rollout, result, now_ms, who)

    def audit(self, limit: int) -> list[Entry]:
        """Return the latest rows, the newest first."""
        rows = self._db.execute(
            "SELECT at_ms, image, device, who, what FROM audit ORDER BY id DESC LIMIT ?", (limit,)
        )
        return [Entry(*row) for row in rows]

    def _end(self, rollout: Rollout, result: str, now_ms: int, who: str = "") -> None:
        ended = self._db.execute(
            "UPDATE rollouts SET ended_ms = ?, result = ? WHERE image = ? AND ended_ms IS NULL",
            (now_ms, result, rollout.image),
        )
        if ended.rowcount:
            self._note(rollout.image, rollout.device, who, f"ended: {result}", now_ms)

    def _note(self, image: int, device: str, who: str, what: str, now_ms: int) -> None:
        self._db.execute(
            "INSERT INTO audit (at_ms, image, device, who, what) VALUES (?, ?, ?, ?, ?)",
            (now_ms, image, device, who, what),
        )

    def _rollouts(self, where: str, values: tuple[object, ...]) -> Iterator[Rollout]:
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM rollouts {where}",  # noqa: S608  (ours)
            values,
        )
        for row in rows.fetchall():
            yield Rollout(*row)

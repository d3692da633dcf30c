"""What people ask of a gateway's journal while it runs: only the gateway itself writes there.

    answer = ask(folder, "replay", {"reason": "nan"}, timeout_s=10)      the command line
    for request in requests.take(): requests.answer(request, "3 replayed")      the gateway

The questions lie in a small file beside the journal. A gateway that does not run leaves them there; a
question that was given up waiting for is taken back.
"""

import json
import sqlite3
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

_FILE: Final = "requests.sqlite"
_LOOK_S: Final = 0.2


class Request(NamedTuple):
    """A question: what to do, and with what."""

    id: int
    verb: str
    words: dict[str, Any]


class Requests:
    """The gateway's side. For one thread."""

    def __init__(self, folder: Path) -> None:
        self._db = _open(folder)
        self._version = -1

    def take(self) -> list[Request]:
        """Return what is asked; costs next to nothing while nobody asks."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return []
        self._version = version
        rows = self._db.execute("SELECT id, verb, words FROM requests WHERE answer IS NULL")
        return [Request(id_, verb, json.loads(words)) for id_, verb, words in rows]

    def answer(self, request: Request, text: str) -> None:
        """Say what came of it."""
        self._db.execute("UPDATE requests SET answer = ? WHERE id = ?", (text, request.id))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def ask(folder: Path, verb: str, words: dict[str, Any], timeout_s: float) -> str | None:
    """Ask a running gateway, and return its answer; None when it gave none in time."""
    db = _open(folder)
    try:
        id_ = db.execute(
            "INSERT INTO requests (verb, words) VALUES (?, ?)", (verb, json.dumps(words))
        ).lastrowid
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            (answer,) = db.execute("SELECT answer FROM requests WHERE id = ?", (id_,)).fetchone()
            if answer is not None:
                return str(answer)
            time.sleep(_LOOK_S)
        return None
    finally:
        db.execute("DELETE FROM requests WHERE id = ?", (id_,))
        db.close()


def _open(folder: Path) -> sqlite3.Connection:
    db = sqlite3.connect(folder / _FILE, isolation_level=None, timeout=10, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(
        "CREATE TABLE IF NOT EXISTS requests (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " verb TEXT NOT NULL, words TEXT NOT NULL, answer TEXT)"
    )
    return db

"""What was commanded, by whom, and what came of it: `commands.sqlite` beside the journal.

    orders = Orders(folder / "commands.sqlite")
    number = orders.add("buoy-1", messages.REPORT, b"", "a.person", 120, now_ms)
    orders.get(number).state

Whoever may write this file may command the devices whose keys the gateway has: `fairway gateway
command` writes orders into it, the gateway (commands.py) carries them out. Everything that
happens to one is a row of `audit`, which SQLite itself does not let anybody change or delete. New
credentials are blanked when their order has ended; the audit has their SHA-256.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.wire import messages, words

NEW: Final = "new"
ASKING: Final = "asking"  # for a nonce
SENT: Final = "sent"  # waits for the answer
ANSWERED: Final = "answered"
UNREACHED: Final = "unreached"  # ended before it was sent: nothing was done
UNANSWERED: Final = "unanswered"  # it was sent: nobody knows whether it was done
OPEN: Final = (NEW, ASKING, SENT)

_BUSY_S: Final = 10.0
_SHOWN_MAX: Final = 16  # bytes of arguments that the audit shows; of longer ones it has the hash

# What ends an order takes its secrets along.
_BLANK: Final = (
    f", arguments = iif(verb = {messages.ACCESS}, x'', arguments),"
    f" payload = iif(verb = {messages.ACCESS}, x'', payload)"
)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL, verb INTEGER NOT NULL, arguments BLOB NOT NULL,
    who TEXT NOT NULL, made_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'new',
    id INTEGER,            -- on the wire; rises for each device
    payload BLOB,          -- as it was sent, and is sent again
    result INTEGER, detail BLOB, ended_ms INTEGER);
CREATE INDEX IF NOT EXISTS orders_open ON orders (state) WHERE ended_ms IS NULL;
CREATE INDEX IF NOT EXISTS orders_device ON orders (device, id);
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL, number INTEGER NOT NULL, device TEXT NOT NULL,
    who TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS audit_unchanged BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER IF NOT EXISTS audit_kept BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
"""
_SELECT: Final = (
    "SELECT number, device, verb, arguments, who, made_ms, until_ms, state, id, payload, result,"
    " detail FROM orders"
)


@dataclass(frozen=True, slots=True)
class Order:
    """One command: times in milliseconds of Unix time, `id` and `payload` once it was sent."""

    number: int
    device: str
    verb: int
    arguments: bytes
    who: str
    made_ms: int
    until_ms: int
    state: str
    id: int | None
    payload: bytes | None
    result: int | None
    detail: bytes | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the audit."""

    at_ms: int
    number: int
    device: str
    who: str
    what: str
    detail: str


class Orders:
    """The file. Several processes may have it open; each call is one durable step.

    Raises:
        sqlite3.Error: the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Arguments may hold passwords and keys.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(
        self, device: str, verb: int, arguments: bytes, who: str, within_s: int, now_ms: int
    ) -> int:
        """Order something; return the order's number."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            number = self._db.execute(
                "INSERT INTO orders (device, verb, arguments, who, made_ms, until_ms)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (device, verb, arguments, who, now_ms, now_ms + within_s * 1000),
            ).lastrowid
            assert number is not None
            self._note(number, now_ms, "ordered", _described(verb, arguments))
        return number

    def get(self, number: int) -> Order:
        """Return an order.

        Raises:
            KeyError: there is none of this number.
        """
        for order in self._select("number = ?", (number,)):
            return order
        raise KeyError(number)

    def open(self) -> list[Order]:
        """Return the orders that have not ended, the oldest first."""
        return list(self._select("ended_ms IS NULL ORDER BY number", ()))

    def sent_as(self, device: str, command: int) -> Order | None:
        """Return the order that a device knows under an id."""
        for order in self._select("device = ? AND id = ?", (device, command)):
            return order
        return None

    def last_id(self, device: str) -> int:
        """Return the highest id that was used for a device, 0 if none was."""
        row = self._db.execute("SELECT max(id) FROM orders WHERE device = ?", (device,)).fetchone()
        return row[0] or 0

    def asking(self, order: Order, now_ms: int, why: str) -> bool:
        """Note that a nonce is asked for; return False if the order has ended meanwhile."""
        return self._change(order, "state = ?", (ASKING,), now_ms, "nonce asked", why)

    def sent(self, order: Order, command: int, payload: bytes, now_ms: int, until: int) -> bool:
        """Note what is sent from now on, before it is; return False if the order has ended."""
        return self._change(
            order,
            "state = ?, id = ?, payload = ?",
            (SENT, command, payload),
            now_ms,
            "sent",
            f"id {command}, until {until}",
        )

    def answered(
        self, order: Order, result: int, detail: bytes, now_ms: int, words: str, *, ends: bool
    ) -> bool:
        """Note an answer; `ends`: it is the last. It may come when nobody waits for it any more."""
        what = f"{words}, detail {detail.hex()}" if detail else words
        if not ends:
            return self._change(order, "result = ?", (result,), now_ms, "answered", what)
        return self._change(
            order,
            f"state = ?, result = ?, detail = ?, ended_ms = ?{_BLANK}",
            (ANSWERED, result, detail, now_ms),
            now_ms,
            "answered",
            what,
        )

    def ended(self, order: Order, state: str, now_ms: int, why: str) -> bool:
        """Note that nothing more is tried."""
        what, values = f"state = ?, ended_ms = ?{_BLANK}", (state, now_ms)
        return self._change(order, what, values, now_ms, state, why)

    def withdraw(self, order: Order, now_ms: int, why: str) -> bool:
        """End an order that no gateway has taken up; return False if one has."""
        what, values = f"state = ?, ended_ms = ?{_BLANK}", (UNREACHED, now_ms)
        return self._change(order, what, values, now_ms, UNREACHED, why, only_new=True)

    def note(self, device: str, who: str, what: str, detail: str, now_ms: int) -> None:
        """Write a row of the audit that is about no order; its number is 0."""
        self._db.execute(
            "INSERT INTO audit (at_ms, number, device, who, what, detail)"
            " VALUES (?, 0, ?, ?, ?, ?)",
            (now_ms, device, who, what, detail),
        )

    def audit(self, limit: int, device: str | None = None) -> list[Entry]:
        """Return the latest rows of the audit, the oldest of them first."""
        rows = self._db.execute(
            "SELECT at_ms, number, device, who, what, detail FROM audit"
            " WHERE ?1 IS NULL OR device = ?1 ORDER BY id DESC LIMIT ?2",
            (device, limit),
        ).fetchall()
        return [Entry(*row) for row in reversed(rows)]

    def _select(self, where: str, values: tuple[object, ...]) -> Iterator[Order]:
        query = f"{_SELECT} WHERE {where}"
        return (Order(*row) for row in self._db.execute(query, values).fetchall())

    def _change(
        self,
        order: Order,
        what: str,
        values: tuple[object, ...],
        now_ms: int,
        event: str,
        detail: str,
        *,
        only_new: bool = False,
    ) -> bool:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            changed = self._db.execute(
                f"UPDATE orders SET {what} WHERE number = ?"  # noqa: S608  (our own words)
                " AND (state = 'new' OR (NOT ? AND state IN ('asking', 'sent', 'unanswered')))",
                (*values, order.number, only_new),
            ).rowcount
            if changed:
                self._note(order.number, now_ms, event, detail)
        return bool(changed)

    def _note(self, number: int, now_ms: int, event: str, detail: str) -> None:
        self._db.execute(
            "INSERT INTO audit (at_ms, number, device, who, what, detail)"
            " SELECT ?, number, device, who, ?, ? FROM orders WHERE number = ?",
            (now_ms, event, detail, number),
        )


def _described(verb: int, arguments: bytes) -> str:
    name = words.VERBS.get(verb, f"verb {verb}")
    if not arguments:
        return name
    if len(arguments) <= _SHOWN_MAX:
        return f"{name}, arguments {arguments.hex()}"
    return f"{name}, {len(arguments)} bytes, SHA-256 {hashlib.sha256(arguments).hexdigest()}"

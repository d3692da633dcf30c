"""A sink: it follows the journal and writes somewhere else, for ever.

    class Printer(Sink):
        def write(self, rows): print(len(rows))

    Printer("printer", folder).run(wake, stopping)       in a process of its own: sinks.process

A write that raises SinkError is tried again with back-off (so is everything on a full disk); the cursor
moves only after a write that returned. So every row arrives at least once, and stores know a row by its
identity. A row that a store will never take is set aside with `refuse`, for people to look at.
"""

import logging
import sqlite3
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

from agent.wire import messages
from gateway.journal.deadletters import Letter, Refused
from gateway.journal.reading import JournalReader, Row
from gateway.sinks.cursors import Cursor, Cursors

_IDLE_S: Final = 1.0
_RETRY_S: Final = 0.25
_RETRY_MAX_S: Final = 15.0
_RELEASES_MAX: Final = 1000


class SinkError(Exception):
    """The store did not take it; worth trying again."""


class SettlingError(SinkError):
    """The store answers, but is not to be written to for a second or two; worth trying again soon."""


class Sink(ABC):
    """One way out, of the journal in `folder`. Its numbers are read from other threads.

    `rows` were written (repeats included), `errors` writes failed, `refused` rows were set aside;
    `fault` says why it does not get on, and is empty while it does.
    """

    batch = 1000  # rows in one write

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.rows = 0
        self.errors = 0
        self.refused = 0
        self.behind = 0
        self.fault = ""
        self._journal = folder / "journal.sqlite"
        self._cursors = Cursors(folder / "cursors.sqlite")
        self._refused = Refused(folder / f"refused-{name}.sqlite")
        self._letters: list[Letter] = []
        self._log = logging.getLogger(f"gateway.sinks.{name}")

    @abstractmethod
    def write(self, rows: list[Row]) -> None:
        """Write rows, all of them, durably; or `refuse` those that the store will never take.

        Raises:
            SinkError: try again later.
        """

    def open(self) -> None:  # noqa: B027  (most need nothing)
        """Prepare; may raise SinkError."""

    def idle(self) -> None:  # noqa: B027  (most need nothing)
        """Do what is due when there is nothing to write; may raise SinkError."""

    def rewind(self, cursor: Cursor, _reader: JournalReader) -> Cursor:
        """Return where to go on from; a store that forgets what it took goes back."""
        return cursor

    def refuse(self, row: Row, reason: str, detail: str) -> None:
        """Set a row aside for good; it is kept with the reason once this write has succeeded."""
        topic = messages.topic(row.device, "up", "rec")
        letter = Letter(
            topic, row.device, row.boot, row.seq, reason, detail, 0, row.link, row.received_ms,
            row.raw,
        )  # fmt: skip
        self._letters.append(letter)

    def run(
        self, wake: threading.Event, stopping: threading.Event, *, drain: bool = False
    ) -> None:
        """Follow the journal until `stopping`; with `drain` only until nothing is left.

        `wake` is set by whoever has committed something; it is looked for anyway now and then.
        """
        wait_s = _RETRY_S
        opened = False
        reader = JournalReader(self._journal)
        cursor = self._cursors.get(self.name)
        while not stopping.is_set():
            wake.clear()
            try:
                if not opened:
                    self.open()
                    opened = True
                cursor = self.rewind(cursor, reader)
                moved = self._step(reader, cursor)
                wait_s = _RETRY_S
                self.fault = ""
            except (SinkError, sqlite3.Error) as error:
                self._letters.clear()
                self.errors += 1
                self.fault = str(error)
                if isinstance(error, SettlingError):
                    wait_s = _RETRY_S
                self._log.warning("%s; again in %.1f s", error, wait_s)
                stopping.wait(wait_s)
                wait_s = min(wait_s * 2, _RETRY_MAX_S)
                continue
            if moved == cursor:
                if drain:
                    break
                wake.wait(_IDLE_S)
            cursor = moved
        reader.close()
        self._cursors.close()
        self._refused.close()

    def _step(self, reader: JournalReader, cursor: Cursor) -> Cursor:
        rows = reader.records(cursor.records, self.batch)
        moved = cursor
        if rows:
            self.write(rows)
            moved = moved._replace(records=rows[-1].id)
        else:
            released_to, rows = reader.releases(cursor.releases, _RELEASES_MAX)
            if rows:
                self.write(rows)
            moved = moved._replace(releases=released_to)
        if self._letters:
            self._refused.add(self._letters)
            self.refused += len(self._letters)
            self._letters.clear()
        if moved == cursor:
            self.behind = 0
            self.idle()
        else:
            self.rows += len(rows)
            self._cursors.set(self.name, moved)
            if len(rows) < self.batch:
                self.behind = 0
            else:
                self.behind = max(0, reader.ends()[0] - moved.records)
        return moved

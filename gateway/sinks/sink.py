"""A sink: a thread that follows the journal and writes somewhere else, for ever.

    class Printer(Sink):
        def write(self, rows): print(len(rows))

A write that raises SinkError is tried again with back-off; the cursor moves only after a write that
returned. So every row arrives at least once, and stores know a row by its identity.
"""

import logging
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

from gateway.journal import JournalReader, Row
from gateway.sinks.cursors import Cursor, Cursors

_BATCH: Final = 1000
_IDLE_S: Final = 1.0
_RETRY_S: Final = 0.25
_RETRY_MAX_S: Final = 15.0


class SinkError(Exception):
    """The store did not take it; worth trying again."""


class Sink(ABC):
    """One way out. `errors` counts failed writes, `rows` what was written (repeats included)."""

    def __init__(self, name: str, journal: Path, cursors: Cursors) -> None:
        self.name = name
        self.errors = 0
        self.rows = 0
        self._journal = journal
        self._cursors = cursors
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._log = logging.getLogger(f"gateway.sinks.{name}")

    @abstractmethod
    def write(self, rows: list[Row]) -> None:
        """Write rows, all of them, durably.

        Raises:
            SinkError: try again later.
        """

    def open(self) -> None:  # noqa: B027  (most need nothing)
        """Prepare, in the sink's own thread; may raise SinkError."""

    def idle(self) -> None:  # noqa: B027  (most need nothing)
        """Do what is due when there is nothing to write; may raise SinkError."""

    def rewind(self, cursor: Cursor, _reader: JournalReader) -> Cursor:
        """Return where to go on from; a store that forgets what it took goes back."""
        return cursor

    def start(self) -> None:
        """Begin to follow the journal."""
        self._thread.start()

    def wake(self) -> None:
        """Tell that there is something new."""
        self._wake.set()

    def stop(self) -> None:
        """Ask it to end after the present batch."""
        self._stopping.set()
        self._wake.set()

    def join(self, timeout_s: float) -> None:
        """Wait until it has ended."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        wait_s = _RETRY_S
        opened = False
        reader = JournalReader(self._journal)
        cursor = self._cursors.get(self.name)
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                if not opened:
                    self.open()
                    opened = True
                cursor = self.rewind(cursor, reader)
                moved = self._step(reader, cursor)
                wait_s = _RETRY_S
            except SinkError as error:
                self.errors += 1
                self._log.warning("%s; again in %.1f s", error, wait_s)
                self._stopping.wait(wait_s)
                wait_s = min(wait_s * 2, _RETRY_MAX_S)
                continue
            if moved == cursor:
                self._wake.wait(_IDLE_S)
            cursor = moved
        reader.close()

    def _step(self, reader: JournalReader, cursor: Cursor) -> Cursor:
        rows = reader.records(cursor.records, _BATCH)
        moved = cursor
        if rows:
            self.write(rows)
            moved = moved._replace(records=rows[-1].id)
        else:
            released_to, rows = reader.releases(cursor.releases, _BATCH)
            if rows:
                self.write(rows)
            moved = moved._replace(releases=released_to)
        if moved == cursor:
            self.idle()
        else:
            self.rows += len(rows)
            self._cursors.set(self.name, moved)
        return moved

"""How long the journal keeps what it has: by age and by size, never past a sink's cursor.

A store that restarts is sent the last ten minutes again, so those are kept in any case.
"""

import logging
import sqlite3
from typing import Final

from gateway.accept import Acceptor
from gateway.config import Config
from gateway.journal import reserve
from gateway.journal.journal import Journal
from gateway.sinks import process
from gateway.sinks.cursors import Cursors

log = logging.getLogger(__name__)

_DAY_MS: Final = 86_400_000
KEEP_MIN_MS: Final = 15 * 60_000
_PASS_MAX: Final = 5000  # records deleted in one transaction: acknowledgements wait for it
_PASSES_MAX: Final = 20  # every five seconds: as fast as records can come
_OFTEN_MS: Final = 60_000


class Retention:
    """Deletes what is old and gives up what will never be dated. Of the committing thread."""

    def __init__(self, config: Config, journal: Journal, acceptor: Acceptor) -> None:
        self._config = config
        self._journal = journal
        self._acceptor = acceptor
        self._cursors = Cursors(config.data / "cursors.sqlite")
        self._reserve = reserve.Reserve(config.data / "journal.reserve")
        self._dated_ms = 0
        self._warned_ms = 0

    def close(self) -> None:
        """Close its view of the cursors."""
        self._cursors.close()

    def keep(self, now_ms: int) -> None:
        """Do what is due; a little at a time."""
        self._reserve.hold()
        if abs(now_ms - self._dated_ms) >= _OFTEN_MS:
            self._dated_ms = now_ms
            before_ms = now_ms - self._config.undated_days * _DAY_MS
            given_up = self._acceptor.give_up_dating(before_ms)
            if given_up:
                log.info("%d records go on undated", given_up)
        kept_ms = max(self._config.keep_days * _DAY_MS, KEEP_MIN_MS)
        too_large = self._journal.used_bytes() > self._config.keep_mib << 20
        gone = self._prune(now_ms - (KEEP_MIN_MS if too_large else kept_ms))
        if too_large and not gone and now_ms - self._warned_ms >= _OFTEN_MS:
            self._warned_ms = now_ms
            log.warning(
                "the journal is larger than keep.journal_mib = %d, and nothing of it may go: a"
                " store has not taken it yet",
                self._config.keep_mib,
            )

    def make_room(self, now_ms: int) -> None:
        """On a full disk: empty the write-ahead log, with the reserve if need be, and delete what may go.

        Raises:
            sqlite3.Error: it did not help; to be tried again.
        """
        try:
            emptied = self._journal.checkpoint()
        except sqlite3.Error:
            if not self._reserve.give():
                raise
            log.warning("the reserve of %d MiB is let go", reserve.SIZE >> 20)
            emptied = self._journal.checkpoint()
            if not emptied:
                # Somebody reads: the log would only grow into it.
                self._reserve.hold_again()
        if emptied:
            self._prune(now_ms - KEEP_MIN_MS)

    def _prune(self, before_ms: int) -> int:
        passed = self._cursors.slowest(process.cursors(self._config))
        gone = 0
        for _ in range(_PASSES_MAX):
            n = self._acceptor.prune(before_ms, (passed.records, passed.releases), _PASS_MAX)
            gone += n
            if n < _PASS_MAX:
                break
        return gone

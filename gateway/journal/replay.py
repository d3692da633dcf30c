"""Lets people send dead letters through once more, or throw them away, while the gateway runs.

After a repair of this program what was refused may be good now: it is taken as if it came again, and
what is still bad becomes a dead letter again. A row that a store refused goes to the stores again.
"""

import logging
from pathlib import Path
from typing import Any, Final

from gateway.accept import Acceptor, Message
from gateway.journal.deadletters import Kept, Refused
from gateway.journal.journal import Journal
from gateway.journal.requests import Requests

log = logging.getLogger(__name__)

BATCH: Final = 500


class Replays:
    """Answers what people ask (gateway.journal.requests). Of the committing thread."""

    def __init__(self, folder: Path, journal: Journal, acceptor: Acceptor) -> None:
        self._folder = folder
        self._journal = journal
        self._acceptor = acceptor
        self._requests = Requests(folder)

    def close(self) -> None:
        """Close the file of questions."""
        self._requests.close()

    def answer(self) -> None:
        """Do what is asked.

        Raises:
            sqlite3.Error: the journal does not take it; it stays asked.
        """
        for request in self._requests.take():
            text = self.do(request.verb, request.words)
            log.info("%s: %s", request.verb, text)
            self._requests.answer(request, text)

    def do(self, verb: str, words: dict[str, Any]) -> str:
        """Do one thing: "replay", "purge" or "purge-conflicts"; return what came of it."""
        if verb == "purge-conflicts":
            with self._journal.transaction():
                return f"{self._journal.purge_conflicts()} conflicts deleted"
        if words.get("sink"):
            return self._of_sink(verb, words)
        chosen = self._journal.dead_letters.find(**_filters(words))
        if verb == "purge":
            with self._journal.transaction():
                n = self._journal.dead_letters.remove(kept.id for kept in chosen)
            return f"{n} dead letters deleted"
        records = dead = 0
        for at in range(0, len(chosen), BATCH):
            part = chosen[at : at + BATCH][::-1]  # oldest first
            outcome = self._acceptor.commit(map(_message, part), [kept.id for kept in part])
            records += outcome.counts["records"]
            dead += outcome.counts["dead_letters"]
        return f"{len(chosen)} dead letters replayed: {records} records, {dead} refused again"

    def _of_sink(self, verb: str, words: dict[str, Any]) -> str:
        path = self._folder / f"refused-{words['sink']}.sqlite"
        if not path.exists():
            return f"no sink {words['sink']!r} has refused anything"
        refused = Refused(path)
        try:
            chosen = refused.letters.find(**_filters(words))
            ids = [kept.id for kept in chosen]
            if verb == "replay":
                with self._journal.transaction():
                    ids = [kept.id for kept in chosen if self._again(kept)]
            n = refused.remove(ids)
        finally:
            refused.close()
        if verb == "purge":
            return f"{n} refused rows deleted"
        gone = len(chosen) - n
        return f"{n} rows go to the stores again" + (
            f"; {gone} are no longer in the journal" if gone else ""
        )

    def _again(self, kept: Kept) -> bool:
        letter = kept.letter
        if letter.boot is None or letter.seq is None:
            return False
        return self._journal.release_again(letter.device, letter.boot, letter.seq)


def _filters(words: dict[str, Any]) -> dict[str, Any]:
    return {
        "ids": words.get("ids"),
        "device": words.get("device") or "",
        "reason": words.get("reason") or "",
    }


def _message(kept: Kept) -> Message:
    letter = kept.letter
    return Message(letter.topic, letter.raw, letter.link, letter.received_ms)

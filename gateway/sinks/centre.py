"""Everything to the monitoring centre, by `POST /api/ingest` (docs/wire.md, "Gateway to centre").

Besides records: presence when it changed, devices' accounts when they did, and the gateway's counters.
"""

import time
from pathlib import Path
from typing import Final

import urllib3

from agent.wire import body
from gateway.config import Centre
from gateway.journal.reading import JournalReader, Row
from gateway.sinks.sink import Sink, SinkError

_NEWS_S: Final = 5.0  # between deliveries without a record, so that silence means something
_ACCOUNTS_MAX: Final = 500  # in one delivery


class CentreSink(Sink):
    """Sends everything that the centre wants to know."""

    batch = 500

    def __init__(self, centre: Centre, gateway: str, folder: Path) -> None:
        super().__init__("centre", folder)
        self._url = f"{centre.url}/api/ingest"
        self._headers = {
            "Authorization": f"Bearer {centre.token}",
            "Content-Type": "application/cbor",
        }
        self._gateway = gateway
        self._http = urllib3.PoolManager(timeout=10.0, retries=False)
        self._sent_s = 0.0
        self._told = 0  # of the accounts; after a start the centre hears all of them again
        self._states: dict[str, body.State] = {}
        self._reader: JournalReader

    def open(self) -> None:
        """Open a view of the journal for what is not a record."""
        self._reader = JournalReader(self._journal)

    def write(self, rows: list[Row]) -> None:
        """Send rows, with what else is new."""
        self._post(
            [
                body.Entry(row.device, row.link, row.received_ms, row.time, row.dated, row.raw)
                for row in rows
            ]
        )

    def idle(self) -> None:
        """Send presence when it changed, and the rest now and then."""
        if self._changed_states() or time.monotonic() - self._sent_s > _NEWS_S:
            self._post([])

    def _changed_states(self) -> list[body.State]:
        states = [body.State(*row) for row in self._reader.states()]
        return [state for state in states if self._states.get(state.device) != state]

    def _post(self, entries: list[body.Entry]) -> None:
        states = self._changed_states()
        counters: dict[str, int] = {}
        accounts: list[body.Account] = []
        told = self._told
        if time.monotonic() - self._sent_s > _NEWS_S:
            counters = self._reader.counters()
            told, accounts = self._reader.accounts_since(told, _ACCOUNTS_MAX)
        delivery = body.Body(self._gateway, entries, states, counters, accounts)
        try:
            answer = self._http.request(
                "POST", self._url, body=body.encode(delivery), headers=self._headers
            )
        except urllib3.exceptions.HTTPError as error:
            raise SinkError(f"{self._url}: {type(error).__name__}") from error
        if answer.status != 200:
            said = answer.data.decode("utf-8", "replace")[:200]
            raise SinkError(f"{self._url} answers {answer.status}: {said}")
        if counters:
            self._sent_s = time.monotonic()
            self._told = told
        self._states.update((state.device, state) for state in states)

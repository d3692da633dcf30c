"""Terminals of other makes: which devices they are, their records' identity, answers after the commit.

    for adapter in adapters(config.inputs.adapters, inbox, config.data, starts):
        adapter.start()

One thread for all connections of an adapter. In each round it reads what came, looks up the devices, gives
new reports their records and writes them down (`Memory`), hands them on as one delivery, and goes on; the
answers go out when the delivery is committed. While the journal is slower than the terminals, this thread
waits, and TCP makes the terminals wait.
"""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from agent.wire import body, messages, schema
from agent.wire.series import EPOCH_2020
from gateway.accept import Message
from gateway.config_inputs import Adapter as Settings
from gateway.inbox import Delivery, Inbox
from gateway.inputs.adapter.adapter import Report, Said
from gateway.inputs.adapter.connections import Connections, Peer
from gateway.inputs.adapter.memory import Memory
from gateway.inputs.counts import Counts
from gateway.inputs.records import Records
from gateway.inputs.starts import Starts

log = logging.getLogger(__name__)

RAW_MAX: Final = 16_384  # bytes of a message in a dead letter; none here is longer
_ROUND_S: Final = 0.5
_UNTIMED_S: Final = 600  # a report without a time of its own is the same one for so long
_RETRY_S: Final = 1.0
_RETRY_MAX_S: Final = 30.0

_New = dict[tuple[str, bytes], bytes]  # (device, mark) -> records


class _Device:
    """What is known of a terminal's device in this start."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.alarms: dict[int, int] = {}  # what -> level that the centre was told
        self.at_ms: int | None = None  # of the newest report whose alarms were told


class TerminalInput:
    """One adapter with its port; an input of the gateway (`gateway.inbox`).

    Counts under `adapter.<id>.`: `messages`, `reports`, `repeated` (reports sent again),
    `unknown-terminal`, `refused` (values outside their range), `port-errors`, `memory-errors`, and what
    `Connections` counts.
    """

    def __init__(self, settings: Settings, inbox: Inbox, data: Path, starts: Starts) -> None:
        self._settings = settings
        self._inbox = inbox
        self._path = data / f"terminals-{settings.id}.sqlite"
        self._starts = starts
        self._counts = Counts(f"adapter.{settings.id}.")
        self._fault = "not open yet"
        self._memory_fault = ""
        self._devices: dict[str, _Device] = {}
        self._committed: deque[list[tuple[Peer, bytes]]] = deque()
        self._connections: Connections | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"adapter-{settings.id}", daemon=True
        )
        self.port = 0  # where it listens, once it does

    @property
    def name(self) -> str:
        """What the status page calls it."""
        return f"adapter {self._settings.id}"

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """Close all connections."""
        self._stopping.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def take_counts(self) -> dict[str, int]:
        """Return what was counted since the last call."""
        return self._counts.take()

    def fault(self) -> str:
        """Return why no terminal can connect or be answered; "" while all is well."""
        return self._fault or self._memory_fault

    def _run(self) -> None:
        retry_s = _RETRY_S
        while not self._stopping.is_set():
            try:
                self._serve()
                retry_s = _RETRY_S
            except (OSError, sqlite3.Error) as error:
                self._fault = f"{self._settings.listen}: {error}"
                log.warning("adapter %s: %s", self._settings.id, self._fault)
                self._counts.add("port-errors")
            except Exception as error:
                self._fault = f"its thread failed ({error}); it starts again"
                log.exception("the thread of adapter %s failed", self._settings.id)
                self._counts.add("port-errors")
            self._stopping.wait(retry_s)
            retry_s = min(2 * retry_s, _RETRY_MAX_S)

    def _serve(self) -> None:
        memory = Memory(self._path)
        try:
            with Connections(self._settings, self._counts) as connections:
                self.port = connections.port
                self._connections = connections
                self._fault = ""
                while not self._stopping.is_set():
                    said = connections.round(_ROUND_S)
                    if said:
                        self._hand_on(said, memory)
                    while self._committed:
                        for peer, answer in self._committed.popleft():
                            connections.answer(peer, answer)
        finally:
            self._connections = None
            memory.close()

    def _hand_on(self, said: list[tuple[Peer, Said]], memory: Memory) -> None:
        """Make records of what was said, durable in memory, and hand them to the journal."""
        now_ms = time.time_ns() // 1_000_000
        out: list[Message] = []
        answers: list[tuple[Peer, bytes]] = []
        new: _New = {}
        self._counts.add("messages", len(said))
        for peer, one in said:
            device = self._settings.terminals.get(one.terminal)
            fault = one.refused
            if device is None:
                self._counts.add("unknown-terminal")
                fault = ("adapter-unknown-terminal", f"{one.terminal} is not in the table")
            if fault:
                topic = f"{self._settings.protocol}/{one.terminal}"
                raw = one.raw[:RAW_MAX]
                out.append(Message(topic, raw, body.LINK_ADAPTER, now_ms, fault))
            if device is not None:
                topic = messages.topic(device, "up", "rec")
                for report in one.reports:
                    payload = self._payload(device, report, now_ms, memory, new)
                    out.append(Message(topic, payload, body.LINK_ADAPTER, now_ms))
            answers.append((peer, one.denied if device is None else one.answer))
        if not self._keep(memory, new, now_ms):
            return
        if out:
            self._inbox.put(Delivery(out, lambda: self._done(answers)))
        else:
            self._committed.append(answers)

    def _keep(self, memory: Memory, new: _New, now_ms: int) -> bool:
        """Write new reports down, however long it takes; False if stopped before they are."""
        kept = [(device, mark, payload) for (device, mark), payload in new.items()]
        while kept:
            try:
                memory.keep(kept, now_ms // 1000)
            except sqlite3.Error as error:
                # Not kept, not handed on, not answered: the terminals wait, as for the journal.
                if not self._memory_fault:
                    log.error("adapter %s: %s is not written: %s", self._settings.id, self._path, error)  # noqa: TRY400  (one line says it)  # fmt: skip
                self._memory_fault = f"{self._path} is not written: {error}"
                self._counts.add("memory-errors")
                if self._stopping.wait(_RETRY_S):
                    return False
                continue
            self._memory_fault = ""
            return True
        return True

    def _payload(
        self, device: str, report: Report, now_ms: int, memory: Memory, new: _New
    ) -> bytes:
        """Return a report's records: those that it was given before, or new ones."""
        self._counts.add("reports")
        since_s = now_ms // 1000 - _UNTIMED_S if report.t is None else 0
        payload = new.get((device, report.mark)) or memory.find(device, report.mark, since_s)
        if payload is not None:
            self._counts.add("repeated")
            return payload
        known = self._devices.get(device)
        if known is None:
            kind = self._settings.protocol.encode()
            known = _Device(Records(device, body.LINK_ADAPTER, self._starts, kind))
            self._devices[device] = known
        at_ms = now_ms if report.t is None else (report.t + EPOCH_2020) * 1000
        for schema_id, values in report.records:
            known.records.add(schema_id, values, at_ms)
        _add_alarms(known, report, at_ms)
        self._counts.add("refused", known.records.take_refused())
        payload = b"".join(known.records.drain())
        new[device, report.mark] = payload
        return payload

    def _done(self, answers: list[tuple[Peer, bytes]]) -> None:
        """Have the answers sent; called by the committing thread."""
        self._committed.append(answers)
        self._wake()

    def _wake(self) -> None:
        connections = self._connections
        if connections is not None:
            connections.wake()


def adapters(
    configured: Iterable[Settings], inbox: Inbox, data: Path, starts: Starts
) -> list[TerminalInput]:
    """Return the inputs of all adapters of a gateway."""
    return [TerminalInput(settings, inbox, data, starts) for settings in configured]


def _add_alarms(known: _Device, report: Report, at_ms: int) -> None:
    """Make records of alarms that changed; an old report that comes late changes none."""
    if known.at_ms is not None and at_ms < known.at_ms:
        return
    known.at_ms = at_ms
    for what, level in report.alarms.items():
        if level != known.alarms.get(what, 0):
            known.alarms[what] = level
            values = [what, int(level > 0), None, None, level or None]
            known.records.add(schema.ALARM, values, at_ms)

"""The gateway's process: inputs, journal, acknowledgement; the sinks are its children.

One thread (the caller's) takes deliveries from the inbox, commits them in batches and acknowledges
them; every input has a thread that fills the inbox, every sink a process that reads the journal.
"""

import fcntl
import logging
import math
import sqlite3
import threading
import time
from collections import Counter
from typing import IO, Final

from gateway.accept import Acceptor, Message, Outcome
from gateway.access import tls
from gateway.access.revocation import Revocations
from gateway.check.broker_settings import check_broker_settings
from gateway.config import Config
from gateway.down import downlink
from gateway.down.commands import DeskThread
from gateway.down.updates import SenderThread
from gateway.inbox import Delivery, Inbox
from gateway.inputs.beidou.rdss import RDSSInput
from gateway.inputs.mqtt import MQTTInput
from gateway.inputs.others import Input, others
from gateway.journal.gaps import Gaps
from gateway.journal.journal import Journal, JournalError, now_ms
from gateway.journal.replay import Replays
from gateway.journal.retention import Retention
from gateway.operation.server import OperationServer
from gateway.operation.status import Status
from gateway.sinks import process

log = logging.getLogger(__name__)

_HOUSEKEEPING_S: Final = 5.0
_WARN_S: Final = 86_400.0
_IDLE_S: Final = 0.5
_RETRY_S: Final = 1.0
_LAST_SAID_S: Final = 60.0  # between two lines about a journal that takes nothing
_SINKS_END_S: Final = 5.0


class Service:
    """A gateway. `run` returns after `stop`; `status` may be asked from any thread.

    Raises:
        JournalError: at construction; also when another gateway works in the same folder.
        RevocationError, TLSError: at construction.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stopping = threading.Event()
        config.data.mkdir(parents=True, exist_ok=True)
        self._lock = lock(config)
        self._journal = Journal(config.data / "journal.sqlite")
        self._revocations = Revocations(config.data)
        revoked = self._revocations.revoked
        self._acceptor = Acceptor(self._journal, revoked)
        self._gaps = Gaps()
        self._replays = Replays(config.data, self._journal, self._acceptor)
        self._inbox = Inbox(config.queue)
        self._mqtt = MQTTInput(config.broker, config.name, self._inbox, config.batch, revoked)
        self._rdss = RDSSInput(config.beidou, self._inbox, revoked) if config.beidou.port else None
        self._inputs: dict[str, Input] = {"mqtt": self._mqtt}
        if self._rdss:
            self._inputs["beidou"] = self._rdss
        self._inputs |= others(config, self._inbox)
        self._desk = DeskThread(
            config.data / "commands.sqlite", config.keys, self._command, self._short, revoked
        )
        self._updates = SenderThread(config.data / "updates.sqlite", self._update, revoked)
        self._sinks = [process.SinkProcess(config, name) for name in process.names(config)]
        self._retention = Retention(config, self._journal, self._acceptor)
        self._started_ms = now_ms()
        self._pending: Counter[str] = (
            Counter()
        )  # what the inputs counted and the journal has not yet
        self._counters = self._journal.counters()
        self._bytes = self._journal.used_bytes()
        self._fault = ""
        self._commits = 0
        self._commit_s = 0.0
        self._committed_ms: int | None = None
        self._beat_s = time.monotonic()  # when the committing thread last went round
        self._operation = OperationServer(
            config.operation.listen, self.status, lambda: self._beat_s
        )

    def stop(self) -> None:
        """Ask it to end."""
        self._stopping.set()
        self._inbox.stop()

    def run(self) -> None:
        """Work until stopped."""
        released = self._acceptor.release_known_schemas()
        if released:
            log.info("%d records of schemas that are known now go on", released)
        self._operation.start()
        for sink in self._sinks:
            sink.start()
        for source in self._inputs.values():
            source.start()
        self._desk.start()
        self._updates.start()
        housekeeping_s = warned_s = -math.inf
        while not self._stopping.is_set():
            self._round()
            if time.monotonic() - housekeeping_s > _HOUSEKEEPING_S:
                housekeeping_s = time.monotonic()
                self._keep_house()
            if time.monotonic() - warned_s > _WARN_S:
                warned_s = time.monotonic()
                self._warn()
        self._operation.stop()
        self._desk.stop()
        self._updates.stop()
        for source in self._inputs.values():
            source.stop()
        # What no broker would send again is committed still.
        while len(self._inbox) and not self._fault:
            self._round()
        self._keep_house()
        for sink in self._sinks:
            sink.stop()
        for sink in self._sinks:
            sink.join(_SINKS_END_S)
        self._replays.close()
        self._retention.close()
        self._journal.close()
        self._lock.close()

    def status(self) -> Status:
        """Return how it is."""
        return Status(
            gateway=self._config.name,
            started_ms=self._started_ms,
            inbox=len(self._inbox),
            inbox_size=self._inbox.size,
            journal_fault=self._fault,
            journal_bytes=self._bytes,
            commits=self._commits,
            commit_s=self._commit_s,
            committed_ms=self._committed_ms,
            inputs={name: source.fault() for name, source in self._inputs.items()},
            sinks=tuple(sink.status() for sink in self._sinks),
            counters=self._counters,
        )

    def _warn(self) -> None:
        """Say what in the broker's settings, our certificates, the revocations will make trouble."""
        broker = self._config.broker
        if broker.settings:
            for fault in check_broker_settings(broker.settings, self._config.batch, broker.user):
                log.warning("%s", fault)
        if broker.tls:
            for warning in tls.warnings(broker.tls, time.time()):
                log.warning("%s", warning)
        if self._revocations.fault:
            log.warning("%s", self._revocations.fault)

    def _round(self) -> None:
        """Commit what has come, if anything has."""
        self._beat_s = time.monotonic()
        config = self._config
        deliveries = self._inbox.take(config.batch, config.linger_ms / 1000, _IDLE_S)
        self._revocations.look()
        if deliveries:
            self._commit(deliveries)

    def _commit(self, deliveries: list[Delivery]) -> None:
        """Commit, then acknowledge; a journal that refuses is asked again, and nothing is lost."""
        messages = [message for delivery in deliveries for message in delivery.messages]
        outcome = self._store(messages)
        if outcome is None:
            return
        for delivery in deliveries:
            if delivery.done:
                delivery.done()
        self._send_down(outcome)
        for sink in self._sinks:
            sink.wake()

    def _store(self, messages: list[Message]) -> Outcome | None:
        """Commit, again and again until the journal takes it; None if stopped meanwhile."""
        said_s = -_LAST_SAID_S
        while True:
            begun_s = time.monotonic()
            try:
                outcome = self._acceptor.commit(messages)
            except sqlite3.Error as error:
                self._fault = f"the journal takes nothing: {error}"
                if begun_s - said_s >= _LAST_SAID_S:
                    said_s = begun_s
                    log.error("%s; nothing is acknowledged until it does", self._fault)  # noqa: TRY400  (one line says it)
                self._beat_s = begun_s
                self._make_room()
                if self._stopping.wait(_RETRY_S):
                    return None
                continue
            if self._fault:
                log.info("the journal takes records again")
                self._fault = ""
            self._commits += 1
            self._commit_s += time.monotonic() - begun_s
            self._committed_ms = now_ms()
            for account in outcome.touched:
                self._gaps.note(account, self._committed_ms)
            return outcome

    def _send_down(self, outcome: Outcome) -> None:
        down = [
            (device, "ack", payload)
            for device, ranges in outcome.acks.items()
            for payload in downlink.acks(ranges)
        ]
        if outcome.fresh:
            now = now_ms()
            down += [
                (device, "cmd", downlink.time_now(ask, now, boot))
                for device, ask, boot in outcome.fresh
            ]
        self._mqtt.send(down)
        if self._rdss:
            for device, ranges in outcome.beidou.items():
                self._rdss.acknowledge(device, ranges)
        for device, answer in outcome.answers:
            self._desk.take(device, answer)
        for device, report in outcome.updates:
            self._updates.take(device, report)

    def _command(self, device: str, payload: bytes) -> None:
        self._mqtt.send([(device, "cmd", payload)])

    def _short(self, device: str, payload: bytes) -> None:
        if self._rdss:
            self._rdss.command(device, payload)

    def _update(self, device: str, payload: bytes) -> None:
        self._mqtt.send([(device, "ota", payload)])

    def _keep_house(self) -> None:
        now = now_ms()
        try:
            for source in self._inputs.values():
                self._pending.update(source.take_counts())
            self._acceptor.count(self._pending)
            self._pending.clear()
            self._retention.keep(now)
            self._replays.answer()
            self._counters = self._journal.counters()
            self._bytes = self._journal.used_bytes()
        except sqlite3.Error as error:
            log.warning("housekeeping is put off: %s", error)
            return
        wanted = self._gaps.due(now)
        if wanted:
            log.info("%d gaps are asked for", len(wanted))
            self._mqtt.send(
                (device, "cmd", downlink.want(boot, first, last))
                for device, boot, first, last in wanted
            )

    def _make_room(self) -> None:
        """Delete what may go, when the disk is full."""
        try:
            self._retention.make_room(now_ms())
        except sqlite3.Error:
            log.debug("there is no room to make room")


def lock(config: Config) -> IO[str]:
    """Take a data folder for this process alone; it is free again when the file is closed.

    Raises:
        JournalError: another gateway has it.
    """
    path = config.data / "lock"
    held = path.open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise JournalError(f"{config.data}: another gateway works here already") from error
    return held

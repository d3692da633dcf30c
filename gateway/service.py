"""The gateway's process: input, journal, acknowledgement, sinks.

One thread (the caller's) takes messages from the queue, commits them in batches and acknowledges
them; paho's thread fills the queue; each sink has its own.
"""

import logging
import queue
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

from gateway import downlink
from gateway.accept import Acceptor, Outcome
from gateway.commands import DeskThread
from gateway.config import Config
from gateway.inputs.mqtt import MQTTInput, Pending
from gateway.inputs.rdss import RDSSInput
from gateway.journal import Journal
from gateway.sinks.centre import CentreSink
from gateway.sinks.cursors import Cursors
from gateway.sinks.influx import InfluxSink
from gateway.sinks.sink import Sink
from gateway.sinks.sqlite import SQLiteSink
from gateway.updates import SenderThread

log = logging.getLogger(__name__)

_DAY_MS: Final = 86_400_000
_KEEP_MIN_MS: Final = 15 * 60_000  # a store that restarts is sent the last ten minutes again
_HOUSEKEEPING_S: Final = 60.0
_IDLE_S: Final = 0.5
_RETRY_S: Final = 1.0


class Service:
    """A gateway. `run` returns after `stop`.

    Raises:
        JournalError: at construction.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stopping = threading.Event()
        config.data.mkdir(parents=True, exist_ok=True)
        journal = config.data / "journal.sqlite"
        self._journal = Journal(journal)
        self._acceptor = Acceptor(self._journal)
        self._cursors = Cursors(config.data / "cursors.sqlite")
        self._inbox: queue.Queue[Pending] = queue.Queue(config.queue)
        self._mqtt = MQTTInput(config.broker, config.name, self._inbox)
        self._rdss = RDSSInput(config.beidou, self._inbox) if config.beidou.port else None
        self._desk = DeskThread(
            config.data / "commands.sqlite", config.keys, self._command, self._short
        )
        self._updates = SenderThread(config.data / "updates.sqlite", self._update)
        self._sinks: list[Sink] = []
        if config.series.url.startswith("sqlite:"):
            path = Path(config.series.url.removeprefix("sqlite:"))
            self._sinks.append(SQLiteSink(path, journal, self._cursors))
        else:
            self._sinks.append(InfluxSink(config.series, journal, self._cursors))
        if config.centre.url:
            self._sinks.append(CentreSink(config.centre, config.name, journal, self._cursors))

    def stop(self) -> None:
        """Ask it to end."""
        self._stopping.set()

    def run(self) -> None:
        """Work until stopped."""
        released = self._acceptor.release_known_schemas()
        if released:
            log.info("%d records of schemas that are known now go on", released)
        for sink in self._sinks:
            sink.start()
        self._mqtt.start()
        self._desk.start()
        self._updates.start()
        if self._rdss:
            self._rdss.start()
        housekeeping_s = 0.0
        while not self._stopping.is_set():
            batch = self._gather()
            if batch:
                self._commit(batch)
            if time.monotonic() - housekeeping_s > _HOUSEKEEPING_S:
                housekeeping_s = time.monotonic()
                self._keep_house()
        self._desk.stop()
        self._updates.stop()
        self._mqtt.stop()
        if self._rdss:
            self._rdss.stop()
        for sink in self._sinks:
            sink.stop()
        for sink in self._sinks:
            sink.join(5)
        self._journal.close()
        self._cursors.close()

    def _gather(self) -> list[Pending]:
        """Return what has come: a batch when it is full, or what came within the linger time."""
        try:
            batch = [self._inbox.get(timeout=_IDLE_S)]
        except queue.Empty:
            return []
        until_s = time.monotonic() + self._config.linger_ms / 1000
        while len(batch) < self._config.batch:
            try:
                left_s = until_s - time.monotonic()
                batch.append(
                    self._inbox.get(timeout=left_s) if left_s > 0 else self._inbox.get_nowait()
                )
            except queue.Empty:
                break
        return batch

    def _commit(self, batch: list[Pending]) -> None:
        """Commit, then acknowledge; a journal that refuses is asked again, and nothing is lost."""
        while True:
            try:
                outcome = self._acceptor.commit(pending.message for pending in batch)
            except sqlite3.Error as error:
                log.error("the journal does not take it (%s): nothing is acknowledged", error)  # noqa: TRY400  (one line says it)
                if self._stopping.wait(_RETRY_S):
                    return
                continue
            break
        for pending in batch:
            self._mqtt.acknowledge(pending)
        self._send_down(outcome)
        for sink in self._sinks:
            sink.wake()

    def _send_down(self, outcome: Outcome) -> None:
        for device, ranges in outcome.acks.items():
            for payload in downlink.acks(ranges):
                self._mqtt.send(device, "ack", payload)
        if self._rdss:
            for device, ranges in outcome.beidou.items():
                self._rdss.acknowledge(device, ranges)
        for device, answer in outcome.answers:
            self._desk.take(device, answer)
        for device, report in outcome.updates:
            self._updates.take(device, report)
        for device, ask, boot in outcome.fresh:
            now_ms = time.time_ns() // 1_000_000
            self._mqtt.send(device, "cmd", downlink.time_now(ask, now_ms, boot))

    def _command(self, device: str, payload: bytes) -> None:
        self._mqtt.send(device, "cmd", payload)

    def _short(self, device: str, payload: bytes) -> None:
        if self._rdss:
            self._rdss.command(device, payload)

    def _update(self, device: str, payload: bytes) -> None:
        self._mqtt.send(device, "ota", payload)

    def _keep_house(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        try:
            if self._rdss:
                self._acceptor.count(self._rdss.take_counts())
            given_up = self._acceptor.give_up_dating(now_ms - self._config.undated_days * _DAY_MS)
            passed = self._cursors.slowest([sink.name for sink in self._sinks])
            before_ms = now_ms - max(self._config.keep_days * _DAY_MS, _KEEP_MIN_MS)
            pruned = self._acceptor.prune(before_ms, passed.records, passed.releases)
        except sqlite3.Error as error:
            log.warning("housekeeping is put off: %s", error)
            return
        if given_up or pruned:
            log.info("%d records go on undated, %d old ones deleted", given_up, pruned)

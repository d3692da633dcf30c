"""A journal for tests of inputs: takes deliveries, keeps records by identity, answers when told to."""

import threading
from collections import Counter

import cbor2

from agent.wire import decode, schema
from gateway.accept import parse_topic
from gateway.inbox import Inbox


class Ledger:
    """Commits what comes into `inbox`. `mode`: "commit", or what goes wrong:

    "no-answer": committed, but `done` is never called (the process died in between);
    "lose": taken and forgotten, as by a process that died before the commit.
    """

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.mode = "commit"
        self.records: dict[tuple[str, int, int], bytes] = {}
        self.order: list[tuple[str, int, int]] = []
        self.conflicts: list[tuple[str, int, int]] = []
        self.duplicates = 0
        self.links: Counter[int] = Counter()
        self.dead: list[tuple[str, str, bytes]] = []
        self.rule = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self.inbox.stop()
        self._thread.join(5)

    def of(self, device: str, schema_id: int | None = None) -> list[list]:
        """Return a device's records in the order of their coming, as lists."""
        rows = [cbor2.loads(self.records[key]) for key in list(self.order) if key[0] == device]
        return [row for row in rows if schema_id is None or row[0] == schema_id]

    def gaps(self) -> int:
        """Return how many identities below the highest of their start are missing."""
        highest: dict[tuple[str, int], int] = {}
        have: Counter[tuple[str, int]] = Counter()
        for device, boot, seq in self.records:
            highest[device, boot] = max(seq, highest.get((device, boot), 0))
            have[device, boot] += 1
        return sum(top + 1 - have[key] for key, top in highest.items())

    def _run(self) -> None:
        while not self._stopping.is_set():
            for delivery in self.inbox.take(500, 0.002, 0.05):
                mode = self.rule(delivery) if self.rule else self.mode
                if mode == "lose":
                    continue
                for message in delivery.messages:
                    self._take(message)
                if mode == "commit" and delivery.done:
                    delivery.done()

    def _take(self, message) -> None:
        assert len(message.payload) <= schema.PAYLOAD_MAX
        if message.fault is not None:
            self.dead.append((message.fault[0], message.topic, message.payload))
            return
        device, kind = parse_topic(message.topic)
        assert kind == "rec"
        self.links[message.link] += 1
        for record in decode.sequence(message.payload):
            assert isinstance(record, decode.Record), record
            assert decode.check(record) == [], record
            key = (device, record.boot, record.seq)
            if key not in self.records:
                self.records[key] = record.raw
                self.order.append(key)
            elif self.records[key] == record.raw:
                self.duplicates += 1
            else:
                self.conflicts.append(key)

"""Records over MQTT 3.1.1.

    mqtt = MQTTInput(config.broker, "gateway-1", inbox, batch=500)
    mqtt.start()
    for delivery in inbox.take(…): …commit…; delivery.done()

A persistent session under a fixed client id: what comes while we are away waits at the broker. Each
delivery is acknowledged on the connection that brought it and on no other: after a reconnection the
broker delivers again what was not acknowledged, and message ids may mean something else by then
(reference/gateway.md §2). The inbox is bounded; when it is full this thread stops reading, and the
broker keeps the rest.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from agent.errors import RemoteError
from agent.wire import body, messages
from gateway.accept import Message, RefusedError, parse_topic
from gateway.access import tls
from gateway.access.revocation import nobody
from gateway.config import Broker
from gateway.down.downlink import time_now
from gateway.inbox import Delivery, Inbox
from gateway.inputs.bulk import BulkClient, Publishes, publish_packet
from gateway.journal.journal import now_ms

log = logging.getLogger(__name__)

_RETRY_MAX_S: Final = 10
_WINDOW_SEEN: Final = 50  # commits in a row that found the same number waiting
_WINDOW_LEAST: Final = 10


class MQTTInput:
    """The gateway's connection to the broker. Its thread is watched and started again.

    Raises:
        TLSError: at construction, when a certificate or key cannot be used.
    """

    def __init__(
        self,
        broker: Broker,
        name: str,
        inbox: Inbox,
        batch: int,
        revoked: Callable[[str], bool] = nobody,
    ) -> None:
        self._broker = broker
        self._inbox = inbox
        self._batch = batch
        self._revoked = revoked
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._fault = "not connected yet"
        self._counts: Counter[str] = Counter()
        # Guards the generation: an acknowledgement is queued for the connection it belongs to.
        self._lock = threading.Lock()
        self._generation = 0
        self._waiting = (
            0  # deliveries that this connection has brought and that have no PUBACK yet
        )
        self._same = (0, 0)  # (how many waited at the last commit, how often in a row)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._client = BulkClient(
            self._take,
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        self._client.username_pw_set(broker.user, broker.password or None)
        if broker.tls:
            self._client.tls_set_context(tls.context(broker.tls))
        self._client.reconnect_delay_set(1, _RETRY_MAX_S)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe

    def start(self) -> None:
        """Connect, and stay connected."""
        self._thread.start()

    def stop(self) -> None:
        """Disconnect; what is not acknowledged waits at the broker."""
        self._stopping.set()
        with suppress(OSError):  # its thread may have closed what wakes it already
            self._client.disconnect()
        self._thread.join(timeout=5)

    def fault(self) -> str:
        """Return why nothing comes in; nothing while the subscriptions stand."""
        return "" if self._ready.is_set() else self._fault

    def take_counts(self) -> dict[str, int]:
        """Return what was counted since the last call."""
        counts, self._counts = self._counts, Counter()
        return dict(counts)

    def send(self, messages_down: Iterable[tuple[str, str, bytes]]) -> None:
        """Send (device, kind, payload) down with QoS 0; who does not get it asks or sends again."""
        packets = [
            publish_packet(_topic(device, kind), payload)
            for device, kind, payload in messages_down
            if not self._revoked(device)
        ]
        if self._client.is_connected():
            self._client.send(b"".join(packets))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._client.connect_async(
                    self._broker.host, self._broker.port, self._broker.keepalive_s
                )
                self._client.serve()
            except Exception:
                log.exception("the MQTT thread failed; it starts again")
                self._counts["mqtt.restarts"] += 1
                self._next_generation()
                time.sleep(1)

    def _next_generation(self) -> None:
        self._ready.clear()
        with self._lock:
            self._generation += 1
            self._waiting = 0

    def _on_connect(
        self, client: Client, _user: Any, flags: ConnectFlags, code: ReasonCode, _props: Any
    ) -> None:
        self._next_generation()
        if code.is_failure:
            self._fault = f"the broker refuses us: {code}; check broker.user and its password"
            log.error(self._fault)
            return
        self._client.failure = None
        warning = tls.peer_warning(client.socket(), time.time())
        if warning:
            log.warning("%s", warning)
        log.info("connected to the broker, session %s", "kept" if flags.session_present else "new")
        self._counts["mqtt.connections"] += 1
        ours = self._broker.shards
        if flags.session_present:
            # A kept session still has what an earlier configuration subscribed to.
            others = {"+", *(f"{n:02x}" for n in range(256))}.difference(ours)
            client.unsubscribe([f"fw/1/{shard}/+/up/+" for shard in sorted(others)])
        client.subscribe([(f"fw/1/{shard}/+/up/+", 1) for shard in ours])

    def _on_connect_fail(self, _client: Client, _user: Any) -> None:
        before = self._fault
        where = f"{self._broker.host}:{self._broker.port}"
        self._fault = f"no broker at {where}: {tls.explain(self._client.failure)}"
        if self._fault != before:
            log.warning("%s", self._fault)

    def _on_subscribe(
        self, _client: Client, _user: Any, _mid: int, codes: list[ReasonCode], _props: Any
    ) -> None:
        if any(code.is_failure for code in codes):
            self._fault = (
                f"the broker refuses a subscription: check its rules for {self._broker.user}"
            )
            log.error(self._fault)
            return
        self._ready.set()

    def _on_disconnect(
        self, _client: Client, _user: Any, _flags: DisconnectFlags, code: ReasonCode, _p: Any
    ) -> None:
        self._next_generation()
        failure = self._client.failure
        why = f"{code}: {tls.explain(failure)}" if failure else str(code)
        self._fault = f"disconnected from the broker: {why}"
        if not self._stopping.is_set():
            log.warning("%s", self._fault)

    def _take(self, publishes: Publishes) -> None:
        # paho's thread dies silently of an exception here (reference/gateway.md §2).
        try:
            received_ms = now_ms()
            taken = []
            for topic, payload in publishes.messages:
                name = topic.decode("utf-8", "replace")
                if name.endswith("/up/cmd"):
                    self._tell_time(name, payload, received_ms)
                taken.append(Message(name, payload, body.LINK_MQTT, received_ms))
            acks, generation = publishes.acks, self._generation
            with self._lock:
                self._waiting += len(taken)
            self._inbox.put(
                Delivery(taken, lambda: self._acknowledge(acks, generation, len(taken)))
            )
        except Exception:
            log.exception("messages could not be taken in")
            self._counts["mqtt.failures"] += 1

    def _acknowledge(self, acks: bytes, generation: int, count: int) -> None:
        """Send the PUBACKs, if the connection that brought the messages still stands."""
        with self._lock:
            if generation != self._generation:
                return
            waited, self._waiting = self._waiting, self._waiting - count
            self._client.send(acks)
        self._look_at_window(waited)

    def _look_at_window(self, waited: int) -> None:
        """Warn once if the broker seems to hold back what would fill a batch."""
        before, times = self._same
        self._same = waited, times + 1 if waited == before else 1
        if self._same[1] == _WINDOW_SEEN and _WINDOW_LEAST <= waited < self._batch:
            log.warning(
                "the broker lets no more than %d messages wait for their acknowledgement, and a"
                " commit could hold %d: set max_inflight_messages 2000 in its configuration",
                waited,
                self._batch,
            )

    def _tell_time(self, topic: str, payload: bytes, received_ms: int) -> None:
        """Answer a question for the time at once: every moment in a queue would be an error."""
        try:
            device, _ = parse_topic(topic)
            question = messages.read_cmd_up(payload)
        except (RefusedError, RemoteError):
            return  # the journal's thread makes a dead letter of it
        if question[0] == messages.CLOCK and not self._revoked(device):
            self.send([(device, "cmd", time_now(question[1], received_ms))])


@lru_cache(maxsize=100_000)
def _topic(device: str, kind: str) -> bytes:
    return messages.topic(device, "dn", kind).encode()

"""Records over MQTT 3.1.1: paho with manual acknowledgement.

    inbox = queue.Queue(5000)
    mqtt = MQTTInput(config.broker, "gateway-1", inbox)
    mqtt.start()
    pending = inbox.get();  …commit…;  mqtt.acknowledge(pending)

A persistent session under a fixed client id: what comes while we are away waits at the broker. Each
delivery is acknowledged on the connection that brought it and on no other: after a reconnection the
broker delivers again what was not acknowledged, and message ids may mean something else by then
(reference/gateway.md §2). The queue is bounded; when it is full this thread stops reading, and the
broker keeps the rest.
"""

import logging
import queue
import threading
import time
from typing import Any, Final, NamedTuple

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from agent.errors import RemoteError
from agent.wire import body, messages
from gateway.accept import Message, RefusedError, parse_topic
from gateway.config import Broker
from gateway.downlink import time_now

log = logging.getLogger(__name__)

_RETRY_MAX_S: Final = 10
_FULL_WAIT_S: Final = 0.5  # between looks at whether we are being stopped


class Pending(NamedTuple):
    """A message and what is needed to acknowledge it."""

    message: Message
    mid: int
    qos: int
    generation: int


class MQTTInput:
    """The gateway's connection to the broker. Its thread is watched and started again."""

    def __init__(self, broker: Broker, name: str, inbox: "queue.Queue[Pending]") -> None:
        self._broker = broker
        self._inbox = inbox
        self._generation = 0
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        self._client.username_pw_set(broker.user, broker.password or None)
        self._client.reconnect_delay_set(1, _RETRY_MAX_S)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Connect, and stay connected."""
        self._thread.start()

    def stop(self) -> None:
        """Disconnect; what is not acknowledged waits at the broker."""
        self._stopping.set()
        self._client.disconnect()
        self._thread.join(timeout=5)

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until the subscriptions are granted; return whether they are."""
        return self._ready.wait(timeout_s)

    def acknowledge(self, pending: Pending) -> None:
        """Send the PUBACK, if the connection that brought the message still stands."""
        if pending.qos and pending.generation == self._generation:
            self._client.ack(pending.mid, pending.qos)

    def send(self, device: str, kind: str, payload: bytes) -> None:
        """Send a message down with QoS 0; a device that does not get it asks or sends again."""
        self._client.publish(messages.topic(device, "dn", kind), payload, qos=0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._client.connect_async(
                    self._broker.host, self._broker.port, self._broker.keepalive_s
                )
                self._client.loop_forever(retry_first_connection=True)
            except Exception:
                log.exception("the MQTT thread failed; it starts again")
                time.sleep(1)

    def _on_connect(
        self, client: Client, _user: Any, flags: ConnectFlags, code: ReasonCode, _props: Any
    ) -> None:
        self._generation += 1
        if code.is_failure:
            log.error("the broker refuses us: %s; check broker.user and its password", code)
            return
        log.info("connected to the broker, session %s", "kept" if flags.session_present else "new")
        client.subscribe([(f"fw/1/{shard}/+/up/+", 1) for shard in self._broker.shards])

    def _on_subscribe(
        self, _client: Client, _user: Any, _mid: int, codes: list[ReasonCode], _props: Any
    ) -> None:
        if any(code.is_failure for code in codes):
            log.error(
                "the broker refuses a subscription: check its rules for %s", self._broker.user
            )
            return
        self._ready.set()

    def _on_disconnect(
        self, _client: Client, _user: Any, _flags: DisconnectFlags, code: ReasonCode, _props: Any
    ) -> None:
        self._generation += 1
        self._ready.clear()
        if not self._stopping.is_set():
            log.warning("disconnected from the broker: %s", code)

    def _on_message(self, _client: Client, _user: Any, incoming: MQTTMessage) -> None:
        # paho's thread dies silently of an exception here (reference/gateway.md §2).
        try:
            self._take(incoming)
        except Exception:
            log.exception("a message could not be taken in: %s", incoming.topic)

    def _take(self, incoming: MQTTMessage) -> None:
        received_ms = time.time_ns() // 1_000_000
        payload = bytes(incoming.payload)
        if incoming.topic.endswith("/up/cmd"):
            self._tell_time(incoming.topic, payload, received_ms)
        message = Message(incoming.topic, payload, body.LINK_MQTT, received_ms)
        pending = Pending(message, incoming.mid, incoming.qos, self._generation)
        while not self._stopping.is_set():
            try:
                self._inbox.put(pending, timeout=_FULL_WAIT_S)
            except queue.Full:
                continue
            return

    def _tell_time(self, topic: str, payload: bytes, received_ms: int) -> None:
        """Answer a question for the time at once: every moment in a queue would be an error."""
        try:
            device, _ = parse_topic(topic)
            question = messages.read_cmd_up(payload)
        except (RefusedError, RemoteError):
            return  # the journal's thread makes a dead letter of it
        if question[0] == messages.CLOCK:
            self.send(device, "cmd", time_now(question[1], received_ms))

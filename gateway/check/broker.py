"""Looks at the broker as the gateway will: address, TLS, login, window, rules, version.

It takes nothing from a running gateway. It comes under a client id of its own, with a session that the
broker drops at the end, and publishes nothing that anybody subscribes to. Where the broker makes user
names client ids (`use_username_as_clientid`) it finds itself in the gateway's own session; it then
touches neither the subscriptions nor the queue, leaves at once, and the gateway, if it runs, connects
again after a second.

MQTT 5 is spoken here, 3.1.1 by the gateway: only 5 says what is refused, and how large the window is.
"""

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.access import tls
from gateway.check.findings import Finding, error, ok, warning
from gateway.config import Broker

_WAIT_S: Final = 5.0
_LISTEN_S: Final = 0.5  # for what is retained
_KEEPALIVE_S: Final = 20
_FOREVER: Final = 0xFFFF_FFFF  # seconds of a session: it does not end
_VERSION: Final = "$SYS/broker/version"
_LOSES: Final = "2.0.16"
_DENIED: Final = 0x87

_Any = Any  # paho's callbacks


class _Visit:
    """One connection, driven by hand: every step waits for its answer."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.code: ReasonCode | None = None
        self.kept = False
        self.window = 65_535
        self.granted: list[ReasonCode] = []
        self.published: dict[int, ReasonCode] = {}
        self.heard: list[MQTTMessage] = []
        self._broker = broker
        self._gone = False
        self._client = client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{name}-check-{secrets.token_hex(4)}",
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,  # never: what a queue sends us belongs to the gateway
        )
        client.username_pw_set(broker.user, broker.password or None)
        if broker.tls:
            client.tls_set_context(tls.context(broker.tls))
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message

    def connect(self) -> bool:
        """Log in; return whether there was an answer.

        The session would live for ever, so that a gateway's own, were we given that, goes on; one that
        is new is ended by `leave`.
        """
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _FOREVER
        properties.ReceiveMaximum = 1  # of a queue that is not ours
        self._client.connect(
            self._broker.host,
            self._broker.port,
            _KEEPALIVE_S,
            clean_start=False,
            properties=properties,
        )
        return self._until(lambda: self.code is not None)

    def publish(self, topic: str) -> ReasonCode | None:
        """Publish nothing to a topic; return the broker's word on it."""
        mid = self._client.publish(topic, b"", 1).mid
        self._until(lambda: mid in self.published)
        return self.published.get(mid)

    def subscribe(self, *filters: str) -> None:
        """Subscribe with QoS 0, and listen for a moment."""
        self._client.subscribe([(one, SubscribeOptions(qos=0)) for one in filters])
        if self._until(lambda: bool(self.granted)):
            self._until(lambda: False, _LISTEN_S)

    def leave(self) -> None:
        """Disconnect, and end a session that was begun here."""
        properties = None
        if not self.kept:
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
        self._client.disconnect(properties=properties)
        self._until(lambda: self._gone, 1.0)

    def _until(self, done: Callable[[], bool], wait_s: float = 0.0) -> bool:
        end_s = time.monotonic() + (wait_s or _WAIT_S)
        while not done():
            if self._gone or time.monotonic() > end_s:
                return False
            self._client.loop(0.05)
        return True

    def _on_connect(
        self, _c: Client, _u: _Any, flags: ConnectFlags, code: ReasonCode, said: Properties | None
    ) -> None:
        self.code = code
        self.kept = flags.session_present
        self.window = getattr(said, "ReceiveMaximum", self.window)

    def _on_disconnect(self, *_: _Any) -> None:
        self._gone = True

    def _on_subscribe(
        self, _c: Client, _u: _Any, _mid: int, codes: list[ReasonCode], _said: _Any
    ) -> None:
        self.granted = codes

    def _on_publish(self, _c: Client, _u: _Any, mid: int, code: ReasonCode, _said: _Any) -> None:
        self.published[mid] = code

    def _on_message(self, _c: Client, _u: _Any, message: MQTTMessage) -> None:
        self.heard.append(message)


def check(broker: Broker, name: str, batch: int) -> Iterator[Finding]:
    """Say what is found at the broker; stops at what makes the rest pointless."""
    where = f"broker {broker.host}:{broker.port}"
    try:
        if broker.tls:
            for line in tls.warnings(broker.tls, time.time()):
                yield warning(line, "")
            late = tls.probe(broker.host, broker.port, broker.tls)
            yield (
                warning(late, "") if late else ok(f"{where} is there, and its certificate is good")
            )
        else:
            socket.create_connection((broker.host, broker.port), _WAIT_S).close()
            yield ok(f"{where} is there; without TLS")
    except (OSError, tls.TLSError) as problem:
        yield error(f"{where}: {tls.explain(problem)}", "")
        return
    visit = _Visit(broker, name)
    try:
        answered = visit.connect()
    except OSError as problem:
        yield error(f"{where}: {tls.explain(problem)}", "")
        return
    if not answered or visit.code is None:
        yield error(
            f"{where} gives no answer to MQTT 5",
            "does it want TLS (set broker.tls_ca), or speak 3.1.1 only? rules cannot be seen then",
        )
        return
    if visit.code.is_failure:
        yield _refused(where, broker, visit.code)
        return
    yield ok(f"{where} takes user {broker.user!r}")
    yield _window(visit.window, batch)
    yield from _writing(visit, broker)
    if visit.kept:
        yield ok(
            "the broker gave us the gateway's own session (use_username_as_clientid): its queue and"
            " subscriptions were left alone; every gateway needs a user of its own"
        )
    else:
        yield from _reading(visit, broker)
    visit.leave()


def _refused(where: str, broker: Broker, code: ReasonCode) -> Finding:
    if code.getName() == "Unsupported protocol version":
        return warning(
            f"{where} does not speak MQTT 5: its rules and its window cannot be seen",
            "for duty take mosquitto 2",
        )
    if broker.password:
        todo = "check broker.user, its password, and the broker's password_file"
    else:
        todo = "no password is set: broker.password_file, or FAIRWAY_BROKER_PASSWORD"
    return error(f"{where} refuses user {broker.user!r}: {code}", todo)


def _window(window: int, batch: int) -> Finding:
    if window >= batch:
        return ok(f"the broker's window is {window} messages")
    return warning(
        f"the broker's window is {window} messages, and a commit waits for up to {batch}",
        f"in its mosquitto.conf write: max_inflight_messages {max(2000, 2 * batch)};"
        f" or set commit.batch to {window}",
    )


def _writing(visit: _Visit, broker: Broker) -> Iterator[Finding]:
    """Try topics that no device and no gateway reads."""
    shard = "00" if broker.shards == ("+",) else broker.shards[0]
    nobody = f"fw/1/{shard}/nobody"
    down = visit.publish(f"{nobody}/dn/check")
    if down is None:
        yield warning("the broker does not answer what is published to it", "look at its log")
        return
    if down.value == _DENIED:
        yield error(
            f"user {broker.user!r} may not write to devices: no acknowledgement reaches them",
            f"in the broker's rules, below `user {broker.user}`: topic write fw/1/+/+/dn/#",
        )
    else:
        yield ok("acknowledgements and commands may be written")
    # Two levels below `up`: no gateway subscribes so deep.
    forged, astray = visit.publish(f"{nobody}/up/check/rules"), visit.publish("fw/1/check")
    if forged is not None and forged.value != _DENIED:
        yield error(
            "the broker lets us publish in a device's name: it may let everybody",
            "give it the rules in config/mosquitto.rules (acl_file), and restart it",
        )
    elif astray is not None and astray.value != _DENIED:
        yield warning(
            f"user {broker.user!r} may write where it has no business (fw/1/check)",
            "compare the broker's rules with config/mosquitto.rules",
        )
    else:
        yield ok("nobody's topics are open to us: the broker's rules are in force")


def _reading(visit: _Visit, broker: Broker) -> Iterator[Finding]:
    shard = "00" if broker.shards == ("+",) else broker.shards[0]
    records = f"fw/1/{shard}/+/up/+"
    visit.subscribe(records, _VERSION)
    if not visit.granted or visit.granted[0].is_failure:
        yield error(
            f"the broker refuses the subscription {records}",
            f"in its rules, below `user {broker.user}`: topic read fw/1/+/+/up/#",
        )
    elif any(message.topic.startswith("fw/") for message in visit.heard):
        yield ok(f"subscription {records} is granted, and something comes")
    else:
        yield ok(
            f"subscription {records} is granted; nothing came, so whether its messages may be read"
            " is not proven (mosquitto grants all subscriptions)"
        )
    said = [m.payload.decode("utf-8", "replace") for m in visit.heard if m.topic == _VERSION]
    if not said:
        yield ok(f"the broker's version may not be read ({_VERSION})")
    elif _LOSES in said[0].split():
        yield warning(
            f"the broker is {said[0][:60]}, which loses queued messages if max_queued_messages is 0",
            "update mosquitto (mosquitto#2879)",
        )
    else:
        yield ok(f"the broker is {said[0][:60]}")

"""One connection to the broker, from CONNECT to goodbye: what is said, not when.

    session = Session("buoy-1", boot, outbox, downlink)
    session.greet(stream, connection, password, keepalive_s, now_ms)
    session.talk(now_ms)          whatever came, whatever goes; raises when the connection is of no use
    session.stage                 GREETED, SUBSCRIBED

What comes down is the downlink's; what the broker acknowledges, and what is due, is the outbox's.
"""

from agent.compat import const
from agent.errors import RemoteError
from agent.link import mqtt as m
from agent.wire import messages
from agent.wire.codes import STATE_LOST, STATE_UP

NOTHING = const(0)
GREETED = const(1)  # the broker has accepted the connection
SUBSCRIBED = const(2)

_READ_MAX = const(1024)  # bytes read at a time
_PAYLOAD_MAX = const(1024)  # bytes of records in one message; well inside the contract's 4,096

# What a link carries besides our bytes: IP and TCP heads of a segment and of its answer.
_SEGMENT = const(80)


class Session:
    """`bytes` counts what was sent and received, with an estimate of the heads below TCP.

    `answered` says that the other side has sent something on this connection.
    """

    def __init__(self, device, boot, outbox, downlink):
        self.stage = NOTHING
        self.answered = False
        self.bytes = 0
        self.stream = Closed()
        self._mqtt = m.MQTT()
        self._device = device.encode()
        self._boot = boot
        self._connection = 0
        self._outbox = outbox
        self._downlink = downlink
        self._payload = bytearray(_PAYLOAD_MAX)
        self._read = bytearray(_READ_MAX)
        self._read_view = memoryview(self._read)
        self._topic_rec = messages.topic(device, "up", "rec").encode()
        self._topic_state = messages.topic(device, "up", "state").encode()
        self._topic_down = messages.topic(device, "dn", "+").encode()
        self._up_prefix = self._topic_rec[:-3]
        self._down_prefix = len(self._topic_down) - 1

    def greet(self, connection, password, keepalive_s, now_ms):
        """Prepare the first packet; `flush` sends it, driving a TLS handshake if there is one."""
        self.stage = NOTHING
        self._connection = connection
        will = bytearray(24)
        n = messages.put_state(will, self._boot, connection, STATE_LOST)
        self._mqtt.connect(
            self._device,
            self._device,
            password,
            keepalive_s,
            self._topic_state,
            will[:n],
            now_ms,
        )

    def talk(self, now_ms):
        """Take what came and send what is due."""
        self._receive(now_ms)
        if self.stage == SUBSCRIBED:
            self._send(now_ms)
        self._mqtt.poll(now_ms)
        self.flush()

    def flush(self):
        """Give the stream what it takes."""
        while True:
            out = self._mqtt.outgoing()
            if not len(out):
                return
            n = self.stream.write(out)
            if not n:
                return
            self.bytes += n + _SEGMENT
            self._mqtt.sent(n)

    def close(self, now_ms):
        """Say goodbye so that the broker does not publish the will, and close."""
        if self.stage == SUBSCRIBED:
            self._publish_state(STATE_LOST, now_ms)
            self._mqtt.disconnect()
            self.flush()
        self.drop()

    def drop(self):
        """Close without a word."""
        self.stage = NOTHING
        self.answered = False
        self.stream.close()
        self.stream = Closed()

    def _receive(self, now_ms):
        mqtt = self._mqtt
        while True:
            room = min(_READ_MAX, mqtt.room())
            n = self.stream.readinto(self._read_view[:room])
            if n:
                self.answered = True
                self.bytes += n + _SEGMENT
                mqtt.feed(self._read, n)
            self._events(now_ms)
            if n < room:
                break
        if self.stream.state() < 0:
            raise RemoteError("closed", self.stream.error)

    def _events(self, now_ms):
        mqtt = self._mqtt
        while True:
            event = mqtt.next_event(now_ms)
            if event == m.NOTHING:
                return
            if event == m.MESSAGE:
                kind = bytes(mqtt.packet[mqtt.topic_at + self._down_prefix : mqtt.topic_end])
                self._downlink.take(kind, mqtt.packet, mqtt.payload_at, mqtt.end, now_ms)
            elif event == m.ARRIVED:
                self._outbox.arrived(mqtt.message_id)
            elif event == m.CONNECTED:
                self.stage = GREETED
                mqtt.subscribe(self._topic_down, now_ms)
            elif event == m.SUBSCRIBED:
                self.stage = SUBSCRIBED
                self._downlink.connected()
                self._publish_state(STATE_UP, now_ms)

    def _send(self, now_ms):
        mqtt = self._mqtt
        downlink = self._downlink
        while downlink.waiting() and mqtt.ready(len(self._topic_rec) + downlink.next_size()):
            kind, payload = downlink.next_message(now_ms)
            topic = self._up_prefix + kind
            mqtt.publish(topic, payload, len(payload), mqtt.reserve(), 0, now_ms)
        now_s = now_ms // 1000
        while self._outbox.due(now_s) and mqtt.ready(len(self._topic_rec) + _PAYLOAD_MAX):
            message_id = mqtt.reserve()
            n = self._outbox.fill(self._payload, now_s, message_id)
            if not n:
                break
            mqtt.publish(self._topic_rec, self._payload, n, message_id, 0, now_ms)

    def _publish_state(self, up, now_ms):
        payload = bytearray(24)
        n = messages.put_state(payload, self._boot, self._connection, up)
        if self._mqtt.ready(len(self._topic_state) + n):
            self._mqtt.publish(self._topic_state, payload, n, self._mqtt.reserve(), 1, now_ms)


class Closed:
    """The stream while there is none."""

    error = "closed"

    def state(self):
        return -1

    def readinto(self, view):
        return 0

    def write(self, view):
        return 0

    def close(self):
        """Do nothing: it is."""

"""MQTT 3.1.1 client without I/O (OASIS mqtt-v3.1.1-os; clauses are named where they decide).

    mqtt = MQTT()
    mqtt.connect(b"buoy-1", b"buoy-1", password, 60, will_topic, will, now_ms)
    stream.write(mqtt.outgoing());  mqtt.sent(n)
    mqtt.feed(buf, n, now_ms)
    while True:
        event = mqtt.next_event(now_ms)
        if event == MESSAGE: handle(mqtt.packet, mqtt.topic_at, mqtt.payload_at, mqtt.end)

Several QoS 1 messages may be in flight; nothing is kept for sending again: what was not acknowledged
when a connection breaks is the outbox's to give again (session state would be a second copy of it,
so every session is a clean one). Connecting again, and when, is not decided here.
"""

from agent.compat import const
from agent.errors import LocalError, RemoteError

# next_event() gives one of these.
NOTHING = const(0)
CONNECTED = const(1)
SUBSCRIBED = const(2)
MESSAGE = const(3)
ARRIVED = const(4)  # a PUBACK; the message is `message_id`

WINDOW = const(8)  # messages in flight; a round trip of 100 ms then carries 80 messages a second
PACKET_MAX = const(4352)  # one payload of 4,096 bytes with its topic and head
_OUT_MAX = const(3200)  # bytes waiting for the stream
_PING_WAIT_MS = const(15000)  # for the answer to a ping
_PUBACK_WAIT_MS = const(30000)  # for the answer to a publish

_CONNECT = const(0x10)
_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBSCRIBE = const(0x82)
_SUBACK = const(0x90)
_PINGREQ = const(0xC0)
_PINGRESP = const(0xD0)
_DISCONNECT = const(0xE0)

_REFUSALS = (
    "accepted",
    "unacceptable protocol version",
    "client id rejected",
    "server unavailable",
    "bad user name or password",
    "not authorised",
)


class MQTTError(RemoteError):
    """The broker said something wrong, or nothing in time; the connection is of no more use.

    `code`: refused, protocol, ping-timeout, puback-timeout, subscription-refused.
    """


class MQTT:
    """One connection at a time; `connect` starts a new one from nothing.

    `oversize` counts packets longer than PACKET_MAX; they are skipped, whatever they announce.
    """

    def __init__(self):
        self.packet = bytearray(PACKET_MAX)
        self.topic_at = self.topic_end = self.payload_at = self.end = 0
        self.message_id = 0
        self.oversize = 0
        self.in_flight = 0
        self._out = bytearray(_OUT_MAX)
        self._out_view = memoryview(self._out)
        self._last_id = 0
        self._flying = [0] * WINDOW
        self._flown_ms = [0] * WINDOW
        self._reset(0)

    def _reset(self, now_ms):
        self._out_start = self._out_end = 0
        self._filled = 0  # bytes of `packet` that have come
        self._skip = 0  # bytes of an oversize packet still to come
        self._consumed = 0  # bytes of `packet` that belong to the event handed out last
        self._open = False
        self._keepalive_ms = 0
        self._wrote_ms = now_ms
        self._ping_ms = None
        self._owed = 0  # message id of a QoS 1 message to acknowledge once it was handled
        self.in_flight = 0
        for i in range(WINDOW):
            self._flying[i] = 0

    def connect(self, client_id, user, password, keepalive_s, will_topic, will, now_ms):
        """Begin a connection: clean session, user name and password, retained QoS 1 will (3.1)."""
        self._reset(now_ms)
        self._keepalive_ms = keepalive_s * 1000
        flags = 0x02 | 0x04 | 0x08 | 0x20 | 0x40 | 0x80
        strings = (client_id, will_topic, will, user, password)
        length = 10
        for string in strings:
            length += 2 + len(string)
        self._begin(_CONNECT, length)
        self._put(b"\x00\x04MQTT\x04")
        self._put_byte(flags)
        self._put_number(keepalive_s)
        for string in strings:
            self._put_number(len(string))
            self._put(string)

    def subscribe(self, topic_filter, now_ms):
        """Ask for a topic filter at QoS 1 (3.8)."""
        self._begin(_SUBSCRIBE, 5 + len(topic_filter))
        self._put_number(self._next_id())
        self._put_number(len(topic_filter))
        self._put(topic_filter)
        self._put_byte(1)
        self._wrote_ms = now_ms

    def disconnect(self):
        """Say goodbye; the broker then drops the will (3.14)."""
        self._begin(_DISCONNECT, 0)

    def ready(self, size):
        """Return whether a message with topic and payload of `size` bytes can be taken now."""
        free = _OUT_MAX - (self._out_end - self._out_start)
        return self._open and self.in_flight < WINDOW and free >= size + 8

    def reserve(self):
        """Return the message id of the next QoS 1 `publish`."""
        return self._next_id()

    def publish(self, topic, payload, n, message_id, retain, now_ms):
        """Send `payload[:n]` with QoS 1 under a reserved id, or with QoS 0 if that is 0 (3.3).

        Raises LocalError when `ready` was not asked.
        """
        if not self.ready(len(topic) + n):
            raise LocalError("publish without ready()")
        length = 2 + len(topic) + n
        if message_id:
            self._begin(_PUBLISH | 0x02 | retain, length + 2)
        else:
            self._begin(_PUBLISH | retain, length)
        self._put_number(len(topic))
        self._put(topic)
        if message_id:
            self._put_number(message_id)
            slot = self._flying.index(0)
            self._flying[slot] = message_id
            self._flown_ms[slot] = now_ms
            self.in_flight += 1
        self._out[self._out_end : self._out_end + n] = memoryview(payload)[:n]
        self._out_end += n
        self._wrote_ms = now_ms

    def outgoing(self):
        """Return the bytes that the stream should take, as a memoryview."""
        return self._out_view[self._out_start : self._out_end]

    def sent(self, n):
        """Note that the stream took `n` bytes of `outgoing()`."""
        self._out_start += n
        if self._out_start == self._out_end:
            self._out_start = self._out_end = 0

    def room(self):
        """Return how many bytes `feed` can take now."""
        return PACKET_MAX - self._filled if not self._skip else self._skip

    def feed(self, buf, n):
        """Take `buf[:n]` from the stream, n <= room()."""
        start = 0
        if self._skip:
            start = min(self._skip, n)
            self._skip -= start
        self.packet[self._filled : self._filled + n - start] = memoryview(buf)[start:n]
        self._filled += n - start

    def next_event(self, now_ms):
        """Return the next event; what it brought is in the attributes until the next call.

        Raises MQTTError when the connection is of no more use.
        """
        if self._owed:
            self._begin(_PUBACK, 2)
            self._put_number(self._owed)
            self._owed = 0
        while True:
            self._discard()
            body = self._whole_packet()
            if not body:
                return NOTHING
            kind = self.packet[0] & 0xF0
            if not self._open and kind != _CONNACK:
                raise MQTTError("protocol", "0x%02x before CONNACK" % self.packet[0])
            event = self._read(kind, body, now_ms)
            if event != NOTHING:
                return event

    def poll(self, now_ms):
        """Keep the connection alive (3.1.2.10); return the milliseconds until it wants to again.

        Raises MQTTError when the broker owes an answer for too long.
        """
        if not self._open:
            return 1000
        for i in range(WINDOW):
            if self._flying[i] and now_ms - self._flown_ms[i] > _PUBACK_WAIT_MS:
                raise MQTTError("puback-timeout", "message %d" % self._flying[i])
        if self._ping_ms is not None and now_ms - self._ping_ms > _PING_WAIT_MS:
            raise MQTTError("ping-timeout")
        # Ping at three quarters: the broker gives one and a half keepalives, links are slow.
        idle_ms = self._keepalive_ms * 3 // 4 - (now_ms - self._wrote_ms)
        if idle_ms <= 0 and self._ping_ms is None:
            self._begin(_PINGREQ, 0)
            self._ping_ms = self._wrote_ms = now_ms
            return 1000
        return min(max(idle_ms, 0), 1000)

    def _read(self, kind, body, now_ms):
        packet = self.packet
        length = self._consumed - body
        if kind == _PUBLISH:
            return self._read_publish(body)
        if kind == _PUBACK and length == 2:
            self.message_id = packet[body] << 8 | packet[body + 1]
            if self.message_id not in self._flying:
                return NOTHING
            self._flying[self._flying.index(self.message_id)] = 0
            self.in_flight -= 1
            return ARRIVED
        if kind == _SUBACK and length == 3:
            if packet[body + 2] > 2:
                raise MQTTError("subscription-refused")
            return SUBSCRIBED
        if kind == _CONNACK and length == 2 and not self._open:
            answer = packet[body + 1]
            if answer:
                reason = _REFUSALS[answer] if answer < len(_REFUSALS) else "code %d" % answer
                raise MQTTError("refused", reason)
            self._open = True
            return CONNECTED
        if kind == _PINGRESP and length == 0:
            self._ping_ms = None
            return NOTHING
        raise MQTTError("protocol", "packet 0x%02x of %d bytes" % (packet[0], length))

    def _read_publish(self, body):
        packet = self.packet
        qos = packet[0] >> 1 & 3
        end = self._consumed
        if body + 2 > end or qos > 1:
            raise MQTTError("protocol", "publish 0x%02x" % packet[0])
        self.topic_at = body + 2
        self.topic_end = self.topic_at + (packet[body] << 8 | packet[body + 1])
        self.payload_at = self.topic_end + (2 if qos else 0)
        self.end = end
        if self.payload_at > end:
            raise MQTTError("protocol", "publish is cut short")
        if qos:
            self._owed = packet[self.topic_end] << 8 | packet[self.topic_end + 1]
        return MESSAGE

    def _whole_packet(self):
        """Return where the body of the first packet begins if all of it is there, else 0."""
        length = 0
        for i in range(1, 5):
            if i >= self._filled:
                return 0
            byte = self.packet[i]
            length |= (byte & 0x7F) << 7 * (i - 1)
            if not byte & 0x80:
                break
        else:
            raise MQTTError("protocol", "a length of more than four bytes")
        body = i + 1
        if body + length > PACKET_MAX:
            self.oversize += 1
            self._skip = body + length - self._filled
            self._filled = 0
            return 0
        if body + length > self._filled:
            return 0
        self._consumed = body + length
        return body

    def _discard(self):
        """Move what lies behind the packet handed out last to the front."""
        if self._consumed:
            rest = self._filled - self._consumed
            if rest:
                self.packet[:rest] = self.packet[self._consumed : self._filled]
            self._filled = rest
            self._consumed = 0

    def _next_id(self):
        """Return an unused message id; 1 follows 65,535 and 0 is none (2.3.1)."""
        while True:
            self._last_id = self._last_id % 65535 + 1
            if self._last_id not in self._flying:
                return self._last_id

    def _begin(self, kind, length):
        if self._out_start and self._out_end + length + 5 > _OUT_MAX:
            rest = self._out_end - self._out_start
            self._out[:rest] = self._out[self._out_start : self._out_end]
            self._out_start, self._out_end = 0, rest
        if self._out_end + length + 5 > _OUT_MAX:
            raise MQTTError("protocol", "the broker makes us answer faster than the link takes it")
        self._put_byte(kind)
        while length > 0x7F:
            self._put_byte(length & 0x7F | 0x80)
            length >>= 7
        self._put_byte(length)

    def _put(self, data):
        end = self._out_end + len(data)
        self._out[self._out_end : end] = data
        self._out_end = end

    def _put_byte(self, value):
        self._out[self._out_end] = value
        self._out_end += 1

    def _put_number(self, value):
        self._put_byte(value >> 8)
        self._put_byte(value & 0xFF)

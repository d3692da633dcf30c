"""When to connect, how long to wait for each answer, and what to do when it does not come.

    link = Supervisor(hal, settings, identity, boot, outbox, downlink)
    wait_ms = link.poll(now_ms)

One table of states. Each state but WAIT and UP has a time it may last; every failure leads to WAIT,
where the back-off doubles with jitter; a connection that held for a while starts it anew. A silent
peer is a reason to connect again, never to reset the board. Names are resolved at each attempt.
"""

from agent.compat import const
from agent.errors import RemoteError
from agent.link import mqtt as m
from agent.wire import messages
from agent.wire.codes import STATE_LOST, STATE_UP

WAIT = const(0)
OPENING = const(1)  # TCP
GREETING = const(2)  # CONNACK
SUBSCRIBING = const(3)  # SUBACK
UP = const(4)

NAMES = ("wait", "opening", "greeting", "subscribing", "up")
_LIMIT_MS = (0, 20000, 20000, 20000, 0)

_BACKOFF_MS = const(1000)
_BACKOFF_MAX_MS = const(300000)
_STABLE_MS = const(60000)  # a connection that held this long was a good one
_LOOK_MS = const(20)  # how often a connection without readiness events is looked at
_READ_MAX = const(1024)  # bytes read in one step
_PAYLOAD_MAX = const(1024)  # bytes of records in one message; well inside the contract's 4,096


class Supervisor:
    """The link to the broker. `errors` and `connects` are counted; `last_error` is for people."""

    def __init__(self, hal, host, port, keepalive_s, device, password, boot, outbox, downlink):
        self.state = WAIT
        self.connects = 0
        self.errors = 0
        self.last_error = ""
        self.mqtt = m.MQTT()
        self._hal = hal
        self._host = host
        self._port = port
        self._keepalive_s = keepalive_s
        self._device = device.encode()
        self._password = password.encode()
        self._boot = boot
        self._connection = 0
        self._outbox = outbox
        self._downlink = downlink
        self._stream = _Closed()
        self._since_ms = 0
        self._wait_ms = 0
        self._backoff_ms = _BACKOFF_MS
        self._payload = bytearray(_PAYLOAD_MAX)
        self._read = bytearray(_READ_MAX)
        self._read_view = memoryview(self._read)
        self._topic_rec = messages.topic(device, "up", "rec").encode()
        self._topic_state = messages.topic(device, "up", "state").encode()
        self._topic_down = messages.topic(device, "dn", "+").encode()
        self._up_prefix = self._topic_rec[:-3]
        self._down_prefix = len(self._topic_down) - 1

    def poll(self, now_ms):
        """Do what is due; return the milliseconds until it wants to run again."""
        try:
            if self.state == WAIT:
                return self._wait(now_ms)
            if self.state == OPENING:
                self._opening(now_ms)
            else:
                self._talk(now_ms)
            limit_ms = _LIMIT_MS[self.state]
            if limit_ms and now_ms - self._since_ms > limit_ms:
                raise RemoteError("timeout", "in state " + NAMES[self.state])
        except (RemoteError, OSError) as error:
            self._fail(now_ms, error)
        return _LOOK_MS

    def close(self):
        """Say goodbye so that the broker does not publish the will, and close."""
        if self.state == UP:
            self._publish_state(STATE_LOST, self._since_ms)
            self.mqtt.disconnect()
            self._flush()
        self._drop()

    def _wait(self, now_ms):
        left_ms = self._wait_ms - (now_ms - self._since_ms)
        if left_ms > 0:
            return left_ms
        if not self._hal.network_up():
            return 500
        self._connection += 1
        self._stream = self._hal.connect(self._host, self._port)
        self._enter(OPENING, now_ms)
        return _LOOK_MS

    def _opening(self, now_ms):
        state = self._stream.state()
        if state < 0:
            raise RemoteError("connect", self._stream.error)
        if state:
            will = bytearray(24)
            n = messages.put_state(will, self._boot, self._connection, STATE_LOST)
            self.mqtt.connect(
                self._device,
                self._device,
                self._password,
                self._keepalive_s,
                self._topic_state,
                will[:n],
                now_ms,
            )
            self._enter(GREETING, now_ms)
            self._flush()

    def _talk(self, now_ms):
        self._receive(now_ms)
        if self.state == UP:
            self._send(now_ms)
        self.mqtt.poll(now_ms)
        self._flush()

    def _receive(self, now_ms):
        mqtt = self.mqtt
        while True:
            room = min(_READ_MAX, mqtt.room())
            n = self._stream.readinto(self._read_view[:room])
            if n:
                mqtt.feed(self._read, n)
            self._events(now_ms)
            if n < room:
                break
        if self._stream.state() < 0:
            raise RemoteError("closed", self._stream.error)

    def _events(self, now_ms):
        mqtt = self.mqtt
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
                self.connects += 1
                mqtt.subscribe(self._topic_down, now_ms)
                self._enter(SUBSCRIBING, now_ms)
            elif event == m.SUBSCRIBED:
                self._enter(UP, now_ms)
                self._downlink.connected()
                self._publish_state(STATE_UP, now_ms)

    def _send(self, now_ms):
        mqtt = self.mqtt
        if now_ms - self._since_ms > _STABLE_MS:
            self._backoff_ms = _BACKOFF_MS
        while self._downlink.waiting() and mqtt.ready(len(self._topic_rec) + 64):
            kind, payload = self._downlink.next_message(now_ms)
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
        if self.mqtt.ready(len(self._topic_state) + n):
            self.mqtt.publish(self._topic_state, payload, n, self.mqtt.reserve(), 1, now_ms)

    def _flush(self):
        while True:
            out = self.mqtt.outgoing()
            if not len(out):
                return
            n = self._stream.write(out)
            if not n:
                return
            self.mqtt.sent(n)

    def _enter(self, state, now_ms):
        self.state = state
        self._since_ms = now_ms

    def _fail(self, now_ms, error):
        self.errors += 1
        self.last_error = str(error)
        self._drop()
        self._outbox.broken(now_ms // 1000)
        # A fleet that lost its broker must not come back in one second.
        jitter = self._hal.random(1)[0]
        self._wait_ms = self._backoff_ms * (256 + jitter) // 512
        self._backoff_ms = min(self._backoff_ms * 2, _BACKOFF_MAX_MS)
        self._enter(WAIT, now_ms)

    def _drop(self):
        self._stream.close()
        self._stream = _Closed()


class _Closed:
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

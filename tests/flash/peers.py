"""A device that drains its outbox over MQTT, and a broker with a gateway behind it, without a network."""

from agent.link import mqtt as m
from agent.wire import messages
from agent.wire.read import Reader
from tests.device.fakes import FakeBroker
from tests.device.records import identities

PAYLOAD = 1024  # bytes of records in one message, as the supervisor's
REC = b"fw/1/00/buoy-1/up/rec"
ACK = b"fw/1/00/buoy-1/dn/ack"


class Device:
    """The agent's MQTT client and outbox; bytes in, bytes out."""

    def __init__(self, outbox, now_ms=0):
        self.outbox = outbox
        self.mqtt = m.MQTT()
        self.up = False
        self._payload = bytearray(PAYLOAD)
        self.mqtt.connect(b"buoy-1", b"buoy-1", b"pw", 60, b"will", b"", now_ms)

    def feed(self, data, now_ms):
        """Take what came down."""
        while data:
            n = min(len(data), self.mqtt.room())
            self.mqtt.feed(data[:n], n)
            data = data[n:]
            while (event := self.mqtt.next_event(now_ms)) != m.NOTHING:
                self._handle(event, now_ms)

    def talk(self, now_ms):
        """Return what goes up now."""
        now_s = now_ms // 1000
        mqtt = self.mqtt
        while self.up and self.outbox.due(now_s) and mqtt.ready(len(REC) + PAYLOAD):
            message_id = mqtt.reserve()
            n = self.outbox.fill(self._payload, now_s, message_id)
            if not n:
                break
            mqtt.publish(REC, self._payload, n, message_id, 0, now_ms)
        mqtt.poll(now_ms)
        out = bytes(mqtt.outgoing())
        mqtt.sent(len(out))
        return out

    def _handle(self, event, now_ms):
        mqtt = self.mqtt
        if event == m.CONNECTED:
            mqtt.subscribe(ACK, now_ms)
        elif event == m.SUBSCRIBED:
            self.up = True
        elif event == m.ARRIVED:
            self.outbox.arrived(mqtt.message_id)
        elif event == m.MESSAGE:
            reader = Reader(mqtt.packet, mqtt.payload_at, mqtt.end)
            while not reader.at_end():
                self.outbox.ack(*messages.read_ack(reader))


class Gateway:
    """A broker, and a gateway that acknowledges each message's records as ranges."""

    def __init__(self):
        self.broker = FakeBroker()
        self.records = []  # identities, as they came

    def take(self, data):
        """Take what came up; return what goes down."""
        self.broker.take(data)
        for topic, payload, _, _ in self.broker.published:
            if topic == REC:
                self._acknowledge(identities(payload))
        self.broker.published = []
        down, self.broker.down = self.broker.down, b""
        return down

    def _acknowledge(self, came):
        self.records += came
        ranges = []
        for boot, seq in sorted(came):
            if ranges and ranges[-1][0] == boot and ranges[-1][2] == seq - 1:
                ranges[-1][2] = seq
            else:
                ranges.append([boot, seq, seq])
        buf = bytearray(24 * len(ranges))
        pos = 0
        for boot, first, last in ranges:
            pos = messages.put_ack(buf, pos, boot, first, last)
        self.broker.send(ACK, bytes(buf[:pos]))

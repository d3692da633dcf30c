"""Fakes that can be told to misbehave: stores, streams, a broker, a board. Both interpreters."""

import errno


class FakeStore:
    """A boot store; `broken` refuses writes, `deaf` takes them without keeping them."""

    def __init__(self, data=None):
        self.data = data
        self.broken = False
        self.deaf = False

    def load(self):
        return self.data

    def save(self, data):
        if self.broken:
            raise OSError(errno.EIO)
        if not self.deaf:
            self.data = bytes(data)


class FakeLine:
    """A serial line: what is in `incoming` is read, what is written goes to `written`."""

    def __init__(self):
        self.incoming = b""
        self.written = b""

    def readinto(self, buf):
        n = min(len(buf), len(self.incoming))
        buf[:n] = self.incoming[:n]
        self.incoming = self.incoming[n:]
        return n

    def write(self, data):
        self.written += bytes(data)
        return len(data)


class FakeReader:
    """An analogue or digital input."""

    def __init__(self, value=0):
        self.value = value

    def read(self):
        return self.value


class FakeStream:
    """A connection to a FakeBroker, or to nobody. `step` bytes at most go through at a time."""

    def __init__(self, broker=None, state=1, step=65536):
        self.broker = broker
        self.error = ""
        self.step = step
        self._state = state

    def state(self):
        return self._state

    def readinto(self, view):
        if self._state != 1:
            return 0
        n = min(len(view), len(self.broker.down), self.step)
        view[:n] = self.broker.down[:n]
        self.broker.down = self.broker.down[n:]
        return n

    def write(self, view):
        if self._state != 1:
            return 0
        n = min(len(view), self.step)
        self.broker.take(bytes(view[:n]))
        return n

    def close(self):
        self._state = -1

    def break_off(self, error="ECONNRESET"):
        self.error = error
        self._state = -1


class FakeBroker:
    """Enough of an MQTT broker to answer; `silent` swallows everything, `refuse` is a CONNACK code.

    `published` holds (topic, payload, qos, retain), `packets` every packet's first byte.
    """

    def __init__(self):
        self.down = b""
        self.published = []
        self.packets = []
        self.connect_packet = b""
        self.silent = False
        self.refuse = 0
        self.puback = True
        self._up = b""

    def take(self, data):
        self._up += data
        while True:
            packet = self._next()
            if packet is None:
                return
            self.packets.append(packet[0])
            if not self.silent:
                self._answer(packet)

    def send(self, topic, payload, qos=0, message_id=1, retain=0):
        body = bytes([len(topic) >> 8, len(topic) & 0xFF]) + topic
        if qos:
            body += bytes([message_id >> 8, message_id & 0xFF])
        body += payload
        self.down += bytes([0x30 | qos << 1 | retain]) + length(len(body)) + body

    def _next(self):
        if len(self._up) < 2:
            return None
        n = shift = 0
        for i in range(1, 5):
            if i >= len(self._up):
                return None
            n |= (self._up[i] & 0x7F) << shift
            shift += 7
            if not self._up[i] & 0x80:
                break
        end = i + 1 + n
        if len(self._up) < end:
            return None
        packet = bytes([self._up[0]]) + self._up[i + 1 : end]
        self._up = self._up[end:]
        return packet

    def _answer(self, packet):
        kind = packet[0] & 0xF0
        if kind == 0x10:
            self.connect_packet = packet
            self.down += bytes([0x20, 2, 0, self.refuse])
        elif kind == 0x80:
            self.down += bytes([0x90, 3, packet[1], packet[2], 1])
        elif kind == 0x30:
            n = packet[1] << 8 | packet[2]
            at = 3 + n
            qos = packet[0] >> 1 & 3
            if qos:
                at += 2
                if self.puback:
                    self.down += bytes([0x40, 2, packet[at - 2], packet[at - 1]])
            self.published.append((packet[3 : 3 + n], packet[at:], qos, packet[0] & 1))
        elif kind == 0xC0:
            self.down += b"\xd0\x00"


def length(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


class FakeBoard:
    """A board whose time, network and connections the test decides."""

    name = "fake"

    def __init__(self, broker=None):
        self.ticks = 0
        self.broker = broker or FakeBroker()
        self.streams = []
        self.up = True
        self.lines = {}
        self.adcs = {}
        self.digitals = {}
        self.stores = (FakeStore(), FakeStore())
        self.refuse = False  # connections are refused

    def ticks_ms(self):
        return self.ticks

    def ticks_diff(self, a, b):
        return (a - b + (1 << 29)) % (1 << 30) - (1 << 29)

    def random(self, n):
        return bytes(range(n))

    def uart(self, port, baud, parity):
        return self.lines.setdefault(port, FakeLine())

    def adc(self, channel):
        return self.adcs.get(channel)

    def digital(self, name):
        return self.digitals.get(name)

    def connect(self, host, port):
        stream = FakeStream(self.broker, state=-1 if self.refuse else 1)
        if self.refuse:
            stream.error = "ECONNREFUSED"
        self.broker.down = b""
        self.broker._up = b""
        self.streams.append(stream)
        return stream

    def network_up(self):
        return self.up

    def boot_stores(self):
        return self.stores

    def reset_cause(self):
        return 1

    def heap_free(self):
        return None

"""A gateway behind a FakeBroker: acknowledges records, tells the time, signs commands."""

from agent.wire import messages as m
from agent.wire import schema
from agent.wire.read import Reader

_TAG = 16


def records(payload):
    """Take a CBOR sequence of records apart."""
    reader = Reader(payload, 0, len(payload))
    out = []
    while not reader.at_end():
        n = reader.array(schema.HEAD_ITEMS, schema.ITEMS_MAX)
        items = []
        for _ in range(n):
            if reader.null():
                items.append(None)
            elif reader.buf[reader.pos] >> 5 == 2:
                items.append(reader.byte_string(schema.BYTES_MAX))
            else:
                items.append(reader.integer())
        out.append(items)
    return out


class Gateway:
    """`records` has every record by (boot, seq), `answers` what commands gave: (id, result, detail).

    `time()` is the t it tells, None: it does not answer the question. `silent` acknowledges nothing.
    """

    def __init__(self, broker, device, key):
        self.records = {}
        self.order = []
        self.answers = []
        self.states = []
        self.nonce = None
        self.time = None
        self.silent = False
        self._broker = broker
        self._device = device
        self._key = key
        self._seen = 0
        self._asked = 0

    def poll(self):
        """Take what was published since the last time, and answer it."""
        published = self._broker.published
        while self._seen < len(published):
            topic, payload, _, _ = published[self._seen]
            self._seen += 1
            kind = topic.split(b"/")[-1]
            if kind == b"rec":
                self._take_records(payload)
            elif kind == b"state":
                self.states.append(m.read_state(payload))
            elif kind == b"cmd":
                self._take_command(payload)

    def ask_nonce(self):
        self._asked += 1
        buf = bytearray(16)
        self._send(b"cmd", buf[: m.put_nonce_ask(buf, self._asked)])

    def command(self, number, verb, until, arguments=b"", nonce=None, key=None):
        buf = bytearray(1200)
        to = m.mark(self._device)
        n = m.put_do(buf, number, to, verb, until, nonce, arguments, bytes(_TAG))
        signed = memoryview(buf)[: m.signed_end(n, bytes(_TAG))]
        tag = m.command_tag(key or self._key, self._device, signed)[:_TAG]
        n = m.put_do(buf, number, to, verb, until, nonce, arguments, tag)
        self._send(b"cmd", buf[:n])

    def _take_records(self, payload):
        buf = bytearray(2048)
        pos = 0
        for record in records(payload):
            identity = record[1], record[2]
            if identity not in self.records:
                self.order.append(identity)
            self.records[identity] = record
            pos = m.put_ack(buf, pos, identity[0], identity[1], identity[1])
        if not self.silent:
            self._send(b"ack", buf[:pos])

    def _take_command(self, payload):
        message = m.read_cmd_up(payload)
        if message[0] == m.CLOCK and self.time is not None:
            buf = bytearray(32)
            n = m.put_clock_tell(buf, message[1], self.time(), 0, None)
            self._send(b"cmd", buf[:n])
        elif message[0] == m.DO:
            self.answers.append(message[1:])
        elif message[0] == m.NONCE:
            self.nonce = message[2]

    def _send(self, kind, payload):
        topic = m.topic(self._device, "dn", kind.decode()).encode()
        self._broker.send(topic, bytes(payload))

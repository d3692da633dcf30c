"""Malformed messages, made from good ones by a seed.

    mutator = Mutator(seed)
    topic, payload = mutator.message("fuzz-1")

Good messages of every schema and kind are drawn; most are then hurt once or several times, in the ways
in which bytes go wrong on the way (bits, cuts, splices) and in which a wrong program writes them
(lengths that lie, other types, floats, tags, nesting, text, bytes after the end, other topics).
"""

import random
import struct
import time

import cbor2

from agent.wire import messages, schema, series

T0 = int(time.time()) - series.EPOCH_2020 - 86_400  # yesterday
HURT = 0.9  # of the messages
KINDS = ("rec",) * 12 + ("state", "cmd", "cmd", "ota")
RECORDS_MAX = 8
BOOTS = 3
PAYLOAD_MAX = 6000  # what is inserted stops here


class Mutator:
    """A stream of messages for some devices."""

    def __init__(self, seed):
        self._rng = random.Random(seed)
        self._seqs = {}
        self._last = [b""]  # good payloads of late, to splice with
        self._ways = [
            self._flip, self._flip, self._cut, self._insert, self._splice, self._lie,
            self._other_type, self._floats, self._tag, self._nest, self._huge, self._trail,
            self._text, self._drop, self._repeat, self._longer, self._indefinite, self._map,
        ]  # fmt: skip

    def message(self, device):
        """Return (topic, payload), good or not."""
        rng = self._rng
        kind = rng.choice(KINDS)
        topic = messages.topic(device, "up", kind)
        payload = self._good(device, kind)
        self._last.append(payload)
        del self._last[:-20]
        if rng.random() > HURT:
            return topic, payload
        if rng.random() < 0.03:
            topic = self._other_topic(topic, device)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            payload = rng.choice(self._ways)(payload)[:PAYLOAD_MAX]
        return topic, payload

    def _good(self, device, kind):
        rng = self._rng
        if kind == "state":
            return cbor2.dumps([rng.randint(1, BOOTS), rng.randrange(1000), rng.randrange(2)])
        if kind == "cmd":
            return cbor2.dumps(
                rng.choice((
                    [1, rng.randrange(1 << 32), rng.randrange(1 << 30)],
                    [2, rng.randrange(1 << 32), rng.randrange(14), rng.randbytes(rng.randrange(40))],
                    [3, rng.randrange(1 << 32), rng.randbytes(8), rng.randrange(1 << 30)],
                ))
            )  # fmt: skip
        if kind == "ota":
            return cbor2.dumps([1, rng.randrange(1 << 32), rng.randrange(16), rng.randbytes(9)])
        n = rng.choice((1, 1, 2, rng.randint(1, RECORDS_MAX)))
        return b"".join(self._record(device) for _ in range(n))

    def _record(self, device):
        rng = self._rng
        boot = rng.randint(1, BOOTS)
        seq = self._seqs.get((device, boot), 0)
        self._seqs[device, boot] = seq + 1
        t = T0 + seq if rng.random() < 0.9 else -1 - rng.randrange(10_000)
        row = schema.SCHEMAS[rng.randrange(1, len(schema.SCHEMAS))]
        values = []
        for _, unit, _, low, high in row[3]:
            if rng.random() < 0.2:
                values.append(None)
            elif unit == "bytes":
                values.append(rng.randbytes(min(rng.randint(low, high), 8)))
            else:
                values.append(rng.choice((low, high, rng.randint(low, high))))
        while values and values[-1] is None:
            values.pop()
        if rng.random() < 0.02:
            return cbor2.dumps([rng.randint(60, 0xFFFF), boot, seq, t, *values[:20]])
        return cbor2.dumps([row[0], boot, seq, t, *values])

    def _other_topic(self, topic, device):
        parts = topic.split("/")
        if self._rng.random() < 0.5:
            parts[2] = f"{self._rng.randrange(256):02x}"
        else:
            parts[5] = self._rng.choice(("recs", "REC", "ack", "x", "état", "-"))
        return "/".join(parts)

    def _at(self, payload):
        return self._rng.randrange(len(payload) + 1)

    def _flip(self, payload):
        out = bytearray(payload)
        for _ in range(self._rng.choice((1, 1, 2, 8))):
            if out:
                out[self._rng.randrange(len(out))] ^= 1 << self._rng.randrange(8)
        return bytes(out)

    def _cut(self, payload):
        return payload[: self._at(payload)]

    def _drop(self, payload):
        at = self._at(payload)
        return payload[:at] + payload[at + self._rng.randint(1, 4) :]

    def _insert(self, payload):
        at = self._at(payload)
        return payload[:at] + self._rng.randbytes(self._rng.randint(1, 9)) + payload[at:]

    def _splice(self, payload):
        other = self._rng.choice(self._last)
        return payload[: self._at(payload)] + other[self._at(other) :]

    def _repeat(self, payload):
        return payload * self._rng.randint(2, 60)

    def _lie(self, payload):
        """Let the first array say another length."""
        if not payload:
            return payload
        n = self._rng.choice((0, 3, 4, 22, 23))
        return bytes([0x80 + n]) + payload[1:]

    def _put(self, payload, item):
        """Put an item where one may stand: at the start, at the end, or in the first array."""
        where = self._rng.randrange(3)
        if where == 0:
            return item + payload
        if where == 1:
            return payload + item
        try:
            items = cbor2.loads(payload)
            parts = [cbor2.dumps(value) for value in items] if isinstance(items, list) else []
        except (cbor2.CBORError, ValueError, TypeError):
            parts = []
        if not parts:
            return payload + item
        parts[self._rng.randrange(len(parts))] = item
        head = bytes([0x80 + len(parts)]) if len(parts) < 24 else bytes([0x98, len(parts) & 255])
        return head + b"".join(parts)

    def _other_type(self, payload):
        item = self._rng.choice((
            b"\xf4", b"\xf5", b"\xf6", b"\xf7", b"\xe0", b"\xf8\x20", b"\x40", b"\x80", b"\xa0",
            b"\x58\x28" + bytes(40), b"\x1b" + bytes(8), b"\x3b" + b"\xff" * 8, b"\x18\x05",
            b"\x1b\x00\x00\x00\x01\x00\x00\x00\x00", b"\x3a\xff\xff\xff\xff", b"\x19\x00\xff",
        ))  # fmt: skip
        return self._put(payload, item)

    def _floats(self, payload):
        value = self._rng.choice((0.0, 1.5, -1e300, float("nan"), float("inf")))
        form, head = self._rng.choice(((">d", b"\xfb"), (">f", b"\xfa"), (">e", b"\xf9")))
        try:
            return self._put(payload, head + struct.pack(form, value))
        except OverflowError:
            return self._put(payload, b"\xfb" + struct.pack(">d", value))

    def _tag(self, payload):
        tag = self._rng.choice((b"\xc0", b"\xc2", b"\xd8\x1c", b"\xd8\x1d\x00", b"\xd9\xd9\xf7"))
        return self._put(payload, tag + self._rng.choice((b"\x42\x01\x00", b"\x00", payload[:50])))

    def _nest(self, payload):
        deep = self._rng.choice((1, 2, 15, 16, 17, 300, 3000))
        return self._put(
            payload, self._rng.choice((b"\x81", b"\xa1\x00", b"\xc1")) * deep + b"\x00"
        )

    def _huge(self, payload):
        head = self._rng.choice((b"\x9b", b"\x5b", b"\x7b", b"\xbb", b"\x9a", b"\x5a", b"\xba"))
        size = 8 if head[0] & 31 == 27 else 4
        n = self._rng.choice(((1 << 31) - 1, 1 << 20, 5000, 300))
        return self._put(payload, head + n.to_bytes(size, "big"))

    def _trail(self, payload):
        return payload + self._rng.choice((b"\x00", b"\xff", b"\xf6", self._rng.randbytes(5)))

    def _text(self, payload):
        text = self._rng.choice(("", "NaN", "灯", "a" * 30))
        return self._put(payload, cbor2.dumps(text))

    def _longer(self, payload):
        return self._put(payload, cbor2.dumps([1, 1, self._rng.randrange(99), 0, *[7] * 60]))

    def _indefinite(self, payload):
        return self._put(
            payload, self._rng.choice((b"\x9f\x00\xff", b"\x5f\x41\x00\xff", b"\xff"))
        )

    def _map(self, payload):
        pair = self._rng.choice(((1, 1), (1, 2)))
        return self._put(payload, b"\xa2" + b"".join(bytes([key, 0]) for key in pair))

"""The contract once more, slow and plain, after docs/wire.md: what a gateway has to make of a message.

    oracle = Oracle()
    oracle.take(topic, payload)
    oracle.counts            what its counters must say
    oracle.visible()         what its journal must hand on

Shares no code with the decoder: CBOR is walked here byte by byte, and the schema table is the only
thing taken from the product.
"""

import hashlib
import math
import re
import struct
from collections import Counter

from agent.wire import schema

TOLD_APART = (
    8  # refused items of one payload; further neighbours without identity are put together
)
DEPTH = 16  # nesting that is followed to find where a refused item ends
UINT32 = 0xFFFFFFFF
M30 = 0x3FFFFFFF
HEAD = ((1, 0xFFFF), (0, M30), (0, M30), (-0x40000000, M30))
CLOCK = 4


class NoEndError(Exception):
    """Where an item ends cannot be known."""


class Walk:
    """One item of a payload: where it ends, its first fault, its outermost items."""

    def __init__(self, data, start):
        self.data, self.pos = data, start
        self.faults = []
        self.items = []  # of the outermost array; "?" for what is none of int, bytes, null
        try:
            self.item(0)
            self.ended = True
        except NoEndError as error:
            self.faults.append(str(error))
            self.ended = False
            self.pos = len(data)
        self.raw = data[start : self.pos]
        if self.ended and not self.faults and len(self.raw) > 240:
            self.faults.append("record-too-long")
        if not self.faults and not self.head_is_good():
            self.faults.append("integer-range")

    def head_is_good(self):
        return all(
            isinstance(value, int) and low <= value <= high
            for value, (low, high) in zip(self.items, HEAD, strict=False)
        )

    @property
    def reason(self):
        if "duplicate-keys" in self.faults:
            return "duplicate-keys"
        return self.faults[0] if self.faults else None

    @property
    def identity(self):
        if len(self.items) < 3:
            return None
        boot, seq = self.items[1:3]
        good = isinstance(boot, int) and isinstance(seq, int) and 0 <= boot <= M30 >= seq >= 0
        return (boot, seq) if good else None

    def byte(self):
        if self.pos >= len(self.data):
            raise NoEndError("truncated")
        self.pos += 1
        return self.data[self.pos - 1]

    def argument(self, major, info):
        if info < 24:
            return info
        if info == 31 and 2 <= major <= 5:
            raise NoEndError("indefinite-length")
        if info > 27:
            raise NoEndError("malformed")
        n = 0
        size = 2 ** (info - 24)
        if self.pos + size > len(self.data):
            raise NoEndError("truncated")
        for _ in range(size):
            n = n * 256 + self.byte()
        if major != 7 and n < {24: 24, 25: 2**8, 26: 2**16, 27: 2**32}[info]:
            self.faults.append("not-shortest")
        if 2 <= major <= 5 and n > len(self.data):
            raise NoEndError("truncated")
        return n

    def item(self, depth):
        if depth > DEPTH:
            raise NoEndError("too-deep")
        before = self.pos
        first = self.byte()
        major, info = first >> 5, first & 31
        n = self.argument(major, info)
        value = "?"
        if depth == 0 and major < 3:
            self.faults.append("not-an-array")
        if major in {0, 1}:
            value = n if major == 0 else -1 - n
            if n > UINT32:
                self.faults.append("integer-range")
        elif major in {2, 3}:
            if major == 3:
                self.faults.append("text")
            elif n > 32:
                self.faults.append("bytes-too-long")
            if self.pos + n > len(self.data):
                raise NoEndError("truncated")
            value = self.data[self.pos : self.pos + n] if major == 2 else "?"
            self.pos += n
        elif major == 4:
            if depth > 0:
                self.faults.append("too-deep")
            elif not 4 <= n <= 48:
                self.faults.append("too-few-items" if n < 4 else "too-many-items")
        elif major == 5:
            if depth == 0:
                self.faults.append("map")
        elif major == 6:
            self.faults.append("tag")
        elif info == 22:
            value = None
            if depth == 0:
                self.faults.append("simple")
        else:
            self.faults.append(self.simple(info, before))
        if depth == 1:
            self.items.append(value)
        if major == 4:
            for _ in range(n):
                self.item(depth + 1)
        elif major == 5:
            self.map(n, depth)
        elif major == 6:
            self.item(depth + 1)

    def map(self, n, depth):
        keys = []
        for _ in range(n):
            before = self.pos
            self.item(depth + 1)
            key = self.data[before : self.pos]
            if key in keys:
                self.faults.append("duplicate-keys")
            keys.append(key)
            self.item(depth + 1)
        self.faults.append("map")

    def simple(self, info, at):
        form = {25: ">e", 26: ">f", 27: ">d"}.get(info)
        if form is None:
            return "simple"
        (value,) = struct.unpack_from(form, self.data, at + 1)
        return "nan" if math.isnan(value) else "float"


def read(payload):
    """Return ([record Walk, …], [(reason, identity), …]) of a payload of `rec`."""
    if not payload:
        return [], [("empty", None)]
    if len(payload) > 4096:
        return [], [("payload-too-long", None)]
    records, letters = [], []
    pos = refused = 0
    last_was_bad = False
    while pos < len(payload):
        walk = Walk(payload, pos)
        pos = walk.pos
        if walk.reason is None:
            records.append(walk)
            last_was_bad = False
            continue
        refused += 1
        if not (refused > TOLD_APART and last_was_bad and walk.identity is None):
            letters.append((walk.reason, walk.identity))
        last_was_bad = True
    return records, letters


def small(payload, *allowed):
    """Whether a payload is an array as one of `allowed`: tuples of (low, high) or a length."""
    pos = 0

    def argument(major):
        nonlocal pos
        first = payload[pos]
        pos += 1
        if first >> 5 != major:
            raise ValueError
        if first & 31 < 24:
            return first & 31
        if first & 31 > 26:
            raise ValueError
        size = 2 ** ((first & 31) - 24)
        n = payload[pos : pos + size]
        if len(n) < size:
            raise ValueError
        pos += size
        return int.from_bytes(n, "big")

    for shape in allowed:
        pos = 0
        try:
            if argument(4) != len(shape):
                continue
            for limit in shape:
                if isinstance(limit, tuple):
                    if not limit[0] <= argument(0) <= limit[1]:
                        raise ValueError
                else:
                    n = argument(2)
                    if n > limit or pos + n > len(payload):
                        raise ValueError
                    pos += n
        except (ValueError, IndexError):
            continue
        if pos == len(payload):
            return True
    return False


UINT = (0, UINT32)
SMALL = {
    "state": [((0, M30), (0, M30), (0, 1))],
    "cmd": [
        ((1, 1), UINT, (0, M30)),
        ((2, 2), UINT, UINT, 1024),
        ((3, 3), UINT, 16, (0, M30)),
    ],
    "ota": [((1, 1), UINT, UINT, 512)],
}


class Oracle:
    """What came so far, and what must be known of it."""

    def __init__(self):
        self.counts = Counter()
        self.kept = {}  # (device, boot, seq) -> bytes
        self.known = set()  # identities that may be acknowledged
        self.malformed = 0  # messages with at least one dead letter
        self.whole = 0  # messages without
        self._others = set()  # (identity, bytes) of conflicts
        self._dated = set()  # (device, boot)

    def take(self, topic, payload):
        """Take one message; return whether it is whole and good."""
        before = self.counts["dead_letters"]
        self.counts["messages"] += 1
        device = self._device(topic)
        kind = topic.split("/")[5]
        if device is None or kind not in {"rec", *SMALL}:
            self._bury("topic")
        elif kind != "rec":
            if not small(payload, *SMALL[kind]):
                self._bury(f"{kind}-")
        else:
            records, letters = read(payload)
            for walk in records:
                self._keep(device, walk)
            for reason, identity in letters:
                self._bury(reason)
                if identity is not None:
                    self.known.add((device, *identity))
        good = self.counts["dead_letters"] == before
        self.malformed += not good
        self.whole += good
        return good

    def visible(self):
        """Return what the sinks must be given: {identity: bytes}."""
        return {
            identity: raw
            for identity, raw in self.kept.items()
            if (items := Walk(raw, 0).items)[0] < len(schema.SCHEMAS)
            and (items[3] >= 0 or identity[:2] in self._dated)
        }

    def _device(self, topic):
        _, _, shard, device, *_ = topic.split("/")
        good = re.fullmatch("[a-z0-9-]{1,32}", device)
        return (
            device if good and hashlib.sha256(device.encode()).hexdigest()[:2] == shard else None
        )

    def _bury(self, reason):
        self.counts["dead_letters"] += 1
        self.counts[f"dead_letters.{reason}"] += 1

    def _keep(self, device, walk):
        which, boot, seq, t, *values = walk.items
        identity = (device, boot, seq)
        self.known.add(identity)
        if identity in self.kept:
            if self.kept[identity] == walk.raw:
                self.counts["duplicates"] += 1
            elif (identity, walk.raw) not in self._others:
                self._others.add((identity, walk.raw))
                self.counts["conflicts"] += 1
            return
        self.kept[identity] = walk.raw
        self.counts["records"] += 1
        if which >= len(schema.SCHEMAS):
            return
        faults = 0
        for (_, unit, _, low, high), value in zip(schema.SCHEMAS[which][3], values, strict=False):
            if value is None:
                continue
            if (unit == "bytes") != isinstance(value, bytes):
                self._bury("field-type")
                faults += 1
            elif not low <= (len(value) if unit == "bytes" else value) <= high:
                self._bury("field-range")
                faults += 1
        if which == CLOCK and not faults and t >= 0 and values and isinstance(values[0], int):
            self._dated.add((device, boot))

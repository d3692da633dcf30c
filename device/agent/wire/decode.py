"""Decodes records, strictly. Host only: this file does not go onto a board.

    for item in sequence(payload):
        if isinstance(item, Bad): dead_letters.add(item)
        else: journal.add(item)

A regular expression decides what is a record, cbor2 reads it. A record has exactly one encoding (RFC
8949 §4.2.1: definite lengths, shortest integers), so that equal records have equal bytes; that one
encoding is a regular language, and to match it costs less than to look at every item. What does not
match is walked through to name what is wrong with it, one of `CODES`, and what is good beside it in the
same payload is kept.
"""

import math
import re
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

import cbor2

from agent.errors import RemoteError
from agent.wire import schema

CODES: Final = {
    "empty": "the payload has no bytes",
    "payload-too-long": f"the payload is longer than {schema.PAYLOAD_MAX} bytes",
    "record-too-long": f"the record is longer than {schema.RECORD_MAX} bytes",
    "truncated": "the bytes end inside an item",
    "malformed": "a reserved or impossible CBOR head",
    "not-an-array": "an item that is not a record",
    "too-few-items": f"fewer than the {schema.HEAD_ITEMS} items of a record's head",
    "too-many-items": f"more than {schema.ITEMS_MAX} items",
    "too-deep": "an array inside a record",
    "indefinite-length": "an array or string without its length",
    "not-shortest": "an integer or length that is longer than it need be",
    "integer-range": "an integer beyond ±2**32, or a head beyond the contract's limits",
    "bytes-too-long": f"a byte string longer than {schema.BYTES_MAX} bytes",
    "text": "a text string",
    "map": "a map",
    "duplicate-keys": "a map with the same key twice",
    "tag": "a tagged item",
    "float": "a floating-point number",
    "nan": "a floating-point NaN",
    "simple": "true, false, undefined or another simple value",
    "trailing-bytes": "bytes after the record",
    "unknown-schema": "a schema this program does not know yet",
    "field-range": "a value outside its field's range",
    "field-type": "a number where a byte string belongs, or the other way round",
}

_BAD_MAX: Final = 8  # refused items told apart in one payload; further neighbours are put together
_SKIP_DEPTH: Final = 16  # nesting that is followed to find where a refused item ends
_UINT32: Final = 0xFFFFFFFF
_SCHEMA_MAX: Final = 0xFFFF


def _shapes() -> dict[int, re.Pattern[bytes]]:
    """Return what an array of so many items looks like, by its first byte."""
    items = [
        rb"[\x00-\x17\x20-\x37\xf6]",  # one byte: an integer, or null
        rb"[\x18\x38][\x18-\xff]",
        rb"[\x19\x39][\x01-\xff].",
        rb"[\x1a\x3a](?!\x00\x00)....",
    ]
    for n in range(schema.BYTES_MAX + 1):
        head = bytes([0x40 + n]) if n < 24 else bytes([0x58, n])
        items.append(re.escape(head) + b".{%d}" % n)
    item = b"(?:" + b"|".join(items) + b")"
    shapes = {
        0x80 + n: re.compile(b"." + item + b"{%d}" % n, re.DOTALL)
        for n in range(schema.HEAD_ITEMS, 24)
    }
    longer = [re.escape(bytes([n])) + item + b"{%d}" % n for n in range(24, schema.ITEMS_MAX + 1)]
    shapes[0x98] = re.compile(b"\x98(?:" + b"|".join(longer) + b")", re.DOTALL)
    return shapes


_SHAPES: Final = _shapes()


def _within() -> dict[int, Callable[[list[int | bytes | None]], bool]]:
    """Return for each schema that has numbers only whether a record's items are within its ranges.

    One expression each, as a loop over the fields costs three times as much; it raises TypeError
    for a byte string and IndexError for a record that is shorter than its schema.
    """
    found = {}
    for schema_id, _, _, fields in schema.SCHEMAS[1:]:
        if any(unit == "bytes" for _, unit, *_ in fields):
            continue
        held = " and ".join(
            f"(i[{at}] is None or {low} <= i[{at}] <= {high})"
            for at, (_, _, _, low, high) in enumerate(fields, schema.HEAD_ITEMS)
        )
        found[schema_id] = eval(f"lambda i: {held}")  # noqa: S307  (made of our own table)
    return found


_WITHIN: Final = _within()


class DecodeError(RemoteError):
    """Bytes that are not what the contract says. `code` is one of CODES."""


class Record(NamedTuple):
    """One record as it came: `raw` are its bytes, `items` everything in it."""

    raw: bytes
    schema: int
    boot: int
    seq: int
    t: int
    items: list[int | bytes | None]

    @property
    def values(self) -> list[int | bytes | None]:
        """The values after the head."""
        return self.items[schema.HEAD_ITEMS :]


class Bad(NamedTuple):
    """Bytes that were refused: where in the payload, why, and whose they are if that is readable."""

    raw: bytes
    offset: int
    error: DecodeError
    identity: tuple[int, int] | None


class Fault(NamedTuple):
    """A value of a known schema that is outside the contract; it counts as not measured."""

    field: str
    error: DecodeError


def sequence(payload: bytes) -> list[Record | Bad]:
    """Decode an MQTT payload (a CBOR sequence of records, RFC 8742), in order."""
    if not payload:
        return [Bad(payload, 0, DecodeError("empty"), None)]
    if len(payload) > schema.PAYLOAD_MAX:
        detail = f"{len(payload)} bytes"
        return [Bad(payload, 0, DecodeError("payload-too-long", detail), None)]
    out: list[Record | Bad] = []
    bad = 0
    pos = 0
    while pos < len(payload):
        record = _record(payload, pos)
        if record is not None:
            out.append(record)
            pos += len(record.raw)
            continue
        refused = _refuse(payload, pos)
        bad += 1
        last = out[-1] if out else None
        if bad > _BAD_MAX and isinstance(last, Bad) and refused.identity is None:
            out[-1] = last._replace(raw=last.raw + refused.raw)
        else:
            out.append(refused)
        pos += len(refused.raw)
    return out


def one(raw: bytes) -> Record:
    """Decode exactly one record.

    Raises:
        DecodeError: what it is instead; `trailing-bytes` if more follows.
    """
    first = sequence(raw)[0]
    if isinstance(first, Bad):
        raise first.error
    if len(first.raw) < len(raw):
        raise DecodeError("trailing-bytes", f"{len(raw) - len(first.raw)} after the record")
    return first


def sound(record: Record) -> bool:
    """Whether a record's schema is known and `check` has nothing to say; much faster than that."""
    within = _WITHIN.get(record.schema)
    if within is not None:
        try:
            return within(record.items)
        except (TypeError, IndexError):
            pass
    return record.schema < len(schema.SCHEMAS) and not check(record)


def check(record: Record) -> list[Fault]:
    """Hold a record against its schema; return the values that are outside it (mostly none).

    Values beyond the known fields belong to a newer version of the schema and are kept.

    Raises:
        DecodeError: `unknown-schema`.
    """
    row = row_of(record.schema)
    faults = []
    for (name, unit, _, low, high), value in zip(row[3], record.values, strict=False):
        if value is None:
            continue
        if (unit == "bytes") != isinstance(value, bytes):
            faults.append(Fault(name, DecodeError("field-type", f"{row[1]}.{name}")))
            continue
        size = len(value) if isinstance(value, bytes) else value
        if not low <= size <= high:
            detail = f"{row[1]}.{name} is {size}, allowed {low} to {high}"
            faults.append(Fault(name, DecodeError("field-range", detail)))
    return faults


def row_of(schema_id: int) -> tuple[int, str, int, tuple[tuple[str, str, int, int, int], ...]]:
    """Return the row of the schema table.

    Raises:
        DecodeError: `unknown-schema`.
    """
    row = schema.SCHEMAS[schema_id] if 0 < schema_id < len(schema.SCHEMAS) else None
    if row is None:
        raise DecodeError("unknown-schema", str(schema_id))
    return row


def _record(payload: bytes, pos: int) -> Record | None:
    """Return the record at `pos`, or None when what is there is not one."""
    first = payload[pos]
    found = _SHAPES[first].match(payload, pos) if first in _SHAPES else None
    if found is None:
        return None
    raw = found[0]
    if len(raw) > schema.RECORD_MAX:
        return None
    items = cbor2.loads(raw)
    schema_id, boot, seq, t = items[:4]
    try:
        good = (
            0 < schema_id <= _SCHEMA_MAX
            and 0 <= boot <= schema.BOOT_MAX
            and 0 <= seq <= schema.SEQ_MAX
            and schema.T_MIN <= t <= schema.T_MAX
        )
    except TypeError:  # a null or a byte string in the head
        return None
    return Record(raw, schema_id, boot, seq, t, items) if good else None


def _head_fault(items: list[object]) -> str | None:
    """Say what is wrong with the four items of the head, if anything."""
    bounds = (
        ("schema", 1, _SCHEMA_MAX),
        ("boot", 0, schema.BOOT_MAX),
        ("seq", 0, schema.SEQ_MAX),
        ("t", schema.T_MIN, schema.T_MAX),
    )
    for (name, low, high), value in zip(bounds, items, strict=False):
        if type(value) is not int:
            return f"{name} is not an integer"
        if not low <= value <= high:
            return f"{name} is {value}, allowed {low} to {high}"
    return None


def _refuse(payload: bytes, pos: int) -> Bad:
    """Say what is wrong with the item at `pos`, and how far it reaches."""
    scan = _Scan(payload, pos)
    try:
        scan.item(0)
        raw = payload[pos : scan.pos]
        if scan.error is None and len(raw) > schema.RECORD_MAX:
            scan.note("record-too-long", f"{len(raw)} bytes")
        if scan.error is None and (fault := _head_fault(list(scan.head))):
            scan.note("integer-range", fault)
    except DecodeError as error:
        # Where this item ends is not known, so nothing after it can be read either.
        scan.error = scan.error or error
        raw = payload[pos:]
    identity = None
    if len(scan.head) >= 3 and _head_fault([1, *scan.head[1:3], 0]) is None:
        identity = (int(scan.head[1] or 0), int(scan.head[2] or 0))
    return Bad(raw, pos, scan.error or DecodeError("malformed"), identity)


class _Scan:
    """Walks over any CBOR item to name its first fault and find its end."""

    def __init__(self, payload: bytes, pos: int) -> None:
        self.payload = payload
        self.pos = pos
        self.error: DecodeError | None = None
        self.head: list[int | None] = []

    def note(self, code: str, detail: str = "") -> None:
        if self.error is None:
            self.error = DecodeError(code, detail or f"at byte {self.pos}")

    def item(self, depth: int) -> None:
        """Walk over one item; raise DecodeError where no end can be found."""
        if depth > _SKIP_DEPTH:
            raise DecodeError("too-deep", f"at byte {self.pos}")
        start = self.pos
        major, info, n = self._head()
        if depth == 0 and major != 4:
            self.note("not-an-array" if major in {0, 1, 2} else self._name(major, info, start))
        if depth == 1:
            self.head.append({0: n, 1: -1 - n}.get(major) if major in {0, 1} else None)
        if major in {0, 1}:
            if n > _UINT32:
                self.note("integer-range", f"{n} at byte {start}")
        elif major in {2, 3}:
            if major == 3:
                self.note("text")
            elif n > schema.BYTES_MAX:
                self.note("bytes-too-long", f"{n} at byte {start}")
            if self.pos + n > len(self.payload):
                raise DecodeError("truncated", f"inside a string at byte {start}")
            self.pos += n
        elif major == 4:
            if depth > 0:
                self.note("too-deep")
            elif n > schema.ITEMS_MAX:
                self.note("too-many-items", str(n))
            elif n < schema.HEAD_ITEMS:
                self.note("too-few-items", str(n))
            for _ in range(n):
                self.item(depth + 1)
        elif major == 5:
            self._map(n, depth)
        elif major == 6:
            self.note("tag")
            self.item(depth + 1)
        elif info != 22:
            self.note(self._name(major, info, start))

    def _map(self, n: int, depth: int) -> None:
        keys = set()
        for _ in range(n):
            start = self.pos
            self.item(depth + 1)
            key = self.payload[start : self.pos]
            if key in keys:
                self.error = DecodeError("duplicate-keys", f"at byte {start}")
            keys.add(key)
            self.item(depth + 1)
        self.note("map")

    def _name(self, major: int, info: int, start: int) -> str:
        if major == 3:
            return "text"
        if major == 5:
            return "map"
        if major == 6:
            return "tag"
        if info in {25, 26, 27}:
            size = 1 << (info - 24)
            code = {2: ">e", 4: ">f", 8: ">d"}[size]
            (value,) = struct.unpack(code, self.payload[start + 1 : start + 1 + size])
            return "nan" if math.isnan(value) else "float"
        return "simple"

    def _head(self) -> tuple[int, int, int]:
        if self.pos >= len(self.payload):
            raise DecodeError("truncated", f"at byte {self.pos}")
        first = self.payload[self.pos]
        major, info = first >> 5, first & 0x1F
        start = self.pos
        self.pos += 1
        if info < 24:
            return major, info, info
        if info == 31 and major in {2, 3, 4, 5}:
            raise DecodeError("indefinite-length", f"at byte {start}")
        if info > 27:
            raise DecodeError("malformed", f"0x{first:02x} at byte {start}")
        size = 1 << (info - 24)
        if self.pos + size > len(self.payload):
            raise DecodeError("truncated", f"inside a head at byte {start}")
        n = int.from_bytes(self.payload[self.pos : self.pos + size], "big")
        self.pos += size
        if major < 7 and n < (24, 0x100, 0x10000, 0x100000000)[info - 24]:
            self.note("not-shortest", f"at byte {start}")
        if major in {2, 3, 4, 5} and n > len(self.payload):
            raise DecodeError("truncated", f"a length of {n} at byte {start}")
        return major, info, n

"""Encodes records and small messages as CBOR (RFC 8949) into a buffer that is reused.

    encoder = Encoder()
    n = encoder.record(BEACON, boot, seq, t, values)
    outbox.put(encoder.buf, n, …)

Only what the contract needs: definite-length arrays, integers in their shortest form, byte strings,
null. Nothing is allocated per record as long as every integer is a small one.
"""

from agent.compat import const
from agent.errors import LocalError
from agent.wire import schema

_UINT = const(0x00)
_NEGATIVE = const(0x20)
_BYTES = const(0x40)
_ARRAY = const(0x80)
_NULL = const(0xF6)


def put_head(buf: bytearray, pos: int, major: int, n: int) -> int:
    """Write a CBOR head (major type in the top bits, 0 <= n < 2**32) at `pos`; return the next."""
    if n < 24:
        buf[pos] = major | n
        return pos + 1
    if n < 0x100:
        buf[pos] = major | 24
        buf[pos + 1] = n
        return pos + 2
    if n < 0x10000:
        buf[pos] = major | 25
        buf[pos + 1] = n >> 8
        buf[pos + 2] = n & 0xFF
        return pos + 3
    buf[pos] = major | 26
    buf[pos + 1] = (n >> 24) & 0xFF
    buf[pos + 2] = (n >> 16) & 0xFF
    buf[pos + 3] = (n >> 8) & 0xFF
    buf[pos + 4] = n & 0xFF
    return pos + 5


def put_array(buf: bytearray, pos: int, n: int) -> int:
    """Write the head of an array of `n` items."""
    return put_head(buf, pos, _ARRAY, n)


def put_int(buf: bytearray, pos: int, value: int | None) -> int:
    """Write an integer within ±2**32, or null for None."""
    if value is None:
        buf[pos] = _NULL
        return pos + 1
    if value < 0:
        return put_head(buf, pos, _NEGATIVE, -1 - value)
    return put_head(buf, pos, _UINT, value)


def put_bytes(buf: bytearray, pos: int, value: bytes | None) -> int:
    """Write a byte string, or null for None."""
    if value is None:
        buf[pos] = _NULL
        return pos + 1
    n = len(value)
    pos = put_head(buf, pos, _BYTES, n)
    buf[pos : pos + n] = value
    return pos + n


class Encoder:
    """Encodes one record at a time into `buf`; the bytes are valid until the next one.

    `refused` counts values outside their field's range: such a value is a sensor's fault, is sent
    as null, and never takes the good values beside it along.
    """

    def __init__(self) -> None:
        self.buf = bytearray(schema.RECORD_MAX)
        self.refused = 0

    def record(self, schema_id: int, boot: int, seq: int, t: int, values: list | tuple) -> int:
        """Encode a record; return its length in bytes.

        `values` follow the schema's fields; missing ones at the end are "not measured".
        Raises LocalError for an unknown schema, too many values, or a head out of range: those are
        our own mistakes.
        """
        if not 0 < schema_id < len(schema.SCHEMAS):
            raise LocalError("no schema has the id " + str(schema_id))
        fields = schema.SCHEMAS[schema_id][3]
        n = len(values)
        if n > len(fields):
            raise LocalError("schema %d has %d fields, got %d" % (schema_id, len(fields), n))
        if not (0 <= boot <= schema.BOOT_MAX and 0 <= seq <= schema.SEQ_MAX):
            raise LocalError("boot %d or seq %d out of range" % (boot, seq))
        if not schema.T_MIN <= t <= schema.T_MAX:
            raise LocalError("time %d out of range" % t)
        while n and not self._valid(fields[n - 1], values[n - 1]):
            self._count(values[n - 1])
            n -= 1
        buf = self.buf
        pos = put_head(buf, 0, _ARRAY, schema.HEAD_ITEMS + n)
        pos = put_head(buf, pos, _UINT, schema_id)
        pos = put_head(buf, pos, _UINT, boot)
        pos = put_head(buf, pos, _UINT, seq)
        pos = put_int(buf, pos, t)
        for i in range(n):
            value = values[i]
            if not self._valid(fields[i], value):
                self._count(value)
                value = None
            if fields[i][1] == "bytes":
                pos = put_bytes(buf, pos, value)
            else:
                pos = put_int(buf, pos, value)
        return pos

    def _valid(self, field: tuple, value: int | bytes | None) -> bool:
        # None, and what no field can be (a float, a tuple: reference B11), is neither of the two.
        if field[1] != "bytes":
            return isinstance(value, int) and field[3] <= value <= field[4]
        # One after the other: a tuple of both would be allocated each time.
        if isinstance(value, bytes) or isinstance(value, bytearray):
            return field[3] <= len(value) <= field[4]
        return False

    def _count(self, value: int | bytes | None) -> None:
        if value is not None:
            self.refused += 1

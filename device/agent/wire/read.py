"""Reads the small CBOR messages that come down to a device (and, at the gateway, up from it).

    reader = Reader(payload, 0, n)
    while not reader.at_end():
        reader.array(3, 3)
        boot, first, last = reader.uint(), reader.uint(), reader.uint()

Strict: definite lengths, integers within 32 bits, byte strings within the payload, no nesting beyond
what the caller asks for. Anything else raises MessageError; nothing is allocated but the byte
strings that are asked for.
"""

from agent.compat import const
from agent.errors import RemoteError

_MAJOR_UINT = const(0)
_MAJOR_NEGATIVE = const(1)
_MAJOR_BYTES = const(2)
_MAJOR_ARRAY = const(4)
_NULL = const(0xF6)


class MessageError(RemoteError):
    """A message that does not follow the contract.

    `code`: truncated, type, range, length, trailing-bytes, unknown-kind.
    """


class Reader:
    """A cursor over `buf[pos:end]`."""

    def __init__(self, buf: bytes | bytearray, pos: int, end: int) -> None:
        self.buf = buf
        self.pos = pos
        self.end = end

    def at_end(self) -> bool:
        """Return whether every byte was read."""
        return self.pos >= self.end

    def finish(self) -> None:
        """Raise MessageError unless every byte was read."""
        if self.pos < self.end:
            raise MessageError("trailing-bytes", "%d after the message" % (self.end - self.pos))

    def array(self, low: int, high: int) -> int:
        """Read the head of an array of `low` to `high` items; return how many."""
        n = self._head(_MAJOR_ARRAY)
        if not low <= n <= high:
            raise MessageError("length", "array of %d items, not %d to %d" % (n, low, high))
        return n

    def uint(self, high: int = 0xFFFFFFFF) -> int:
        """Read an unsigned integer of at most `high`."""
        n = self._head(_MAJOR_UINT)
        if n > high:
            raise MessageError("range", "%d is above %d" % (n, high))
        return n

    def integer(self) -> int:
        """Read an integer within ±2**32."""
        if self._peek() >> 5 == _MAJOR_NEGATIVE:
            return -1 - self._head(_MAJOR_NEGATIVE)
        return self._head(_MAJOR_UINT)

    def null(self) -> bool:
        """Read a null if one is next; return whether it was."""
        if self._peek() == _NULL:
            self.pos += 1
            return True
        return False

    def byte_string(self, high: int) -> bytes:
        """Read a byte string of at most `high` bytes as `bytes`."""
        n = self._head(_MAJOR_BYTES)
        if n > high:
            raise MessageError("length", "byte string of %d, above %d" % (n, high))
        start = self.pos
        if start + n > self.end:
            raise MessageError("truncated", "inside a byte string")
        self.pos = start + n
        return bytes(self.buf[start : self.pos])

    def _peek(self) -> int:
        if self.pos >= self.end:
            raise MessageError("truncated", "an item is missing")
        return self.buf[self.pos]

    def _head(self, major: int) -> int:
        first = self._peek()
        if first >> 5 != major:
            raise MessageError("type", "byte 0x%02x where major type %d is due" % (first, major))
        n = first & 0x1F
        self.pos += 1
        if n < 24:
            return n
        if n > 26:
            raise MessageError("range", "more than 32 bits, or an indefinite length")
        size = 1 << (n - 24)
        if self.pos + size > self.end:
            raise MessageError("truncated", "inside a number")
        n = 0
        for _ in range(size):
            n = (n << 8) | self.buf[self.pos]
            self.pos += 1
        return n

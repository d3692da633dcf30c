"""Records that say who they are, and reading them back. Both interpreters."""

from agent.wire.encode import put_array, put_bytes, put_int
from agent.wire.read import Reader


def record(boot, seq, size=40):
    """A record of `size` bytes that says who it is."""
    buf = bytearray(size + 8)
    pos = put_array(buf, 0, 5)
    for value in (1, boot, seq, 1000 + seq):
        pos = put_int(buf, pos, value)
    pos = put_bytes(buf, pos, bytes([seq & 0xFF] * (size - pos - (1 if size - pos <= 24 else 2))))
    return bytes(buf[:pos])


def identities(payload):
    """The (boot, seq) of every record of a CBOR sequence, in its order."""
    out = []
    reader = Reader(payload, 0, len(payload))
    while not reader.at_end():
        reader.array(5, 5)
        reader.uint()
        boot, seq = reader.uint(), reader.uint()
        reader.integer()
        filled = reader.byte_string(240)
        if filled != bytes([seq & 0xFF] * len(filled)):
            raise ValueError("record %d/%d is damaged" % (boot, seq))
        out.append((boot, seq))
    return out

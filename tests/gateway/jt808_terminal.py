"""A JT/T 808 terminal, made for tests from the published frames: apart from the gateway's reader."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor

from agent.wire.series import EPOCH_2020


def frame(message):
    """Return a frame with check and escapes."""
    whole = message + bytes([reduce(xor, message, 0)])
    out = bytearray(b"\x7e")
    for byte in whole:
        out += {0x7E: b"\x7d\x02", 0x7D: b"\x7d\x01"}.get(byte, bytes([byte]))
    return bytes(out) + b"\x7e"


def messages(data):
    """Return (id, who, serial, body) of each frame; who is the number's bytes, with the version."""
    out = []
    for part in data.split(b"\x7e"):
        if part:
            plain = part.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
            assert reduce(xor, plain) == 0
            size = 17 if plain[2] & 0x40 else 12
            body = plain[size:-1]
            assert len(body) == int.from_bytes(plain[2:4], "big") & 0x3FF
            number = int.from_bytes(plain[:2], "big")
            serial = int.from_bytes(plain[size - 2 : size], "big")
            out.append((number, plain[4 : size - 2], serial, body))
    return out


def location(
    *,
    alarm=0,
    status=2,
    lat=31_000_000,
    lon=122_000_000,
    alt=3,
    speed=5,
    course=90,
    t=None,
    items=b"",
):
    """Return the body of a location report; `t` None: it has no clock."""
    at = bytes(6)
    if t is not None:
        local = datetime.fromtimestamp(t + EPOCH_2020, UTC) + timedelta(hours=8)
        at = bytes.fromhex(local.strftime("%y%m%d%H%M%S"))
    numbers = b"".join(n.to_bytes(4, "big") for n in (alarm, status, lat, lon))
    return numbers + b"".join(n.to_bytes(2, "big") for n in (alt, speed, course)) + at + items


class Terminal:
    """Numbers its messages; `newer`: the head of 2019."""

    def __init__(self, number, *, newer=False):
        self.number = number
        self.newer = newer
        self.serial = 0

    def send_parts(self, ident, body, size):
        """Return the frames of a message that is sent in parts of `size` bytes."""
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        return [self.send(ident, part, part_of=(n, len(parts))) for n, part in enumerate(parts, 1)]

    def send(self, ident, body=b"", serial=None, part_of=None):
        """Return a frame; with a `serial` it is one that was sent before."""
        if serial is None:
            serial, self.serial = self.serial, (self.serial + 1) & 0xFFFF
        properties = len(body) | (0x4000 if self.newer else 0) | (0x2000 if part_of else 0)
        who = bytes.fromhex(self.number.zfill(20 if self.newer else 12))
        head = ident.to_bytes(2, "big") + properties.to_bytes(2, "big")
        head += (b"\1" if self.newer else b"") + who + serial.to_bytes(2, "big")
        if part_of:
            number, total = part_of
            head += total.to_bytes(2, "big") + number.to_bytes(2, "big")
        return frame(head + body)

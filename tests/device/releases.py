"""Releases for tests, made without any library: both interpreters can sign what they verify."""

import hashlib

from agent.update import ed25519 as ed
from agent.update.sha512 import sha512
from agent.wire import codes, manifest
from agent.wire.encode import put_array, put_bytes, put_int

SEED = bytes(range(32))
BASE = b"\x58" + b"\x66" * 31
L = (1 << 252) + 27742317777372353535851937790883648493
P = (1 << 255) - 19


def finish(slices):
    """Run a generator to its end; return what it returns, and how many slices it took."""
    n = 0
    while True:
        try:
            next(slices)
            n += 1
        except StopIteration as stop:
            return stop.value, n


def verify(key, signature, message):
    return finish(ed.verify(key, signature, message))[0]


def times(k, point):
    total = (0, 1, 1, 0)
    for bit in range(255, -1, -1):
        total = ed._double(total)
        if k >> bit & 1:
            total = ed._add(total, point)
    return total


def packed(point):
    x, y, z, _ = point
    z = pow(z, P - 2, P)
    return (y * z % P | (x * z % P & 1) << 255).to_bytes(32, "little")


def secret(seed):
    """RFC 8032, 5.1.5."""
    h, _ = finish(sha512(seed))
    a = int.from_bytes(h[:32], "little")
    return a & ((1 << 254) - 8) | 1 << 254, h[32:]


def public(seed):
    return packed(times(secret(seed)[0], ed.decompress(BASE)))


def sign(seed, message):
    """RFC 8032, 5.1.6."""
    a, prefix = secret(seed)
    base = ed.decompress(BASE)
    r = int.from_bytes(finish(sha512(prefix + message))[0], "little") % L
    big_r = packed(times(r, base))
    k = finish(sha512(big_r + packed(times(a, base)) + message))[0]
    k = int.from_bytes(k, "little") % L
    return big_r + ((r + k * a) % L).to_bytes(32, "little")


FILES = (
    ("agent/link/mqtt.mpy", bytes(range(250)) * 2),
    ("agent/version.mpy", b"new"),
    ("agent/__init__.mpy", b""),
    ("agent/main.mpy", b"start" * 20),
)
BOARD = b"fake"
TARGET = (BOARD, codes.PROFILE_BEACON, 6)


def image(files):
    out = b""
    for name, data in files:
        out += bytes([len(name)]) + name.encode() + len(data).to_bytes(3, "big") + data
    return out


_signatures = {}


class Release:
    """An image with its manifest, signed; what is wrong with it is the caller's."""

    def __init__(
        self, files=FILES, counter=1, board=BOARD, profile=1, abi=6, chunk=64, raw=None, seed=SEED
    ):
        self.image = image(files) if raw is None else raw
        self.chunk = chunk
        digest = hashlib.sha256(self.image).digest()
        size = len(self.image)
        values = (1, b"0.2.0", counter, size, digest, profile, board, chunk, abi)
        buf = bytearray(512)
        n = put_array(buf, 0, len(values))
        for value in values:
            n = (put_int if isinstance(value, int) else put_bytes)(buf, n, value)
        self.manifest = bytes(buf[:n])
        what = (seed, self.manifest)
        if what not in _signatures:
            _signatures[what] = sign(seed, manifest.SIGNED + self.manifest)
        self.signature = _signatures[what]

    def chunks(self):
        return [self.image[i : i + self.chunk] for i in range(0, len(self.image), self.chunk)]

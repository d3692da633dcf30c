"""HMAC-SHA-256 (RFC 2104), which MicroPython's hashlib has no word for, and a comparison that keeps quiet.

    tag = sign.tag(key, b"fw1", device, body)
    if not sign.same(tag[:8], frame[-8:]): …

The parts are hashed one after another, as if joined: whoever signs several parts of open length must
put something between them that tells where one ends.
"""

import hashlib

from agent.compat import const

SIZE = const(32)  # bytes of a tag
_BLOCK = const(64)  # bytes SHA-256 takes at a time
_INNER = const(0x36)
_OUTER = const(0x5C)


def tag(key: bytes, *parts: bytes | bytearray | memoryview) -> bytes:
    """Return the 32 bytes of HMAC-SHA-256 over `parts`, joined."""
    if len(key) > _BLOCK:
        key = hashlib.sha256(key).digest()
    pad = bytearray(_BLOCK)
    for i in range(_BLOCK):
        pad[i] = (key[i] if i < len(key) else 0) ^ _INNER
    inner = hashlib.sha256(pad)
    for part in parts:
        inner.update(part)
    for i in range(_BLOCK):
        pad[i] ^= _INNER ^ _OUTER
    outer = hashlib.sha256(pad)
    outer.update(inner.digest())
    return outer.digest()


def same(a: bytes | bytearray | memoryview, b: bytes | bytearray | memoryview) -> bool:
    """Return whether `a` equals `b`; how long it takes says nothing about where they differ."""
    if len(a) != len(b):
        return False
    differ = 0
    for i in range(len(a)):
        differ |= a[i] ^ b[i]
    return differ == 0

"""Ed25519 signatures (RFC 8032), verified in slices; integers of Python and nothing else.

    genuine = yield from verify(key, signature, message)

A generator, because a board must not stand still: each `next` is about a millisecond on the virtual
board, and there are 90 for a manifest. Nothing here is secret, so nothing takes constant time. What
RFC 8032, 5.1.7 leaves to a verifier is done as OpenSSL does it: the equation is checked without the
cofactor, and R is compared as bytes; in addition a key that is not in its one canonical form is
refused.
"""

from agent.compat import const
from agent.update.sha512 import sha512

_BITS_A_STEP = const(4)  # positions of the two scalars that one step works off
_ORDER_BITS = const(253)

# 5.1: the field's prime, the group's order, the curve's d.
_P = (1 << 255) - 19
_L = (1 << 252) + 27742317777372353535851937790883648493
_D = 37095705934669439343138083508754565189542113879843219016388785533085940283555


def verify(key: bytes, signature: bytes, message: bytes):
    """Yield None while working; return whether `signature` is that of `message` under `key`."""
    s = int.from_bytes(signature[32:], "little")
    minus = decompress(key)
    if len(key) != 32 or len(signature) != 64 or s >= _L or minus is None:
        return False
    yield
    digest = yield from sha512(signature[:32] + key + message)
    k = int.from_bytes(digest, "little") % _L
    # S·B = R + k·A  <=>  R = S·B + k·(-A); both scalars are worked off together.
    base: tuple = decompress(b"\x58" + b"\x66" * 31)  # type: ignore[assignment]
    minus = (_P - minus[0], minus[1], 1, _P - minus[3])
    points: tuple = (None, base, minus, _add(base, minus))
    total = (0, 1, 1, 0)
    for bit in range(_ORDER_BITS - 1, -1, -1):
        total = _double(total)
        which = (s >> bit & 1) | (k >> bit & 1) << 1
        if which:
            total = _add(total, points[which])
        if not bit % _BITS_A_STEP:
            yield
    x, y, z, _ = total
    z = pow(z, _P - 2, _P)
    y = y * z % _P | (x * z % _P & 1) << 255
    return y.to_bytes(32, "little") == signature[:32]


def decompress(data: bytes) -> tuple | None:
    """Return the point (X, Y, Z, T) of its 32 bytes, or None where there is none (5.1.3)."""
    y = int.from_bytes(data, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    if y >= _P:
        return None
    u = y * y - 1
    v = (_D * y * y + 1) % _P
    x = u * v**3 * pow(u * v**7, (_P - 5) // 8, _P) % _P
    if (v * x * x - u) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P  # by the square root of -1
        if (v * x * x - u) % _P:
            return None
    if not x and sign:
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _add(p: tuple, q: tuple) -> tuple:
    """Return the sum of two points (5.1.4)."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] % _P * _D % _P
    d = 2 * p[2] * q[2]
    return _product(b - a, d - c, d + c, b + a)


def _double(p: tuple) -> tuple:
    """Return twice a point (5.1.4)."""
    a = p[0] * p[0]
    b = p[1] * p[1]
    h = a + b
    e = h - (p[0] + p[1]) ** 2
    g = a - b
    return _product(e % _P, (2 * p[2] * p[2] + g) % _P, g % _P, h % _P)


def _product(e: int, f: int, g: int, h: int) -> tuple:
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P

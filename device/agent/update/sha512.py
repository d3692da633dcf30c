"""SHA-512 (FIPS 180-4) for boards whose MicroPython has none, in slices; for short messages only.

    digest = yield from sha512(message)

A generator, because a board must not stand still: each `next` does a millisecond's work on the
virtual board, and the digest is its return value. The constants are worked out, as the formula is
600 bytes shorter than the table: the first 64 bits behind the point of the square (and cube) roots of
the first 8 (and 80) primes (4.2.3, 5.3.5).
"""

from agent.compat import const

_BLOCK = const(128)
_ROUNDS = const(80)
_ROUNDS_A_STEP = const(16)
_ROOTS_A_STEP = const(8)
_MASK = 0xFFFFFFFFFFFFFFFF


def sha512(message: bytes):
    """Yield None until it is done; return the 64 bytes of the digest."""
    state = [_fraction(p, 2) for p in (2, 3, 5, 7, 11, 13, 17, 19)]
    constants: list = []
    primes: list = []
    p = 2
    while len(primes) < _ROUNDS:
        if all(p % q for q in primes):
            primes.append(p)
            constants.append(_fraction(p, 3))
            if not len(primes) % _ROOTS_A_STEP:
                yield
        p += 1
    n = len(message)
    message += b"\x80" + bytes(-(n + 17) % _BLOCK + 8) + (n * 8).to_bytes(8, "big")
    for at in range(0, len(message), _BLOCK):
        w = [int.from_bytes(message[i : i + 8], "big") for i in range(at, at + _BLOCK, 8)]
        a, b, c, d, e, f, g, h = state
        for i in range(_ROUNDS):
            if not i % _ROUNDS_A_STEP:
                yield
            word = w.pop(0)
            t1 = h + _turned(e, 14, 18, 41) + (g ^ (e & (f ^ g))) + constants[i] + word
            t2 = _turned(a, 28, 34, 39) + ((a & (b | c)) | (b & c))
            # The word that is used 16 rounds on; w[0] is now the next one.
            s0 = _turned(w[0], 1, 8) ^ w[0] >> 7
            s1 = _turned(w[13], 19, 61) ^ w[13] >> 6
            w.append((word + s0 + w[8] + s1) & _MASK)
            h = g
            g = f
            f = e
            e = (d + t1) & _MASK
            d = c
            c = b
            b = a
            a = (t1 + t2) & _MASK
        new = (a, b, c, d, e, f, g, h)
        state = [(state[i] + new[i]) & _MASK for i in range(8)]
    return b"".join([word.to_bytes(8, "big") for word in state])


def _turned(x: int, *by: int) -> int:
    """Return `x` turned right by each of `by`, XORed."""
    x |= x << 64  # turning a word is shifting it behind its own copy
    turned = 0
    for n in by:
        turned ^= x >> n
    return turned & _MASK


def _fraction(p: int, n: int) -> int:
    """Return the first 64 bits behind the point of the n-th root of `p`, by Newton from above."""
    a = p << 64 * n
    x = 1 << 67
    while True:
        y = ((n - 1) * x + a // x ** (n - 1)) // n
        if y >= x:
            return x & _MASK
        x = y

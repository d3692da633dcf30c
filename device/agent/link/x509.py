"""What of a certificate can be read in a few bytes: from when and until when it is valid.

    for der in blocks(access["ca"], "CERTIFICATE"):
        begins, ends = validity(der)

Signatures, names and chains are the TLS library's work. Dates are ours as well, because a device's
clock may be unset: then `check` asks only what a lower bound of the time can decide. The reader is
bounded and does not recurse: it walks past what stands before the dates (RFC 5280, 4.1) and no
further.
"""

import binascii

from agent.compat import const
from agent.errors import RemoteError
from agent.sense.utc import seconds_since_2020

PEM_MAX = const(8192)  # characters of one credential: a chain of three RSA-4096 certificates
BLOCKS_MAX = const(4)  # certificates in it
_DER_MAX = const(4096)  # bytes of one certificate or key

_INTEGER = const(0x02)
_UTC_TIME = const(0x17)
_GENERALIZED_TIME = const(0x18)
_SEQUENCE = const(0x30)
_VERSION = const(0xA0)


class X509Error(RemoteError):
    """A certificate that cannot be used. `code`: malformed, expired, not-yet-valid."""


def blocks(pem, label):
    """Return the DER bytes of every PEM block with this label, in order.

    `label` is "CERTIFICATE" or "PRIVATE KEY" (PKCS#8). Raises X509Error when a block is not whole,
    or there are too many.
    """
    if len(pem) > PEM_MAX:
        raise X509Error("malformed", "PEM text of %d characters" % len(pem))
    found = []  # type: list[bytes]
    at = 0
    while True:
        at = pem.find("-----BEGIN ", at)
        if at < 0:
            return found
        start = pem.find("-----", at + 11)
        end = pem.find("-----END ", start)
        if start < 0 or end < 0 or len(found) == BLOCKS_MAX:
            raise X509Error("malformed", "PEM block %d" % (len(found) + 1))
        if pem[at + 11 : start] == label:
            found.append(_decoded(pem[start + 5 : end], len(found) + 1))
        at = end + 9


def _decoded(text, number):
    characters = b"".join(text.encode().split())
    try:
        der = b"" if len(characters) % 4 else binascii.a2b_base64(characters)
    except ValueError:
        der = b""
    if not 0 < len(der) <= _DER_MAX:
        raise X509Error("malformed", "PEM block %d" % number)
    return der


def validity(der):
    """Return (begins, ends) of a certificate: the first and the last second it is valid in.

    Seconds since 2020-01-01 UTC, negative before. Raises X509Error "malformed".
    """
    at, end = _inside(der, 0, len(der), _SEQUENCE)  # Certificate
    at, end = _inside(der, at, end, _SEQUENCE)  # TBSCertificate
    if at < end and der[at] == _VERSION:
        at = _inside(der, at, end, _VERSION)[1]
    at = _inside(der, at, end, _INTEGER)[1]  # serial number
    at = _inside(der, at, end, _SEQUENCE)[1]  # signature algorithm
    at = _inside(der, at, end, _SEQUENCE)[1]  # issuer
    at, end = _inside(der, at, end, _SEQUENCE)  # validity
    begins, at = _time(der, at, end)
    return begins, _time(der, at, end)[0]


def check(der, t, sure):
    """Hold the dates of a certificate against the time `t`; raise X509Error when they forbid it.

    When the clock is not `sure`, `t` is only the earliest the time can be: that proves what has
    expired, but not that something begins later.
    """
    begins, ends = validity(der)
    if t > ends:
        raise X509Error("expired", "%d days ago" % ((t - ends) // 86400))
    if sure and t < begins:
        raise X509Error("not-yet-valid", "%d days too early" % ((begins - t) // 86400 + 1))


def _inside(der, at, end, tag):
    """Return (start, stop) of the content of the element at `at`, which must have this tag."""
    if at + 2 > end or der[at] != tag:
        raise X509Error("malformed", "no 0x%02x at byte %d" % (tag, at))
    n = der[at + 1]
    start = at + 2
    if n & 0x80:
        more = n & 0x7F
        if not 1 <= more <= 2 or start + more > end:
            raise X509Error("malformed", "length at byte %d" % at)
        n = der[start] if more == 1 else der[start] << 8 | der[start + 1]
        start += more
    if start + n > end:
        raise X509Error("malformed", "length at byte %d" % at)
    return start, start + n


def _time(der, at, end):
    """Return (seconds since 2020, where the next element begins) of a time (RFC 5280, 4.1.2.5)."""
    tag = der[at] if at < end else 0
    start, stop = _inside(
        der, at, end, _GENERALIZED_TIME if tag == _GENERALIZED_TIME else _UTC_TIME
    )
    digits = bytes(der[start:stop])
    if tag == _UTC_TIME:
        digits = (b"19" if digits[:1] >= b"5" else b"20") + digits
    seconds = None
    if len(digits) == 15 and digits[14] == 0x5A and digits[:14].isdigit():
        hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:14])
        if hour < 24 and minute < 60 and second < 60:
            of_day = hour * 3600 + minute * 60 + second
            month, day = int(digits[4:6]), int(digits[6:8])
            seconds = seconds_since_2020(int(digits[:4]), month, day, of_day)
    if seconds is None:
        raise X509Error("malformed", "time at byte %d" % at)
    return seconds, stop

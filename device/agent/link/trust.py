"""What a device trusts and what it shows: the CA, its own certificate and key, and the time for both.

    trust = Trust(access)                raises X509Error, so that bad access is refused before its use
    trust.at(clock.t(), clock.floor())   before each connection
    stream = hal.connect(host, port, trust)
    trust.days_left(t)                   until the first of them expires

While the clock is unset, dates are held against the earliest that the time can be: the clock's floor
(build date, last stored time), and the beginning of what was issued to this device. A board's TLS
library asks for a beginning as well, and a server's certificate may be younger than all of these. So
the library's chain is looked at while it is verified (`see`), and the next attempt takes the youngest
beginning it saw for the time, once: a chain that was not genuine leaves nothing behind.
"""

from agent.compat import const
from agent.link.x509 import X509Error, blocks, validity

WARN_DAYS = const(60)  # an expiring certificate is an alarm this long before
_DAY_S = const(86400)


class Trust:
    """`ca`, `certificates` (own chain, leaf first) and `key` are DER bytes, the last two None if absent.

    `t` and `sure` are what dates are held against now; `context` is the hardware layer's to use.
    """

    def __init__(self, access):
        self.ca = blocks(access.get("ca") or "", "CERTIFICATE")
        self.certificates = blocks(access.get("cert") or "", "CERTIFICATE")
        keys = blocks(access.get("key") or "", "PRIVATE KEY")
        if not self.ca:
            raise X509Error("malformed", "TLS without a CA certificate")
        if len(keys) > 1 or bool(keys) != bool(self.certificates):
            raise X509Error(
                "malformed", "a certificate needs one key (PKCS#8), a key its certificate"
            )
        self.key = keys[0] if keys else None
        self.context = None
        self.t = 0
        self.sure = False
        self._seen_begins = None
        self._seen_ends = None  # the last chain's that was seen
        self._anew = True
        # With two CAs (a rotation) the older may end; of our own chain every one counts.
        self._begins = min(validity(der)[0] for der in self.ca)
        self._ends = max(validity(der)[1] for der in self.ca)
        for der in self.certificates:
            begins, ends = validity(der)
            self._begins = max(self._begins, begins)
            self._ends = min(self._ends, ends)

    def at(self, t, floor):
        """Say what time it is for the next handshake: `t`, or negative while the clock is unset."""
        self.sure = t >= 0
        if not self.sure:
            t = max(floor, self._begins)
            if self._seen_begins is not None:
                t = max(t, self._seen_begins)
        self.t = t
        self._seen_begins = None
        self._anew = True

    def see(self, der):
        """Note a certificate of the server's chain. Raises X509Error "malformed"."""
        begins, ends = validity(der)
        if self._anew:
            self._anew = False
            self._seen_begins, self._seen_ends = begins, ends
        else:
            self._seen_begins = max(self._seen_begins, begins)
            self._seen_ends = min(self._seen_ends, ends)

    def days_left(self, t):
        """Return the days until the CA, our own or the server's certificate expires; < 0: it has."""
        ends = self._ends if self._seen_ends is None else min(self._ends, self._seen_ends)
        return (ends - t) // _DAY_S

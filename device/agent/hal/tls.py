"""A TLS stream on a board: MicroPython's `tls` module, which is mbedTLS.

The C module is used, not the `ssl` module around it, whose contexts verify nothing by default
(reference B9). The library's chain is certificates, name and dates; dates it takes from the board's
clock, so that `Port.connect` sets that first. The handshake begins with the first write and goes on
with each: nothing blocks but the library's own arithmetic.
"""

import errno
import gc

import tls

from agent.hal.sockets import CLOSED, OPEN, SECURING, TCPStream
from agent.link.x509 import X509Error

# What mbedTLS writes about a chain it refuses (x509_crt.h); the first that is true is the cause.
_CAUSES = (
    ("correctly signed", "wrong-ca"),
    ("Common Name", "wrong-name"),
    ("expired", "expired"),
    ("future", "not-yet-valid"),
    ("FATAL_ALERT", "refused-by-server"),
    ("invalid cert", "malformed"),
    ("invalid key", "malformed"),
)


class TLSStream(TCPStream):
    """A connection to a server that `trust` can verify. `error` begins with a word of `_CAUSES`."""

    def __init__(self, host, port, trust):
        self._host = host
        self._trust = trust
        self._plain = None
        self._owed = 0
        super().__init__(host, port)

    def write(self, view):
        # What mbedTLS could not finish must be offered again with the same length.
        n = self._owed or len(view)
        sent = super().write(view[:n])
        self._owed = n - sent
        if sent and self._state == SECURING:
            self._state = OPEN
        return sent

    def close(self):
        # After a failed handshake the library has let go of the socket below, which stays open.
        super().close()
        if self._plain is not None:
            self._plain.close()
            self._plain = None

    def _opened(self):
        gc.collect()  # the library's buffers are the largest thing there is (reference B9)
        trust = self._trust
        try:
            if trust.context is None:
                trust.context = _context(trust)
            self._plain = self._socket
            self._socket = trust.context.wrap_socket(
                self._plain, do_handshake_on_connect=False, server_hostname=self._host
            )
            self._state = SECURING
        except (OSError, ValueError) as error:
            self._break(error)

    def _later(self, error):
        return isinstance(error, OSError) and super()._later(error)

    def _break(self, error):
        text = str(error.args[-1]) if error.args else ""
        for words, cause in _CAUSES:
            if words in text:
                self.error = cause
                break
        else:
            code = error.errno if isinstance(error, OSError) else None
            self.error = errno.errorcode.get(code, text)
            if self._state == SECURING and "CONN_EOF" in text:
                self.error = "refused-by-server"  # it says so by an alert, or just goes
        self.close()
        self._state = CLOSED


def _context(trust):
    def look(der, depth):
        try:
            trust.see(der)
        except X509Error:
            pass  # the library decides; this only reads dates
        return 0

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined]
    context.verify_callback = look  # type: ignore[attr-defined]
    for der in trust.ca:
        context.load_verify_locations(der)
    if trust.key:
        # One certificate: the broker knows the CA that signed it.
        context.load_cert_chain(trust.certificates[0], trust.key)
    return context

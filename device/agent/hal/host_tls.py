"""A TLS stream on CPython: chain and name are OpenSSL's work, dates are ours.

OpenSSL asks the computer's clock, but an agent has a clock of its own, which may be simulated or
unset. So its date check is off, and the chain it verified is held against the agent's time.
"""

import _ssl
import os
import ssl
import tempfile
from typing import Any

from agent.hal.sockets import OPEN, SECURING, TCPStream
from agent.link.trust import Trust
from agent.link.x509 import X509Error, check

# openssl/x509_vfy.h; Python has no name for the flag.
_NO_CHECK_TIME = 0x200000
_NAME_CODES = (62, 63, 64)  # host name, e-mail, address mismatch


class HostTLSStream(TCPStream):
    """A connection to a server that `trust` can verify; `error` begins as on a board (hal/tls)."""

    def __init__(self, host: str, port: int, trust: Trust) -> None:
        self._host = host
        self._trust: Any = trust
        self._heard = False
        self._secure: Any = None  # the same socket as the base class's, as an ssl.SSLSocket
        super().__init__(host, port)

    def state(self) -> int:
        """Return OPENING, SECURING, OPEN or CLOSED; move the handshake on."""
        began = self._state == SECURING
        if super().state() == SECURING and began:
            self._shake()
        return int(self._state)

    def write(self, view: memoryview) -> int:
        """Write what the connection takes now, once the server's dates were looked at."""
        return int(super().write(view)) if self._state == OPEN else 0

    def readinto(self, view: memoryview) -> int:
        """Read what has come."""
        n = int(super().readinto(view)) if self._state == OPEN else 0
        self._heard = self._heard or n > 0
        return n

    def _opened(self) -> None:
        trust = self._trust
        try:
            if trust.context is None:
                trust.context = _context(trust)
            self._socket = self._secure = trust.context.wrap_socket(
                self._socket, do_handshake_on_connect=False, server_hostname=self._host
            )
            self._state = SECURING
        except (OSError, ValueError) as error:
            self._break(error)

    def _shake(self) -> None:
        try:
            self._secure.do_handshake()
            # Public since Python 3.13 only.
            chain = [c.public_bytes(_ssl.ENCODING_DER) for c in self._verified()]
            for der in chain:
                self._trust.see(der)
            for der in chain:
                check(der, self._trust.t, self._trust.sure)
            self._state = OPEN
        except X509Error as error:
            self.error = str(error)
            self.close()
        except (OSError, ValueError) as error:
            if not self._later(error):
                self._break(error)

    def _verified(self) -> list[Any]:
        chain: list[Any] = self._secure._sslobj.get_verified_chain()  # noqa: SLF001
        return chain

    def _later(self, error: Exception) -> bool:
        if isinstance(error, ssl.SSLError):
            return isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError)
        return bool(super()._later(error))

    def _break(self, error: Exception) -> None:
        if isinstance(error, ssl.SSLCertVerificationError):
            cause = "wrong-name" if error.verify_code in _NAME_CODES else "wrong-ca"
            self.error = f"{cause}: {error.verify_message}"
        elif isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            self.error = _reason(error)
        elif isinstance(error, OSError):
            # A server that does not want us says so by an alert, or just goes.
            unheard = self._secure is not None and not self._heard
            last_word = self._last_word() if unheard else ""
            super()._break(error)
            self.error = last_word or self.error
        else:
            self.error = str(error)
        self.close()

    def _last_word(self) -> str:
        """Return what the server said before it went, though our own writing failed first."""
        try:
            self._secure.recv(1)
        except ssl.SSLEOFError:
            pass
        except ssl.SSLError as error:
            return _reason(error)
        except (OSError, ValueError):
            pass
        return "refused-by-server: it closed the connection"


def _reason(error: ssl.SSLError) -> str:
    reason = (error.reason or str(error)).lower().replace("_", " ")
    return f"refused-by-server: {reason}" if "alert" in reason else reason


def _context(trust: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= _NO_CHECK_TIME
    context.load_verify_locations(cadata=b"".join(trust.ca))
    if trust.key:
        _load_own(context, trust)
    return context


def _load_own(context: ssl.SSLContext, trust: Any) -> None:
    """Load the device's own chain: this module takes it from a file only."""
    text = ssl.DER_cert_to_PEM_cert(trust.key).replace("CERTIFICATE", "PRIVATE KEY")
    text += "".join(ssl.DER_cert_to_PEM_cert(der) for der in trust.certificates)
    number, path = tempfile.mkstemp()  # 0600
    try:
        with os.fdopen(number, "w") as file:
            file.write(text)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)

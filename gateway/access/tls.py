"""TLS to the broker: the context, what went wrong in words, what ends soon.

    client.tls_set_context(context(config.broker.tls))
    client.on_connect_fail = lambda *_: log.warning("%s", explain(sys.exc_info()[1]))

TLS 1.2 or newer; chain and name are always verified, and there is no way to switch that off. A refusal
begins with the name it has on a device, too (docs/links.md).
"""

import socket
import ssl
import stat
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

WARN_DAYS: Final = 30  # before a certificate ends
_DAY_S: Final = 86_400
_PROBE_S: Final = 10.0
_LAST_WORD_S: Final = 1.0  # a TLS 1.3 server looks at our certificate after its own handshake

# openssl/x509_vfy.h; Python has no names for them.
_NAME: Final = (62, 63, 64)
_NOT_YET: Final = (9, 11)  # a certificate, a revocation list
_EXPIRED: Final = (10, 12)


@dataclass(frozen=True, slots=True)
class TLS:
    """Files in PEM: `ca` vouches for the broker; `cert` (a chain) and `key` are ours, if it wants any."""

    ca: Path
    cert: Path | None = None
    key: Path | None = None


class TLSError(Exception):
    """A file that cannot be used; `which` is "ca", "cert" or "key"."""

    def __init__(self, which: str, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.which = which
        self.reason = reason


def context(tls: TLS) -> ssl.SSLContext:
    """Return a client's context that believes `tls.ca` and nobody else.

    Raises:
        TLSError: a file cannot be read, holds nothing usable, or key and certificate are no pair.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and name
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_verify_locations(tls.ca)
    except ssl.SSLError as error:
        raise TLSError("ca", tls.ca, "holds no certificate in PEM") from error
    except OSError as error:
        raise TLSError("ca", tls.ca, f"cannot be read: {error.strerror}") from error
    if tls.cert and tls.key:
        for which, path in (("cert", tls.cert), ("key", tls.key)):
            try:
                path.open("rb").close()
            except OSError as error:
                raise TLSError(which, path, f"cannot be read: {error.strerror}") from error
        if tls.key.stat().st_mode & stat.S_IROTH:
            raise TLSError("key", tls.key, f"everybody may read it; chmod 600 {tls.key}")
        try:
            # Never ask for a pass phrase: a service has no keyboard.
            made.load_cert_chain(tls.cert, tls.key, password=_no_phrase)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                reason = f"is not the key of {tls.cert}"
            else:
                reason = f"holds no key in PEM, or {tls.cert} no certificate ({_reason(error)})"
            raise TLSError("key", tls.key, reason) from error
        except _EncryptedError as error:
            raise TLSError("key", tls.key, "is encrypted; openssl pkey takes that off") from error
    return made


def explain(error: BaseException | None) -> str:
    """Return what a failed connection means and what to do, in one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _unbelieved(error)
    if isinstance(error, ssl.SSLEOFError | ConnectionResetError | BrokenPipeError):
        return (
            "refused-by-server: it closed the connection in the handshake; is this its TLS port,"
            " and is our certificate (tls_cert) of a CA that it believes?"
        )
    if isinstance(error, ssl.SSLError):
        return _refused(error)
    if isinstance(error, socket.gaierror):
        return f"connect: no address for broker.host ({error.strerror})"
    if isinstance(error, ConnectionRefusedError):
        return "connect: nobody listens at broker.host and broker.port; does the broker run?"
    if isinstance(error, TimeoutError):
        return "timeout: no answer in time; is the port right, and is there a firewall?"
    if isinstance(error, OSError):
        return f"connect: {error.strerror or error}"
    return f"connect: {error}" if error else "connect: no reason was given"


def warnings(tls: TLS, now_s: float) -> list[str]:
    """Return what to say of our own files: certificates that end soon, or have ended.

    Of several CAs in the file each counts: one that ends may be the one in use.
    """
    out = []
    for what, path in (("tls_ca", tls.ca), ("tls_cert", tls.cert)):
        if path is None:
            continue
        try:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError) as error:
            out.append(f"broker.{what}: {path}: {error}")
            continue
        for one in certificates:
            ends = _ends(one.not_valid_after_utc.timestamp(), now_s)
            if ends:
                name = one.subject.rfc4514_string()
                out.append(
                    f"broker.{what}: {path}: {name} {ends}; renew it and restart the gateway"
                )
    return out


def peer_warning(connection: object, now_s: float) -> str:
    """Return what to say of the broker's certificate on a standing connection; mostly nothing."""
    if not isinstance(connection, ssl.SSLSocket):
        return ""
    shown = connection.getpeercert() or {}
    after = shown.get("notAfter")
    ends = _ends(ssl.cert_time_to_seconds(after), now_s) if isinstance(after, str) else ""
    return f"the broker's certificate {ends}; renew it there" if ends else ""


def probe(host: str, port: int, tls: TLS) -> str:
    """Connect and shake hands once, and leave; return `peer_warning`, mostly nothing.

    Takes up to 11 s. It waits a second for what a TLS 1.3 server has to say about our certificate.

    Raises:
        TLSError: as `context`.
        OSError: for `explain`.
    """
    made = context(tls)
    with (
        socket.create_connection((host, port), _PROBE_S) as plain,
        made.wrap_socket(plain, server_hostname=host) as secure,
    ):
        warning = peer_warning(secure, time.time())
        secure.settimeout(_LAST_WORD_S)
        try:
            if secure.recv(1) == b"":
                raise ssl.SSLEOFError("closed")
        except TimeoutError:
            pass
        return warning


class _EncryptedError(Exception):
    pass


def _no_phrase() -> str:
    raise _EncryptedError


def _unbelieved(error: ssl.SSLCertVerificationError) -> str:
    code, said = error.verify_code, error.verify_message.rstrip(".")
    if code in _NAME:
        return (
            f"wrong-name: {said}; set broker.host to a name in the broker's certificate,"
            " or issue one for this name"
        )
    if code in _EXPIRED:
        return f"expired: {said}; renew the broker's certificate or its CA's, {_clock()}"
    if code in _NOT_YET:
        return f"not-yet-valid: {said}; {_clock()}"
    return f"wrong-ca: {said}; broker.tls_ca does not vouch for the broker's certificate"


def _clock() -> str:
    return f"or set this computer's clock, which says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def _refused(error: ssl.SSLError) -> str:
    reason = _reason(error)
    if error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}:
        return f"not-tls: {reason}; broker.port is not the broker's TLS port"
    if error.reason in {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"}:
        return f"old-tls: {reason}; the broker must speak TLS 1.2 or newer"
    if "REVOKED" in (error.reason or ""):
        return f"refused-by-server: {reason}; our certificate is revoked: issue another"
    if "EXPIRED" in (error.reason or ""):
        return f"refused-by-server: {reason}; renew broker.tls_cert"
    if "ALERT" in (error.reason or ""):
        return (
            f"refused-by-server: {reason}; broker.tls_cert is missing, or not of a CA that the"
            " broker believes (its cafile)"
        )
    return f"tls: {reason}"


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")


def _ends(at_s: float, now_s: float) -> str:
    """Return how soon something ends, in words; nothing when that is far off."""
    days = int((at_s - now_s) // _DAY_S)
    if days < 0:
        return f"ended on {datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}"
    return f"ends in {days} days" if days <= WARN_DAYS else ""

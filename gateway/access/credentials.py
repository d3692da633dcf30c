"""Takes a device's credentials from the broker: its password, its certificates, its connection.

    forget_password(Path("/etc/fairway/passwords"), "buoy-1")
    revoke_certificates(crl_file, ca, serials, now)
    take_over("broker.example", 8883, trust, ca, "buoy-1")

What mosquitto does with it (2.0.11, tried; docs/security.md): on SIGHUP it reads both files again, cuts
whoever has lost its password, and refuses revoked certificates from then on, but leaves a standing
connection alone. So that connection is taken over: under a certificate of ten minutes that the CA's key
signs, as the device, because the second of two connections of one client id ends the first.
"""

import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from gateway.access import durable
from gateway.access.tls import TLS, context

_RELOAD_S: Final = 30.0
_TAKE_OVER_S: Final = 10.0
_OWN_LIFE: Final = timedelta(minutes=10)
_SKEW: Final = timedelta(minutes=5)  # between this computer's clock and the broker's
_FILE_MAX: Final = 1 << 20  # bytes of a file that may hold a certificate

_Key = (
    ec.EllipticCurvePrivateKey
    | rsa.RSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)


class CredentialsError(Exception):
    """It could not be done; says what is wrong."""


@dataclass(frozen=True, slots=True)
class CA:
    """The devices' CA, with its key."""

    certificate: x509.Certificate
    key: _Key

    @property
    def hash(self) -> hashes.SHA256 | None:
        """What it signs with; Edwards curves bring their own."""
        edwards = isinstance(self.key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
        return None if edwards else hashes.SHA256()


def forget_password(path: Path, device: str) -> bool:
    """Take a device's line out of mosquitto's password file; return whether there was one.

    Raises:
        OSError: it cannot be read or replaced; nothing has changed.
    """
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(device.encode() + b":")]
    if len(kept) == len(lines):
        return False
    durable.replace(path, b"".join(kept))
    return True


def load_ca(certificate: Path, key: Path, phrase: str = "") -> CA:
    """Read a CA's certificate and key (PEM).

    Raises:
        CredentialsError: they cannot be used, or are no pair.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise CredentialsError(f"{certificate}: {_said(error)}") from error
    try:
        loaded = load_pem_private_key(key.read_bytes(), phrase.encode() or None)
    except TypeError as error:
        raise CredentialsError(f"{key} is encrypted; set FAIRWAY_CA_PASSWORD") from error
    except (OSError, ValueError) as error:
        raise CredentialsError(f"{key}: {_said(error)}") from error
    if not isinstance(loaded, _Key) or loaded.public_key() != found.public_key():
        raise CredentialsError(f"{key} is not the key of {certificate}")
    return CA(found, loaded)


def serials_of(folder: Path, device: str) -> set[int]:
    """Return the serial numbers of all certificates in a folder whose common name is the device's.

    Raises:
        OSError: the folder cannot be read.
    """
    found = set()
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.stat().st_size > _FILE_MAX:
            continue
        for certificate in _certificates(path.read_bytes()):
            names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            if device in {name.value for name in names}:
                found.add(certificate.serial_number)
    return found


def revoke_certificates(path: Path, ca: CA, serials: Iterable[int], now: datetime) -> int:
    """Write the revocation list anew, with these serial numbers besides those it has.

    Returns how many it has now. It is good until the CA's certificate ends: a list that has run out
    would shut out every device, and the broker reads it from a file that only changes here.

    Raises:
        CredentialsError: what is there is no list of this CA, or its certificate has ended.
        OSError: it cannot be read or replaced; nothing has changed.
    """
    if ca.certificate.not_valid_after_utc <= now:
        raise CredentialsError("the CA's certificate has ended: nobody believes what it signs")
    number, entries = 0, dict[int, x509.RevokedCertificate]()
    if path.exists():
        before = _crl(path, ca)
        numbers = [e.value.crl_number for e in before.extensions if _is_number(e)]
        number = numbers[0] if numbers else 0
        entries = {entry.serial_number: entry for entry in before}
    for serial in serials:
        if serial not in entries:
            entries[serial] = (
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(now)
                .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
                .build()
            )
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(now - _SKEW)
        .next_update(ca.certificate.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number + 1), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.certificate.public_key()),  # type: ignore[arg-type]  # of a kind that we sign with
            critical=False,
        )
    )
    for entry in entries.values():
        builder = builder.add_revoked_certificate(entry)
    made = builder.sign(ca.key, ca.hash)
    durable.replace(path, made.public_bytes(Encoding.PEM))
    return len(entries)


def crl_ends(path: Path) -> datetime | None:
    """Return when a revocation list runs out, and with it everybody's access; None: never.

    Raises:
        CredentialsError: it cannot be read.
    """
    try:
        return x509.load_pem_x509_crl(path.read_bytes()).next_update_utc
    except (OSError, ValueError) as error:
        raise CredentialsError(f"{path}: {_said(error)}") from error


def run(command: list[str]) -> None:
    """Run the command that tells the broker.

    Raises:
        CredentialsError: it is not there, does not end in 30 s, or fails.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_RELOAD_S, check=False
        )
    except OSError as error:
        raise CredentialsError(f"{command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise CredentialsError(f"{command[0]} has not ended within {_RELOAD_S:.0f} s") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise CredentialsError(f"{command[0]} ended with {done.returncode}: {said[-200:]}")


def take_over(host: str, port: int, trust: Path, ca: CA, device: str) -> None:
    """Connect as the device, so that the broker ends its connection and its session, and leave.

    Raises:
        CredentialsError: the broker did not take us.
        OSError: for tls.explain.
    """
    answer: list[str] = []
    heard = threading.Event()

    def answered(_c: Client, _u: Any, _f: Any, code: ReasonCode, _p: Any) -> None:
        answer.append(str(code) if code.is_failure else "")
        heard.set()

    client = Client(CallbackAPIVersion.VERSION2, client_id=device, clean_session=True)
    client.on_connect = answered
    client.on_disconnect = lambda *_: heard.set()
    client.tls_set_context(_as_device(trust, ca, device))
    client.connect(host, port, keepalive=30)
    client.loop_start()
    try:
        heard.wait(_TAKE_OVER_S)
    finally:
        client.disconnect()
        if client.loop_stop() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            heard.clear()
    if answer != [""]:
        said = answer[0] if answer else "it does not believe the CA's own signature, or is silent"
        raise CredentialsError(f"{host}:{port} did not take us: {said}")


def _as_device(trust: Path, ca: CA, device: str) -> ssl.SSLContext:
    """Return a context with a certificate for a device that ends in ten minutes."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _OWN_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(ca.key, ca.hash)
    )
    # Python's ssl takes them from files only; these are ours alone, and gone at once.
    with tempfile.TemporaryDirectory() as folder:
        chain, secret = Path(folder, "cert.pem"), Path(folder, "key.pem")
        chain.write_bytes(made.public_bytes(Encoding.PEM))
        secret.touch(0o600)
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return context(TLS(trust, chain, secret))


def _certificates(data: bytes) -> Iterator[x509.Certificate]:
    """Yield the certificates of a file, PEM or DER; of one that is something else, none."""
    try:
        if b"-----BEGIN CERTIFICATE" in data:
            yield from x509.load_pem_x509_certificates(data)
        else:
            yield x509.load_der_x509_certificate(data)
    except ValueError:
        return


def _crl(path: Path, ca: CA) -> x509.CertificateRevocationList:
    try:
        found = x509.load_pem_x509_crl(path.read_bytes())
        good = found.is_signature_valid(ca.certificate.public_key())  # type: ignore[arg-type]  # as above
    except (ValueError, TypeError, InvalidSignature) as error:
        raise CredentialsError(f"{path} is no revocation list: {_said(error)}") from error
    if not good or found.issuer != ca.certificate.subject:
        raise CredentialsError(f"{path} is another CA's revocation list")
    return found


def _is_number(extension: Any) -> bool:
    return isinstance(extension.value, x509.CRLNumber)


def _said(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__

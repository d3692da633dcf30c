"""Certificate authorities and certificates for tests, made on the spot."""

from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

EPOCH_2020 = datetime(2020, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@cache
def _key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def t_of(moment: datetime) -> int:
    """Return a moment as records count it: seconds since 2020."""
    return int((moment - EPOCH_2020).total_seconds())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Issued:
    """A certificate with its key, as PEM text."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.cert = certificate.public_bytes(Encoding.PEM).decode()
        self.key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class CA(Issued):
    """A certificate authority."""

    _made = 0

    def __init__(self, begins: datetime, ends: datetime, name: str = "Fairway test CA") -> None:
        CA._made += 1
        self._key = _key(CA._made)
        self._issued = 0
        self.begins, self.ends = begins, ends
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(name))
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
        )
        super().__init__(builder.sign(self._key, hashes.SHA256()), self._key)

    def server(
        self,
        name: str = "localhost",
        begins: datetime | None = None,
        ends: datetime | None = None,
        address: str = "127.0.0.1",
    ) -> Issued:
        """Issue a server's certificate for a name and an address."""
        names = x509.SubjectAlternativeName(
            [x509.DNSName(name), x509.IPAddress(ip_address(address))]
        )
        return self._issue(name, begins, ends, ExtendedKeyUsageOID.SERVER_AUTH, names)

    def device(
        self, name: str, begins: datetime | None = None, ends: datetime | None = None
    ) -> Issued:
        """Issue a device's certificate; its common name is the device's id."""
        return self._issue(name, begins, ends, ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def _issue(
        self,
        name: str,
        begins: datetime | None,
        ends: datetime | None,
        usage: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName | None,
    ) -> Issued:
        self._issued += 1
        key = _key(1000 + self._issued)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins or self.begins)
            .not_valid_after(ends or self.ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return Issued(builder.sign(self._key, hashes.SHA256()), key)

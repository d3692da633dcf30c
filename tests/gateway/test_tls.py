"""TLS settings: what is refused at the start, what is warned of, what an error is called."""

import socket
import ssl
from datetime import UTC, datetime

import pytest

from gateway.access import tls
from gateway.config import load
from tests.link.pki import CA, DAY
from toolkit.settings import SettingsError

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def ca() -> CA:
    return CA(NOW - DAY, NOW + 1000 * DAY)


@pytest.fixture
def folder(tmp_path, ca):
    mine = ca.device("gateway")
    (tmp_path / "ca.pem").write_text(ca.cert)
    (tmp_path / "own.pem").write_text(mine.cert)
    (tmp_path / "own.key").touch(0o600)
    (tmp_path / "own.key").write_text(mine.key)
    (tmp_path / "other.key").touch(0o600)
    (tmp_path / "other.key").write_text(ca.server().key)
    (tmp_path / "open.key").write_text(mine.key)
    (tmp_path / "open.key").chmod(0o644)
    (tmp_path / "nothing.pem").write_text("nothing\n")
    return tmp_path


GOOD = 'tls_ca = "ca.pem"\ntls_cert = "own.pem"\ntls_key = "own.key"\n'


def test_good_settings(folder):
    path = folder / "gateway.toml"
    path.write_text(f"[broker]\n{GOOD}")
    broker = load(path, {}).broker
    assert (broker.port, broker.tls.cert) == (8883, folder / "own.pem")
    made = tls.context(broker.tls)
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (made.check_hostname, made.verify_mode) == (True, ssl.CERT_REQUIRED)
    path.write_text('[broker]\nport = 1234\ntls_ca = "ca.pem"\n')
    assert load(path, {}).broker.port == 1234
    path.write_text("")
    assert load(path, {}).broker.tls is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (GOOD.replace("ca.pem", "no.pem"), 2, ["broker.tls_ca", "no.pem", "cannot be read"]),
        (GOOD.replace("ca.pem", "nothing.pem"), 2, ["broker.tls_ca", "no certificate in PEM"]),
        (GOOD.replace("own.pem", "no.pem"), 3, ["broker.tls_cert", "no.pem", "cannot be read"]),
        (GOOD.replace("own.key", "no.key"), 4, ["broker.tls_key", "no.key", "cannot be read"]),
        (GOOD.replace("own.key", "other.key"), 4, ["broker.tls_key", "is not the key of"]),
        (GOOD.replace("own.key", "open.key"), 4, ["broker.tls_key", "everybody", "chmod 600"]),
        (GOOD.replace("own.key", "ca.pem"), 4, ["broker.tls_key"]),
        (GOOD.replace("own.pem", "nothing.pem"), 4, ["broker.tls_key", "nothing.pem"]),
        ('tls_ca = "ca.pem"\ntls_cert = "own.pem"', 1, ["broker.tls_key", "belong together"]),
        ('tls_ca = "ca.pem"\ntls_key = "own.key"', 1, ["broker.tls_cert", "belong together"]),
        ('tls_cert = "own.pem"', 1, ["broker.tls_ca", "is missing"]),
    ],
)
def test_wrong_settings(folder, text, line, words):
    path = folder / "gateway.toml"
    path.write_text(f"[broker]\n{text}")
    if "ca.pem" in text and 'tls_key = "ca.pem"' in text:
        (folder / "ca.pem").chmod(0o600)
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}:{line}:"), problem
    for word in words:
        assert word in problem


def test_the_cas_key_needs_its_certificate(folder):
    path = folder / "gateway.toml"
    path.write_text('[revocation]\ncrl_file = "crl.pem"\nca_key = "ca.key"\nlistener = "x"\n')
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    assert [p.split(": ")[1].split()[0] for p in caught.value.problems] == [
        "revocation.listener", "revocation.ca_cert",
    ]  # fmt: skip


def test_what_ends_soon_is_warned_of(folder, ca):
    used = tls.TLS(folder / "ca.pem", folder / "own.pem", folder / "own.key")
    assert tls.warnings(used, NOW.timestamp()) == []
    (folder / "own.pem").write_text(ca.device("gateway", ends=NOW + 12.5 * DAY).cert)
    (warning,) = tls.warnings(used, NOW.timestamp())
    assert "broker.tls_cert" in warning
    assert "ends in 12 days" in warning
    assert tls.warnings(used, (NOW - 30 * DAY).timestamp()) == []
    both = tls.warnings(used, (NOW + 990 * DAY).timestamp())
    assert "broker.tls_ca" in both[0]
    assert "ended on" in both[1]
    (folder / "own.pem").unlink()
    assert "broker.tls_cert" in tls.warnings(used, NOW.timestamp())[0]


@pytest.mark.parametrize(
    ("error", "begins"),
    [
        (socket.gaierror(-2, "Name or service not known"), "connect: no address for broker.host"),
        (ConnectionRefusedError(111, "refused"), "connect: nobody listens"),
        (TimeoutError("timed out"), "timeout: "),
        (OSError(113, "No route to host"), "connect: No route to host"),
        (ssl.SSLEOFError(8, "EOF"), "refused-by-server: "),
        (ValueError("what"), "connect: what"),
        (None, "connect: no reason"),
    ],
)
def test_errors_have_names(error, begins):
    assert tls.explain(error).startswith(begins)

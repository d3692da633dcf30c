"""A mosquitto that speaks TLS only, set up as config/mosquitto.conf has it, and a gateway's files for it."""

import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt

from gateway.access import credentials
from simulators.site.brokers import is_root
from tests.chain.processes import PASSWORDS, Process, free_port, listens, process, wait_for
from tests.link.pki import CA, DAY, Issued
from tests.peers import need

RULES = Path(__file__).parents[2] / "config" / "mosquitto.rules"
CONFIG = """\
listener {port} 127.0.0.1
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
tls_version tlsv1.2
allow_anonymous false
acl_file {folder}/rules
use_username_as_clientid true
max_inflight_messages 2000
max_queued_messages 1000000
persistence true
persistence_location {folder}/
"""
WHO = {
    "passwords": "password_file {folder}/passwords\n",
    "certificates": (
        "require_certificate true\nuse_identity_as_username true\ncrlfile {folder}/crl.pem\n"
    ),
}


def authority() -> CA:
    """Return a CA that is good today."""
    today = datetime.now(UTC)
    return CA(today - 100 * DAY, today + 1000 * DAY)


def write(folder: Path, name: str, issued: Issued) -> tuple[Path, Path]:
    """Write a certificate and its key; return their paths."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_text(issued.cert)
    key.touch(0o600)
    key.write_text(issued.key)
    return cert, key


class Broker:
    """Its port, its folder, and what a user needs: `certificates/NAME.pem` and `.key`."""

    def __init__(self, folder: Path, who: str, ca: CA, process: Process, port: int) -> None:
        self.folder, self.who, self.ca = folder, who, ca
        self.process, self.port = process, port

    def show(self, server: Issued) -> None:
        """Show another certificate from now on; who is connected stays so."""
        write(self.folder, "server", server)
        self.reload()
        wait_for("the reload", lambda: self.shown() == server.certificate.serial_number)

    def reload(self) -> None:
        os.kill(self.process._child.pid, signal.SIGHUP)

    def shown(self) -> int:
        pem = ssl.get_server_certificate(("127.0.0.1", self.port))
        return credentials.x509.load_pem_x509_certificate(pem.encode()).serial_number

    def access(self, name: str) -> dict[str, object]:
        """Return a device's access document."""
        out = {"host": "localhost", "port": self.port, "tls": True, "ca": self.ca.cert}
        if self.who == "passwords":
            return out | {"password": name[::-1]}
        cert, key = (self.folder / "certificates" / f"{name}{end}" for end in (".pem", ".key"))
        return out | {"cert": cert.read_text(), "key": key.read_text()}

    def client(self, name: str) -> mqtt.Client:
        """Return a paho client with a user's credentials, not connected."""
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name)
        context = ssl.create_default_context(cadata=self.ca.cert)
        if self.who == "passwords":
            client.username_pw_set(name, PASSWORDS.get(name, name[::-1]))
        else:
            context.load_cert_chain(
                *(self.folder / "certificates" / f"{name}{end}" for end in (".pem", ".key"))
            )
        client.tls_set_context(context)
        return client


@contextmanager
def tls_broker(folder: Path, who: str, devices: list[str]) -> Iterator[Broker]:
    """Run a broker that knows the gateway and devices by their "passwords" or "certificates"."""
    program = need("mosquitto")
    (folder / "certificates").mkdir(parents=True)
    ca, port = authority(), free_port()
    write(folder, "ca", ca)
    write(folder, "server", ca.server())
    shutil.copy(RULES, folder / "rules")
    (folder / "rules").chmod(0o600)
    names = ["gateway", *devices]
    for name in names:
        write(folder / "certificates", name, ca.device(name))
    held = credentials.load_ca(folder / "ca.pem", folder / "ca.key")
    credentials.revoke_certificates(folder / "crl.pem", held, (), datetime.now(UTC))
    passwords = folder / "passwords"
    passwords.touch(0o600)
    passwords.write_text("".join(f"{n}:{PASSWORDS.get(n, n[::-1])}\n" for n in names))
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
    text = (CONFIG + WHO[who]).format(folder=folder, port=port)
    # As root it would become the user mosquitto, who may not enter our folder.
    (folder / "mosquitto.conf").write_text("user root\n" + text if is_root() else text)
    command = [program, "-c", str(folder / "mosquitto.conf")]
    with process(command, folder / "mosquitto.log") as child:
        wait_for("mosquitto", lambda: listens(port))
        yield Broker(folder, who, ca, child, port)


def gateway_config(folder: Path, broker: Broker) -> Path:
    """Write the configuration of a gateway that can revoke."""
    own = ""
    if broker.who == "certificates":
        own = (
            f'tls_cert = "{broker.folder}/certificates/gateway.pem"\n'
            f'tls_key = "{broker.folder}/certificates/gateway.key"\n'
        )
        where = (
            f'crl_file = "{broker.folder}/crl.pem"\nca_cert = "{broker.folder}/ca.pem"\n'
            f'ca_key = "{broker.folder}/ca.key"\ncertificates = "{broker.folder}/certificates"\n'
        )
    else:
        where = f'password_file = "{broker.folder}/passwords"\n'
    path = folder / "gateway.toml"
    path.write_text(
        f'data = "gateway"\nkeys_file = "keys.toml"\n[broker]\nhost = "localhost"\n'
        f'port = {broker.port}\ntls_ca = "{broker.folder}/ca.pem"\n{own}'
        f'[revocation]\n{where}reload = "kill -HUP {broker.process._child.pid}"\n'
    )
    return path

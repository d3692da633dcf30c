"""A TLS broker, a device and a gateway on loopback: what the tests of the link have in common."""

import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paho.mqtt.client as mqtt
from cryptography import x509
from paho.mqtt.enums import CallbackAPIVersion

from agent.clock import Clock
from agent.hal.host import HostBoard
from agent.keep.boots import BootNumber
from agent.keep.outbox import Outbox
from agent.keep.slots import Slots
from agent.link import supervisor as s
from agent.link.downlink import Downlink
from agent.proof import Proof
from agent.wire import codes, messages
from simulators.site.brokers import is_root
from tests.chain.processes import Process, free_port, listens, process, wait_for
from tests.link.pki import CA, Issued
from tests.peers import need

DEVICE = "buoy-1"
PASSWORD = "its-own"
BUILT = 217_000_000

_CONFIG = """
per_listener_settings true
listener {tls} 127.0.0.1
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
tls_version tlsv1.2
allow_anonymous false
{who}
listener {plain} 127.0.0.1
allow_anonymous true
"""
_BY_PASSWORD = "password_file {folder}/passwords"
_BY_CERTIFICATE = "require_certificate true\nuse_identity_as_username true"


class Broker:
    """A mosquitto with a TLS listener for devices and a plain one for the gateway."""

    def __init__(self, folder: Path, plain: int, tls: int) -> None:
        self.folder, self.plain, self.tls = folder, plain, tls
        self.process: Process | None = None
        self.gateway: Gateway | None = None

    def show(self, server: Issued) -> None:
        """Write the certificate that it shows from its next start, or `reload`, on."""
        (self.folder / "server.pem").write_text(server.cert)
        (self.folder / "server.key").write_text(server.key)

    def reload(self, server: Issued) -> None:
        """Make it read its certificates again (SIGHUP) until it shows this one; connections stay."""
        os.kill(self.process._child.pid, signal.SIGHUP)
        wait_for("the reload", lambda: self._shown() == server.certificate)

    def _shown(self) -> x509.Certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.tls), 5) as plain,
            context.wrap_socket(plain) as secure,
        ):
            return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")

    def restart(self) -> None:
        """Stop it and start it again, until the gateway is back."""
        sessions = self.gateway.sessions
        self.process.stop()
        self.process.start()
        wait_for("the gateway", lambda: self.gateway.sessions > sessions)


@contextmanager
def broker(
    folder: Path, ca: CA, server: Issued, *, certificates: bool = False
) -> Iterator[Broker]:
    """Run a broker that knows DEVICE by its password, or by its certificate."""
    program = need("mosquitto")
    folder.mkdir(exist_ok=True)
    made = Broker(folder, free_port(), free_port())
    made.show(server)
    (folder / "ca.pem").write_text(ca.cert)
    passwords = folder / "passwords"
    passwords.write_text(f"{DEVICE}:{PASSWORD}\n")
    passwords.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
    who = _BY_CERTIFICATE if certificates else _BY_PASSWORD.format(folder=folder)
    config = folder / "mosquitto.conf"
    text = _CONFIG.format(folder=folder, plain=made.plain, tls=made.tls, who=who)
    # As root it would become the user mosquitto, who may not enter our folder.
    config.write_text("user root\n" + text if is_root() else text)
    with process([program, "-c", str(config)], folder / "mosquitto.log") as child:
        made.process = child
        wait_for("mosquitto", lambda: listens(made.plain) and listens(made.tls))
        yield made


class Gateway:
    """Answers the clock question and acknowledges; what the real one says when it is there."""

    def __init__(self, port: int, now: Callable[[], int]) -> None:
        self.seen: list[bytes] = []
        self._now = now
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self.sessions = 0
        self._client.on_connect = lambda c, *_: c.subscribe(f"fw/1/+/{DEVICE}/up/#")
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        wait_for("the gateway", lambda: self.sessions)

    def _subscribed(self, *_: object) -> None:
        self.sessions += 1

    def _take(self, client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
        buf = bytearray(64)
        down = message.topic.rpartition("/up/")[0] + "/dn/"
        if message.topic.endswith("/up/cmd"):
            asked = messages.read_cmd_up(message.payload)
            if asked[0] == messages.CLOCK:
                n = messages.put_clock_tell(buf, asked[1], self._now(), 0, None)
                client.publish(down + "cmd", bytes(buf[:n]))
        elif message.topic.endswith("/up/rec"):
            self.seen.append(message.payload)

    def stop(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()


class Memory:
    """A boot store."""

    def __init__(self) -> None:
        self._data: bytes | None = None

    def load(self) -> bytes | None:
        return self._data

    def save(self, data: bytes) -> None:
        self._data = bytes(data)


class Device:
    """The real supervisor, downlink and outbox on hal.host; `faster` runs its uptime ahead."""

    def __init__(self, folder: Path, access: dict, t: int | None) -> None:
        self.clock = Clock(BUILT)
        self.board = HostBoard(str(folder))
        if t is not None:
            self.clock.offer(codes.CLOCK_BEIDOU, t, 0, 0, 500)
        self.boot = BootNumber(Memory(), Memory(), self.board.random)
        self.outbox = Outbox(8192, self.board.random)
        self.downlink = Downlink(self.boot, self.outbox, self.clock)
        self.link = s.Supervisor(
            self.board,
            DEVICE,
            access,
            60,
            self.boot.value,
            self.outbox,
            self.downlink,
            self.clock,
        )
        self._parts: list[Any] = [self.downlink, self.link]
        self.faster = 1
        self.errors: list[str] = []
        self._last = time.monotonic()

    def prove(self, slots: Slots, confirm_s: int) -> Proof:
        """Let access be on trial, as the agent does."""
        nothing = Slots(self.board.files(), "settings")
        nothing.start()
        given = SimpleNamespace(
            config={"good_s": 600, "confirm_s": confirm_s},
            access_slots=slots,
            settings_slots=nothing,
            guard=SimpleNamespace(good=lambda: None),
        )
        proof = Proof(given, self.link)
        self._parts.append(proof)
        return proof

    def step(self) -> None:
        """Let the time that has passed pass, and run the parts once."""
        now = time.monotonic()
        now_ms = self.clock.advance(int((now - self._last) * 1000) * self.faster)
        self._last = now if int((now - self._last) * 1000) else self._last
        for part in self._parts:
            part.poll(now_ms)
        if self.link.errors > len(self.errors):
            self.errors.append(self.link.last_error)

    def until(self, done: Callable[[], object], timeout_s: float = 10.0) -> None:
        """Step until `done()`; fail with what the link says of itself."""
        end = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < end, (s.NAMES[self.link.state], self.errors)
            self.step()
            time.sleep(0.002)

    def until_up(self) -> None:
        """Step until the gateway has answered."""
        self.until(lambda: self.link.state == s.UP)

    def until_error(self, n: int = 1) -> str:
        """Step until there are `n` errors; return the last one."""
        self.until(lambda: len(self.errors) >= n)
        return self.errors[n - 1]


@contextmanager
def mute_server() -> Iterator[int]:
    """Accept TCP connections and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for one in taken:
            one.close()

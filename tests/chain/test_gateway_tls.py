"""The gateway's TLS against a real mosquitto: who is believed, who is not, and what it is called.

As tests/link/test_tls.py has it for devices; OpenSSL asks the computer's clock here.
"""

import gc
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
import pytest

from agent.wire import messages, schema, series
from agent.wire.read import Reader
from agent.wire.vectors import written_record
from gateway.access import tls
from tests.chain import processes
from tests.chain.processes import GATEWAY_ENV, free_port, gateway_command, process, wait_for
from tests.chain.tls_broker import authority, gateway_config, tls_broker, write
from tests.link.bench import mute_server
from tests.link.pki import DAY

DEVICES = ["buoy-1", "buoy-2"]
NOW = datetime.now(UTC)


@pytest.fixture(params=["passwords", "certificates"])
def broker(request, tmp_path):
    with tls_broker(tmp_path / "broker", request.param, DEVICES) as made:
        yield made


@pytest.fixture(scope="module")
def by_certificate(tmp_path_factory):
    with tls_broker(tmp_path_factory.mktemp("tls"), "certificates", DEVICES) as made:
        yield made


@pytest.fixture
def shows(by_certificate):
    """Let the broker show another certificate; afterwards it shows its own again."""
    yield by_certificate.show
    by_certificate.show(by_certificate.ca.server())


def ours(broker, **other):
    files = {
        "ca": broker.folder / "ca.pem",
        "cert": broker.folder / "certificates" / "gateway.pem",
        "key": broker.folder / "certificates" / "gateway.key",
    }
    return tls.TLS(**(files | other))


def said_by_probe(host, port, used):
    with pytest.raises(OSError) as caught:
        tls.probe(host, port, used)
    return tls.explain(caught.value)


def test_who_is_not_believed(by_certificate, shows, tmp_path):
    port, used = by_certificate.port, ours(by_certificate)
    ca = by_certificate.ca
    other = write(tmp_path, "other", authority())[0]  # of the same name
    assert said_by_probe("localhost", port, ours(by_certificate, ca=other)).startswith(
        "wrong-ca: "
    )
    shows(ca.server("another.example", address="127.0.0.2"))
    for host in ("localhost", "127.0.0.1"):
        assert said_by_probe(host, port, used).startswith("wrong-name: ")
    shows(ca.server(begins=NOW - 50 * DAY, ends=NOW - DAY))
    assert said_by_probe("localhost", port, used).startswith("expired: ")
    shows(ca.server(begins=NOW + DAY, ends=NOW + 50 * DAY))
    assert said_by_probe("localhost", port, used).startswith("not-yet-valid: ")
    assert said_by_probe("localhost", free_port(), used).startswith("connect: nobody listens")
    assert said_by_probe("no.such.host.invalid", 1, used).startswith("connect: no address")


def test_a_server_that_accepts_and_never_answers(by_certificate, monkeypatch):
    monkeypatch.setattr(tls, "_PROBE_S", 0.5)
    with mute_server() as port:
        said = said_by_probe("localhost", port, ours(by_certificate))
    assert said.startswith("timeout: ")


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_paho_fails_with_a_reason(by_certificate, tmp_path):
    """It swallows the exception, and calls us while it is being handled."""
    said = []
    there = threading.Event()

    def failed(*_):
        said.append(tls.explain(sys.exc_info()[1]))
        there.set()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="gateway")
    other = write(tmp_path, "other", authority())[0]
    client.tls_set_context(tls.context(ours(by_certificate, ca=other)))
    client.on_connect_fail = failed
    client.connect_async("localhost", by_certificate.port, 10)
    client.loop_start()
    assert there.wait(10)
    client.loop_stop()
    assert said[0].startswith("wrong-ca: ")
    gc.collect()


def test_who_does_not_believe_us(by_certificate, tmp_path):
    port = by_certificate.port
    said = said_by_probe("localhost", port, ours(by_certificate, cert=None, key=None))
    assert said.startswith("refused-by-server: tlsv13 alert certificate required; "), said
    cert, key = write(tmp_path, "stranger", authority().device("gateway"))
    said = said_by_probe("localhost", port, ours(by_certificate, cert=cert, key=key))
    assert said.startswith("refused-by-server: "), said
    cert, key = write(tmp_path, "old", by_certificate.ca.device("gateway", ends=NOW - DAY))
    said = said_by_probe("localhost", port, ours(by_certificate, cert=cert, key=key))
    assert said.startswith("refused-by-server: "), said
    assert "renew broker.tls_cert" in said


def test_a_port_without_tls(tmp_path, by_certificate):
    with processes.broker("mosquitto", tmp_path, DEVICES) as (port, _):
        assert said_by_probe("localhost", port, ours(by_certificate)).startswith(
            "refused-by-server: it closed"
        )


def test_a_server_of_old(tmp_path, by_certificate):
    """TLS 1.1 is not spoken, whatever the server can do."""
    port, folder = free_port(), by_certificate.folder
    command = [
        "openssl", "s_server", "-accept", str(port), "-tls1_1", "-www", "-cipher", "ALL:@SECLEVEL=0",
        "-cert", str(folder / "server.pem"), "-key", str(folder / "server.key"),
    ]  # fmt: skip
    with process(command, tmp_path / "log") as server:
        wait_for("the server", lambda: b"ACCEPT" in (tmp_path / "log").read_bytes())
        assert server.running
        assert said_by_probe("localhost", port, ours(by_certificate)).startswith("old-tls: ")


def test_a_broker_whose_certificate_ends_soon(by_certificate, shows):
    port, used = by_certificate.port, ours(by_certificate)
    assert tls.probe("localhost", port, used) == ""
    shows(by_certificate.ca.server(ends=NOW + 20.5 * DAY))
    assert "ends in 20 days" in tls.probe("localhost", port, used)


class Device:
    """A paho client that keeps what it is told."""

    def __init__(self, broker, name):
        self.acks = []
        ready = threading.Event()
        self.client = broker.client(name)
        self.client.on_connect = lambda c, *_: c.subscribe(messages.topic(name, "dn", "ack"))
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = self._told
        self.client.connect("localhost", broker.port)
        self.client.loop_start()
        assert ready.wait(10)

    def _told(self, _client, _user, message):
        reader = Reader(message.payload, 0, len(message.payload))
        while not reader.at_end():
            self.acks.append(messages.read_ack(reader))

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def record(seq):
    return written_record(
        schema.BEACON, [257], boot=7, seq=seq, t=int(time.time()) - series.EPOCH_2020
    )


def accounts(config):
    command = [sys.executable, "-m", "toolkit", "gateway", "accounts", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_records_by_tls_and_nobody_speaks_as_another(broker, tmp_path):
    config, log = gateway_config(tmp_path, broker), tmp_path / "gateway.log"
    with process(gateway_command(config), log, GATEWAY_ENV):
        wait_for("the gateway", lambda: b"connected to the broker" in log.read_bytes())
        honest, thief = Device(broker, "buoy-1"), Device(broker, "buoy-2")
        thief.client.publish(messages.topic("buoy-1", "up", "rec"), record(66), 1)
        thief.client.publish(messages.topic("buoy-2", "up", "rec"), record(1), 1)
        honest.client.publish(messages.topic("buoy-1", "up", "rec"), record(0), 1)
        wait_for("the acknowledgements", lambda: honest.acks and thief.acks)
        assert (honest.acks, thief.acks) == ([(7, 0, 0)], [(7, 1, 1)])
        honest.close()
        thief.close()
    said = accounts(config)
    assert "buoy-1  boot 7  seq 0 to 0" in said
    assert "Traceback" not in log.read_text()


def test_the_gateway_says_why_it_cannot_connect_and_does_when_it_can(
    by_certificate, shows, tmp_path
):
    shows(by_certificate.ca.server("another.example", address="127.0.0.2"))
    config, log = gateway_config(tmp_path, by_certificate), tmp_path / "gateway.log"
    with process(gateway_command(config), log, GATEWAY_ENV):
        wait_for("the reason", lambda: b"wrong-name: " in log.read_bytes())
        shows(by_certificate.ca.server(ends=NOW + 20.5 * DAY))
        wait_for("the gateway", lambda: b"connected to the broker" in log.read_bytes())
        wait_for("the warning", lambda: b"certificate ends in 20 days" in log.read_bytes())

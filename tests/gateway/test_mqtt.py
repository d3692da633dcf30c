"""paho in bulk: what its private parts are asked to do, held against the pinned version and mosquitto."""

import random
import socket
import threading
import time
from contextlib import suppress

import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.wire import messages, schema
from agent.wire.vectors import written_record
from gateway.config import Broker
from gateway.inbox import Inbox
from gateway.inputs import bulk
from gateway.inputs.bulk import BulkClient, ProtocolError, cut, publish_packet
from gateway.inputs.mqtt import MQTTInput
from tests.chain.processes import PASSWORDS, broker, wait_for

DEVICE = "load-1"
SEED = 20261122


def test_packets_are_cut_wherever_the_bytes_are_split():
    rng = random.Random(SEED)
    contents = [rng.randbytes(size) for size in (0, 1, 2, 127, 128, 129, 16_383, 16_384, 20_000)]
    stream = b"".join(publish_packet(b"t", content) for content in contents)
    for step in (1, 2, 3, 100, 5000, len(stream)):
        buf, found = bytearray(), []
        for at in range(0, len(stream), step):
            buf += stream[at : at + step]
            packets, rest = cut(buf)
            found += [bytes(buf[start + 3 : end]) for _, start, end in packets]
            del buf[:rest]
        assert found == contents
        assert not buf


def test_an_endless_length_is_refused():
    with pytest.raises(ProtocolError):
        cut(b"\x30\xff\xff\xff\xff\x01" + bytes(100))
    assert cut(b"\x30\xff\xff\xff") == ([], 0)


class Server:
    """A broker of three answers, that sends what it is told, in what pieces it is told."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.link = None
        self.got = bytearray()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            link.recv(4096)
            link.sendall(b"\x20\x02\x00\x00")
            self.link = link
            self._reader = threading.Thread(target=self._read, args=(link,), daemon=True)
            self._reader.start()

    def _read(self, link):
        with link, suppress(OSError):
            while data := link.recv(65536):
                self.got += data

    def close(self):
        self._listener.close()
        if self.link:
            with suppress(OSError):
                self.link.shutdown(socket.SHUT_RDWR)
            self._reader.join(5)


@pytest.fixture
def server():
    one = Server()
    yield one
    one.close()


@pytest.fixture
def client_of():
    """Connect a client to a server; it is ended with the test."""
    running = []

    def make(server, taken):
        client, thread = start(server, taken)
        running.append((client, thread))
        return client

    yield make
    for client, thread in running:
        client.disconnect()
        thread.join(5)
        assert not thread.is_alive()


def start(server, taken):
    client = BulkClient(
        taken.append,
        CallbackAPIVersion.VERSION2,
        client_id="g",
        clean_session=False,
        protocol=MQTTProtocolVersion.MQTTv311,
    )
    client.connect_async("127.0.0.1", server.port, 60)
    thread = threading.Thread(target=client.serve, daemon=True)
    thread.start()
    wait_for("the connection", client.is_connected)
    wait_for("the server", lambda: server.link)
    return client, thread


def qos1(mid, topic, content):
    packet = publish_packet(topic, mid.to_bytes(2, "big") + content)
    return bytes([packet[0] | 2]) + packet[1:]


def test_deliveries_and_other_packets_keep_their_order(server, client_of):
    taken = []
    client = client_of(server, taken)
    pinged = threading.Event()
    client.on_subscribe = lambda *_: pinged.set()
    stream = qos1(1, b"a", b"x") + qos1(2, b"b", bytes(300)) + b"\x90\x03\x00\x01\x01"
    stream += publish_packet(b"c", b"zero") + qos1(3, b"d", b"y")
    for at in range(0, len(stream), 7):
        server.link.sendall(stream[at : at + 7])
    wait_for("all of it", lambda: sum(len(p.messages) for p in taken) == 4)
    assert pinged.is_set()
    assert [m for p in taken for m in p.messages] == [
        (b"a", b"x"), (b"b", bytes(300)), (b"c", b"zero"), (b"d", b"y"),
    ]  # fmt: skip
    acks = b"".join(p.acks for p in taken)
    assert acks == b"\x40\x02\x00\x01\x40\x02\x00\x02\x40\x02\x00\x03"
    client.send(acks)
    wait_for("the acknowledgements", lambda: server.got.endswith(acks))


def test_what_several_threads_send_is_never_mixed(server, client_of):
    client = client_of(server, [])
    packets = [publish_packet(b"t%d" % n, bytes([n]) * 30_000) for n in range(8)]
    threads = [
        threading.Thread(target=lambda p=p: [client.send(p) for _ in range(20)]) for p in packets
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    size = 160 * len(packets[0])
    wait_for("all of it", lambda: len(server.got) >= size)
    found, rest = cut(server.got)
    assert (len(found), rest) == (160, len(server.got))
    assert all(len(set(server.got[start + 4 : end])) == 1 for _, start, end in found)


def test_half_a_packet_of_a_lost_connection_is_forgotten(server, client_of):
    taken = []
    client = client_of(server, taken)
    client.reconnect_delay_set(1, 1)
    server.link.sendall(qos1(1, b"a", b"whole") + qos1(2, b"b", bytes(300))[:100])
    wait_for("the first", lambda: taken)
    old = server.link
    old.shutdown(socket.SHUT_RDWR)
    wait_for("another connection", lambda: server.link is not old and client.is_connected())
    server.link.sendall(qos1(7, b"c", b"new"))
    wait_for("the new one", lambda: len(taken) == 2)
    assert taken[1].messages == [(b"c", b"new")]


@pytest.fixture
def real(tmp_path):
    with broker("mosquitto", tmp_path, [DEVICE]) as (port, child):
        yield port, child, tmp_path


def connected(port, inbox, batch=500):
    where = Broker(
        host="127.0.0.1", port=port, user="gateway", password=PASSWORDS["gateway"],
        keepalive_s=30, shards=("+",), settings=None, tls=None,
    )  # fmt: skip
    mqtt = MQTTInput(where, "gateway-1", inbox, batch)
    mqtt.start()
    wait_for("the subscriptions", lambda: not mqtt.fault())
    return mqtt


class Sender:
    """A device's connection that publishes with QoS 1 and counts the answers."""

    def __init__(self, port):
        from agent.link import mqtt as m

        will = messages.topic(DEVICE, "up", "state").encode()
        hello = m.MQTT()
        hello.connect(DEVICE.encode(), DEVICE.encode(), DEVICE[::-1].encode(), 60, will, b"", 0)
        self._link = socket.create_connection(("127.0.0.1", port))
        self._link.sendall(bytes(hello.outgoing()))
        assert self._link.recv(4)[3] == 0

    def send(self, first, last):
        topic = messages.topic(DEVICE, "up", "rec").encode()
        for seq in range(first, last):
            record = written_record(schema.BEACON, [1], boot=1, seq=seq)
            self._link.sendall(qos1(seq % 65535 + 1, topic, record))
        wanted = 4 * (last - first)
        while wanted:
            wanted -= len(self._link.recv(wanted))

    def close(self):
        self._link.close()


def taken(inbox, count, *, acknowledge=True, wait_s=20):
    """Return the payloads of so many messages."""
    out = []
    end_s = time.monotonic() + wait_s
    while len(out) < count and time.monotonic() < end_s:
        for delivery in inbox.take(count, 0, 0.1):
            out += [message.payload for message in delivery.messages]
            if acknowledge and delivery.done:
                delivery.done()
    return out


def test_everything_comes_and_what_was_not_acknowledged_comes_again(real):
    port, _, _ = real
    inbox = Inbox(5000)
    mqtt = connected(port, inbox)
    sender = Sender(port)
    sender.send(0, 1000)
    first = taken(inbox, 1000)
    assert len(set(first)) == 1000
    sender.send(1000, 1200)
    kept = taken(inbox, 200, acknowledge=False)
    mqtt.stop()
    again = Inbox(5000)
    mqtt = connected(port, again)
    assert taken(again, 200) == kept
    mqtt.stop()
    third = Inbox(100)
    mqtt = connected(port, third)
    assert taken(third, 1, wait_s=1) == [], "what was acknowledged came again"
    mqtt.stop()
    sender.close()


def test_an_acknowledgement_of_an_older_connection_goes_nowhere(real):
    """mosquitto would delete another message that has the same id by now (reference §2)."""
    port, child, _ = real
    inbox = Inbox(5000)
    mqtt = connected(port, inbox)
    sender = Sender(port)
    sender.send(0, 10)
    stale = inbox.take(10, 1, 5)
    child.kill()
    wait_for("the loss", mqtt.fault)
    child.start()
    wait_for("the subscriptions", lambda: not mqtt.fault(), 30)
    sender.close()
    sender = Sender(port)
    sender.send(10, 30)
    for delivery in stale:
        delivery.done()
    fresh = taken(inbox, 20, acknowledge=False)
    mqtt.stop()
    inbox = Inbox(5000)
    mqtt = connected(port, inbox)
    assert set(taken(inbox, 20)) >= set(fresh), "an old acknowledgement deleted a new message"
    mqtt.stop()
    sender.close()


def test_a_window_that_is_too_small_is_noticed(caplog):
    inbox = Inbox(5000)
    where = Broker(
        host="127.0.0.1", port=1, user="g", password="", keepalive_s=30, shards=("+",),
        settings=None, tls=None,
    )  # fmt: skip
    mqtt = MQTTInput(where, "g", inbox, batch=500)
    for n in range(200):
        mqtt._take(bulk.Publishes([(b"t", b"")] * 20, b""))
        (delivery,) = inbox.take(1, 0, 0)
        delivery.done()
        assert ("max_inflight_messages" in caplog.text) == (n >= 49)
    assert caplog.text.count("max_inflight_messages") == 1


def test_an_exception_on_the_way_in_does_not_end_the_thread(real, caplog):
    port, _, _ = real

    class Mad(Inbox):
        calls = 0

        def put(self, delivery):
            self.calls += 1
            if self.calls == 1:
                raise RuntimeError("mad")
            return super().put(delivery)

    inbox = Mad(100)
    mqtt = connected(port, inbox)
    sender = Sender(port)
    sender.send(0, 1)
    wait_for("the failure", lambda: inbox.calls)
    sender.send(1, 2)
    assert len(taken(inbox, 1)) == 1
    assert mqtt.take_counts()["mqtt.failures"] == 1
    assert "could not be taken in" in caplog.text
    mqtt.stop()
    sender.close()

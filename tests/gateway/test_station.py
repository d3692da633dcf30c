"""Stations with real ports: TCP, UDP, multicast, a serial line; peers that break off, stall and babble."""

import contextlib
import os
import socket
import threading
import time
import tty
from functools import reduce
from operator import xor

import pytest

from agent.wire import body, schema
from agent.wire.series import EPOCH_2020
from gateway.config_inputs import Aid, Station
from gateway.inbox import Inbox
from gateway.inputs.counts import Counts
from gateway.inputs.starts import Starts
from gateway.inputs.station import station as module
from gateway.inputs.station.aids import Aids
from gateway.inputs.station.station import Listener, stations
from tests.chain.processes import free_port, wait_for
from tests.gateway.ledger import Ledger

ZENI = b"!AIVDM,1,1,,A,6>l4uk@0w2Td000000U00P0,2*5A"
BASE = b"!AIVDM,1,1,,A,402R3WiuRCb<MPBO?RFPnW1028?P,0*3A"


def checked(text, start=b"$"):
    return start + text + b"*%02X" % reduce(xor, text, 0)


def ship(n):
    """Return a sentence with message 1 of ship `n` under way."""
    bits = f"{1:06b}{0:02b}{n:030b}{0:04b}{0:08b}{100:010b}{0:01b}"
    bits += f"{122 * 600000:028b}{31 * 600000:027b}{900:012b}{90:09b}{7:06b}" + "0" * 25
    assert len(bits) == 168
    codes = (int(bits[at : at + 6], 2) for at in range(0, 168, 6))
    payload = bytes(48 + c if c < 40 else 56 + c for c in codes)
    return checked(b"AIVDM,1,1,,A," + payload + b",0", b"!")


def block(text):
    return b"\\" + checked(text, b"") + b"\\"


def config(address, name="vts-east", **more):
    values = {
        "baud": 38_400, "interface": "", "lat_e6": None, "lon_e6": None, "zero_dd": None,
        "interval_s": 60, "still_s": 600, "report_s": 600, "silent_s": 300,
    } | more  # fmt: skip
    return Station(id=name, address=address, **values)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(module, "_RETRY_S", 0.05)
    monkeypatch.setattr(module, "_FIRST_REPORT_MS", 100)


@pytest.fixture
def run(tmp_path):
    """Start stations; return the ledger with what they bring, and the inputs."""
    with contextlib.ExitStack() as stack:

        def start(*configured, aids=None):
            inbox = Inbox(1000)
            ledger = Ledger(inbox)
            stack.callback(ledger.close)
            inputs = stations(configured, aids or {}, inbox, Starts(tmp_path / "starts"))
            for one in inputs:
                one.start()
                stack.callback(one.stop)
            return ledger, inputs

        yield start


class Peer:
    """A TCP server that sends what it is told to each who connects."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.links = []

    def accept(self):
        self.server.settimeout(10)
        link, _ = self.server.accept()
        self.links.append(link)
        return link

    def close(self):
        for link in self.links:
            link.close()
        self.server.close()


@pytest.fixture
def peer():
    one = Peer()
    yield one
    one.close()


def mmsis(ledger, device="vts-east"):
    return [row[5] for row in ledger.of(device, schema.AIS)]


def test_a_tcp_station_that_breaks_off_and_comes_back(run, peer):
    ledger, (station,) = run(
        config(f"tcp://127.0.0.1:{peer.port}", lat_e6=31_000_000, lon_e6=122_000_000)
    )
    link = peer.accept()
    data = b"\r\n".join(ship(100 + n) for n in range(50)) + b"\r\n"
    for at in range(0, len(data), 97):
        link.send(data[at : at + 97])
    wait_for("50 ships", lambda: len(mmsis(ledger)) == 50)
    assert station.fault() == ""
    link.send(ship(999)[:30])  # and breaks off
    link.close()
    link = peer.accept()
    link.send(b"\xff\x00$garbage!" + b"\r\n" + ship(777) + b"\r\n")
    wait_for("the ship after the break", lambda: 777 in mmsis(ledger))
    assert 999 not in mmsis(ledger)
    rows = ledger.of("vts-east")
    assert rows[0][0] == schema.BIRTH and rows[0][7] == b"station"
    assert len({row[1] for row in rows}) == 1, "a lost connection is no new start"
    assert [row[2] for row in rows] == list(range(len(rows)))
    assert set(ledger.links) == {body.LINK_STATION}
    assert all(abs(row[3] + EPOCH_2020 - time.time()) < 20 for row in rows)
    beacon = ledger.of("vts-east", schema.BEACON)[0]
    assert beacon[4:] == [0, 31_000_000, 122_000_000]
    rx = ledger.of("vts-east", schema.RX)[0]
    assert len(rx) > 12
    counts = station.take_counts()
    assert counts["station.vts-east.lines"] == 51
    assert counts["station.vts-east.ais-ships"] == 51
    assert counts["station.vts-east.port-errors"] >= 1
    assert counts["station.vts-east.malformed"] == 2
    assert station.take_counts() == {}


def test_nobody_there_is_a_fault_with_its_address(run):
    port = free_port()
    _, (station,) = run(config(f"tcp://127.0.0.1:{port}"))
    wait_for("the fault", lambda: "refused" in station.fault())
    assert str(port) in station.fault()


def test_a_connection_that_says_nothing_is_opened_again(run, peer):
    _, (station,) = run(config(f"tcp://127.0.0.1:{peer.port}", silent_s=1))
    peer.accept()
    peer.accept().send(b"not a sentence\r\n")
    wait_for("the silence", lambda: "no good sentence" in station.fault())
    peer.accept()


def test_datagrams_of_61162_450_from_two_talkers(run):
    port = free_port()
    ledger, (station,) = run(
        config(f"udp://127.0.0.1:{port}"), aids={994131405: Aid("c1-ais", floating=True)}
    )
    wait_for("the port", lambda: station.fault() == "")
    t = int(time.time()) - 30
    long = b"AIVDM,2,%d,3,A,%b,%d"
    first, second = b"55NPrf02?O>uT@=C:20P@u8Hu8000000000000000000", b"000000000000000000000000000"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:

        def send(*lines):
            out.sendto(b"UdPbC\0" + b"\r\n".join(lines) + b"\r\n", ("127.0.0.1", port))

        send(block(b"s:AI0001,c:%d,n:1" % t) + ship(5), block(b"s:AI0001,n:2") + ship(6))
        # Parts of two messages under one number, from two talkers, mixed.
        send(block(b"g:1-2-1,s:AI0001,c:%d" % t) + checked(long % (1, first, 0), b"!"))
        send(
            block(b"g:1-2-1,s:AI0002")
            + checked(long % (1, first.replace(b"NPrf", b"NQrg"), 0), b"!")
        )
        send(block(b"g:2-2-1,s:AI0001") + checked(long % (2, second, 2), b"!"))
        send(block(b"g:2-2-1,s:AI0002") + checked(long % (2, second, 2), b"!"))
        out.sendto(b"RaUdP\0binary", ("127.0.0.1", port))
        out.sendto(b"", ("127.0.0.1", port))
        send(block(b"s:AI0001,c:%d" % t) + ZENI)
        out.sendto(ship(8), ("127.0.0.1", port))  # plain, without a line end
    wait_for("the last ship", lambda: 8 in mmsis(ledger))
    rows = ledger.of("vts-east", schema.AIS)
    assert [row[5] for row in rows] == [5, 6, 8]
    assert rows[0][3] == t - EPOCH_2020
    assert abs(rows[1][3] - rows[0][3] - 30) <= 5
    static = ledger.of("vts-east", schema.AIS_STATIC)
    assert len(static) == 2
    assert len({row[5] for row in static}) == 2  # MMSIs: not mixed
    (aid,) = ledger.of("c1-ais", schema.BEACON)
    assert aid[3] == t - EPOCH_2020
    assert aid[9] == 14_800
    assert station.take_counts()["station.vts-east.datagram"] == 1


def test_a_multicast_group(run):
    port = free_port()
    ledger, (station,) = run(config(f"udp://239.192.0.1:{port}", interface="127.0.0.1"))
    wait_for("the port or its fault", lambda: "not opened" not in station.fault())
    if station.fault():
        pytest.skip(f"no multicast here: {station.fault()}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        for _ in range(50):
            out.sendto(b"UdPbC\0" + ship(42) + b"\r\n", ("239.192.0.1", port))
            time.sleep(0.05)
            if mmsis(ledger):
                break
    assert mmsis(ledger) == [42]


def test_a_serial_line(run):
    master, slave = os.openpty()
    try:
        tty.setraw(slave)
        ledger, (station,) = run(config(os.ttyname(slave)))
        wait_for("the port", lambda: station.fault() == "")
        for n in range(20):
            os.write(master, ship(200 + n) + b"\r\n" + checked(b"GPGSV,1,1,00") + b"\r\n")
        wait_for("the ships", lambda: len(mmsis(ledger)) == 20)
        assert station.take_counts()["station.vts-east.unknown"] == 20
    finally:
        os.close(master)
        os.close(slave)


def test_a_new_start_of_the_gateway_is_a_new_start_of_the_station(run, peer):
    boots = set()
    for n in range(3):
        ledger, (station,) = run(config(f"tcp://127.0.0.1:{peer.port}"))
        peer.accept().send(ship(n) + b"\r\n")
        wait_for("the ship", lambda ledger=ledger, n=n: mmsis(ledger) == [n])
        station.stop()
        boots |= {row[1] for row in ledger.of("vts-east")}
    assert len(boots) == 3


def test_a_full_journal_slows_the_station_and_loses_nothing(run, peer, monkeypatch):
    ledger, _ = run(config(f"tcp://127.0.0.1:{peer.port}"))
    going = threading.Event()
    ledger.rule = lambda _: "commit" if going.wait(20) else "lose"
    ledger.inbox.size = 1
    link = peer.accept()
    link.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 20_000:
            link.sendall(ship(1000 + sent) + b"\r\n" + b"-" * 900 + b"\r\n")
            sent += 1
    assert sent < 20_000, "somebody read it all into memory"
    assert len(ledger.records) == 0
    going.set()
    link.settimeout(20)
    link.sendall(b"\r\n" + ship(5) + b"\r\n")  # what was cut by the timeout is no sentence
    wait_for("everything", lambda: 5 in mmsis(ledger), 20)
    got = [m for m in mmsis(ledger) if m != 5]
    assert got == list(range(1000, 1000 + len(got)))
    assert len(got) >= sent - 1
    assert ledger.gaps() == 0


def test_two_stations_hear_one_aid(run, peer):
    other = Peer()
    try:
        ledger, inputs = run(
            config(f"tcp://127.0.0.1:{peer.port}"),
            config(f"tcp://127.0.0.1:{other.port}", "vts-west"),
            aids={994131405: Aid("c1-ais", floating=True)},
        )
        peer.accept().send(ZENI + b"\r\n" + ship(1) + b"\r\n")
        other.accept().send(ZENI + b"\r\n" + ship(2) + b"\r\n")
        wait_for("both", lambda: mmsis(ledger) == [1] and mmsis(ledger, "vts-west") == [2])
        assert len(ledger.of("c1-ais", schema.BEACON)) == 1
        counts = inputs[0].take_counts() | inputs[1].take_counts()
        assert counts["aids.reports"] == 1
        assert len({key[:2] for key in ledger.records}) == 3
    finally:
        other.close()


def listener(tmp_path, **more):
    station = config("tcp://x:1", **more)
    starts = Starts(tmp_path / "starts")
    return Listener(station, Aids({}, starts, 600), Counts(""), starts)


def rows_of(messages):
    inbox = Inbox(10_000)
    ledger = Ledger(inbox)
    try:
        for message in messages:
            ledger._take(message)
        return ledger.of("vts-east")
    finally:
        ledger.close()


def test_the_stations_own_records(tmp_path):
    one = listener(tmp_path, report_s=600)
    wall = 1_790_000_000_000
    lines = [
        b"GPGGA,141320,3112.5,N,12230.25,E,2,09,0.9,12.5,M,,M,,",
        b"GPRMC,141320,A,3112.5,N,12230.25,E,0.1,12.5,210926,,,A",
        b"WIMWD,270,T,268,M,12,N,6.2,M",
        b"WIXDR,C,21.5,C,AirTemp,P,1.0132,B,Baro",
    ]
    data = b"\r\n".join(checked(line) for line in lines) + b"\r\n"
    out = one.feed(data, 0, wall)
    for n in range(1, 1300):
        out += one.feed(data, 1000 * n, wall + 1000 * n)
    rows = rows_of(out)
    assert [row[0] for row in rows] == [schema.BIRTH] + 3 * [
        schema.BEACON, schema.GNSS, schema.WEATHER, schema.RX,
    ]  # fmt: skip
    assert rows[1][4:] == [0, 31_208_333, 122_504_167, 9]
    assert rows[2][4:] == [2, None, 90, 125, 10, 1250, 0]
    assert rows[3][4:] == [62, 2700, None, 215, None, None, 10_132]  # one value is no gust
    assert rows[7][4:] == [62, 2700, 62, 215, None, None, 10_132]
    assert rows[4][4:7] == [4, 0, 0]
    assert rows[-1][3] - rows[4][3] == 1200
    assert one.clock_off_ms(1000 * 1299) == 1000 * 1299


def test_a_station_that_hears_nothing_does_not_look_fresh(tmp_path):
    one = listener(tmp_path, report_s=60, silent_s=300, lat_e6=1, lon_e6=2)
    wall = 1_790_000_000_000
    out = one.feed(ship(1) + b"\r\n", 0, wall)
    for s in range(0, 900, 10):
        out += one.feed(b"", 1000 * s, wall + 1000 * s)
    rows = rows_of(out)
    assert len([row for row in rows if row[0] == schema.RX]) == 15
    assert len([row for row in rows if row[0] == schema.BEACON]) == 5
    assert rows[-1][0] == schema.RX and rows[-1][9] > 800


def test_a_clock_that_is_set_back_stops_nothing(tmp_path):
    one = listener(tmp_path)
    out = one.feed(ship(1) + b"\r\n", 0, 1_790_000_000_000)
    out += one.feed(ship(1) + b"\r\n", 61_000, 1_790_000_000_000 - 86_400_000)
    assert [row[5] for row in rows_of(out) if row[0] == schema.AIS] == [1, 1]


def test_a_day_of_noise(tmp_path):
    import random

    rng = random.Random(4)
    one = listener(tmp_path)
    out = []
    ships = 0
    for n in range(3000):
        noise = bytes(
            rng.choice(b"$!\\*,:AVDM0159GPWIXR\r\n\0\xff") for _ in range(rng.randrange(120))
        )
        if rng.random() < 0.1:
            noise += b"\r\n" + ship(10_000 + n) + b"\r\n"
            ships += 1
        datagram = rng.random() < 0.3
        out += one.feed(noise, 1000 * n, 1_790_000_000_000 + 1000 * n, datagram=datagram)
    heard = {row[5] for row in rows_of(out) if row[0] == schema.AIS}
    assert len([m for m in heard if m >= 10_000]) == ships

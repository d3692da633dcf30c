"""Terminals of another make over real sockets: once each, whatever is lost, and answered after the commit."""

import contextlib
import ipaddress
import os
import random
import resource
import selectors
import socket
import threading
import time

import pytest

from agent.wire import body, codes, schema
from agent.wire.series import EPOCH_2020
from gateway.config_inputs import Adapter
from gateway.inbox import Inbox
from gateway.inputs.adapter import connections
from gateway.inputs.adapter import terminals as module
from gateway.inputs.adapter.memory import REMEMBERED, Memory
from gateway.inputs.adapter.terminals import TerminalInput
from gateway.inputs.starts import Starts
from tests.chain.processes import wait_for
from tests.gateway.jt808_terminal import Terminal, location, messages
from tests.gateway.ledger import Ledger

NUMBERS = {f"1380013{n:04d}": f"buoy-{n}" for n in range(200)}
FIRST = "13800130000"


def settings(**more):
    values = {
        "id": "buoys", "protocol": "jt808", "listen": "tcp://127.0.0.1:0", "allow": (),
        "connections": 500, "idle_s": 600, "voltage_item": 0, "terminals": NUMBERS,
    } | more  # fmt: skip
    return Adapter(**values)


def now():
    return int(time.time()) - EPOCH_2020


class Site:
    """An adapter and its journal, which can die and start again in the same folder."""

    def __init__(self, folder, **more):
        self.folder = folder
        self.settings = settings(**more)
        self.ledger = None
        self.start()

    def start(self, mode="commit"):
        self.inbox = Inbox(2000)
        before, self.ledger = self.ledger, Ledger(self.inbox)
        if before:
            for name in ("records", "order", "conflicts", "dead"):
                setattr(self.ledger, name, getattr(before, name))
            self.ledger.duplicates = before.duplicates
        self.ledger.mode = mode
        starts = Starts(self.folder / "starts")
        self.input = TerminalInput(self.settings, self.inbox, self.folder, starts)
        self.input.start()
        wait_for("the adapter", lambda: self.input.fault() == "")

    def stop(self):
        self.ledger.close()
        self.input.stop()

    def connect(self, room=0):
        return Link(self.input.port, room)

    def counts(self):
        return {k.removeprefix("adapter.buoys."): n for k, n in self.input.take_counts().items()}


class Link:
    """A connection of a terminal; `room`: bytes that it takes before it reads."""

    def __init__(self, port, room=0):
        self.socket = socket.socket()
        if room:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        self._data = b""

    def send(self, data):
        self.socket.sendall(data)

    def answer(self, timeout_s=10):
        """Return (id, serial it answers, result) of the next answer; None if there is none."""
        self.socket.settimeout(timeout_s)
        while self._data.count(b"\x7e") < 2:
            try:
                data = self.socket.recv(4096)
            except TimeoutError:
                return None
            if not data:
                return "closed"
            self._data += data
        end = self._data.index(b"\x7e", 1) + 1
        (found,) = messages(self._data[:end])
        self._data = self._data[end:]
        number, _, _, text = found
        result = text[2] if number == 0x8100 else text[4]
        return number, int.from_bytes(text[:2], "big"), result

    def close(self):
        self.socket.close()


@pytest.fixture
def site(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(**more):
            one = Site(tmp_path, **more)
            stack.callback(one.stop)
            return one

        yield make


def test_a_terminal_from_its_registration_to_its_reports(site):
    one = site()
    link, terminal = one.connect(), Terminal(FIRST)
    t = now() - 5
    link.send(terminal.send(0x0100, bytes(37)))
    assert link.answer() == (0x8100, 0, 0)
    link.send(terminal.send(0x0102, b"fairway"))
    assert link.answer() == (0x8001, 1, 0)
    link.send(terminal.send(0x0002))
    assert link.answer() == (0x8001, 2, 0)
    link.send(terminal.send(0x0200, location(alarm=1 << 7, t=t)))
    assert link.answer() == (0x8001, 3, 0)
    link.send(terminal.send(0x0200, location(t=t + 1)))
    assert link.answer() == (0x8001, 4, 0)
    rows = one.ledger.of("buoy-0")
    assert [row[0] for row in rows] == [
        schema.BIRTH, schema.BEACON, schema.GNSS, schema.ALARM,
        schema.BEACON, schema.GNSS, schema.ALARM,
    ]  # fmt: skip
    assert rows[0][7] == b"jt808"
    assert rows[1][3] == t and rows[4][3] == t + 1
    assert rows[1][4:7] == [0, 31_000_000, 122_000_000]
    alarms = [row[4:] for row in rows if row[0] == schema.ALARM]
    assert alarms == [[codes.ALARM_BATTERY_LOW, 1, None, None, codes.LEVEL_WARNING], [1, 0]]
    assert [row[2] for row in rows] == list(range(7))
    assert set(one.ledger.links) == {body.LINK_ADAPTER}
    assert one.counts() == {"messages": 5, "reports": 2}
    link.close()


def test_a_value_out_of_range_is_null_and_counted(site):
    one = site()
    link, terminal = one.connect(), Terminal(FIRST)
    link.send(terminal.send(0x0200, location(lat=95_000_000, t=now())))
    assert link.answer() == (0x8001, 0, 0)
    assert one.ledger.of("buoy-0", schema.BEACON)[0][5:] == [None, 122_000_000]
    assert one.counts()["refused"] == 1
    link.close()


def test_an_old_report_that_comes_late_changes_no_alarm(site):
    one = site()
    link, terminal = one.connect(), Terminal(FIRST)
    t = now() - 500
    link.send(terminal.send(0x0200, location(alarm=1 << 7, t=t)))
    late = location(t=t - 100)
    link.send(terminal.send(0x0704, b"\0\1\1" + len(late).to_bytes(2, "big") + late))
    assert [link.answer()[2] for _ in range(2)] == [0, 0]
    assert len(one.ledger.of("buoy-0", schema.ALARM)) == 1
    assert [row[3] for row in one.ledger.of("buoy-0", schema.BEACON)] == [t, t - 100]
    link.close()


def test_no_answer_before_the_commit(site):
    one = site()
    going = threading.Event()
    one.ledger.rule = lambda _: "commit" if going.wait(10) else "lose"
    link, terminal = one.connect(), Terminal(FIRST)
    link.send(terminal.send(0x0200, location(t=now())))
    assert link.answer(0.5) is None
    assert not one.ledger.records
    going.set()
    assert link.answer() == (0x8001, 0, 0)
    assert one.ledger.records
    link.close()


def test_a_terminal_that_does_not_wait_for_answers_is_not_read_on(site):
    one = site()
    going = threading.Event()
    one.ledger.rule = lambda _: "commit" if going.wait(20) else "lose"
    link, terminal = one.connect(), Terminal(FIRST)
    base = now() - 5000
    data = b"".join(terminal.send(0x0200, location(t=base + n)) for n in range(1000))
    sender = threading.Thread(target=link.send, args=(data,), daemon=True)
    sender.start()
    time.sleep(0.7)
    waiting = one.counts()["messages"]
    assert waiting <= connections.UNANSWERED_MAX + 4096 // 40
    going.set()
    assert [link.answer()[1] for _ in range(1000)] == list(range(1000))
    sender.join(5)
    assert len(one.ledger.of("buoy-0", schema.BEACON)) == 1000
    link.close()


def test_an_unknown_terminal_is_a_dead_letter_and_denied(site):
    one = site()
    link, terminal = one.connect(), Terminal("19999999999")
    sent = terminal.send(0x0100, bytes(37))
    link.send(sent + terminal.send(0x0200, location(t=now())))
    assert link.answer() == (0x8100, 0, 4)
    assert link.answer() == (0x8001, 1, 1)
    reasons = {(reason, topic) for reason, topic, _ in one.ledger.dead}
    assert reasons == {("adapter-unknown-terminal", "jt808/19999999999")}
    assert len(one.ledger.dead) == 2
    assert not one.ledger.records
    assert one.counts()["unknown-terminal"] == 2
    link.close()


def test_a_message_that_cannot_be_read_is_a_dead_letter_beside_good_ones(site):
    one = site()
    link, terminal = one.connect(), Terminal(FIRST)
    t = now()
    link.send(
        terminal.send(0x0200, location(t=t))
        + terminal.send(0x0200, location(t=t)[:20])
        + b"\x7e\xff\x7e"
        + terminal.send(0x0200, location(t=t + 1))
    )
    assert [link.answer()[2] for _ in range(3)] == [0, 2, 0]
    assert [reason for reason, _, _ in one.ledger.dead] == ["jt808-location"]
    assert len(one.ledger.of("buoy-0", schema.BEACON)) == 2
    assert one.counts()["checksum"] == 1
    link.close()


def test_good_locations_beside_a_bad_one_are_kept_and_so_is_the_bad_one(site):
    one = site()
    link, terminal = one.connect(), Terminal(FIRST)
    good = location(t=now())
    body = b"\0\2\1" + b"\0\x1c" + good + b"\0\x05short"
    sent = terminal.send(0x0704, body)
    link.send(sent + sent)
    assert [link.answer()[2] for _ in range(2)] == [0, 0]
    assert len(one.ledger.of("buoy-0", schema.BEACON)) == 1
    assert [reason for reason, _, _ in one.ledger.dead] == 2 * ["jt808-location"]
    assert one.ledger.dead[0][2].endswith(b"short")
    link.close()


@pytest.mark.parametrize("mode", ["no-answer", "lose"])
@pytest.mark.parametrize("clock", [True, False])
def test_a_report_sent_again_after_a_restart_is_one(site, mode, clock):
    """Killed after the commit and before the answer, or before the commit: both end the same."""
    one = site()
    terminal, link = Terminal(FIRST), one.connect()
    link.send(terminal.send(0x0200, location(t=now())))
    assert link.answer() == (0x8001, 0, 0)
    one.ledger.mode = mode
    report = location(t=now() - 1 if clock else None, status=2 if clock else 0)
    sent = terminal.send(0x0200, report)
    link.send(sent)
    assert link.answer(0.3) is None
    link.close()
    one.stop()
    one.start()
    link = one.connect()
    link.send(sent + sent)
    assert [link.answer() for _ in range(2)] == 2 * [(0x8001, 1, 0)]
    if clock:  # and as stored data, under another number
        many = b"\0\1\1" + len(report).to_bytes(2, "big") + report
        link.send(terminal.send(0x0704, many))
        assert link.answer() == (0x8001, 2, 0)
    assert len(one.ledger.of("buoy-0", schema.BEACON)) == 2
    assert len({row[1] for row in one.ledger.of("buoy-0")}) == 1, "its first identity"
    assert one.ledger.conflicts == []
    assert one.ledger.gaps() == 0
    assert one.counts()["repeated"] == (3 if clock else 2)
    link.close()


def test_without_a_clock_alike_reports_are_two_after_a_while(site, monkeypatch):
    one = site()
    terminal, link = Terminal(FIRST), one.connect()
    sent = terminal.send(0x0200, location(status=0, t=None))
    for _ in range(2):
        link.send(sent)
        assert link.answer()[2] == 0
    monkeypatch.setattr(module, "_UNTIMED_S", -1)  # time passes: the terminal has started anew
    link.send(sent)
    assert link.answer()[2] == 0
    assert len(one.ledger.of("buoy-0", schema.BEACON)) == 2
    link.close()


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.prove) for seed in range(1, 12))]
)
def test_a_day_of_lost_answers_and_restarts(site, seed):
    """Every report once, under random deaths; the terminals send until they are answered."""
    rng = random.Random(seed)
    one = site()
    some = [Terminal(number, newer=n % 2 == 1) for n, number in enumerate(NUMBERS) if n < 6]
    made = {terminal.number: [] for terminal in some}
    open_reports = []
    t = now() - 100_000
    for turn in range(12):
        one.ledger.rule = lambda _: rng.choice(("commit", "commit", "no-answer", "lose"))
        if turn == 11:
            one.ledger.rule = None
        for terminal in some:
            for _ in range(rng.randrange(4)):
                t += 1
                report = location(lat=rng.randrange(1, 90 * 10**6), t=t)
                made[terminal.number].append(t)
                open_reports.append((terminal, terminal.serial, terminal.send(0x0200, report)))
        left = []
        for terminal in some:
            link = one.connect()
            mine = [entry for entry in open_reports if entry[0] is terminal]
            stream = b"".join(sent for _, _, sent in mine)
            for at in range(0, len(stream), 50):
                link.send(stream[at : at + 50])
            answered = set()
            while len(answered) < len(mine) and (got := link.answer(0.1 if turn < 11 else 5)):
                answered.add(got[1])
            left += [entry for entry in mine if entry[1] not in answered]
            link.close()
        open_reports = left
        if rng.random() < 0.5:
            one.stop()
            one.start()
    assert open_reports == []
    for terminal in some:
        rows = one.ledger.of(NUMBERS[terminal.number], schema.BEACON)
        assert sorted(row[3] for row in rows) == made[terminal.number]
    assert one.ledger.conflicts == []
    assert one.ledger.gaps() == 0
    print(f"{sum(map(len, made.values()))} reports, {one.ledger.duplicates} duplicates, each kept once")  # fmt: skip


def test_who_may_connect(site):
    one = site(allow=(ipaddress.ip_network("10.8.0.0/16"),))
    link = one.connect()
    with contextlib.suppress(ConnectionError):
        assert link.answer() == "closed"
    assert one.counts()["denied"] == 1
    link.close()


def test_too_many_idle_and_deaf_peers_take_nothing_from_the_others(site, monkeypatch):
    monkeypatch.setattr(connections, "OUT_MAX", 4096)
    one = site(connections=3, idle_s=1)
    deaf, idle, good = one.connect(2048), one.connect(), one.connect()
    babble = one.connect()
    assert babble.answer() == "closed"
    terminal = Terminal(FIRST)
    good.send(terminal.send(0x0002))
    assert good.answer()[2] == 0
    heartbeat = Terminal("13800130001").send(0x0002)
    deaf.socket.settimeout(0.2)
    idle.send(b"\xff" * 3000)  # babble is no message
    with contextlib.suppress(OSError):
        for _ in range(5000):
            deaf.send(heartbeat * 50)  # and never reads an answer
    end = time.monotonic() + 8
    seen = one.counts()
    while time.monotonic() < end and not {"idle", "slow"} <= seen.keys():
        good.send(terminal.send(0x0002))
        assert good.answer()[2] == 0
        seen |= one.counts()
        time.sleep(0.05)
    assert (seen["full"], seen["slow"]) == (1, 1)
    for link in (deaf, idle, good, babble):
        link.close()


def test_out_of_descriptors_is_waited_out_without_haste(site):
    one = site()
    good, terminal = one.connect(), Terminal(FIRST)
    good.send(terminal.send(0x0002))
    assert good.answer()[2] == 0
    late = socket.socket()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (late.fileno() + 1, limits[1]))
        late.connect(("127.0.0.1", one.input.port))
        time.sleep(1.2)
        good.send(terminal.send(0x0002))
        assert good.answer()[2] == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert 1 <= one.counts()["accept-errors"] <= 4
    late.settimeout(5)
    late.sendall(Terminal("13800130001").send(0x0002))
    assert messages(late.recv(4096))[0][0] == 0x8001
    late.close()
    good.close()


def test_a_disk_that_takes_nothing_answers_nothing_and_recovers(site, monkeypatch):
    import sqlite3

    real = Memory.keep
    broken = threading.Event()

    def keep(self, reports, now_s):
        if broken.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        real(self, reports, now_s)

    monkeypatch.setattr(Memory, "keep", keep)
    monkeypatch.setattr(module, "_RETRY_S", 0.05)
    one = site()
    link, terminal = one.connect(), Terminal(FIRST)
    broken.set()
    link.send(terminal.send(0x0200, location(t=now())))
    assert link.answer(0.5) is None
    assert "disk is full" in one.input.fault()
    assert one.ledger.records == {}
    broken.clear()
    assert link.answer() == (0x8001, 0, 0)
    assert one.input.fault() == ""
    assert one.ledger.gaps() == 0
    link.close()


def test_a_port_that_is_taken_is_a_fault_and_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_RETRY_S", 0.05)
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    inbox = Inbox(10)
    one = TerminalInput(
        settings(listen=f"tcp://127.0.0.1:{port}"), inbox, tmp_path, Starts(tmp_path / "starts")
    )
    one.start()
    wait_for("the fault", lambda: str(port) in one.fault())
    taken.close()
    wait_for("the port", lambda: one.fault() == "")
    one.stop()


def test_datagrams(site):
    one = site(listen="udp://127.0.0.1:0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(5)
        link.connect(("127.0.0.1", one.input.port))
        terminal = Terminal(FIRST)
        sent = terminal.send(0x0200, location(t=now()))
        link.send(sent[: len(sent) // 2])
        for _ in range(3):
            link.send(sent)
            assert messages(link.recv(4096))[0][3] == b"\0\0\2\0\0"
        link.send(os.urandom(2000))
        link.send(terminal.send(0x0002))
        assert messages(link.recv(4096))[0][0] == 0x8001
    assert len(one.ledger.of("buoy-0", schema.BEACON)) == 1


def test_what_is_remembered_is_bounded(tmp_path):
    memory = Memory(tmp_path / "m.sqlite")
    for n in range(0, 3 * REMEMBERED, 64):
        marks = [(device, b"%d" % k, b"x%d" % k) for k in range(n, n + 64) for device in "ab"]
        memory.keep(marks, 1000)
    memory.close()
    memory = Memory(tmp_path / "m.sqlite")
    memory.keep([("a", b"new", b"xnew")], 2000)
    assert memory._db.execute("SELECT count(*) FROM reports").fetchone() == (2 * REMEMBERED,)
    assert memory.find("a", b"new") == b"xnew"
    assert memory.find("a", b"new", 2001) is None
    last = 3 * REMEMBERED - 1
    assert memory.find("b", b"%d" % last) == b"x%d" % last
    assert memory.find("a", b"0") is None
    assert memory.find("c", b"%d" % last) is None
    memory.close()


@pytest.mark.parametrize("where", [0, 4096 + 50])
def test_a_damaged_memory_is_set_aside(tmp_path, where):
    path = tmp_path / "m.sqlite"
    memory = Memory(path)
    memory.keep([("a", b"%d" % n, b"x" * 100) for n in range(REMEMBERED)], 1000)
    memory.close()
    data = bytearray(path.read_bytes())
    data[where : where + 3000] = b"\xff" * 3000
    path.write_bytes(data)
    memory = Memory(path)
    assert memory.find("a", b"5") is None
    memory.keep([("a", b"5", b"y")], 1000)
    assert memory.find("a", b"5") == b"y"
    memory.close()
    assert (tmp_path / "m.sqlite.damaged").exists()


def load(site, count, reports):
    """Send `reports` reports of each of `count` terminals at once; return seconds and answers' delays."""
    watch = selectors.DefaultSelector()
    links = []
    base = now() - 200_000
    waiting = {}
    for n, number in enumerate(list(NUMBERS)[:count]):
        link = socket.create_connection(("127.0.0.1", site.input.port))
        terminal = Terminal(number)
        data = b"".join(
            terminal.send(0x0200, location(lat=1 + n * 1000 + k, t=base + k))
            for k in range(reports)
        )
        link.setblocking(False)
        waiting[link] = [data, reports, b""]
        links.append(link)
        watch.register(link, selectors.EVENT_READ | selectors.EVENT_WRITE)
    begun = time.monotonic()
    while waiting and time.monotonic() - begun < 60:
        for key, mask in watch.select(1):
            state = waiting[key.fileobj]
            if mask & selectors.EVENT_WRITE:
                state[0] = state[0][key.fileobj.send(state[0][:2000]) :]
                if not state[0]:
                    watch.modify(key.fileobj, selectors.EVENT_READ)
            if mask & selectors.EVENT_READ:
                state[2] += key.fileobj.recv(65536)
                if state[2].count(b"\x7e") == 2 * state[1]:
                    watch.unregister(key.fileobj)
                    del waiting[key.fileobj]
    took = time.monotonic() - begun
    watch.close()
    for link in links:
        link.close()
    return took


@pytest.mark.parametrize(
    ("count", "reports"), [(50, 30), pytest.param(200, 500, marks=pytest.mark.prove)]
)
def test_many_terminals_at_once(site, count, reports):
    one = site()
    took = load(one, count, reports)
    total = count * reports
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{count} terminals, {total} reports in {took:.2f} s: {total / took:.0f}/s, peak {rss} MB"
    )
    beacons = sum(
        len(one.ledger.of(device, schema.BEACON)) for device in list(NUMBERS.values())[:count]
    )
    assert beacons == total
    assert one.ledger.conflicts == []
    assert one.ledger.gaps() == 0
    assert total / took > 200

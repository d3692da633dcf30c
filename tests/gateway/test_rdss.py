"""The gateway's BeiDou side: the terminal's dialects, what waits to go down, what comes up."""

import sqlite3
import time

import pytest

from agent.wire import body as contract
from agent.wire import decode, frame, messages, schema
from agent.wire.read import Reader
from agent.wire.vectors import written_record
from gateway.accept import Acceptor, Message
from gateway.config import BeiDou, load
from gateway.inbox import Inbox
from gateway.inputs.beidou import terminal as terminal_module
from gateway.inputs.beidou.rdss import COMMANDS_MAX, RDSSInput, Waiting
from gateway.inputs.beidou.terminal import CommandTerminal
from gateway.journal import journal as j
from gateway.journal.reading import JournalReader
from simulators.sensors.rdss import DIALECTS, Card
from tests.chain.processes import wait_for
from tests.chain.sky import Sky
from toolkit.settings import SettingsError

KEY = bytes(range(32))
OTHER_KEY = bytes(32)
BUOY, SHORE, STRANGER = 4207733, 2097151, 1234567


def record(seq, schema_id=schema.BEACON, values=(1,), boot=7, t=217_400_000):
    return written_record(schema_id, list(values), boot=boot, seq=seq, t=t)


def came(inbox, count):
    """Return the messages that come, as many as are expected."""
    messages_in = []
    end_s = time.monotonic() + 5
    while len(messages_in) < count and time.monotonic() < end_s:
        for delivery in inbox.take(count, 0, 0.1):
            messages_in += delivery.messages
    assert len(messages_in) == count
    return messages_in


def up(body, key=KEY, device="buoy-1", kind=frame.RECORDS, direction=frame.UP):
    buf = bytearray(frame.FRAME_MAX)
    n = frame.put_frame(buf, key, direction, device, kind, bytearray(body), len(body))
    return bytes(buf[:n])


def ranges_of(payload):
    reader = Reader(payload, 0, len(payload))
    out = []
    while not reader.at_end():
        out.append(messages.read_ack(reader))
    return out


# The terminal: reference/navaid.md §6, as it came, cut everywhere, with noise around it.

ANSWERS = [
    (b"$BDICI,0242286,00242286,0000011,6,60,3,N,0*38\r\n", ("2.1", 242286, 60, 3)),
    (b"$BDICI,0000000,00000000,0000000,0,0,0,N,0*0B\r\n", ("2.1", 0, 0, 0)),
    (
        b"$BDICP,4238473,0,0,3,0,N,2,N,1,0,0,3,1,60,2,0,0,0,0,21,0,0,0*48\r\n",
        ("3.0", 4238473, 60, 2),
    ),
    (
        b"$BDICP,15240507,2032472,1,3,0,N,1,Y,1,0,0,3,1,1,5,1,1,2,2,500,100,10,10*65\r\n",
        ("3.0", 15240507, 1, 5),
    ),
    (
        bytes.fromhex("24494358580016 1FFA66 00 000001 03 003C 03 01 0000 E4"),
        ("4.0", 2095718, 60, 3),
    ),
]


@pytest.mark.parametrize(("data", "card"), ANSWERS)
def test_the_card_in_each_dialect(data, card):
    if data[1:5] == b"ICXX":
        check = 0
        for c in data[:-1]:
            check ^= c
        data = data[:-1] + bytes([check])
    for noise in (b"", b"$GNGGA,\xff\n$", b"\x00$TX$$"):
        for size in (1, 7, 500):
            terminal = CommandTerminal()
            stream = noise + data + b"$GNRMC,,V*28\r\n"
            for at in range(0, len(stream), size):
                terminal.feed(stream[at : at + size], 0)
            found = (terminal.dialect, terminal.card, terminal.interval_s, terminal.level)
            assert found == card


def test_messages_recorded_elsewhere():
    terminal = CommandTerminal()
    data = (
        b"$BDTXR,1,4207733,1,2337,90000000000065C1FAF4B2E2CAD4*3F\r\n"
        b"$BDTCI,4204986,4204990,2,142204,2,0,3A642B500000000000000A01F35B41EC036542EE74F5*40\r\n"
    )
    first, second = terminal.feed(data, 0)
    assert first == (4207733, bytes.fromhex("90000000000065C1FAF4B2E2CAD4"))
    assert second == (4204986, bytes.fromhex("3A642B500000000000000A01F35B41EC036542EE74F5"))


def test_sentences_that_are_none_are_counted():
    terminal = CommandTerminal()
    bad = [
        b"$CCTXA,0242286,1,1,A468656C6C6FB1B1B6B7*7F\r\n",  # published with a wrong checksum
        b"$BDTXR,1,x,1,,A4*4C\r\n",
        b"$BDICI*51\r\n",
        b"$TXXX\xff\xff\x00\x00\x00\x00",
    ]
    for data in bad:
        before = terminal.counts["unreadable"]
        assert terminal.feed(data + b"\r\n\r\n\r\n\r\n\r\n", 0) == []
        assert terminal.counts["unreadable"] == before + 1, data


def test_a_terminal_that_says_nothing_does_not_fill_memory():
    terminal = CommandTerminal()
    terminal.feed(b"$BDTXR," + b"A" * 1_000_000, 0)
    assert len(terminal._buffer) < 5000


@pytest.mark.parametrize(
    ("dialect", "feedback", "reason", "wait_s"),
    [
        ("2.1", b"$BDFKI,TXA,Y,Y,0,0040*17\r\n", "accepted", 60),
        ("2.1", b"$BDFKI,TXA,N,N,0,0130*16\r\n", "refused.interval", 90),
        ("2.1", b"$BDFKI,TXA,N,Y,4,0000*00\r\n", "refused.no-lock", 60),
        ("3.0", b"$BDFKI,082920,TCQ,Y,0,0*70\r\n", "accepted", 60),
        ("3.0", b"$BDFKI,082920,TCQ,N,1,17*51\r\n", "refused.interval", 17),
        ("3.0", b"$BDFKI,082920,TCQ,N,3,0*64\r\n", "refused.silence", 600),
    ],
)
def test_the_feedback_decides_when_the_next_may_go(dialect, feedback, reason, wait_s):
    terminal = CommandTerminal()
    terminal.feed(next(data for data, card in ANSWERS if card[0] == dialect), 0)
    terminal.level = 3
    assert terminal.ready(0)
    terminal.send(BUOY, b"\xa4\x01", 0)
    assert not terminal.ready(100)
    text = feedback[1 : feedback.index(b"*")]
    check = 0
    for c in text:
        check ^= c
    terminal.feed(b"$%s*%02X\r\n" % (text, check), 0)
    assert terminal.counts[reason] == 1
    assert terminal.outcome is (reason == "accepted")
    assert not terminal.ready(wait_s - 0.1)
    assert terminal.ready(wait_s + 1)


def test_a_terminal_that_gives_no_feedback_is_asked_for_its_card():
    terminal = CommandTerminal()
    terminal.feed(ANSWERS[0][0], 0)
    terminal.send(BUOY, b"\xa4\x01", 0)
    assert terminal.outgoing(10) == b""
    assert terminal.outgoing(16).startswith(b"$CCICR")
    assert terminal.outcome is False
    assert terminal.counts["refused.no-answer"] == 1
    assert terminal.outgoing(19) == b"$CCICA,0,00*7B\r\n"


# What waits to go down.


def test_acks_are_gathered_and_those_of_one_device_go_together():
    waiting = Waiting(gather_s=10)
    waiting.acknowledge("buoy-1", [(7, 0, 1)], 0)
    waiting.acknowledge("buoy-2", [(1, 5, 5)], 1)
    waiting.acknowledge("buoy-1", [(7, 2, 2), (8, 0, 0)], 3)
    assert waiting.next(60, 9) is None
    device, kind, payload = waiting.next(60, 11)
    assert (device, kind) == ("buoy-1", frame.ACK)
    assert ranges_of(payload) == [(8, 0, 0), (7, 0, 2)]
    waiting.acknowledge("buoy-1", [(7, 9, 9)], 12)  # while the frame is on its way
    waiting.done(device, kind, payload, 12)
    assert waiting.next(60, 12)[0] == "buoy-2"
    waiting.done(*waiting.next(60, 12), 12)
    assert waiting.next(60, 13) is None
    device, _, payload = waiting.next(60, 23)
    assert ranges_of(payload) == [(7, 9, 9)]


def test_more_ranges_than_fit_go_in_several_frames():
    waiting = Waiting(gather_s=0)
    wanted = [(70_000, n, n) for n in range(100_000, 100_060, 2)]
    waiting.acknowledge("buoy-1", wanted, 0)
    got = []
    while (item := waiting.next(60, 100)) is not None:
        assert 0 < len(item[2]) <= 60
        got += ranges_of(item[2])
        waiting.done(*item, 100)
    assert sorted(got) == wanted


def test_commands_go_first_and_only_so_many_wait():
    waiting = Waiting(gather_s=0)
    waiting.acknowledge("buoy-1", [(7, 0, 1)], 0)
    assert not waiting.command("buoy-1", bytes(61))
    for n in range(COMMANDS_MAX):
        assert waiting.command("buoy-1", bytes([n]) * 50)
    assert waiting.command("buoy-1", bytes(50))  # sent again while it waits: it is there already
    assert not waiting.command("buoy-1", b"x")
    assert waiting.next(60, 0) == ("buoy-1", frame.COMMAND, bytes(50))
    # A command card of level 2 has no room for any of them: they are dropped, aloud.
    assert waiting.next(35, 0)[1] == frame.ACK


# The way up.


def config(terminal, **more):
    settings = {
        "port": f"socket://{terminal.address}",
        "baud": 115200,
        "gather_s": 0,
        "cards": {BUOY: "buoy-1"},
        "keys": {"buoy-1": KEY},
    }
    return BeiDou(**(settings | more))


class Buoy:
    """A bare terminal's owner: sends what a test wants."""

    def __init__(self, sky, number=BUOY):
        self.sky = sky
        self.number = number
        self.got = []
        sky.network.join(number, self)

    def deliver(self, sender, content):
        self.got.append((sender, content))
        return True

    def send(self, content):
        async def accept():
            self.sky.network.accept(self.number, SHORE, content)

        self.sky.run(accept())


@pytest.fixture
def sky(monkeypatch):
    monkeypatch.setattr(terminal_module, "_ANSWER_S", 0.3)  # of seconds for a simulated one
    with Sky(seed=1) as it:
        yield it


@pytest.mark.parametrize("dialect", DIALECTS)
def test_up_and_down_through_each_dialect(sky, dialect):
    shore = sky.terminal(dialect, Card(SHORE, 0, 4))
    buoy, inbox = Buoy(sky), Inbox(100)
    rdss = RDSSInput(config(shore), inbox)
    rdss.start()
    try:
        wait_for("the card", lambda: rdss._terminal.card == SHORE)
        buoy.send(up(record(3)))
        (message,) = came(inbox, 1)
        assert message.topic == messages.topic("buoy-1", "up", "rec")
        assert (message.payload, message.link, message.fault) == (
            record(3), contract.LINK_BEIDOU, None,
        )  # fmt: skip
        rdss.acknowledge("buoy-1", [(7, 3, 3)])
        rdss.acknowledge("buoy-9", [(7, 3, 3)])  # has no card
        assert rdss.command("buoy-1", b"\x82\x03\x05")
        assert not rdss.command("buoy-9", b"\x82\x03\x05")
        wait_for("both frames", lambda: len(buoy.got) == 2)
        got = {frame.read_frame(c, KEY, frame.DOWN, "buoy-1") for _, c in buoy.got}
        assert (frame.COMMAND, b"\x82\x03\x05") in got
        assert [ranges_of(b) for kind, b in got if kind == frame.ACK] == [[(7, 3, 3)]]
        counts = rdss.take_counts()
        assert (counts["beidou.received"], counts["beidou.accepted"]) == (1, 2)
        assert rdss.take_counts() == {}
    finally:
        rdss.stop()


def test_refused_sendings_go_again(sky):
    shore = sky.terminal("3.0", Card(SHORE, 0, 4))
    shore.refusals = ["no lock", "interval"]
    buoy = Buoy(sky)
    rdss = RDSSInput(config(shore), Inbox(100))
    rdss.start()
    try:
        rdss.acknowledge("buoy-1", [(7, 3, 3)])
        wait_for("the frame", lambda: buoy.got, 10)
        time.sleep(0.5)
        assert len(buoy.got) == 1
        counts = rdss.take_counts()
        assert counts["beidou.refused.no-lock"] == counts["beidou.refused.interval"] == 1
    finally:
        rdss.stop()


def test_what_is_refused_becomes_a_dead_letter(sky, tmp_path):
    shore = sky.terminal("2.1", Card(SHORE, 0, 4))
    buoy, stranger, inbox = Buoy(sky), Buoy(sky, STRANGER), Inbox(100)
    rdss = RDSSInput(config(shore), inbox)
    rdss.start()
    try:
        wait_for("the card", lambda: rdss._terminal.card == SHORE)
        stranger.send(up(record(1)))
        buoy.send(up(record(1), key=OTHER_KEY))
        buoy.send(up(record(1), device="buoy-2"))
        buoy.send(up(record(1), direction=frame.DOWN))
        buoy.send(up(record(1), kind=frame.ACK))
        buoy.send(b"hello, is anybody there?")
        buoy.send(b"\xa4")
        batch = came(inbox, 7)
    finally:
        rdss.stop()
    acceptor = Acceptor(j.Journal(tmp_path / "journal.sqlite"))
    assert acceptor.commit(batch).acks == {}
    letters = JournalReader(tmp_path / "journal.sqlite").dead_letters.find()
    reasons = sorted(kept.letter.reason for kept in letters)
    assert reasons == sorted(
        ["beidou-unknown-card", "beidou-kind", "beidou-mark", "beidou-length"] + 3 * ["beidou-tag"]
    )
    assert {kept.letter.topic for kept in letters} == {f"beidou/{BUOY}", f"beidou/{STRANGER}"}


def test_the_port_comes_back(sky):
    shore = sky.terminal("4.0", Card(SHORE, 0, 4))
    buoy, inbox = Buoy(sky), Inbox(100)
    rdss = RDSSInput(config(shore), inbox)
    rdss.start()
    try:
        wait_for("the card", lambda: rdss._terminal.card == SHORE)
        first = rdss._terminal

        async def pull():
            shore._writer.transport.abort()

        sky.run(pull())
        wait_for("the card again", lambda: rdss._terminal is not first and rdss._terminal.card)
        buoy.send(up(record(3)))
        assert came(inbox, 1)[0].payload == record(3)
        assert rdss.take_counts()["beidou.port_errors"] >= 1
    finally:
        rdss.stop()


def commit(acceptor, payload, link):
    topic = messages.topic("buoy-1", "up", "rec")
    return acceptor.commit([Message(topic, payload, link, 1_795_000_000_000)])


def test_a_record_by_both_ways_is_one_and_both_are_acknowledged(tmp_path):
    acceptor = Acceptor(j.Journal(tmp_path / "journal.sqlite"))
    outcome = commit(acceptor, record(0) + record(1), contract.LINK_BEIDOU)
    assert outcome.acks == outcome.beidou == {"buoy-1": [(7, 0, 1)]}
    outcome = commit(acceptor, record(0) + record(2), contract.LINK_MQTT)
    assert outcome.acks == {"buoy-1": [(7, 0, 0), (7, 2, 2)]}
    assert outcome.beidou == {}
    rows = JournalReader(tmp_path / "journal.sqlite").records(0, 10)
    assert [(r.seq, r.link) for r in rows] == [(0, 2), (1, 2), (2, 1)]


def test_a_frame_played_again_brings_nothing_and_is_counted(tmp_path):
    acceptor = Acceptor(j.Journal(tmp_path / "journal.sqlite"))
    for _ in range(3):
        outcome = commit(acceptor, record(0), contract.LINK_BEIDOU)
        assert outcome.beidou == {"buoy-1": [(7, 0, 0)]}  # the device may have missed the answer
    commit(acceptor, record(0), contract.LINK_MQTT)
    counters = JournalReader(tmp_path / "journal.sqlite").counters()
    assert counters["beidou.nothing_new"] == 2
    assert counters["duplicates"] == 3


def test_the_input_s_counters_reach_the_journal(tmp_path):
    acceptor = Acceptor(j.Journal(tmp_path / "journal.sqlite"))
    acceptor.count({"beidou.received": 2})
    acceptor.count({"beidou.received": 1})
    assert JournalReader(tmp_path / "journal.sqlite").counters()["beidou.received"] == 3


# Configuration.


KEYS = f'buoy-1 = "{KEY.hex()}"\n'


def written(tmp_path, text, keys=KEYS, mode=0o600):
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    (tmp_path / "keys.toml").write_text(keys)
    (tmp_path / "keys.toml").chmod(mode)
    return path


GOOD = """
keys_file = "keys.toml"
[beidou]
port = "/dev/ttyUSB0"
[beidou.cards]
4207733 = "buoy-1"
"""


def test_configuration(tmp_path):
    found = load(written(tmp_path, GOOD), {}).beidou
    assert found == BeiDou("/dev/ttyUSB0", 115200, 10, {BUOY: "buoy-1"}, {"buoy-1": KEY})
    assert load(written(tmp_path, ""), {}).beidou.port == ""


@pytest.mark.parametrize(
    ("change", "keys", "mode", "words"),
    [
        (("/dev/ttyUSB0", "ttyUSB0"), None, 0o600, ["beidou.port", "socket://HOST:PORT"]),
        (("4207733", "0"), None, 0o600, ["beidou.cards.0", "no card number"]),
        (("4207733", "x"), None, 0o600, ["beidou.cards.x", "no card number"]),
        (('"buoy-1"', '"buoy-2"'), None, 0o600, ["beidou.cards.4207733", "no key"]),
        (("4207733", '1 = "buoy-1"\n2'), None, 0o600, ["beidou.cards.2", "second time"]),
        (("keys.toml", "absent"), None, 0o600, ["beidou.cards", "absent: cannot be read"]),
        (("", ""), None, 0o644, ["others may read it", "chmod 600"]),
        (("", ""), 'buoy-1 = "00"', 0o600, ["buoy-1", "64 hexadecimal digits"]),
        (("", ""), "Buoy = 1", 0o600, ["'Buoy'", "no device id"]),
        (("", ""), "buoy-1 =", 0o600, ["not TOML"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, keys, mode, words):
    path = written(tmp_path, GOOD.replace(*change) if change[0] else GOOD, keys or KEYS, mode)
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    text = "\n".join(caught.value.problems)
    for word in words:
        assert word in text
    assert KEY.hex() not in text


def test_the_journal_refuses_nothing_of_a_frame_in_the_middle(tmp_path):
    """A signed frame whose second record is damaged: the first goes through."""
    acceptor = Acceptor(j.Journal(tmp_path / "journal.sqlite"))
    outcome = commit(acceptor, record(0) + b"\xff\xff", contract.LINK_BEIDOU)
    assert outcome.beidou == {"buoy-1": [(7, 0, 0)]}
    assert decode.one(record(0)).seq == 0
    db = sqlite3.connect(tmp_path / "journal.sqlite")
    assert db.execute("SELECT count(*) FROM dead_letters").fetchone() == (1,)
    db.close()

"""What becomes of a message: records, duplicates, conflicts, dead letters, dates, boots."""

import sqlite3

import cbor2
import pytest

from agent.wire import body, messages, schema
from agent.wire.vectors import written, written_record
from gateway.accept import Acceptor, Message
from gateway.journal import deadletters
from gateway.journal import journal as j
from gateway.journal.reading import JournalReader

NOW = 1_795_000_000_000


def record(seq, schema_id=schema.BEACON, values=(1,), boot=7, t=217_400_000):
    return written_record(schema_id, list(values), boot=boot, seq=seq, t=t)


def clock(seq, uptime_s, boot=7, t=217_400_000):
    return record(seq, schema.CLOCK, [uptime_s, 1, 500], boot, t)


class Gateway:
    """A journal with its acceptor; `take` commits one message."""

    def __init__(self, folder):
        self.path = folder / "journal.sqlite"
        self.open()

    def open(self):
        self.journal = j.Journal(self.path)
        self.acceptor = Acceptor(self.journal)

    def take(self, payload, kind="rec", device="buoy-1", topic=None, received_ms=NOW):
        topic = topic or messages.topic(device, "up", kind)
        return self.acceptor.commit([Message(topic, payload, body.LINK_MQTT, received_ms)])

    def reader(self):
        return JournalReader(self.path)

    def rows(self):
        return [(r.boot, r.seq, r.time, r.dated) for r in self.reader().records(0, 1000)]

    def released(self):
        return [(r.boot, r.seq, r.time, r.dated) for r in self.reader().releases(0, 1000)[1]]

    def dead(self):
        letters = [kept.letter for kept in self.reader().dead_letters.find()]
        return [(letter.reason, letter.boot, letter.seq) for letter in letters]


@pytest.fixture
def gateway(tmp_path):
    return Gateway(tmp_path)


def test_records_are_committed_and_acknowledged(gateway):
    outcome = gateway.take(record(0) + record(1) + record(3))
    assert outcome.acks == {"buoy-1": [(7, 0, 1), (7, 3, 3)]}
    assert gateway.rows() == [(7, 0, 217400000, 0), (7, 1, 217400000, 0), (7, 3, 217400000, 0)]


def test_duplicates_vanish_and_are_acknowledged_also_after_a_restart(gateway):
    gateway.take(record(0))
    assert gateway.take(record(0)).acks == {"buoy-1": [(7, 0, 0)]}
    gateway.journal.close()
    gateway.open()
    assert gateway.take(record(0) + record(0)).acks == {"buoy-1": [(7, 0, 0)]}
    assert len(gateway.rows()) == 1
    assert gateway.reader().counters()["duplicates"] == 3


def test_a_pruned_record_is_still_a_duplicate(gateway, monkeypatch):
    monkeypatch.setattr(j, "now_ms", lambda: NOW)
    gateway.take(record(0))
    monkeypatch.setattr(j, "now_ms", lambda: NOW + 5000)
    gateway.take(record(1))
    prune = gateway.acceptor.prune
    assert prune(NOW + 4999, (9, 9), 100) == 0, "it was not old enough"
    assert prune(NOW + 5000, (0, 0), 100) == 0, "a sink has not passed it"
    assert prune(NOW + 5000, (9, 9), 100) == 1
    assert gateway.take(record(0)).acks == {"buoy-1": [(7, 0, 0)]}
    assert [seq for _, seq, _, _ in gateway.rows()] == [1]


def test_other_bytes_of_an_identity_are_a_conflict(gateway):
    gateway.take(record(0, values=[1]))
    assert gateway.take(record(0, values=[2])).acks == {"buoy-1": [(7, 0, 0)]}
    gateway.take(record(5, values=[1]) + record(5, values=[2]))
    gateway.take(record(5, values=[2]))
    counters = gateway.reader().counters()
    assert (counters["conflicts"], counters["records"]) == (2, 2)
    (raw,) = gateway.journal._db.execute("SELECT raw FROM records WHERE seq = 0").fetchone()
    assert raw == record(0, values=[1])


def test_the_same_identity_of_another_device_is_another_record(gateway):
    gateway.take(record(0))
    gateway.take(record(0, values=[2]), device="buoy-2")
    assert len(gateway.rows()) == 2


def test_bad_bytes_are_buried_and_the_good_ones_beside_them_kept(gateway):
    nan = bytes.fromhex("8501070505f97e00")
    outcome = gateway.take(record(0) + nan + record(1) + b"\xff")
    assert outcome.acks == {"buoy-1": [(7, 0, 1), (7, 5, 5)]}
    assert [d[0] for d in gateway.dead()] == ["malformed", "nan"]
    assert gateway.reader().counters()["dead_letters.nan"] == 1


def test_a_refused_record_whose_identity_can_be_read_is_acknowledged(gateway):
    outcome = gateway.take(cbor2.dumps([schema.BEACON, 7, 9, 217_400_000, "text"]))
    assert outcome.acks == {"buoy-1": [(7, 9, 9)]}
    assert gateway.dead() == [("text", 7, 9)]
    assert gateway.rows() == []


def test_a_value_out_of_range_is_named_and_the_record_goes_on(gateway):
    raw = cbor2.dumps([schema.BEACON, 7, 0, 217_400_000, 1, 95_000_000, 5])
    gateway.take(raw)
    assert gateway.rows() == [(7, 0, 217400000, 0)]
    assert gateway.dead() == [("field-range", 7, 0)]


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("fw/1/00/buoy-1/up/rec", b"\x80", "topic"),
        ("fw/1/65/buoy-1/dn/rec", b"\x80", "topic"),
        ("fw/2/65/buoy-1/up/rec", b"\x80", "topic"),
        ("fw/1/65/buoy-1/up/nonsense", b"\x80", "topic"),
        ("fw/1/65/buoy-1/up", b"\x80", "topic"),
        ("fw/1/e3/Buoy/up/rec", b"\x80", "topic"),
        ("fw/1/65/buoy-1/up/state", b"\x80", "state-length"),
        ("fw/1/65/buoy-1/up/cmd", b"", "cmd-truncated"),
        ("fw/1/65/buoy-1/up/ota", b"\x84\x05\x01\x01\x40", "ota-unknown-kind"),
        ("fw/1/65/buoy-1/up/rec", b"", "empty"),
        ("fw/1/65/buoy-1/up/rec", bytes(5000), "payload-too-long"),
    ],
)
def test_other_messages_outside_the_contract(gateway, topic, payload, reason):
    outcome = gateway.take(payload, topic=topic)
    assert outcome.acks == {}
    assert [d[0] for d in gateway.dead()] == [reason]


def test_dead_letters_are_bounded_and_all_counted(gateway, monkeypatch):
    monkeypatch.setattr(deadletters, "PER_DEVICE_MAX", 10)
    monkeypatch.setattr(deadletters, "TRIM_AFTER", 1)
    gateway.take(b"\xfe", device="buoy-2")
    for _ in range(25):
        gateway.take(b"\xff")
    assert len(gateway.dead()) == 11, "the letter of the quiet device was pushed out"
    assert gateway.reader().counters()["dead_letters"] == 26
    monkeypatch.setattr(deadletters, "KEPT_MAX", 5)
    gateway.take(bytes(deadletters.RAW_MAX + 9))
    assert len(gateway.dead()) == 5
    assert len(gateway.reader().dead_letters.find(limit=1)[0].letter.raw) == deadletters.RAW_MAX


def test_early_records_wait_for_their_date_and_get_it(gateway):
    gateway.take(record(0, t=-1) + record(1, t=-13))
    assert gateway.rows() == []
    assert gateway.reader().counters()["awaiting_date"] == 2
    gateway.take(clock(2, uptime_s=100))
    assert gateway.rows() == [
        (7, 0, 217399900, 1),
        (7, 1, 217399912, 1),
        (7, 2, 217400000, 0),
    ]
    assert gateway.released() == [(7, 0, 217399900, 1), (7, 1, 217399912, 1)]


def test_one_batch_may_hold_the_early_record_after_its_date(gateway):
    gateway.take(clock(2, uptime_s=100) + record(1, t=-13))
    assert gateway.rows() == [(7, 2, 217400000, 0), (7, 1, 217399912, 1)]


def test_an_early_record_that_comes_late_is_dated_at_once_also_after_a_restart(gateway):
    gateway.take(clock(2, uptime_s=100))
    gateway.journal.close()
    gateway.open()
    gateway.take(record(0, t=-51))
    assert gateway.rows()[-1] == (7, 0, 217399950, 1)


def test_a_date_is_its_boots_and_its_devices_alone(gateway):
    gateway.take(record(0, t=-1, boot=6))
    gateway.take(record(0, t=-1), device="buoy-2")
    gateway.take(clock(1, uptime_s=5))
    assert gateway.rows() == [(7, 1, 217400000, 0)]


def test_the_first_clock_record_dates_and_later_ones_change_nothing(gateway):
    gateway.take(record(0, t=-1))
    gateway.take(clock(1, uptime_s=100))
    gateway.take(clock(2, uptime_s=200, t=217_500_000))
    gateway.take(record(3, t=-1))
    assert gateway.rows()[-1] == (7, 3, 217399900, 1)


def test_a_clock_record_without_uptime_dates_nothing(gateway):
    gateway.take(record(0, t=-1))
    gateway.take(record(1, schema.CLOCK, [None, 1, 500]))
    gateway.take(record(2, schema.CLOCK, [50, 1, 500], t=-60))
    assert gateway.rows() == [(7, 1, 217400000, 0)]


def test_after_thirty_days_a_record_goes_on_undated(gateway):
    gateway.take(record(0, t=-1), received_ms=NOW - 1)
    gateway.take(record(1, t=-1), received_ms=NOW + 1)
    assert gateway.acceptor.give_up_dating(NOW) == 1
    assert gateway.released() == [(7, 0, None, body.UNDATED)]
    # Should its date come after all: a sent point never changes.
    gateway.take(clock(2, uptime_s=10))
    assert gateway.released() == [(7, 0, None, body.UNDATED), (7, 1, 217399990, 1)]


def test_an_unknown_schema_is_held_until_it_is_known(gateway, monkeypatch):
    future = len(schema.SCHEMAS)
    new = cbor2.dumps([future, 7, 0, 217_400_000, 5])
    early = cbor2.dumps([future, 7, 1, -11, 5])
    assert gateway.take(new + early).acks == {"buoy-1": [(7, 0, 1)]}
    assert gateway.rows() == []
    assert gateway.reader().counters()["awaiting_schema"] == 2
    gateway.take(clock(2, uptime_s=100))
    grown = (*schema.SCHEMAS, (future, "new", schema.SERIES, (("x", "count", 0, 0, 9),)))
    monkeypatch.setattr(schema, "SCHEMAS", grown)
    assert gateway.acceptor.release_known_schemas() == 2
    assert gateway.released() == [(7, 0, 217400000, 0), (7, 1, 217399910, 1)]


def test_a_failed_commit_acknowledges_nothing_and_may_be_repeated(gateway, monkeypatch):
    batch = [Message(messages.topic("buoy-1", "up", "rec"), record(0), body.LINK_MQTT, NOW)]

    def full(_self, _rows):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(j.Journal, "add", full)
        with pytest.raises(sqlite3.OperationalError):
            gateway.acceptor.commit(batch)
    assert gateway.rows() == []
    outcome = gateway.acceptor.commit(batch)
    assert outcome.acks == {"buoy-1": [(7, 0, 0)]}
    assert outcome.counts["duplicates"] == 0
    assert len(gateway.rows()) == 1


def state(boot, connection, up):
    return written(messages.put_state, boot, connection, up)


def test_a_lower_state_is_ignored(gateway):
    for boot, connection, up, kept in (
        (7, 1, 1, (7, 1, 1)),
        (7, 2, 1, (7, 2, 1)),
        (7, 1, 0, (7, 2, 1)),  # the will of the connection before
        (7, 2, 0, (7, 2, 0)),
        (8, 1, 1, (8, 1, 1)),
        (7, 9, 1, (8, 1, 1)),
    ):
        gateway.take(state(boot, connection, up), "state")
        assert gateway.journal.state("buoy-1")[:3] == kept


def test_boots_are_ordered_by_first_sight_not_by_number(gateway):
    drawn = 1 << 29 | 5
    gateway.take(state(drawn, 1, 1), "state")
    gateway.take(state(41, 1, 1), "state")
    assert gateway.journal.state("buoy-1")[:3] == (41, 1, 1)
    gateway.take(state(drawn, 2, 1), "state")
    assert gateway.journal.state("buoy-1")[:3] == (41, 1, 1)


def ask(n):
    return written(messages.put_clock_ask, n, 10)


def test_a_device_that_lost_its_boot_number_gets_a_fresh_one(gateway):
    gateway.take(record(0, boot=12))
    gateway.take(state(12, 1, 1), "state")
    assert gateway.take(ask(1), "cmd").fresh == []
    drawn = 1 << 29 | 99
    gateway.take(state(drawn, 1, 1), "state")
    assert gateway.take(ask(1), "cmd").fresh == [("buoy-1", 1, 13)]
    assert gateway.take(ask(2), "cmd").fresh == [("buoy-1", 2, 13)]
    gateway.take(state(drawn + 1, 1, 1), "state")
    assert gateway.take(ask(1), "cmd").fresh == [("buoy-1", 1, 14)]


def test_a_damaged_journal_says_so(tmp_path):
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"this is no database, " * 100)
    with pytest.raises(j.JournalError, match=r"journal\.sqlite"):
        j.Journal(path)
    assert path.read_bytes().startswith(b"this is no")

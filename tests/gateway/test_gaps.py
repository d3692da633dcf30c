"""What is missing is asked for: not at once, not too often, not of a device that is away."""

import pytest

from agent.wire import body, messages, schema
from agent.wire.vectors import written_record
from gateway.accept import Acceptor, Message
from gateway.journal import gaps as g
from gateway.journal import journal as j
from gateway.journal.gaps import Gaps
from gateway.journal.ranges import Ranges
from gateway.journal.reading import JournalReader, missing

NOW = 1_795_000_000_000


def record(seq, schema_id=schema.BEACON, values=(1,), boot=7):
    return written_record(schema_id, list(values), boot=boot, seq=seq, t=217_400_000)


@pytest.fixture
def gateway(tmp_path):
    return Gateway(tmp_path)


class Gateway:
    def __init__(self, folder):
        self.path = folder / "journal.sqlite"
        self.acceptor = Acceptor(j.Journal(self.path))
        self.gaps = Gaps()

    def take(self, payload, now_ms=NOW, device="buoy-1", link=body.LINK_MQTT):
        topic = messages.topic(device, "up", "rec")
        outcome = self.acceptor.commit([Message(topic, payload, link, now_ms)])
        for account in outcome.touched:
            self.gaps.note(account, now_ms)

    def account(self):
        self.acceptor.count({})
        (account,) = JournalReader(self.path).accounts("buoy-1")
        return account


def test_a_gap_is_asked_for_after_a_while_then_hourly_and_not_for_ever(gateway):
    gateway.take(record(0) + record(1))
    assert gateway.gaps.due(NOW + g.PATIENCE_MS) == []
    gateway.take(record(5) + record(9))
    both = [("buoy-1", 7, 2, 4), ("buoy-1", 7, 6, 8)]
    assert gateway.gaps.due(NOW + g.PATIENCE_MS - 1) == []
    assert gateway.gaps.due(NOW + g.PATIENCE_MS) == both
    assert gateway.gaps.due(NOW + g.PATIENCE_MS + 1) == []
    asked = []
    for n in range(1, 20):
        now_ms = NOW + n * g.AGAIN_MS + g.PATIENCE_MS
        gateway.take(record(9 + n), now_ms - 1)
        asked += gateway.gaps.due(now_ms)
    assert asked == both * g.TRIES_MAX, "in vain it is asked a few times"
    gateway.take(record(40), now_ms)
    assert gateway.gaps.due(now_ms + g.PATIENCE_MS)[:2] == both, "more is missing now"


def test_many_and_long_gaps_are_asked_for_one_after_the_other_while_it_helps(gateway):
    far = 3 * messages.WANT_MAX
    gateway.take(record(0) + b"".join(record(far + 2 * n) for n in range(12)))
    now_ms, told = NOW + g.PATIENCE_MS, 100
    while asked := gateway.gaps.due(now_ms):
        assert len(asked) <= g.RANGES_MAX
        for _, boot, first, last in asked:
            assert last - first < messages.WANT_MAX
            gap = [boot, first, last, last - first + 1, None, 4]
            gateway.take(record(far + told, schema.GAP, gap, boot=8), now_ms)
            told += 1
        now_ms += g.AGAIN_MS
        gateway.take(record(far), now_ms)
    gateway.acceptor.count({})
    seven = JournalReader(gateway.path).accounts()[0]
    assert (seven.boot, seven.missing, seven.told) == (7, 0, far - 1 + 11)


def test_a_device_that_is_away_is_not_asked(gateway):
    gateway.take(record(0) + record(3))
    later = NOW + g.AGAIN_MS + g.PATIENCE_MS
    assert gateway.gaps.due(later) == []
    gateway.take(record(4), later)
    assert gateway.gaps.due(later) == [("buoy-1", 7, 1, 2)]


def test_what_came_by_satellite_does_not_make_a_device_reachable(gateway):
    gateway.take(record(0) + record(3), link=body.LINK_BEIDOU)
    assert gateway.gaps.due(NOW + g.PATIENCE_MS) == []


def test_a_closed_gap_is_forgotten_and_counted_as_filled(gateway):
    gateway.take(record(0) + record(3))
    gateway.take(record(1) + record(2))
    assert gateway.gaps.due(NOW + g.PATIENCE_MS) == []
    account = gateway.account()
    assert (account.records, account.highest, account.missing, account.filled) == (4, 3, 0, 2)
    assert account.gaps == []


def test_what_a_device_gave_up_is_told_and_not_asked_for(gateway):
    gateway.take(record(0) + record(9))
    gateway.take(record(10, schema.GAP, [7, 2, 4, 3, 2, 1]))
    account = gateway.account()
    assert (account.missing, account.told, account.gaps) == (5, 3, [(1, 1), (5, 8)])
    wanted = [("buoy-1", 7, 1, 1), ("buoy-1", 7, 5, 8)]
    assert gateway.gaps.due(NOW + g.PATIENCE_MS) == wanted
    gateway.take(record(11, schema.GAP, [7, 1, 8, 8, 2, 4]))
    account = gateway.account()
    assert (account.missing, account.told, account.gaps) == (0, 8, [])


def test_a_gap_record_of_another_boot_explains_that_boot(gateway):
    gateway.take(record(0, boot=6) + record(5, boot=6))
    gateway.take(record(0, schema.GAP, [6, 1, 4, 4, 2, 1], boot=7))
    gateway.acceptor.count({})
    six, seven = JournalReader(gateway.path).accounts()
    assert (six.boot, six.missing, six.told) == (6, 0, 4)
    assert (seven.boot, seven.missing, seven.told) == (7, 0, 0)


def test_of_a_range_that_is_lost_in_part_as_many_absent_ones_are_explained():
    seen = Ranges([(0, 1), (5, 5), (9, 9)])
    assert missing(seen, []) == (0, [(2, 4), (6, 8)])
    assert missing(seen, [(2, 8, 2)]) == (2, [(2, 4), (6, 8)])
    assert missing(seen, [(2, 8, 6)]) == (6, [])
    assert missing(seen, [(2, 8, 7)]) == (6, []), "a range that is lost whole"
    assert missing(seen, [(2, 4, 3), (3, 9, 2)]) == (5, [(6, 8)])


def test_a_bad_record_with_an_identity_is_no_gap_to_ask_for(gateway):
    gateway.take(record(0) + bytes.fromhex("8501070105f97e00") + record(2))
    account = gateway.account()
    assert (account.missing, account.told) == (0, 1)


def test_bytes_with_a_made_up_identity_make_no_account(gateway):
    gateway.take(bytes.fromhex("85011a0001e2400105f97e00"))
    gateway.acceptor.count({})
    assert JournalReader(gateway.path).accounts() == []


def test_what_came_before_the_first_that_came_here_is_another_gateways(gateway):
    """A gateway that takes another's place, in the middle of a boot, sees no loss in what that one has."""
    gateway.take(record(5000) + record(5001) + record(5004))
    account = gateway.account()
    assert (account.records, account.missing, account.gaps) == (3, 2, [(5002, 5003)])
    assert gateway.gaps.due(NOW + g.PATIENCE_MS) == [("buoy-1", 7, 5002, 5003)]

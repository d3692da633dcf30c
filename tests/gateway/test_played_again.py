"""Short messages that somebody recorded and plays again: what they bring, which is nothing that is false.

docs/security.md has the reasons. The frames go the whole way: tag, topic, journal, desk.
"""

import random

import pytest

from agent.wire import body as contract
from agent.wire import frame, schema
from agent.wire import messages as m
from agent.wire.series import EPOCH_2020
from agent.wire.vectors import written_record
from gateway.accept import Acceptor, Message
from gateway.config import BeiDou
from gateway.down import orders as o
from gateway.down.commands import Desk
from gateway.inbox import Inbox
from gateway.inputs.beidou.rdss import RDSSInput
from gateway.journal import journal as j
from gateway.journal.reading import JournalReader

KEY = bytes(range(32))
CARD = 4207733
T = 217_400_000
NOW_MS = (T + EPOCH_2020) * 1000
DAY_MS = 86_400_000


class Shore:
    """A gateway's way up, by hand: frames in, rows and answers out. `revoked` may be added to."""

    def __init__(self, folder):
        self.path = folder / "journal.sqlite"
        self.orders = o.Orders(folder / "commands.sqlite")
        self.revoked = set()
        self.sent = []
        config = BeiDou("socket://nowhere:1", 115200, 0, {CARD: "buoy-1"}, {"buoy-1": KEY})
        self.inbox = Inbox(100)
        self.rdss = RDSSInput(config, self.inbox, self.revoked.__contains__)
        self.start()

    def start(self):
        self.journal = j.Journal(self.path)
        self.acceptor = Acceptor(self.journal, self.revoked.__contains__)
        self.desk = Desk(
            self.orders,
            lambda: {"buoy-1": KEY},
            lambda _device, payload: self.sent.append(payload),
            None,
            self.revoked.__contains__,
        )

    def restart(self):
        self.journal.close()
        self.start()

    def hear(self, content, card=CARD, now_ms=NOW_MS):
        """Take a short message; return what the commit made of it."""
        self.rdss._take(card, content)
        batch = [one for d in self.inbox.take(10, 0, 0) for one in d.messages]
        outcome = self.acceptor.commit(batch)
        for device, ranges in outcome.beidou.items():
            self.rdss.acknowledge(device, ranges)
        for device, answer in outcome.answers:
            self.desk.take(device, answer, now_ms)
        return outcome

    def by_mqtt(self, payload):
        topic = m.topic("buoy-1", "up", "rec")
        return self.acceptor.commit([Message(topic, payload, contract.LINK_MQTT, NOW_MS)])

    def rows(self):
        reader = JournalReader(self.path)
        rows = reader.records(0, 1000)
        reader.close()
        return [(row.boot, row.seq, row.time, row.raw) for row in rows]

    def letters(self):
        reader = JournalReader(self.path)
        found = reader.dead_letters.find()
        reader.close()
        return [(kept.letter.reason, kept.letter.raw) for kept in found]

    def counters(self):
        reader = JournalReader(self.path)
        found = reader.counters()
        reader.close()
        return found

    def close(self):
        self.journal.close()
        self.orders.close()


@pytest.fixture
def shore(tmp_path):
    made = Shore(tmp_path)
    yield made
    made.close()


def up(body, kind=frame.RECORDS, key=KEY, device="buoy-1"):
    buf = bytearray(frame.FRAME_MAX)
    return bytes(
        buf[: frame.put_frame(buf, key, frame.UP, device, kind, bytearray(body), len(body))]
    )


def record(seq, t=T, boot=7):
    return written_record(schema.ALARM, [1, 1, 11_400, 11_500], boot=boot, seq=seq, t=t)


def put(write, *items):
    buf = bytearray(schema.PAYLOAD_MAX)
    return bytes(buf[: write(buf, *items)])


# Records


def test_a_frame_that_was_taken_brings_nothing_ever_again(shore):
    first = up(record(3))
    assert shore.hear(first).counts["records"] == 1
    rows = shore.rows()
    # At once, after a restart, and when the record itself has long been deleted.
    shore.hear(first)
    shore.restart()
    shore.hear(first)
    shore.acceptor.prune(j.now_ms() + DAY_MS, (10, 0), 100)
    shore.restart()
    outcome = shore.hear(first)
    assert outcome.counts["records"] == 0
    assert {row[:3] for row in shore.rows()} <= {row[:3] for row in rows}
    assert shore.counters()["records"] == 1
    assert shore.counters()["beidou.nothing_new"] == 3
    assert shore.letters() == []


def test_a_frame_that_was_caught_comes_late_and_is_what_it_was(shore):
    """It never arrived. The record is true, and says when it was: played later it is only late."""
    caught = up(record(3))
    # The device has kept the record, sent it again and delivered it: what was caught is worth nothing.
    shore.by_mqtt(record(2) + record(3))
    assert shore.hear(caught).counts["records"] == 0
    # Or the device is gone and the frame is all that there is.
    other = up(record(4, t=T - 9 * 86_400))
    assert shore.hear(other).counts["records"] == 1
    assert shore.rows()[-1][:3] == (7, 4, T - 9 * 86_400)


def test_an_undated_record_is_not_made_younger_by_whoever_holds_it_back(shore):
    """Uptime dates it by its own boot's clock record, not by the day on which it is played."""
    caught = up(record(1, t=-1 - 60))
    clock = written_record(schema.CLOCK, [100, 1, 500, None], boot=7, seq=2, t=T)
    shore.by_mqtt(clock)
    shore.hear(caught, now_ms=NOW_MS + 20 * DAY_MS)
    assert (7, 1, T - 40) in {row[:3] for row in shore.rows()}


def test_nothing_of_a_frame_can_be_changed(shore):
    rng = random.Random(8)
    good = up(record(3))
    for at in range(len(good) * 8):
        bad = bytearray(good)
        bad[at // 8] ^= 1 << at % 8
        shore.hear(bytes(bad))
    for _ in range(200):
        shore.hear(good[: rng.randrange(1, len(good))] + rng.randbytes(rng.randrange(9)))
    shore.hear(up(record(3), device="buoy-2"))
    shore.hear(up(record(3), key=bytes(32)))
    shore.hear(good, card=CARD + 1)
    assert shore.rows() == []
    assert {reason for reason, _ in shore.letters()} == {
        "beidou-tag", "beidou-mark", "beidou-length", "beidou-unknown-card",
    }  # fmt: skip
    assert shore.hear(good).counts["records"] == 1


# Answers to commands


def answer(command, result, detail=b""):
    return up(put(m.put_done, command, result, detail), frame.COMMAND)


def nonce(ask, value=b"n" * 8, uptime_s=50):
    return up(put(m.put_nonce, ask, value, uptime_s), frame.COMMAND)


def asked(payload):
    return m.read_cmd_down(payload, 0, len(payload))


def test_an_answer_ends_the_command_it_belongs_to_and_no_other(shore):
    first = shore.orders.add("buoy-1", m.REPORT, b"", "ops", 900, NOW_MS)
    shore.desk.poll(NOW_MS)
    done = answer(shore.orders.get(first).id, m.RESULT_DONE)
    shore.hear(done)
    assert shore.orders.get(first).result == m.RESULT_DONE
    second = shore.orders.add("buoy-1", m.REPORT, b"", "ops", 900, NOW_MS)
    shore.desk.poll(NOW_MS)
    assert shore.orders.get(second).id > shore.orders.get(first).id
    before = audit(shore)
    for _ in range(3):
        shore.hear(done)
        shore.hear(answer(shore.orders.get(first).id, m.RESULT_FAILED))
    assert shore.orders.get(first).result == m.RESULT_DONE
    assert shore.orders.get(second).state == o.SENT
    assert audit(shore) == before
    shore.hear(answer(shore.orders.get(second).id, m.RESULT_REFUSED))
    assert shore.orders.get(second).result == m.RESULT_REFUSED


def test_an_answer_to_an_attempt_that_was_given_up_is_nobodys(shore):
    """Each attempt has an id of its own: "busy", played again, does not stop the next one."""
    number = shore.orders.add("buoy-1", m.REPORT, b"", "ops", 900, NOW_MS)
    shore.desk.poll(NOW_MS)
    busy = answer(shore.orders.get(number).id, m.RESULT_BUSY)
    shore.hear(busy)
    shore.desk.poll(NOW_MS + 4000)
    first_ask = asked(shore.sent[-1])[1]
    caught = nonce(first_ask, b"first")
    shore.hear(caught, now_ms=NOW_MS + 5000)
    sent = shore.orders.get(number)
    assert (sent.state, asked(sent.payload)[5]) == (o.SENT, b"first")
    for again in (busy, caught):
        shore.hear(again, now_ms=NOW_MS + 6000)
    assert shore.orders.get(number) == sent


def test_a_nonce_that_was_caught_signs_nothing(shore):
    number = shore.orders.add("buoy-1", m.REBOOT, b"", "ops", 900, NOW_MS)
    shore.desk.poll(NOW_MS)
    (_, ask) = asked(shore.sent[-1])
    shore.hear(nonce(ask ^ 1))
    assert shore.orders.get(number).state == o.ASKING
    shore.hear(nonce(ask))
    assert shore.orders.get(number).state == o.SENT
    second = shore.orders.add("buoy-1", m.REBOOT, b"", "ops", 900, NOW_MS)
    shore.desk.poll(NOW_MS)
    for _ in range(3):
        shore.hear(nonce(ask))
    assert shore.orders.get(second).state == o.ASKING


def audit(shore):
    return [(entry.what, entry.detail) for entry in shore.orders.audit(1000)]


# After a revocation


def test_everything_of_a_revoked_device_lies_apart_whole_and_unanswered(shore):
    taken = up(record(1))
    shore.hear(taken)
    number = shore.orders.add("buoy-1", m.REPORT, b"", "ops", 900, NOW_MS)
    shore.desk.poll(NOW_MS)
    sent = shore.orders.get(number).id
    shore.revoked.add("buoy-1")
    rows = shore.rows()
    heard = [taken, up(record(2) + record(3)), answer(sent, m.RESULT_DONE), nonce(5)]
    for content in heard:
        outcome = shore.hear(content)
        assert (outcome.acks, outcome.beidou, outcome.answers, outcome.fresh) == ({}, {}, [], [])
    assert shore.rows() == rows
    assert shore.orders.get(number).result is None
    assert {raw for reason, raw in shore.letters() if reason == "revoked"} == {
        content[frame.HEAD : -frame.TAG] for content in heard
    }
    # A frame that is not its own is not its.
    shore.hear(up(record(9), key=bytes(32)))
    assert shore.letters()[0][0] == "beidou-tag"
    # Taken in again: what was kept apart may still be sent through, once.
    shore.revoked.clear()
    for _ in range(2):
        shore.by_mqtt(record(2) + record(3))
    assert [row[:2] for row in shore.rows()] == [(7, 1), (7, 2), (7, 3)]


def test_what_waits_for_the_command_card_is_not_signed_any_more(shore):
    shore.rdss.acknowledge("buoy-1", [(7, 0, 70)])
    shore.rdss.command("buoy-1", b"\x82\x03\x05")
    shore.revoked.add("buoy-1")
    terminal = shore.rdss._terminal
    terminal.feed(b"$BDICP,4238473,0,0,3,0,N,2,N,1,0,0,3,1,60,3,0,0,0,0,21,0,0,0*49\r\n", 0)
    assert terminal.ready(1)
    for n in range(5):
        assert b"TCQ" not in shore.rdss._step(1e9 + n)
    assert shore.rdss._waiting.next(60, 1e9) is None

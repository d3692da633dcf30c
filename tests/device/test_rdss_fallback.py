"""When records go by BeiDou, which, and what comes down: the policy with the real downlink.

The outbox is a stand-in with the face agreed for `Outbox.short`; tests/chain/test_beidou.py has the
real one.
"""

import unittest

import rdss_terminals as r
from rdss_terminals import FakeTerminal

from agent.link.downlink import Downlink
from agent.link.fallback import Fallback
from agent.link.rdss import Terminal
from agent.wire import codes, frame, messages

KEY = bytes(range(32))
DEVICE = "buoy-1"
COMMAND_CARD = 2097151
SETTINGS = (900, 120, 1800)


class Identity:
    device = DEVICE
    key = KEY


class Outbox:
    """Records as (seq, lane, bytes); `short` as agreed: alarms first, the newest status, older ones."""

    def __init__(self):
        self.records = []
        self.asked = []

    @property
    def kept(self):
        return len(self.records)

    def put(self, seq, lane, size=12):
        self.records.append((seq, lane, bytes([seq]) * size))

    def short(self, buf, room, now_s, lane):
        self.asked.append(lane)
        n = 0
        rest = [r for r in self.records if r[1] != codes.LANE_ALARM]
        wanted = [r for r in self.records if r[1] == codes.LANE_ALARM] + rest[-1:] + rest[:-1]
        for _, its, data in wanted:
            if its <= lane and n + len(data) <= room:
                buf[n : n + len(data)] = data
                n += len(data)
        return n

    def ack(self, boot, first, last):
        before = len(self.records)
        self.records = [r for r in self.records if not first <= r[0] <= last]
        return before - len(self.records)


class Clock:
    source = codes.CLOCK_GNSS

    def __init__(self):
        self.offers = []

    def uptime_s(self):
        return 0

    def offer(self, *values):
        self.offers.append(values)


class Boot:
    value = 7

    def lost(self):
        return False


class Bench:
    def __init__(self, dialect="2.1", level=3, interval_s=60):
        self.line = FakeTerminal(dialect, level=level, interval_s=interval_s)
        self.outbox = Outbox()
        self.clock = Clock()
        self.downlink = Downlink(Boot(), self.outbox, self.clock)
        self.fallback = Fallback(
            Terminal(self.line),
            self.outbox,
            self.downlink,
            self.clock,
            Identity(),
            COMMAND_CARD,
            SETTINGS,
        )
        self.now_ms = 0
        self.run(10)

    def run(self, seconds):
        for _ in range(seconds):
            self.now_ms += 1000
            self.downlink.poll(self.now_ms)
            self.fallback.poll(self.now_ms)

    def heard(self):
        """The gateway answers on the main link."""
        self.downlink.heard_ms = self.now_ms

    def bodies(self):
        """Return what arrived since the last call, as (kind, body)."""
        out = []
        for card, content in self.line.messages:
            if card != COMMAND_CARD or len(content) > 70:
                raise AssertionError("to %d, %d bytes" % (card, len(content)))
            out.append(frame.read_frame(content, KEY, frame.UP, DEVICE))
        self.line.messages = []
        return out

    def down(self, kind, body, key=KEY, direction=frame.DOWN, device=DEVICE):
        buf = bytearray(70)
        n = frame.put_frame(buf, key, direction, device, kind, bytearray(body), len(body))
        self.line.receive(COMMAND_CARD, bytes(buf[:n]))

    def ack(self, first, last):
        buf = bytearray(16)
        self.down(frame.ACK, bytes(buf[: messages.put_ack(buf, 0, 7, first, last)]))


class TestWhen(unittest.TestCase):
    def test_nothing_goes_while_the_gateway_answers(self):
        bench = Bench()
        for n in range(40):
            bench.outbox.put(n, codes.LANE_STATUS)
            bench.run(100)
            bench.heard()
        self.assertEqual(bench.bodies(), [])

    def test_nothing_goes_while_nothing_waits(self):
        bench = Bench()
        bench.run(3000)
        bench.outbox.put(1, codes.LANE_STATUS)
        bench.run(850)
        self.assertEqual(bench.bodies(), [])
        bench.run(100)
        self.assertEqual(bench.bodies(), [(frame.RECORDS, b"\x01" * 12)])

    def test_an_alarm_goes_sooner_and_alone(self):
        bench = Bench()
        bench.outbox.put(1, codes.LANE_STATUS)
        bench.outbox.put(2, codes.LANE_ALARM)
        bench.run(110)
        self.assertEqual(bench.bodies(), [])
        bench.run(20)
        self.assertEqual(bench.bodies(), [(frame.RECORDS, b"\x02" * 12)])

    def test_after_the_longer_time_alarms_first_then_the_newest_status(self):
        bench = Bench()
        for n in range(1, 5):
            bench.outbox.put(n, codes.LANE_STATUS, 20)
        bench.run(950)
        self.assertEqual(
            bench.bodies(), [(frame.RECORDS, b"\x04" * 20 + b"\x01" * 20 + b"\x02" * 20)]
        )
        bench.outbox.put(9, codes.LANE_ALARM, 20)
        bench.run(70)
        self.assertEqual(bench.bodies(), [(frame.RECORDS, b"\x09" * 20)])

    def test_status_is_paced_alarms_are_not(self):
        bench = Bench()
        bench.outbox.put(1, codes.LANE_STATUS)
        bench.run(900 + 2 * 1800 + 60)
        self.assertEqual(len(bench.bodies()), 3)
        bench.outbox.put(2, codes.LANE_ALARM)
        bench.run(10)
        self.assertEqual(len(bench.bodies()), 1)

    def test_acknowledged_by_satellite_the_link_is_still_down(self):
        bench = Bench()
        bench.outbox.put(1, codes.LANE_ALARM)
        bench.run(130)
        self.assertEqual(len(bench.bodies()), 1)
        bench.ack(0, 5)
        bench.run(5)
        self.assertEqual(bench.outbox.kept, 0)
        self.assertIsNone(bench.downlink.heard_ms)
        bench.run(600)
        bench.outbox.put(6, codes.LANE_ALARM)
        bench.run(5)
        self.assertEqual(len(bench.bodies()), 1)
        bench.heard()
        bench.outbox.put(7, codes.LANE_ALARM)
        bench.run(100)
        self.assertEqual(bench.bodies(), [])

    def test_level_2_carries_alarms_only(self):
        bench = Bench(level=2)
        bench.outbox.put(1, codes.LANE_STATUS, 10)
        bench.outbox.put(2, codes.LANE_ALARM, 24)
        bench.run(1000)
        bodies = bench.bodies()
        self.assertTrue(len(bodies) > 1)
        for body in bodies:
            self.assertEqual(body, (frame.RECORDS, b"\x02" * 24))
        bench.ack(2, 2)
        bench.run(4000)
        bench.line.messages = []
        bench.run(4000)
        self.assertEqual(bench.bodies(), [])

    def test_level_1_carries_nothing(self):
        bench = Bench(level=1)
        bench.outbox.put(2, codes.LANE_ALARM, 4)
        bench.run(4000)
        self.assertEqual(bench.bodies(), [])

    def test_a_refused_frame_goes_again_unless_the_link_is_back(self):
        bench = Bench()
        bench.outbox.put(1, codes.LANE_ALARM)
        bench.line.refuse(4)
        bench.line.refuse("interval", 30)
        bench.run(300)
        self.assertEqual(bench.bodies()[0], (frame.RECORDS, b"\x01" * 12))
        self.assertEqual(r.refused(bench.fallback.terminal), 2)
        bench = Bench()
        bench.outbox.put(1, codes.LANE_ALARM)
        bench.line.refuse(4)
        bench.run(150)
        bench.heard()
        bench.run(110)
        self.assertEqual(bench.bodies(), [])

    def test_a_smaller_card_is_not_given_a_larger_frame(self):
        bench = Bench("3.0")
        for n in range(1, 4):
            bench.outbox.put(n, codes.LANE_ALARM, 20)
        bench.line.refuse(5)  # no card: it is being exchanged
        bench.line.level = 2
        bench.run(4000)
        bodies = bench.bodies()
        self.assertTrue(len(bodies) > 1)
        for _, body in bodies:
            self.assertEqual(body, b"\x01" * 20 + b"\x02" * 20)

    def test_the_outbox_is_not_looked_through_all_the_time(self):
        bench = Bench(level=2)
        bench.outbox.put(1, codes.LANE_STATUS)
        bench.run(130)
        bench.outbox.asked = []
        bench.run(100)
        self.assertTrue(10 <= len(bench.outbox.asked) <= 20, len(bench.outbox.asked))


class TestDownlink(unittest.TestCase):
    def test_acknowledgements_in_each_dialect(self):
        for dialect in ("2.1", "3.0", "4.0"):
            bench = Bench(dialect)
            for n in range(5):
                bench.outbox.put(n, codes.LANE_STATUS)
            bench.ack(1, 3)
            bench.run(2)
            self.assertEqual([r[0] for r in bench.outbox.records], [0, 4])
            self.assertEqual(bench.fallback.foreign, 0)

    def test_what_is_not_ours_changes_nothing(self):
        bench = Bench()
        bench.outbox.put(1, codes.LANE_STATUS)
        buf = bytearray(16)
        ack = bytes(buf[: messages.put_ack(buf, 0, 7, 0, 9)])
        bench.down(frame.ACK, ack, key=bytes(32))
        bench.down(frame.ACK, ack, direction=frame.UP)
        bench.down(frame.ACK, ack, device="buoy-2")
        bench.run(5)
        bench.down(frame.RECORDS, ack)
        bench.down(9, ack)
        bench.line.receive(123, b"hello")
        bench.run(5)
        self.assertEqual(bench.outbox.kept, 1)
        self.assertEqual(bench.fallback.foreign, 6)

    def test_a_signed_frame_with_nonsense_in_it_is_counted(self):
        bench = Bench()
        bench.down(frame.ACK, b"\xff\xff")
        bench.run(5)
        self.assertEqual(bench.downlink.bad, 1)

    def test_a_command_is_answered_the_way_it_came(self):
        bench = Bench()
        buf = bytearray(80)
        mark = messages.mark(DEVICE)
        n = messages.put_do(
            buf, 5, mark, messages.REPORT, 217400000, bytes(8), b"", bytes(messages.TAG_MIN)
        )
        self.assertTrue(n <= frame.BODY_MAX, n)
        bench.down(frame.COMMAND, bytes(buf[:n]))
        bench.run(5)
        ((kind, body),) = bench.bodies()
        self.assertEqual(kind, frame.COMMAND)
        self.assertEqual(
            messages.read_cmd_up(body), (messages.DO, 5, messages.RESULT_UNSUPPORTED, b"")
        )

    def test_a_long_answer_loses_its_detail(self):
        bench = Bench()
        buf = bytearray(120)
        n = messages.put_done(buf, 77, 0, bytes(80))
        bench.down(frame.COMMAND, b"\x82\x03\x01")  # asks for a nonce; nobody gives one here
        bench.run(5)
        bench.downlink._replies.append((b"ota", b"x"))
        bench.downlink._replies.append((b"cmd", buf[:n]))
        bench.run(5)
        ((_, body),) = bench.bodies()
        self.assertEqual(messages.read_cmd_up(body), (messages.DO, 77, 0, b""))
        self.assertEqual(bench.fallback.cut, 1)
        self.assertEqual(bench.downlink.waiting(), 1)

    def test_answers_to_commands_of_the_broker_are_the_brokers(self):
        bench = Bench()
        bench.downlink._replies.append((b"cmd", b"\x84\x02\x01\x00\x40"))
        bench.run(400)
        self.assertEqual(bench.bodies(), [])

    def test_the_time_is_offered(self):
        from rdss_terminals import sentence

        bench = Bench()
        bench.line.incoming += sentence("BDZDA,082920.00,22,11,2026,00,00")
        bench.run(1)
        self.assertEqual(
            bench.clock.offers, [(codes.CLOCK_BEIDOU, 217499360, 0, bench.now_ms, 1000)]
        )


class TestFrame(unittest.TestCase):
    # HMAC-SHA-256 by CPython's hmac module; tests/wire/test_frame.py compares the two at length.
    body = b"\x88\x01\x07\x2a\x1a\x0c\xf0\x0b\x00\x01\x00"
    whole = b"\xa4\x01" + body + b"\xcf\xdb\xf3\x0c\x36\xb7\x4b\xcc"

    def test_written(self):
        buf = bytearray(70)
        n = frame.put_frame(buf, KEY, frame.UP, DEVICE, 1, bytearray(self.body), len(self.body))
        self.assertEqual(bytes(buf[:n]), self.whole)

    def test_read(self):
        self.assertEqual(frame.read_frame(self.whole, KEY, frame.UP, DEVICE), (1, self.body))

    def test_every_changed_bit_is_refused(self):
        for at in range(len(self.whole)):
            for bit in range(8):
                spoilt = bytearray(self.whole)
                spoilt[at] ^= 1 << bit
                with self.assertRaises(frame.FrameError):
                    frame.read_frame(bytes(spoilt), KEY, frame.UP, DEVICE)

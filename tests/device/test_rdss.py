"""The BeiDou terminal: dialect, card, interval, refusals, messages; against terminals that misbehave."""

import unittest

import rdss_terminals as r
from rdss_terminals import FakeTerminal, frame, sentence

from agent.errors import LocalError
from agent.link import rdss_dialects as d
from agent.link.rdss import ASKING, RESTING, SENDING, Terminal

DIALECTS = (("2.1", d.D21), ("3.0", d.D30), ("4.0", d.D40))
COMMAND_CARD = 2097151
FRAME = bytes(range(0xA4, 0xA4 + 70))


class Bench:
    """A terminal on a line, and a clock."""

    def __init__(self, line):
        self.line = line
        self.terminal = Terminal(line)
        self.now_ms = 1000

    def run(self, ms, step_ms=50):
        until_ms = self.now_ms + ms
        while self.now_ms < until_ms:
            self.now_ms += step_ms
            self.terminal.poll(self.now_ms)

    def until_ready(self, limit_ms=4000000):
        start_ms = self.now_ms
        while not self.terminal.ready(self.now_ms):
            self.run(1000, 500)
            if self.now_ms - start_ms > limit_ms:
                raise AssertionError("not ready in %d ms" % limit_ms)
        return self.now_ms - start_ms

    def send(self, data=FRAME):
        self.terminal.send(COMMAND_CARD, data, len(data), self.now_ms)
        self.run(200)


class TestDetection(unittest.TestCase):
    def test_each_dialect(self):
        for name, number in DIALECTS:
            with self.subTest(dialect=name):
                bench = Bench(FakeTerminal(name))
                bench.until_ready(10000)
                terminal = bench.terminal
                self.assertEqual(
                    (terminal.dialect, terminal.card, terminal.level, terminal.interval_s),
                    (number, 4207733, 3, 60),
                )
                self.assertEqual(terminal.room(), 70)

    def test_nobody_there_is_asked_seldom(self):
        line = FakeTerminal("2.1")
        line.deaf = True
        bench = Bench(line)
        bench.run(600000, 500)
        self.assertEqual(bench.terminal.state, ASKING)
        self.assertFalse(bench.terminal.ready(bench.now_ms))
        line.deaf = False
        bench.until_ready(70000)

    def test_a_terminal_without_a_card_is_asked_until_it_has_one(self):
        for name, _ in DIALECTS:
            line = FakeTerminal(name, card=0)
            bench = Bench(line)
            bench.run(200000, 500)
            self.assertFalse(bench.terminal.ready(bench.now_ms))
            self.assertEqual(bench.terminal.room(), 0)
            line.card = 1234567
            bench.until_ready(70000)
            self.assertEqual(bench.terminal.card, 1234567)

    def test_another_card_is_noticed_within_an_hour(self):
        line = FakeTerminal("3.0")
        bench = Bench(line)
        bench.until_ready()
        line.card, line.interval_s = 7654321, 30
        bench.run(3700000, 1000)
        self.assertEqual((bench.terminal.card, bench.terminal.interval_s), (7654321, 30))
        self.assertEqual(bench.terminal.state, RESTING)

    def test_a_terminal_of_another_dialect_is_noticed(self):
        bench = Bench(FakeTerminal("2.1"))
        bench.until_ready()
        bench.line.dialect = "4.0"
        bench.send()
        bench.run(30000)
        self.assertEqual(bench.terminal.dialect, d.D40)
        self.assertEqual(bench.terminal.reasons[d.NO_ANSWER], 1)

    def test_a_line_that_takes_little_at_a_time(self):
        for name, _ in DIALECTS:
            line = FakeTerminal(name)
            line.greedy = 5
            bench = Bench(line)
            bench.until_ready(20000)
            bench.send()
            bench.run(2000)
            self.assertEqual(line.messages, [(COMMAND_CARD, FRAME)])

    def test_noise_of_the_wrong_baud_rate(self):
        line = FakeTerminal("2.1")
        line.incoming = bytes(i * 37 & 0xFF for i in range(5000))
        bench = Bench(line)
        bench.until_ready(20000)
        self.assertEqual(bench.terminal.dialect, d.D21)


class TestCard(unittest.TestCase):
    def room(self, level, crypt="N", dialect="2.1"):
        bench = Bench(FakeTerminal(dialect, level=level, crypt=crypt))
        bench.run(10000)
        return bench.terminal.room()

    def test_room_by_level(self):
        self.assertEqual([self.room(n) for n in range(7)], [0, 0, 51, 70, 70, 70, 70])
        self.assertEqual([self.room(n, "E") for n in range(1, 5)], [0, 45, 70, 70])

    def test_level_0_of_3_0_means_5(self):
        self.assertEqual(self.room(0, dialect="3.0"), 70)

    def test_level_1_is_refused(self):
        bench = Bench(FakeTerminal("2.1", level=1))
        bench.run(10000)
        self.assertEqual(bench.terminal.card, 4207733)
        self.assertFalse(bench.terminal.ready(bench.now_ms))
        self.assertRaises(LocalError, bench.terminal.send, 1, FRAME, 10, bench.now_ms)

    def test_more_than_fits_is_our_own_mistake(self):
        bench = Bench(FakeTerminal("2.1", level=2))
        bench.until_ready()
        self.assertRaises(LocalError, bench.terminal.send, 1, FRAME, 52, bench.now_ms)


class TestSending(unittest.TestCase):
    def test_each_dialect_carries_the_same_bytes(self):
        for name, _ in DIALECTS:
            with self.subTest(dialect=name):
                line = FakeTerminal(name)
                bench = Bench(line)
                bench.until_ready()
                bench.send()
                self.assertEqual(line.messages, [(COMMAND_CARD, FRAME)])
                self.assertEqual(bench.terminal.sent, 1)
                self.assertEqual(r.refused(bench.terminal), 0)

    def test_the_interval_is_kept(self):
        bench = Bench(FakeTerminal("2.1", interval_s=60))
        bench.until_ready()
        sent_ms = bench.now_ms
        for _ in range(3):
            bench.send()
            bench.until_ready()
            self.assertTrue(60000 <= bench.now_ms - sent_ms <= 63000, bench.now_ms - sent_ms)
            sent_ms = bench.now_ms

    def test_a_refusal_with_a_wait_is_kept(self):
        for name, _ in DIALECTS:
            with self.subTest(dialect=name):
                line = FakeTerminal(name)
                bench = Bench(line)
                bench.until_ready()
                line.refuse("interval", 42)
                bench.send()
                self.assertEqual(bench.terminal.reasons[d.INTERVAL], 1)
                self.assertEqual(bench.terminal.sent, 0)
                waited_ms = bench.until_ready()
                self.assertTrue(42000 <= waited_ms <= 45000, waited_ms)

    def test_a_refusal_without_a_wait_costs_an_interval(self):
        line = FakeTerminal("3.0")
        bench = Bench(line)
        bench.until_ready()
        line.refuse("interval", 0)
        bench.send()
        self.assertTrue(bench.until_ready() >= 60000)

    def test_every_refusal_is_counted_by_its_name(self):
        cases = (
            ("2.1", ((1, r.INHIBITED), (2, r.BATTERY), (3, r.SILENCE), (4, r.NO_LOCK))),
            (
                "3.0",
                (
                    (2, r.INHIBITED),
                    (3, r.SILENCE),
                    (4, r.NO_LOCK),
                    (5, d.NO_CARD),
                    (6, r.NO_RIGHT),
                    (11, r.CHECKSUM),
                    (8, r.FAILED),
                ),
            ),
            (
                "4.0",
                (
                    (1, r.FAILED),
                    (2, r.NO_LOCK),
                    (3, r.BATTERY),
                    (5, r.CRYPTO),
                    (6, r.CHECKSUM),
                    (7, r.INHIBITED),
                ),
            ),
        )
        for name, refusals in cases:
            line = FakeTerminal(name)
            bench = Bench(line)
            for n, (code, reason) in enumerate(refusals):
                with self.subTest(dialect=name, code=code):
                    bench.until_ready()
                    line.refuse(code)
                    bench.send()
                    self.assertEqual(bench.terminal.reasons[reason], 1)
                    self.assertEqual(r.refused(bench.terminal), n + 1)
            bench.until_ready()
            bench.send()
            self.assertEqual(line.messages, [(COMMAND_CARD, FRAME)])

    def test_inhibited_until_it_is_lifted(self):
        line = FakeTerminal("4.0")
        bench = Bench(line)
        bench.until_ready()
        line.refuse(7)
        bench.send()
        bench.run(120000, 1000)
        self.assertFalse(bench.terminal.ready(bench.now_ms))
        line.incoming += frame(b"FKXX", 1, b"\x08TXSQ")
        bench.run(100)
        self.assertTrue(bench.terminal.ready(bench.now_ms))

    def test_no_answer_is_given_up_and_the_terminal_asked_anew(self):
        line = FakeTerminal("2.1")
        bench = Bench(line)
        bench.until_ready()
        line.feedback = [b""]
        bench.send()
        self.assertEqual(bench.terminal.state, SENDING)
        asked = line.asked
        bench.until_ready()
        self.assertEqual(bench.terminal.reasons[d.NO_ANSWER], 1)
        self.assertEqual(line.asked, asked + 1)

    def test_feedback_that_nobody_waits_for_changes_nothing(self):
        line = FakeTerminal("3.0")
        bench = Bench(line)
        bench.until_ready()
        line.incoming += sentence("BDFKI,082920,TCQ,N,1,3000")
        bench.run(100)
        self.assertTrue(bench.terminal.ready(bench.now_ms))

    def test_a_wait_that_cannot_be_is_cut(self):
        line = FakeTerminal("3.0")
        bench = Bench(line)
        bench.until_ready()
        line.refuse("interval", 999999999)
        bench.send()
        self.assertTrue(bench.until_ready(4000000) <= 3700000)


class TestRobust(unittest.TestCase):
    def test_damaged_lines_never_stop_it(self):
        """Whole answers of all dialects, each with some bytes changed, cut or doubled."""
        good = []
        for name, number in DIALECTS:
            line = FakeTerminal(name)
            line.refuse("interval", 42)
            line.refuse(3)
            good += line.feedback
            line.feedback = []
            line.receive(COMMAND_CARD, FRAME)
            good.append(line.incoming)
            line.incoming = b""
            line.written = b""
            line.write(d.ask_card(number))
            good.append(line.incoming)
        good += [sentence("BDZDA,082920.00,22,11,2026,00,00"), sentence("BDICI,-1,,,,-9,-9,N,")]
        good += [sentence("BDFKI,082920,TCQ,N,1,-5"), sentence("BDICP,1,,,,,E,,,,,,,,99999,99")]
        random = 12345
        line = FakeTerminal("3.0")
        bench = Bench(line)
        for _ in range(600):
            random = random * 1103515245 + 12345 & 0x7FFFFFFF
            data = bytearray(good[(random >> 16) % len(good)])
            for shift in (3, 7, 11):
                random = random * 1103515245 + 12345 & 0x7FFFFFFF
                if data and random >> 28 & 1:
                    data[(random >> 8) % len(data)] ^= 1 << (random >> shift & 7)
                elif random >> 29 & 1:
                    data = data[: (random >> 8) % (len(data) + 1)]
            line.incoming += bytes(data)
            if bench.terminal.ready(bench.now_ms):
                bench.send(FRAME[: bench.terminal.room()])
            bench.run(100)
            while bench.terminal.next_message():
                pass
        self.assertTrue(bench.terminal.bad > 0)
        bench.run(4000000, 1000)
        self.assertEqual((bench.terminal.card, bench.terminal.interval_s), (4207733, 60))
        line.messages = []
        bench.until_ready()
        bench.send()
        self.assertEqual(line.messages, [(COMMAND_CARD, FRAME)])

    def test_a_silent_line_costs_no_memory(self):
        try:
            from micropython import heap_lock, heap_unlock
        except ImportError:
            self.skipTest("CPython has no heap_lock")
        for name, _ in DIALECTS:
            bench = Bench(FakeTerminal(name))
            bench.until_ready()
            terminal = bench.terminal
            line = SilentLine()
            terminal._line = line
            now_ms = bench.now_ms
            heap_lock()
            try:
                for _ in range(20):
                    now_ms += 50
                    terminal.poll(now_ms)
            finally:
                heap_unlock()


class SilentLine:
    def readinto(self, buf):
        return 0


class TestReceiving(unittest.TestCase):
    def test_messages_come_in_order_and_only_so_many_wait(self):
        for name, _ in DIALECTS:
            with self.subTest(dialect=name):
                line = FakeTerminal(name)
                bench = Bench(line)
                bench.until_ready()
                for n in range(6):
                    line.receive(COMMAND_CARD, b"\xa4" + bytes([n]))
                bench.run(500)
                got = [bench.terminal.next_message() for _ in range(5)]
                self.assertEqual(got[:4], [(COMMAND_CARD, b"\xa4" + bytes([n])) for n in range(4)])
                self.assertIsNone(got[4])
                self.assertEqual((bench.terminal.received, bench.terminal.lost), (6, 2))

    def test_a_message_while_feedback_is_owed(self):
        line = FakeTerminal("4.0")
        bench = Bench(line)
        bench.until_ready()
        line.feedback = [b""]
        bench.send()
        line.receive(COMMAND_CARD, b"\xa4\x02")
        bench.run(100)
        self.assertEqual(bench.terminal.next_message(), (COMMAND_CARD, b"\xa4\x02"))

    def test_time(self):
        line = FakeTerminal("2.1")
        bench = Bench(line)
        bench.until_ready()
        line.incoming += sentence("BDZDA,082920.00,22,11,2026,00,00")
        bench.run(50)
        self.assertEqual(bench.terminal.take_time(), (217499360, 0, bench.now_ms))
        self.assertIsNone(bench.terminal.take_time())

"""The supervisor and the downlink: states, time limits, back-off, acknowledgements, the time."""

import unittest

from fakes import FakeBoard, FakeBroker, FakeStore

from agent.clock import Clock
from agent.keep.boots import BootNumber, pack
from agent.keep.outbox import Outbox
from agent.link import supervisor as s
from agent.link.downlink import Downlink
from agent.wire import messages
from agent.wire.codes import CLOCK_GATEWAY, CLOCK_GNSS

T = 217000000
PREFIX = b"fw/1/65/buoy-1/"


class Linked(unittest.TestCase):
    def setUp(self):
        self.broker = FakeBroker()
        self.board = FakeBoard(self.broker)
        self.clock = Clock(200000000)
        store = FakeStore(pack(11))
        self.boot = BootNumber(store, FakeStore(), self.board.random)
        self.make()

    def make(self):
        self.outbox = Outbox(8192, bytes)
        self.downlink = Downlink(self.boot, self.outbox, self.clock)
        self.link = s.Supervisor(
            self.board,
            "broker",
            1883,
            60,
            "buoy-1",
            "secret",
            self.boot.value,
            self.outbox,
            self.downlink,
        )

    def run_ms(self, ms, step_ms=20):
        for _ in range(0, ms, step_ms):
            now_ms = self.clock.advance(step_ms)
            self.downlink.poll(now_ms)
            self.link.poll(now_ms)

    def put(self, first, last):
        for seq in range(first, last + 1):
            self.outbox.put(bytes([seq] * 30), 30, seq)

    def down(self, kind, put, *args):
        buf = bytearray(128)
        n = put(buf, *args)
        self.broker.send(PREFIX + b"dn/" + kind, bytes(buf[:n]))

    def payloads(self, kind):
        return [p for topic, p, _, _ in self.broker.published if topic == PREFIX + b"up/" + kind]


class Connecting(Linked):
    def test_from_nothing_to_up(self):
        self.run_ms(200)
        self.assertEqual(self.link.state, s.UP)
        self.assertEqual(self.broker.packets[:2], [0x10, 0x82])
        self.assertTrue(PREFIX + b"up/state" in self.broker.connect_packet)
        self.assertEqual(self.payloads(b"state"), [b"\x83\x0c\x01\x01"])
        self.assertEqual(self.broker.published[0][2:], (1, 1))

    def test_the_will_says_lost_and_the_connection_counts(self):
        self.run_ms(200)
        self.assertTrue(b"\x83\x0c\x01\x00" in self.broker.connect_packet)
        self.board.streams[-1].break_off()
        self.run_ms(3000)
        self.assertTrue(b"\x83\x0c\x02\x00" in self.broker.connect_packet)

    def test_no_network_no_attempt(self):
        self.board.up = False
        self.run_ms(5000)
        self.assertEqual((self.board.streams, self.link.errors), ([], 0))

    def test_each_answer_has_its_time(self):
        self.broker.silent = True
        self.run_ms(19000)
        self.assertEqual(self.link.state, s.GREETING)
        self.run_ms(1200)
        self.assertEqual((self.link.state, self.link.errors), (s.WAIT, 1))
        self.assertEqual(self.link.last_error, "timeout: in state greeting")

    def test_back_off_doubles_to_five_minutes_and_starts_anew(self):
        self.board.refuse = True
        attempts = []
        for _ in range(40000):
            n = len(self.board.streams)
            self.run_ms(100, 100)
            if len(self.board.streams) > n:
                attempts.append(self.clock.now_ms)
        gaps = [b - a for a, b in zip(attempts, attempts[1:])]
        # FakeBoard's jitter is always half.
        self.assertEqual([g // 500 for g in gaps[:4]], [1, 2, 4, 8])
        self.assertEqual(max(gaps) // 1000, 150)
        self.board.refuse = False
        self.run_ms(400000, 100)
        self.board.streams[-1].break_off()
        before = len(self.board.streams)
        self.run_ms(2000)
        self.assertEqual(len(self.board.streams), before + 1)

    def test_an_orderly_close_by_the_broker_reconnects_at_once(self):
        # mqtt_as 's receive task dies of it and waits for missed pings (reference B8).
        self.run_ms(200)
        self.board.streams[-1].break_off("ECONNRESET")
        self.run_ms(1000)
        self.assertEqual((self.link.connects, self.link.state), (2, s.UP))

    def test_a_broker_that_refuses_the_password(self):
        self.broker.refuse = 4
        self.run_ms(400)
        self.assertEqual(self.link.last_error, "refused: bad user name or password")

    def test_a_half_open_connection_is_noticed(self):
        self.run_ms(200)
        self.broker.silent = True
        self.run_ms(100000, 100)
        self.assertTrue(self.link.errors >= 1)
        self.assertFalse(self.link.state == s.UP)

    def test_closing_says_goodbye(self):
        self.run_ms(200)
        self.link.close()
        self.assertEqual(self.broker.packets[-1], 0xE0)
        self.assertEqual(self.payloads(b"state")[-1], b"\x83\x0c\x01\x00")
        self.assertEqual(self.board.streams[-1].state(), -1)


class Records(Linked):
    def test_records_go_out_batched_and_are_freed_by_the_gateway_only(self):
        self.put(0, 9)
        self.run_ms(300)
        self.assertEqual(
            b"".join(self.payloads(b"rec")), b"".join(bytes([i] * 30) for i in range(10))
        )
        self.assertEqual(self.outbox.kept, 10)
        self.down(b"ack", messages.put_ack, 0, 12, 0, 7)
        self.run_ms(100)
        self.assertEqual((self.outbox.kept, self.downlink.acks), (2, 8))

    def test_acks_of_another_boot_free_nothing(self):
        self.put(0, 3)
        self.run_ms(300)
        self.down(b"ack", messages.put_ack, 0, 11, 0, 7)
        self.run_ms(100)
        self.assertEqual(self.outbox.kept, 4)

    def test_what_was_under_way_is_sent_again_after_a_break(self):
        self.run_ms(200)
        self.broker.puback = False
        self.put(0, 3)
        self.run_ms(100)
        self.broker.puback = True
        self.board.streams[-1].break_off()
        self.run_ms(3000)
        self.assertEqual(len(self.payloads(b"rec")), 2)

    def test_what_the_broker_had_rests_for_30_s(self):
        self.run_ms(200)
        self.put(0, 3)
        self.run_ms(100)
        self.board.streams[-1].break_off()
        self.run_ms(20000)
        self.assertEqual(len(self.payloads(b"rec")), 1)
        self.run_ms(12000)
        self.assertEqual(len(self.payloads(b"rec")), 2)

    def test_a_link_that_takes_three_bytes_at_a_time(self):
        self.put(0, 20)
        connect = self.board.connect

        def slow(host, port):
            stream = connect(host, port)
            stream.step = 3
            return stream

        self.board.connect = slow
        self.run_ms(2000)
        self.assertEqual(
            b"".join(self.payloads(b"rec")), b"".join(bytes([i] * 30) for i in range(21))
        )


class Time(Linked):
    def ask(self):
        return [messages.read_cmd_up(p) for p in self.payloads(b"cmd")]

    def test_the_clock_is_set_from_the_gateway(self):
        self.run_ms(200)
        kind, ask, uptime_s = self.ask()[0]
        self.assertEqual((kind, ask, uptime_s), (messages.CLOCK, 1, 0))
        asked_ms = self.downlink._asked_ms
        self.run_ms(400)
        self.down(b"cmd", messages.put_clock_tell, ask, T, 500, None)
        self.run_ms(20)
        self.assertEqual(self.clock.source, CLOCK_GATEWAY)
        half_ms = (self.clock.now_ms - asked_ms) // 2
        self.assertTrue(200 <= half_ms <= 300, half_ms)
        self.assertEqual(self.clock.take_change()[2:], (half_ms + 1, None))
        # The answer's half second, and half of the round trip.
        to_the_next_s = 500 - half_ms
        self.run_ms(to_the_next_s - 10, 1)
        self.assertEqual(self.clock.t(), T)
        self.run_ms(10, 1)
        self.assertEqual(self.clock.t(), T + 1)

    def test_an_answer_to_an_older_question_is_ignored(self):
        self.run_ms(200)
        self.run_ms(16000, 100)
        self.assertEqual([ask for _, ask, _ in self.ask()], [1, 2])
        self.down(b"cmd", messages.put_clock_tell, 1, T, 0, None)
        self.run_ms(100)
        self.assertEqual(self.clock.source, None)

    def test_an_answer_that_took_too_long_is_ignored(self):
        self.run_ms(200)
        self.run_ms(11000, 100)
        self.down(b"cmd", messages.put_clock_tell, 1, T, 0, None)
        self.run_ms(100)
        self.assertEqual(self.clock.source, None)

    def test_nobody_asks_when_gnss_has_told(self):
        for i in range(3):
            self.clock.offer(CLOCK_GNSS, T + i, 0, i * 1000, 500)
        self.run_ms(70000, 100)
        self.assertEqual(self.ask(), [])

    def test_a_fresh_boot_number_is_kept_for_the_next_start(self):
        stores = (FakeStore(), FakeStore())
        self.boot = BootNumber(stores[0], stores[1], self.board.random)
        self.make()
        for i in range(3):
            self.clock.offer(CLOCK_GNSS, T + i, 0, i * 1000, 500)
        self.run_ms(200)
        self.assertEqual(len(self.ask()), 1)
        self.down(b"cmd", messages.put_clock_tell, 1, T, 0, 77)
        self.run_ms(40)
        again = BootNumber(stores[0], stores[1], self.board.random)
        self.assertEqual(again.value, 78)


class Downward(Linked):
    def test_commands_and_updates_are_answered_unsupported(self):
        self.run_ms(200)
        self.down(b"cmd", messages.put_do, 9, 4, T, None, b"", b"tag")
        self.down(b"ota", messages.put_ota_offer, 5, 100, b"", b"")
        self.run_ms(100)
        answers = [messages.read_cmd_up(p) for p in self.payloads(b"cmd")]
        self.assertTrue((messages.DO, 9, messages.RESULT_UNSUPPORTED, b"") in answers)
        self.assertEqual(
            [messages.read_ota_up(p) for p in self.payloads(b"ota")],
            [(5, messages.RESULT_UNSUPPORTED, b"")],
        )

    def test_bad_messages_are_counted_and_change_nothing(self):
        self.put(0, 3)
        self.run_ms(200)
        for kind, payload in (
            (b"ack", b"\x83\x0c\x00"),
            (b"ack", b"\xff"),
            (b"ack", b"\x83\x0c\x05\x03"),
            (b"cmd", b""),
            (b"cmd", b"\x83\x01\x01\x01"),
            (b"ota", b"\x84\x09\x01\x01\x40"),
            (b"nonsense", b"\x80"),
        ):
            self.broker.send(PREFIX + b"dn/" + kind, payload)
        self.run_ms(100)
        self.assertEqual((self.downlink.bad, self.outbox.kept), (7, 4))
        self.assertEqual(self.link.state, s.UP)

    def test_good_ranges_before_a_bad_one_count(self):
        self.put(0, 3)
        self.run_ms(200)
        self.broker.send(PREFIX + b"dn/ack", b"\x83\x0c\x00\x01" + b"\x83\x0c\x02")
        self.run_ms(100)
        self.assertEqual((self.downlink.bad, self.outbox.kept), (1, 2))


if __name__ == "__main__":
    unittest.main()

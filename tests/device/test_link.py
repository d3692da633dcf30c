"""The supervisor and the downlink: states, time limits, back-off, acknowledgements, the time."""

import unittest

from fakes import FakeBoard, FakeBroker, FakeStore
from test_x509 import GENERALIZED, UTC_ENDS, UTC_TIMES

from agent.clock import Clock
from agent.errors import RemoteError
from agent.keep.boots import BootNumber, pack
from agent.keep.outbox import Outbox
from agent.link import supervisor as s
from agent.link.downlink import Downlink
from agent.wire import messages
from agent.wire.codes import CLOCK_BEIDOU, CLOCK_GATEWAY, CLOCK_GNSS, LANE_STATUS

T = 217000000
BUILT = 200000000
DAY_MS = 86400000
PREFIX = b"fw/1/65/buoy-1/"
ACCESS = {"host": "broker", "port": 1883, "password": "secret", "wifi": {"ssid": "quay"}}


class Gateway:
    """Answers the clock question and acknowledges records, through a FakeBroker; or is silent."""

    def __init__(self, broker):
        self.broker = broker
        self.silent = False
        self.seen = []  # records' payloads
        self.asked = 0
        self._read = 0

    def poll(self):
        while self._read < len(self.broker.published):
            topic, payload, _, _ = self.broker.published[self._read]
            self._read += 1
            if self.silent:
                continue
            buf = bytearray(64)
            if topic == PREFIX + b"up/cmd":
                message = messages.read_cmd_up(payload)
                if message[0] == messages.CLOCK:
                    self.asked += 1
                    n = messages.put_clock_tell(buf, message[1], T, 0, None)
                    self.broker.send(PREFIX + b"dn/cmd", bytes(buf[:n]))
            elif topic == PREFIX + b"up/rec":
                for at in range(0, len(payload), 30):
                    self.seen.append(payload[at : at + 30])
                    n = messages.put_ack(buf, 0, 12, payload[at], payload[at])
                    self.broker.send(PREFIX + b"dn/ack", bytes(buf[:n]))


class Linked(unittest.TestCase):
    def setUp(self):
        self.broker = FakeBroker()
        self.board = FakeBoard(self.broker)
        self.board.reset = None  # whoever calls it fails
        self.clock = Clock(BUILT)
        store = FakeStore(pack(11))
        self.boot = BootNumber(store, FakeStore(), self.board.random)
        self.gateway = Gateway(self.broker)
        self.make()

    def make(self, access=ACCESS):
        self.outbox = Outbox(8192, bytes)
        self.downlink = Downlink(self.boot, self.outbox, self.clock)
        self.link = s.Supervisor(
            self.board,
            "buoy-1",
            access,
            60,
            self.boot.value,
            self.outbox,
            self.downlink,
            self.clock,
        )

    def run_ms(self, ms, step_ms=20):
        for _ in range(0, ms, step_ms):
            now_ms = self.clock.advance(step_ms)
            self.downlink.poll(now_ms)
            self.link.poll(now_ms)
            self.gateway.poll()

    def put(self, first, last):
        for seq in range(first, last + 1):
            self.outbox.put(bytes([seq] * 30), 30, 12, seq, LANE_STATUS)

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

    def test_each_answer_has_its_time(self):
        self.broker.silent = True
        self.run_ms(19000)
        self.assertEqual(self.link.state, s.GREETING)
        self.run_ms(1200)
        self.assertEqual((self.link.state, self.link.errors), (s.WAIT, 1))
        self.assertEqual(self.link.last_error, "timeout: in state greeting")

    def test_a_connection_that_never_opens(self):
        connect = self.board.connect

        def open_for_ever(host, port, trust=None):
            stream = connect(host, port)
            stream._state = 0
            return stream

        self.board.connect = open_for_ever
        self.run_ms(21000)
        self.assertEqual(self.link.last_error, "timeout: in state opening")

    def test_a_handshake_that_never_ends(self):
        connect = self.board.connect

        def secure_for_ever(host, port, trust=None):
            stream = connect(host, port)
            stream._state = 2
            return stream

        self.board.connect = secure_for_ever
        self.run_ms(42000)
        self.assertEqual(self.link.last_error, "timeout: in state tls")

    def test_back_off_doubles_to_five_minutes_and_starts_anew(self):
        self.board.refuse = True
        attempts = []
        for _ in range(10000):
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

    def test_a_metered_link_waits_longer(self):
        self.board.refuse = True
        self.link.bearer.net.metered = True
        self.run_ms(7200000, 1000)
        n = len(self.board.streams)
        self.run_ms(7200000, 1000)
        # Half of 15 minutes, by FakeBoard's jitter.
        self.assertEqual(len(self.board.streams) - n, 16)

    def test_an_orderly_close_by_the_broker_reconnects_at_once(self):
        # mqtt_as 's receive task dies of it and waits for missed pings (reference B8, regression 2).
        self.run_ms(200)
        self.board.streams[-1].break_off("ECONNRESET")
        self.run_ms(1000)
        self.assertEqual((self.link.connects, self.link.state), (2, s.UP))
        self.assertEqual(self.link.last_error, "closed: ECONNRESET")

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


class Proof(Linked):
    """A connection counts when the gateway has answered."""

    def test_a_broker_without_a_gateway_is_given_up_and_tried_again(self):
        self.gateway.silent = True
        self.run_ms(200)
        self.assertEqual((self.link.state, self.link.heard_ms), (s.PROVING, None))
        self.run_ms(121000, 100)
        self.assertEqual(self.link.last_error, "timeout: in state proving")
        self.run_ms(600000, 100)
        self.assertTrue(3 <= self.link.errors <= 7, self.link.errors)
        self.assertFalse(self.link.state == s.UP)
        self.gateway.silent = False
        self.run_ms(400000, 100)
        self.assertEqual(self.link.state, s.UP)

    def test_the_gateway_is_asked_though_the_clock_needs_nothing(self):
        for i in range(3):
            self.clock.offer(CLOCK_GNSS, T + i, 0, i * 1000, 500)
        self.run_ms(300)
        self.assertEqual((self.gateway.asked, self.link.state), (1, s.UP))
        self.assertTrue(0 < self.link.heard_ms <= 300)

    def test_an_acknowledgement_is_an_answer(self):
        self.gateway.silent = True
        self.put(0, 0)
        self.run_ms(200)
        self.down(b"ack", messages.put_ack, 0, 12, 0, 0)
        self.run_ms(40)
        self.assertEqual(self.link.state, s.UP)

    def test_a_bad_message_is_none(self):
        self.gateway.silent = True
        self.run_ms(200)
        self.broker.send(PREFIX + b"dn/ack", b"\xff")
        self.run_ms(40)
        self.assertEqual((self.link.state, self.link.heard_ms), (s.PROVING, None))

    def test_a_gateway_that_falls_silent_is_asked_after_an_hour_and_left(self):
        for i in range(3):
            self.clock.offer(CLOCK_GNSS, T + i, 0, i * 1000, 500)
        self.run_ms(300)
        self.run_ms(2 * 3600000 + 300000, 1000)
        self.assertEqual((self.link.state, self.link.errors), (s.UP, 0))
        self.assertEqual(self.gateway.asked, 3)
        self.gateway.silent = True
        self.run_ms(3600000 + 300000, 1000)
        self.assertEqual(self.link.last_error, "timeout: in state proving")

    def test_a_broker_away_for_a_day_costs_nothing(self):
        # Regression 6 (esphome/issues#994, feature-requests#733): no reboot, no loss in the budget.
        self.run_ms(200)
        self.board.refuse = True
        self.board.streams[-1].break_off()
        for seq in range(144):
            self.outbox.put(bytes([seq] * 30), 30, 12, seq, LANE_STATUS)
            self.run_ms(600000, 10000)
        self.assertEqual((self.outbox.kept, self.outbox.dropped), (144, 0))
        self.assertTrue(250 < len(self.board.streams) < 700, len(self.board.streams))
        self.board.refuse = False
        self.run_ms(330000, 100)
        self.assertEqual(sorted(self.gateway.seen), [bytes([seq] * 30) for seq in range(144)])
        self.assertEqual((self.outbox.kept, self.outbox.dropped, self.link.state), (0, 0, s.UP))

    def test_a_gateway_away_for_a_day_costs_nothing(self):
        self.gateway.silent = True
        for seq in range(144):
            self.outbox.put(bytes([seq] * 30), 30, 12, seq, LANE_STATUS)
            self.run_ms(600000, 10000)
        self.assertEqual((self.outbox.kept, self.outbox.dropped), (144, 0))
        self.gateway.silent = False
        self.run_ms(2 * 3600000, 1000)
        self.assertEqual((self.outbox.kept, self.link.state), (0, s.UP))


class Interface(Linked):
    def test_no_interface_no_attempt(self):
        self.board.up = False
        self.run_ms(5000)
        self.assertEqual((self.board.streams, self.link.errors), ([], 0))
        self.assertEqual((self.link.state, self.board.net.calls), (s.RAISING, ["start"]))

    def test_it_is_begun_again_and_at_last_switched_off_and_on_once_an_hour(self):
        self.board.up = False
        self.run_ms(5 * 3600000, 1000)
        calls = self.board.net.calls
        self.assertEqual(self.link.last_error, "interface: no antenna")
        self.assertEqual(calls[:4], ["start", "start", "start", "cycle"])
        self.assertEqual(calls.count("cycle"), 5)
        self.assertEqual(self.link.bearer.cycles, 5)
        self.board.up = True
        self.run_ms(1000)
        self.assertEqual(self.link.state, s.UP)

    def test_a_silent_far_end_never_switches_it_off_and_on(self):
        self.broker.silent = True
        self.run_ms(DAY_MS, 10000)
        calls = self.board.net.calls
        self.assertEqual((calls.count("cycle"), self.link.bearer.cycles), (0, 0))
        # But it is brought up anew: a modem may keep a connection its network has forgotten.
        self.assertTrue(calls.count("stop") > 10)

    def test_what_answers_leaves_it_alone(self):
        self.broker.refuse = 5
        self.run_ms(3600000, 1000)
        self.assertTrue(self.link.errors > 10)
        self.assertEqual(self.board.net.calls, [])

    def test_resting_says_goodbye_and_switches_the_radio_off(self):
        self.run_ms(200)
        self.link.rest(True)
        self.assertEqual(self.payloads(b"state")[-1], b"\x83\x0c\x01\x00")
        self.run_ms(600000, 1000)
        self.assertEqual((self.board.net.calls, len(self.board.streams)), (["stop"], 1))
        self.link.rest(False)
        self.run_ms(400)
        self.assertEqual(self.link.state, s.UP)

    def test_bytes_are_counted_with_their_heads(self):
        self.run_ms(200)
        before = self.link.bytes()
        self.assertTrue(500 < before < 3000, before)
        self.put(0, 0)
        self.run_ms(100)
        # A record of 30 bytes, its topic, PUBACK and ack.
        self.assertTrue(150 < self.link.bytes() - before < 500, self.link.bytes() - before)


class Access(Linked):
    OTHER = {"host": "other", "port": 8883, "password": "new", "wifi": {"ssid": "quay"}}

    def setUp(self):
        Linked.setUp(self)
        self.to = []
        connect = self.board.connect

        def noted(host, port, trust=None):
            self.to.append((host, port))
            return connect(host, port)

        self.board.connect = noted

    def test_new_access_is_taken_by_connecting_again(self):
        self.run_ms(200)
        self.link.use(self.OTHER)
        self.assertEqual(self.payloads(b"state")[-1], b"\x83\x0c\x01\x00")
        self.run_ms(200)
        self.assertEqual(self.to, [("broker", 1883), ("other", 8883)])
        self.assertTrue(self.broker.connect_packet.endswith(b"\x00\x03new"))
        self.assertEqual((self.link.state, self.link.errors), (s.UP, 0))

    def test_another_wifi_is_another_interface(self):
        self.run_ms(200)
        first = self.board.net
        self.link.use(dict(ACCESS, wifi={"ssid": "pier"}))
        self.assertEqual(first.calls, ["stop"])
        self.assertFalse(first is self.board.net)
        self.run_ms(200)
        self.assertEqual(self.link.state, s.UP)

    def test_what_was_in_flight_goes_by_the_new_access(self):
        self.run_ms(200)
        self.broker.puback = False
        self.gateway.silent = True
        self.put(0, 3)
        self.run_ms(100)
        self.broker.puback = True
        self.gateway.silent = False
        self.link.use(self.OTHER)
        self.run_ms(300)
        self.assertEqual((self.outbox.kept, len(self.payloads(b"rec"))), (0, 2))

    def test_bad_access_is_refused_and_the_old_one_stays(self):
        self.run_ms(200)
        for bad in ({}, {"host": "x"}, {"host": "x", "port": 8883, "tls": True}):
            with self.assertRaises(RemoteError):
                self.link.use(bad)
        self.run_ms(200)
        self.assertEqual((self.link.state, len(self.board.streams)), (s.UP, 1))

    def test_an_interface_that_cannot_be_opened_leaves_the_old_one(self):
        self.run_ms(200)
        old = self.board.net

        def broken(access):
            raise OSError(5, "no radio")

        self.board.network = broken
        with self.assertRaises(RemoteError):
            self.link.use(dict(ACCESS, host="other", wifi={"ssid": "pier"}))
        self.assertTrue(self.link.bearer.net is old)
        self.run_ms(400)
        self.assertEqual((self.link.state, self.to[-1][0]), (s.UP, "broker"))

    def test_a_radio_that_fails_in_its_turn_is_an_error_like_others(self):
        def broken(now_ms):
            raise OSError(5, "no radio")

        self.board.net.up = broken
        self.run_ms(5000)
        self.assertTrue(self.link.errors > 1)
        self.assertTrue("no radio" in self.link.last_error, self.link.last_error)
        del self.board.net.up
        self.run_ms(20000)
        self.assertEqual(self.link.state, s.UP)

    def test_bad_access_at_the_start_is_survived(self):
        self.make({"host": "x", "port": 8883, "tls": True})
        self.run_ms(5000)
        self.assertEqual(self.link.last_error, "malformed: TLS without a CA certificate")
        self.link.rest(True)
        self.link.rest(False)
        self.link.use(ACCESS)
        self.run_ms(200)
        self.assertEqual(self.link.state, s.UP)


class Certificates(Linked):
    def test_a_certificate_that_expires_is_an_alarm_60_days_before(self):
        self.make(dict(ACCESS, tls=True, ca=UTC_TIMES))
        self.run_ms(1000)
        self.assertEqual(self.link.alarm(), None)  # nobody knows what day it is
        now_ms = self.clock.now_ms
        self.clock.offer(CLOCK_BEIDOU, UTC_ENDS - 61 * 86400 - 3600, 0, now_ms, 500)
        self.run_ms(DAY_MS - 10000, 10000)
        self.assertEqual(self.link.alarm(), None)
        self.run_ms(2 * DAY_MS, 10000)
        self.assertEqual(self.link.alarm(), 58)
        for _ in range(58):
            self.run_ms(DAY_MS, 1000000)
        self.assertTrue(self.link.alarm() in {-1, 0}, self.link.alarm())
        # New access with a younger CA clears it at once.
        self.link.use(dict(ACCESS, tls=True, ca=GENERALIZED))
        self.run_ms(1000)
        self.assertEqual(self.link.alarm(), None)

    def test_the_hardware_layer_is_told_what_to_trust_and_when(self):
        seen = []
        connect = self.board.connect

        def noted(host, port, trust=None):
            seen.append((trust.t, trust.sure, len(trust.ca)))
            return connect(host, port)

        self.board.connect = noted
        self.make(dict(ACCESS, tls=True, ca=UTC_TIMES))
        self.run_ms(1000)
        self.assertEqual(seen, [(BUILT, False, 1)])
        self.clock.offer(CLOCK_BEIDOU, T, 0, self.clock.now_ms, 500)
        self.board.streams[-1].break_off()
        self.run_ms(3000)
        self.assertEqual((seen[1][0] - T <= 3, seen[1][1]), (True, True))


class Records(Linked):
    def setUp(self):
        Linked.setUp(self)
        self.gateway.silent = True

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

        def slow(host, port, trust=None):
            stream = connect(host, port)
            stream.step = 3
            return stream

        self.board.connect = slow
        self.run_ms(2000)
        self.assertEqual(
            b"".join(self.payloads(b"rec")), b"".join(bytes([i] * 30) for i in range(21))
        )


class Time(Linked):
    def setUp(self):
        Linked.setUp(self)
        self.gateway.silent = True

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

    def test_nobody_asks_again_when_gnss_has_told(self):
        self.gateway.silent = False
        for i in range(3):
            self.clock.offer(CLOCK_GNSS, T + i, 0, i * 1000, 500)
        self.run_ms(70000, 100)
        self.assertEqual(len(self.ask()), 1)

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
        self.down(b"cmd", messages.put_do, 9, b"mark", 4, T, None, b"", b"tag")
        self.down(b"ota", messages.put_ota_offer, 5, 100, b"", b"")
        self.run_ms(100)
        answers = [messages.read_cmd_up(p) for p in self.payloads(b"cmd")]
        self.assertTrue((messages.DO, 9, messages.RESULT_UNSUPPORTED, b"") in answers)
        self.assertEqual([messages.read_ota_up(p)[0] for p in self.payloads(b"ota")], [5])

    def test_bad_messages_are_counted_and_change_nothing(self):
        self.gateway.silent = True
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
        self.assertEqual(self.link.state, s.PROVING)

    def test_good_ranges_before_a_bad_one_count(self):
        self.gateway.silent = True
        self.put(0, 3)
        self.run_ms(200)
        self.broker.send(PREFIX + b"dn/ack", b"\x83\x0c\x00\x01" + b"\x83\x0c\x02")
        self.run_ms(100)
        self.assertEqual((self.downlink.bad, self.outbox.kept), (1, 2))


if __name__ == "__main__":
    unittest.main()

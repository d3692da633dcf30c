"""Commands: each refusal by its name, each act at most once, whatever is lost, cut or replayed."""

import unittest

from fakes import FakeFiles, PowerCut
from relay_meter import CLOSED, OPEN, PERMIT, TRIP, MeterLine, RelayMeter

from agent.link.commands import Commands
from agent.link.downlink import Downlink
from agent.meter import dlt645
from agent.meter.reader import MeterReader
from agent.meter.relay import Relay
from agent.wire import messages as m
from agent.wire.read import MessageError

T = 217400000  # 2026-11-21
KEY = bytes(range(32))
DEVICE = "pile-1"


class Clock:
    """Time as the test says; `known` False: only the uptime."""

    def __init__(self):
        self.now_s = 1000
        self.known = True

    def t(self):
        return T + self.now_s if self.known else -1 - self.now_s

    def uptime_s(self):
        return self.now_s


class Random:
    """Bytes that never repeat."""

    def __init__(self):
        self.n = 0

    def __call__(self, n):
        self.n += 1
        return bytes([self.n >> 8, self.n & 0xFF] * n)[:n]


def signed(command, verb, until, nonce=None, arguments=b"", key=KEY, device=DEVICE, size=16):
    """Return a command as a gateway sends it."""
    buf = bytearray(200 + len(arguments))
    items = (command, m.mark(device), verb, until, nonce, arguments)
    n = m.put_do(buf, *(items + (bytes(size),)))
    tag = m.command_tag(key, device, bytes(buf[: m.signed_end(n, bytes(size))]))
    n = m.put_do(buf, *(items + (tag[:size],)))
    return bytes(buf[:n])


class Commanded(unittest.TestCase):
    def setUp(self):
        self.files = FakeFiles()
        self.clock = Clock()
        self.random = Random()
        self.acts = []
        self.actions = {
            m.REPORT: self.act,
            m.REBOOT: self.act,
            m.LAMP_MODE: self.act,
            m.RELAY_TRIP: self.slow,
            m.LOG: self.log,
            m.SETTINGS: self.settings,
            m.LAMP_TEST: self.broken,
        }
        self.slow_outcome = None
        self.start()

    def start(self):
        """Start, as after a reset."""
        self.commands = Commands(self.files, DEVICE, KEY, self.clock, self.random, self.actions)

    def act(self, arguments, now_ms):
        self.acts.append(bytes(arguments))
        return m.RESULT_DONE, b"\x81" + bytes([len(self.acts)])

    def slow(self, arguments, now_ms):
        self.acts.append(b"slow")
        return lambda now_ms: self.slow_outcome

    def log(self, arguments, now_ms):
        self.acts.append(b"log")
        return m.RESULT_DONE, b"l" * 500

    def settings(self, arguments, now_ms):
        if arguments != b"{}":
            raise MessageError("arguments")
        return m.RESULT_REFUSED, b"why"

    def broken(self, arguments, now_ms):
        raise ValueError("a bug")

    @property
    def now_ms(self):
        return self.clock.now_s * 1000

    def nonce(self):
        _, ask, nonce, uptime_s = m.read_cmd_up(self.commands.ask_nonce(7, self.now_ms))
        self.assertEqual((ask, uptime_s), (7, self.clock.now_s))
        return nonce

    def send(self, payload):
        """Send bytes, somewhere in a longer buffer; return (id, result, detail) or None."""
        buf = b"\xff" * 5 + payload + b"\xff" * 3
        message = m.read_cmd_down(buf, 5, 5 + len(payload))
        answer = self.commands.take(message, buf, 5, 5 + len(payload), self.now_ms)
        return answer if answer is None else m.read_cmd_up(bytes(answer))[1:]

    def result(self, payload):
        return self.send(payload)[1]

    def next(self):
        answer = self.commands.next_answer(self.now_ms)
        return answer if answer is None else m.read_cmd_up(bytes(answer))[1:]

    def until(self, seconds=60):
        return T + self.clock.now_s + seconds


class Refusals(Commanded):
    def test_a_good_one_is_done(self):
        self.assertEqual(
            self.send(signed(5, m.REPORT, self.until())), (5, m.RESULT_DONE, b"\x81\x01")
        )
        self.assertEqual(self.acts, [b""])

    def test_the_whole_tag_and_a_cut_one_are_good_but_not_a_shorter_one(self):
        self.assertEqual(self.result(signed(1, m.REPORT, self.until(), size=32)), m.RESULT_DONE)
        self.assertEqual(self.result(signed(2, m.REPORT, self.until(), size=20)), m.RESULT_DONE)
        for size in (0, 1, 8, 15):
            short = signed(3, m.REPORT, self.until(), size=size)
            self.assertEqual(self.result(short), m.RESULT_BAD_TAG)
        self.assertEqual(len(self.acts), 2)

    def test_every_flipped_bit_is_refused_or_unreadable(self):
        good = signed(5, m.REPORT, self.until(), b"12345678", b"\x81\x01")
        for i in range(len(good)):
            for bit in range(8):
                bad = bytearray(good)
                bad[i] ^= 1 << bit
                try:
                    answer = self.send(bytes(bad))
                except MessageError:
                    continue
                self.assertTrue(answer[1] in (m.RESULT_BAD_TAG, m.RESULT_OTHER_DEVICE))
        self.assertEqual(self.acts, [])

    def test_another_key(self):
        for key in (bytes(32), KEY[:31], KEY + b"\1"):
            forged = signed(5, m.REPORT, self.until(), key=key)
            self.assertEqual(self.result(forged), m.RESULT_BAD_TAG)

    def test_for_another_device(self):
        astray = signed(5, m.REPORT, self.until(), device="pile-2")
        self.assertEqual(self.result(astray), m.RESULT_OTHER_DEVICE)
        # Readdressed by somebody without the key: the tag covers the device.
        buf = bytearray(astray)
        at = bytes(astray).find(m.mark("pile-2"))
        buf[at : at + 4] = m.mark(DEVICE)
        self.assertEqual(self.result(bytes(buf)), m.RESULT_BAD_TAG)
        self.assertEqual(self.acts, [])

    def test_expiry_by_the_time_of_day(self):
        self.assertEqual(self.result(signed(1, m.REPORT, self.until(0))), m.RESULT_DONE)
        self.assertEqual(self.result(signed(2, m.REPORT, self.until(-1))), m.RESULT_EXPIRED)
        self.clock.known = False
        self.assertEqual(self.result(signed(3, m.REPORT, self.until(99))), m.RESULT_NO_CLOCK)

    def test_expiry_by_uptime_needs_a_nonce(self):
        self.clock.known = False
        until = -1 - self.clock.now_s - 60
        self.assertEqual(self.result(signed(1, m.REPORT, until)), m.RESULT_NONCE)
        nonce = self.nonce()
        self.clock.now_s += 61
        self.assertEqual(self.result(signed(2, m.REPORT, until, nonce)), m.RESULT_EXPIRED)
        self.clock.now_s -= 1
        self.assertEqual(self.result(signed(3, m.REPORT, until, nonce)), m.RESULT_DONE)

    def test_nonces(self):
        self.assertEqual(self.result(signed(1, m.REBOOT, self.until())), m.RESULT_NONCE)
        self.assertEqual(
            self.result(signed(1, m.REBOOT, self.until(), b"12345678")), m.RESULT_NONCE
        )
        nonce = self.nonce()
        self.assertEqual(self.result(signed(1, m.REBOOT, self.until())), m.RESULT_NONCE)
        self.assertEqual(self.result(signed(1, m.REBOOT, self.until(), nonce[:7])), m.RESULT_NONCE)
        self.assertEqual(self.acts, [])
        self.assertEqual(self.result(signed(1, m.REBOOT, self.until(), nonce)), m.RESULT_DONE)
        # Used up.
        self.assertEqual(self.result(signed(2, m.REBOOT, self.until(), nonce)), m.RESULT_NONCE)
        self.assertTrue(self.nonce() != nonce)

    def test_a_nonce_dies_with_the_boot_and_of_age(self):
        nonce = self.nonce()
        self.start()
        self.assertEqual(self.result(signed(1, m.REBOOT, self.until(), nonce)), m.RESULT_NONCE)
        nonce = self.nonce()
        self.clock.now_s += 300
        self.assertEqual(self.nonce(), nonce)  # two operators at once do not void each other's
        self.clock.now_s += 300
        self.assertEqual(self.result(signed(1, m.REBOOT, self.until(), nonce)), m.RESULT_DONE)
        nonce = self.nonce()
        self.clock.now_s += 601
        self.assertEqual(self.result(signed(2, m.REBOOT, self.until(), nonce)), m.RESULT_NONCE)
        self.assertTrue(self.nonce() != nonce)

    def test_every_dangerous_verb_wants_one(self):
        for verb in m.DANGEROUS:
            self.actions[verb] = self.act
            self.assertEqual(self.result(signed(1, verb, self.until())), m.RESULT_NONCE)
        self.assertEqual(self.acts, [])

    def test_unknown_verb_bad_arguments_and_our_own_mistakes(self):
        self.assertEqual(self.result(signed(1, 99, self.until())), m.RESULT_UNSUPPORTED)
        self.assertEqual(self.result(signed(1, m.ACCESS, self.until())), m.RESULT_UNSUPPORTED)
        bad = signed(2, m.SETTINGS, self.until(), self.nonce(), b"nonsense")
        self.assertEqual(self.result(bad), m.RESULT_ARGUMENTS)
        no = signed(3, m.SETTINGS, self.until(), self.nonce(), b"{}")
        self.assertEqual(self.send(no), (3, m.RESULT_REFUSED, b"why"))
        self.assertEqual(self.result(signed(4, m.LAMP_TEST, self.until())), m.RESULT_FAILED)

    def test_flash_that_does_not_take_the_id(self):
        self.files.read_only = True
        trip = signed(1, m.REBOOT, self.until(), self.nonce())
        self.assertEqual(self.result(trip), m.RESULT_NO_STORAGE)
        self.assertEqual(self.acts, [])
        # What is not dangerous is done all the same.
        self.assertEqual(self.result(signed(2, m.REPORT, self.until())), m.RESULT_DONE)
        self.assertEqual(self.commands.unsaved, 2)


class AtMostOnce(Commanded):
    def test_redelivered_ten_times(self):
        payload = signed(5, m.REBOOT, self.until(), self.nonce())
        answers = [self.send(payload) for _ in range(10)]
        self.assertEqual(len(self.acts), 1)
        self.assertEqual(answers, [(5, m.RESULT_DONE, b"\x81\x01")] * 10)

    def test_redelivered_after_a_restart_and_after_its_expiry(self):
        payload = signed(5, m.REBOOT, self.until(), self.nonce())
        first = self.send(payload)
        self.start()
        self.clock.now_s += 100000
        self.assertEqual(self.send(payload), first)
        self.assertEqual(len(self.acts), 1)

    def test_ids_only_rise(self):
        self.send(signed(5, m.REPORT, self.until()))
        self.assertEqual(self.result(signed(4, m.REPORT, self.until())), m.RESULT_STALE)
        self.assertEqual(len(self.acts), 1)

    def test_an_id_with_another_command_is_not_that_command(self):
        self.send(signed(5, m.REPORT, self.until()))
        self.assertEqual(self.result(signed(5, m.REPORT, self.until(99))), m.RESULT_STALE)
        self.assertEqual(len(self.acts), 1)

    def test_sixteen_answers_are_kept_and_older_ones_are_stale(self):
        payloads = [signed(i, m.REPORT, self.until()) for i in range(1, 18)]
        answers = [self.send(p) for p in payloads]
        self.start()
        self.assertEqual([self.send(p) for p in payloads[1:]], answers[1:])
        self.assertEqual(self.result(payloads[0]), m.RESULT_STALE)
        self.assertEqual(len(self.acts), 17)

    def test_one_at_a_time_and_its_answer_when_it_ends(self):
        slow = signed(1, m.RELAY_TRIP, self.until(), self.nonce())
        self.assertIsNone(self.send(slow))
        self.assertIsNone(self.send(slow))
        self.assertIsNone(self.next())
        nonce = self.nonce()
        other = signed(2, m.REBOOT, self.until(), nonce)
        self.assertEqual(self.result(other), m.RESULT_BUSY)
        self.slow_outcome = (m.RESULT_DONE, b"open")
        self.assertEqual(self.next(), (1, m.RESULT_DONE, b"open"))
        self.assertIsNone(self.next())
        self.assertEqual(self.send(slow), (1, m.RESULT_DONE, b"open"))
        # The other one kept its nonce and may be tried again.
        self.assertEqual(self.result(other), m.RESULT_DONE)
        self.assertEqual(self.acts, [b"slow", b""])

    def test_one_that_never_ends_has_failed(self):
        slow = signed(1, m.RELAY_TRIP, self.until(), self.nonce())
        self.assertIsNone(self.send(slow))
        self.clock.now_s += 121
        self.assertEqual(self.next(), (1, m.RESULT_FAILED, b""))

    def test_a_restart_in_between(self):
        slow = signed(1, m.RELAY_TRIP, self.until(), self.nonce())
        self.assertIsNone(self.send(slow))
        self.start()
        self.assertEqual(self.next(), (1, m.RESULT_INTERRUPTED, b""))
        self.assertIsNone(self.next())
        self.assertEqual(self.send(slow), (1, m.RESULT_INTERRUPTED, b""))
        self.assertEqual(len(self.acts), 1)

    def test_a_reboot_is_done_when_it_has_started_again(self):
        self.actions[m.REBOOT] = self.slow
        self.assertIsNone(self.send(signed(1, m.REBOOT, self.until(), self.nonce())))
        self.start()
        self.assertEqual(self.next(), (1, m.RESULT_DONE, b""))

    def test_reading_is_done_as_often_as_it_is_asked_and_written_nowhere(self):
        read = signed(5, m.LOG, self.until())
        self.assertEqual(self.send(read), (5, m.RESULT_DONE, b"l" * 500))
        self.assertEqual(self.send(read), (5, m.RESULT_DONE, b"l" * 500))
        self.assertEqual(self.files.writes, 0)
        self.assertEqual(self.result(signed(4, m.REPORT, self.until())), m.RESULT_DONE)

    def test_kept_ids_that_are_damaged(self):
        self.send(signed(5, m.REPORT, self.until()))
        whole = self.files.files["commands"]
        for data in (whole[:-1], b"", b"abc", whole[:6] + b"\0" + whole[7:], b"\0" * 40):
            self.files.files["commands"] = data
            self.start()
            self.assertTrue(self.commands.damaged)
        self.files.files["commands"] = whole
        self.start()
        self.assertFalse(self.commands.damaged)

    def test_power_cut_at_every_byte(self):
        """Whatever is cut, the act was done at most once, and the id is never begun again."""
        done = 0
        for cut in range(1, 200):
            self.files = FakeFiles()
            self.acts = []
            self.start()
            self.send(signed(1, m.REPORT, self.until()))
            self.acts = []
            payload = signed(2, m.REBOOT, self.until(), self.nonce())
            self.files.cut = self.files.steps + cut
            first = None
            try:
                first = self.send(payload)
            except PowerCut:
                pass
            self.files.restart()
            self.start()
            self.assertFalse(self.commands.damaged)
            again = self.result(payload)
            self.assertTrue(len(self.acts) <= 1)
            # Not begun before the cut: its nonce died with the boot. Begun: it is not begun again.
            self.assertEqual(again, m.RESULT_DONE if self.acts else again)
            self.assertTrue(again in (m.RESULT_NONCE, m.RESULT_DONE))
            if first is not None:
                self.assertEqual(self.acts, [b""])
                done += 1
        self.assertTrue(done > 50)


class Outbox:
    """An outbox that has nothing."""

    def ack(self, boot, first, last):
        return last - first + 1


class BootNumber:
    value = 3

    def lost(self):
        return False


class DownTheLink(Commanded):
    """Through the downlink, as the supervisor hands it over."""

    def start(self):
        super().start()
        self.clock.source = 1
        self.down = Downlink(BootNumber(), Outbox(), self.clock, self.commands)

    def take(self, kind, payload):
        self.down.take(kind, payload, 0, len(payload), self.now_ms)

    def answers(self):
        self.down.poll(self.now_ms)
        out = []
        while self.down.waiting():
            size = self.down.next_size()
            kind, payload = self.down.next_message(self.now_ms)
            self.assertEqual(kind, b"cmd")
            self.assertTrue(len(payload) <= size)
            out.append(m.read_cmd_up(bytes(payload)))
        return out

    def test_question_command_answer(self):
        ask = bytearray(8)
        self.take(b"cmd", bytes(ask[: m.put_nonce_ask(ask, 12)]))
        ((kind, number, nonce, uptime_s),) = self.answers()
        self.assertEqual((kind, number, uptime_s), (m.NONCE, 12, 1000))
        self.take(b"cmd", signed(9, m.RELAY_TRIP, -1 - uptime_s - 60, nonce))
        self.assertEqual(self.answers(), [])
        self.slow_outcome = (m.RESULT_DONE, b"open")
        self.assertEqual(self.answers(), [(m.DO, 9, m.RESULT_DONE, b"open")])

    def test_answers_survive_a_broken_link_and_are_bounded(self):
        for i in range(1, 7):
            self.take(b"cmd", signed(i, m.REPORT, self.until()))
        self.down.connected()
        self.assertEqual([answer[1] for answer in self.answers()], [1, 2, 3, 4])
        self.assertEqual(self.down.bad, 2)
        self.take(b"cmd", signed(5, m.REPORT, self.until()))
        self.assertEqual(self.answers(), [(m.DO, 5, m.RESULT_DONE, b"\x81\x05")])

    def test_what_is_no_command_is_counted(self):
        for payload in (b"", b"\x82\x03", b"\x81\x03", b"\x82\x04\x01", signed(1, 1, 1)[:-1]):
            self.take(b"cmd", payload)
        self.assertEqual(self.down.bad, 5)
        self.assertEqual(self.answers(), [])

    def test_who_speaks_is_noted_as_heard(self):
        self.assertIsNone(self.down.heard_ms)
        buf = bytearray(16)
        self.take(b"ack", bytes(buf[: m.put_ack(buf, 0, 3, 0, 4)]))
        self.assertEqual(self.down.heard_ms, self.now_ms)

    def test_a_device_without_commands_says_so(self):
        self.down = Downlink(BootNumber(), Outbox(), self.clock)
        self.take(b"cmd", signed(1, m.REPORT, self.until()))
        self.assertEqual(self.answers(), [(m.DO, 1, m.RESULT_UNSUPPORTED, b"")])


class AtTheMeter(Commanded):
    """With a meter on the line that counts what its relay does."""

    password = "02123456"

    def setUp(self):
        self.meter = RelayMeter()
        self.reader = MeterReader(
            MeterLine(self.meter), address="202410010001", password=self.password
        )
        self.relay = Relay(self.reader)
        super().setUp()
        self.actions[m.RELAY_TRIP] = self.relay.trip
        self.actions[m.RELAY_PERMIT] = self.relay.permit
        self.ms = 1000000
        self.run_s(3)

    @property
    def now_ms(self):
        return self.ms

    def run_s(self, seconds):
        """Poll meter and commands; return the answers that came."""
        answers = []
        until = self.ms + seconds * 1000
        while self.ms < until:
            self.ms += max(min(self.reader.poll(self.ms), 1000), 10)
            self.clock.now_s = self.ms // 1000
            answer = self.next()
            if answer is not None:
                answers.append(answer)
        return answers

    def trip(self, command, **other):
        return signed(command, m.RELAY_TRIP, self.until(), self.nonce(), **other)


class TheRelay(AtTheMeter):
    """The acceptance: replayed, late, forged, astray, redelivered."""

    def test_each_has_its_own_answer_and_the_relay_moved_once(self):
        results = []
        good = self.trip(1)
        self.assertIsNone(self.send(good))
        results.append(self.run_s(2)[0][1])
        # Redelivered ten times, replayed after a restart.
        for _ in range(10):
            self.assertEqual(self.send(good), (1, m.RESULT_DONE, b"\x82\x00\xf6"))
        self.start()
        self.assertEqual(self.send(good), (1, m.RESULT_DONE, b"\x82\x00\xf6"))
        # Replayed when nobody remembers it: the nonce is used.
        self.files.files.clear()
        self.start()
        results.append(self.result(good))
        results.append(self.result(signed(2, m.RELAY_TRIP, self.until(-1), self.nonce())))
        results.append(self.result(self.trip(3, key=bytes(32))))
        results.append(self.result(self.trip(4, device="pile-2")))
        self.run_s(30)
        self.assertEqual(
            results,
            [
                m.RESULT_DONE,
                m.RESULT_NONCE,
                m.RESULT_EXPIRED,
                m.RESULT_BAD_TAG,
                m.RESULT_OTHER_DEVICE,
            ],
        )
        self.assertEqual((self.meter.moves, self.meter.status), (1, OPEN))
        self.assertEqual(self.meter.orders, [TRIP])

    def test_a_permit_leaves_the_plug_dead_until_a_hand_closes(self):
        self.send(self.trip(1))
        self.run_s(2)
        self.assertIsNone(self.send(signed(2, m.RELAY_PERMIT, self.until(), self.nonce())))
        self.assertEqual(self.run_s(2), [(2, m.RESULT_DONE, b"\x82\x00\xf6")])
        self.assertEqual((self.meter.moves, self.meter.status), (1, OPEN))
        self.meter.close_by_hand()
        self.assertEqual((self.meter.moves, self.meter.status), (2, CLOSED))
        self.assertEqual(self.meter.orders, [TRIP, PERMIT])

    def test_what_is_read_back_is_read_afterwards(self):
        self.meter.status = OPEN  # somebody was there since the last reading
        self.assertTrue(self.reader.relay_closed(self.ms))
        self.send(signed(2, m.RELAY_PERMIT, self.until(), self.nonce()))
        self.assertEqual(self.run_s(2), [(2, m.RESULT_DONE, b"\x82\x00\xf6")])

    def test_an_answer_that_gets_lost_is_not_sent_for_again(self):
        self.meter.mute = 1
        self.send(self.trip(1))
        # Nothing came back, but the relay reads open: that is what was asked for.
        self.assertEqual(self.run_s(3), [(1, m.RESULT_DONE, b"\x82\x00\xf6")])
        self.assertEqual(self.meter.orders, [TRIP])
        self.assertEqual(self.meter.moves, 1)

    def test_a_relay_that_is_stuck_is_told(self):
        self.meter.stuck = True
        self.send(self.trip(1))
        self.assertEqual(self.run_s(45), [(1, m.RESULT_FAILED, b"\x82\x01\xf6")])
        self.assertEqual(self.meter.orders, [TRIP])

    def test_a_meter_that_refuses(self):
        self.meter.refuse = 0x04
        self.send(self.trip(1))
        self.assertEqual(self.run_s(3), [(1, m.RESULT_REFUSED, b"\x82\x01\x04")])
        self.assertEqual(self.meter.moves, 0)
        # What is read afterwards is what was always read.
        self.assertTrue(self.reader.relay_closed(self.ms))

    def test_readings_go_on(self):
        frames = self.reader.frames
        self.send(self.trip(1))
        self.run_s(40)
        self.assertTrue(self.reader.frames - frames > 30)
        self.assertFalse(self.reader.relay_closed(self.ms))
        self.assertEqual(self.reader.bad, 0)

    def test_a_line_that_is_never_silent(self):
        line = self.reader._talk._line
        quiet = line.readinto

        def noise(buf):
            buf[0] = 0x55
            return 1

        line.readinto = noise
        self.assertIsNone(self.send(self.trip(1)))
        self.assertEqual(self.run_s(60), [(1, m.RESULT_FAILED, b"\x82\xf6\xf6")])
        line.readinto = quiet
        # It is not done later, when nobody expects it any more.
        self.run_s(60)
        self.assertEqual(self.meter.orders, [])

    def test_a_dead_meter(self):
        self.meter.address = b"\x99" * 6
        self.send(self.trip(1))
        self.assertEqual(self.run_s(60), [(1, m.RESULT_FAILED, b"\x82\xf6\xf6")])

    def test_random_moments(self):
        """Whenever it comes, between and inside requests, it is done once."""
        for i in range(1, 60):
            self.meter.status = CLOSED
            until_ms = self.ms + (i * 7919) % 9000
            while self.ms < until_ms:
                self.ms += max(min(self.reader.poll(self.ms), until_ms - self.ms), 1)
            self.clock.now_s = self.ms // 1000
            moves = self.meter.moves
            self.assertIsNone(self.send(self.trip(i)))
            self.assertEqual(self.run_s(3), [(i, m.RESULT_DONE, b"\x82\x00\xf6")])
            self.assertEqual(self.meter.moves, moves + 1)
            self.assertEqual(len(self.meter.orders), i)


class NoRelay(AtTheMeter):
    """Without a password nothing is switched, and a Modbus meter has no relay to switch."""

    password = ""

    def test_unsupported(self):
        self.assertEqual(self.result(self.trip(1)), m.RESULT_UNSUPPORTED)
        self.relay._reader = MeterReader(MeterLine(self.meter), protocol="sdm630")
        self.assertEqual(self.result(self.trip(2)), m.RESULT_UNSUPPORTED)
        self.assertEqual(self.meter.orders, [])


class NeverClosed(unittest.TestCase):
    def test_known_frames(self):
        """Trip and permit as in reference/shore-power.md §3.3, but for the date they are good until."""
        master = dlt645.Master(dlt645.address("202410010001"), 0)
        for permit, n1 in ((False, 0x4D), (True, 0x4E)):
            frame = bytes(master.switch(permit, b"\x02\0\0\0", b"\x01\0\0\0"))
            head = b"\x68\x01\x00\x01\x10\x24\x20\x68\x1c\x10\x35\x33\x33\x33\x34\x33\x33\x33"
            self.assertEqual(frame[:18], head)
            self.assertEqual(frame[18:20], bytes([n1, 0x33]))
            self.assertEqual(frame[20:26], b"\x8c\x8c\x56\x64\x45\xcc")
            self.assertEqual(len(frame), 28)

    def test_nothing_that_switch_is_given_closes_at_once(self):
        master = dlt645.Master(dlt645.address("202410010001"), 0)
        for permit in (0, 1, 2, 0x1C, -1, None, "close", b"\x1c", 0x1B, 0x1A, [0x1C]):
            frame = master.switch(permit, b"\x1c" * 4, b"\x1c" * 4)
            self.assertTrue((frame[18] - 0x33) & 0xFF in (0x1A, 0x1B))

    def test_bad_passwords_are_refused_without_being_told(self):
        for bad in ("1234567", "123456789", "1234567a", "-2345678"):
            for key in ("password", "operator"):
                with self.assertRaises(ValueError) as caught:
                    MeterReader(None, **{key: bad})
                self.assertTrue(key in str(caught.exception))
                self.assertTrue(bad not in str(caught.exception))


if __name__ == "__main__":
    unittest.main()

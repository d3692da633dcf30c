"""The SNTP client: every check of RFC 4330 §5, the 2036 wrap, and when it asks whom."""

import errno
import struct
import unittest

from support import ON_MICROPYTHON

from agent.clock import Clock
from agent.errors import RemoteError
from agent.link.ntp import NTP, put_request, read_response
from agent.wire.codes import CLOCK_GATEWAY, CLOCK_GNSS, CLOCK_NTP

BUILT = 200000000
T = 217000000
TO_2020 = 3786825600  # seconds from 1900-01-01
NONCE = b"nonce678"


def answer(
    t=T,
    ms=0,
    held_ms=0,
    nonce=NONCE,
    first=0x24,
    stratum=2,
    delay=0,
    dispersion=0,
    reference=b"GPS\0",
):
    """What a server says that had the time `t`, `ms` when it answered."""
    left = struct.pack(">II", (TO_2020 + t) % (1 << 32), (ms << 32) // 1000 + 1)
    came_ms = ms - held_ms
    came_t = TO_2020 + t + came_ms // 1000
    came = struct.pack(">II", came_t % (1 << 32), (came_ms % 1000 << 32) // 1000 + 1)
    head = struct.pack(">BBBbiI", first, stratum, 6, -20, delay, dispersion)
    return head + reference + bytes(8) + nonce + came + left


class Stream:
    """A socket to a server: `answers` are given one per read, None is nothing, an OSError is raised."""

    def __init__(self, host):
        self.host = host
        self.sent = b""
        self.answers = []
        self.closed = False

    def write(self, data):
        self.sent = bytes(data)
        return len(data)

    def readinto(self, buf):
        if not self.answers:
            return 0
        data = self.answers.pop(0)
        if isinstance(data, OSError):
            raise data
        buf[: len(data)] = data
        return len(data)

    def close(self):
        self.closed = True


class Network:
    """A board with UDP; `away`: names are not found."""

    def __init__(self):
        self.up = True
        self.away = False
        self.tried = 0
        self.streams = []

    def network_up(self, now_ms):
        return self.up

    def random(self, n):
        return NONCE[:n]

    def udp(self, host, port):
        self.tried += 1
        if self.away:
            raise OSError(errno.ENOENT)
        assert port == 123
        self.streams.append(Stream(host))
        return self.streams[-1]


class Reading(unittest.TestCase):
    def refuse(self, code, data, n=None):
        with self.assertRaises(RemoteError) as caught:
            read_response(data, len(data) if n is None else n, NONCE)
        self.assertEqual(caught.exception.code, code)
        return caught.exception

    def test_a_request_says_nothing_but_the_nonce(self):
        buf = bytearray(b"\xff" * 48)
        put_request(buf, NONCE)
        self.assertEqual(bytes(buf), b"\x23" + bytes(39) + NONCE)

    def test_an_answer(self):
        data = answer(ms=250, held_ms=3, delay=2 << 16, dispersion=1 << 14)
        t, ms, held_ms, distance_ms = read_response(data, 48, NONCE)
        self.assertEqual((t, ms), (T, 250))
        self.assertTrue(2 <= held_ms <= 4)
        self.assertEqual(distance_ms, 1250)

    def test_milliseconds_across_a_second(self):
        _, _, held_ms, _ = read_response(answer(ms=100, held_ms=300), 48, NONCE)
        self.assertTrue(299 <= held_ms <= 301)

    def test_a_longer_answer_has_a_signature_we_do_not_read(self):
        self.assertEqual(read_response(answer() + bytes(20), 68, NONCE)[0], T)

    def test_version_3_is_an_answer_too(self):
        self.assertEqual(read_response(answer(first=0x1C), 48, NONCE)[0], T)

    def test_the_seconds_wrap_in_2036(self):
        wrap_t = (1 << 32) - TO_2020  # 2036-02-07T06:28:16Z
        for t in (wrap_t - 1, wrap_t, wrap_t + 1, wrap_t + 86400 * 365):
            self.assertEqual(read_response(answer(t=t, ms=5), 48, NONCE)[0], t)

    def test_what_is_no_answer(self):
        self.refuse("length", answer()[:47])
        self.refuse("length", answer(), 40)
        for mode in (0, 1, 2, 3, 5, 6, 7):
            self.refuse("mode", answer(first=0x20 | mode))
        for version in (0, 1, 2, 5):
            self.refuse("mode", answer(first=version << 3 | 4))
        self.refuse("originate", answer(nonce=b"nonce679"))
        self.refuse("originate", answer(nonce=bytes(8)))
        self.refuse("unset", answer(first=0xE4))
        self.refuse("unset", answer(stratum=16))
        self.refuse("unset", answer(dispersion=2 << 16))
        self.refuse("unset", answer(delay=-(4 << 16)))
        self.refuse("order", answer(ms=500, held_ms=-2))
        self.refuse("order", answer(held_ms=6000))
        data = bytearray(answer())
        data[40:48] = bytes(8)
        self.refuse("unset", data)

    def test_a_kiss_of_death_has_a_reason(self):
        self.refuse("rate", answer(stratum=0, reference=b"RATE"))
        self.refuse("kiss", answer(stratum=0, reference=b"DENY"))
        self.refuse("kiss", answer(stratum=0, reference=b"\xff\0\1\x80"))
        # Only one that answers our question may send us away.
        self.refuse("originate", answer(stratum=0, reference=b"DENY", nonce=bytes(8)))

    def test_any_single_wrong_byte_is_refused_or_a_time(self):
        for i in range(48):
            for xor in (1, 0x80, 0xFF):
                data = bytearray(answer(ms=1))
                data[i] ^= xor
                try:
                    got = read_response(data, 48, NONCE)
                    self.assertTrue(0 <= got[0] < 1 << 32 and 0 <= got[1] < 1000)
                except RemoteError:
                    pass


class Asking(unittest.TestCase):
    def setUp(self):
        self.board = Network()
        self.clock = Clock(BUILT)
        self.ntp = NTP(self.board, self.clock, ("one", "two"), self.board.network_up)
        self.now_ms = 0

    def run_ms(self, ms, step_ms=1000):
        for _ in range(0, ms, step_ms):
            self.now_ms = self.clock.advance(step_ms)
            self.ntp.poll(self.now_ms)

    def hosts(self):
        return [stream.host for stream in self.board.streams]

    def test_the_time_in_the_middle_of_the_trip(self):
        self.ntp.poll(0)
        self.run_ms(180, 20)
        self.board.streams[0].answers = [answer(ms=500, held_ms=20, dispersion=655)]
        self.run_ms(20, 20)
        # 200 ms there and back, 20 of them at the server: it left the server 90 ms ago.
        self.assertEqual(self.clock.t(), T)
        change = self.clock.take_change()
        self.assertEqual(change[1], CLOCK_NTP)
        self.assertTrue(99 <= change[2] <= 102, change)
        self.clock.advance(409)
        self.assertEqual(self.clock.t(), T)
        self.clock.advance(3)
        self.assertEqual(self.clock.t(), T + 1)
        self.assertEqual(self.ntp.bad, 0)
        self.assertTrue(self.board.streams[0].closed)

    def test_at_most_once_an_hour_and_the_same_server(self):
        asked_s = []
        while self.now_ms < 3 * 3600 * 1000:
            self.run_ms(1000)
            if len(self.hosts()) > len(asked_s):
                asked_s.append(self.now_ms // 1000)
                self.board.streams[-1].answers = [answer(t=T + asked_s[-1])]
        self.assertEqual(asked_s, [1, 3602, 7203])
        self.assertEqual(len(set(self.hosts())), 1)
        self.assertEqual(self.clock.source, CLOCK_NTP)

    def test_not_while_a_better_source_is_there(self):
        for i in range(3):
            self.clock.offer(CLOCK_GNSS, T + i, 0, 1000 * i, 500)
        self.run_ms(7200000, 10000)
        self.assertEqual(self.hosts(), [])

    def test_the_gateway_is_no_better_source(self):
        self.clock.offer(CLOCK_GATEWAY, T, 0, 0, 40)
        self.run_ms(1000)
        self.assertEqual(len(self.hosts()), 1)

    def test_not_without_a_network(self):
        self.board.up = False
        self.run_ms(60000)
        self.assertEqual((self.hosts(), self.board.tried), ([], 0))

    def test_a_silent_server_the_other_one_and_back_off(self):
        self.run_ms(24 * 3600 * 1000, 5000)
        asked = len(self.hosts())
        self.assertEqual(sorted(self.hosts()[:2]), ["one", "two"])
        # 64 s doubling to an hour: six in the first two hours, then one an hour.
        self.assertTrue(24 < asked < 32, asked)
        self.assertTrue(all(stream.closed for stream in self.board.streams[:-1]))

    def test_no_such_name(self):
        self.board.away = True
        self.run_ms(3600000)
        self.assertTrue(4 < self.board.tried < 8)
        self.assertTrue("one" in self.ntp.last_error or "two" in self.ntp.last_error)
        self.board.away = False
        self.run_ms(3600000)
        self.assertTrue(self.hosts())

    def test_a_refused_port(self):
        self.ntp.poll(0)
        self.board.streams[0].answers = [OSError(errno.ECONNREFUSED)]
        self.run_ms(66000)
        self.assertEqual(len(self.hosts()), 2)
        self.assertTrue(self.hosts()[0] != self.hosts()[1])

    def test_a_stranger_s_answer_does_not_end_the_waiting(self):
        self.ntp.poll(0)
        stream = self.board.streams[0]
        stream.answers = [answer(t=T + 999999, nonce=bytes(8))] * 3 + [answer()]
        self.run_ms(200, 20)
        self.assertEqual(self.clock.t(), T)
        self.assertEqual(self.ntp.bad, 3)

    def test_strangers_cannot_hold_it_for_ever(self):
        self.ntp.poll(0)
        self.board.streams[0].answers = [answer(nonce=bytes(8))] * 10000
        self.run_ms(6000, 20)
        self.assertTrue(self.board.streams[0].closed)

    def test_an_answer_that_claims_more_time_than_there_was(self):
        self.ntp.poll(0)
        self.board.streams[0].answers = [answer(held_ms=3000)]
        self.run_ms(20, 20)
        self.assertEqual((self.ntp.bad, self.clock.source), (1, None))

    def test_a_server_that_sends_us_away_is_left_alone(self):
        self.ntp.poll(0)
        first = self.hosts()[0]
        self.board.streams[0].answers = [answer(stratum=0, reference=b"DENY")]
        self.run_ms(20, 20)
        self.run_ms(48 * 3600 * 1000, 5000)
        self.assertEqual(self.hosts().count(first), 1)

    def test_rate_asks_for_an_hour(self):
        self.ntp = NTP(self.board, self.clock, ("one",), self.board.network_up)
        self.ntp.poll(0)
        self.board.streams[0].answers = [answer(stratum=0, reference=b"RATE")]
        self.run_ms(20, 20)
        self.run_ms(3590000, 10000)
        self.assertEqual(len(self.hosts()), 1)
        self.run_ms(60000, 10000)
        self.assertEqual(len(self.hosts()), 2)

    def test_nobody_left_to_ask(self):
        self.ntp = NTP(self.board, self.clock, ("one",), self.board.network_up)
        self.ntp.poll(0)
        self.board.streams[0].answers = [answer(stratum=0, reference=b"RSTR")]
        self.run_ms(20, 20)
        self.run_ms(48 * 3600 * 1000, 10000)
        self.assertEqual(len(self.hosts()), 1)
        self.assertEqual(self.ntp.last_error, "one: kiss")

    def test_no_servers(self):
        self.ntp = NTP(self.board, self.clock, ("", ""), self.board.network_up)
        self.run_ms(10000)
        self.assertEqual((self.hosts(), self.board.tried), ([], 0))


class OverUDP(unittest.TestCase):
    """The real stream, against a server on this computer."""

    def setUp(self):
        if ON_MICROPYTHON:
            self.skipTest("the interpreter of the tests has no sockets")
        import socket

        from agent.hal.udp import UDPStream

        self.stream_to = UDPStream
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.server.close)
        self.server.bind(("127.0.0.1", 0))
        self.server.settimeout(5)
        self.port = self.server.getsockname()[1]

    def test_question_and_answer(self):
        stream = self.stream_to("127.0.0.1", self.port)
        self.addCleanup(stream.close)
        buf = bytearray(48)
        self.assertEqual(stream.readinto(buf), 0)
        put_request(buf, NONCE)
        self.assertEqual(stream.write(buf), 48)
        request, address = self.server.recvfrom(100)
        self.server.sendto(answer(nonce=request[40:]), address)
        for _ in range(1000000):
            n = stream.readinto(buf)
            if n:
                break
        self.assertEqual(read_response(buf, n, NONCE)[0], T)

    def test_nobody_listens(self):
        self.server.close()
        stream = self.stream_to("127.0.0.1", self.port)
        self.addCleanup(stream.close)
        stream.write(bytes(48))
        with self.assertRaises(OSError):
            for _ in range(1000000):
                stream.readinto(bytearray(48))


if __name__ == "__main__":
    unittest.main()

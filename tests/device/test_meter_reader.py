"""The meter reader against scripted meters on a line that can be told to misbehave."""

import struct
import unittest

from agent.meter import maps, master
from agent.meter.reader import MeterReader

PILE = "202410010001"
PERIOD = 10000
START = 5000  # the clock does not begin at nought

# Data of a DL/T 645 meter as they travel, lowest byte first, without the 33h.
DATA = {
    0x04000503: "0000",
    0x02010100: "9822",  # 229.8 V
    0x02010200: "0123",
    0x02010300: "8922",
    0x02020100: "453401",  # 13.445 A
    0x02020200: "012001",
    0x02020300: "500280",  # -0.250 A
    0x02030000: "252158",  # 58.2125 kW
    0x02060000: "0105",
    0x02800002: "0250",
    0x00010000: "97999999",
    0x00020000: "26000000",
}
VALUES = [2298, 2301, 2289, 13445, 12001, -250, 58213, 501, 5002, 0]
ORDER = [row[1] for row in maps.DLT645]

# An SDM630's registers as floats; power in watts.
FLOATS = {
    0x00: 230.2,
    0x02: 229.9,
    0x04: 231.1,
    0x06: 10.5,
    0x08: 0.0,
    0x0A: -3.25,
    0x34: -1234.5,
    0x3E: 0.5,
    0x46: 49.75,
    0x48: 12345.67,
    0x4A: 0.5,
}


class DLT645:
    """A meter that answers by its own means; `mute` and `refused` data are not told."""

    def __init__(self, number=PILE):
        self.address = bytes([int(number[i : i + 2], 16) for i in range(10, -1, -2)])
        self.data = dict(DATA)
        self.mute = set()
        self.refused = set()

    def asked(self, request):
        """What a request is for: a data identifier, or "address"."""
        head = request.index(b"\x68")
        if request[head + 8] == 0x13:
            return "address"
        raw = [(byte - 0x33) % 256 for byte in request[head + 10 : head + 14]]
        return raw[0] | raw[1] << 8 | raw[2] << 16 | raw[3] << 24

    def answer(self, request):
        what = self.asked(request)
        head = request.index(b"\x68")
        if what in self.mute:
            return b""
        if what == "address":
            return self.frame(0x93, self.address)
        if request[head + 1 : head + 7] != self.address:
            return b""
        if what in self.refused:
            return self.frame(0xD1, b"\x02")
        return self.frame(0x91, self.datum(what))

    def datum(self, what):
        identifier = [what >> shift & 0xFF for shift in (0, 8, 16, 24)]
        return bytes(identifier) + bytes.fromhex(self.data[what])

    def frame(self, control, payload):
        body = b"\x68" + self.address + b"\x68" + bytes([control, len(payload)])
        body += bytes([(byte + 0x33) % 256 for byte in payload])
        return body + bytes([sum(body) % 256, 0x16])


class SDM630:
    """A Modbus meter of floats; registers not named hold nought."""

    def __init__(self, unit=1):
        self.unit = unit
        self.floats = dict(FLOATS)
        self.mute = set()

    def asked(self, request):
        return request[2] << 8 | request[3]

    def answer(self, request):
        first = self.asked(request)
        if request[0] != self.unit or first in self.mute:
            return b""
        count = request[5]
        frame = bytes([self.unit, 4, 2 * count])
        for register in range(first, first + count, 2):
            frame += struct.pack(">f", self.floats.get(register, 0.0))
        return frame + crc(frame)


def crc(frame):
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return bytes([value & 0xFF, value >> 8])


class Line:
    """A half-duplex line with a meter at the other end.

    `delay_ms` is the meter's; `alter(bytes)` may spoil its answers; `echo` gives back what is
    sent; `room` is how much a write takes at once.
    """

    def __init__(self, meter):
        self.meter = meter
        self.now = START
        self.delay_ms = 60
        self.alter = None
        self.echo = False
        self.room = 100
        self.requests = []  # (time, what was asked)
        self.last_byte_ms = -1000
        self.silence_ms = []  # before each request
        self._sending = b""
        self._coming = []  # (time, bytes)

    def say(self, delay_ms, data):
        self._coming.append((self.now + delay_ms, data))

    def write(self, data):
        taken = bytes(data[: self.room])
        if taken and not self._sending:
            self.silence_ms.append(self.now - self.last_byte_ms)
        self._sending += taken
        if taken and len(taken) == len(data):
            request = self._sending
            self._sending = b""
            self.requests.append((self.now, self.meter.asked(request)))
            if self.echo:
                self.say(1, request)
            answer = self.meter.answer(request)
            if self.alter:
                answer = self.alter(answer)
            if answer:
                self.say(self.delay_ms, answer)
        return len(taken)

    def readinto(self, buf):
        come = b""
        while self._coming and self._coming[0][0] <= self.now:
            come += self._coming.pop(0)[1]
            self.last_byte_ms = self.now
        n = min(len(buf), len(come))
        buf[:n] = come[:n]
        if n < len(come):
            self._coming.insert(0, (self.now, come[n:]))
        return n


def run(reader, line, until_ms):
    """Poll as often as the reader wants to be, up to this time."""
    while line.now < until_ms:
        wait_ms = reader.poll(line.now)
        if not 0 < wait_ms <= PERIOD:
            raise AssertionError("poll wants %r" % wait_ms)
        line.now = min(line.now + wait_ms, until_ms)


def dlt645(meter=None, **settings):
    line = Line(meter or DLT645())
    settings.setdefault("address", PILE)
    return MeterReader(line, protocol="dlt645", period_ms=PERIOD, **settings), line


def sdm630(**settings):
    line = Line(SDM630())
    return MeterReader(line, protocol="sdm630", period_ms=PERIOD, **settings), line


def values(reader, line):
    out = [0] * 11
    reader.meter_values(line.now, out)
    return out


class Settings(unittest.TestCase):
    def test_bad_ones_are_named(self):
        for key, value in (
            ("protocol", "dlms"),
            ("address", "1234"),
            ("address", "20241001000A"),
            ("baud", 9601),
            ("pt", 0),
            ("ct", 65536),
            ("ct", "40"),
            ("energy_every", 0),
            ("retries", 4),
            ("timeout_ms", 10),
            ("wakeups", 5),
            ("period_ms", 1000),
        ):
            with self.assertRaises(ValueError) as caught:
                MeterReader(Line(None), **{key: value})
            text = str(caught.exception)
            self.assertTrue(text.startswith(key + ": "), text)
            self.assertIn(repr(value), text)
        for unit in (0, 248):
            with self.assertRaises(ValueError) as caught:
                MeterReader(Line(None), protocol="sdm630", unit=unit)
            self.assertIn("unit: ", str(caught.exception))

    def test_defaults_are_good(self):
        MeterReader(Line(None))
        MeterReader(Line(None), protocol="sdm630")
        MeterReader(Line(None), address=PILE, baud=600)


class Cycle(unittest.TestCase):
    def test_dlt645_reads_everything_once_a_period(self):
        reader, line = dlt645()
        run(reader, line, START + PERIOD - 1)
        self.assertEqual([what for _time, what in line.requests], ORDER)
        self.assertEqual(values(reader, line)[:10], VALUES)
        energy = (99999997, 26, -2, 1, 1, b"202410010001")
        self.assertEqual(reader.energy(line.now), energy)
        self.assertEqual((reader.frames, reader.bad, reader.silent), (12, 0, 0))
        run(reader, line, START + 3 * PERIOD - 1)
        self.assertEqual([what for _time, what in line.requests], ORDER * 3)
        begins = [line.requests[i][0] for i in (0, 12, 24)]
        self.assertEqual([begins[1] - begins[0], begins[2] - begins[1]], [PERIOD, PERIOD])

    def test_sdm630_reads_two_spans(self):
        reader, line = sdm630()
        run(reader, line, START + PERIOD - 1)
        self.assertEqual([what for _time, what in line.requests], [0x00, 0x48])
        expected = [2302, 2299, 2311, 10500, 0, -3250, -1235, 500, 4975, None]
        self.assertEqual(values(reader, line)[:10], expected)
        self.assertEqual(reader.energy(line.now), (1234567, 50, -2, 1, 1, b"1"))
        self.assertIsNone(reader.relay_closed(line.now))

    def test_energy_every_third_period(self):
        reader, line = dlt645(energy_every=3)
        run(reader, line, START + 5 * PERIOD - 1)
        imports = [time for time, what in line.requests if what == 0x00010000]
        self.assertEqual(len(imports), 2)
        self.assertTrue(abs(imports[1] - imports[0] - 3 * PERIOD) < 500)
        self.assertEqual(reader.energy(line.now)[0], 99999997)
        self.assertEqual(len(line.requests), 12 + 10 + 10 + 12 + 10)

    def test_a_slow_reading_is_followed_at_once(self):
        reader, line = dlt645()
        line.delay_ms = 500  # 12 of them, and each datum's first try is lost
        seen = set()

        def lose_the_first(answer):
            lost = answer[:14] not in seen
            seen.add(answer[:14])
            return b"" if lost else answer

        line.alter = lose_the_first
        run(reader, line, START + 2 * PERIOD)
        self.assertEqual(reader.silent, 12)
        last = [time for time, what in line.requests if what == ORDER[-1]][1]
        begin = [time for time, what in line.requests if what == ORDER[0]][2]
        self.assertTrue(begin - last < 600, begin - last)
        self.assertEqual(values(reader, line)[:9], VALUES[:9])

    def test_every_request_follows_silence(self):
        reader, line = dlt645()
        line.alter = lambda answer: answer + b"\0"
        run(reader, line, START + 2 * PERIOD)
        self.assertTrue(min(line.silence_ms) >= 20, line.silence_ms)
        reader, line = sdm630(baud=600)
        run(reader, line, START + 2 * PERIOD)
        self.assertTrue(min(line.silence_ms) >= 64, line.silence_ms)  # 3.5 characters


class Ratios(unittest.TestCase):
    def test_multiply_the_meter_record_only(self):
        reader, line = dlt645(pt=10, ct=40)
        run(reader, line, START + PERIOD)
        expected = [22980, 23010, 22890, 537800, 480040, -10000, 23285000, 501, 5002, 0]
        self.assertEqual(values(reader, line)[:10], expected)
        self.assertEqual(reader.energy(line.now), (99999997, 26, -2, 10, 40, PILE.encode()))
        self.assertEqual(reader.refused, 0)

    def test_rounding_comes_last_and_is_half_away_from_zero(self):
        for ct, watts in ((1, -1235), (10, -12345), (3, -3704)):
            reader, line = sdm630(ct=ct)
            run(reader, line, START + PERIOD)
            self.assertEqual(values(reader, line)[6], watts, ct)

    def test_out_of_range_is_none_and_counted(self):
        reader, line = dlt645(pt=100, ct=60000)
        run(reader, line, START + PERIOD)
        # 22,980 V, 720 kA to 807 kA, 349 GW; the third phase's 15 kA are in range.
        expected = [None, None, None, 806700000, 720060000, -15000000, None, 501, 5002, 0]
        self.assertEqual(values(reader, line)[:10], expected)
        self.assertEqual(reader.refused, 4)

    def test_negative_energy_is_none(self):
        reader, line = sdm630()
        line.meter.floats[0x48] = -1.0
        run(reader, line, START + PERIOD)
        self.assertEqual(reader.energy(line.now), (None, 50, -2, 1, 1, b"1"))
        self.assertEqual(reader.refused, 1)


class NoValue(unittest.TestCase):
    def test_digits_that_are_none(self):
        reader, line = dlt645()
        line.meter.data[0x02010200] = "FFFF"
        line.meter.data[0x04000503] = "FFFF"
        line.meter.data[0x00020000] = "FFFFFFFF"
        run(reader, line, START + PERIOD)
        self.assertEqual(values(reader, line)[:4], [2298, None, 2289, 13445])
        self.assertIsNone(reader.relay_closed(line.now))
        self.assertEqual(reader.energy(line.now)[:2], (99999997, None))

    def test_replaces_an_older_value(self):
        reader, line = dlt645()
        run(reader, line, START + PERIOD)
        line.meter.data[0x02010100] = "FFFF"
        run(reader, line, START + 2 * PERIOD)
        self.assertIsNone(values(reader, line)[0])

    def test_not_a_number(self):
        reader, line = sdm630()
        line.meter.floats[0x00] = float("nan")
        line.meter.floats[0x34] = float("inf")
        run(reader, line, START + PERIOD)
        expected = [None, 2299, 2311, 10500, 0, -3250, None, 500]
        self.assertEqual(values(reader, line)[:8], expected)

    def test_nothing_was_read_yet(self):
        reader, line = dlt645()
        self.assertEqual(values(reader, line), [None] * 11)
        self.assertIsNone(reader.energy(line.now))
        self.assertIsNone(reader.age_ms(line.now))
        self.assertIsNone(reader.relay_closed(line.now))

    def test_only_one_energy_register(self):
        reader, line = dlt645()
        line.meter.refused.add(0x00010000)
        run(reader, line, START + PERIOD)
        self.assertEqual(reader.energy(line.now), (None, 26, -2, 1, 1, PILE.encode()))
        line.meter.refused.add(0x00020000)
        run(reader, line, START + 4 * PERIOD)
        self.assertIsNone(reader.energy(line.now))

    def test_out_may_begin_anywhere(self):
        reader, line = dlt645()
        run(reader, line, START + PERIOD)
        out = ["flags"] + [0] * 11
        reader.meter_values(line.now, out, 1)
        self.assertEqual((out[0], out[1:11]), ("flags", VALUES))


class Relay(unittest.TestCase):
    def test_bit_4_of_status_word_3(self):
        for data, closed in (("0000", True), ("5000", False), ("1000", False), ("EFFF", True)):
            reader, line = dlt645()
            line.meter.data[0x04000503] = data
            run(reader, line, START + PERIOD)
            self.assertIs(reader.relay_closed(line.now), closed, data)


class Freshness(unittest.TestCase):
    def test_a_value_lives_two_periods(self):
        reader, line = dlt645()
        run(reader, line, START + PERIOD - 1)
        read_ms = line.requests[ORDER.index(0x02010300)][0] + line.delay_ms
        line.meter.mute = set(ORDER)
        run(reader, line, read_ms + 2 * PERIOD)
        self.assertEqual(values(reader, line)[2], 2289)
        run(reader, line, read_ms + 2 * PERIOD + 1)
        self.assertIsNone(values(reader, line)[2])
        run(reader, line, START + 3 * PERIOD)
        self.assertEqual(values(reader, line), [None] * 11)
        self.assertIsNone(reader.energy(line.now))

    def test_age_is_the_oldest_values(self):
        reader, line = dlt645()
        run(reader, line, START + PERIOD - 1)
        read_ms = line.requests[0][0] + line.delay_ms
        self.assertEqual(reader.age_ms(line.now), line.now - read_ms)
        line.meter.mute = set(ORDER)
        run(reader, line, read_ms + 2 * PERIOD)
        self.assertEqual(values(reader, line)[10], 2 * PERIOD // 1000)
        line.meter.mute = set()
        run(reader, line, line.now + 2 * PERIOD)
        self.assertTrue(values(reader, line)[10] <= PERIOD // 1000)

    def test_energy_lives_two_of_its_own_periods(self):
        reader, line = dlt645(energy_every=3)
        run(reader, line, START + PERIOD - 1)
        line.meter.mute = {0x00010000, 0x00020000}
        run(reader, line, START + 6 * PERIOD)
        self.assertEqual(reader.energy(line.now)[:2], (99999997, 26))
        run(reader, line, START + 7 * PERIOD)
        self.assertIsNone(reader.energy(line.now))
        self.assertEqual(values(reader, line)[:10], VALUES)


class Failures(unittest.TestCase):
    def test_a_lost_answer_is_asked_for_again(self):
        reader, line = dlt645()
        lost = []

        def lose_the_first(answer):
            lost.append(answer)
            return b"" if len(lost) == 1 else answer

        line.alter = lose_the_first
        run(reader, line, START + PERIOD - 1)
        self.assertEqual([what for _time, what in line.requests], ORDER[:1] + ORDER)
        self.assertEqual((reader.frames, reader.bad, reader.silent), (12, 0, 1))
        self.assertEqual(values(reader, line)[:10], VALUES)

    def test_tries_are_bounded(self):
        for retries in range(4):
            reader, line = dlt645(retries=retries)
            line.meter.mute.add(0x02060000)
            run(reader, line, START + PERIOD - 1)
            asked = [what for _time, what in line.requests]
            self.assertEqual(asked.count(0x02060000), 1 + retries)
            self.assertEqual(reader.silent, 1 + retries)
            expected = list(VALUES)
            expected[maps.PF] = None
            self.assertEqual(values(reader, line)[:10], expected)

    def test_a_dead_meter_is_left_alone_until_the_next_period(self):
        reader, line = dlt645()
        line.meter.mute = set(ORDER)
        run(reader, line, START + 3 * PERIOD - 1)
        first, second, third = ORDER[:3]
        self.assertEqual(
            [what for _time, what in line.requests], [first, first, second, second, third, third]
        )
        self.assertEqual(line.requests[2][0] - line.requests[0][0], PERIOD)
        line.meter.mute = set()
        run(reader, line, START + 4 * PERIOD - 1)
        self.assertEqual(values(reader, line)[:10], VALUES)

    def test_a_datum_the_meter_is_mute_about_hides_no_other(self):
        reader, line = dlt645()
        line.meter.mute.add(ORDER[0])
        run(reader, line, START + 2 * PERIOD)
        while line.now < START + 8 * PERIOD:
            self.assertEqual(values(reader, line)[:9], VALUES[:9], line.now)
            self.assertIsNone(values(reader, line)[maps.STATUS])
            run(reader, line, line.now + 50)
        asked = [what for _time, what in line.requests]
        self.assertEqual(asked.count(ORDER[-1]), 7)  # in every period but the first

    def test_refusals_are_counted_and_cost_no_time(self):
        reader, line = dlt645()
        line.meter.refused = {0x02060000, 0x02800002}
        run(reader, line, START + PERIOD - 1)
        self.assertEqual([what for _time, what in line.requests], ORDER)
        self.assertEqual((reader.frames, reader.bad, reader.silent), (10, 2, 0))
        self.assertEqual(reader.error, 0x02)
        self.assertEqual(values(reader, line)[:7], VALUES[:7])
        self.assertEqual(values(reader, line)[7:10], [None, None, 0])

    def test_a_refusal_is_a_sign_of_life(self):
        reader, line = dlt645()
        line.meter.refused.add(ORDER[0])
        line.meter.mute.add(ORDER[1])
        run(reader, line, START + PERIOD - 1)
        self.assertEqual(values(reader, line)[1:9], VALUES[1:9])

    def test_corrupted_answers(self):
        reader, line = dlt645()
        line.alter = lambda answer: answer[:-2] + b"\0" + answer[-1:]
        run(reader, line, START + PERIOD - 1)
        self.assertEqual(values(reader, line), [None] * 11)
        self.assertEqual((reader.frames, reader.bad, reader.silent), (0, 2, 2))

    def test_another_address(self):
        for reader, line in (dlt645(DLT645("202410010002")), sdm630(unit=2)):
            run(reader, line, START + PERIOD - 1)
            self.assertEqual(values(reader, line), [None] * 11)
            self.assertEqual((reader.frames, reader.silent), (0, 2))

    def test_answers_past_the_time_are_never_taken_for_others(self):
        for make in (dlt645, sdm630):
            reader, line = make()
            run(reader, line, START + PERIOD - 1)
            good = values(reader, line)[:10]
            line.delay_ms = 900  # each comes while the next try or the next datum is asked for
            run(reader, line, START + 6 * PERIOD)
            for i, now in enumerate(values(reader, line)[:10]):
                self.assertIn(now, (good[i], None))
            self.assertTrue(reader.bad + reader.noise > 0)
            line.delay_ms = 60
            run(reader, line, START + 8 * PERIOD)
            self.assertEqual(values(reader, line)[:10], good)

    def test_a_late_answer_before_the_next_request_is_drained(self):
        reader, line = sdm630()
        run(reader, line, START + PERIOD)
        line.meter.mute.add(0x00)
        run(reader, line, START + PERIOD + 300)  # the first span was asked for
        frame = b"\x01\x04\x90" + bytes(144)
        line.say(470, frame + crc(frame))  # just after it was given up
        run(reader, line, START + 2 * PERIOD)
        self.assertEqual(reader.noise, 149)
        self.assertEqual(values(reader, line)[:3], [2302, 2299, 2311])
        self.assertEqual(min(line.silence_ms), 20)

    def test_a_babbling_line_is_never_talked_into(self):
        reader, line = dlt645()
        for i in range(2 * PERIOD // 10):
            line.say(10 * i, b"\x55")
        run(reader, line, START + 2 * PERIOD)
        self.assertEqual(line.requests, [])
        self.assertTrue(reader.noise >= 2 * PERIOD // 10 - 1)
        run(reader, line, START + 3 * PERIOD)
        self.assertEqual(values(reader, line)[:10], VALUES)

    def test_echo(self):
        for make in (dlt645, sdm630):
            reader, line = make()
            line.echo = True
            run(reader, line, START + PERIOD - 1)
            self.assertEqual((reader.bad, reader.silent, reader.noise), (0, 0, 0))
            self.assertEqual(values(reader, line)[1], VALUES[1] if make is dlt645 else 2299)

    def test_noise_around_answers(self):
        for make in (dlt645, sdm630):
            reader, line = make()
            line.alter = lambda answer: b"\0\x68\x01" + answer + b"\xff\0"
            run(reader, line, START + PERIOD - 1)
            self.assertEqual((reader.bad, reader.silent), (0, 0))
            self.assertEqual(reader.noise, 5 * reader.frames)
            self.assertEqual(values(reader, line)[1], VALUES[1] if make is dlt645 else 2299)

    def test_a_line_that_takes_a_few_bytes_at_a_time(self):
        for make in (dlt645, sdm630):
            reader, line = make()
            line.room = 3
            run(reader, line, START + PERIOD - 1)
            self.assertEqual((reader.bad, reader.silent), (0, 0))
            self.assertEqual(values(reader, line)[1], VALUES[1] if make is dlt645 else 2299)

    def test_a_line_that_takes_nothing(self):
        reader, line = dlt645()
        line.room = 0
        run(reader, line, START + 2 * PERIOD - 1)
        self.assertEqual((reader.frames, reader.silent), (0, 4))
        line.room = 100
        run(reader, line, START + 3 * PERIOD)
        self.assertEqual(values(reader, line)[:10], VALUES)


class UnknownAddress(unittest.TestCase):
    def test_the_only_meter_is_asked_for_its_number(self):
        reader, line = dlt645(address="")
        run(reader, line, START + 100)
        self.assertIsNone(reader.energy(line.now))
        run(reader, line, START + PERIOD - 1)
        asked = [what for _time, what in line.requests]
        self.assertEqual((asked[0], asked[1:]), ("address", ORDER))
        self.assertEqual(values(reader, line)[:10], VALUES)
        self.assertEqual(reader.energy(line.now)[5], PILE.encode())

    def test_a_replaced_meter_is_found_and_the_old_values_go(self):
        reader, line = dlt645(address="")
        run(reader, line, START + PERIOD)
        line.meter = DLT645("202410010002")
        line.meter.mute = {0x00010000, 0x00020000}
        run(reader, line, START + 2 * PERIOD)
        self.assertEqual(reader.energy(line.now)[5], PILE.encode())
        run(reader, line, START + 3 * PERIOD)  # the old registers would still be fresh
        self.assertEqual(reader.meter_id, b"202410010002")
        self.assertIsNone(reader.energy(line.now))
        self.assertEqual(values(reader, line)[:10], VALUES)

    def test_a_number_that_is_none(self):
        reader, line = dlt645(address="")
        line.meter.address = b"\xff" * 6
        run(reader, line, START + PERIOD - 1)
        self.assertEqual([what for _time, what in line.requests], ["address"] * 12)
        self.assertEqual(values(reader, line), [None] * 11)


class Counters(unittest.TestCase):
    def test_every_reason_has_a_word(self):
        self.assertEqual(len(master.REASONS), master.ERROR_ANSWER + 1)


if __name__ == "__main__":
    unittest.main()

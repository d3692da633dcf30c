"""The meter reader against scripted meters on a line that can be told to misbehave."""

import struct
import unittest

from meters import DATA, DLT645, ORDER, PILE, SDM630, START, Line, crc, run

from agent.meter import maps, master
from agent.meter.reader import MeterReader
from agent.wire.schema import ENERGY_COUNT, SCHEMAS, SUPPLY

PERIOD = 10000
VALUES = [2298, 2301, 2289, 13445, 12001, -250, 58213, 501, 5002, 0]
TARIFFS = (10000000, 20000000, 69999997, 0)
QUALITIES = (30000, 29213, -1000, -1100, 59000, 210, 0, 199)
MUTE = set(ORDER) | set(DATA)
TWICE = [what for what in ORDER for _ in (1, 2)]  # of the first reading, nothing is believed yet


def energy(imported, exported, pt=1, ct=1, tariffs=TARIFFS):
    return (imported, exported, -2, pt, ct, PILE.encode()) + tariffs + (100000000, 1)


def dlt645(meter=None, **settings):
    line = Line(meter or DLT645())
    settings.setdefault("address", PILE)
    settings.setdefault("period_ms", PERIOD)
    return MeterReader(line, protocol="dlt645", **settings), line


def sdm630(**settings):
    line = Line(SDM630())
    settings.setdefault("period_ms", PERIOD)
    return MeterReader(line, protocol="sdm630", **settings), line


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


def settled(make, **settings):
    """A reader that has read everything twice and a line that remembers no request."""
    reader, line = make(**settings)
    run(reader, line, START + PERIOD - 1)
    line.asked()
    return reader, line


class Cycle(unittest.TestCase):
    def test_dlt645_reads_everything_once_a_period(self):
        reader, line = dlt645()
        run(reader, line, START + PERIOD - 1)
        begins = [line.requests[0][0]]
        self.assertEqual(line.asked(), TWICE)
        self.assertEqual(values(reader, line)[:10], VALUES)
        self.assertEqual(reader.quality(line.now), QUALITIES)
        self.assertEqual(reader.energy(line.now), energy(99999997, 26))
        self.assertEqual((reader.frames, reader.bad, reader.silent), (22, 0, 0))
        for _ in range(2):
            run(reader, line, line.now + PERIOD)
            begins.append(line.requests[0][0])
            self.assertEqual(line.asked(), ORDER)
        self.assertEqual([begins[1] - begins[0], begins[2] - begins[1]], [PERIOD, PERIOD])

    def test_sdm630_reads_three_spans(self):
        reader, line = sdm630()
        run(reader, line, START + PERIOD - 1)
        self.assertEqual(line.asked(), [0x00, 0x00, 0x48, 0x48, 0xEA, 0xEA])
        expected = [2302, 2299, 2311, 10500, 0, -3250, -1235, 500, 4975, None]
        self.assertEqual(values(reader, line)[:10], expected)
        self.assertEqual(reader.quality(line.now), (1001, 0, -2235, -77, 2420, 125, 250, 75))
        counts = (1234567, 50, -2, 1, 1, b"1") + (None,) * 5 + (1,)
        self.assertEqual(reader.energy(line.now), counts)
        self.assertIsNone(reader.relay_closed(line.now))
        run(reader, line, START + 2 * PERIOD)
        self.assertEqual(line.asked(), [0x00, 0x48, 0xEA])

    def test_records_have_the_length_of_their_schema(self):
        reader, line = settled(dlt645)
        self.assertEqual(len(reader.energy(line.now)), len(SCHEMAS[ENERGY_COUNT][3]))
        self.assertTrue(len(reader.quality(line.now)) <= len(SCHEMAS[SUPPLY][3]))

    def test_energy_every_so_many_periods(self):
        reader, line = settled(dlt645, energy_every=3)
        for i in range(1, 7):
            run(reader, line, line.now + PERIOD)
            asked = line.asked()
            self.assertEqual(0x0001FF00 in asked, i % 3 == 0)
            self.assertEqual(len(asked), 11 if i % 3 == 0 else 9)
            self.assertEqual(reader.energy(line.now)[:2], (99999997, 26))

    def test_the_register_s_time(self):
        reader, line = settled(dlt645)
        run(reader, line, START + 2 * PERIOD)
        asked_ms = {what: time for time, what in line.requests}
        # The oldest of what is given counts: a new total beside old tariffs is no reading.
        oldest_ms = min(asked_ms[0x0001FF00], asked_ms[0x00020000])
        self.assertEqual(reader.energy_ms(line.now), oldest_ms + line.delay_ms)

    def test_a_slow_meter_is_read_within_two_periods(self):
        """At 2400 baud and the slow end of the standard a reading takes longer than its period."""
        reader, line = dlt645()
        line.delay_ms = 500
        reader = MeterReader(line, address=PILE, period_ms=5000)
        run(reader, line, START + 30000)
        line.asked()
        for _ in range(400):
            run(reader, line, line.now + 50)
            self.assertEqual(values(reader, line)[:10], VALUES)
        self.assertTrue(reader.energy(line.now) is not None)

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
        self.assertEqual(reader.energy(line.now), energy(99999997, 26, pt=10, ct=40))
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
        line.meter.put_float(0x48, -1.0)
        run(reader, line, START + PERIOD)
        self.assertEqual(reader.energy(line.now)[:2], (None, 50))
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
        line.meter.put_float(0x00, float("nan"))
        line.meter.put_float(0x34, float("inf"))
        run(reader, line, START + PERIOD)
        expected = [None, 2299, 2311, 10500, 0, -3250, None, 500]
        self.assertEqual(values(reader, line)[:8], expected)

    def test_nothing_was_read_yet(self):
        reader, line = dlt645()
        self.assertEqual(values(reader, line), [None] * 11)
        self.assertEqual(reader.quality(line.now), (None,) * 8)
        self.assertIsNone(reader.energy(line.now))
        self.assertIsNone(reader.age_ms(line.now))
        self.assertIsNone(reader.relay_closed(line.now))

    def test_only_one_energy_register(self):
        reader, line = dlt645()
        line.meter.refused = {0x0001FF00, 0x00010000}
        run(reader, line, START + PERIOD)
        self.assertEqual(reader.energy(line.now), energy(None, 26))
        line.meter.refused.add(0x00020000)
        run(reader, line, START + 4 * PERIOD)
        self.assertIsNone(reader.energy(line.now))

    def test_nought_is_a_value(self):
        reader, line = dlt645()
        for di in line.meter.data:
            line.meter.data[di] = "00" * (len(line.meter.data[di]) // 2)
        run(reader, line, START + PERIOD)
        self.assertEqual(values(reader, line)[:10], [0] * 10)
        self.assertEqual(reader.quality(line.now), (0,) * 8)
        self.assertEqual(reader.energy(line.now), energy(0, 0, tariffs=(0, 0, 0, 0)))

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
        read_ms = line.requests[TWICE.index(0x0201FF00) + 1][0] + line.delay_ms
        line.meter.mute = MUTE
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
        read_ms = line.requests[1][0] + line.delay_ms
        self.assertEqual(reader.age_ms(line.now), line.now - read_ms)
        line.meter.mute = MUTE
        run(reader, line, read_ms + 2 * PERIOD)
        self.assertEqual(values(reader, line)[10], 2 * PERIOD // 1000)
        line.meter.mute = set()
        run(reader, line, line.now + 2 * PERIOD)
        self.assertTrue(values(reader, line)[10] <= PERIOD // 1000)

    def test_energy_lives_two_of_its_own_periods(self):
        reader, line = dlt645(energy_every=3)
        run(reader, line, START + PERIOD - 1)
        line.meter.mute = {0x0001FF00, 0x00010000, 0x00020000}
        run(reader, line, START + 6 * PERIOD)
        self.assertEqual(reader.energy(line.now)[:2], (99999997, 26))
        run(reader, line, START + 7 * PERIOD)
        self.assertIsNone(reader.energy(line.now))
        self.assertEqual(values(reader, line)[:10], VALUES)


class Failures(unittest.TestCase):
    def test_a_lost_answer_is_asked_for_again(self):
        reader, line = settled(dlt645)
        lost = []

        def lose_the_first(answer):
            lost.append(answer)
            return b"" if len(lost) == 1 else answer

        line.alter = lose_the_first
        run(reader, line, START + 2 * PERIOD - 1)
        self.assertEqual(line.asked(), ORDER[:1] + ORDER)
        self.assertEqual((reader.frames, reader.bad, reader.silent), (33, 0, 1))
        self.assertEqual(values(reader, line)[:10], VALUES)

    def test_tries_are_bounded(self):
        for retries in range(4):
            reader, line = dlt645(retries=retries)
            line.meter.mute.add(0x02060000)
            run(reader, line, START + PERIOD - 1)
            self.assertEqual(line.asked().count(0x02060000), 1 + retries)
            self.assertEqual(reader.silent, 1 + retries)
            expected = list(VALUES)
            expected[maps.PF] = None
            self.assertEqual(values(reader, line)[:10], expected)

    def test_silence(self):
        for reader, line in (settled(dlt645), settled(sdm630)):
            self.assertTrue(reader.silent_ms(line.now) < PERIOD)
            line.meter.mute = MUTE | {0x00, 0x48, 0xEA}
            run(reader, line, START + 5 * PERIOD)
            self.assertTrue(5 * PERIOD - 2500 <= reader.silent_ms(line.now) <= 5 * PERIOD)
            line.meter.mute = set()
            run(reader, line, START + 6 * PERIOD)
            self.assertTrue(reader.silent_ms(line.now) < PERIOD)
        reader, line = dlt645()
        self.assertEqual(reader.silent_ms(line.now), 0)
        line.meter.mute = MUTE
        run(reader, line, START + PERIOD)
        self.assertEqual(reader.silent_ms(line.now), PERIOD)

    def test_a_dead_meter_is_left_alone_until_the_next_period(self):
        reader, line = dlt645()
        line.meter.mute = MUTE
        run(reader, line, START + 3 * PERIOD - 1)
        first, second, third = ORDER[:3]
        self.assertEqual(line.requests[2][0] - line.requests[0][0], PERIOD)
        self.assertEqual(line.asked(), [first, first, second, second, third, third])
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
        self.assertEqual(line.asked().count(ORDER[-1]), 8)  # twice in the second period

    def test_what_a_meter_lacks_is_asked_for_rarely(self):
        reader, line = dlt645()
        line.meter.refused = {0x02060000, 0x02800002}
        run(reader, line, START + PERIOD - 1)
        self.assertEqual(reader.error, 0x02)
        self.assertEqual((reader.bad, reader.silent), (2, 0))
        self.assertEqual(values(reader, line)[:7], VALUES[:7])
        self.assertEqual(values(reader, line)[7:10], [None, None, 0])
        line.asked()
        run(reader, line, START + 3 * PERIOD - 1)
        self.assertEqual(
            line.asked().count(0x02060000), 1
        )  # one more, since that may be a late one
        self.assertEqual(reader.bad, 4)
        line.meter.refused = set()
        reader._questions._readings = 250  # after 256 it is asked for again
        run(reader, line, START + 10 * PERIOD)
        self.assertEqual(values(reader, line)[:10], VALUES)

    def test_another_refusal_is_asked_again(self):
        reader, line = dlt645()
        normal = line.meter.answer

        def busy(request):
            if line.meter.asked(request) == 0x02060000:
                return line.meter.frame(0xD1, b"\x01")
            return normal(request)

        line.meter.answer = busy
        run(reader, line, START + 5 * PERIOD - 1)
        self.assertEqual(line.asked().count(0x02060000), 5)

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

    def test_answers_that_are_all_a_reading_late_are_not_taken(self):
        """The next reading begins with another question, so that none fits."""
        for make, delay_ms in ((dlt645, PERIOD), (sdm630, PERIOD), (sdm630, PERIOD - 300)):
            reader, line = make()
            line.delay_ms = delay_ms
            for _ in range(40):
                run(reader, line, line.now + 1000)
                self.assertEqual(values(reader, line), [None] * 11)
                self.assertIsNone(reader.energy(line.now))
            self.assertEqual(reader.frames, 0)

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
        self.assertEqual(line.asked(), ["address", "address"] + TWICE)
        self.assertEqual(values(reader, line)[:10], VALUES)
        self.assertEqual(reader.energy(line.now)[5], PILE.encode())

    def test_a_replaced_meter_is_found_and_the_old_values_go(self):
        reader, line = dlt645(address="")
        run(reader, line, START + PERIOD)
        line.meter = DLT645("202410010002")
        line.meter.mute = {0x0001FF00, 0x00010000, 0x00020000}
        run(reader, line, START + 2 * PERIOD)
        self.assertEqual(reader.energy(line.now)[5], PILE.encode())
        run(reader, line, START + 3 * PERIOD)  # the old registers would still be fresh
        self.assertEqual(reader.meter_id, b"202410010002")
        self.assertEqual(reader.energy(line.now), None)
        self.assertEqual(values(reader, line)[:10], VALUES)

    def test_a_number_that_is_none(self):
        reader, line = dlt645(address="")
        line.meter.address = b"\xff" * 6
        run(reader, line, START + PERIOD - 1)
        self.assertEqual(set(line.asked()), {"address"})
        self.assertEqual(values(reader, line), [None] * 11)

    def two(self, answers, delay_ms=0):
        """Two meters on the line; `answers(first, second)` is what it makes of their answers."""
        reader, line = dlt645(address="")
        other = DLT645("202410010002")

        def both(request):
            first = DLT645.answer(line.meter, request)
            second = other.answer(request)
            if not second:
                return first
            if delay_ms:
                line.say(line.delay_ms + delay_ms, second)
                return first
            return answers(first, second)

        line.meter.answer = both
        run(reader, line, START + 6 * PERIOD)
        self.assertEqual(reader.meter_id, None)
        self.assertEqual(values(reader, line), [None] * 11)
        self.assertIsNone(reader.energy(line.now))
        self.assertEqual(set(line.asked()), {"address"})

    def test_two_meters_that_answer_at_once_have_no_number(self):
        self.two(lambda a, b: bytes([a[i] & b[i] for i in range(len(a))]))
        self.two(lambda a, b: bytes([a[i] | b[i] for i in range(len(a))]))

    def test_two_meters_that_answer_one_after_the_other_have_none(self):
        self.two(lambda a, b: a + b)
        for delay_ms in (30, 100, 200, 400):
            self.two(None, delay_ms)

    def test_two_answers_that_differ_are_none(self):
        turns = []

        def in_turn(a, b):
            turns.append(1)
            return a if len(turns) % 2 else b

        self.two(in_turn)


class Blocks(unittest.TestCase):
    def singly(self, spoil):
        reader, line = dlt645()
        spoil(line.meter)
        run(reader, line, START + 2 * PERIOD - 1)
        line.asked()
        run(reader, line, START + 3 * PERIOD - 1)
        self.assertEqual(values(reader, line)[:10], VALUES)
        self.assertEqual(reader.quality(line.now), QUALITIES)
        self.assertEqual(reader.energy(line.now), energy(99999997, 26))
        return reader, line, line.asked()

    def test_a_meter_without_blocks_is_asked_singly_from_then_on(self):
        def spoil(meter):
            meter.blocks = False

        reader, _line, asked = self.singly(spoil)
        self.assertEqual(sorted(asked), sorted(DATA))
        self.assertEqual(reader.bad, 5)
        self.assertEqual(reader._questions.unblocked, 5)

    def test_a_meter_that_is_mute_about_a_block(self):
        _reader, _line, asked = self.singly(lambda meter: meter.mute.add(0x0203FF00))
        self.assertEqual(len(asked), 14)
        self.assertTrue(0x0203FF00 not in asked)

    def test_a_block_of_another_length(self):
        def spoil(meter):
            meter.data[0x0203FF00] = "252158"

        _reader, _line, asked = self.singly(spoil)
        self.assertTrue(0x0203FF00 not in asked and 0x02030300 in asked)

    def test_blocks_are_tried_again_after_a_silence(self):
        reader, line = dlt645()
        line.meter.blocks = False
        run(reader, line, START + 2 * PERIOD - 1)
        line.meter.blocks = True
        line.meter.mute = MUTE
        run(reader, line, START + 3 * PERIOD)
        line.meter.mute = set()
        run(reader, line, START + 4 * PERIOD)
        line.asked()
        run(reader, line, START + 5 * PERIOD)
        self.assertEqual(sorted(line.asked()), sorted(ORDER))

    def test_as_many_tariffs_as_the_meter_has(self):
        for n in (1, 2, 3, 4, 9, 40):
            reader, line = dlt645()
            line.meter.data[0x0001FF00] = "".join(
                ["%02d000000" % (10 + i) for i in range(n)]
            )  # 0.10 kWh and so on
            run(reader, line, START + PERIOD - 1)
            counts = [10 + i if i < n else None for i in range(5)]
            self.assertEqual(
                reader.energy(line.now), energy(counts[0], 26, tariffs=tuple(counts[1:]))
            )

    def test_values_of_a_block_that_are_none(self):
        reader, line = dlt645()
        line.meter.data[0x02030200] = "FFFFFF"
        line.meter.data[0x00010200] = "FFFFFFFF"
        run(reader, line, START + PERIOD - 1)
        self.assertEqual(reader.quality(line.now)[:3], (30000, None, -1000))
        self.assertEqual(reader.energy(line.now)[6:10], (10000000, None, 69999997, 0))


class FollowUps(unittest.TestCase):
    def test_a_block_in_several_frames(self):
        for item_max, frames in ((4, 5), (8, 3), (12, 2), (16, 2), (20, 1)):
            reader, line = dlt645()
            line.meter.item_max = item_max
            run(reader, line, START + PERIOD - 1)
            asked = [
                what for what in line.asked() if what in ORDER[6:7] or isinstance(what, tuple)
            ]
            asked = [what for what in asked if what == ORDER[6] or what[0] == ORDER[6]]
            expected = [ORDER[6]] + [(ORDER[6], i) for i in range(1, frames)]
            self.assertEqual(asked, 2 * expected)
            self.assertEqual(reader.energy(line.now), energy(99999997, 26))
            self.assertEqual(values(reader, line)[:10], VALUES)

    def test_what_is_not_wanted_is_not_read_on(self):
        reader, line = dlt645()
        line.meter.data[0x0001FF00] = "".join(["%02d000000" % i for i in range(64)])
        line.meter.item_max = 196
        run(reader, line, START + PERIOD - 1)
        self.assertEqual([what for what in line.asked() if isinstance(what, tuple)], [])
        self.assertEqual(reader.energy(line.now)[0], 0)

    def test_a_number_in_two_frames_is_asked_for_alone(self):
        reader, line = dlt645()
        line.meter.item_max = 6
        run(reader, line, START + 2 * PERIOD - 1)
        line.asked()
        run(reader, line, START + 3 * PERIOD - 1)
        self.assertTrue(0x00010400 in line.asked())
        self.assertEqual(reader.energy(line.now), energy(99999997, 26))

    def follow(self, alter):
        reader, line = dlt645()
        line.meter.item_max = 8
        turns = []

        def altered(answer):
            head = answer.find(b"\x68")
            if head < 0 or answer[head + 8] not in (0x92, 0xB2):
                return answer
            turns.append(answer)
            return alter(len(turns), answer, turns)

        line.alter = altered
        run(reader, line, START + 2 * PERIOD - 1)
        self.assertTrue(len(turns) >= 2)
        self.assertEqual(values(reader, line)[:10], VALUES)
        self.assertEqual(reader.energy(line.now), energy(99999997, 26))
        return reader

    def test_a_lost_frame_is_asked_for_again(self):
        reader = self.follow(lambda turn, answer, _turns: b"" if turn == 2 else answer)
        self.assertEqual(reader.silent, 1)

    def test_a_repeated_frame_is_refused(self):
        # The second frame's place is taken by the first; with the next try the right one comes.
        reader = self.follow(lambda turn, answer, turns: turns[0] if turn == 2 else answer)
        self.assertEqual((reader.silent, reader.bad), (1, 1))

    def test_frames_that_never_come_right(self):
        self.follow(lambda _turn, _answer, turns: turns[0])
        self.follow(lambda _turn, answer, _turns: b"")


class Jumps(unittest.TestCase):
    """A value far from the last one is read twice before it is given out."""

    def spoilt(self, make, answer_of, reader=None, line=None):
        if reader is None:
            reader, line = settled(make)
        normal = line.alter
        turns = []

        def once(answer):
            if not turns and answer_of(line):
                turns.append(1)
                return answer_of(line)
            return answer

        line.alter = once
        run(reader, line, line.now + PERIOD)
        line.alter = normal
        self.assertEqual(turns, [1])
        return reader, line

    def test_a_damage_that_the_sum_does_not_see(self):
        """Two bytes changed so that the sum is the same: 230.1 V becomes 270.1, 97 counts 57."""
        for di, spoil in (
            (0x0201FF00, "982201278922"),
            (0x0001FF00, "57999999000000100000002097999969000000004"[:40]),
            (0x04000503, "1000"),
            (0x02800002, "0260"),
        ):

            def answer(line, di=di, spoil=spoil):
                if line.requests[-1][1] != di:
                    return b""
                identifier = bytes([di >> shift & 0xFF for shift in (0, 8, 16, 24)])
                return line.meter.frame(0x91, identifier + bytes.fromhex(spoil))

            reader, line = self.spoilt(dlt645, answer)
            asked = line.asked()
            self.assertEqual(asked.count(di), 3)
            self.assertEqual(len(asked), 13)
            self.assertEqual(values(reader, line)[:10], VALUES)
            self.assertEqual(reader.energy(line.now), energy(99999997, 26))
            self.assertEqual(reader.doubted, 2)

    def test_what_never_agrees_is_none(self):
        reader, line = settled(dlt645)
        turns = []

        def value(di):
            if di == 0x0001FF00:
                turns.append(1)
                line.meter.data[0x00010000] = "%08d" % (len(turns) % 2 * 33333333)
            return DLT645.value(line.meter, di)

        line.meter.value = value
        run(reader, line, START + 5 * PERIOD)
        self.assertIsNone(reader.energy(line.now)[0])
        self.assertEqual(reader.energy(line.now)[1], 26)
        self.assertEqual(values(reader, line)[:10], VALUES)
        self.assertEqual(len(turns), 12)  # three times in each reading

    def test_a_register_that_goes_on(self):
        reader, line = dlt645()
        line.meter.data[0x00010000] = "00345612"  # 125634.00
        run(reader, line, START + PERIOD - 1)
        line.asked()
        line.meter.data[0x00010000] = "40345612"  # 40 counts in ten seconds: 144 kW
        run(reader, line, START + 2 * PERIOD - 1)
        self.assertEqual(len(line.asked()), 11)
        self.assertEqual(reader.energy(line.now)[0], 12563440)

    def test_a_rollover_is_read_twice(self):
        reader, line = settled(dlt645)
        line.meter.data[0x00010000] = "02000000"
        run(reader, line, START + 2 * PERIOD - 1)
        self.assertEqual(line.asked().count(0x0001FF00), 2)
        self.assertEqual(reader.energy(line.now)[0], 2)
        self.assertEqual(reader.energy(line.now)[10], 100000000)

    def test_a_load_that_comes_is_read_twice(self):
        for make, span in ((dlt645, 0x0202FF00), (sdm630, 0x00)):
            reader, line = settled(make)
            if make is dlt645:
                line.meter.data[0x02020100] = "000080"
                line.meter.data[0x02020200] = "000300"
                expected = [0, 300, -250]
            else:
                line.meter.put_float(0x06, 90.0)
                expected = [90000, 0, -3250]
            run(reader, line, START + 2 * PERIOD - 1)
            self.assertEqual(line.asked().count(span), 2)
            self.assertEqual(values(reader, line)[3:6], expected)

    def test_a_late_answer_with_an_older_register_does_not_turn_it_back(self):
        """The first try's answer comes a reading late; the second try was answered in time."""
        for make in (dlt645, sdm630):
            reader, line = settled(make)
            span = 0x0001FF00 if make is dlt645 else 0x48
            line.asked()

            def show(counts, line=line, make=make):
                if make is dlt645:
                    line.meter.data[0x00010000] = "".join(
                        ["%02d" % (counts // 100**i % 100) for i in range(4)]
                    )
                else:
                    line.meter.put_float(0x48, counts / 100)

            show(5000)
            run(reader, line, line.now + PERIOD)
            self.assertEqual(reader.energy(line.now)[0], 5000)
            held = []

            def hold(answer, line=line, span=span, held=held, show=show):
                if line.requests[-1][1] != span or held:
                    return answer
                held.append(answer)
                show(5010)
                return b""

            line.alter = hold
            show(5005)
            run(reader, line, line.now + PERIOD)
            self.assertEqual(reader.energy(line.now)[0], 5010)
            show(5020)
            line.alter = lambda answer, line=line, span=span, held=held: (
                held.pop() if line.requests[-1][1] == span and held else answer
            )
            highest = 5010
            for _ in range(2 * PERIOD // 50):
                run(reader, line, line.now + 50)
                counts = reader.energy(line.now)
                if counts[0] is not None:
                    self.assertTrue(counts[0] >= highest, counts)
                    highest = counts[0]
            self.assertEqual(highest, 5020)

    def test_two_meters_with_one_address_never_give_a_mixture(self):
        reader, line = dlt645()
        other = DLT645()
        other.data[0x00010000] = "11111111"
        for turn in range(40):
            line.meter.answer = (DLT645() if turn % 3 else other).answer
            run(reader, line, line.now + 700)
            counts = reader.energy(line.now)
            if counts is not None:
                self.assertIn(counts[0], (99999997, 11111111, None))
        self.assertTrue(reader.doubted > 0)


class Steps(unittest.TestCase):
    def test_a_float_register_s_own_step(self):
        for kwh, step in (
            (0.0, 1),
            (1234.56, 1),
            (131071.0, 1),
            (131072.0, 2),  # 1/64 kWh: 1.56 counts
            (262144.0, 4),
            (524288.0, 7),
            (1000000.0, 7),  # 1/16 kWh
            (1048576.0, 13),
            (8388608.0, 100),
            (16777216.0, 200),
        ):
            reader, line = sdm630()
            line.meter.put_float(0x48, kwh)
            run(reader, line, START + PERIOD)
            counts = reader.energy(line.now)
            self.assertEqual((counts[10], counts[11]), (None, step), kwh)
            following = struct.unpack(">I", struct.pack(">f", kwh))[0] + 1
            following = struct.unpack(">f", struct.pack(">I", following))[0]
            if kwh >= 131072:
                self.assertTrue(step - 1 < (following - kwh) * 100 <= step, kwh)


class Time(unittest.TestCase):
    """The time is told to all meters on the line, once a day, only where a clock is given."""

    HOUR = 3600000
    PERIOD = 600000

    def test_once_a_day_and_not_at_once(self):
        known = [None]
        reader, line = dlt645(period_ms=self.PERIOD, time=lambda now_ms: known[0])
        run(reader, line, START + 2 * self.HOUR)
        self.assertEqual(line.meter.times, [])
        known[0] = (2026, 11, 22, 13, 5, 9)
        run(reader, line, line.now + 25 * self.HOUR)
        self.assertEqual(line.meter.times, [bytes.fromhex("090513221126")] * 2)
        self.assertEqual((reader.bad, reader.silent), (0, 0))
        self.assertEqual(values(reader, line)[:10], VALUES)

    def test_not_in_the_first_hour(self):
        reader, line = dlt645(period_ms=self.PERIOD, time=lambda now_ms: (2026, 11, 22, 13, 5, 9))
        run(reader, line, START + self.HOUR - 1)
        self.assertEqual(line.meter.times, [])
        run(reader, line, START + self.HOUR + self.PERIOD)
        self.assertEqual(len(line.meter.times), 1)

    def test_off_and_unknown_to_modbus(self):
        reader, line = dlt645(period_ms=self.PERIOD)
        run(reader, line, START + 2 * self.HOUR)
        self.assertEqual(line.meter.times, [])
        reader, line = sdm630(period_ms=self.PERIOD, time=lambda now_ms: (2026, 11, 22, 13, 5, 9))
        run(reader, line, START + 2 * self.HOUR)
        self.assertEqual(reader.silent, 0)

    def test_a_line_that_takes_nothing(self):
        reader, line = dlt645(period_ms=self.PERIOD, time=lambda now_ms: (2026, 11, 22, 13, 5, 9))
        run(reader, line, START + self.HOUR - self.PERIOD)
        line.room = 0
        run(reader, line, START + self.HOUR + self.PERIOD)
        line.room = 100
        run(reader, line, START + self.HOUR + 4 * self.PERIOD)
        self.assertEqual(values(reader, line)[:10], VALUES)


class Counters(unittest.TestCase):
    def test_every_reason_has_a_word(self):
        self.assertEqual(len(master.REASONS), master.ERROR_ANSWER + 1)


if __name__ == "__main__":
    unittest.main()

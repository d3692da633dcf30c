"""Modbus RTU: public frames fed in every way a line may, and registers as integers."""

import struct
import unittest

from agent.errors import LocalError
from agent.meter import maps, master, modbus
from agent.meter.maps import adw300, dtsd1352, dtsu666, sdm630
from agent.meter.master import ANSWER, ERROR, WAITING
from agent.meter.modbus import F32, I16, I32, READ_HOLDING, READ_INPUT, U16, Master, value

# Unit, function, register, count, request, answer, values as (kind, places, integers).
# SDM630 manual and Tasmota (voltage), Acrel manual, pymodbus's own tests (unit 17).
EXCHANGES = (
    (
        (1, READ_INPUT, 0x0000, 2),
        "01 04 00 00 00 02 71 CB",
        "01 04 04 43 66 33 34 1B 38",
        (F32, 1, (2302,)),
    ),
    (
        (1, READ_HOLDING, 0x0061, 6),
        "01 03 00 61 00 06 94 16",
        "01 03 0C 08 98 08 9A 08 94 03 E8 03 F2 03 DE 63 D5",
        (U16, 0, (2200, 2202, 2196, 1000, 1010, 990)),
    ),
    (
        (1, READ_HOLDING, 0x000A, 2),
        "01 03 00 0A 00 02 E4 09",
        "01 03 04 00 12 D6 87 44 34",
        (I32, 0, (1234567,)),
    ),
    (
        (1, READ_HOLDING, 0x0077, 1),
        "01 03 00 77 00 01 34 10",
        "01 03 02 13 86 34 D6",
        (I16, 0, (4998,)),
    ),
    (
        (17, READ_HOLDING, 0x007C, 2),
        "11 03 00 7C 00 02 07 43",
        "11 03 04 00 8D 00 8E FB BD",
        (U16, 0, (141, 142)),
    ),
)
MORE_REQUESTS = (
    ((1, READ_INPUT, 0x0034, 2), "01 04 00 34 00 02 30 05"),
    ((1, READ_INPUT, 0x0046, 2), "01 04 00 46 00 02 90 1E"),
    ((1, READ_INPUT, 0x0048, 4), "01 04 00 48 00 04 71 DF"),
)
REFUSALS = (
    ((1, READ_INPUT, 0x0000, 2), "01 84 02 C2 C1"),
    ((17, READ_HOLDING, 0x007C, 2), "11 83 02 C1 34"),
)
VOLTAGE = bytes.fromhex(EXCHANGES[0][2])


def with_crc(text):
    """The frame with a CRC computed bit by bit, not by the table under test."""
    frame = bytes.fromhex(text)
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return frame + bytes([crc & 0xFF, crc >> 8])


def asked(unit, function, register, count):
    reading = Master(unit)
    reading.read(function, register, count)
    return reading


def asked_voltage():
    return asked(1, READ_INPUT, 0, 2)


def feed(reading, *parts):
    result = WAITING
    for part in parts:
        result = reading.feed(part, len(part))
    return result


def byte_by_byte(wire):
    return [wire[i : i + 1] for i in range(len(wire))]


class Frames(unittest.TestCase):
    def test_crc(self):
        self.assertEqual(modbus.crc16(b"123456789", 0, 9), 0x4B37)
        every = bytes(range(256))
        self.assertEqual(modbus.crc16(with_crc(every.hex()), 0, 258), 0)

    def test_requests(self):
        for question, wire, _answer, _values in EXCHANGES:
            sent = Master(question[0]).read(question[1], question[2], question[3])
            self.assertEqual(bytes(sent), bytes.fromhex(wire))
        for question, wire in MORE_REQUESTS:
            sent = Master(question[0]).read(question[1], question[2], question[3])
            self.assertEqual(bytes(sent), bytes.fromhex(wire))

    def test_requests_have_bounds(self):
        reading = Master(1)
        reading.read(READ_INPUT, 0, 80)
        for count in (0, -1, 81):
            with self.assertRaises(LocalError):
                reading.read(READ_INPUT, 0, count)
        with self.assertRaises(LocalError):  # the echo begins like the answer: 01 04 04
            reading.read(READ_INPUT, 0x0410, 2)


class Answers(unittest.TestCase):
    def check(self, exchange, *parts):
        question, _request, _answer, (kind, places, expected) = exchange
        reading = asked(*question)
        self.assertEqual(feed(reading, *parts), ANSWER)
        self.assertEqual(reading.size, 2 * question[3])
        step = 2 * modbus.WIDTH[kind]
        for i, integer in enumerate(expected):
            self.assertEqual(value(reading.rx, reading.at + i * step, kind, places), integer)
        return reading

    def test_whole_in_bytes_and_split_anywhere(self):
        for exchange in EXCHANGES:
            wire = bytes.fromhex(exchange[2])
            self.check(exchange, *byte_by_byte(wire))
            for cut in range(len(wire) + 1):
                reading = self.check(exchange, wire[:cut], wire[cut:])
                self.assertEqual(sum(reading.counts), 0)

    def test_noise_before_and_after(self):
        for exchange in EXCHANGES:
            wire = bytes.fromhex(exchange[2])
            for noise in (b"\0", b"\xff" * 9, b"\x01", wire[:1], wire[:2], wire[:-1], b"\x01\x04"):
                reading = self.check(exchange, noise, wire)
                self.check(exchange, *byte_by_byte(noise + wire))
                reading = self.check(exchange, wire + noise)
                self.assertEqual(reading.counts[master.NOISE], len(noise))

    def test_corruption_is_never_an_answer(self):
        for exchange in EXCHANGES:
            wire = bytes.fromhex(exchange[2])
            for i in range(len(wire)):
                for bit in range(8):
                    bad = bytearray(wire)
                    bad[i] ^= 1 << bit
                    self.assertEqual(feed(asked(*exchange[0]), bad), WAITING, (i, bit))

    def test_and_the_next_good_one_is_found_behind_it(self):
        for exchange in EXCHANGES:
            wire = bytes.fromhex(exchange[2])
            for i in range(len(wire)):
                bad = bytearray(wire)
                bad[i] ^= 0x40
                reading = self.check(exchange, bad, *byte_by_byte(wire))
                self.assertTrue(sum(reading.counts) > 0, i)

    def test_bad_crc_is_counted(self):
        reading = asked_voltage()
        feed(reading, VOLTAGE[:-1] + b"\0")
        self.assertEqual(reading.counts[master.BAD_SUM], 1)
        self.assertEqual(reading.bad, 1)

    def test_echo_is_skipped(self):
        for exchange in EXCHANGES:
            both = bytes.fromhex(exchange[1]) + bytes.fromhex(exchange[2])
            self.check(exchange, *byte_by_byte(both))
            for cut in range(len(both) + 1):
                reading = self.check(exchange, both[:cut], both[cut:])
                self.assertEqual(reading.counts[master.ECHO], 1)
                self.assertEqual(reading.bad, 0)

    def test_refusals(self):
        for question, wire in REFUSALS:
            for parts in ([bytes.fromhex(wire)], byte_by_byte(bytes.fromhex(wire))):
                reading = asked(*question)
                self.assertEqual(feed(reading, *parts), ERROR)
                self.assertEqual(reading.error, 2)
                self.assertEqual(reading.counts[master.ERROR_ANSWER], 1)

    def test_a_refusal_inside_the_data_is_data(self):
        wire = with_crc("01 04 08 01 84 02 C2 C1 00 00 00")
        reading = asked(1, READ_INPUT, 0x48, 4)
        self.assertEqual(feed(reading, *byte_by_byte(wire)), ANSWER)
        self.assertEqual(reading.rx[reading.at : reading.at + 5], wire[3:8])

    def test_another_unit_or_function_is_noise(self):
        for text in ("02 04 04 43 66 33 34", "01 03 04 43 66 33 34", "02 84 02", "01 83 02"):
            reading = asked_voltage()
            self.assertEqual(feed(reading, with_crc(text)), WAITING, text)
            self.assertEqual(feed(reading, VOLTAGE), ANSWER, text)

    def test_late_answer_of_another_length(self):
        for text in (
            "01 04 02 13 86",
            "01 04 08 43 66 33 34 43 66 33 34",
            "01 04 90" + " 01" * 144,
        ):
            reading = asked_voltage()
            self.assertEqual(feed(reading, with_crc(text)), WAITING, text)
            self.assertEqual(reading.counts[master.LATE], 1)
            self.assertEqual(feed(reading, VOLTAGE), ANSWER, text)

    def test_longest_answer(self):
        wire = with_crc("01 04 A0" + " 5A" * 160)
        reading = asked(1, READ_INPUT, 0, 80)
        self.assertEqual(feed(reading, *byte_by_byte(wire)), ANSWER)
        self.assertEqual(reading.size, 160)

    def test_flood(self):
        reading = asked_voltage()
        for flood in (b"\x01\x04\x04" * 500, bytes(range(256)) * 8, b"\x01" * 1000):
            self.assertEqual(feed(reading, flood), WAITING)
        self.assertEqual(feed(reading, VOLTAGE), ANSWER)


class Registers(unittest.TestCase):
    def test_integers(self):
        for wire, kind, expected in (
            ("FFFF", U16, 65535),
            ("8000", U16, 32768),
            ("8000", I16, -32768),
            ("FFFF", I16, -1),
            ("7FFF", I16, 32767),
            ("7FFFFFFF", I32, 2147483647),
            ("80000000", I32, -2147483648),
            ("FFFFFFFF", I32, -1),
        ):
            self.assertEqual(value(bytes.fromhex(wire), 0, kind), expected, wire)

    def test_floats(self):
        for bits, places, expected in (
            (0x00000000, 2, 0),
            (0x80000000, 2, 0),
            (0x43663334, 2, 23020),
            (0xC3663334, 2, -23020),
            (0x3F000000, 0, 1),  # 0.5: half away from zero
            (0xBF000000, 0, -1),
            (0x3EFFFFFF, 0, 0),  # just below
            (0x3FC00000, 0, 2),  # 1.5
            (0x40200000, 0, 3),  # 2.5
            (0xC0200000, 0, -3),
            (0x00000001, 3, 0),  # the smallest subnormal
            (0x007FFFFF, 3, 0),
            (0x4B7FFFFF, 0, 16777215),
            (0x48000000, 2, 13107200),  # 131072 kWh
            (0x48000001, 2, 13107202),  # the next one, 0.015625 further
            (0x49742400, 2, 100000000),  # 10**6 kWh
            (0x4F7FFFFF, 0, 4294967040),  # the largest below 2**32
            (0xCF7FFFFF, 0, -4294967040),
            (0x4F800000, 0, None),  # 2**32
            (0x4C23D70A, 2, 4294967200),  # 42,949,672 kWh
            (0x4C23D70B, 2, None),  # 42,949,676 kWh: past 32 bits in hundredths
            (0x7F7FFFFF, 0, None),
            (0x7F800000, 0, None),  # infinities
            (0xFF800000, 0, None),
            (0x7FC00000, 0, None),  # NaN
            (0xFFFFFFFF, 2, None),
        ):
            self.assertEqual(value(struct.pack(">I", bits), 0, F32, places), expected, hex(bits))

    def test_floats_that_decimals_can_name(self):
        # Eighths are exact in binary and in decimal, so the right rounding is integer arithmetic.
        for eighths in range(-20000, 20000, 37):
            wire = struct.pack(">f", eighths / 8)
            for places in range(4):
                scaled = abs(eighths) * 10**places
                expected = (2 * scaled + 8) // 16
                if eighths < 0:
                    expected = -expected
                self.assertEqual(value(wire, 0, F32, places), expected, (eighths, places))


TABLES = (sdm630, dtsd1352, adw300, dtsu666)


class Maps(unittest.TestCase):
    def test_every_map_can_be_read(self):
        for table in TABLES:
            self.assertIn(table.FUNCTION, (READ_HOLDING, READ_INPUT))
            seen = []
            for register, count, rows in table.SPANS:
                self.assertTrue(0 < count <= modbus.REGISTERS_MAX)
                self.assertTrue(modbus.echo_is_plain(register, count))
                energy = rows[0][0] >= maps.IMPORT
                for quantity, first, kind, exponent in rows:
                    self.assertEqual(quantity >= maps.IMPORT, energy)
                    self.assertTrue(register <= first)
                    self.assertTrue(first + modbus.WIDTH[kind] <= register + count)
                    self.assertTrue(maps.PLACES[quantity] + exponent >= 0)
                    seen.append(quantity)
            self.assertEqual(len(set(seen)), len(seen))
            lengths = [span[1] for span in table.SPANS]
            self.assertEqual(len(set(lengths)), len(lengths))

    def test_registers_are_the_reference_s(self):
        """reference/shore-power.md §3.4, typed anew: quantity, register, kind, exponent."""
        f, u, i, d = F32, U16, I16, I32
        expected = (
            (
                "U_A 0 U_B 2 U_C 4 I_A 6 I_B 8 I_C A P_A C P_B E P_C 10 P 34 S 38 Q 3C PF 3E F 46 "
                "IMPORT 48 EXPORT 4A THD_A EA THD_B EC THD_C EE"
            ),
            (
                "U_A 61 U_B 62 U_C 63 I_A 64 I_B 65 I_C 66 F 77 P_A 164 P_B 166 P_C 168 P 16A "
                "Q 172 S 17A PF 17F IMPORT A EXPORT 14"
            ),
            (
                "U_A 14 U_B 15 U_C 16 I_A 1A I_B 1B I_C 1C P_A 1E P_B 20 P_C 22 P 24 "
                "IMPORT 3E EXPORT 40"
            ),
            (
                "U_A 2006 U_B 2008 U_C 200A I_A 200C I_B 200E I_C 2010 P 2012 P_A 2014 P_B 2016 "
                "P_C 2018 Q 201A PF 202A F 2044 IMPORT 101E EXPORT 1028"
            ),
        )
        for table, text in zip(TABLES, expected):
            words = text.split()
            wanted = {
                getattr(maps, words[n]): int(words[n + 1], 16) for n in range(0, len(words), 2)
            }
            rows = [row for span in table.SPANS for row in span[2]]
            self.assertEqual({row[0]: row[1] for row in rows}, wanted)
        kinds = {row[0]: row[2:] for span in dtsd1352.SPANS for row in span[2]}
        for names, kind in (("U_A U_B U_C", (u, -1)), ("I_A I_B I_C F", (u, -2)), ("PF", (i, -3))):
            for name in names.split():
                self.assertEqual(kinds[getattr(maps, name)], kind)
        for name, exponent in (("P", 0), ("P_A", 0), ("Q", 0), ("S", 0), ("IMPORT", -2)):
            self.assertEqual(kinds[getattr(maps, name)], (d, exponent))  # 0.001 kW, 0.01 kWh
        kinds = {row[0]: row[2:] for span in dtsu666.SPANS for row in span[2]}
        for name, exponent in (("U_A", -1), ("I_C", -3), ("P", -1), ("PF", -3), ("F", -2)):
            self.assertEqual(kinds[getattr(maps, name)], (f, exponent))
        self.assertEqual(kinds[maps.EXPORT], (f, 0))

    def test_word_order(self):
        """By the vectors of the reference: high word first; turned round with `low_first`."""
        energy = bytes.fromhex(EXCHANGES[2][2])[3:7]
        self.assertEqual(value(energy, 0, I32), 1234567)
        self.assertEqual(value(energy[2:] + energy[:2], 0, I32, 0, True), 1234567)
        volts = VOLTAGE[3:7]
        self.assertEqual(value(volts, 0, F32, 1), 2302)
        self.assertEqual(value(volts[2:] + volts[:2], 0, F32, 1, True), 2302)
        self.assertEqual(value(b"\x08\x98", 0, U16, 0, True), 2200)
        for table in TABLES:
            self.assertFalse(table.LOW_FIRST)

    def test_places(self):
        self.assertEqual(value(b"\x08\x98", 0, U16, 2), 220000)
        self.assertEqual(value(b"\xff\xff", 0, I16, 1), -10)
        self.assertEqual(value(b"\xff\xff\xff\xfe", 0, I32, 1), -20)


if __name__ == "__main__":
    unittest.main()

"""DL/T 645-2007: frames from public sources and field captures, fed in every way a line may."""

import unittest

from agent.meter import dlt645, maps, master
from agent.meter.maps.dlt645 import BITS, ROWS, SIGNED
from agent.meter.master import ANSWER, ERROR, IDLE, INCOMPLETE, WAITING

PILE = "202410010001"

# What, address, control, DATA without its 33h, and the frame. Public sources, checked by script.
FRAMES = """
read import | 000000000001 | 11 | 00 00 01 00
    68 01 00 00 00 00 00 68 11 04 33 33 34 33 B3 16
123456.78 kWh | 000000000001 | 91 | 00 00 01 00 78 56 34 12
    68 01 00 00 00 00 00 68 91 08 33 33 34 33 AB 89 67 45 17 16
read Ua | 123456789012 | 11 | 00 01 01 02
    68 12 90 78 56 34 12 68 11 04 33 34 34 35 6B 16
Ua | 000000000161 | 91 | 00 01 01 02 01 10
    68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16
Ia | 000000000161 | 91 | 00 01 02 02 99 49 00
    68 61 01 00 00 00 00 68 91 07 33 34 35 35 CC 7C 33 16 16
P | 000000000161 | 91 | 00 00 03 02 12 25 00
    68 61 01 00 00 00 00 68 91 07 33 33 36 35 45 58 33 6B 16
PF | 000000000161 | 91 | 00 00 06 02 01 05
    68 61 01 00 00 00 00 68 91 06 33 33 39 35 34 38 09 16
0.26 kWh | 000000000161 | 91 | 00 00 01 00 26 00 00 00
    68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16
no such data | 123456789012 | D1 | 02
    68 12 90 78 56 34 12 68 D1 01 35 8D 16
not authorised | 910004920760 | D1 | 04
    68 60 07 92 04 00 91 68 D1 01 37 67 16
read address | | 13 |
    68 AA AA AA AA AA AA 68 13 00 DF 16
address 1 | 000000000001 | 93 | 01 00 00 00 00 00
    68 01 00 00 00 00 00 68 93 06 34 33 33 33 33 33 9D 16
address 2 | 123456789012 | 93 | 12 90 78 56 34 12
    68 12 90 78 56 34 12 68 93 06 45 C3 AB 89 67 45 07 16
trip, 2018 | 111111111111 | 1C | 00 00 00 00 00 00 00 00 1A 00 24 41 15 12 05 18
    68 11 11 11 11 11 11 68 1C 10 33 33 33 33 33 33 33 33 4D 33 57 74 48 45 38 4B 55 16
tripped | 111111111111 | 9C |
    68 11 11 11 11 11 11 68 9C 00 D2 16
broadcast time | 999999999999 | 08 | 51 22 10 05 06 17
    68 99 99 99 99 99 99 68 08 06 84 55 43 38 39 4A 4B 16
read import 2 | 888888888888 | 11 | 00 00 01 00
    68 88 88 88 88 88 88 68 11 04 33 33 34 33 E2 16
read f | 202410010001 | 11 | 02 00 80 02
    68 01 00 01 10 24 20 68 11 04 35 33 B3 35 8B 16
50.02 Hz | 202410010001 | 91 | 02 00 80 02 02 50
    68 01 00 01 10 24 20 68 91 06 35 33 B3 35 35 83 C5 16
999999.97 kWh | 202410010001 | 91 | 00 00 01 00 97 99 99 99
    68 01 00 01 10 24 20 68 91 08 33 33 34 33 CA CC CC CC BA 16
U block | 202410010001 | 91 | 00 FF 01 02 98 22 01 23 89 22
    68 01 00 01 10 24 20 68 91 0A 33 32 34 35 CB 55 34 56 BC 55 4A 16
I block | 202410010001 | 91 | 00 FF 02 02 45 23 01 01 20 01 50 02 80
    68 01 00 01 10 24 20 68 91 0D 33 32 35 35 78 56 34 34 53 34 83 35 B3 BB 16
status word 3 | 202410010001 | 91 | 03 05 00 04 50 00
    68 01 00 01 10 24 20 68 91 06 36 38 33 37 83 33 4B 16
trip, 2026 | 202410010001 | 1C | 02 00 00 00 01 00 00 00 1A 00 59 59 23 31 12 26
    68 01 00 01 10 24 20 68 1C 10 35 33 33 33 34 33 33 33 4D 33 8C 8C 56 64 45 59 DD 16
permit, 2026 | 202410010001 | 1C | 02 00 00 00 01 00 00 00 1B 00 59 59 23 31 12 26
    68 01 00 01 10 24 20 68 1C 10 35 33 33 33 34 33 33 33 4E 33 8C 8C 56 64 45 59 DE 16
refused closing | 202410010001 | DC | 04
    68 01 00 01 10 24 20 68 DC 01 37 3A 16
read on | 202410010001 | 12 | 00 FF 00 00 01
    68 01 00 01 10 24 20 68 12 05 33 32 33 33 34 3C 16
"""

# Which of them answers which question, and the integer in the datum's own resolution.
ANSWERS = (
    ("123456.78 kWh", maps.IMPORT, 12345678),
    ("Ua", maps.U_A, 1001),
    ("Ia", maps.I_A, 4999),
    ("P", maps.P, 2512),
    ("PF", maps.PF, 501),
    ("0.26 kWh", maps.IMPORT, 26),
    ("50.02 Hz", maps.F, 5002),
    ("999999.97 kWh", maps.IMPORT, 99999997),
    ("status word 3", maps.STATUS, 0x0050),
)


def table():
    lines = FRAMES.strip().split("\n")
    for i in range(0, len(lines), 2):
        what, address, control, payload = [part.strip() for part in lines[i].split("|")]
        wire = bytes.fromhex(lines[i + 1].strip())
        yield what, wire, address, int(control, 16), bytes.fromhex(payload)


PUBLIC = {what: (wire, address) for what, wire, address, _control, _payload in table()}
FREQUENCY = PUBLIC["50.02 Hz"][0]


def frame(address, control, payload):
    """A frame written by other means than the codec under test."""
    body = [0x68] + [int(address[i : i + 2], 16) for i in range(10, -1, -2)] + [0x68, control]
    body += [len(payload)] + [(byte + 0x33) % 256 for byte in payload]
    body += [sum(body) % 256, 0x16]
    return bytes(body)


def row(quantity):
    """A quantity's own data identifier, bytes, kind and exponent."""
    for di, quantities, size, kind, exponent in ROWS:
        if quantity in quantities:
            at = bytes(quantities).index(bytes([quantity]))
            return quantity, di + at * 0x100, size, kind, exponent
    raise ValueError(quantity)


def asked(quantity, address=PILE, wakeups=4):
    """A master that waits for the answer to a read of `quantity`."""
    reading = dlt645.Master(dlt645.address(address), wakeups)
    reading.read(row(quantity)[1], row(quantity)[2])
    return reading


def value(reading, quantity):
    _quantity, _di, size, kind, _exponent = row(quantity)
    if kind == BITS:
        return dlt645.word(reading.rx, reading.at)
    return dlt645.number(reading.rx, reading.at, size, kind == SIGNED)


def feed(reading, *parts):
    result = WAITING
    for part in parts:
        result = reading.feed(part, len(part))
    return result


def byte_by_byte(wire):
    return [wire[i : i + 1] for i in range(len(wire))]


class Frames(unittest.TestCase):
    def test_public_frames_are_well_formed(self):
        for what, wire, address, control, payload in table():
            buf = bytearray(wire)
            self.assertEqual(dlt645.frame_at(buf, 0, len(buf)), len(buf), what)
            if address:
                self.assertEqual(dlt645.digits(buf[1:7]), address.encode(), what)
            self.assertEqual(buf[8], control, what)
            dlt645.decode(buf, 10, buf[9])
            self.assertEqual(bytes(buf[10:-2]), payload, what)

    def test_and_are_written_the_same(self):
        for what, wire, address, control, payload in table():
            buf = bytearray(64)
            number = dlt645.address(address) if address else b"\xaa" * 6
            end = dlt645.encode(buf, 2, number, control, payload)
            self.assertEqual(bytes(buf[2:end]), wire, what)

    def test_any_missing_byte_is_incomplete(self):
        for n in range(1, len(FREQUENCY)):
            self.assertEqual(dlt645.frame_at(FREQUENCY, 0, n), INCOMPLETE, n)

    def test_any_changed_bit_is_refused(self):
        for i in range(len(FREQUENCY)):
            for bit in range(8):
                buf = bytearray(FREQUENCY)
                buf[i] ^= 1 << bit
                self.assertTrue(dlt645.frame_at(buf, 0, len(buf)) <= 0, "%d, %d" % (i, bit))

    def test_length_has_a_bound(self):
        longest = frame(PILE, 0x91, bytes(200))
        self.assertEqual(dlt645.frame_at(longest, 0, len(longest)), 212)
        longer = frame(PILE, 0x91, bytes(201))
        self.assertEqual(dlt645.frame_at(longer, 0, len(longer)), ~master.BAD_LENGTH)

    def test_each_fault_has_its_reason(self):
        for i, reason in (
            (0, master.NOISE),
            (7, master.NOISE),
            (9, master.BAD_END),  # one byte of DATA less
            (16, master.BAD_SUM),
            (17, master.BAD_END),
        ):
            buf = bytearray(FREQUENCY)
            buf[i] -= 1
            self.assertEqual(dlt645.frame_at(buf, 0, len(buf)), ~reason, i)


class Numbers(unittest.TestCase):
    def test_numbers(self):
        for text, signed, expected in (
            ("0000", False, 0),
            ("0122", False, 2201),
            ("9999", False, 9999),
            ("99999999", False, 99999999),
            ("453401", True, 13445),
            ("500280", True, -250),
            ("000080", True, 0),
            ("999979", True, 799999),
            ("9999F9", True, -799999),
        ):
            wire = bytes.fromhex(text)
            self.assertEqual(dlt645.number(wire, 0, len(wire), signed), expected, text)

    def test_a_digit_above_nine_is_no_number(self):
        for text in ("FFFF", "0A00", "A000", "000A", "00A0", "0F10"):
            self.assertIsNone(dlt645.number(bytes.fromhex(text), 0, 2, False), text)
        for text in ("FFFFFF", "0000FF", "00008A", "A00000"):
            self.assertIsNone(dlt645.number(bytes.fromhex(text), 0, 3, True), text)

    def test_status_word(self):
        self.assertEqual(dlt645.word(b"\x10\x80", 0), 0x8010)
        self.assertIsNone(dlt645.word(b"\xff\xff", 0))

    def test_addresses(self):
        self.assertEqual(dlt645.address(PILE), bytes.fromhex("010001102420"))
        self.assertEqual(dlt645.digits(bytes.fromhex("010001102420")), b"202410010001")
        self.assertIsNone(dlt645.digits(b"\xaa" * 6))
        self.assertIsNone(dlt645.digits(b"\x0a" + bytes(5)))

    def test_bad_addresses_are_named(self):
        for text in (
            "",
            "12345678901",
            "1234567890123",
            "12345678901A",
            "-12345678901",
            202410010001,
        ):
            with self.assertRaises(ValueError) as caught:
                dlt645.address(text)
            self.assertIn("address: ", str(caught.exception))


class Requests(unittest.TestCase):
    def test_public_requests(self):
        for what, quantity in (
            ("read import", maps.IMPORT),
            ("read Ua", maps.U_A),
            ("read import 2", maps.IMPORT),
            ("read f", maps.F),
        ):
            wire, address = PUBLIC[what]
            for wakeups in range(5):
                reading = dlt645.Master(dlt645.address(address), wakeups)
                sent = reading.read(row(quantity)[1], row(quantity)[2])
                self.assertEqual(bytes(sent), b"\xfe" * wakeups + wire, what)

    def test_broadcast_time(self):
        reading = dlt645.Master(b"", 0)
        sent = reading.set_time(bytes.fromhex("51 22 10 05 06 17"))
        self.assertEqual(bytes(sent), PUBLIC["broadcast time"][0])

    def test_orders(self):
        """The public frames but for their expiry: ours has none."""
        for what, permit in (("trip, 2026", False), ("permit, 2026", True)):
            wire, address = PUBLIC[what]
            reading = dlt645.Master(dlt645.address(address), 0)
            sent = reading.switch(permit, b"\x02\0\0\0", b"\x01\0\0\0")
            self.assertEqual(bytes(sent[:20]), wire[:20])
            self.assertEqual(dlt645.frame_at(sent, 0, len(sent)), len(sent))
            self.assertEqual(feed(reading, frame(address, 0x9C, b"")), ANSWER)
            reading.switch(permit, b"\x02\0\0\0", b"\x01\0\0\0")
            self.assertEqual(feed(reading, PUBLIC["refused closing"][0]), ERROR)
            self.assertEqual(reading.error, 0x04)
        reading = dlt645.Master(dlt645.address("111111111111"), 0)
        sent = bytes(reading.switch(False, bytes(4), bytes(4)))
        self.assertEqual(sent[:20], PUBLIC["trip, 2018"][0][:20])
        self.assertEqual(feed(reading, PUBLIC["tripped"][0]), ANSWER)

    def test_read_address(self):
        reading = dlt645.Master(b"", 0)
        self.assertEqual(bytes(reading.read_address()), PUBLIC["read address"][0])
        answer = b"\xfe" * 7 + PUBLIC["address 2"][0]
        self.assertEqual(feed(reading, answer), ANSWER)
        self.assertEqual(dlt645.digits(reading.rx[reading.at : reading.at + 6]), b"123456789012")


class Answers(unittest.TestCase):
    def each(self):
        for what, quantity, expected in ANSWERS:
            wire, address = PUBLIC[what]
            yield wire, address, quantity, expected

    def check(self, reading, quantity, expected, *parts):
        self.assertEqual(feed(reading, *parts), ANSWER)
        self.assertEqual(value(reading, quantity), expected)
        self.assertEqual(reading.size, row(quantity)[2])
        self.assertFalse(reading.more)

    def test_whole_in_bytes_and_split_anywhere(self):
        for wire, address, quantity, expected in self.each():
            self.check(asked(quantity, address), quantity, expected, wire)
            self.check(asked(quantity, address), quantity, expected, *byte_by_byte(wire))
            for cut in range(1, len(wire)):
                reading = asked(quantity, address)
                self.check(reading, quantity, expected, wire[:cut], wire[cut:])
                self.assertEqual(sum(reading.counts), 0)

    def test_any_number_of_wake_up_bytes(self):
        for wire, address, quantity, expected in self.each():
            for n in range(10):
                reading = asked(quantity, address)
                self.check(reading, quantity, expected, *byte_by_byte(b"\xfe" * n + wire))
                self.assertEqual(reading.counts[master.WAKEUP], n)
                self.assertEqual(reading.bad, 0)

    def test_noise_before_and_after(self):
        for wire, address, quantity, expected in self.each():
            for noise in (b"\0", b"\xff\x16", b"\x68", b"\x68\x68", wire[:11], wire[5:]):
                reading = asked(quantity, address)
                self.check(reading, quantity, expected, *byte_by_byte(noise + wire))
                reading = asked(quantity, address)
                self.check(reading, quantity, expected, wire + noise)
                self.assertEqual(reading.counts[master.NOISE], len(noise))

    def test_corruption_is_never_an_answer(self):
        for wire, address, quantity, _expected in self.each():
            for i in range(len(wire)):
                bad = bytearray(wire)
                bad[i] ^= 0x10
                reading = asked(quantity, address)
                self.assertEqual(feed(reading, bad), WAITING, i)

    def test_and_the_next_good_frame_is_found_behind_it(self):
        for wire, address, quantity, expected in self.each():
            for i in range(len(wire)):
                bad = bytearray(wire)
                bad[i] ^= 0x01
                reading = asked(quantity, address)
                self.check(reading, quantity, expected, bad, *byte_by_byte(wire))
                self.assertTrue(sum(reading.counts) > 0, i)

    def test_wild_prefix_that_looks_like_a_long_frame(self):
        # Quoted in firmware: the good frame's first 68h is the second one of a frame of 148 bytes.
        address = "888888888888"
        wire = frame(address, 0x91, bytes.fromhex("00 00 01 00 78 56 34 12"))
        for prefix in (b"\x68\xfe\xfe\xfe\xfe\xfe\xfe", b"\x68" + bytes(6), b"\x68" * 7):
            for parts in ([prefix + wire], byte_by_byte(prefix + wire)):
                reading = asked(maps.IMPORT, address)
                self.check(reading, maps.IMPORT, 12345678, *parts)
                self.assertEqual(reading.counts[master.NOISE], 7)
                self.assertEqual(reading.bad, 0)

    def test_start_bytes_in_address_and_data(self):
        address = "686868686868"
        wire = frame(address, 0x91, bytes.fromhex("00 01 01 02 35 35"))
        self.assertEqual(wire.count(b"\x68"), 10)
        for cut in range(len(wire) + 1):
            for noise in (b"", b"\x68", b"\x68" * 9):
                reading = asked(maps.U_A, address)
                self.check(reading, maps.U_A, 3535, noise + wire[:cut], wire[cut:])

    def test_flood(self):
        reading = asked(maps.F)
        for flood in (b"\x68" * 1000, bytes(range(256)) * 8, b"\xfe" * 1000, bytes(1000)):
            self.assertEqual(feed(reading, flood), WAITING)
        self.check(reading, maps.F, 5002, FREQUENCY)

    def test_more_frames_follow(self):
        reading = asked(maps.F)
        self.assertEqual(feed(reading, frame(PILE, 0xB1, b"\x02\x00\x80\x02\x02\x50")), ANSWER)
        self.assertTrue(reading.more)

    def test_wildcard_accepts_any_meter(self):
        reading = dlt645.Master(b"\xaa" * 6)
        reading.read(0x02800002, 2)
        self.check(reading, maps.F, 5002, FREQUENCY)
        reading = dlt645.Master(bytes.fromhex("0100aaaaaaaa"))
        reading.read(0x02800002, 2)
        self.check(reading, maps.F, 5002, FREQUENCY)

    def test_nothing_asked(self):
        reading = dlt645.Master(dlt645.address(PILE))
        self.assertEqual(feed(reading, FREQUENCY), IDLE)
        self.assertEqual(reading.counts[master.NOISE], len(FREQUENCY))

    def test_a_request_forgets_what_came_before(self):
        reading = asked(maps.F)
        feed(reading, FREQUENCY[:12])
        reading.read(0x02800002, 2)
        self.assertEqual(feed(reading, FREQUENCY[12:]), WAITING)
        self.check(reading, maps.F, 5002, FREQUENCY)


class Blocks(unittest.TestCase):
    def values(self, what, di, size, each, signed):
        wire, address = PUBLIC[what]
        for parts in ([wire], byte_by_byte(b"\xfe" * 4 + wire)):
            reading = dlt645.Master(dlt645.address(address))
            reading.read(di, size)
            self.assertEqual(feed(reading, *parts), ANSWER)
            self.assertEqual(reading.size, size)
            yield [
                dlt645.number(reading.rx, reading.at + i, each, signed)
                for i in range(0, size, each)
            ]

    def test_voltages_and_currents(self):
        for volts in self.values("U block", 0x0201FF00, 6, 2, False):
            self.assertEqual(volts, [2298, 2301, 2289])
        for amperes in self.values("I block", 0x0202FF00, 9, 3, True):
            self.assertEqual(amperes, [12345, 12001, -250])

    def test_lists_have_whole_items(self):
        for size, result in ((4, ANSWER), (20, ANSWER), (196, ANSWER), (0, WAITING), (6, WAITING)):
            reading = dlt645.Master(dlt645.address(PILE))
            reading.read(0x0001FF00, 20, 4)
            wire = frame(PILE, 0x91, b"\x00\xff\x01\x00" + bytes(size))
            self.assertEqual(feed(reading, wire), result, size)
            self.assertEqual(reading.counts[master.BAD_LENGTH], 0 if result == ANSWER else 1)


class FollowUps(unittest.TestCase):
    def test_request(self):
        reading = dlt645.Master(dlt645.address(PILE), 0)
        reading.read(0x0000FF00, 20, 4)
        self.assertEqual(bytes(reading.read_next(1)), PUBLIC["read on"][0])

    def asked_on(self, number):
        reading = dlt645.Master(dlt645.address(PILE))
        reading.read(0x0000FF00, 20, 4)
        first = frame(PILE, 0xB1, b"\x00\xff\x00\x00" + bytes(8))
        self.assertEqual(feed(reading, first), ANSWER)
        self.assertTrue(reading.more)
        self.assertEqual(reading.size, 8)
        reading.read_next(number)
        return reading

    def test_answers(self):
        for number in (1, 2, 0x33, 0xCD, 255):
            for control in (0x92, 0xB2):
                data = b"\x00\xff\x00\x00\x01\x02\x03\x04" + bytes([number])
                reading = self.asked_on(number)
                self.assertEqual(feed(reading, *byte_by_byte(frame(PILE, control, data))), ANSWER)
                self.assertEqual(reading.more, control == 0xB2)
                self.assertEqual(reading.rx[reading.at : reading.at + reading.size], b"\1\2\3\4")

    def test_others_are_refused(self):
        for control, data, reason in (
            (0x92, b"\x00\xff\x00\x00\x01\x01", master.LATE),  # the frame before
            (0x92, b"\x00\xff\x00\x00\x01\x03", master.LATE),
            (0x92, b"\x00\xff\x01\x00\x01\x02", master.LATE),  # another datum
            (0x92, b"\x00\xff\x00\x00\x02", master.BAD_LENGTH),  # nothing in it
            (0x92, b"\x00\xff\x00", master.LATE),
            (0x91, b"\x00\xff\x00\x00\x01\x02", master.OTHER_FUNCTION),
            (0xB1, b"\x00\xff\x00\x00\x01\x02", master.OTHER_FUNCTION),
        ):
            reading = self.asked_on(2)
            self.assertEqual(feed(reading, frame(PILE, control, data)), WAITING, data)
            self.assertEqual(reading.counts[reason], 1, (control, data))
            good = frame(PILE, 0x92, b"\x00\xff\x00\x00\x01\x02")
            self.assertEqual(feed(reading, good), ANSWER)

    def test_a_refusal(self):
        reading = self.asked_on(1)
        self.assertEqual(feed(reading, frame(PILE, 0xD2, b"\x01")), ERROR)
        self.assertEqual(reading.error, 0x01)


class NotTheAnswer(unittest.TestCase):
    def refused(self, reading, wire, reason):
        """The frame is counted once, for this reason, and the answer behind it is found."""
        self.assertEqual(feed(reading, *byte_by_byte(wire)), WAITING)
        self.assertEqual(reading.counts[reason], 1)
        self.assertEqual(reading.bad, 0 if reason == master.ECHO else 1)
        self.assertEqual(feed(reading, FREQUENCY), ANSWER)
        self.assertEqual(value(reading, maps.F), 5002)

    def test_refusals_carry_their_bits(self):
        for what, bits in (("no such data", 0x02), ("not authorised", 0x04)):
            wire, address = PUBLIC[what]
            for parts in ([wire], byte_by_byte(b"\xfe" * 4 + wire)):
                reading = asked(maps.F, address)
                self.assertEqual(feed(reading, *parts), ERROR)
                self.assertEqual(reading.error, bits)
                self.assertEqual(reading.counts[master.ERROR_ANSWER], 1)
        reading = asked(maps.F)
        self.assertEqual(feed(reading, frame(PILE, 0xD1, b"\x7f")), ERROR)
        self.assertEqual(reading.error, 0x7F)
        reading = asked(maps.F)
        self.assertEqual(feed(reading, frame(PILE, 0xD1, b"")), ERROR)
        self.assertEqual(reading.error, 0)

    def test_echo_of_our_request(self):
        for wakeups in range(5):
            reading = asked(maps.F, PILE, wakeups)
            echo = b"\xfe" * wakeups + PUBLIC["read f"][0]
            self.refused(reading, echo, master.ECHO)

    def test_late_answer_to_an_earlier_question(self):
        late = frame(PILE, 0x91, bytes.fromhex("00 00 06 02 01 05"))  # the same length
        self.refused(asked(maps.F), late, master.LATE)
        self.refused(asked(maps.F), PUBLIC["999999.97 kWh"][0], master.LATE)
        self.refused(asked(maps.F), frame(PILE, 0x91, b"\x02\x00\x80"), master.LATE)

    def test_another_meter(self):
        other = frame("202410010002", 0x91, bytes.fromhex("02 00 80 02 02 50"))
        self.refused(asked(maps.F), other, master.OTHER_ADDRESS)
        refusal = frame("202410010002", 0xD1, b"\x02")
        self.refused(asked(maps.F), refusal, master.OTHER_ADDRESS)

    def test_another_function(self):
        for control in (0x92, 0x94, 0x9C, 0x11, 0x13, 0xDC):
            wire = frame(PILE, control, bytes.fromhex("02 00 80 02 02 50"))
            self.refused(asked(maps.F), wire, master.OTHER_FUNCTION)

    def test_another_length_of_the_same_datum(self):
        for payload in ("02 00 80 02", "02 00 80 02 50", "02 00 80 02 02 50 00"):
            wire = frame(PILE, 0x91, bytes.fromhex(payload))
            self.refused(asked(maps.F), wire, master.BAD_LENGTH)

    def test_longer_than_allowed(self):
        self.refused(asked(maps.F), frame(PILE, 0x91, bytes(201))[:10], master.BAD_LENGTH)

    def test_address_of_the_wrong_length(self):
        reading = dlt645.Master(b"")
        reading.read_address()
        self.assertEqual(feed(reading, frame(PILE, 0x93, b"\x01")), WAITING)
        self.assertEqual(reading.counts[master.BAD_LENGTH], 1)


class WrongInPublic(unittest.TestCase):
    """What circulates as DL/T 645 and is not."""

    def test_frequency_request_with_a_wrong_sum(self):
        wire = bytearray.fromhex("68 16 00 00 00 15 20 68 11 04 35 33 B3 35 85 16")
        self.assertEqual(dlt645.frame_at(wire, 0, len(wire)), ~master.BAD_SUM)
        wire[14] = 0x80
        self.assertEqual(dlt645.frame_at(wire, 0, len(wire)), len(wire))

    def test_meanings_and_units(self):
        # A gateway's manual has 00010000 for export, 04000501 for the relay, and power in watts.
        self.assertEqual(row(maps.IMPORT)[1], 0x00010000)
        self.assertEqual(row(maps.EXPORT)[1], 0x00020000)
        self.assertEqual(row(maps.STATUS)[1], 0x04000503)
        reading = asked(maps.P, "000000000161")
        feed(reading, PUBLIC["P"][0])
        self.assertEqual((value(reading, maps.P), row(maps.P)[4]), (2512, -1))  # 251.2 W

    def test_error_is_a_mask(self):
        # A mock server says 03 for "no such data", which is 02: here it also means "other".
        reading = asked(maps.F)
        self.assertEqual(feed(reading, frame(PILE, 0xD1, b"\x03")), ERROR)
        self.assertEqual(reading.error, 0x01 | 0x02)

    def test_control_codes_of_1997(self):
        # A library reads with C=01 and answers with 81 and an identifier of six bytes.
        wire = frame(PILE, 0x81, bytes.fromhex("02 00 80 02 00 00 02 50"))
        reading = asked(maps.F)
        self.assertEqual(feed(reading, wire), WAITING)
        self.assertEqual(reading.counts[master.OTHER_FUNCTION], 1)

    def test_broadcast_time_is_offset_too(self):
        wire = frame(
            "999999999999", 0x08, bytes((b - 0x33) & 0xFF for b in b"\x51\x22\x10\5\6\x17")
        )
        buf = bytearray(wire)
        dlt645.decode(buf, 10, 6)
        self.assertIsNone(dlt645.number(buf, 10, 6, False))
        buf = bytearray(PUBLIC["broadcast time"][0])
        dlt645.decode(buf, 10, 6)
        self.assertEqual(dlt645.number(buf, 10, 6, False), 170605102251)


if __name__ == "__main__":
    unittest.main()

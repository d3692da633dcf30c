"""Sentences from bytes in any chunks, and their fields as integers."""

import unittest

from sentences import sealed

from agent.errors import LocalError
from agent.sense.nmea import SENTENCE_MAX, Assembler
from agent.sense.sentence import FIELDS_MAX, FieldError

A = sealed(b"GPGGA,1")
B = sealed(b"AIVDM,1,1,,A,0,0", b"!")

# Bytes, the address and first field of each good sentence in them, and bad_checksum, overlong,
# malformed.
STREAMS = (
    (b"", (), (0, 0, 0)),
    (A, ("GPGGA 1",), (0, 0, 0)),
    (A + B, ("GPGGA 1", "AIVDM 1"), (0, 0, 0)),
    # Line ends: missing CR, missing LF, missing both, several.
    (A[:-2] + b"\n" + B[:-1] + A[:-2] + B, ("GPGGA 1", "AIVDM 1") * 2, (0, 0, 0)),
    (b"\r\n\n" + A + b"\r\r\n" + B, ("GPGGA 1", "AIVDM 1"), (0, 0, 0)),
    # TAG blocks, one sentence behind another's, and what a logger writes behind the checksum.
    (b"\\g:1-2-73874,n:157036,s:r003669945,c:1241544035*4A\\" + B, ("AIVDM 1",), (0, 0, 0)),
    (b"\\s:2573535,c:1671533231*08\\" + B + b"\\c:1*52\\" + B, ("AIVDM 1",) * 2, (0, 0, 0)),
    (B[:-2] + b",b003660465\r\n" + A, ("AIVDM 1", "GPGGA 1"), (0, 0, 0)),
    # Noise between sentences: NUL, bytes from 0x80 on, text, half a checksum.
    (b"\x00\x00\xff\xfe" + A + b"\x80*4\x00" + B, ("GPGGA 1", "AIVDM 1"), (0, 0, 0)),
    (b"# comment, with * and , in it\n" + A, ("GPGGA 1",), (0, 0, 0)),
    # As recorded: BeiDou short message terminals; the fourth was published with a wrong checksum.
    (b"$CCICA,0,00*7B\r\n$BDFKI,082920,TCQ,Y,0,0*70\r\n", ("CCICA 0", "BDFKI 082920"), (0, 0, 0)),
    (b"$BDICI,0242286,00242286,0000011,6,60,3,N,0*38\r\n", ("BDICI 0242286",), (0, 0, 0)),
    (
        b"$CCTXA,0242407,1,2,A4B9E3D6DDBAA3C1C4BFC6BCBCD3D0CFDEB9ABCBBE*0F\r\n",
        ("CCTXA 0242407",),
        (0, 0, 0),
    ),
    (b"$CCTXA,0242286,1,1,A468656C6C6FB1B1B6B7*7F\r\n", (), (1, 0, 0)),
    # Blanks and lower case, also in the checksum.
    (sealed(b"GPTXT,J k").replace(b"\r", b""), ("GPTXT J k",), (0, 0, 0)),
    (b"$GPGGA,a*1b\r\n", ("GPGGA a",), (0, 0, 0)),
    # A wrong checksum, none, half a one, one that is no number.
    (b"$GPGGA,1*00\r\n" + A, ("GPGGA 1",), (1, 0, 0)),
    (b"$GPGGA,1\r\n" + A, ("GPGGA 1",), (0, 0, 1)),
    (A[:-3] + b"\r\n" + A, ("GPGGA 1",), (0, 0, 1)),
    (b"$GPGGA,1*G0\r\n" + A, ("GPGGA 1",), (0, 0, 1)),
    # A new start in mid-sentence, in the address, in the checksum.
    (b"$GPGGA,12" + A, ("GPGGA 1",), (0, 0, 1)),
    (b"$$!$" + A, ("GPGGA 1",), (0, 0, 4)),
    (A[:-3] + A + A[:-4] + B, ("GPGGA 1", "AIVDM 1"), (0, 0, 2)),
    # An unprintable byte inside.
    (b"$GPG\x00GA,1*56\r\n" + A, ("GPGGA 1",), (0, 0, 1)),
    (b"$GPGGA,\x801*56\r\n" + A, ("GPGGA 1",), (0, 0, 1)),
    (b"$GPGGA,\x7f1*56\r\n" + A, ("GPGGA 1",), (0, 0, 1)),
    # No address.
    (b"$*00\r\n" + A, ("GPGGA 1",), (0, 0, 1)),
    (sealed(b",1") + A, ("GPGGA 1",), (0, 0, 1)),
    # The longest, the next longer, the most fields, one field more.
    (sealed(b"X," + b"1" * (SENTENCE_MAX - 2)) + A, ("X " + "1" * 254, "GPGGA 1"), (0, 0, 0)),
    (sealed(b"X," + b"1" * (SENTENCE_MAX - 1)) + A, ("GPGGA 1",), (0, 1, 0)),
    (sealed(b"X" + b",1" * FIELDS_MAX) + A, ("X 1", "GPGGA 1"), (0, 0, 0)),
    (sealed(b"X" + b",1" * (FIELDS_MAX + 1)) + A, ("GPGGA 1",), (0, 1, 0)),
)


def read(chunks):
    """Return the sentences in `chunks` and the counters, as a row of STREAMS has them."""
    assembler = Assembler()
    found = []
    for chunk in chunks:
        assembler.feed(chunk, len(chunk))
        while True:
            sentence = assembler.next_sentence()
            if sentence is None:
                break
            found.append(str(sentence.copy(0) + b" " + sentence.copy(1), "ascii"))
    if assembler.lines != len(found):
        raise AssertionError("lines is %d" % assembler.lines)
    return tuple(found), (assembler.bad_checksum, assembler.overlong, assembler.malformed)


class Streams(unittest.TestCase):
    def test_whole(self):
        for data, found, counters in STREAMS:
            self.assertEqual(read((data,)), (found, counters), repr(data))

    def test_byte_by_byte(self):
        for data, found, counters in STREAMS:
            chunks = [data[i : i + 1] for i in range(len(data))]
            self.assertEqual(read(chunks), (found, counters), repr(data))

    def test_split_at_every_offset(self):
        for data, found, counters in STREAMS:
            for i in range(len(data)):
                self.assertEqual(read((data[:i], data[i:])), (found, counters), repr(data[:i]))

    def test_any_flipped_bit_costs_one_sentence_at_most(self):
        for i in range(len(A)):
            for bit in range(8):
                hit = bytearray(B + A + B)
                hit[len(B) + i] ^= 1 << bit
                found, counters = read((hit,))
                self.assertEqual(found[0], "AIVDM 1")
                self.assertEqual(found[-1], "AIVDM 1")
                # What is lost is counted, unless the start is gone: then there was no sentence.
                if i and i < len(A) - 2 and len(found) < 3:
                    self.assertTrue(sum(counters) > 0, repr(hit))

    def test_buffer_is_read_in_place_to_n(self):
        buf = bytearray(A + A)
        assembler = Assembler()
        assembler.feed(memoryview(buf), len(A))
        self.assertTrue(assembler.next_sentence() is not None)
        self.assertTrue(assembler.next_sentence() is None)

    def test_feeding_before_all_is_read_is_refused(self):
        assembler = Assembler()
        assembler.feed(A + A, 2 * len(A))
        assembler.next_sentence()
        with self.assertRaises(LocalError):
            assembler.feed(A, len(A))

    def test_own_limit(self):
        assembler = Assembler(7)
        data = A + sealed(b"GPGGA,12") + A
        assembler.feed(data, len(data))
        while assembler.next_sentence() is not None:
            pass
        self.assertEqual((assembler.lines, assembler.overlong, assembler.bad), (2, 1, 1))


def one(*fields):
    """Return a sentence with these data fields."""
    data = sealed(b"GPXYZ," + b",".join(fields))
    assembler = Assembler()
    assembler.feed(data, len(data))
    return assembler.next_sentence()


# Field, places, value; None where the field is refused.
DECIMALS = (
    (b"0", 0, 0),
    (b"12.345", 2, 1235),  # halves away from zero
    (b"-12.345", 2, -1235),
    (b"12.344999", 2, 1234),
    (b"12.3", 2, 1230),
    (b"12", 2, 1200),
    (b"12.", 1, 120),
    (b".5", 1, 5),
    (b"-.5", 0, -1),
    (b"+7.25", 1, 73),
    (b"0.49999", 0, 0),
    (b"99.995", 2, 10000),
    (b"000012.5", 1, 125),
    (b"1073741808", 0, 1073741808),
    (b"107374182.4", 1, None),
    (b"99999999999999999999", 0, None),
    (b"123456789", 3, None),
    (b"-", 0, None),
    (b".", 0, None),
    (b"+-1", 0, None),
    (b"1.2.3", 2, None),
    (b"1e3", 0, None),
    (b"1 2", 0, None),
    (b" 1", 0, None),
    (b"A", 0, None),
    (b"1-", 0, None),
)

# Latitude or longitude with its hemisphere; None where it is refused.
ANGLES = (
    (b"4739.71890", b"N", 47661982),
    (b"12219.58362", b"W", -122326394),
    (b"0000.0000", b"S", 0),
    (b"0000.00003", b"N", 1),  # half of a millionth rounds away from zero
    (b"0000.00003", b"S", -1),
    (b"0000.0000299999", b"N", 0),
    (b"0214.4100001", b"S", -2240167),
    (b"9000.0000", b"N", 90000000),
    (b"18000.000", b"E", 180000000),
    (b"5959.9999999", b"N", 60000000),
    (b"214", b"N", 2233333),
    (b"9000.0001", b"N", None),
    (b"18000.0001", b"E", None),
    (b"4760.0", b"N", None),
    (b"-0214.41", b"N", None),
    (b"4739.71890", b"", None),
    (b"4739.71890", b"X", None),
    (b"4739.71890", b"n", None),
    (b"4739.71890", b"NN", None),
    (b"", b"N", None),
    (b"47.39.7", b"N", None),
    (b"999999.0", b"N", None),
)

TIMES = (
    (b"000000", 0),
    (b"235959.999", 86399999),
    (b"235960.999", 86400999),
    (b"055234.2", 21154200),
    (b"120059.9996", 43260000),
    (b"", None),
)


class Fields(unittest.TestCase):
    def test_address(self):
        sentence = one(b"1", b"", b"3")
        self.assertEqual(sentence.fields, 3)
        self.assertEqual((sentence.talker, sentence.type), (0x4750, 0x58595A))
        self.assertTrue(sentence.equals(0, b"GPXYZ"))
        self.assertEqual(sentence.copy(3), b"3")

    def test_an_address_of_other_length_has_no_talker(self):
        data = sealed(b"PUBX,00") + sealed(b"PSRFEPE,1")
        assembler = Assembler()
        assembler.feed(data, len(data))
        for text in (b"PUBX", b"PSRFEPE"):
            sentence = assembler.next_sentence()
            self.assertEqual((sentence.talker, sentence.type), (0, 0))
            self.assertTrue(sentence.equals(0, text))
            self.assertFalse(sentence.equals(0, text[:-1]))
            self.assertFalse(sentence.equals(0, text[:-1] + b"x"))

    def test_empty_and_missing_fields_read_alike(self):
        sentence = one(b"", b"2")
        for i in (1, 3, 60):
            self.assertTrue(sentence.is_empty(i))
            self.assertEqual(sentence.integer(i), None)
            self.assertEqual(sentence.hexadecimal(i), None)
            self.assertEqual(sentence.decimal(i, 2), None)
            self.assertEqual(sentence.time_of_day_ms(i), None)
            self.assertEqual(sentence.char(i), 0)
            self.assertEqual(sentence.copy(i), b"")
        self.assertFalse(sentence.is_empty(2))

    def test_decimal(self):
        for field, places, value in DECIMALS:
            sentence = one(field)
            if value is None:
                with self.assertRaises(FieldError):
                    sentence.decimal(1, places)
            else:
                self.assertEqual(sentence.decimal(1, places), value, repr(field))

    def test_integer(self):
        self.assertEqual(one(b"08").integer(1), 8)
        self.assertEqual(one(b"-01").integer(1), -1)
        for field in (b"1.0", b"1.", b"x", b"1F"):
            with self.assertRaises(FieldError):
                one(field).integer(1)

    def test_hexadecimal(self):
        self.assertEqual(one(b"1f").hexadecimal(1), 31)
        self.assertEqual(one(b"E4").hexadecimal(1), 0xE4)
        for field in (b"-1", b"G", b"1.5", b"FFFFFFFF"):
            with self.assertRaises(FieldError):
                one(field).hexadecimal(1)

    def test_char(self):
        self.assertEqual(one(b"A").char(1), 65)
        with self.assertRaises(FieldError):
            one(b"AA").char(1)

    def test_coordinates(self):
        for field, side, value in ANGLES:
            sentence = one(field, side)
            read_it = sentence.longitude_e6 if side in (b"E", b"W") else sentence.latitude_e6
            if value is None:
                with self.assertRaises(FieldError):
                    read_it(1)
            else:
                self.assertEqual(read_it(1), value, repr(field))

    def test_a_longitude_is_no_latitude(self):
        with self.assertRaises(FieldError):
            one(b"4739.7", b"E").latitude_e6(1)
        with self.assertRaises(FieldError):
            one(b"4739.7", b"N").longitude_e6(1)

    def test_time_of_day(self):
        for field, value in TIMES:
            self.assertEqual(one(field).time_of_day_ms(1), value, repr(field))
        for field in (b"240000", b"126000", b"120061", b"-10000", b"12:00:00"):
            with self.assertRaises(FieldError):
                one(field).time_of_day_ms(1)

    def test_an_error_names_sentence_and_field(self):
        try:
            one(b"1", b"x").integer(2)
        except FieldError as error:
            self.assertEqual((error.code, error.detail), ("number", "field 2 of GPXYZ"))


if __name__ == "__main__":
    unittest.main()

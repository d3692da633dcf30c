"""AIS sentences: parts, counters, the queue; and what bad input gets."""

import unittest

from sentences import sealed

from agent.sense.ais import AIS
from agent.sense.ais_parts import EXPIRY_MS
from agent.sense.nmea import Assembler
from agent.wire import schema

SHIP = b"AIVDM,1,1,,A,15RTgt0PAso;90TKcjM8h6g208CQ,0"
SHIP_MMSI = 371798000

# One message 5 in two parts, on channel A with id 1; another, of channel B with id 6.
FIVE = (
    b"AIVDM,2,1,1,A,55?MbV02;H;s<HtKR20EHE:0@T4@Dn2222222216L961O5Gf0NSQEp6ClRp8,0",
    b"AIVDM,2,2,1,A,88888888880,2",
)
FIVE_MMSI = 351759000
OTHER = (
    b"AIVDM,2,1,6,B,542M92h00001@<7;?G0PD4i@R0<tqA8tj37>220o0h:2240Ht50000000000,0",
    b"AIVDM,2,2,6,B,00000000000,2",
)
OTHER_MMSI = 271010059


class Case(unittest.TestCase):
    def setUp(self):
        self.ais = AIS()
        self.assembler = Assembler()

    def take(self, *bodies, now_ms=0):
        """Feed sentences at one time; each must be taken."""
        for body in bodies:
            data = sealed(body, b"!")
            self.assembler.feed(data, len(data))
            sentence = self.assembler.next_sentence()
            self.assertTrue(sentence is not None, repr(body))
            self.assertTrue(self.ais.take(sentence, now_ms), repr(body))
            self.assertTrue(self.assembler.next_sentence() is None)

    def mmsis(self):
        """Fetch all reports; return their stations."""
        found = []
        while True:
            report = self.ais.next_report()
            if report is None:
                return found
            found.append(report[1][0 if report[0] == schema.AIS_ATON else 1])


class Sentences(Case):
    def test_any_talker(self):
        for talker in (b"AI", b"AB", b"BS", b"SS", b"BY", b"AN", b"AR", b"AX", b"SA", b"--"):
            self.take(talker + SHIP[2:])
        self.assertEqual(self.mmsis(), [SHIP_MMSI] * 10)
        self.assertEqual((self.ais.ships, self.ais.counts[1]), (10, 10))

    def test_other_sentences_are_not_taken(self):
        for body in (b"GPGGA,1", b"AIVSI,1", b"AIABM,1,1,0,1,1,6,0,0", b"PGHP,1"):
            data = sealed(body, b"!")
            self.assembler.feed(data, len(data))
            self.assertFalse(self.ais.take(self.assembler.next_sentence(), 0))
            self.assertTrue(self.assembler.next_sentence() is None)
        self.assertEqual(self.ais.bad, 0)

    def test_any_channel_or_none(self):
        for channel in (b"A", b"B", b"1", b"2", b"", b"0", b"C"):
            self.take(SHIP.replace(b",A,", b"," + channel + b","))
        self.assertEqual(self.ais.ships, 7)

    def test_fill_left_empty(self):
        self.take(SHIP[:-1])
        self.assertEqual(self.mmsis(), [SHIP_MMSI])

    def test_own_messages_are_told_apart_and_counted_apart(self):
        self.take(SHIP, SHIP.replace(b"VDM", b"VDO"))
        owns = []
        while self.ais.next_report() is not None:
            owns.append(self.ais.own)
        self.assertEqual(owns, [False, True])
        self.assertEqual((self.ais.ships, self.ais.owns, self.ais.counts[1]), (1, 1, 1))

    def test_bad_sentences(self):
        bodies = (
            b"AIVDM",
            b"AIVDM,,,,,,",
            SHIP.replace(b"1,1,", b"0,1,"),
            SHIP.replace(b"1,1,", b"1,0,"),
            SHIP.replace(b"1,1,", b"1,2,"),
            SHIP.replace(b"1,1,", b"x,1,"),
            SHIP.replace(b"1,1,", b"10,1,"),
            SHIP.replace(b"1,1,", b"1.0,1,"),
            SHIP[:-1] + b"6",
            SHIP[:-1] + b"-1",
            SHIP.replace(b"15RT", b"15R "),
            SHIP.replace(b"15RT", b"15RX"),
            SHIP.replace(b"15RT", b"15R_"),
            SHIP.replace(b"15RT", b"15Rx"),
            SHIP.replace(b"15RT", b"15R/"),
            SHIP.replace(b"15RTgt0PAso;90TKcjM8h6g208CQ", b""),
            FIVE[0].replace(b"2,1,1", b"2,1,x"),
            FIVE[0].replace(b"2,1,1", b"2,1,10"),
            FIVE[0].replace(b",A,", b",AA,"),
            FIVE[0][:-1] + b"2",
            FIVE[1].replace(b"88888888880", b""),
            FIVE[1].replace(b"88888888880", b"8888888888x"),
        )
        for count, body in enumerate(bodies):
            self.take(b"AIVDM,1,1,,A,80000,0", body)
            self.assertEqual((self.ais.bad, self.ais.others), (count + 1, count + 1), repr(body))
        self.assertEqual((sum(self.ais.counts), self.ais.torn), (len(bodies), 0))
        self.assertEqual(self.mmsis(), [])

    def test_every_armour_character(self):
        good = b"0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVW`abcdefghijklmnopqrstuvw"
        self.assertEqual(len(good), 64)
        for c in range(0x20, 0x7F):
            if c not in b"!$*,":
                self.ais = AIS()
                self.take(SHIP.replace(b"15RT", b"15R" + bytes([c])))
                self.assertEqual((self.ais.ships, self.ais.bad), (1, 0) if c in good else (0, 1))


class Lengths(Case):
    def counted(self, payload, fill):
        """Return (good messages, bad ones) of one sentence."""
        self.ais = AIS()
        self.take(b"AIVDM,1,1,,A," + payload + b",%d" % fill)
        return sum(self.ais.counts), self.ais.bad

    def test_shortest_of_each_type(self):
        # The type's character, and the shortest length in bits that is read.
        for first, bits in ((b"1", 168), (b"2", 168), (b"3", 168), (b"4", 168), (b"5", 420),
                            (b"B", 168), (b"C", 312), (b"E", 272), (b"H", 160), (b"K", 96)):  # fmt: skip
            chars = (bits + 5) // 6
            payload = first + b"0" * (chars - 1)
            self.assertEqual(self.counted(payload, 6 * chars - bits), (1, 0), repr(first))
            if 6 * chars - bits < 5:
                self.assertEqual(self.counted(payload, 6 * chars - bits + 1), (0, 1), repr(first))
            self.assertEqual(self.counted(payload[:-1], 0), (0, 1), repr(first))
            self.assertEqual(self.counted(payload + b"0" * 40, 0), (1, 0), repr(first))

    def test_24_b_is_longer_than_24_a(self):
        self.assertEqual(self.counted(b"H00000" + b"0" * 21, 2), (1, 0))
        self.assertEqual(self.counted(b"H000004" + b"0" * 21, 0), (1, 0))
        self.assertEqual(self.counted(b"H000004" + b"0" * 20, 2), (0, 1))
        for part in (b"8", b"<"):
            self.assertEqual(self.counted(b"H00000" + part + b"0" * 21, 0), (0, 1))

    def test_types_that_are_counted_only(self):
        for first in b"6789:;<=>?@ADFGIJ":
            self.assertEqual(self.counted(bytes([first]), 0), (1, 0))
            self.assertEqual(self.ais.others, 1)
            self.assertEqual(self.mmsis(), [])

    def test_types_without_meaning(self):
        self.assertEqual(self.counted(b"0" * 28, 0), (0, 1))
        self.assertEqual(self.counted(b"L" + b"0" * 27, 0), (0, 0))
        self.assertEqual(self.ais.others, 1)


class PartsOfMessages(Case):
    def test_in_order(self):
        self.take(*FIVE)
        self.assertEqual(self.mmsis(), [FIVE_MMSI])
        self.assertEqual((self.ais.statics, self.ais.counts[5], self.ais.torn), (1, 1, 0))

    def test_out_of_order(self):
        self.take(FIVE[1], FIVE[0])
        report = self.ais.next_report()
        self.assertEqual((report[0], report[1][1]), (schema.AIS_STATIC, FIVE_MMSI))
        self.assertEqual((report[1][5], report[1][14]), (b"EVER DIADEM", b"NEW YORK"))

    def test_interleaved(self):
        self.take(FIVE[0], OTHER[0], SHIP, OTHER[1], FIVE[1])
        self.assertEqual(self.mmsis(), [SHIP_MMSI, OTHER_MMSI, FIVE_MMSI])
        self.assertEqual((self.ais.torn, self.ais.bad), (0, 0))

    def test_channels_keep_equal_ids_apart(self):
        other = [part.replace(b",6,B,", b",1,B,") for part in OTHER]
        self.take(FIVE[0], other[0], FIVE[1], other[1])
        self.assertEqual(self.mmsis(), [FIVE_MMSI, OTHER_MMSI])

    def test_talkers_and_own_messages_keep_equal_ids_apart(self):
        for source in (b"BSVDM", b"AIVDO"):
            other = [part.replace(b",6,B,", b",1,A,").replace(b"AIVDM", source) for part in OTHER]
            self.take(FIVE[0], other[0], FIVE[1], other[1])
            self.assertEqual(self.mmsis(), [FIVE_MMSI, OTHER_MMSI])
        self.assertTrue(self.ais.own)

    def test_without_a_sequential_id(self):
        self.take(*[part.replace(b",1,A,", b",,A,") for part in FIVE])
        self.assertEqual(self.mmsis(), [FIVE_MMSI])

    def test_a_repeated_part_is_ignored(self):
        self.take(FIVE[0], FIVE[0], FIVE[1])
        self.assertEqual(self.mmsis(), [FIVE_MMSI])
        self.assertEqual((self.ais.torn, self.ais.statics), (0, 1))

    def test_the_same_id_for_another_message_gives_the_first_up(self):
        other = [part.replace(b",6,B,", b",1,A,") for part in OTHER]
        self.take(FIVE[0], *other)
        self.assertEqual(self.mmsis(), [OTHER_MMSI])
        self.assertEqual(self.ais.torn, 1)

    def test_expiry(self):
        self.take(FIVE[0], now_ms=100)
        self.take(FIVE[1], now_ms=100 + EXPIRY_MS)
        self.assertEqual(self.mmsis(), [FIVE_MMSI])
        self.take(FIVE[0], now_ms=5000)
        self.take(FIVE[1], now_ms=5001 + EXPIRY_MS)
        self.assertEqual(self.mmsis(), [])
        self.assertEqual(self.ais.torn, 1)
        self.ais.poll(5002 + 2 * EXPIRY_MS)
        self.assertEqual(self.ais.torn, 2)

    def test_too_many_open_give_up_the_oldest(self):
        for i in range(5):
            self.take(FIVE[0].replace(b",1,A,", b",%d,A," % i), now_ms=i)
        self.assertEqual(self.ais.torn, 1)
        self.take(FIVE[1].replace(b",1,A,", b",4,A,"), now_ms=10)
        self.take(FIVE[1].replace(b",1,A,", b",1,A,"), now_ms=10)
        self.take(FIVE[1].replace(b",1,A,", b",0,A,"), now_ms=10)
        self.assertEqual(self.mmsis(), [FIVE_MMSI] * 2)

    def test_nine_parts_in_any_order(self):
        payload = FIVE[0].split(b",")[5] + FIVE[1].split(b",")[5]
        parts = [payload[i : i + 8] for i in range(0, 71, 8)]
        bodies = [
            b"AIVDM,9,%d,3,A,%s,%d" % (i + 1, part, 2 if i == 8 else 0)
            for i, part in enumerate(parts)
        ]
        self.take(*[bodies[i] for i in (8, 3, 0, 7, 1, 2, 6, 5, 4)])
        self.assertEqual(self.mmsis(), [FIVE_MMSI])

    def test_more_characters_than_a_message_can_have(self):
        for number in (1, 2, 3):
            self.take(b"AIVDM,3,%d,3,A,5" % number + b"0" * 59 + b",0")
        self.assertEqual((self.ais.torn, self.ais.statics), (1, 0))

    def test_the_longest_message(self):
        # 26 with 1,064 bits; only its type is of interest.
        self.take(b"AIVDM,3,1,3,A,J" + b"0" * 59 + b",0", b"AIVDM,3,2,3,A," + b"0" * 60 + b",0")
        self.take(b"AIVDM,3,3,3,A," + b"0" * 58 + b",4")
        self.assertEqual((self.ais.counts[26], self.ais.others, self.ais.torn), (1, 1, 0))


class Queue(Case):
    def test_reports_come_in_order_and_too_many_are_counted(self):
        ships = [SHIP.replace(b"15RT", b"15R%c" % (0x30 + i)) for i in range(20)]
        self.take(*ships)
        self.assertEqual((self.ais.ships, self.ais.dropped), (20, 4))
        first = self.mmsis()
        self.assertEqual((len(first), first), (16, sorted(first)))
        self.take(*ships[16:])
        self.assertEqual(len(self.mmsis()), 4)

    def test_a_full_queue_still_counts_and_assembles(self):
        self.take(*[SHIP] * 16)
        self.take(*FIVE)
        self.assertEqual((self.ais.statics, self.ais.dropped, self.ais.torn), (1, 1, 0))
        self.assertEqual(self.mmsis(), [SHIP_MMSI] * 16)

    def test_a_report_stays_until_the_next_is_fetched(self):
        self.take(SHIP)
        values = self.ais.next_report()[1]
        self.take(*[SHIP.replace(b"15RT", b"1000")] * 16)
        self.assertEqual(values[1], SHIP_MMSI)


if __name__ == "__main__":
    unittest.main()

"""The part that reads a line: every sentence reaches its reader, in short steps."""

import unittest

from sentences import sealed
from support import ON_MICROPYTHON

from agent.sense.ais import AIS
from agent.sense.gnss import GNSS
from agent.sense.nmea import Assembler
from agent.sense.receiver import Receiver

SHIP = sealed(b"AIVDM,1,1,,A,15RTgt0PAso;90TKcjM8h6g208CQ,0", b"!")
FIX = sealed(b"GNGLL,4739.71890,N,12219.58362,W,055234.200,A,A")
RMC = sealed(b"GNRMC,055234.200,A,4739.71890,N,12219.58362,W,0.52,286.35,050826,,,A,V")
GSA = sealed(b"GNGSA,A,3,02,07,08,14,,,,,,,,,1.5,0.9,1.2,1")
GSV = sealed(b"GPGSV,1,1,03,02,20,056,27,07,18,123,25,08,,,15,0")
FIVE = sealed(
    b"AIVDM,2,1,1,A,55?MbV02;H;s<HtKR20EHE:0@T4@Dn2222222216L961O5Gf0NSQEp6ClRp8,0", b"!"
) + sealed(b"AIVDM,2,2,1,A,88888888880,2", b"!")
TEXT = sealed(b"GPTXT,01,01,01,ANTENNA OK")


class Line:
    """A line with some bytes waiting, which gives at most `burst` at a time."""

    def __init__(self, data=b"", burst=1000):
        self.data = data
        self.burst = burst
        self.reads = 0

    def readinto(self, buf):
        self.reads += 1
        n = min(len(self.data), self.burst, len(buf))
        buf[:n] = self.data[:n]
        self.data = self.data[n:]
        return n


class Polls(unittest.TestCase):
    def setUp(self):
        self.line = Line()
        self.gnss = GNSS()
        self.ais = AIS()
        self.receiver = Receiver(self.line, (self.gnss, self.ais), bytearray(256))

    def drain(self, now_ms=0):
        """Poll until it may wait; return the number of polls."""
        for count in range(1, 200):
            if self.receiver.poll(now_ms) > 0:
                return count
        raise AssertionError("never done")

    def test_each_sentence_to_whom_it_concerns(self):
        self.line.data = SHIP + FIX + TEXT + SHIP
        self.drain()
        self.assertEqual((self.ais.ships, self.gnss.lat_e6), (2, 47661982))
        self.assertEqual((self.receiver.unknown, self.receiver.assembler.lines), (1, 4))

    def test_without_consumers_sentences_are_counted(self):
        self.receiver = Receiver(self.line, (), bytearray(64))
        self.line.data = SHIP + FIX
        self.drain()
        self.assertEqual((self.receiver.unknown, self.receiver.assembler.lines), (2, 2))

    def test_an_idle_line_may_wait(self):
        self.assertTrue(self.receiver.poll(0) > 0)
        self.assertEqual(self.line.reads, 1)

    def test_any_burst_and_any_buffer(self):
        for burst in (1, 2, 3, 7, 50, 256):
            for size in (1, 5, 256):
                line = Line(SHIP * 3, burst)
                ais = AIS()
                receiver = Receiver(line, (ais,), bytearray(size))
                for _ in range(2 * len(SHIP) * 3 + 3):
                    receiver.poll(0)
                self.assertEqual(ais.ships, 3)

    def test_one_poll_does_a_bounded_part_and_says_there_is_more(self):
        self.receiver = Receiver(self.line, (self.ais,), bytearray(4096))
        self.line.data = SHIP * 40
        last = 0
        while self.receiver.poll(0) == 0:
            self.assertTrue(self.ais.ships - last <= 8)
            self.assertTrue(self.line.reads <= 2)
            last = self.ais.ships
            while self.ais.next_report() is not None:
                pass
        self.assertEqual((self.ais.ships, self.ais.dropped), (40, 0))

    def test_silence_is_since_the_last_good_sentence(self):
        self.assertEqual(self.receiver.silent_ms(700), 700)
        self.line.data = FIX
        self.drain(1000)
        self.line.data = b"$GPGGA,1*00\r\nnoise"
        self.drain(4000)
        self.assertEqual(self.receiver.silent_ms(5000), 4000)
        self.assertEqual(self.receiver.assembler.bad, 1)

    def test_values_lapse_while_the_line_is_silent(self):
        self.line.data = FIX + SHIP
        self.drain(1000)
        self.receiver.poll(60000)
        self.assertEqual(self.gnss.lat_e6, None)

    def test_parts_expire_while_the_line_is_silent(self):
        self.line.data = sealed(b"AIVDM,2,1,1,A,55?MbV02;H;s,0", b"!")
        self.drain(1000)
        self.receiver.poll(60000)
        self.assertEqual(self.ais.torn, 1)


class Allocation(unittest.TestCase):
    def test_reading_positions_allocates_nothing(self):
        if not ON_MICROPYTHON:
            self.skipTest("CPython allocates as it likes")
        import micropython

        data = FIX + SHIP + TEXT + RMC + GSA + GSV + b"noise" + SHIP + FIVE
        assembler = Assembler()
        gnss = GNSS()
        ais = AIS()
        reports = 0
        micropython.heap_lock()
        try:
            assembler.feed(data, len(data))
            while True:
                sentence = assembler.next_sentence()
                if sentence is None:
                    break
                if not gnss.take(sentence, 1000):
                    ais.take(sentence, 1000)
                if ais.ships > reports and ais.next_report() is not None:
                    reports += 1
            gnss.poll(1000)
            ais.poll(1000)
        finally:
            micropython.heap_unlock()
        self.assertEqual((reports, ais.statics, gnss.malformed), (2, 1, 0))
        self.assertEqual((gnss.lat_e6, gnss.sog_e2), (47661982, 52))


if __name__ == "__main__":
    unittest.main()

"""Sentences and frames of BeiDou terminals: recorded and published ones, whole, cut and spoilt."""

import binascii
import unittest

import rdss_terminals as r
from rdss_terminals import frame, sentence

from agent.link import rdss_dialects as d
from agent.sense.nmea import Assembler
from agent.sense.sentence import FieldError


class Sink:
    """Keeps what a reader says."""

    def __init__(self):
        self.said = []
        self.malformed = 0

    def on_card(self, *values):
        self.said.append(("card",) + values)

    def on_feedback(self, *values):
        self.said.append(("feedback",) + values)

    def on_message(self, *values):
        self.said.append(("message",) + values)

    def on_time(self, *values):
        self.said.append(("time",) + values)

    def sentences(self, data):
        assembler = Assembler()
        assembler.feed(data, len(data))
        while True:
            one = assembler.next_sentence()
            if one is None:
                return self.said
            try:
                d.take_sentence(one, self)
            except FieldError:
                self.malformed += 1

    def frames(self, data, step=None):
        frames = d.Frames(self)
        for at in range(0, len(data), step or len(data)):
            chunk = data[at : at + (step or len(data))]
            frames.feed(chunk, len(chunk))
        self.malformed = frames.bad
        return self.said


# reference/navaid.md §6: checksums verified there.
RECORDED = (
    (b"$BDICI,0242286,00242286,0000011,6,60,3,N,0*38", ("card", d.D21, 242286, 60, 3, False)),
    (b"$BDICI,0000000,00000000,0000000,0,0,0,N,0*0B", ("card", d.D21, 0, 0, 0, False)),
    (
        b"$BDICP,4238473,0,0,3,0,N,2,N,1,0,0,3,1,60,2,0,0,0,0,21,0,0,0*48",
        ("card", d.D30, 4238473, 60, 2, False),
    ),
    (
        b"$BDICP,15240507,2032472,1,3,0,N,1,Y,1,0,0,3,1,1,5,1,1,2,2,500,100,10,10*65",
        ("card", d.D30, 15240507, 1, 5, False),
    ),
    (
        b"$BDTXR,1,4207733,1,2337,90000000000065C1FAF4B2E2CAD4*3F",
        ("message", 4207733, b"\x90\x00\x00\x00\x00\x00\x65\xc1\xfa\xf4\xb2\xe2\xca\xd4"),
    ),
    (
        b"$BDTCI,4204986,4204990,2,142204,2,0,3A642B500000000000000A01F35B41EC036542EE74F5*40",
        (
            "message",
            4204986,
            binascii.unhexlify("3A642B500000000000000A01F35B41EC036542EE74F5"),
        ),
    ),
    (b"$BDFKI,082920,TCQ,Y,0,0*70", ("feedback", d.OK, 0)),
    (b"$BDFKI,TXA,Y,Y,0,0040*17", ("feedback", d.OK, 40)),
    (b"$BDFKI,TXA,N,Y,0,0000*04", ("feedback", r.FAILED, 0)),
)

BINARY = binascii.unhexlify("2454585351001900000046000000003800A4313233616263B9")


class TestSentences(unittest.TestCase):
    def test_recorded_ones(self):
        for data, said in RECORDED:
            with self.subTest(data=data):
                self.assertEqual(Sink().sentences(data + b"\r\n"), [said])

    def test_both_firmwares_of_bdtci(self):
        without = sentence("BDTCI,4204986,4204990,2,142204,2,A401")
        self.assertEqual(Sink().sentences(without), [("message", 4204986, b"\xa4\x01")])

    def test_feedback_of_2_1(self):
        for text, said in (
            ("N,N,0,0058", (d.INTERVAL, 58)),
            ("N,N,0,0130", (d.INTERVAL, 90)),
            ("N,Y,1,0000", (r.INHIBITED, 0)),
            ("N,Y,2,0000", (r.BATTERY, 0)),
            ("N,Y,3,0000", (r.SILENCE, 0)),
            ("N,Y,4,0000", (r.NO_LOCK, 0)),
            ("N,Y,9,0000", (r.FAILED, 0)),
            ("N,Y,,", (r.FAILED, 0)),
        ):
            with self.subTest(text=text):
                self.assertEqual(
                    Sink().sentences(sentence("BDFKI,TXA," + text)), [("feedback",) + said]
                )

    def test_feedback_of_3_0(self):
        for code, reason in (
            (1, d.INTERVAL),
            (2, r.INHIBITED),
            (3, r.SILENCE),
            (4, r.NO_LOCK),
            (5, d.NO_CARD),
            (6, r.NO_RIGHT),
            (7, r.FAILED),
            (11, r.CHECKSUM),
            (999, r.FAILED),
        ):
            with self.subTest(code=code):
                said = Sink().sentences(sentence("BDFKI,082920,TCQ,N,%d,17" % code))
                self.assertEqual(said, [("feedback", reason, 17)])

    def test_feedback_to_other_requests_is_not_ours(self):
        for text in ("BDFKI,DWA,N,Y,0,0058", "BDFKI,082920,DWQ,N,1,5", "BDFKI,RMO,Y,Y,0,0000"):
            self.assertEqual(Sink().sentences(sentence(text)), [])

    def test_time(self):
        said = Sink().sentences(sentence("BDZDA,082920.50,22,11,2026,00,00"))
        self.assertEqual(said, [("time", 217499360, 500)])
        for text in ("BDZDA,,,,,,", "BDZDA,082920.50,31,02,2026,00,00", "BDZDA,082920,,,,,"):
            self.assertEqual(Sink().sentences(sentence(text)), [])

    def test_other_peoples_messages_do_no_harm(self):
        for content in ("", "A4B", "hello", "A4GG"):
            said = Sink().sentences(sentence("BDTXR,1,4207733,0,," + content))
            self.assertEqual(said, [("message", 4207733, b"")])

    def test_nonsense_is_counted(self):
        for text in (
            "BDICI,x,,,,,,N,0",
            "BDICP,1,0,0,3,0,NN,2,N,1,0,0,3,1,60,2",
            "BDTXR,1,-,1,,A4",
        ):
            sink = Sink()
            self.assertEqual(sink.sentences(sentence(text)), [])
            self.assertEqual(sink.malformed, 1)

    def test_a_short_sentence_reads_as_empty_fields(self):
        self.assertEqual(Sink().sentences(sentence("BDICI")), [("card", d.D21, 0, 0, 0, False)])
        self.assertEqual(Sink().sentences(sentence("BDFKI")), [])
        self.assertEqual(Sink().sentences(sentence("BDTCI")), [("message", 0, b"")])


class TestRequests(unittest.TestCase):
    def test_published_requests(self):
        self.assertEqual(d.ask_card(d.D21), b"$CCICA,0,00*7B\r\n")
        self.assertEqual(d.ask_card(d.D40)[:11] + b"\x2b", d.ask_card(d.D40))
        name = binascii.unhexlify("A4B9E3D6DDBAA3C1C4BFC6BCBCD3D0CFDEB9ABCBBE")
        self.assertEqual(
            d.message(d.D21, 242407, name),
            b"$CCTXA,0242407,1,2,A4B9E3D6DDBAA3C1C4BFC6BCBCD3D0CFDEB9ABCBBE*0F\r\n",
        )
        self.assertEqual(bytes(d.message(d.D40, 0, b"\xa4123abc")), BINARY)

    def test_3_0(self):
        self.assertEqual(d.ask_card(d.D30), sentence("CCICR,0,00"))
        self.assertEqual(
            d.message(d.D30, 4238473, b"\xa4\x01"), sentence("CCTCQ,4238473,2,1,2,A401,0")
        )

    def test_the_longest_message_of_4_0_tells_its_size_in_bits(self):
        data = bytes(d.message(d.D40, 0x3FFA66, bytes(70)))
        self.assertEqual(len(data), 18 + 70)
        self.assertEqual(data[5] << 8 | data[6], len(data))
        self.assertEqual(data[11:16], b"\x3f\xfa\x66\x02\x30")


class TestFrames(unittest.TestCase):
    card = frame(b"ICXX", 2095718, b"\x00\x00\x00\x01\x03\x00\x3c\x03\x01\x00\x00")
    wait = frame(b"FKXX", 2095718, b"\x04\x00\x00\x00\x2a")
    done = frame(b"FKXX", 2095718, b"\x00TXSQ")
    text = frame(b"TXXX", 2095718, b"\x60\x1f\xfa\x67\x0e\x16\x00\x20\xa4$TX\x00")
    said = [
        ("card", d.D40, 2095718, 60, 3, True),
        ("feedback", d.INTERVAL, 42),
        ("feedback", d.OK, 0),
        ("message", 2095719, b"\xa4$TX"),
    ]

    def test_whole_and_in_pieces(self):
        data = self.card + self.wait + self.done + self.text
        for step in range(1, 40):
            self.assertEqual(Sink().frames(data, step), self.said)

    def test_noise_around_and_between(self):
        noise = b"\x00$\xff$$TX$TXX$BDICI,0\r\n$GPTXXX"
        data = noise
        for one in (self.card, self.wait, self.done, self.text):
            data += one + noise
        for step in (1, 7, 300):
            sink = Sink()
            self.assertEqual(sink.frames(data, step), self.said)
            self.assertEqual(sink.malformed, 0)

    def test_every_wrong_byte_is_refused_and_the_next_frame_found(self):
        for at in range(len(self.text)):
            spoilt = bytearray(self.text)
            spoilt[at] ^= 0x01
            # A wrong length may swallow what follows, no more than a frame's size of it.
            sink = Sink()
            said = sink.frames(bytes(spoilt) + bytes(256) + self.done)
            self.assertEqual(said, [self.said[2]])

    def test_lengths_that_cannot_be(self):
        for size in (0, 10, 11, 257, 65535):
            sink = Sink()
            bad = b"$TXXX" + size.to_bytes(2, "big") + b"\x00\x00\x00"
            self.assertEqual(sink.frames(bad + self.done), [self.said[2]])
            self.assertEqual(sink.malformed, 1)

    def test_feedback(self):
        for code, reason in (
            (2, r.NO_LOCK),
            (3, r.BATTERY),
            (5, r.CRYPTO),
            (7, r.INHIBITED),
            (8, d.LIFTED),
            (99, r.FAILED),
        ):
            data = frame(b"FKXX", 1, bytes([code]) + b"TXSQ")
            self.assertEqual(Sink().frames(data), [("feedback", reason, 0)])
        for code, reason in ((1, r.FAILED), (6, r.CHECKSUM), (0, d.OK)):
            data = frame(b"FKXX", 1, bytes([code]) + b"TXSQ")
            self.assertEqual(Sink().frames(data), [("feedback", reason, 0)])
            data = frame(b"FKXX", 1, bytes([code]) + b"ICJC")
            self.assertEqual(Sink().frames(data), [])

    def test_short_bodies_and_no_card(self):
        for word in (b"ICXX", b"FKXX", b"TXXX"):
            self.assertEqual(Sink().frames(frame(word, 1, b"\x00")), [])
        none = frame(b"ICXX", 0xFFFFFF, bytes(11))
        self.assertEqual(Sink().frames(none), [("card", d.D40, 0, 0, 0, True)])

"""Satellites used and in view, as makers number and announce them."""

import unittest

from sentences import sealed

from agent.sense.gnss import GNSS
from agent.sense.nmea import Assembler
from agent.sense.satellites import STALE_MS


def gsa(talker, satellites, tail=b"", mode=b"3"):
    """Return a GSA sentence's body; `tail` is what stands behind the three dilutions."""
    fields = list(satellites) + [b""] * (12 - len(satellites))
    return talker + b"GSA,A," + mode + b"," + b",".join(fields) + b",1.5,0.9,1.2" + tail


FIRST = b"GNGLL,,,,,055234.000,V,N"
NEXT = b"GNGLL,,,,,055235.000,V,N"


class Case(unittest.TestCase):
    def setUp(self):
        self.gnss = GNSS()
        self.assembler = Assembler()

    def take(self, *bodies, now_ms=1000):
        for body in bodies:
            data = sealed(body)
            self.assembler.feed(data, len(data))
            self.assertTrue(self.gnss.take(self.assembler.next_sentence(), now_ms))
            self.assertTrue(self.assembler.next_sentence() is None)
        self.gnss.poll(now_ms)


class Used(Case):
    def used(self, *bodies):
        """Return what one epoch with these GSA sentences says."""
        self.take(FIRST, *bodies)
        self.take(NEXT)
        return self.gnss.used

    def test_one_gps_receiver(self):
        self.assertEqual(self.used(gsa(b"GP", (b"03", b"04", b"31"))), [3, 0, 0, 0])
        self.assertEqual(self.gnss.mode, 3)

    def test_system_id(self):
        bodies = (
            gsa(b"GN", (b"02", b"07", b"14"), b",1"),
            gsa(b"GN", (b"73", b"84"), b",2"),
            gsa(b"GN", (b"03", b"36"), b",3"),
            gsa(b"GN", (b"13", b"27", b"37", b"63"), b",4"),
            gsa(b"GN", (b"02",), b",5"),
            gsa(b"GN", (b"02",), b",6"),
        )
        self.assertEqual(self.used(*bodies), [3, 2, 2, 4])

    def test_more_than_twelve_take_a_second_sentence(self):
        first = gsa(b"GN", [b"%02d" % i for i in range(1, 13)], b",4")
        second = gsa(b"GN", (b"20", b"33"), b",4")
        self.assertEqual(self.used(first, second), [0, 0, 0, 14])

    def test_each_satellite_counts_once(self):
        self.assertEqual(self.used(gsa(b"GP", (b"03", b"04")), gsa(b"GN", (b"03", b"04", b"05"))),
                         [3, 0, 0, 0])  # fmt: skip

    def test_talkers_of_beidou(self):
        for talker in (b"BD", b"GB"):
            for numbers in ((b"01", b"33", b"63"), (b"201", b"237"), (b"401", b"437"),
                            (b"141", b"152", b"177"), (b"161", b"197")):  # fmt: skip
                self.setUp()
                self.assertEqual(self.used(gsa(talker, numbers)), [0, 0, 0, len(numbers)])

    def test_numbers_alone(self):
        # Receivers before NMEA 4.10: no system id, talkers GN or GP for all.
        for talker in (b"GN", b"GP"):
            self.setUp()
            bodies = (
                gsa(talker, (b"01", b"32", b"33", b"64", b"193")),
                gsa(talker, (b"65", b"96", b"99")),
                gsa(talker, (b"301", b"336", b"101")),
                gsa(talker, (b"201", b"263", b"402", b"463", b"141", b"192")),
            )
            self.assertEqual(self.used(*bodies), [2, 3, 3, 6])

    def test_what_sirf_puts_into_field_18(self):
        bodies = (
            gsa(b"GP", (b"25", b"32"), b",1.2"),
            gsa(b"BD", (b"02", b"03", b"04"), b",1.2"),
            gsa(b"GN", (b"12",), b",4.0"),
        )
        self.assertEqual(self.used(*bodies), [3, 0, 0, 3])

    def test_modem_modules(self):
        self.assertEqual(
            self.used(gsa(b"PQ", (b"12", b"13"), b",4"), gsa(b"PQ", (b"02",), b",5")), [0, 0, 0, 2]
        )

    def test_the_best_mode_of_the_epoch(self):
        self.used(gsa(b"GP", (b"01",), mode=b"3"), gsa(b"GL", (), mode=b"1"))
        self.assertEqual(self.gnss.mode, 3)

    def test_an_epoch_without_gsa_changes_nothing(self):
        self.used(gsa(b"GP", (b"03",)))
        self.take(b"GNGLL,,,,,055236.000,V,N")
        self.assertEqual(self.gnss.used, [1, 0, 0, 0])

    def test_the_first_epoch_counts(self):
        self.take(gsa(b"GP", (b"03",)), FIRST)
        self.assertEqual(self.gnss.used, [1, 0, 0, 0])

    def test_gsa_between_other_sentences(self):
        self.take(FIRST, gsa(b"GP", (b"03",)), b"GPGSV,1,1,01,03,,,30")
        self.take(gsa(b"GL", (b"70",)), b"GLGSV,1,1,01,70,,,30", NEXT)
        self.assertEqual(self.gnss.used, [1, 1, 0, 0])

    def test_short_sentence_without_fix(self):
        self.assertEqual(self.used(b"GPGSA,A,1,,,,"), [0, 0, 0, 0])
        self.assertEqual(self.gnss.mode, 1)

    def test_refused(self):
        for body in (gsa(b"GP", (b"0x",)), gsa(b"GP", (b"03",), mode=b"4"), gsa(b"GP", (), b",x"),
                     gsa(b"GP", (b"03",), mode=b"")):  # fmt: skip
            self.setUp()
            self.take(body)
            self.assertEqual(self.gnss.malformed, 1, repr(body))

    def test_lapses(self):
        self.used(gsa(b"GP", (b"03",)))
        self.gnss.poll(1000 + STALE_MS)
        self.assertEqual((self.gnss.used, self.gnss.mode), ([1, 0, 0, 0], 3))
        self.gnss.poll(1001 + STALE_MS)
        self.assertEqual((self.gnss.used, self.gnss.mode), ([None] * 4, None))

    def test_a_set_from_before_a_silence_does_not_count(self):
        self.take(FIRST, gsa(b"GP", (b"03",)), now_ms=1000)
        self.take(NEXT, now_ms=1001 + STALE_MS)
        self.assertEqual(self.gnss.used, [None] * 4)


class View(Case):
    def view(self, *bodies):
        """Return what one whole cycle of these GSV sentences says."""
        self.take(*bodies)
        self.take(*bodies)
        return self.gnss.view

    def test_one_round(self):
        bodies = (
            b"GPGSV,3,1,12,01,17,083,03,02,20,056,27,07,18,123,25,08,,,15,0",
            b"GPGSV,3,2,12,14,79,041,29,15,31,297,21,17,54,166,28,19,24,192,23,0",
            b"GPGSV,3,3,12,20,47,263,20,22,78,280,15,24,07,305,,30,57,127,31,0",
        )
        self.assertEqual(self.view(*bodies), [12, None, None, None])
        self.assertEqual(self.gnss.cn0_db, 31)

    def test_a_cycle_counts_when_it_is_complete(self):
        self.take(b"GPGSV,1,1,02,01,17,083,40,02,20,056,27")
        self.assertEqual(self.gnss.view, [None] * 4)
        self.take(b"GPGSV,1,1,01,01,17,083,30")
        self.assertEqual((self.gnss.view[0], self.gnss.cn0_db), (2, 40))
        self.take(b"GPGSV,1,1,01,01,17,083,30")
        self.assertEqual((self.gnss.view[0], self.gnss.cn0_db), (1, 30))

    def test_several_signals_of_one_satellite_count_once(self):
        bodies = (
            b"GBGSV,2,1,05,06,10,200,35,09,20,210,36,16,30,220,37,21,40,230,38,1",
            b"GBGSV,2,2,05,33,50,240,39,1",
            b"GBGSV,1,1,02,21,40,230,44,33,50,240,39,5",
            b"GBGSV,1,1,02,33,50,240,41,45,50,240,20,B",
        )
        self.assertEqual(self.view(*bodies), [None, None, None, 6])
        self.assertEqual(self.gnss.cn0_db, 44)

    def test_a_cycle_with_a_lost_sentence_does_not_count(self):
        first = b"GPGSV,2,1,05,01,17,083,03,02,20,056,27,07,18,123,25,08,,,15"
        second = b"GPGSV,2,2,05,14,79,041,29"
        self.assertEqual(self.view(first, second), [5, None, None, None])
        self.take(first, first)  # the second is missing
        self.take(second, first)  # and here the first one of the next cycle, after a whole one
        self.assertEqual(self.gnss.view[0], 5)
        self.setUp()
        self.assertEqual(self.view(first), [None] * 4)
        self.setUp()
        self.assertEqual(self.view(second), [None] * 4)
        self.setUp()
        self.assertEqual(self.view(first, second.replace(b",2,2,", b",3,2,")), [None] * 4)

    def test_what_is_heard_of_the_first_cycle_does_not_spoil_the_second(self):
        self.take(b"GPGSV,2,2,05,14,79,041,29")
        self.assertEqual(self.view(b"GPGSV,1,1,01,05,00,000,27")[0], 1)

    def test_talkers_have_cycles_of_their_own(self):
        bodies = (
            b"GPGSV,1,1,01,05,00,000,27",
            b"BDGSV,1,1,03,13,19,043,17,27,38,127,33,37,36,091,24,0",
            b"GLGSV,1,1,02,74,52,302,,82,25,034,,1",
            b"GAGSV,1,1,01,02,00,179,,7",
            b"GQGSV,1,1,01,02,00,179,50",
        )
        self.assertEqual(self.view(*bodies), [1, 2, 1, 3])
        self.assertEqual(self.gnss.cn0_db, 33)

    def test_beidou_by_any_number(self):
        for talker in (b"BD", b"GB"):
            for a, b in ((b"33", b"63"), (b"201", b"237"), (b"401", b"437"), (b"141", b"177")):
                self.setUp()
                body = talker + b"GSV,1,1,02," + a + b",,,30," + b + b",,,31"
                self.assertEqual(self.view(body), [None, None, None, 2])

    def test_glonass_under_the_talker_of_gps(self):
        body = b"GPGSV,1,1,04,29,11,091,46,76,48,226,25,75,14,188,29,40,27,083,30"
        self.assertEqual(self.view(body), [1, 2, None, None])

    def test_unused_places_and_number_zero(self):
        body = b"GPGSV,1,1,02,05,00,000,27,,,,,00,,,50"
        self.assertEqual(self.view(body), [1, None, None, None])
        self.assertEqual(self.gnss.cn0_db, 27)

    def test_none_in_view(self):
        self.assertEqual(self.view(b"GPGSV,1,1,00"), [0, None, None, None])
        self.assertEqual(self.gnss.cn0_db, None)

    def test_modem_modules(self):
        self.assertEqual(self.view(b"PQGSV,1,1,02,02,20,116,,03,,,,0,4"), [None, None, None, 2])

    def test_refused(self):
        for body in (
            b"GPGSV,,,",
            b"GPGSV,1,2,01,05,00,000,27",
            b"GPGSV,x,1,01,05,00,000,27",
            b"GPGSV,1,1,01,05,00,000,2x",
            b"GPGSV,1,1,01,05,00,000,100",
            b"GPGSV,1,1,01,5.0,00,000,27",
            b"GPGSV,1,1,01,05,00,000,27,1F",
            b"GPGSV,1,1,02,05,00,000,27,07,00,000",
        ):
            self.setUp()
            self.take(body)
            self.assertEqual(self.gnss.malformed, 1, repr(body))

    def test_a_refused_sentence_tears_its_cycle(self):
        self.assertEqual(
            self.view(b"GPGSV,2,1,02,05,00,000,27", b"GPGSV,2,2,02,07,00,000,x"), [None] * 4
        )

    def test_lapses(self):
        self.view(b"GPGSV,1,1,01,05,00,000,27")
        self.gnss.poll(1000 + STALE_MS)
        self.assertEqual((self.gnss.view[0], self.gnss.cn0_db), (1, 27))
        self.gnss.poll(1001 + STALE_MS)
        self.assertEqual((self.gnss.view[0], self.gnss.cn0_db), (None, None))

    def test_a_cycle_from_before_a_silence_does_not_count(self):
        self.take(b"GPGSV,1,1,01,05,00,000,27", now_ms=1000)
        self.take(b"GPGSV,1,1,01,05,00,000,27", now_ms=1001 + STALE_MS)
        self.assertEqual(self.gnss.view, [None] * 4)


if __name__ == "__main__":
    unittest.main()

"""Position, quality, speed and time: what each sentence says, and when it is believed."""

import unittest

from sentences import sealed

from agent.sense.gnss import GNSS
from agent.sense.nmea import Assembler
from agent.sense.satellites import STALE_MS
from agent.sense.utc import seconds_since_2020

GGA = b"GNGGA,055234.200,4739.71890,N,12219.58362,W,1,14,0.9,76.5,M,-21.6,M,,"
RMC = b"GNRMC,055234.200,A,4739.71890,N,12219.58362,W,0.52,286.35,050826,,,A,V"
GNS = b"GNGNS,055234.200,4739.71890,N,12219.58362,W,AAN,14,0.9,76.5,-21.6,,,V"
GLL = b"GNGLL,4739.71890,N,12219.58362,W,055234.200,A,A"
VTG = b"GNVTG,286.35,T,,M,0.52,N,0.96,K,A"
ZDA = b"GNZDA,055234.200,05,08,2026,00,00"
AT_S = 208072354  # 2026-08-05 05:52:34

LAT = 47661982
LON = -122326394


class Case(unittest.TestCase):
    def setUp(self):
        self.gnss = GNSS()
        self.assembler = Assembler()

    def take(self, *bodies, now_ms=1000):
        """Feed sentences at one time; return whether each was taken."""
        taken = []
        for body in bodies:
            data = sealed(body)
            self.assembler.feed(data, len(data))
            taken.append(self.gnss.take(self.assembler.next_sentence(), now_ms))
            self.assertTrue(self.assembler.next_sentence() is None)
        self.gnss.poll(now_ms)
        return taken

    def state(self):
        g = self.gnss
        return g.lat_e6, g.lon_e6, g.quality, g.sats, g.hdop_e2, g.alt_dm, g.sog_e2, g.cog_cd

    def check_refused(self, body):
        """Check that `body` is counted as malformed and changes nothing else."""
        before = self.state()
        count = self.gnss.malformed
        self.assertEqual(self.take(body), [True])
        self.assertEqual(self.gnss.malformed, count + 1, repr(body))
        self.assertEqual(self.state(), before, repr(body))


class Fix(Case):
    def test_nothing_is_known_at_first(self):
        self.assertEqual(self.state(), (None,) * 8)
        self.assertEqual((self.gnss.mode, self.gnss.cn0_db), (None, None))
        self.assertEqual((self.gnss.used, self.gnss.view), ([None] * 4, [None] * 4))
        self.assertEqual(self.gnss.fix_age_ms(5000), None)
        self.assertEqual(self.gnss.take_time(), None)

    def test_gga(self):
        self.take(GGA)
        self.assertEqual(self.state(), (LAT, LON, 1, 14, 90, 765, None, None))
        self.assertEqual(self.gnss.fix_age_ms(1500), 500)

    def test_gns(self):
        self.take(GNS)
        self.assertEqual(self.state(), (LAT, LON, 1, 14, 90, 765, None, None))

    def test_rmc(self):
        self.take(RMC)
        self.assertEqual(self.state(), (LAT, LON, None, None, None, None, 52, 28635))

    def test_rmc_of_11_and_12_fields(self):
        for body in (RMC[:-4], RMC[:-2]):
            self.take(body)
            self.assertEqual(self.gnss.lat_e6, LAT)
            self.gnss = GNSS()

    def test_gll(self):
        self.take(GLL)
        self.assertEqual(self.state(), (LAT, LON) + (None,) * 6)

    def test_vtg_needs_a_fix(self):
        self.take(VTG)
        self.assertEqual(self.state()[6:], (None, None))
        self.take(GLL, VTG)
        self.assertEqual(self.state()[6:], (52, 28635))
        self.take(b"GNVTG,,,,,,,,,N")
        self.assertEqual(self.state()[6:], (None, None))

    def test_a_ship_that_stops_has_no_course(self):
        self.take(RMC, RMC.replace(b"286.35", b""))
        self.assertEqual(self.state()[6:], (52, None))

    def test_course_of_a_full_turn_is_north(self):
        for field in (b"360.00", b"359.996", b"0.0"):
            self.take(RMC.replace(b"286.35", field))
            self.assertEqual(self.gnss.cog_cd, 0)

    def test_every_talker(self):
        for talker in (b"GP", b"GN", b"GL", b"GA", b"GB", b"BD", b"GQ", b"QZ"):
            self.assertEqual(self.take(talker + RMC[2:]), [True])

    def test_others_are_not_taken(self):
        others = (b"PGRMC,1", b"IIGGA,1", b"GPTXT,01", b"GNGST,1", b"PUBX,00", b"AIVDM,1,1,,A,0,0")
        self.assertEqual(self.take(*others), [False] * 6)
        self.assertEqual(self.gnss.malformed, 0)

    def test_gns_takes_the_best_of_any_number_of_modes(self):
        cases = ((b"N", 0), (b"A", 1), (b"NNNNND", 2), (b"DRA", 4), (b"AF", 5), (b"EN", 6),
                 (b"SM", 7), (b"SN", 8), (b"PA", 3), (b"EA", 1), (b"", 0))  # fmt: skip
        for letters, quality in cases:
            self.take(GNS.replace(b"AAN", letters))
            self.assertEqual(self.gnss.quality, quality, repr(letters))
            self.assertEqual(self.gnss.lat_e6, LAT if quality else None)

    def test_dilution_of_precision_that_means_none(self):
        for field in (b"99.99", b"99.0", b"0.0", b""):
            self.take(GGA.replace(b",0.9,", b"," + field + b","))
            self.assertEqual((self.gnss.lat_e6, self.gnss.hdop_e2), (LAT, None))

    def test_south_and_east(self):
        self.take(GGA.replace(b"N", b"S").replace(b"W", b"E").replace(b"GSGGA", b"GNGGA"))
        self.assertEqual((self.gnss.lat_e6, self.gnss.lon_e6), (-LAT, -LON))


class Invalid(Case):
    def test_no_fix_takes_the_fix_away(self):
        for body in (
            RMC.replace(b",A,4739", b",V,4739"),
            b"GNRMC,,V,,,,,,,,,,N",
            RMC[:-3] + b"N,V",
            GLL.replace(b",A,A", b",V,N"),
            GLL.replace(b",A,A", b",A,N"),
            GNS.replace(b"AAN", b"NNN"),
            GGA.replace(b",1,14,", b",0,03,"),
            b"GPGGA,,,,,,0,00,99.99,,,,,,",
            b"GPGGA,053229.438,,,,,0,00,,,M,0.0,M,,0000",
            b"GPGGA,,,,,,,,,,,,,,",
        ):
            self.take(GGA, RMC)
            self.assertEqual(self.gnss.lat_e6, LAT)
            self.take(body, now_ms=2000)
            self.assertEqual(self.gnss.malformed, 0, repr(body))
            self.assertEqual(self.state()[:2], (None, None), repr(body))
            self.assertEqual(self.state()[4:], (None,) * 4, repr(body))
            self.assertEqual(self.gnss.fix_age_ms(2500), 1500)

    def test_without_a_fix_quality_and_satellites_are_still_told(self):
        self.take(GGA.replace(b",1,14,", b",0,03,"))
        self.assertEqual((self.gnss.quality, self.gnss.sats), (0, 3))

    def test_the_last_field_of_rmc_is_no_validity(self):
        # "V" there says that the receiver gives no navigational status.
        self.take(RMC)
        self.assertEqual(self.gnss.lat_e6, LAT)

    def test_values_lapse(self):
        self.take(GGA, RMC, now_ms=1000)
        self.gnss.poll(1000 + STALE_MS)
        self.assertEqual(self.state(), (LAT, LON, 1, 14, 90, 765, 52, 28635))
        self.gnss.poll(1001 + STALE_MS)
        self.assertEqual(self.state(), (None,) * 8)
        self.assertEqual(self.gnss.fix_age_ms(1001 + STALE_MS), STALE_MS + 1)

    def test_each_group_lapses_by_itself(self):
        self.take(GGA, VTG, now_ms=1000)
        self.take(GLL, now_ms=1000 + STALE_MS)
        self.gnss.poll(1001 + STALE_MS)
        self.assertEqual(self.state(), (LAT, LON) + (None,) * 6)

    def test_refused_sentences_change_nothing(self):
        self.take(GGA, RMC)
        for body in (
            GGA.replace(b"4739.71890", b"9739.71890"),
            GGA.replace(b"12219.58362", b"18100.00000"),
            GGA.replace(b"4739", b"4760"),
            GGA.replace(b",N,", b",,"),
            GGA.replace(b",N,", b",E,"),
            GGA.replace(b"W", b"w"),
            GGA.replace(b"4739.71890", b""),
            GGA.replace(b",1,14", b",9,14"),
            GGA.replace(b",1,14", b",x,14"),
            GGA.replace(b",14,", b",-1,"),
            GGA.replace(b",14,", b",100,"),
            GGA.replace(b",0.9,", b",0.9.1,"),
            GGA.replace(b"76.5", b"7 6.5"),
            GGA.replace(b"055234.200", b"245234.200"),
            GNS.replace(b"AAN", b"AXN"),
            RMC.replace(b",A,4739", b",B,4739"),
            RMC.replace(b",A,4739", b",AA,4739"),
            RMC.replace(b"0.52", b"-0.52"),
            RMC.replace(b"286.35", b"360.01"),
            RMC.replace(b"050826", b"310226"),
            RMC.replace(b"050826", b"x50826"),
            GLL.replace(b",A,A", b",X,A"),
            VTG.replace(b",T,", b",M,"),
            VTG.replace(b",N,0.96", b",K,0.96"),
            ZDA.replace(b"05,08,2026", b"31,04,2026"),
            ZDA.replace(b"05,08,2026", b",08,2026"),
            ZDA.replace(b"055234.200", b"055261.200"),
        ):
            self.check_refused(body)


class Time(Case):
    def test_rmc(self):
        self.take(RMC, now_ms=1000)
        self.assertEqual(self.gnss.take_time(), (AT_S, 200, 1000))
        self.assertTrue(self.gnss.utc_valid)
        self.assertEqual(self.gnss.take_time(), None)

    def test_zda_counts_with_a_fix_only(self):
        self.take(ZDA)
        self.assertEqual(self.gnss.take_time(), None)
        self.assertEqual((self.gnss.utc_s2020, self.gnss.utc_valid), (AT_S, False))
        self.take(GLL, ZDA)
        self.assertEqual(self.gnss.take_time(), (AT_S, 200, 1000))

    def test_zda_ignores_the_local_zone(self):
        self.take(GLL, ZDA.replace(b"00,00", b"-08,30"))
        self.assertEqual(self.gnss.take_time(), (AT_S, 200, 1000))

    def test_empty_zda(self):
        self.take(b"GNZDA,,,,,,", b"GNZDA,055234.200,,,,00,00")
        self.assertEqual((self.gnss.malformed, self.gnss.utc_s2020), (0, None))

    def test_time_counts_from_the_first_sentence_of_its_epoch(self):
        # The RMC that brings the date is often the last one of a second.
        self.take(GGA, now_ms=1000)
        self.take(RMC, now_ms=1800)
        self.assertEqual(self.gnss.take_time(), (AT_S, 200, 1000))

    def test_a_clock_that_stands_still_is_not_followed(self):
        self.take(GGA, now_ms=1000)
        self.take(RMC, now_ms=9000)
        self.assertEqual(self.gnss.take_time(), (AT_S, 200, 9000))

    def test_a_time_without_a_fix_withdraws_the_one_before(self):
        self.take(RMC, RMC.replace(b",A,4739", b",V,4739"))
        self.assertEqual(self.gnss.take_time(), None)
        self.assertFalse(self.gnss.utc_valid)

    def test_an_impossible_date_without_a_fix_is_no_matter(self):
        self.take(RMC, RMC.replace(b",A,4739", b",V,4739").replace(b"050826", b"000000"))
        self.assertEqual((self.gnss.malformed, self.gnss.lat_e6), (0, None))

    def test_leap_second(self):
        self.take(RMC.replace(b"055234.200,A", b"235960.500,A").replace(b"050826", b"311226"))
        self.assertEqual(self.gnss.take_time()[:2], (seconds_since_2020(2027, 1, 1, 0), 500))

    def test_two_digits_of_the_year(self):
        for digits, year in ((b"20", 2020), (b"53", 2053), (b"19", 2019), (b"99", 1999)):
            self.take(RMC.replace(b"050826", b"0508" + digits))
            self.assertEqual(self.gnss.utc_s2020, seconds_since_2020(year, 8, 5, 21154))

    def test_a_date_that_no_record_can_carry_is_not_believed(self):
        # 1,024 weeks before 2026-08-05: the week number rolled over.
        for count, date in enumerate((b"201206", b"050879")):
            self.take(RMC.replace(b"050826", date))
            self.assertEqual(self.gnss.take_time(), None)
            self.assertEqual(self.gnss.old_dates, count + 1)
            self.assertEqual(self.gnss.lat_e6, LAT)

    def test_calendar(self):
        self.assertEqual(seconds_since_2020(2020, 1, 1, 0), 0)
        self.assertEqual(seconds_since_2020(2019, 12, 31, 86399), -1)
        self.assertEqual(seconds_since_2020(2020, 2, 29, 0), 59 * 86400)
        self.assertEqual(seconds_since_2020(2024, 12, 31, 0), 1826 * 86400)
        self.assertEqual(seconds_since_2020(2000, 2, 29, 0), -7246 * 86400)
        for year, month, day in (
            (2021, 2, 29), (2100, 2, 29), (2020, 2, 30), (2020, 4, 31), (2020, 13, 1),
            (2020, 0, 1), (2020, 1, 0), (2020, 1, 32), (0, 1, 1), (10196, 1, 1),
        ):  # fmt: skip
            self.assertEqual(seconds_since_2020(year, month, day, 0), None)


if __name__ == "__main__":
    unittest.main()

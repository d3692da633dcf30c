"""A buoy on its chain: what is an alarm, when, and above all what is not. Both interpreters."""

import math
import unittest

from agent.alarms import Alarms
from agent.sense.station import Station
from agent.sense.swing import Swing
from agent.wire import codes, schema

SINKER = (31200000, 122000000)
MINUTE = 60
HOUR = 3600
DAY = 86400

# A chain of 30 m in 9 m of water: it reaches 28.6 m. With 5 m of laying error and an HDOP of 1 the
# guard ring has 38.6 m.
REACH = 286
GUARD = 386


class Dice:
    """The same numbers on both interpreters."""

    def __init__(self, seed):
        self._x = seed * 2654435 + 12345 & 0x7FFFFFFF

    def about(self, most):
        """Return a number within ± `most`, the middle more often."""
        total = 0
        for _ in range(4):
            self._x = self._x * 1103515245 + 12345 & 0x7FFFFFFF
            total += (self._x >> 8) % (most + 1) - most // 2
        return total // 2


class FakeGNSS:
    """A receiver; any value may be None."""

    def __init__(self):
        self.lat_e6 = self.lon_e6 = self.fix_ms = None
        self.hdop_e2 = 100
        self.sats = 12
        self.quality = 1
        self.sog_e2 = self.cog_cd = None


class AtSea(unittest.TestCase):
    sinker = SINKER

    def setUp(self):
        self.start()

    def start(self, chain=300, depth=900, error=50, **more):
        self.gnss = FakeGNSS()
        self.level = None
        self.today = 0
        self.dice = Dice(7)
        self.noise = 0
        self.now = 0
        self.told = []
        self.alarms = Alarms()
        self.station = self.make(chain, depth, error, **more)

    def make(self, chain=300, depth=900, error=50, **more):
        return Station(
            self.gnss,
            self.alarms,
            self.sinker,
            chain,
            depth,
            error,
            lambda: self.level,
            lambda now_ms: self.today,
            **more,
        )

    def put(self, east, north):
        """Put the buoy somewhere, in decimetres from the sinker."""
        lat, lon = self.sinker
        east += self.dice.about(self.noise)
        north += self.dice.about(self.noise)
        cosine = math.cos(math.radians(lat / 1e6))
        self.gnss.lat_e6 = lat + round(north * 1e6 / 1111950)
        lon += round(east * 1e6 / 1113195 / cosine)
        self.gnss.lon_e6 = (lon + 180000000) % 360000000 - 180000000

    def run_s(self, seconds, where=None, step=5):
        """Let time pass with a fix every `step` seconds, at `where` or a function of seconds."""
        for s in range(0, seconds, step):
            place = where(s) if callable(where) else where
            if place is not None:
                self.put(place[0], place[1])
                self.gnss.fix_ms = self.now
            self.station.poll(self.now)
            while True:
                alarm = self.alarms.next_alarm()
                if alarm is None:
                    break
                self.told.append((alarm[0], alarm[4] or 0))
            self.now += step * 1000

    def raised(self):
        return [what for what, level in self.told if level]

    @property
    def state(self):
        return self.station.state


class Geometry(AtSea):
    def shown(self):
        values = self.station.values(self.now)
        names = [field[0] for field in schema.SCHEMAS[schema.STATION][3]]
        self.assertEqual(len(values), len(names))
        for value, field in zip(values, schema.SCHEMAS[schema.STATION][3]):
            if value is not None:
                self.assertTrue(field[3] <= value <= field[4], (field[0], value))
        return dict(zip(names, values))

    def test_states_are_the_codes(self):
        for name, value in (
            ("UNKNOWN", 0), ("ON", 1), ("SUSPECTED", 2), ("OFF", 3), ("ADRIFT", 4),
            ("SINKER_MOVED", 5), ("CHAIN_SHORT", 6),
        ):  # fmt: skip
            self.assertEqual(getattr(codes, "STATION_" + name), value)

    def test_nothing_is_known_at_first(self):
        self.station.poll(0)
        self.assertEqual(self.shown()["condition"], codes.STATION_UNKNOWN)
        self.assertIsNone(self.station.off)
        self.assertIsNone(self.shown()["guard_dm"])
        self.assertIsNone(self.shown()["swing_dm"])

    def test_place_and_ring(self):
        self.run_s(120, (200, -200))
        values = self.shown()
        self.assertTrue(abs(values["distance_dm"] - 283) <= 3)
        self.assertTrue(abs(values["bearing_dd"] - 1350) <= 5)
        self.assertEqual((values["swing_dm"], values["guard_dm"]), (REACH - 1 + 1, GUARD))
        self.assertEqual((values["drift_cmps"], values["level_cm"]), (0, None))
        self.assertEqual((values["fixes"], values["refused"]), (12, 0))
        self.assertIs(self.station.off, False)

    def test_the_ring_follows_the_level(self):
        rings = []
        for self.level in (-100, 0, 600, 1600):
            self.run_s(60, (0, 0))
            values = self.shown()
            rings.append((values["swing_dm"], values["guard_dm"], values["level_cm"]))
        # 30 m of chain in 8, 9, 15 and 25 m.
        self.assertEqual(
            rings, [(289, 389, -100), (286, 386, 0), (259, 359, 600), (165, 265, 1600)]
        )

    def test_a_chain_shorter_than_the_water_is_deep(self):
        self.level = 2095
        self.run_s(120, (100, 0))
        self.assertEqual(self.state, codes.STATION_ON)
        self.level = 2100
        self.run_s(120, (100, 0))
        self.assertEqual(self.state, codes.STATION_CHAIN_SHORT)
        self.assertEqual(self.told, [(codes.ALARM_CHAIN_SHORT, codes.LEVEL_WARNING)])
        self.assertEqual((self.shown()["swing_dm"], self.shown()["guard_dm"]), (None, 400))
        self.level = None  # says nothing about it
        self.run_s(120, (100, 0))
        self.assertEqual(self.state, codes.STATION_CHAIN_SHORT)
        self.level = 2060
        self.run_s(60, (100, 0))
        self.assertEqual(self.state, codes.STATION_CHAIN_SHORT)
        self.level = 2040
        self.run_s(60, (100, 0))
        self.assertEqual(self.told[-1], (codes.ALARM_CHAIN_SHORT, 0))
        self.assertEqual(self.state, codes.STATION_ON)

    def test_one_wrong_level_is_no_short_chain(self):
        for self.level in (0, 9000, 0, 9000, 9000, 0):
            self.run_s(10, (100, 0))
        self.assertEqual(self.told, [])

    def test_an_aid_that_stands_has_a_ring_for_errors_only(self):
        self.start(chain=0, depth=0)
        self.run_s(60, (10, 10))
        values = self.shown()
        self.assertEqual((values["swing_dm"], values["guard_dm"]), (0, 150))
        self.run_s(15 * MINUTE, (200, 0))
        self.assertTrue(self.station.off)

    def test_what_is_old_is_not_shown(self):
        self.run_s(120, (100, 0))
        self.run_s(180)
        self.assertIsNone(self.shown()["distance_dm"])
        self.assertIsNone(self.shown()["drift_cmps"])


class Elsewhere(AtSea):
    def anywhere(self):
        for east, north, bearing in ((250, 0, 900), (0, -250, 1800), (-150, 200, 3231)):
            self.start()
            self.run_s(90, (east, north))
            values = self.station.values(self.now)
            self.assertTrue(abs(values[1] - 250) <= 4, values)
            self.assertTrue(abs(values[2] - bearing) <= 10, values)
            self.run_s(15 * MINUTE, (2 * east, 2 * north))
            self.assertEqual(self.state, codes.STATION_OFF)

    def test_at_the_equator(self):
        self.sinker = (0, 100000000)
        self.anywhere()

    def test_across_the_date_line(self):
        for lon in (180000000, -180000000, 179999950, -179999950):
            self.sinker = (-17000000, lon)
            self.anywhere()

    def test_far_north(self):
        self.sinker = (80000000, 10000000)
        self.anywhere()


class Gate(AtSea):
    def refuses(self):
        self.run_s(60, (0, 0))
        self.assertEqual(self.station.fixes, 0)
        self.assertEqual(self.station.refused, 12)
        self.assertEqual(self.state, codes.STATION_UNKNOWN)

    def test_a_poor_hdop(self):
        self.gnss.hdop_e2 = 401
        self.refuses()

    def test_few_satellites(self):
        self.gnss.sats = 4
        self.refuses()

    def test_no_fix_or_one_that_is_not_measured(self):
        for quality in (0, 6, 7, 8):
            self.start()
            self.gnss.quality = quality
            self.refuses()

    def test_a_receiver_that_says_only_where(self):
        self.gnss.hdop_e2 = self.gnss.sats = self.gnss.quality = None
        self.run_s(60, (0, 0))
        self.assertEqual(self.state, codes.STATION_ON)

    def test_a_fix_counts_once(self):
        self.run_s(60, (0, 0))
        fixes = self.station.fixes
        self.run_s(100)
        self.assertEqual((self.station.fixes, self.station.refused), (fixes, 0))

    def test_a_leap_is_refused_until_it_lasts(self):
        self.run_s(120, (0, 0))
        self.run_s(1, (5000, 0))
        self.assertEqual(self.station.refused, 1)
        self.run_s(120, (0, 0))
        self.assertEqual(self.station.refused, 1)
        self.run_s(120, (50000, 0))
        self.assertEqual(self.station.refused, 3)
        self.assertTrue(self.station.values(self.now)[1] > 49000)

    def test_a_cold_start_far_off_is_no_alarm(self):
        self.run_s(25, (90000, 0))
        self.run_s(30 * MINUTE, (100, 0))
        self.assertEqual(self.told, [])
        self.assertEqual(self.state, codes.STATION_ON)


class FalseFixes(AtSea):
    def setUp(self):
        self.start()
        self.noise = 30
        self.run_s(5 * MINUTE, (200, 150))

    def survives(self, seconds, east, north):
        for _ in range(3):
            self.run_s(seconds, (east, north))
            self.run_s(12 * MINUTE, (200, 150))
        self.assertEqual(self.told, [])
        self.assertEqual(self.state, codes.STATION_ON)

    def test_one(self):
        for _ in range(20):
            self.run_s(1, (20000, 9000))
            self.run_s(59, (200, 150))
        self.assertEqual(self.told, [])

    def test_twenty_seconds_sixty_metres_off(self):
        self.survives(20, 800, 150)

    def test_a_minute_sixty_metres_off(self):
        self.survives(60, 200, 750)

    def test_a_minute_beyond_three_guards(self):
        self.survives(60, 1400, 0)

    def test_a_minute_that_looks_like_steps_outwards(self):
        self.survives(20, 500, 150)
        for _ in range(3):
            self.run_s(20, (500, 150))
            self.run_s(20, (800, 150))
            self.run_s(12 * MINUTE, (200, 150))
        self.assertEqual(self.told, [])


class NearTheEdge(AtSea):
    def setUp(self):
        self.start()
        self.run_s(2 * MINUTE, (200, 0))

    def test_suspected_then_off_after_the_delay(self):
        self.run_s(MINUTE, (420, 0))
        self.assertEqual(self.state, codes.STATION_SUSPECTED)
        self.assertTrue(self.station.hurry and self.station.busy)
        self.assertIs(self.station.off, False)
        self.run_s(9 * MINUTE, (420, 0))
        self.assertEqual(self.told, [])
        self.run_s(2 * MINUTE, (420, 0))
        self.assertEqual(self.told, [(codes.ALARM_OFF_STATION, codes.LEVEL_ALARM)])
        self.assertEqual(self.state, codes.STATION_OFF)
        self.assertTrue(self.station.off and self.station.hurry)
        self.assertFalse(self.station.busy)

    def test_the_delay_is_a_setting(self):
        self.start(delay_ms=60000)
        self.run_s(3 * MINUTE, (420, 0))
        self.assertTrue(self.station.off)

    def test_back_in_time_is_no_alarm_also_between_the_rings(self):
        for _ in range(2):
            self.run_s(9 * MINUTE, (420, 0))
            self.run_s(2 * MINUTE, (370, 0))
        self.assertEqual(self.told, [])
        self.assertEqual(self.state, codes.STATION_ON)

    def test_it_clears_well_inside_only(self):
        self.run_s(12 * MINUTE, (420, 0))
        self.run_s(HOUR, (350, 0))
        self.assertEqual(len(self.told), 1)
        self.run_s(100, (250, 0))
        self.assertEqual(len(self.told), 1)
        self.run_s(3 * MINUTE, (250, 0))
        self.assertEqual(self.told[1:], [(codes.ALARM_OFF_STATION, 0)])
        self.assertEqual(self.state, codes.STATION_ON)

    def test_where_the_chain_is_taut_it_is_well_inside(self):
        # 100 m of chain: 0.8 guards are less than the swing.
        self.start(chain=1000, depth=1000)
        self.run_s(12 * MINUTE, (1130, 0))
        self.assertTrue(self.station.off)
        self.run_s(5 * MINUTE, (990, 0))
        self.assertEqual(self.told[-1], (codes.ALARM_OFF_STATION, 0))

    def test_a_dragged_sinker_is_not_cleared_by_the_next_tide(self):
        self.run_s(2 * HOUR, (420, 0), 30)
        self.assertEqual(
            sorted(self.raised()), [codes.ALARM_OFF_STATION, codes.ALARM_SINKER_MOVED]
        )
        told = len(self.told)
        self.run_s(10 * HOUR, (-100, 0), 40)
        self.run_s(2 * HOUR, (420, 0), 30)
        self.assertEqual(len(self.told), told)
        self.run_s(14 * HOUR, (-100, 0), 40)
        self.assertEqual(self.told[told:], [(codes.ALARM_OFF_STATION, 0)])


class Adrift(AtSea):
    def alarm_at(self, where):
        """Return how far it is from the sinker when it is told to be adrift, in metres."""
        for s in range(0, 1000, 2):
            self.run_s(2, where(s), 2)
            if codes.ALARM_ADRIFT in self.raised():
                x, y = where(s)
                return int(math.sqrt(x * x + y * y)) // 10
        return None

    def breaks_free(self, seed, cmps, east, north):
        self.start()
        self.dice = Dice(seed)
        self.noise = 40
        self.run_s(200 + 3 * seed, (east, north))
        # dm after s seconds, to the east
        return self.alarm_at(lambda s: (east + cmps * s // 10, north))

    def test_at_two_and_a_half_metres_a_second_within_three_hundred_metres(self):
        for seed in range(3):
            for east, north in ((0, 0), (280, 0), (-280, 0), (0, 280)):
                at = self.breaks_free(seed, 250, east, north)
                self.assertTrue(at is not None and at <= 230, (seed, east, north, at))
                self.assertEqual(self.told, [(codes.ALARM_ADRIFT, codes.LEVEL_AT_ONCE)])
                self.assertEqual(self.state, codes.STATION_ADRIFT)
                self.assertTrue(self.station.off and self.station.hurry)

    def test_what_is_told_of_the_drift(self):
        self.breaks_free(1, 250, 0, 0)
        speed, whereto = self.station.values(self.now)[7:9]
        self.assertTrue(abs(speed - 250) <= 30)
        self.assertTrue(abs(whereto - 900) <= 60)

    def test_a_slow_one_before_three_guards(self):
        for seed in range(3):
            at = self.breaks_free(seed, 70, 200, 0)
            self.assertTrue(at is not None and at <= 130, at)

    def test_below_half_a_metre_a_second_it_is_not(self):
        self.run_s(200, (250, 0))
        self.run_s(4 * MINUTE, lambda s: (250 + 7 * s // 2, 0))
        self.assertEqual(self.state, codes.STATION_SUSPECTED)
        self.assertEqual(self.raised(), [])

    def test_with_every_third_fix_refused(self):
        self.run_s(200, (0, 0))

        def way(s):
            self.gnss.hdop_e2 = 900 if s % 30 < 10 else 100
            return 25 * s, 0

        self.assertTrue(self.alarm_at(way) <= 300)

    def test_slower_than_a_drift_it_is_off_and_then_adrift(self):
        self.run_s(200, (250, 0))
        self.run_s(14 * MINUTE, lambda s: (250 + s, 0))  # 10 cm/s
        self.assertEqual(self.raised()[-1], codes.ALARM_OFF_STATION)
        self.assertTrue(codes.ALARM_ADRIFT not in self.raised())
        self.run_s(5 * MINUTE, lambda s: (1090 + s, 0))
        self.assertEqual(self.raised()[-1], codes.ALARM_ADRIFT)

    def test_far_off_already_is_told_within_three_minutes(self):
        self.run_s(170, (2000, 0))
        self.assertEqual(self.raised(), [codes.ALARM_ADRIFT])

    def test_brought_back(self):
        self.breaks_free(1, 250, 0, 0)
        self.run_s(HOUR, (3000, 0), 10)
        self.run_s(5 * MINUTE, (100, 0))
        self.assertEqual(self.told[1:], [(codes.ALARM_ADRIFT, 0)])
        self.assertEqual(self.state, codes.STATION_ON)

    def test_a_swing_at_the_turn_of_the_tide_is_none(self):
        # Across, and round at one metre a second; the swing ends at the end of the chain.
        self.noise = 40
        for _ in range(4):
            self.run_s(200, (-280, 0))
            self.run_s(56, lambda s: (-280 + 10 * s, 0))
            self.run_s(200, (280, 0))
            self.run_s(90, lambda s: (int(280 * math.cos(s / 28)), int(280 * math.sin(s / 28))))
        self.assertEqual(self.told, [])

    def test_a_long_chain_swings_for_minutes(self):
        self.start(chain=1000, depth=1000)
        self.run_s(100, (0, 0))
        self.run_s(190, lambda s: (5 * s, 0))
        self.run_s(100, (950, 0))
        self.assertEqual(self.told, [])


class Lost(AtSea):
    def test_half_an_hour_without_a_fix(self):
        self.run_s(120, (100, 0))
        self.run_s(29 * MINUTE)
        self.assertEqual((self.state, self.station.off), (codes.STATION_ON, False))
        self.run_s(2 * MINUTE)
        self.assertEqual((self.state, self.station.off), (codes.STATION_UNKNOWN, None))
        self.assertEqual(self.told, [(codes.ALARM_NO_POSITION, codes.LEVEL_WARNING)])
        self.run_s(MINUTE, (100, 0))
        self.assertEqual(self.told[1:], [(codes.ALARM_NO_POSITION, 0)])
        self.assertEqual(self.state, codes.STATION_ON)

    def test_half_an_hour_of_poor_fixes(self):
        self.gnss.hdop_e2 = 2000
        self.run_s(31 * MINUTE, (100, 0))
        self.assertEqual(self.raised(), [codes.ALARM_NO_POSITION])

    def test_fixes_too_rare_to_be_judged(self):
        self.run_s(45 * MINUTE, lambda s: (100, 0) if s % 600 == 0 else None)
        self.assertEqual(self.raised(), [codes.ALARM_NO_POSITION])

    def test_it_clears_no_alarm(self):
        self.run_s(15 * MINUTE, (420, 0))
        self.run_s(40 * MINUTE)
        self.assertEqual(self.raised(), [codes.ALARM_OFF_STATION, codes.ALARM_NO_POSITION])
        self.assertIsNone(self.station.off)
        self.run_s(3 * MINUTE, (350, 0))
        self.assertIs(self.station.off, True)
        self.assertEqual(self.told[-1], (codes.ALARM_NO_POSITION, 0))


class Asleep(AtSea):
    """A board that sleeps between its reports, and starts anew for each."""

    def wake(self, seconds, where):
        kept = self.station.kept()
        self.assertEqual(len(kept), 24)
        self.alarms = Alarms(self.alarms.kept())
        self.now = 5000
        self.gnss.fix_ms = self.gnss.lat_e6 = None
        self.station = self.make(kept=kept)
        self.run_s(seconds, where)

    def test_awake_until_there_is_a_verdict(self):
        self.wake(20, (100, 0))
        self.assertTrue(self.station.busy)
        self.wake(25, (100, 0))
        self.assertFalse(self.station.busy)
        self.wake(60, None)
        self.assertTrue(self.station.busy)
        self.wake(100, None)
        self.assertFalse(self.station.busy)

    def test_a_bad_fix_keeps_it_awake_for_a_minute(self):
        self.wake(30, lambda s: (900 if s < 2 else 100, 0))
        self.assertTrue(self.station.busy)
        self.run_s(60, (100, 0))
        self.assertFalse(self.station.busy)

    def test_off_stays_off_and_clears(self):
        self.run_s(15 * MINUTE, (420, 0))
        self.wake(30, (420, 0))
        self.assertTrue(self.station.hurry)
        self.assertIsNone(self.station.off)
        self.run_s(60, (420, 0))
        self.assertIs(self.station.off, True)
        self.assertFalse(self.station.busy)
        self.assertEqual(len(self.told), 1)
        self.wake(60, (200, 0))
        self.assertTrue(self.station.busy)
        self.run_s(180, (200, 0))
        self.assertEqual(self.told[1:], [(codes.ALARM_OFF_STATION, 0)])

    def test_adrift_stays_adrift(self):
        self.run_s(4 * MINUTE, (2000, 0))
        self.wake(60, (800, 0))
        self.assertEqual(self.state, codes.STATION_ADRIFT)
        self.assertTrue(codes.ALARM_OFF_STATION not in self.raised())
        self.run_s(4 * MINUTE, (100, 0))
        self.assertEqual(self.told[-1], (codes.ALARM_ADRIFT, 0))

    def test_three_wakes_without_a_position(self):
        self.wake(40, (100, 0))
        for _ in range(3):
            self.wake(100, None)
            self.assertEqual(self.told, [])
        self.wake(100, None)
        self.assertEqual(self.raised(), [codes.ALARM_NO_POSITION])
        self.wake(40, (100, 0))
        self.assertEqual(self.told[-1], (codes.ALARM_NO_POSITION, 0))

    def test_the_day_goes_on(self):
        for wake in range(60):
            self.today = wake // 24
            self.wake(25, (250, 30) if wake % 24 < 16 else (-230, -30))
        mean = self.station.values(self.now)[5:7]
        self.assertTrue(abs(mean[0] - (2 * 250 - 230) // 3) <= 4, mean)
        self.assertTrue(abs(mean[1] - 10) <= 4, mean)
        self.assertEqual(self.told, [])

    def test_a_dragged_sinker_is_seen_over_some_wakes(self):
        self.gnss.hdop_e2 = 200
        for _ in range(6):
            self.wake(25, (400, 0))
        self.assertEqual(set(self.raised()), {codes.ALARM_SINKER_MOVED})

    def test_what_is_not_ours_is_left(self):
        for kept in (b"", b"\xff" * 23):
            self.assertEqual(self.make(kept=kept).kept()[4:], self.make().kept()[4:])


class Days(unittest.TestCase):
    """The track and the middle of a day's swing, a look every `step` seconds."""

    def setUp(self):
        self.alarms = Alarms()
        self.told = []
        self.level = 0
        self.now = 0
        self.step = 60
        self.dice = Dice(3)

    def make(self, error=50, river=False, depth=900):
        self.swing = Swing(self.alarms, 300, depth, error, lambda: self.level, river, None)

    def days(self, count, where):
        """Let days pass; `where` is a function of the hour since the start, as a float."""
        for _ in range(count * DAY // self.step):
            self.swing.measure()
            east, north = where(self.now / HOUR)
            place = (int(east) + self.dice.about(25), int(north) + self.dice.about(25))
            self.swing.follow(place, 18000 + self.now // DAY, self.now * 1000)
            alarm = self.alarms.next_alarm()
            if alarm is not None:
                self.told.append((alarm[0], alarm[4] or 0, self.now / DAY))
            self.now += self.step

    def assert_moved(self, first, last):
        self.assertEqual([what for what, _, _ in self.told], [codes.ALARM_SINKER_MOVED])
        self.assertTrue(first <= self.told[0][2] <= last, self.told)

    def tide(self, hour, ebb=0.5, strong=250):
        """East on the flood, west on the ebb, which takes a share of the cycle."""
        return (-strong, -60) if hour % 12.4 < 12.4 * ebb else (strong, 60)

    def test_the_asymmetry_of_a_tide_is_none(self):
        self.make()
        self.days(1, lambda h: self.tide(h, 0.5))
        self.days(1, lambda h: self.tide(h, 0.8))
        self.days(1, lambda h: self.tide(h, 0.7, 220))
        self.days(1, lambda h: self.tide(h + 3, 0.7, 230))
        self.assertEqual(self.told, [])
        mean = (self.swing.mean_dm(0), self.swing.mean_dm(1))
        self.assertTrue(mean[0] < -50, mean)

    def test_days_of_storm_on_one_side_are_none(self):
        self.make()
        self.days(1, self.tide)
        self.days(2, lambda h: (190, 200) if h % 12.4 < 6 else (270, 30))
        self.days(2, lambda h: (-270, 40))
        self.assertEqual(self.told, [])

    def dragged(self, east, north):
        return lambda h: (self.tide(h, strong=270)[0] + east, self.tide(h, strong=270)[1] + north)

    def test_a_sinker_dragged_across_the_stream(self):
        self.make()
        self.days(2, self.dragged(-14, 62))  # less than the limit of 8.6 m
        self.assertEqual(self.told, [])
        self.days(3, self.dragged(-26, 105))
        self.assert_moved(3, 4.01)
        self.days(2, self.dragged(-18, 73))
        self.assertEqual(len(self.told), 1)
        self.days(3, self.dragged(0, 0))
        self.assertEqual(self.told[1][:2], (codes.ALARM_SINKER_MOVED, 0))

    def test_a_sinker_dragged_along_the_stream_is_seen_within_a_tide(self):
        self.make()
        self.days(2, self.tide)
        self.days(1, lambda h: (self.tide(h)[0] + 145, self.tide(h)[1] + 36))
        self.assert_moved(2, 2.6)
        self.days(3, self.tide)
        self.assertEqual(self.told[1][:2], (codes.ALARM_SINKER_MOVED, 0))

    def test_odd_days_are_not_believed_unless_they_follow_each_other(self):
        self.make()
        for _ in range(2):
            self.days(2, self.dragged(0, 0))
            self.days(1, self.dragged(-26, 105))
        self.days(2, self.dragged(0, 0))
        self.assertEqual(self.told, [])

    def test_a_minute_of_false_fixes_does_not_move_the_track(self):
        self.make()
        self.days(3, lambda h: (900, 0) if h % 2 < 1 / 60 else self.tide(h))
        self.assertEqual(self.told, [])

    def test_a_flood_of_twelve_metres_and_its_fall(self):
        for known in (True, False):
            self.setUp()
            self.make(river=True, depth=600)
            self.step = 300

            def where(hour, known=known):
                # Up for four days, high for two, down for four; taut in the strong stream.
                day = hour / 24
                cm = int(max(0, min(1200, 300 * day, 300 * (10 - day))))
                self.level = cm if known else None
                reach = math.sqrt(300.0 * 300 - (60 + cm / 10) ** 2) * 0.96
                return reach * 0.94, reach * 0.34

            self.days(12, where)
            self.assertEqual(self.told, [])
            self.assertTrue(self.swing.mean_dm(0) > 200)

    def test_a_river_that_turns_slowly(self):
        self.make(river=True, depth=600)
        self.step = 300
        self.days(20, lambda h: (265 * math.cos(h / 1100), 265 * math.sin(h / 1100)))
        self.assertEqual(self.told, [])

    def test_on_a_river_a_sinker_dragged_downstream_or_across(self):
        for east, north, last in ((150, 0, 4.3), (0, 150, 6.01)):
            self.setUp()
            self.make(river=True, depth=600)
            self.step = 300
            self.days(4, lambda h: (265, 0))
            self.assertEqual(self.told, [])
            self.days(2, lambda h, e=east, n=north: (265 + e, n))
            self.days(1, lambda h, e=east, n=north: (265 + e, n))
            self.assert_moved(4, last)

    def test_without_a_day_only_the_chain_counts(self):
        self.make()
        swing = self.swing
        for i in range(3000):
            swing.measure()
            swing.follow((420, 0) if i > 1000 else (200, 0), None, i * 30000)
        self.assertEqual(self.alarms.next_alarm()[0], codes.ALARM_SINKER_MOVED)
        self.assertIsNone(swing.mean_dm(0))


if __name__ == "__main__":
    unittest.main()

"""Should it be lit: photocell, sun, and what happens when they contradict each other."""

import unittest

from fakes import FakeReader

from agent.alarms import Alarms
from agent.sense.daylight import Daylight
from agent.wire.codes import (
    ALARM_SENSOR,
    LEVEL_WARNING,
    SENSOR_PHOTOCELL,
    SHOULD,
    SHOULD_EITHER,
    SHOULD_NOT,
)

PLACE = (31100000, 122200000)
NOON = 217482000  # 2026-11-22 11:40 there: 38 degrees high
MIDNIGHT = NOON + 43200
DUSK = 217501800  # the sun at -4.5 degrees
HOUR = 3600

NIGHT_LUX = 1
DAY_LUX = 20000


class Case(unittest.TestCase):
    def setUp(self):
        self.make(NIGHT_LUX, MIDNIGHT)

    def make(self, lux, t, always=False, cell=True):
        self.cell = FakeReader(lux) if cell else None
        self.place = PLACE
        self.start_t = t  # None: the clock is not set
        self.now = 0
        self.alarms = Alarms()
        self.daylight = Daylight(
            self.cell, lambda: self.place, self.clock_t, 100, 200, always, self.alarms
        )
        self.run_s(15)

    def clock_t(self):
        return -1 if self.start_t is None else self.start_t + self.now // 1000

    def run_s(self, seconds):
        # Long times in long steps: a poll that comes late changes nothing here.
        late = 14000 if seconds > 600 else 0
        until = self.now + seconds * 1000
        while self.now < until:
            self.now += min(self.daylight.poll(self.now) + late, until - self.now)
        self.daylight.poll(self.now)

    def should(self):
        return self.daylight.should(self.now)

    def sensor_alarm(self):
        return self.alarms.level(ALARM_SENSOR, SENSOR_PHOTOCELL)


class Photocell(Case):
    def test_night_and_day(self):
        self.assertEqual((self.should(), self.daylight.dark_now), (SHOULD, True))
        self.assertEqual(self.daylight.lux, NIGHT_LUX)
        self.make(DAY_LUX, NOON)
        self.assertEqual((self.should(), self.daylight.dark_now), (SHOULD_NOT, False))

    def test_nothing_is_known_before_it_was_the_same_for_ten_seconds(self):
        self.make(NIGHT_LUX, None)
        self.assertEqual(self.should(), SHOULD)
        self.daylight = Daylight(
            self.cell, lambda: None, self.clock_t, 100, 200, False, self.alarms
        )
        self.run_s(8)
        self.assertEqual((self.should(), self.daylight.dark_now), (None, None))

    def test_headlights_and_birds_are_too_short(self):
        for second in range(60):
            self.cell.value = DAY_LUX if second % 20 < 9 else NIGHT_LUX
            self.run_s(1)
            self.assertEqual(self.should(), SHOULD)
        self.make(DAY_LUX, NOON)
        for second in range(60):
            self.cell.value = NIGHT_LUX if second % 20 < 9 else DAY_LUX
            self.run_s(1)
            self.assertEqual(self.should(), SHOULD_NOT)

    def test_between_the_thresholds_it_stays_as_it_was(self):
        self.cell.value = 150
        self.run_s(HOUR)
        self.assertTrue(self.daylight.dark_now)
        self.make(DAY_LUX, NOON)
        self.cell.value = 150
        self.run_s(HOUR)
        self.assertEqual(self.daylight.dark_now, False)

    def test_either_for_a_minute_after_a_change(self):
        self.make(DAY_LUX, None)
        self.cell.value = NIGHT_LUX
        self.run_s(9)
        self.assertEqual(self.should(), SHOULD_NOT)
        self.run_s(5)
        self.assertEqual(self.should(), SHOULD_EITHER)
        self.run_s(50)
        self.assertEqual(self.should(), SHOULD_EITHER)
        self.run_s(10)
        self.assertEqual(self.should(), SHOULD)

    def test_either_near_the_thresholds(self):
        for lux, wanted in (
            (49, SHOULD),
            (50, SHOULD_EITHER),
            (99, SHOULD_EITHER),
            (201, SHOULD_EITHER),
            (400, SHOULD_EITHER),
            (401, SHOULD_NOT),
        ):
            self.make(lux, None)
            self.run_s(120)
            self.assertEqual(self.should(), wanted, lux)
            self.make(lux, DUSK)
            self.run_s(120)
            self.assertEqual(self.should(), wanted, lux)

    def test_lamps_near_by_do_not_excuse_a_dark_light_all_night(self):
        self.make(80, MIDNIGHT)
        self.run_s(120)
        self.assertEqual(self.should(), SHOULD)

    def test_a_thunderstorm_is_night(self):
        self.make(DAY_LUX, NOON)
        self.cell.value = 20
        self.run_s(2 * HOUR)
        self.assertEqual((self.should(), self.sensor_alarm()), (SHOULD, 0))

    def test_a_light_of_24_hours(self):
        self.make(DAY_LUX, NOON, always=True)
        self.assertEqual(self.should(), SHOULD)

    def test_thresholds_the_wrong_way_round_still_mean_dark_and_bright(self):
        self.daylight = Daylight(
            self.cell, lambda: None, self.clock_t, 100, 50, False, self.alarms
        )
        self.run_s(120)
        self.assertEqual(self.should(), SHOULD)


class Sun(Case):
    def test_without_a_photocell_it_decides(self):
        for t, wanted in ((NOON, SHOULD_NOT), (MIDNIGHT, SHOULD), (DUSK, SHOULD_EITHER)):
            self.make(0, t, cell=False)
            self.assertEqual((self.should(), self.daylight.dark_now), (wanted, None))
            self.assertEqual((self.daylight.lux, self.daylight.bright), (None, None))
            self.assertEqual(self.sensor_alarm(), 0)

    def test_without_clock_or_place_nothing_is_known(self):
        self.make(0, None, cell=False)
        self.assertEqual((self.should(), self.daylight.sun_dd), (None, None))
        self.start_t = MIDNIGHT
        self.run_s(60)
        self.assertEqual(self.should(), SHOULD)
        self.place = None
        self.run_s(60)
        self.assertEqual((self.should(), self.daylight.sun_dd), (None, None))

    def test_it_follows_the_day(self):
        self.make(0, NOON, cell=False)
        said = []
        for _ in range(24 * 60):
            self.run_s(60)
            if not said or said[-1] != self.should():
                said.append(self.should())
        self.assertEqual(said, [SHOULD_NOT, SHOULD_EITHER, SHOULD, SHOULD_EITHER, SHOULD_NOT])


class Contradiction(Case):
    def test_bright_by_night_is_believed_for_an_hour(self):
        self.make(DAY_LUX, MIDNIGHT)
        self.run_s(HOUR - 60)
        self.assertEqual((self.should(), self.sensor_alarm()), (SHOULD_NOT, 0))
        self.run_s(120)
        self.assertEqual((self.should(), self.sensor_alarm()), (SHOULD, LEVEL_WARNING))
        self.assertEqual((self.daylight.dark_now, self.daylight.bright), (None, None))
        what, active, value, _, level, part = self.alarms.next_alarm()
        self.assertEqual((what, active, level, part), (ALARM_SENSOR, 1, 1, SENSOR_PHOTOCELL))
        self.assertTrue(3600 <= value <= 3700)

    def test_by_day_a_stuck_photocell_is_right_by_chance_and_still_doubted(self):
        self.make(DAY_LUX, MIDNIGHT)
        self.run_s(12 * HOUR)
        self.assertEqual((self.should(), self.sensor_alarm()), (SHOULD_NOT, LEVEL_WARNING))
        self.run_s(12 * HOUR)
        self.assertEqual(self.should(), SHOULD)
        self.cell.value = NIGHT_LUX  # wiped
        self.run_s(140)
        self.assertEqual((self.should(), self.sensor_alarm()), (SHOULD, 0))
        self.assertTrue(self.daylight.dark_now)

    def test_dark_by_day_is_believed_for_three_hours(self):
        self.make(NIGHT_LUX, NOON - 2 * HOUR)
        self.run_s(3 * HOUR - 60)
        self.assertEqual((self.should(), self.sensor_alarm()), (SHOULD, 0))
        self.run_s(120)
        self.assertEqual((self.should(), self.sensor_alarm()), (SHOULD_NOT, LEVEL_WARNING))
        self.run_s(9 * HOUR)
        self.assertEqual((self.should(), self.sensor_alarm()), (SHOULD, LEVEL_WARNING))

    def test_stuck_between_the_thresholds(self):
        self.cell.value = 150
        self.run_s(24 * HOUR)
        self.assertEqual((self.should(), self.sensor_alarm()), (SHOULD, LEVEL_WARNING))

    def test_two_storms_are_not_one(self):
        self.make(NIGHT_LUX, NOON - 2 * HOUR)
        self.run_s(2 * HOUR)
        self.cell.value = DAY_LUX
        self.run_s(120)
        self.cell.value = NIGHT_LUX
        self.run_s(2 * HOUR)
        self.assertEqual(self.sensor_alarm(), 0)

    def test_a_photocell_that_says_nothing(self):
        self.cell.value = None
        self.run_s(60)
        self.assertEqual(
            (self.daylight.lux, self.should(), self.sensor_alarm()), (None, SHOULD, 0)
        )
        self.run_s(660)
        self.assertEqual((self.should(), self.sensor_alarm()), (SHOULD, LEVEL_WARNING))
        self.cell.value = NIGHT_LUX
        self.run_s(60)
        self.assertEqual(self.sensor_alarm(), 0)

    def test_without_the_sun_nothing_contradicts(self):
        self.make(DAY_LUX, None)
        self.run_s(20 * HOUR)
        self.assertEqual((self.should(), self.sensor_alarm()), (SHOULD_NOT, 0))


class Bright(Case):
    def test_only_when_photocell_and_sun_are_sure(self):
        for lux, t, wanted in (
            (2000, NOON, True),
            (1999, NOON, False),
            (DAY_LUX, DUSK, False),
            (DAY_LUX, MIDNIGHT, False),
            (DAY_LUX, None, None),
            (NIGHT_LUX, NOON, False),
        ):
            self.make(lux, t)
            self.assertEqual(self.daylight.bright, wanted)

"""Charge counted and bounded, days to empty, alarms by chemistry, and what a sleep leaves of it."""

import errno
import unittest

from support import ON_MICROPYTHON

from agent.alarms import Alarms
from agent.sense import chemistry
from agent.sense.energy import Energy
from agent.wire import codes, schema

S = 1000
MINUTE = 60 * S
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MIDNIGHT = 2500 * 86400  # of a day in 2026


class Reader:
    """A reader whose value a function of the time gives; None: the read fails."""

    def __init__(self, value):
        self.value = value
        self.ms = 0

    def read(self):
        value = self.value(self.ms) if callable(self.value) else self.value
        if value is None:
            raise OSError(errno.EIO)
        return value


def flashing(period_ms, on_ms):
    return lambda ms: -1000 if ms % period_ms < on_ms else -50


class Batteries(unittest.TestCase):
    def start(
        self, mv=12600, ma=0, kind="lead", cells=6, ah=80, t=MIDNIGHT, kept=None, days=(30, 10)
    ):
        self.mv = Reader(mv)
        self.ma = Reader(ma)
        self.now_ms = 0
        self.t0 = t
        self.alarms = Alarms()
        self.told = []
        self.energy = self.make(kind, cells, ah, days, kept)

    def make(self, kind="lead", cells=6, ah=80, days=(30, 10), kept=None):
        return Energy(
            self.mv, self.ma, self.alarms, kind, cells, ah, days[0], days[1], self.t, kept
        )

    def t(self):
        return -1 - self.now_ms // 1000 if self.t0 is None else self.t0 + self.now_ms // 1000

    def run_for(self, ms, step_ms=2000):
        until_ms = self.now_ms + ms
        while self.now_ms <= until_ms:
            self.mv.ms = self.ma.ms = self.now_ms
            self.energy.poll(self.now_ms)
            self.now_ms += step_ms
            while True:
                alarm = self.alarms.next_alarm()
                if alarm is None:
                    break
                self.told.append(alarm)
        self.now_ms -= step_ms

    def values(self):
        values = self.energy.values(self.now_ms)
        names = [field[0] for field in schema.SCHEMAS[schema.ENERGY][3]]
        self.assertEqual(len(values), len(names))
        return dict(zip(names, values))


class Counting(Batteries):
    def test_charge_and_discharge_apart_to_the_milliampere_hour(self):
        self.start(ma=lambda ms: 1500 if ms % (2 * MINUTE) < MINUTE else -300)
        self.run_for(4 * HOUR)
        values = self.values()
        self.assertTrue(abs(values["in_mah"] - 3000) <= 3, values)
        self.assertTrue(abs(values["out_mah"] - 600) <= 3, values)
        self.assertTrue(values["unmeasured_s"] <= 3)

    def test_small_currents_are_not_lost(self):
        self.start(ma=-7)
        self.run_for(3 * HOUR)
        self.assertTrue(20 <= self.values()["out_mah"] <= 21)

    def test_greatest_currents_stay_small_integers(self):
        self.start(ma=32767)
        self.run_for(HOUR)
        self.assertTrue(abs(self.values()["in_mah"] - 32767) <= 20)

    def test_a_flashing_lamp_is_counted_whatever_its_rhythm(self):
        """Sampled once a second, a light that is locked to the clock would count double or nothing."""
        for period_ms, on_ms in ((4000, 500), (1000, 300), (500, 250), (6000, 1000), (10000, 700)):
            self.start(ma=flashing(period_ms, on_ms))
            while self.now_ms < HOUR // 10:
                self.mv.ms = self.ma.ms = self.now_ms
                self.now_ms += self.energy.poll(self.now_ms) or 113
            expected = (50 + 950 * on_ms // period_ms) // 10
            got = self.values()["out_mah"]
            self.assertTrue(abs(got - expected) <= 1 + expected // 50, (period_ms, expected, got))

    def test_what_was_not_measured_is_counted_and_not_made_up(self):
        self.start(ma=lambda ms: None if HOUR <= ms < 3 * HOUR else -1000)
        self.run_for(2 * HOUR)
        self.run_for(2 * HOUR)
        values = self.values()
        self.assertTrue(abs(values["unmeasured_s"] - 7200) <= 5, values)
        self.assertTrue(abs(values["out_mah"] - 2000) <= 3, values)
        self.assertTrue(self.energy.errors > 3000)
        self.now_ms += 30 * MINUTE  # nobody polled
        self.run_for(10 * S)
        values = self.values()
        self.assertTrue(abs(values["unmeasured_s"] - 9000) <= 10, values)
        self.assertTrue(abs(values["out_mah"] - 2000) <= 5, values)

    def test_before_the_start_it_was_not_measured_either(self):
        self.start(t=MIDNIGHT + 36000, ma=-100)
        self.run_for(MINUTE)
        self.assertTrue(abs(self.values()["unmeasured_s"] - 36000) <= 3)

    def test_days_are_kept_apart_at_midnight_utc(self):
        self.start(t=MIDNIGHT + 23 * 3600, ma=-1000)
        self.run_for(2 * HOUR)
        values = self.values()
        self.assertTrue(abs(values["day_out_mah"] - 1000) <= 2)
        self.assertTrue(abs(values["out_mah"] - 1000) <= 2)
        self.assertEqual(values["day_in_mah"], 0)
        self.assertIsNone(values["days_left_dd"])  # an hour makes no balance

    def test_a_clock_stepped_over_midnight_and_back_counts_no_day_twice(self):
        self.start(t=MIDNIGHT - 1800, ma=-1000)
        self.run_for(HOUR // 4)
        self.t0 += HOUR // S
        self.run_for(10 * S)
        self.t0 -= HOUR // S
        self.run_for(HOUR // 4)
        values = self.values()
        self.assertTrue(abs(values["day_out_mah"] - 250) <= 4, values)
        self.assertTrue(abs(values["out_mah"] - 250) <= 4, values)

    def test_a_clock_that_comes_late_keeps_what_was_counted(self):
        self.start(t=None, ma=-1000)
        self.run_for(HOUR)
        self.t0 = MIDNIGHT + 50000
        self.run_for(MINUTE)
        values = self.values()
        self.assertTrue(1010 <= values["out_mah"] <= 1020, values)
        self.assertIsNone(values["day_out_mah"])

    def test_a_gap_of_days_has_no_yesterday(self):
        self.start(ma=-1000)
        self.run_for(HOUR)
        self.now_ms += 2 * DAY
        self.run_for(MINUTE)
        values = self.values()
        self.assertIsNone(values["day_out_mah"])
        self.assertTrue(values["out_mah"] <= 20)

    def test_extremes_of_the_voltage_begin_anew_with_each_record(self):
        self.start(mv=lambda ms: 12000 + ms // S)
        self.run_for(100 * S)
        values = self.values()
        self.assertTrue(12000 <= values["min_mv"] <= 12002 and values["max_mv"] == 12100)
        self.assertEqual(self.values()["min_mv"], None)
        self.run_for(10 * S)
        self.assertTrue(self.values()["min_mv"] >= 12100)

    def test_not_fitted_and_broken(self):
        self.start()
        self.mv = self.ma = None
        energy = self.make()
        self.assertTrue(energy.poll(0) > 1000)
        self.assertEqual(energy.values(100), (None,) * 9)
        self.start(mv=3)
        self.run_for(MINUTE)
        values = self.values()
        self.assertEqual((values["min_mv"], values["in_mah"]), (None, 0))
        self.assertRaises(ValueError, self.make, "potato")

    def test_an_untold_battery_is_only_counted(self):
        self.start(mv=5000, ma=-1000, cells=0, ah=0)
        self.run_for(HOUR)
        values = self.values()
        self.assertTrue(values["out_mah"] >= 999)
        self.assertEqual((values["left_mah"], self.told), (None, []))


class Left(Batteries):
    def test_not_known_before_it_has_rested(self):
        self.start(mv=12300, ma=-100)
        self.run_for(30 * MINUTE, S)
        self.assertIsNone(self.values()["left_mah"])
        self.run_for(31 * MINUTE, S)
        left = self.values()["left_mah"]
        self.assertTrue(40000 <= left <= 62000, left)

    def test_a_full_battery_is_the_whole_capacity(self):
        self.start(mv=14400, ma=1000)
        self.run_for(11 * MINUTE, S)
        self.assertEqual(self.values()["left_mah"], 80000)
        self.ma.value = -1000
        self.mv.value = 12700
        self.run_for(3 * HOUR)
        self.assertTrue(abs(self.values()["left_mah"] - 77000) <= 5)

    def test_a_voltage_lifted_by_a_great_current_is_not_full(self):
        self.start(mv=14400, ma=5000)
        self.run_for(HOUR, S)
        self.assertIsNone(self.values()["left_mah"])

    def test_less_comes_out_than_was_put_in(self):
        self.start(mv=14400, ma=1000)
        self.run_for(11 * MINUTE, S)
        self.mv.value = 12600
        self.ma.value = -4000
        self.run_for(5 * HOUR)
        before = self.values()["left_mah"]
        self.mv.value = 13000
        self.ma.value = 4000
        self.run_for(2 * HOUR)
        gained = self.values()["left_mah"] - before
        self.assertTrue(abs(gained - 6800) <= 10, gained)

    def test_a_count_that_strayed_is_bounded_by_the_voltage_at_rest(self):
        self.start(mv=14400, ma=1000)
        self.run_for(11 * MINUTE, S)
        self.mv.value = 11700  # a sensor that is 100 mA off, for weeks
        self.ma.value = -100
        self.run_for(62 * MINUTE, S)
        self.assertTrue(self.values()["left_mah"] <= 80000 * 40 // 100)
        self.mv.value = 12650
        self.run_for(2 * MINUTE, S)
        self.assertTrue(self.values()["left_mah"] >= 80000 * 75 // 100)

    def test_the_flat_middle_of_lifepo4_bounds_little(self):
        self.start(mv=14000, ma=100, kind="lifepo4", cells=4, ah=100)
        self.run_for(11 * MINUTE, S)
        self.ma.value = -1000
        self.mv.value = 13300
        self.run_for(8 * HOUR)
        self.assertTrue(abs(self.values()["left_mah"] - 92000) <= 12500)


class Days(Batteries):
    def sail(self, count, ma_by_day, mv=12700, **options):
        if ON_MICROPYTHON:
            self.skipTest("days of samples; CPython does")
        self.start(mv=mv, **options)
        self.ma.value = lambda ms: 0
        self.run_for(62 * MINUTE, S)
        self.t0 = MIDNIGHT - self.now_ms // S
        for day in range(count):
            self.ma.value = ma_by_day(day)
            self.run_for(DAY)

    def test_a_battery_without_sun(self):
        self.sail(3, lambda day: -250, mv=lambda ms: 12700 - ms // (10 * MINUTE), days=(30, 5))
        values = self.values()
        self.assertTrue(5900 <= values["day_out_mah"] <= 6000)
        expected = 10 * values["left_mah"] // 6000
        self.assertTrue(abs(values["days_left_dd"] - expected) <= 3, values)
        self.assertEqual(
            [alarm[:2] + alarm[3:5] for alarm in self.told],
            [(codes.ALARM_DAYS_TO_EMPTY, 1, 300, codes.LEVEL_WARNING)],
        )
        self.assertEqual(self.energy.stretch, 2)

    def test_it_comes_to_the_alarm_and_back_with_hysteresis(self):
        self.sail(4, lambda day: -400, mv=lambda ms: 12400 - ms // (12 * MINUTE), days=(10, 3))
        self.assertEqual(
            [alarm[4] for alarm in self.told if alarm[0] == codes.ALARM_DAYS_TO_EMPTY],
            [codes.LEVEL_WARNING, codes.LEVEL_ALARM],
        )
        self.assertEqual(self.energy.stretch, 6)
        self.ma.value = lambda ms: 2000 if ms % DAY < DAY // 2 else -400
        self.mv.value = 12700
        self.run_for(4 * DAY)
        self.assertEqual(self.alarms.level(codes.ALARM_DAYS_TO_EMPTY), 0)
        self.assertEqual(self.values()["days_left_dd"], 99999)
        self.assertEqual(self.energy.stretch, 1)

    def test_a_day_that_was_hardly_measured_makes_no_balance(self):
        self.sail(1, lambda day: None)
        self.assertIsNone(self.values()["days_left_dd"])

    def test_a_primary_battery_by_what_it_gives_alone(self):
        self.sail(1, lambda day: -100, mv=14000, kind="primary", cells=10, ah=1000)
        values = self.values()
        self.assertTrue(abs(values["days_left_dd"] - 10 * values["left_mah"] // 2400) <= 2)


class Voltage(Batteries):
    def test_each_chemistry_has_its_own_limits_with_hysteresis(self):
        kinds = (("lead", 6), ("agm", 6), ("lifepo4", 4), ("li-ion", 3), ("primary", 8))
        for kind, cells in kinds[:1] if ON_MICROPYTHON else kinds:
            _, warn, alarm, clear = chemistry.row(kind)[:4]
            self.start(mv=cells * (warn + 30), kind=kind, cells=cells)
            self.run_for(5 * MINUTE, S)
            self.assertEqual(self.told, [], kind)
            self.mv.value = cells * (warn - 10)
            self.run_for(50 * S, S)
            self.assertEqual(self.told, [])
            self.run_for(20 * S, S)
            self.assertEqual(
                self.told,
                [
                    (codes.ALARM_BATTERY_VOLTAGE, 1, cells * (warn - 10), cells * warn)
                    + (codes.LEVEL_WARNING, None)
                ],
            )
            self.mv.value = cells * (alarm - 10)
            self.run_for(70 * S, S)
            self.assertEqual(self.told[1][4], codes.LEVEL_ALARM)
            self.assertEqual(self.energy.stretch, 6)
            self.mv.value = cells * (clear - 10)
            self.run_for(40 * MINUTE, S)
            self.assertEqual(len(self.told), 2)
            self.mv.value = cells * clear
            self.run_for(29 * MINUTE, S)
            self.assertEqual(len(self.told), 2)
            self.run_for(2 * MINUTE, S)
            self.assertEqual(self.told[2][:2], (codes.ALARM_BATTERY_VOLTAGE, 0))

    def test_flashes_and_bursts_alarm_nobody(self):
        """A worn battery of 12 Ah: each flash and each burst of the modem pulls it down."""

        def ma(ms):
            return -40 - (900 if ms % 4000 < 800 else 0) - (2500 if ms % 60000 < 9000 else 0)

        self.start(mv=lambda ms: 12250 + ma(ms) * 150 // 1000, ma=ma, ah=12)
        self.run_for(5 * MINUTE, 113)
        self.assertTrue(self.values()["min_mv"] < 11800)
        self.assertEqual(self.told, [])

    def test_the_loads_drop_is_taken_out(self):
        self.start(mv=11950, ma=-5000)
        self.run_for(5 * MINUTE, S)
        self.assertEqual(self.told, [])
        self.ma.value = -100
        self.run_for(2 * MINUTE, S)
        self.assertEqual(self.told[0][4], codes.LEVEL_WARNING)

    def test_an_empty_battery_is_seen_between_flashes_and_bursts(self):
        def ma(ms):
            return -40 - (900 if ms % 4000 < 800 else 0) - (2500 if ms % 60000 < 9000 else 0)

        self.start(mv=lambda ms: 11500 + ma(ms) * 150 // 1000, ma=ma, ah=12)
        self.run_for(5 * MINUTE, 113)
        self.assertEqual(self.told[-1][4], codes.LEVEL_ALARM)

    def test_the_sun_does_not_make_it_well(self):
        self.start(mv=11500, ma=-100)
        self.run_for(2 * MINUTE, S)
        self.assertEqual(len(self.told), 1)
        self.mv.value, self.ma.value = 13500, 2000
        self.run_for(2 * HOUR)
        self.assertEqual(len(self.told), 1)
        self.mv.value, self.ma.value = 12600, -100
        self.run_for(31 * MINUTE, S)
        self.assertEqual(len(self.told), 2)

    def test_without_a_current_sensor_it_is_judged_all_the_same(self):
        self.start(mv=11500)
        self.ma = None
        self.energy = self.make()
        self.mv.ms = 0
        for self.now_ms in range(0, 70 * S, S):
            self.energy.poll(self.now_ms)
        self.assertEqual(self.alarms.level(codes.ALARM_BATTERY_VOLTAGE), codes.LEVEL_ALARM)
        self.assertIsNone(self.values()["left_mah"])

    def test_a_broken_divider_ends_no_alarm(self):
        self.start(mv=11500, ma=-100)
        self.run_for(2 * MINUTE, S)
        self.mv.value = 5
        self.run_for(2 * HOUR, S)
        self.assertEqual(len(self.told), 1)
        self.assertEqual(self.energy.stretch, 6)

    def test_curves_rise(self):
        for name in chemistry.NAMES:
            full, warn, alarm, clear, _, efficiency, curve = chemistry.row(name)
            self.assertEqual(len(curve), 11)
            self.assertEqual(list(curve), sorted(curve))
            self.assertTrue(alarm < warn < clear < (full or curve[-1]) and 50 < efficiency <= 100)
            for i in range(11):
                self.assertEqual(chemistry.percent(curve, curve[i]), 10 * i)
            self.assertEqual(chemistry.percent(curve, 0), 0)
            self.assertEqual(chemistry.percent(curve, 9999), 100)


class Sleep(Batteries):
    def test_a_wake_goes_on(self):
        self.start(mv=14400, ma=1000, t=MIDNIGHT - 7200)
        self.run_for(3 * HOUR)
        before = self.energy.values(self.now_ms)
        kept = self.energy.kept()
        self.assertEqual(len(kept), 16)
        self.energy = self.make(kept=kept)
        after = self.energy.values(self.now_ms)
        self.assertEqual(after[:6], before[:6])
        self.assertEqual(after[8], before[8])
        self.assertTrue(None not in after[:5])

    def test_unknown_stays_unknown_and_the_balance_stays(self):
        self.start()
        self.assertEqual(self.make(kept=self.energy.kept()).values(0)[2:6], (None,) * 4)
        for net in (-30000, -8, 0, 8, 4000, 32000):
            state = self.energy._state
            state[4], state[7] = 79999, net
            woken = self.make(kept=self.energy.kept())
            self.assertEqual(woken.values(0)[4], 79999)
            self.assertEqual(woken.values(0)[5], self.energy.values(0)[5])

    def test_the_greatest_counts_do_not_spill_over(self):
        self.start()
        state = self.energy._state
        for i in range(5):
            state[i] = 2000000
        state[5], state[6], state[7] = 12000, 86399, 10000000
        woken = self.make(kept=self.energy.kept())._state
        self.assertEqual(list(woken[:5]), [65534] * 4 + [1048574])
        self.assertEqual((woken[5], woken[6], woken[7]), (12000, 86399, 32760))

    def test_many_short_wakes_count_without_bias(self):
        self.start(ma=-150)
        kept = None
        for _ in range(200):
            self.energy = self.make(kept=kept)
            self.run_for(20 * S)
            kept = self.energy.kept()
        out = self.values()["out_mah"]
        self.assertTrue(abs(out - 167) <= 40, out)  # 200 × 20 s of 150 mA: 0.83 mAh each

    def test_something_else_in_the_memory_is_no_battery(self):
        self.start(kept=b"")
        self.assertIsNone(self.values()["left_mah"])

"""The battery: the radio's gate, alarms, the last gasp, stretched reports, deep sleep."""

import unittest

from fakes import FakeReader

from agent.power import Power
from agent.wire.codes import ALARM_BATTERY_LOW, ALARM_LAST_GASP

ON, LOW, OFF, LAST = LIMITS = (12400, 11800, 11500, 10800)
S = 1000
MINUTE = 60 * S
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Batteries(unittest.TestCase):
    def setUp(self):
        self.now_ms = 0
        self.alarms = []
        self.gasps = 0

    def start(self, mv, weak=False, limits=LIMITS, kept=None):
        self.reader = FakeReader(mv)
        self.power = Power(self.reader, limits, weak, kept)
        self.poll()

    def poll(self):
        wait_ms = self.power.poll(self.now_ms)
        while True:
            alarm = self.power.next_alarm()
            if alarm is None:
                return wait_ms
            self.alarms.append(alarm)
            self.gasps += alarm[:2] == (ALARM_LAST_GASP, 1)

    def hold(self, mv, ms, step_ms=100):
        """Stay at a voltage for so long; return whether the gate is open then."""
        self.reader.value = mv
        for _ in range(0, ms, step_ms):
            self.now_ms += step_ms
            self.poll()
        return self.power.open


class Gate(Batteries):
    def test_shut_until_the_first_sample(self):
        self.power = Power(FakeReader(13000), LIMITS, False)
        self.assertFalse(self.power.open)
        self.power.poll(0)
        self.assertTrue(self.power.open)

    def test_between_the_limits_a_good_start_is_open(self):
        self.start(12000)
        self.assertTrue(self.power.open)

    def test_below_off_for_ten_seconds(self):
        self.start(12600)
        self.assertTrue(self.hold(11400, 9 * S))
        self.assertFalse(self.hold(11400, 2 * S))

    def test_a_transmit_burst_does_not_shut_it(self):
        self.start(12600)
        for _ in range(20):
            self.hold(11300, 2 * S)
            self.assertTrue(self.hold(12500, S))
        self.assertEqual(self.alarms, [])

    def test_opens_above_on_after_five_minutes(self):
        self.start(11000)
        self.assertFalse(self.hold(12300, HOUR, S))
        self.assertFalse(self.hold(12500, 4 * MINUTE + 59 * S, S))
        self.assertTrue(self.hold(12500, 2 * S))

    def test_a_moment_below_on_begins_the_minutes_again(self):
        self.start(11000)
        self.hold(12500, 4 * MINUTE)
        self.hold(12300, S)
        self.assertFalse(self.hold(12500, 4 * MINUTE))
        self.assertTrue(self.hold(12500, 2 * MINUTE))

    def test_a_shut_gate_is_no_reason_to_open_early_when_it_falls_again(self):
        self.start(12000)
        self.hold(11700, 20 * S)  # low
        self.hold(12500, 4 * MINUTE)  # nearly fine
        self.assertTrue(self.hold(11400, S))  # a second below off shuts nothing
        self.assertFalse(self.hold(11400, 12 * S))

    def test_not_measured_forbids_nothing(self):
        power = Power(None, LIMITS, True)
        self.assertTrue(power.open)
        self.assertEqual(power.poll(0), 1000)
        self.assertTrue(power.open)

    def test_a_broken_divider_forbids_nothing(self):
        self.start(0)
        self.assertTrue(self.power.open)
        self.start(11000)
        self.assertFalse(self.power.open)
        self.assertTrue(self.hold(3, S))
        self.assertEqual((self.power.mv, self.power.stretch), (None, 1))
        self.assertFalse(self.hold(11000, S))

    def test_wrong_limits_silence_it_for_a_day_not_for_ever(self):
        self.start(7400)  # two lithium cells, limits of a 12 V battery
        opened = [n for n in range(3 * 24 * 60) if self.hold(7400, MINUTE, MINUTE)]
        self.assertEqual(opened[0], 24 * 60 - 1)
        self.assertEqual(len(opened), 2 * 5 + 1)

    def test_limits_of_nothing_switch_it_off(self):
        self.start(3700, weak=True, limits=(0, 0, 0, 0))
        self.assertTrue(self.hold(2000, 20 * S))
        self.assertEqual((self.alarms, self.gasps, self.power.stretch), ([], 0, 1))

    def test_single_limits_can_be_off(self):
        self.start(12000, weak=True, limits=(12400, 0, 0, 0))
        self.assertTrue(self.power.open)
        self.start(12600, limits=(12400, 0, 11500, 0))
        self.assertFalse(self.hold(9000, 20 * S))
        self.assertEqual((self.alarms, self.gasps), ([], 0))


class WeakStarts(Batteries):
    """A start that the battery may have caused."""

    def test_between_the_limits_the_battery_must_hold_first(self):
        self.start(12000, weak=True)
        self.assertFalse(self.hold(12000, 4 * MINUTE))
        self.assertTrue(self.hold(12000, 2 * MINUTE))
        self.assertEqual(self.alarms, [])

    def test_a_full_battery_starts_at_once(self):
        self.start(12700, weak=True)
        self.assertTrue(self.power.open)

    def test_one_that_falls_again_without_load_must_charge(self):
        self.start(12000, weak=True)
        self.hold(11400, S)
        self.assertFalse(self.hold(12300, HOUR, S))
        self.assertTrue(self.hold(12500, 6 * MINUTE, S))

    def test_a_battery_with_nothing_left_does_not_loop(self):
        """Radio on pulls it below the brown-out, radio off lets it recover: some 300 a day become 12."""
        starts = 0
        while self.now_ms < DAY:
            starts += 1
            began_ms = self.now_ms
            self.start(11900, weak=True)
            while not self.hold(11900, S, S) and self.now_ms < DAY:
                pass
            self.assertTrue(self.now_ms - began_ms >= 5 * MINUTE or self.now_ms >= DAY)
            self.now_ms += 2 * S  # the radio starts, the supply breaks down
        self.assertTrue(starts < 290, starts)


class Alarms(Batteries):
    def test_low_and_clear_with_hysteresis(self):
        self.start(12600)
        self.hold(11750, 11 * S)
        self.assertEqual(self.alarms, [(ALARM_BATTERY_LOW, 1, 11750, LOW)])
        self.hold(11900, HOUR, S)
        self.hold(12300, HOUR, S)
        self.hold(11700, HOUR, S)
        self.assertEqual(len(self.alarms), 1)
        self.hold(12450, 6 * MINUTE, S)
        self.assertEqual(self.alarms[1:], [(ALARM_BATTERY_LOW, 0, 12450, ON)])

    def test_raised_once_on_the_way_down(self):
        self.start(12600)
        for mv in range(12600, 11000, -10):
            self.hold(mv, 20 * S, S)
        self.assertEqual([alarm[:2] for alarm in self.alarms], [(ALARM_BATTERY_LOW, 1)])
        self.assertFalse(self.power.open)

    def test_a_start_with_an_empty_battery_says_so(self):
        self.start(11300)
        self.assertEqual(self.alarms, [(ALARM_BATTERY_LOW, 1, 11300, LOW)])

    def test_nobody_fetches_them(self):
        self.start(12600)
        power = Power(FakeReader(12600), LIMITS, False)
        for i in range(20):
            power._tell(1, True, i, 0)
        taken = []
        while True:
            alarm = power.next_alarm()
            if alarm is None:
                break
            taken.append(alarm[2])
        self.assertEqual(taken, [16, 17, 18, 19])


class LastGasp(Batteries):
    def test_torn_off(self):
        """A supply that falls from 12.6 V to nothing in a second."""
        self.start(12600)
        for i in range(10):
            self.hold(12600 - 1200 * (i + 1), 100)
            if self.gasps:
                break
        self.assertTrue(self.reader.value >= 9000, self.reader.value)
        self.assertEqual([a[:2] for a in self.alarms], [(ALARM_LAST_GASP, 1)])

    def test_a_quarter_at_a_blow_is_said_at_once(self):
        self.start(12600)
        self.hold(9400, 100)
        self.assertEqual(self.gasps, 1)

    def test_slowly_below_the_last_limit_once(self):
        self.start(12600)
        for mv in range(12600, 9000, -5):
            self.hold(mv, 2 * S, 500)
        self.assertEqual(self.gasps, 1)
        self.assertEqual(
            [a[:2] for a in self.alarms], [(ALARM_BATTERY_LOW, 1), (ALARM_LAST_GASP, 1)]
        )
        self.assertEqual(self.alarms[1][3], LAST)

    def test_one_bad_sample_is_no_end(self):
        self.start(11700)
        self.hold(10700, 100)
        self.hold(11700, S)
        self.assertEqual(self.gasps, 0)

    def test_a_load_on_a_good_battery_is_no_end(self):
        self.start(12800)
        self.hold(11550, S)  # BeiDou terminal sends: a tenth, but not below `off`
        self.hold(12700, S)
        self.assertEqual(self.gasps, 0)

    def test_over_when_the_supply_is_back_and_ready_again(self):
        self.start(12600)
        self.hold(10500, S)
        self.hold(12600, 4 * MINUTE)
        self.assertEqual(self.alarms[-1][:2], (ALARM_LAST_GASP, 1))
        self.hold(12600, 2 * MINUTE)
        self.assertEqual(self.alarms[-1][:2], (ALARM_LAST_GASP, 0))
        self.hold(10500, S)
        self.assertEqual(self.gasps, 2)

    def test_between_last_and_off_it_is_not_over(self):
        self.start(12600)
        self.hold(10500, S)
        self.hold(11400, 10 * MINUTE, S)
        self.hold(12600, 4 * MINUTE, S)
        self.assertFalse((ALARM_LAST_GASP, 0) in [a[:2] for a in self.alarms])
        self.hold(12600, 2 * MINUTE, S)
        self.assertTrue((ALARM_LAST_GASP, 0) in [a[:2] for a in self.alarms])

    def test_flutter_at_the_limit_gasps_once(self):
        self.start(11600)
        for _ in range(100):
            self.hold(10700, S)
            self.hold(10900, 2 * S)
        self.assertEqual(self.gasps, 1)


class Reports(Batteries):
    def test_the_interval_by_the_battery(self):
        self.start(12600)
        stretches = [self.power.stretch]
        self.hold(11700, 20 * S)
        stretches.append(self.power.stretch)
        self.hold(11300, 20 * S)
        stretches.append(self.power.stretch)
        self.hold(12500, 6 * MINUTE, S)
        stretches.append(self.power.stretch)
        self.assertEqual(stretches, [1, 2, 6, 1])


class Sleeping(Batteries):
    due_ms = 10 * MINUTE

    def sleep(self, kept=0, heard_ms=None, busy=False):
        return self.power.sleep_ms(self.now_ms, self.due_ms, kept, heard_ms, busy)

    def wake(self, mv=12600):
        self.start(mv, kept=0)

    def test_when_all_is_acknowledged_and_quiet(self):
        self.wake()
        self.hold(12600, 20 * S, S)
        self.assertEqual(self.sleep(heard_ms=10 * S), 10 * MINUTE - 20 * S - 4 * S)

    def test_not_before_the_gateway_has_had_its_say(self):
        self.wake()
        self.hold(12600, 20 * S, S)
        self.assertEqual(self.sleep(), 0)
        self.assertEqual(self.sleep(kept=1, heard_ms=10 * S), 0)
        self.assertEqual(self.sleep(heard_ms=16 * S), 0)
        self.assertEqual(self.sleep(heard_ms=10 * S, busy=True), 0)

    def test_a_missing_gateway_does_not_empty_the_battery(self):
        self.wake()
        self.hold(12600, 91 * S, S)
        self.assertTrue(self.sleep(kept=50) > 8 * MINUTE)
        self.assertEqual(self.sleep(kept=50, busy=True), 0)

    def test_a_shut_gate_waits_for_nobody(self):
        self.start(11000, kept=6)
        self.assertTrue(self.sleep(kept=50) > 9 * MINUTE)

    def test_not_for_a_moment(self):
        self.wake()
        self.hold(12600, 60 * S, S)
        self.due_ms = self.now_ms + 23 * S
        self.assertEqual(self.sleep(heard_ms=S), 0)
        self.due_ms = self.now_ms - 5 * S
        self.assertEqual(self.sleep(heard_ms=S), 0)

    def test_an_hour_at_most(self):
        self.wake()
        self.hold(12600, 60 * S, S)
        self.due_ms = DAY
        self.assertEqual(self.sleep(heard_ms=S), HOUR)

    def test_a_fresh_start_leaves_people_two_minutes(self):
        self.start(12600)
        self.hold(12600, 119 * S, S)
        self.assertEqual(self.sleep(heard_ms=S), 0)
        self.hold(12600, 2 * S, S)
        self.assertTrue(self.sleep(heard_ms=S) > 0)

    def test_awake_is_counted_from_this_wake_not_from_the_boot(self):
        self.now_ms = 5 * HOUR
        self.due_ms = self.now_ms + 10 * MINUTE
        self.wake()
        self.assertEqual(self.sleep(), 0)

    def test_awake_for_the_daily_try(self):
        self.now_ms = DAY - 30 * MINUTE
        self.due_ms = DAY + HOUR
        self.start(11000, kept=6)
        self.now_ms += self.sleep(kept=9)
        self.start(11000, kept=6)
        self.assertTrue(self.power.open)
        self.assertEqual(self.sleep(kept=9), 0)

    def test_the_state_goes_through_the_sleep(self):
        self.start(12600)
        self.hold(11700, 20 * S)
        kept = self.power.kept()
        self.now_ms += 10 * MINUTE
        self.start(11900, kept=kept)
        self.assertEqual(self.power.stretch, 2)
        self.hold(12500, 6 * MINUTE, S)
        self.assertEqual([a[1] for a in self.alarms], [1, 0])

    def test_wakes_on_a_dying_battery_gasp_once(self):
        self.start(10700)
        for _ in range(5):
            kept = self.power.kept()
            self.now_ms += HOUR
            self.start(10700, kept=kept)
        self.assertEqual(self.gasps, 1)
        self.assertEqual([a[:2] for a in self.alarms].count((ALARM_BATTERY_LOW, 1)), 1)
        self.now_ms += HOUR
        self.start(12600, kept=self.power.kept())
        self.assertEqual(self.alarms[-1][:2], (ALARM_LAST_GASP, 0))

    def test_after_the_first_look_a_wake_waits_as_long_as_any_start(self):
        self.start(11300, kept=6)
        self.assertFalse(self.hold(12500, 4 * MINUTE, S))
        self.assertTrue(self.hold(12500, 2 * MINUTE, S))

    def test_a_gate_that_was_shut_opens_at_the_wake_when_the_battery_has_rested(self):
        self.start(11300)
        kept = self.power.kept()
        self.now_ms += HOUR
        self.start(12300, kept=kept)
        self.assertFalse(self.power.open)
        self.now_ms += HOUR
        self.start(12500, kept=self.power.kept())
        self.assertTrue(self.power.open)
        self.assertEqual([a[1] for a in self.alarms], [1, 0])


if __name__ == "__main__":
    unittest.main()

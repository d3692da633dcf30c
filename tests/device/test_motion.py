"""Tilt, rolling and blows, from the samples of a chip in a world that the test makes."""

import math
import unittest

from accelerometer import FakeLIS3DH
from support import ON_MICROPYTHON

from agent.alarms import Alarms
from agent.sense.motion import Motion, isqrt
from agent.wire import codes

S = 1000
MINUTE = 60 * S
UPRIGHT = (0, 0, 1000)


def lying(degrees, towards=0):
    """Return what a resting chip feels that leans so far, in mg."""
    tilt, side = math.radians(degrees), math.radians(towards)
    flat = 1000 * math.sin(tilt)
    return (flat * math.cos(side), flat * math.sin(side), 1000 * math.cos(tilt))


def seaway(roll_deg, period_s, heave_g=0.0, heave_s=7.0):
    """Return a world: rolling about the y axis, heaving, on a crossed sea."""

    def world(ms):
        t = ms / 1000
        lean = math.radians(roll_deg) * math.sin(2 * math.pi * t / period_s)
        up = 1 + heave_g * math.sin(2 * math.pi * t / heave_s)
        pitch = lean / 5 * math.cos(2 * math.pi * t / (period_s * 1.37))
        return (
            1000 * up * math.sin(lean),
            1000 * up * math.sin(pitch),
            1000 * up * math.cos(lean),
        )

    return world


def struck(world, at_ms, peak_mg, for_ms, direction=(1, 0, 0)):
    """Add a blow, half a sine, to a world."""

    def hit(ms):
        x, y, z = world if isinstance(world, tuple) else world(ms)
        if 0 <= ms - at_ms < for_ms:
            force = peak_mg * math.sin(math.pi * (ms - at_ms) / for_ms)
            x, y, z = x + force * direction[0], y + force * direction[1], z + force * direction[2]
        return (x, y, z)

    return hit


class Motions(unittest.TestCase):
    def setUp(self):
        self.start(UPRIGHT)

    def start(self, world, **options):
        self.bus = FakeLIS3DH(world)
        self.alarms = Alarms()
        self.motion = Motion(self.bus, self.alarms, **options)
        self.told = []
        self.now_ms = 1 << 30  # after 12 days: no small integer on a board any more
        self.bus.ms = 0

    def run_for(self, ms, stall_ms=0):
        until_ms = self.now_ms + ms
        while self.now_ms < until_ms:
            wait_ms = max(self.motion.poll(self.now_ms), 20, stall_ms)
            self.now_ms += wait_ms
            self.bus.ms += wait_ms
            while True:
                alarm = self.alarms.next_alarm()
                if alarm is None:
                    break
                self.told.append(alarm)

    def takes_long(self):
        if ON_MICROPYTHON:
            self.skipTest("many minutes of samples; CPython does")

    def values(self):
        return self.motion.values(self.now_ms)


class Tilt(Motions):
    def test_every_angle_against_the_upright(self):
        self.run_for(15 * S)
        for degrees in (0, 120) if ON_MICROPYTHON else range(0, 181, 20):
            self.bus.world = lying(degrees, 3 * degrees)
            self.run_for(50 * S)
            self.values()
            self.run_for(3 * S)
            tilt_dd, tilt_max_dd, _, _, _ = self.values()
            # Steps of 48 mg are 2.8 degrees; a chip at rest has no waves to average them.
            self.assertTrue(abs(tilt_dd - 10 * degrees) <= 25, (degrees, tilt_dd))
            self.assertTrue(abs(tilt_max_dd - 10 * degrees) <= 30, (degrees, tilt_max_dd))

    def test_in_waves_the_mean_is_better_than_the_chips_steps(self):
        world = seaway(12, 3.1, 0.2)
        lean = math.radians(8)

        def leaning(ms):
            x, y, z = world(ms)
            return (
                x * math.cos(lean) + z * math.sin(lean),
                y,
                z * math.cos(lean) - x * math.sin(lean),
            )

        self.start(leaning)
        self.run_for(MINUTE)
        tilt_dd, tilt_max_dd, _, _, _ = self.values()
        self.assertTrue(abs(tilt_dd - 80) <= 10, tilt_dd)
        self.assertTrue(170 <= tilt_max_dd <= 250, tilt_max_dd)

    def test_mounted_otherwise(self):
        self.start((0, -707, 707), up=(0, -500, 500))
        self.run_for(20 * S)
        self.assertTrue(self.values()[0] <= 25)
        x, y, z = self.motion.upright()
        self.assertTrue(abs(x) <= 30 and abs(y + 707) <= 30 and abs(z - 707) <= 30, (x, y, z))

    def test_not_known_before_it_is_settled(self):
        self.run_for(8 * S)
        self.assertIsNone(self.values()[0])
        self.assertIsNone(self.motion.upright())

    def test_lying_on_its_side_is_told_after_a_minute_and_over_after_five(self):
        self.takes_long()
        self.run_for(20 * S)
        self.bus.world = lying(80)
        self.run_for(50 * S)
        self.assertEqual(self.told, [])
        self.run_for(30 * S)
        (alarm,) = self.told
        self.assertEqual(alarm[:2], (codes.ALARM_TILT, 1))
        self.assertTrue(alarm[2] > 450)
        self.assertEqual(alarm[3:], (450, codes.LEVEL_ALARM, None))
        self.bus.world = lying(41)  # between 35 and 45: no news
        self.run_for(10 * MINUTE)
        self.assertEqual(len(self.told), 1)
        self.bus.world = lying(10)
        self.run_for(4 * MINUTE)
        self.assertEqual(len(self.told), 1)
        self.run_for(2 * MINUTE)
        self.assertEqual(self.told[1][:2], (codes.ALARM_TILT, 0))

    def test_a_gust_lays_it_down_for_less(self):
        self.takes_long()
        for _ in range(2):
            self.bus.world = lying(70)
            self.run_for(40 * S)
            self.bus.world = lying(15)
            self.run_for(40 * S)
        self.assertEqual(self.told, [])

    def test_no_gravity_is_no_tilt_and_ends_no_alarm(self):
        self.takes_long()
        self.bus.world = lying(80)
        self.run_for(2 * MINUTE)
        self.assertEqual(self.alarms.level(codes.ALARM_TILT), codes.LEVEL_ALARM)
        self.bus.world = (0, 0, 0)
        self.run_for(20 * MINUTE)
        self.values()
        self.run_for(MINUTE)
        self.assertIsNone(self.values()[0])
        self.assertEqual(self.alarms.level(codes.ALARM_TILT), codes.LEVEL_ALARM)


class Rolling(Motions):
    def test_the_period_is_found(self):
        for period_s in (2.4,) if ON_MICROPYTHON else (1.7, 2.4, 3.5, 6.0):
            self.start(seaway(15, period_s, 0.1))
            self.run_for(45 * S)
            roll_ds = self.values()[2]
            self.assertTrue(abs(roll_ds - 10 * period_s) <= period_s, (period_s, roll_ds))

    def test_at_rest_there_is_none(self):
        self.run_for(MINUTE)
        self.assertIsNone(self.values()[2])

    def test_each_record_begins_anew(self):
        self.takes_long()
        self.start(seaway(15, 2.4))
        self.run_for(MINUTE)
        self.values()
        self.bus.world = UPRIGHT
        self.run_for(20 * S)
        self.values()
        self.run_for(20 * S)
        tilt_dd, tilt_max_dd, roll_ds, peak_mg, shocks = self.values()
        self.assertTrue(tilt_dd <= 25 and tilt_max_dd <= 30 and peak_mg <= 100)
        self.assertEqual((roll_ds, shocks), (None, 0))


class Blows(Motions):
    def test_a_blow_raises_the_alarm_with_its_peak_and_ten_quiet_minutes_end_it(self):
        for at_ms, for_ms, direction in (
            (15000, 15, (1, 0, 0)),
            (15021, 25, (0, -1, 0)),
            (15037, 40, (0.6, 0.8, 0)),
            (15011, 60, (0, 0, 1)),
        ):
            self.start(struck(seaway(10, 3), at_ms, 5000, for_ms, direction))
            self.run_for(20 * S)
            (alarm,) = self.told
            self.assertEqual(alarm[:2], (codes.ALARM_COLLISION, 1))
            self.assertTrue(3800 <= alarm[2] <= 5400, (for_ms, alarm))
            self.assertEqual(alarm[3:], (2500, codes.LEVEL_ALARM, None))
            self.assertEqual(self.values()[4], 1)
        self.takes_long()
        self.bus.world = UPRIGHT
        self.run_for(9 * MINUTE)
        self.assertEqual(len(self.told), 1)
        self.run_for(2 * MINUTE)
        self.assertEqual(self.told[1][:2], (codes.ALARM_COLLISION, 0))

    def test_a_second_blow_begins_the_ten_minutes_again(self):
        self.takes_long()
        self.start(UPRIGHT)
        self.run_for(10 * S)
        self.bus.world = struck(UPRIGHT, self.bus.ms + 500, 4000, 20)
        self.run_for(S)
        self.bus.world = UPRIGHT
        self.run_for(9 * MINUTE)
        self.bus.world = struck(UPRIGHT, self.bus.ms + 500, 4000, 20)
        self.run_for(S)
        self.bus.world = UPRIGHT
        self.run_for(9 * MINUTE)
        self.assertEqual(len(self.told), 1)
        self.assertEqual(self.values()[4], 2)
        self.run_for(2 * MINUTE)
        self.assertEqual(len(self.told), 2)

    def test_the_ringing_of_one_blow_is_not_another(self):
        self.takes_long()

        def ringing(ms):
            t = (ms - 15000) / 1000
            force = 8000 * math.exp(-t / 0.1) * math.cos(2 * math.pi * 30 * t) if t >= 0 else 0
            return (force, 0, 1000)

        self.start(ringing)
        self.run_for(30 * S)
        self.assertEqual(self.values()[4], 1)

    def test_a_push_is_no_blow(self):
        """Six g that take half a second: no hull does that, and no wave."""
        self.start(struck(UPRIGHT, 15000, 6000, 900))
        self.run_for(30 * S)
        self.assertEqual(self.told, [])
        self.assertEqual(self.values()[4], 0)

    def test_a_storm_raises_nothing(self):
        self.takes_long()
        waves = [(1.9, 0.12, 1), (2.3, 0.2, 4), (3.7, 0.3, 2), (5.2, 0.25, 0), (7.9, 0.2, 5)]

        def storm(ms):
            t = ms / 1000
            heave = sum(g * math.sin(2 * math.pi * t / s + at) for s, g, at in waves)
            lean = math.radians(35) * math.sin(2 * math.pi * t / 2.6)
            up = 1000 * (1 + heave)
            # Slamming: once in eleven seconds the hull falls into a trough, 3 g within 150 ms.
            into_ms = ms % 11000
            slam = 3000 * math.sin(math.pi * into_ms / 300) if into_ms < 300 else 0
            return (up * math.sin(lean), 150 * math.sin(5 * t), up * math.cos(lean) + slam)

        self.start(storm)
        self.run_for(MINUTE)
        self.assertEqual(self.told, [])
        self.assertEqual(self.motion.shocks, 0)
        self.assertTrue(self.values()[3] > 1500)

    def test_a_blow_in_a_storm_is_found(self):
        self.start(struck(seaway(35, 2.6, 0.6, 5), 21000, 5000, 20, (0, 1, 0)))
        self.run_for(40 * S)
        self.assertEqual([alarm[:2] for alarm in self.told], [(codes.ALARM_COLLISION, 1)])

    def test_below_the_limit_it_is_only_the_peak(self):
        self.start(struck(UPRIGHT, 15000, 2000, 20))
        self.run_for(30 * S)
        self.assertEqual(self.told, [])
        self.assertTrue(1700 <= self.values()[3] <= 2100)

    def test_a_gap_in_a_seaway_is_no_blow(self):
        self.start(seaway(40, 2.1, 0.5, 3), shock_mg=900)
        for stall_ms in (170, 400, 1100, 2500):
            self.run_for(30 * S, stall_ms)
        self.assertTrue(self.motion.chip.overruns > 50)
        self.assertEqual(self.told, [])


class Failures(Motions):
    def test_not_fitted(self):
        motion = Motion(None, self.alarms)
        self.assertTrue(motion.poll(0) >= 1000)
        self.assertEqual(motion.values(10), (None, None, None, None, None))

    def test_missing_is_told_after_a_minute_counted_and_never_raised(self):
        self.bus.absent = True
        self.run_for(55 * S)
        self.assertEqual(self.told, [])
        self.run_for(20 * S)
        self.assertEqual(
            self.told,
            [(codes.ALARM_SENSOR, 1, 60, 60, codes.LEVEL_WARNING, codes.SENSOR_MOTION)],
        )
        self.assertTrue(10 <= self.motion.errors <= 20)
        self.assertEqual(self.values(), (None, None, None, None, 0))
        self.bus.absent = False
        self.run_for(15 * S)
        self.assertEqual(self.told[1][:2], (codes.ALARM_SENSOR, 0))
        self.assertEqual(self.told[1][5], codes.SENSOR_MOTION)

    def test_a_hung_bus_makes_its_values_unknown_and_ends_no_alarm(self):
        self.takes_long()
        self.bus.world = lying(80)
        self.run_for(2 * MINUTE)
        self.values()
        self.bus.hung = True
        self.run_for(20 * MINUTE)
        self.assertEqual(self.values(), (None, None, None, None, 0))
        self.assertEqual(self.alarms.level(codes.ALARM_TILT), codes.LEVEL_ALARM)
        self.bus.hung = False
        self.run_for(MINUTE)
        self.assertTrue(self.values()[0] > 700)

    def test_a_chip_that_lost_its_settings_gets_them_again(self):
        self.run_for(20 * S)
        self.bus.reset()
        self.run_for(30 * S)
        self.values()
        self.run_for(5 * S)
        self.assertTrue(self.values()[0] <= 25)
        self.assertEqual(self.told, [])

    def test_one_that_answers_and_measures_nothing_is_missed(self):
        self.takes_long()
        self.run_for(20 * S)
        self.bus.asleep = True
        self.run_for(2 * MINUTE)
        self.assertEqual([alarm[0] for alarm in self.told], [codes.ALARM_SENSOR])

    def test_a_wake_goes_on_with_the_alarms_and_ends_them(self):
        self.takes_long()
        self.alarms = Alarms(1 << codes.ALARM_COLLISION | 1 << codes.ALARM_TILT)
        self.motion = Motion(self.bus, self.alarms)
        self.run_for(9 * MINUTE)
        self.assertEqual([alarm[:2] for alarm in self.told], [(codes.ALARM_TILT, 0)])
        self.run_for(2 * MINUTE)
        self.assertEqual(self.told[1][:2], (codes.ALARM_COLLISION, 0))

    def test_a_seldom_polled_chip_overruns_and_goes_on(self):
        self.run_for(MINUTE, 300)
        self.assertTrue(self.motion.chip.overruns > 100)
        self.assertTrue(self.values()[0] <= 25)


class Arithmetic(unittest.TestCase):
    def test_square_roots(self):
        for n in list(range(2000)) + [(1 << 30) - 1, 1 << 30, 1 << 40, 46340 * 46340 - 1]:
            root = isqrt(n)
            self.assertTrue(root * root <= n < (root + 1) * (root + 1), n)

    def test_taking_samples_allocates_nothing(self):
        if not ON_MICROPYTHON:
            self.skipTest("CPython has no heap_lock")
        import micropython

        motion = Motion(FakeLIS3DH(UPRIGHT), Alarms())
        motion._chunks = 81  # the last of them looks at the tilt
        micropython.heap_lock()
        try:
            for _ in range(7):
                motion._take()
        finally:
            micropython.heap_unlock()

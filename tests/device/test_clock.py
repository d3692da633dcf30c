import unittest

from agent.clock import Clock
from agent.wire.codes import CLOCK_GATEWAY, CLOCK_GNSS, CLOCK_NTP

BUILT = 200000000
T = 217000000


def gnss(clock, t, at_ms, times=3):
    """Three receivers' seconds that agree."""
    believed = False
    for i in range(times):
        believed = clock.offer(CLOCK_GNSS, t + i, 0, at_ms + 1000 * i, 500)
    return believed


class Setting(unittest.TestCase):
    def setUp(self):
        self.clock = Clock(BUILT)

    def test_before_any_source_time_is_the_uptime(self):
        self.assertEqual(self.clock.t(), -1)
        self.clock.advance(12999)
        self.assertEqual(self.clock.t(), -13)
        self.assertFalse(self.clock.changed)

    def test_set_by_the_gateway(self):
        self.clock.advance(10000)
        self.assertTrue(self.clock.offer(CLOCK_GATEWAY, T, 600, 10000, 40))
        self.assertTrue(self.clock.changed)
        self.assertEqual(self.clock.take_change(), (10, CLOCK_GATEWAY, 40, None))
        self.clock.advance(400)
        self.assertEqual(self.clock.t(), T + 1)

    def test_a_receiver_is_believed_when_three_sentences_agree(self):
        self.assertFalse(gnss(self.clock, T, 0, times=2))
        self.assertEqual(self.clock.source, None)
        self.assertTrue(self.clock.offer(CLOCK_GNSS, T + 2, 0, 2000, 500))
        self.assertEqual(self.clock.source, CLOCK_GNSS)

    def test_one_wild_sentence_starts_the_agreement_anew(self):
        gnss(self.clock, T, 0, times=2)
        self.assertFalse(self.clock.offer(CLOCK_GNSS, T + 5000, 0, 2000, 500))
        self.assertFalse(self.clock.offer(CLOCK_GNSS, T + 3, 0, 3000, 500))
        self.assertFalse(self.clock.offer(CLOCK_GNSS, T + 4, 0, 4000, 500))
        self.assertTrue(self.clock.offer(CLOCK_GNSS, T + 5, 0, 5000, 500))

    def test_impossible_times_are_refused_and_counted(self):
        week_rollover_s = 1024 * 7 * 86400
        for t in (BUILT - 1, T - week_rollover_s, T + week_rollover_s):
            self.assertFalse(self.clock.offer(CLOCK_GATEWAY, t, 0, 0, 40))
        self.assertEqual(self.clock.refused, 3)
        self.assertEqual(self.clock.source, None)


class Changing(unittest.TestCase):
    def setUp(self):
        self.clock = Clock(BUILT)
        gnss(self.clock, T, 0)
        self.clock.take_change()
        self.clock.advance(3000)

    def test_agreement_changes_nothing(self):
        self.assertTrue(gnss(self.clock, T + 3, 3400))
        self.assertFalse(self.clock.changed)

    def test_a_step_is_reported(self):
        self.assertTrue(gnss(self.clock, T + 3 + 7, 3000))
        self.assertEqual(self.clock.take_change()[1:], (CLOCK_GNSS, 500, 7))
        self.assertTrue(gnss(self.clock, T + 6 - 90, 6000))
        self.assertEqual(self.clock.take_change()[3], -97)

    def test_one_wild_sentence_does_not_step(self):
        self.assertFalse(self.clock.offer(CLOCK_GNSS, T + 9999, 0, 3000, 500))
        self.assertEqual(self.clock.t(), T + 3)

    def test_a_worse_source_waits_six_hours(self):
        self.assertFalse(self.clock.offer(CLOCK_NTP, T + 50, 0, 3000, 20))
        later_ms = 6 * 3600 * 1000 + 3000
        self.assertTrue(self.clock.offer(CLOCK_NTP, T + 21603, 0, later_ms, 20))
        self.assertEqual(self.clock.take_change()[1:], (CLOCK_NTP, 20, 0))

    def test_a_better_source_takes_over_at_once(self):
        clock = Clock(BUILT)
        clock.offer(CLOCK_GATEWAY, T, 0, 0, 40)
        clock.take_change()
        self.assertTrue(gnss(clock, T, 0))
        self.assertEqual(clock.take_change()[1:], (CLOCK_GNSS, 500, 0))


class Ticks(unittest.TestCase):
    def test_uptime_goes_on_where_the_counter_wraps(self):
        # time.ticks_ms wraps at 2**30 ms, 12.4 days, on every board (reference B1).
        clock = Clock(BUILT)
        wrap = 1 << 30
        ticks = wrap - 500
        for _ in range(3):
            after = (ticks + 1000) % wrap
            clock.advance((after - ticks) % wrap)
            ticks = after
        self.assertEqual(clock.uptime_s(), 3)

    def test_a_month_of_uptime(self):
        clock = Clock(BUILT)
        for _ in range(31 * 24):
            clock.advance(3600000)
        self.assertEqual(clock.t(), -1 - 31 * 86400)
        clock.offer(CLOCK_GATEWAY, T, 0, clock.now_ms, 40)
        self.assertEqual(clock.t(), T)


if __name__ == "__main__":
    unittest.main()

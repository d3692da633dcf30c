"""Whether power is taken, by what the meter can tell; power without a session, a plug without load."""

import unittest

from agent.alarms import Alarms
from agent.meter.use import Use
from agent.wire import codes


class Limits(unittest.TestCase):
    def test_they_follow_transformer_and_meter(self):
        for settings, on_ma, on_w in (
            ({"ct": 1, "start_pm": 4}, 300, 66),  # the floor
            ({"ct": 40, "start_pm": 4}, 800, 176),  # 200/5, class 1: 20 mA secondary
            ({"ct": 40, "start_pm": 2}, 400, 88),
            ({"ct": 40, "start_pm": 1}, 300, 66),
            ({"ct": 40, "start_pm": 1, "step_ma": 10}, 1200, 264),  # a meter that shows 0.01 A
            ({"ct": 200, "start_pm": 4, "nominal_ma": 1500}, 1200, 264),
            ({"ct": 20, "pt": 60, "start_pm": 2, "volt": 58}, 300, 1020),
        ):
            use = Use(Alarms(), **settings)
            self.assertEqual((use.on_ma, use.on_w), (on_ma, on_w))


class Looking(unittest.TestCase):
    def setUp(self):
        self.use = Use(Alarms(), ct=40)  # 0.8 A, 176 W; off below 0.56 A, 123 W
        self.now_ms = 0

    def look(self, p_w, i_ma=None, imported=None, seconds=1):
        for _ in range(seconds):
            self.now_ms += 1000
            told = self.use.look(
                p_w, i_ma, 0 if i_ma is not None else None, None, imported, self.now_ms
            )
        return told

    def test_nothing_known(self):
        self.assertEqual(self.look(None, seconds=100), None)

    def test_power_or_any_current(self):
        self.assertEqual(self.look(0, 0, seconds=70), False)
        self.assertEqual(self.look(200, None, seconds=10), True)
        self.assertEqual(self.look(0, 0, seconds=50), True)
        self.assertEqual(self.look(0, 0, seconds=20), False)
        self.assertEqual(self.look(0, 900, seconds=10), True)
        self.assertEqual(self.look(0, 700, seconds=1000), True)  # between the limits
        self.assertEqual(self.look(100, 500, seconds=70), False)
        self.assertEqual(self.look(-500, seconds=10), True)  # a transformer turned round

    def test_a_moment_is_nothing(self):
        self.look(0, 0, seconds=70)
        for _ in range(50):
            self.look(300, seconds=3)
            self.assertEqual(self.look(0, seconds=3), False)

    def test_unknown_is_neither(self):
        self.look(300, seconds=10)
        self.assertEqual(self.look(None, seconds=500), None)
        self.assertEqual(self.look(300), True)

    def test_a_register_that_moves(self):
        """Too little for the current, and yet one count of 0.4 kWh in some hours."""
        self.assertEqual(self.look(0, 0, 500, seconds=1000), False)
        self.assertEqual(self.look(0, 0, 501), True)
        self.assertEqual(self.look(0, 0, 501, seconds=290), True)
        self.assertEqual(self.look(0, 0, 501, seconds=20), False)
        self.assertEqual(self.look(None, None, 502), True)
        self.look(None, None, None, seconds=600)
        self.assertEqual(self.look(0, 0, 502, seconds=70), False)

    def test_a_look_allocates_nothing(self):
        try:
            from micropython import heap_lock, heap_unlock
        except ImportError:
            self.skipTest("CPython has no heap_lock")
        use = self.use
        heap_lock()
        try:
            for now_ms in range(0, 50000, 1000):
                use.judge(True, use.look(500, 900, 0, None, 501, now_ms), True, 500, now_ms)
        finally:
            heap_unlock()


class Judging(unittest.TestCase):
    def setUp(self):
        self.alarms = Alarms()
        self.use = Use(self.alarms)
        self.now_ms = 0

    def judge(self, plug, in_use, in_session, seconds):
        """Judge what is seen: the load is 4,321 W, 0, or None like `in_use`."""
        p_w = None if in_use is None else 4321 if in_use else 0
        for _ in range(seconds):
            self.now_ms += 1000
            self.use.look(p_w, None, None, None, 500, self.now_ms)
            self.use.judge(plug, in_use, in_session, p_w, self.now_ms)

    def live(self, p_w, imported, in_session, seconds):
        """Let the part itself say whether power is taken."""
        for _ in range(seconds):
            self.now_ms += 1000
            in_use = self.use.look(p_w, None, None, None, imported, self.now_ms)
            self.use.judge(False, in_use, in_session, p_w, self.now_ms)
        return in_use

    def test_power_without_a_session(self):
        self.judge(False, True, False, 59)
        self.assertEqual(self.alarms.next_alarm(), None)
        self.judge(False, True, False, 5)
        told = (codes.ALARM_NO_SESSION, 1, 4321, 66, codes.LEVEL_ALARM, None)
        self.assertEqual(self.alarms.next_alarm(), told)
        self.judge(False, None, False, 1000)
        self.assertEqual(self.alarms.level(codes.ALARM_NO_SESSION), codes.LEVEL_ALARM)
        self.judge(False, False, False, 1)
        self.assertEqual(self.alarms.level(codes.ALARM_NO_SESSION), 0)

    def test_the_last_count_of_a_session_is_no_power_without_one(self):
        self.live(8000, 500, True, 100)
        self.live(0, 510, True, 65)
        self.assertEqual(self.live(0, 510, False, 2), False)
        self.live(0, 510, False, 2000)
        # A count that comes late is not enough either; a second one is.
        self.assertEqual(self.live(0, 511, False, 250), True)
        self.assertEqual(self.alarms.next_alarm(), None)
        self.live(0, 512, False, 1)
        self.live(0, 513, False, 70)
        self.assertEqual(self.alarms.next_alarm()[:3], (codes.ALARM_NO_SESSION, 1, 0))

    def test_a_session_in_time(self):
        for _ in range(20):
            self.judge(None, True, False, 50)
            self.judge(None, True, True, 5)
        self.assertEqual(self.alarms.next_alarm(), None)

    def test_a_token_connection(self):
        self.judge(True, False, True, 1800)
        self.assertEqual(self.alarms.next_alarm(), None)
        self.judge(None, False, True, 100)
        self.judge(True, False, True, 1)
        told = (codes.ALARM_NO_LOAD, 1, 1900, 1800, codes.LEVEL_WARNING, None)
        self.assertEqual(self.alarms.next_alarm(), told)
        self.judge(True, True, True, 1)
        self.assertEqual(self.alarms.level(codes.ALARM_NO_LOAD), 0)
        self.judge(False, False, False, 4000)
        self.assertEqual(self.alarms.level(codes.ALARM_NO_LOAD), 0)

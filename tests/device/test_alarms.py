"""Alarms are told once per change, and limits have time and hysteresis."""

import unittest

from agent.alarms import Alarms, Limit
from agent.wire import codes


class Told(unittest.TestCase):
    def setUp(self):
        self.alarms = Alarms()

    def drain(self):
        told = []
        while True:
            alarm = self.alarms.next_alarm()
            if alarm is None:
                return told
            told.append(alarm)

    def test_an_alarm_is_told_once_however_often_it_is_set(self):
        for _ in range(3):
            self.alarms.set(codes.ALARM_TILT, codes.LEVEL_ALARM, 700, 450)
        self.assertEqual(self.drain(), [(codes.ALARM_TILT, 1, 700, 450, codes.LEVEL_ALARM, None)])
        for _ in range(3):
            self.alarms.set(codes.ALARM_TILT, 0, 300, 450)
        self.assertEqual(self.drain(), [(codes.ALARM_TILT, 0, 300, 450, None, None)])

    def test_what_was_never_raised_is_not_cleared(self):
        self.alarms.set(codes.ALARM_TILT, 0)
        self.assertEqual(self.drain(), [])

    def test_a_warning_becomes_an_alarm(self):
        self.alarms.set(codes.ALARM_OVERLOAD, codes.LEVEL_WARNING, 91, 90)
        self.alarms.set(codes.ALARM_OVERLOAD, codes.LEVEL_ALARM, 101, 100)
        self.assertEqual([alarm[4] for alarm in self.drain()], [1, 2])

    def test_phases_are_told_apart(self):
        for phase in (1, 2):
            self.alarms.set(codes.ALARM_VOLTAGE_LOW, 2, 1900, 1980, phase)
        self.alarms.set(codes.ALARM_VOLTAGE_LOW, 0, 2200, 1980, 1)
        self.assertEqual([(a[1], a[5]) for a in self.drain()], [(1, 1), (1, 2), (0, 1)])
        self.assertEqual(self.alarms.level(codes.ALARM_VOLTAGE_LOW, 2), 2)

    def test_more_than_fit_are_counted_and_told_when_there_is_room(self):
        for phase in range(20):
            self.alarms.set(codes.ALARM_VOLTAGE_LOW, 2, part=phase)
        self.assertEqual(self.alarms.lost, 4)
        self.assertEqual(len(self.drain()), 16)
        for phase in range(20):
            self.alarms.set(codes.ALARM_VOLTAGE_LOW, 2, part=phase)
        self.assertEqual([alarm[5] for alarm in self.drain()], [16, 17, 18, 19])

    def test_a_wake_goes_on_with_what_was_active(self):
        self.alarms.set(codes.ALARM_HATCH, 1)
        self.alarms.set(codes.ALARM_WIRING, 2)
        self.alarms.set(codes.ALARM_NEIGHBOUR_AIS, 1, part=994131001)
        self.alarms = Alarms(self.alarms.kept())
        self.assertEqual(self.alarms.level(codes.ALARM_HATCH), 2)
        self.alarms.set(codes.ALARM_HATCH, 1)
        self.alarms.set(codes.ALARM_WIRING, 0)
        self.assertEqual([a[:2] for a in self.drain()], [(codes.ALARM_WIRING, 0)])
        self.alarms.set(codes.ALARM_HATCH, 2)
        self.assertEqual([a[:2] for a in self.drain()], [(codes.ALARM_HATCH, 1)])


class Limits(unittest.TestCase):
    def look(self, limit, *samples):
        return [limit.look(value, now_ms) for value, now_ms in samples]

    def test_a_value_has_to_stay_beyond(self):
        limit = Limit(100, 80, 1000, 2000)
        self.assertEqual(
            self.look(limit, (101, 0), (101, 999), (90, 1000), (101, 1100), (101, 2100)),
            [None, None, None, None, True],
        )

    def test_between_the_limits_nothing_changes(self):
        limit = Limit(100, 80, 0, 1000)
        self.assertEqual(self.look(limit, (101, 0), (90, 5000), (79, 6000)), [True, True, True])
        self.assertEqual(self.look(limit, (81, 6500), (79, 7000), (79, 8000)), [True, True, False])

    def test_a_low_limit(self):
        limit = Limit(1980, 2000, 500, 500)
        self.assertEqual(
            self.look(limit, (1979, 0), (1979, 500), (2001, 600), (2001, 1100)),
            [None, True, True, False],
        )

    def test_an_unknown_value_neither_raises_nor_clears(self):
        limit = Limit(100, 80, 1000, 1000)
        self.assertEqual(self.look(limit, (None, 0), (101, 100), (None, 600)), [None] * 3)
        self.assertEqual(self.look(limit, (101, 1200), (101, 2200)), [None, True])
        self.assertEqual(self.look(limit, (None, 3000), (None, 9000)), [True, True])


if __name__ == "__main__":
    unittest.main()

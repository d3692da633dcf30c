"""Aids heard by AIS: our own message 21, and the neighbours'; absence counts only while one hears."""

import unittest

from agent.alarms import Alarms
from agent.sense.ais_aids import Aids
from agent.wire import codes

OWN = 994131234
NEAR = 994135678
FAR = 993136001


class FakeHealth:
    verdict = codes.AIS_HEARS
    alive = True


class Case(unittest.TestCase):
    def setUp(self):
        self.alarms = Alarms()
        self.health = FakeHealth()
        self.aids = Aids(OWN, (NEAR, FAR), self.alarms, self.health)
        self.now_s = 0

    def run_for(self, seconds, *mmsis):
        """Pass time; these are heard every three minutes, at the end too."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += 10
            self.aids.poll(self.now_s * 1000)
            for mmsi in mmsis:
                if self.now_s % 180 == 0 or self.now_s == end_s:
                    self.aids.heard([mmsi] + [None] * 17, self.now_s * 1000)

    def own(self):
        return self.alarms.level(codes.ALARM_OWN_AIS)

    def missing(self, mmsi):
        return self.alarms.level(codes.ALARM_NEIGHBOUR_AIS, mmsi)

    def values(self):
        return self.aids.values(self.now_s * 1000)


class Own(Case):
    def test_heard(self):
        self.run_for(7200, OWN)
        self.assertEqual((self.own(), self.values()), (0, (0, None)))

    def test_missing_for_a_quarter_of_an_hour(self):
        self.run_for(3600, OWN)
        self.run_for(890)
        self.assertEqual((self.own(), self.aids.own_s(self.now_s * 1000)), (0, 890))
        self.run_for(10)
        self.assertEqual(self.own(), codes.LEVEL_ALARM)
        self.assertEqual(
            self.alarms.next_alarm(), (codes.ALARM_OWN_AIS, 1, 900, 900, codes.LEVEL_ALARM, None)
        )
        self.run_for(10, OWN)
        self.assertEqual(self.own(), 0)

    def test_never_heard_since_the_start(self):
        self.run_for(890)
        self.assertEqual((self.own(), self.values()[0]), (0, None))
        self.run_for(10)
        self.assertEqual(self.own(), codes.LEVEL_ALARM)

    def test_three_intervals_when_they_are_longer(self):
        self.aids = Aids(OWN, (), self.alarms, self.health, 600)
        self.run_for(1790)
        self.assertEqual(self.own(), 0)
        self.run_for(10)
        self.assertEqual(self.own(), codes.LEVEL_ALARM)

    def test_nothing_is_said_while_the_receiver_is_not_known_to_hear(self):
        for verdict, alive in (
            (codes.AIS_UNKNOWN, True),
            (codes.AIS_DEAF, True),
            (codes.AIS_GARBLED, True),
            (codes.AIS_QUIET, False),
        ):
            self.setUp()
            self.run_for(3600, OWN)
            self.health.verdict = verdict
            self.health.alive = alive
            self.run_for(7200)
            self.assertEqual((self.own(), self.values()[0]), (0, 7200))
            self.health.verdict = codes.AIS_HEARS
            self.run_for(180)
            self.assertEqual(self.own(), 0)

    def test_it_does_not_clear_either(self):
        self.run_for(1800)
        self.health.verdict = codes.AIS_DEAF
        self.run_for(7200)
        self.assertEqual(self.own(), codes.LEVEL_ALARM)

    def test_on_a_quiet_channel_a_living_receiver_hears_its_own_mast(self):
        self.health.verdict = codes.AIS_QUIET
        self.run_for(900)
        self.assertEqual(self.own(), codes.LEVEL_ALARM)

    def test_an_aid_without_ais(self):
        self.aids = Aids(0, (), self.alarms, self.health)
        self.run_for(7200)
        self.assertEqual((self.own(), self.values()), (0, (None, None)))


class Neighbours(Case):
    def test_one_that_was_heard_and_is_missing(self):
        self.run_for(7200, OWN, NEAR)
        self.assertEqual(self.values(), (0, 0))
        self.run_for(3590, OWN)
        self.assertEqual((self.missing(NEAR), self.values()[1]), (0, 0))
        self.run_for(10, OWN)
        self.assertEqual((self.missing(NEAR), self.values()[1]), (codes.LEVEL_ALARM, 1))
        self.assertEqual(
            self.alarms.next_alarm(),
            (codes.ALARM_NEIGHBOUR_AIS, 1, 3600, 3600, codes.LEVEL_ALARM, NEAR),
        )
        self.run_for(10, NEAR)
        self.assertEqual((self.missing(NEAR), self.values()[1]), (0, 0))

    def test_one_that_was_never_heard_is_not_missed(self):
        self.run_for(4 * 3600, OWN)
        self.assertEqual((self.missing(FAR), self.values()[1]), (0, None))

    def test_after_a_deaf_night_nobody_is_missing_yet(self):
        self.run_for(3600, OWN, NEAR, FAR)
        self.health.verdict = codes.AIS_DEAF
        self.run_for(8 * 3600)
        self.health.verdict = codes.AIS_HEARS
        self.run_for(600, NEAR)
        self.assertEqual((self.missing(FAR), self.missing(NEAR)), (0, 0))
        self.run_for(3000, NEAR)
        self.assertEqual((self.missing(FAR), self.missing(NEAR)), (codes.LEVEL_ALARM, 0))

    def test_a_quiet_channel_says_nothing_of_neighbours(self):
        self.run_for(3600, NEAR)
        self.health.verdict = codes.AIS_QUIET
        self.run_for(7200)
        self.assertEqual(self.missing(NEAR), 0)

    def test_a_pause_between_polls_is_not_listening(self):
        self.run_for(3600, NEAR)
        self.now_s += 3 * 86400
        self.run_for(10)
        self.assertEqual(self.missing(NEAR), 0)

    def test_no_more_than_eight_and_for_days(self):
        near = tuple(range(994130001, 994130011))
        self.aids = Aids(0, near, self.alarms, self.health)
        self.run_for(180, *near)
        self.run_for(70000)
        self.assertEqual(self.values()[1], 8)
        self.assertEqual((self.missing(near[7]), self.missing(near[8])), (codes.LEVEL_ALARM, 0))
        self.run_for(180, *near)
        self.assertEqual(self.values()[1], 0)


if __name__ == "__main__":
    unittest.main()

"""Thinning of ships heard: each at most once in a while, however many there are."""

import unittest

from agent.sense.targets import Targets
from agent.wire import schema


class Thinning(unittest.TestCase):
    def setUp(self):
        self.targets = Targets(60)

    def wanted(self, mmsi, now_s, schema_id=schema.AIS, kind=1, part=None):
        return self.targets.wanted(schema_id, (kind, mmsi, part), now_s * 1000)

    def test_a_ship_is_not_wanted_again_before_its_interval(self):
        self.assertTrue(self.wanted(1, 0))
        self.assertTrue(not self.wanted(1, 59))
        self.assertTrue(self.wanted(1, 60))
        self.assertTrue(not self.wanted(1, 61))
        self.assertEqual(self.targets.thinned, 2)

    def test_ships_and_kinds_are_told_apart(self):
        self.assertTrue(self.wanted(1, 0))
        self.assertTrue(self.wanted(2, 0))
        self.assertTrue(self.wanted(1, 0, schema.AIS_STATIC, 24, 0))
        self.assertTrue(self.wanted(1, 0, schema.AIS_STATIC, 24, 1))
        self.assertEqual(self.targets.thinned, 0)

    def test_no_interval_wants_everything(self):
        self.targets = Targets(0)
        self.assertTrue(self.wanted(1, 0) and self.wanted(1, 0))

    def test_a_crowd_is_thinned_too_and_takes_no_more_room(self):
        for now_s in range(0, 300, 10):
            for mmsi in range(200):
                self.wanted(mmsi, now_s)
        # Every ship once a minute, of thirty rounds five; some are forgotten early.
        self.assertTrue(200 * 23 <= self.targets.thinned <= 200 * 25, self.targets.thinned)
        self.assertTrue(len(self.targets._sent_ms) <= 128 and len(self.targets._older_ms) <= 128)

    def test_of_more_than_it_remembers_none_is_lost(self):
        for now_s in (0, 10):
            for mmsi in range(1000):
                self.assertTrue(self.wanted(mmsi, now_s))


if __name__ == "__main__":
    unittest.main()

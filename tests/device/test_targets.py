"""Thinning of ships heard: each now and then, at once when it changes, however many there are."""

import unittest

from agent.sense.targets import Targets
from agent.wire import schema

SOG, COG, HEADING, STATUS = 4, 5, 6, 7


def ship(
    mmsi=412000001, kind=1, lat=31000000, lon=122000000, sog=100, cog=900, heading=90, status=0
):
    return [kind, mmsi, lat, lon, sog, cog, heading, status, 0, 0, 12, 0, None]


def static(mmsi=412000001, kind=5, part=None, name=b"XIN HAI", destination=b"SHANGHAI"):
    return (
        [kind, mmsi, part, 9000001, b"BXYZ", name, 70] + [None] * 6 + [61, destination, None, None]
    )


def aid(mmsi=994131234, lat=31000000, off=0, status=0xE4, second=20):
    return [mmsi, 30, b"BUOY", None, lat, 122000000, 1, off, status, 0, second] + [1] * 5 + [0, 0]


class Case(unittest.TestCase):
    def setUp(self):
        self.targets = Targets(60, 600)

    def at(self, now_s, values, schema_id=schema.AIS):
        return self.targets.wanted(schema_id, values, now_s * 1000)

    def wanted_after(self, now_s, first, second, schema_id=schema.AIS):
        """Return whether `second` is wanted so long after `first`."""
        self.targets = Targets(60, 600)
        self.assertTrue(self.at(0, first, schema_id))
        return self.at(now_s, second, schema_id)


class Ships(Case):
    def test_a_ship_is_not_wanted_again_before_its_interval(self):
        self.assertTrue(self.at(0, ship()))
        self.assertTrue(not self.at(59, ship()))
        self.assertTrue(self.at(60, ship()))
        self.assertTrue(not self.at(61, ship()))
        self.assertEqual(self.targets.thinned, 2)

    def test_message_types_of_one_ship_are_one_kind(self):
        self.assertTrue(self.at(0, ship(kind=1)))
        for kind in (2, 3, 27):
            self.assertTrue(not self.at(30, ship(kind=kind)))

    def test_ships_and_kinds_are_told_apart(self):
        self.assertTrue(self.at(0, ship(1)))
        self.assertTrue(self.at(0, ship(2)))
        self.assertTrue(self.at(0, static(1), schema.AIS_STATIC))
        self.assertTrue(self.at(0, static(1, 24, 0), schema.AIS_STATIC))
        self.assertTrue(self.at(0, static(1, 24, 1), schema.AIS_STATIC))
        self.assertEqual(self.targets.thinned, 0)

    def test_no_interval_wants_everything(self):
        self.targets = Targets(0)
        self.assertTrue(self.at(0, ship()) and self.at(0, ship()))

    def test_a_short_interval_is_kept(self):
        self.targets = Targets(3)
        self.assertEqual([self.at(s, ship()) for s in range(7)], [s % 3 == 0 for s in range(7)])

    def test_changes_are_wanted_at_once_but_not_within_ten_seconds(self):
        # What changes by how much, and whether that is a change.
        for field, before, after, change in (
            (COG, 900, 1000, False),
            (COG, 900, 1015, True),
            (COG, 3550, 40, False),
            (COG, 3550, 65, True),
            (COG, 3599, 0, False),
            (COG, None, 0, True),
            (COG, None, None, False),
            (HEADING, 0, 10, False),
            (HEADING, 0, 11, True),
            (HEADING, 355, 5, False),
            (HEADING, 355, 6, True),
            (HEADING, 90, None, True),
            (SOG, 100, 120, False),
            (SOG, 100, 125, True),
            (SOG, 100, 75, True),
            (SOG, 1000, None, True),
            (SOG, 1022, 1015, False),
            (SOG, 5, 4, True),
            (SOG, 0, 15, True),
            (STATUS, 0, 7, True),
            (STATUS, 0, 15, True),
            (STATUS, 15, None, False),
        ):
            first = ship()
            second = ship()
            first[field] = before
            second[field] = after
            what = repr((field, before, after))
            self.assertEqual(self.wanted_after(10, first, second), change, what)
            self.assertTrue(not self.wanted_after(9, first, second), what)

    def test_slow_turns_add_up(self):
        # Four degrees at a time: against the last report that was sent, not the last heard.
        self.assertTrue(self.at(0, ship(cog=900)))
        self.assertTrue(not self.at(10, ship(cog=940)))
        self.assertTrue(not self.at(20, ship(cog=980)))
        self.assertTrue(self.at(30, ship(cog=1020)))


class Still(Case):
    def test_an_anchored_ship_is_wanted_every_ten_minutes(self):
        anchored = ship(sog=2, status=1)
        wanted = sum(self.at(s, anchored) for s in range(0, 3600, 180))
        self.assertEqual(wanted, 5)  # at 0, 720, 1440, … : the first report from 600 s on

    def test_swinging_at_anchor_is_no_change(self):
        for sog, heading, lat in ((8, 200, 31001000), (14, 20, 30999000), (0, None, 31000000)):
            second = ship(
                sog=sog, heading=heading, cog=heading and 10 * heading, lat=lat, status=1
            )
            self.assertTrue(not self.wanted_after(300, ship(sog=2, status=1), second))

    def test_a_speed_that_is_lost_is_one_too(self):
        self.assertTrue(self.wanted_after(10, ship(sog=0), ship(sog=None)))

    def test_dragging_the_anchor_is(self):
        for lat, lon in ((31003000, 122000000), (30997000, 122000000), (31000000, 122003000)):
            dragged = ship(sog=9, lat=lat, lon=lon, status=1)
            self.assertTrue(self.wanted_after(10, ship(sog=2, status=1), dragged))

    def test_cells_wrap_round(self):
        for at in (0, -1000, 511000, 512000, 51200000, -51200000):
            still = ship(sog=0, lat=at, lon=at)
            for lat, lon in ((2000, 0), (-2000, 0), (0, 2000), (0, -2000)):
                near = ship(sog=0, lat=at + lat, lon=at + lon)
                self.assertTrue(not self.wanted_after(300, still, near))
            self.assertTrue(self.wanted_after(300, still, ship(sog=0, lat=at, lon=at + 3000)))

    def test_getting_under_way_is(self):
        self.assertTrue(self.wanted_after(10, ship(sog=0, status=5), ship(sog=15, status=5)))
        self.assertTrue(self.wanted_after(10, ship(sog=0, status=5), ship(sog=0, status=0)))

    def test_a_speed_around_the_limit_does_not_flap(self):
        self.assertTrue(self.at(0, ship(sog=3)))
        for s in range(10, 600, 10):
            self.assertTrue(not self.at(s, ship(sog=(12, 3, 7)[s // 10 % 3])))

    def test_without_a_speed_the_status_says_it(self):
        for status, wanted in ((1, False), (5, False), (6, False), (0, True)):
            silent = ship(sog=None, status=status)
            self.assertEqual(self.wanted_after(300, silent, silent), wanted)
        base = ship(kind=4, sog=None, cog=None, heading=None, status=None)
        self.assertTrue(not self.wanted_after(300, base, base))

    def test_a_lost_position_is_no_change(self):
        still = ship(sog=0)
        self.assertTrue(not self.wanted_after(300, still, ship(sog=0, lat=None, lon=None)))

    def test_still_is_never_more_often_than_under_way(self):
        self.targets = Targets(3600, 600)
        self.assertTrue(self.at(0, ship(sog=0)))
        self.assertTrue(not self.at(3599, ship(sog=0)))


class Statics(Case):
    def test_once_an_hour(self):
        self.assertTrue(not self.wanted_after(3599, static(), static(), schema.AIS_STATIC))
        self.assertTrue(self.wanted_after(3600, static(), static(), schema.AIS_STATIC))

    def test_a_change_at_once(self):
        for changed in (static(destination=b"NINGBO"), static(name=b"XIN HAJ")):
            self.assertTrue(self.wanted_after(10, static(), changed, schema.AIS_STATIC))
            self.assertTrue(not self.wanted_after(9, static(), changed, schema.AIS_STATIC))

    def test_halves_are_not_changes_of_each_other(self):
        a = static(kind=24, part=0)
        b = static(kind=24, part=1, name=None)
        for s in range(0, 3600, 30):
            for half in (a, b):
                self.assertEqual(self.at(s, half, schema.AIS_STATIC), s == 0)

    def test_an_aid(self):
        # Its second and its few metres are no change, its flags are.
        for changed, wanted in (
            (aid(second=50, lat=31000040), False),
            (aid(off=1), True),
            (aid(status=0xE6), True),
        ):
            self.assertEqual(self.wanted_after(180, aid(), changed, schema.AIS_ATON), wanted)
        self.assertTrue(self.wanted_after(600, aid(), aid(), schema.AIS_ATON))

    def test_aids_are_told_apart(self):
        self.assertTrue(self.at(0, aid(1), schema.AIS_ATON))
        self.assertTrue(self.at(0, aid(2), schema.AIS_ATON))

    def test_every_mmsi(self):
        for mmsi in (0, 1, 999999999, (1 << 30) - 1):
            self.assertTrue(self.at(0, ship(mmsi)))
            self.assertTrue(self.at(0, static(mmsi), schema.AIS_STATIC) or mmsi == 0)
            self.assertTrue(self.at(0, static(mmsi, 24, 1), schema.AIS_STATIC))


class Memory(Case):
    def test_all_that_is_remembered_are_small_integers(self):
        big = (1 << 30) - 1
        for mmsi in (0, big):
            self.at(0, ship(mmsi, sog=1022, cog=None, heading=None, status=15))
            self.at(0, ship(mmsi - 1, sog=0, lat=-1, lon=-1, status=15))
            for part in (None, 0, 1):
                self.at(0, static(mmsi, 24, part, bytes(range(20))), schema.AIS_STATIC)
            self.at(0, aid(mmsi), schema.AIS_ATON)
        for key, says in self.targets._said.items():
            self.assertTrue(-big - 1 <= key <= big and 0 <= says <= big, repr((key, says)))


class Crowds(Case):
    def room(self):
        t = self.targets
        return max(len(t._sent_s), len(t._older_s), len(t._said), len(t._older_said))

    def test_a_crowd_is_thinned_too_and_takes_no_more_room(self):
        for now_s in range(0, 300, 10):
            for mmsi in range(200):
                self.at(now_s, ship(mmsi))
        # Every ship once a minute, of thirty rounds five; some are forgotten early.
        self.assertTrue(200 * 23 <= self.targets.thinned <= 200 * 25, self.targets.thinned)
        self.assertTrue(self.room() <= 128)

    def test_of_more_than_it_remembers_none_is_lost(self):
        for now_s in (0, 10):
            for mmsi in range(1000):
                self.assertTrue(self.at(now_s, ship(mmsi)))
        self.assertTrue(self.room() <= 128)

    def test_a_roadstead_at_anchor_costs_a_tenth(self):
        for now_s in range(0, 3600, 20):
            for mmsi in range(100):
                self.at(now_s, ship(mmsi, sog=now_s // 20 % 8, heading=now_s % 360, status=1))
        self.assertTrue(180 * 100 - self.targets.thinned <= 7 * 100, self.targets.thinned)


if __name__ == "__main__":
    unittest.main()

"""The AIS receiver's health: what is heard, how well, and silence told apart from a quiet channel."""

import unittest

from agent.alarms import Alarms
from agent.sense.ais_health import Health
from agent.wire import codes

HOUR = 3600
DAY = 24 * HOUR


class FakeAIS:
    def __init__(self):
        self.ships = self.statics = self.bases = self.atons = self.others = 0
        self.owns = self.bad = 0


class FakeLine:
    """A Receiver's counters; it is its own assembler."""

    def __init__(self):
        self.lines = self.bad = self.unknown = 0
        self.assembler = self


class Case(unittest.TestCase):
    START_S = 0

    def setUp(self):
        self.ais = FakeAIS()
        self.line = FakeLine()
        self.alarms = Alarms()
        self.health = Health(self.ais, self.line, self.alarms)
        self.now_s = self.START_S
        self.health.poll(self.now_s * 1000)

    def run_for(self, seconds, ship_every_s=0, beat_every_s=0, bad_every_s=0):
        """Pass time in polls of ten seconds (days: of five minutes), with events as often as is said; 0: none."""
        end_s = self.now_s + seconds
        step_s = 300 if seconds >= DAY else 10
        while self.now_s < end_s:
            self.now_s += step_s
            for every_s, hit in (
                (ship_every_s, self.ship),
                (beat_every_s, self.beat),
                (bad_every_s, self.bad),
            ):
                if every_s:
                    hit(self.now_s // every_s - (self.now_s - step_s) // every_s)
            self.assertEqual(self.health.poll(self.now_s * 1000), 10000)

    def ship(self, n=1):
        self.ais.ships += n
        self.line.lines += n

    def beat(self, n=1):
        self.line.unknown += n
        self.line.lines += n

    def bad(self, n):
        self.line.bad += n

    @property
    def deaf(self):
        return self.alarms.level(codes.ALARM_AIS_DEAF)


class Verdicts(Case):
    def expect(self, verdict, deaf=0):
        self.assertEqual((self.health.verdict, self.deaf), (verdict, deaf))

    def test_nothing_yet_is_not_known(self):
        self.expect(codes.AIS_UNKNOWN)
        self.run_for(HOUR - 120)
        self.expect(codes.AIS_UNKNOWN)

    def test_nothing_since_the_start_becomes_deaf(self):
        self.run_for(HOUR + 10)
        self.expect(codes.AIS_DEAF, codes.LEVEL_WARNING)
        what, active, value, limit, level, part = self.alarms.next_alarm()
        self.assertEqual((what, active, level, part), (codes.ALARM_AIS_DEAF, 1, 1, None))
        self.assertTrue(value > limit >= 900)
        self.ship()
        self.run_for(10)
        self.expect(codes.AIS_HEARS)

    def test_a_receiver_that_lives_is_given_longer(self):
        self.run_for(HOUR + HOUR // 2, beat_every_s=60)
        self.expect(codes.AIS_UNKNOWN)
        self.run_for(HOUR, beat_every_s=60)
        self.expect(codes.AIS_DEAF, codes.LEVEL_WARNING)

    def test_ships_are_heard(self):
        self.run_for(600, ship_every_s=10)
        self.expect(codes.AIS_HEARS)
        self.run_for(600)
        self.expect(codes.AIS_HEARS)
        self.run_for(10)
        self.expect(codes.AIS_QUIET)

    def test_in_a_busy_place_deafness_shows_soon(self):
        self.run_for(9 * DAY, ship_every_s=10)
        self.run_for(910)
        self.expect(codes.AIS_DEAF, codes.LEVEL_WARNING)

    def test_also_when_the_receiver_goes_on_talking(self):
        self.run_for(14 * DAY, ship_every_s=10, beat_every_s=60)
        self.run_for(1500, beat_every_s=60)
        self.expect(codes.AIS_DEAF, codes.LEVEL_WARNING)

    def test_in_a_thin_place_the_same_silence_is_quiet(self):
        self.run_for(9 * DAY, ship_every_s=2 * HOUR)
        while self.alarms.next_alarm():
            pass
        self.run_for(2 * DAY, ship_every_s=2 * HOUR)
        self.assertEqual(self.alarms.next_alarm(), None)
        self.run_for(2 * HOUR)
        self.expect(codes.AIS_QUIET)
        self.run_for(3 * HOUR)
        self.expect(codes.AIS_DEAF, codes.LEVEL_WARNING)

    def test_a_receiver_that_used_to_talk_and_stops_is_deaf(self):
        self.run_for(9 * DAY, ship_every_s=2 * HOUR, beat_every_s=60)
        self.run_for(HOUR - 10, beat_every_s=0)
        self.expect(codes.AIS_QUIET)
        self.run_for(30)
        self.expect(codes.AIS_DEAF, codes.LEVEL_WARNING)
        self.run_for(10, beat_every_s=10)
        self.expect(codes.AIS_QUIET)

    def test_what_a_night_taught_is_known_the_next_night(self):
        self.run_for(9 * DAY, ship_every_s=10)
        for night in range(5):
            self.run_for(25 * 60)
            self.assertTrue(not self.deaf or night == 0, repr(night))
            self.run_for(DAY, ship_every_s=10)
            self.expect(codes.AIS_HEARS)

    def test_a_greeting_at_power_on_is_no_talking(self):
        self.beat()
        self.run_for(10)
        self.run_for(2 * DAY, ship_every_s=2 * HOUR)
        self.run_for(HOUR + 20)
        self.expect(codes.AIS_QUIET)

    def test_a_repaired_fault_is_not_learnt_as_quiet(self):
        self.run_for(9 * DAY, ship_every_s=10)
        self.run_for(DAY)
        self.expect(codes.AIS_DEAF, codes.LEVEL_WARNING)
        self.run_for(HOUR, ship_every_s=10)
        self.run_for(HOUR // 2 + 10)
        self.expect(codes.AIS_DEAF, codes.LEVEL_WARNING)

    def test_own_messages_do_not_show_that_it_hears(self):
        for _ in range(3 * 360):
            self.ais.owns += 1
            self.line.lines += 1
            self.run_for(10)
        self.expect(codes.AIS_DEAF, codes.LEVEL_WARNING)
        self.assertTrue(self.health.alive)

    def test_a_sign_of_life_holds_for_a_quarter_of_an_hour(self):
        self.assertTrue(not self.health.alive)
        self.run_for(60, ship_every_s=10)
        self.assertTrue(not self.health.alive)
        self.beat()
        self.run_for(10)
        self.assertTrue(self.health.alive)
        self.run_for(900, ship_every_s=10)
        self.assertTrue(self.health.alive)
        self.run_for(10, ship_every_s=10)
        self.assertTrue(not self.health.alive)

    def test_lines_with_a_good_checksum_and_a_bad_message_are_bad(self):
        self.run_for(300, ship_every_s=10)
        self.ais.bad += 10
        self.line.bad += 10
        self.run_for(10)
        self.expect(codes.AIS_GARBLED)

    def test_bad_lines(self):
        self.run_for(600, ship_every_s=10, bad_every_s=50)
        self.expect(codes.AIS_HEARS)
        self.run_for(600, ship_every_s=10, bad_every_s=30)
        self.expect(codes.AIS_GARBLED)
        self.run_for(600, ship_every_s=10)
        self.expect(codes.AIS_HEARS)

    def test_a_few_bad_lines_prove_nothing(self):
        self.run_for(100, bad_every_s=10)
        self.expect(codes.AIS_UNKNOWN)

    def test_a_line_of_nothing_but_noise_is_alarmed_too(self):
        self.run_for(HOUR - 120, bad_every_s=5)
        self.expect(codes.AIS_GARBLED)
        self.run_for(200, bad_every_s=5)
        self.expect(codes.AIS_GARBLED, codes.LEVEL_WARNING)

    def test_a_garbled_line_does_not_clear_deafness(self):
        self.run_for(2 * HOUR)
        self.run_for(600, bad_every_s=5)
        self.expect(codes.AIS_GARBLED, codes.LEVEL_WARNING)


class AfterAWake(Case):
    """Uptime goes on over a deep sleep: it says nothing about silence."""

    START_S = 30 * DAY

    def test_nothing_is_known_and_rates_are_right(self):
        self.run_for(600)
        self.assertEqual(self.health.verdict, codes.AIS_UNKNOWN)
        self.run_for(600, ship_every_s=10)
        self.assertEqual(self.health.values(self.now_s * 1000)[:3], (codes.AIS_HEARS, 0, 6))


class Values(Case):
    def test_before_the_first_two_minutes(self):
        self.assertEqual(self.health.values(30000), (0, 0, None, None, None, None, None))

    def test_rates_of_each_class(self):
        for minute in range(15):
            self.ais.ships += 90
            self.ais.statics += 7
            self.ais.bases += 6
            self.ais.atons += minute % 3 == 0
            self.run_for(60)
            if minute:
                self.assertEqual(self.health.values(self.now_s * 1000)[2:5], (90, 7, 6))
        self.assertEqual(self.health.values(self.now_s * 1000), (1, 0, 90, 7, 6, 0, 0))
        self.run_for(600)
        self.assertEqual(self.health.values(self.now_s * 1000)[2:], (0, 0, 0, 0, 0))

    def test_counters_beyond_sixteen_bits(self):
        self.ais.ships = 65000
        self.run_for(1200, ship_every_s=1)
        self.assertEqual(self.health.values(self.now_s * 1000)[2], 60)

    def test_stations(self):
        for count in (0, 1, 2, 10, 50, 200, 500, 1000):
            self.setUp()
            for _ in range(2):
                for i in range(3 * count):
                    mid = (412000000, 413000000, 477000000, 636000000)[i % count % 4]
                    self.health.heard(mid + 7919 * (i % count) % 1000000)
                self.run_for(600)
                found = self.health.values(self.now_s * 1000)[1]
                self.assertTrue(abs(found - count) <= 1 + count // 10, repr((count, found)))
            self.run_for(600)
            self.assertEqual(self.health.values(self.now_s * 1000)[1], 0)

    def test_more_stations_than_it_can_tell(self):
        for i in range(20000):
            self.health.heard(412000000 + i)
        self.assertTrue(self.health.values(self.now_s * 1000 + 1000)[1] > 2000)


if __name__ == "__main__":
    unittest.main()

"""Turns of a light, folded into periods and held against a character."""

import unittest

from characters import GOOD as TABLE
from lanterns import Dice

from agent.sense import character
from agent.sense.rhythm import BAD, FIXED_MS, GOOD, UNSURE, Rhythm

SLACK_MS = 20


class Played(unittest.TestCase):
    def start(self, text):
        self.rhythm = Rhythm(character.read(text) if text else None)
        self.at_ms = 70000
        self.rhythm.turn(self.at_ms, True, SLACK_MS)

    def play(self, phases, times=1):
        """Show the phases, beginning with light; return the verdicts."""
        found = []
        for _ in range(times):
            for i, ms in enumerate(phases):
                self.at_ms += ms
                verdict = self.rhythm.turn(self.at_ms, bool(i & 1), SLACK_MS)
                if verdict:
                    found.append(verdict)
        return found

    def shown(self, text, phases, times=3):
        """Return the verdicts on phases shown after a good period, which is left out."""
        self.start(text)
        wanted = list(character.read(text).phases)
        for _ in range(2):
            self.play(wanted * (-(-1000 // sum(wanted))))
        return self.play(phases, times)


class Table(Played):
    def test_each_character_knows_itself_whatever_comes_first(self):
        for n, (text, _, period_ms, flashes) in enumerate(TABLE):
            phases = list(character.read(text).phases)
            if not phases:
                continue
            first = Dice(n).below(len(phases) // 2) * 2
            self.start(text)
            with self.subTest(text=text):
                found = self.play(phases[first:] + phases[:first], max(4, 6000 // period_ms))
                self.assertEqual(found[0], GOOD if len(phases) == 2 else UNSURE)
                self.assertTrue(len(found) >= 4 and set(found[1:]) == {GOOD}, found)
                self.assertEqual(self.rhythm.period_ms, period_ms)
                self.assertEqual(self.rhythm.flashes, flashes)
                self.assertEqual(self.rhythm.deviation_ms, 0 if period_ms < 1000 else self.same())

    def same(self):
        """The canonical lengths differ by rounding alone."""
        self.assertTrue(self.rhythm.deviation_ms <= 5)
        return self.rhythm.deviation_ms

    def test_the_beginning_of_the_character_is_found(self):
        for text in ("Q(6)+LFl 15s", "Mo(A) 8s", "Fl(2+1)R 10s", "Oc(2+1) 15s", "0.5+(1),0.5+(4)"):
            phases = list(character.read(text).phases)
            for first in range(0, len(phases), 2):
                self.start(text)
                self.play(phases[first:] + phases[:first])
                begun_ms = self.at_ms + sum(phases[first:]) % sum(phases)
                self.assertEqual(self.play(phases[first:] + phases[:first]), [GOOD])
                self.assertEqual(self.rhythm.begun_ms, begun_ms)


class Exact(Played):
    text = "0.5+(1),0.5+(4)"

    def test_a_tenth_of_a_second_or_5_percent_is_allowed(self):
        self.assertEqual(self.shown(self.text, (620, 1000, 500, 4000)), [GOOD] * 3)
        self.assertEqual(self.shown(self.text, (500, 1000, 500, 4220)), [GOOD] * 3)
        self.assertEqual(self.rhythm.deviation_ms, 220)

    def test_more_is_not(self):
        self.assertEqual(self.shown(self.text, (621, 1000, 500, 4000)), [BAD] * 3)
        self.assertEqual(self.shown(self.text, (500, 1000, 500, 4221)), [BAD] * 3)
        self.assertEqual(self.rhythm.deviation_ms, 221)

    def test_what_sampling_may_misplace_is_added(self):
        self.shown(self.text, (), 0)
        for slack_ms, verdict in ((100, GOOD), (SLACK_MS, BAD)):
            self.at_ms += 700
            self.assertIsNone(self.rhythm.turn(self.at_ms, False, slack_ms))
            self.at_ms += 800
            self.assertIsNone(self.rhythm.turn(self.at_ms, True, SLACK_MS))
            self.assertEqual(self.play((500, 4000)), [verdict])

    def test_a_structure_would_allow_what_it_does_not(self):
        other = (300, 1200, 300, 4200)
        self.assertEqual(self.shown(self.text, other), [BAD] * 3)
        self.assertEqual(self.shown("Fl(2) 6s", other), [GOOD] * 3)


class Structure(Played):
    def wrong(self, text, phases):
        found = self.shown(text, phases, max(4, 6000 // sum(phases)))
        self.assertTrue(len(found) >= 2 and GOOD not in found, (text, phases, found))

    def right(self, text, phases):
        found = self.shown(text, phases, max(4, 6000 // sum(phases)))
        self.assertTrue(len(found) >= 3 and set(found) == {GOOD}, (text, phases, found))

    def test_a_maker_chooses_the_flashes_not_the_period(self):
        self.right("Fl 4s", (200, 3800))
        self.right("Fl 4s", (1500, 2500))
        self.wrong("Fl 4s", (500, 3000))
        self.wrong("Fl 4s", (500, 4000))
        self.wrong("Fl 4s", (500, 5500))

    def test_the_number_of_flashes(self):
        self.wrong("Fl(2) 6s", (500, 5500))
        self.wrong("Fl(2) 6s", (500, 1000, 500, 1000, 500, 2500))
        self.wrong("Fl(2) 6s", (500, 2500))  # evenly spread they are no group

    def test_flashes_of_a_group_are_equal(self):
        self.wrong("Fl(2) 6s", (400, 1100, 700, 3800))
        self.right("Fl(2) 6s", (520, 1000, 480, 4000))

    def test_eclipses_within_a_group_are_equal_and_short(self):
        self.wrong("Fl(3) 10s", (500, 1000, 500, 1600, 500, 5900))
        self.right("Fl(2+1) 10s", (500, 1000, 500, 2000, 500, 5500))
        self.wrong("Fl(2+1) 10s", (500, 1000, 500, 1000, 500, 6500))

    def test_a_flashing_light_is_darker_than_light_and_slow(self):
        self.wrong("Fl 4s", (2000, 2000))
        self.wrong("Fl 4s", (3000, 1000))
        self.wrong("Fl 3.5s", (1700, 1800))
        self.wrong("Fl(3) 10s", (300, 700, 300, 700, 300, 7700))

    def test_classes(self):
        self.wrong("Q(3) 10s", (500, 1000, 500, 1000, 500, 6500))
        self.wrong("VQ(3) 5s", (300, 700, 300, 700, 300, 2700))
        self.wrong("LFl 10s", (1500, 8500))
        self.wrong("Fl 10s", (2000, 8000))
        self.wrong("Iso 4s", (1700, 2300))
        self.right("Iso 4s", (1900, 2100))
        self.wrong("Oc 6s", (3000, 3000))
        self.wrong("Oc 6s", (1000, 5000))
        self.right("Oc 6s", (4000, 2000))

    def test_a_dash_is_twice_a_dot(self):
        self.right("Mo(A) 8s", (400, 600, 2000, 5000))
        self.wrong("Mo(A) 8s", (900, 500, 1500, 5100))
        self.wrong("Mo(K) 12s", (1500, 500, 1500, 500, 500, 7500))
        self.wrong("Mo(O) 12s", (500, 1000, 500, 1000, 500, 8500))

    def test_a_quick_light_has_a_rate(self):
        self.right("Q", (500, 700))
        self.right("Q", (200, 570))
        self.wrong("Q", (300, 1200))
        self.wrong("VQ", (300, 700))
        self.wrong("UQ", (200, 300))

    def test_a_long_flash_ends_the_group(self):
        self.wrong("VQ(6)+LFl 10s", (200, 300) * 6 + (1200, 5800))
        self.wrong("VQ(6)+LFl 10s", (200, 300) * 5 + (2000, 5500))
        self.wrong("VQ(6)+LFl 10s", (200, 300) * 3 + (2000, 300) + (200, 300) * 2 + (200, 4900))


class Sight(Played):
    def test_the_first_period_is_only_learned_from(self):
        self.start("Fl 4s")
        self.assertEqual(self.play((500, 9000)), [UNSURE])
        self.assertEqual(self.play((500, 9000)), [BAD])
        self.assertEqual(self.rhythm.period_ms, 9500)

    def test_what_begins_dark_counts_from_the_first_light(self):
        rhythm = Rhythm(character.read("Fl 4s"))
        self.assertIsNone(rhythm.turn(5000, False, 20))
        self.assertIsNone(rhythm.turn(7000, True, 20))
        self.assertIsNone(rhythm.turn(7500, False, 20))
        self.assertEqual(rhythm.turn(11000, True, 20), GOOD)

    def test_a_flash_may_be_missed_when_nobody_looked(self):
        for holes, verdict in ((0, BAD), (1, UNSURE)):
            self.start("Fl(2) 6s")
            self.play((500, 1000, 500, 4000), 2)
            for _ in range(holes):
                self.rhythm.hole(500)
            self.assertEqual(self.play((500, 5500)), [verdict])
        self.assertIsNone(self.rhythm.period_ms)
        self.assertEqual(self.play((500, 5500)), [BAD])

    def test_not_more_than_were_not_looked_for(self):
        self.start("Q(9) 15s")
        self.play((300, 700) * 8 + (300, 6700))
        self.rhythm.hole(130)
        self.assertEqual(self.play((300, 14700)), [BAD])

    def test_a_good_period_is_good_though_nobody_looked(self):
        self.start("Fl(2) 6s")
        self.play((500, 1000, 500, 4000), 2)
        self.rhythm.hole(500)
        self.assertEqual(self.play((500, 1000, 500, 4000)), [GOOD])

    def test_a_period_that_does_not_end_is_late(self):
        self.start("Fl 4s")
        self.play((500, 3500))
        self.assertEqual(self.rhythm.late_ms(self.at_ms + 4200), 0)
        self.assertEqual(self.rhythm.late_ms(self.at_ms + 4300), 4300)
        self.rhythm.hole(500)
        self.assertEqual(self.rhythm.late_ms(self.at_ms + 4300), 0)

    def test_a_flash_of_the_next_group_does_not_make_up_for_one(self):
        """Eight of nine, and one of the next group, would be a period of 10.5 s."""
        self.start("VQ(9) 10s")
        self.play((200, 300) * 8 + (200, 5800), 2)
        found = self.play((200, 300) * 7 + (200, 6300), 6)
        self.assertEqual(set(found), {BAD})

    def test_restart_forgets(self):
        self.start("Fl 4s")
        self.play((500, 3500))
        self.rhythm.restart()
        self.assertIsNone(self.rhythm.period_ms)
        self.assertEqual(self.play((500, 3500)), [])

    def test_more_phases_than_there_is_room_for(self):
        self.start("Fl 15s")
        self.play((500, 14500))
        self.assertEqual(self.play((30, 30), 300), [BAD])

    def test_hours_of_darkness(self):
        self.start("Fl 4s")
        self.assertEqual(self.play((500, 3600000)), [UNSURE])
        self.assertEqual(self.play((500, 3600000)), [BAD])


class Kinds(unittest.TestCase):
    def test_they_are_those_of_the_parser(self):
        """rhythm.py has its own constants: it must not hold the parser in memory."""
        kinds = "FLASHING LONG QUICK VERY_QUICK ULTRA_QUICK ISO OCCULTING MORSE ALTERNATING"
        self.assertEqual([getattr(character, kind) for kind in kinds.split()], list(range(1, 10)))


class Steady(Played):
    def test_a_fixed_light_that_turns_is_wrong(self):
        self.start("F R")
        self.assertEqual(self.play((500, 3500), 3), [BAD] * 3)
        self.play((500, 3600000))
        self.assertEqual(self.rhythm.took_ms, FIXED_MS)
        self.assertEqual(self.rhythm.late_ms(self.at_ms + 3600000), 0)

    def test_without_a_character_every_light_is_good(self):
        self.start(None)
        self.assertEqual(self.play((500, 700, 300, 3600000), 2), [GOOD] * 4)

"""The watchdog: fed only when everybody polled in time; who hangs is named afterwards."""

import unittest

from support import ON_MICROPYTHON

from agent.keep.memo import Memo
from agent.watch import LIMIT_MS, NAMES, Watch, name_of


class Dog:
    def __init__(self):
        self.feeds = 0

    def feed(self):
        self.feeds += 1


class HangError(Exception):
    """In place of a part that never returns."""


class Feeding(unittest.TestCase):
    def setUp(self):
        self.dog = Dog()
        self.noted = []
        self.watch = Watch(self.dog, self.noted.append)
        self.parts = [self.watch.add(name) for name in (b"gnss", b"ais")]
        self.parts.append(self.watch.add(b"link", 60000))
        self.now_ms = 0

    def step(self, took_ms=(1, 1, 1), polled=(0, 1, 2)):
        for place in polled:
            self.watch.enter(self.parts[place], self.now_ms)
            self.now_ms += took_ms[place]
        self.watch.end(self.now_ms)
        self.now_ms += 200

    def run_s(self, seconds, polled=(0, 1, 2)):
        """Run so long; return how often the dog was fed."""
        feeds = self.dog.feeds
        until_ms = self.now_ms + seconds * 1000
        while self.now_ms < until_ms:
            self.step(polled=polled)
        return self.dog.feeds - feeds

    def noted_name(self):
        return name_of(self.noted[-1])

    def test_fed_once_a_second(self):
        self.assertTrue(8 <= self.run_s(10) <= 11)
        self.assertEqual(self.watch.unfed, 0)

    def test_a_part_may_take_its_own_limit(self):
        self.step((LIMIT_MS, 1, 60000))
        self.run_s(3)
        self.assertEqual(self.watch.unfed, 0)

    def test_one_that_takes_longer_is_not_rewarded_and_noted(self):
        self.run_s(2)
        feeds = self.dog.feeds
        self.step((1, LIMIT_MS + 1, 1))
        self.assertEqual((self.dog.feeds, self.watch.unfed), (feeds, 1))
        self.assertEqual(self.noted_name(), b"ais")

    def test_always_too_slow_is_never_fed(self):
        self.run_s(3)
        feeds = self.dog.feeds
        for _ in range(20):
            self.step((1, LIMIT_MS + 1, 1))
        self.assertTrue(self.dog.feeds - feeds <= 1)

    def test_a_slow_part_does_not_make_the_others_late(self):
        for _ in range(3):
            self.step((1, 1, 55000))
        self.assertEqual((self.dog.feeds, self.watch.unfed), (3, 0))

    def test_late_stays_noted_until_it_is_in_time_again(self):
        self.step((1, LIMIT_MS + 1, 1))
        before = len(self.noted)
        self.step((1, LIMIT_MS + 1, 1))
        self.assertEqual({name_of(code) for code in self.noted[before:]}, {b"ais"})
        self.run_s(2)
        self.assertEqual(self.noted_name(), b"loop")
        self.assertTrue(self.dog.feeds > 1)

    def test_a_part_that_is_not_polled_any_more(self):
        self.run_s(3)
        self.assertTrue(self.run_s(9, polled=(0, 2)) >= 8)
        self.run_s(3, polled=(0, 2))
        self.assertEqual(self.run_s(60, polled=(0, 2)), 0)
        self.assertEqual(self.noted_name(), b"ais")
        self.run_s(2)
        self.assertTrue(self.run_s(3) >= 2)

    def test_who_hangs_was_noted_before(self):
        for hung in range(3):
            with self.assertRaises(HangError):
                for place in self.parts:
                    self.watch.enter(place, 0)
                    if place == self.parts[hung]:
                        raise HangError
            self.assertEqual(name_of(self.noted[-1]), (b"gnss", b"ais", b"link")[hung])
            self.assertEqual(self.dog.feeds, 0)

    def test_between_steps_it_is_the_loop(self):
        self.step()
        self.assertEqual(name_of(self.noted[-1]), b"loop")


class Cost(unittest.TestCase):
    def test_a_watched_step_allocates_nothing(self):
        if not ON_MICROPYTHON:
            self.skipTest("CPython has no heap_lock")
        import micropython

        watch = Watch(Dog(), Memo(Backup()).running)
        places = [watch.add(name) for name in NAMES]
        micropython.heap_lock()
        try:
            for place in places:
                watch.enter(place, 5000)
            watch.end(5000)
        finally:
            micropython.heap_unlock()


class Backup:
    wears = False

    def __init__(self):
        self.data = None

    def load(self):
        return self.data

    def save(self, data):
        self.data = data


class Naming(unittest.TestCase):
    def test_names_fit_the_birth_record_and_are_unique(self):
        self.assertEqual(len(set(NAMES)), len(NAMES))
        for name in NAMES:
            self.assertTrue(1 <= len(name) <= 16)
        self.assertTrue(len(NAMES) < 256)

    def test_the_first_names_never_move(self):
        # A code is read by the agent of the next start, which may be another version.
        self.assertEqual(NAMES[:5], (b"loop", b"profile", b"gnss", b"ais", b"lamp"))
        self.assertEqual(NAMES.index(b"link"), 10)

    def test_what_nobody_noted_has_no_name(self):
        self.assertEqual(name_of(None), None)
        self.assertEqual(name_of(255), None)

    def test_a_part_without_a_name_of_its_own_is_the_profile_s(self):
        noted = []
        watch = Watch(Dog(), noted.append)
        watch.enter(watch.add(b"something new"), 0)
        self.assertEqual(name_of(noted[0]), b"profile")


if __name__ == "__main__":
    unittest.main()

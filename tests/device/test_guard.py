"""The boot guard: which start runs what, through crashes, power cuts, trials and damaged tables."""

import os
import random
import sys
import unittest

import support
from fakes import FakeFiles, FakeStore, PowerCut

from agent.wire import codes

sys.path.append(
    "/root"
    if support.ON_MICROPYTHON
    else os.path.join(os.path.dirname(__file__), "../../device/root")
)

from guard import Guard
from launch import launch

A, B, SAFE = "/a", "/b", "/safe"
ALL = (A, B, SAFE)


class Flash:
    """A store of the guard on a FakeFiles."""

    def __init__(self, files, name):
        self._files = files
        self._name = name

    def load(self):
        return self._files.read(self._name)

    def save(self, data):
        self._files.replace(self._name, data)


class Board:
    """What stays over resets: two stores and the folders that are there."""

    def __init__(self, folders=ALL):
        self.stores = (FakeStore(), FakeStore())
        self.folders = folders
        self.guard = None

    def exists(self, path):
        return path.endswith("/agent") and path[:-6] in self.folders

    def start(self, innocent=False):
        self.guard = Guard(self.stores, self.exists)
        self.guard.choose(innocent)
        return self.guard.folder

    def starts(self, n, innocent=False):
        return [self.start(innocent) for _ in range(n)]


class Ladder(unittest.TestCase):
    def test_three_failures_a_rung(self):
        board = Board()
        self.assertEqual(board.starts(7), [A, A, A, B, B, B, SAFE])
        self.assertEqual((board.guard.mode, board.guard.failed), (codes.MODE_SAFE, 6))

    def test_modes_are_the_agents(self):
        board = Board()
        modes = []
        for _ in range(7):
            board.start()
            modes.append(board.guard.mode)
        self.assertEqual(
            modes, [codes.MODE_NORMAL] * 3 + [codes.MODE_PREVIOUS] * 3 + [codes.MODE_SAFE]
        )

    def test_a_good_start_takes_the_count_back(self):
        board = Board()
        for _ in range(20):
            self.assertEqual(board.starts(2), [A, A])
            board.guard.good()
        self.assertEqual(board.guard.failed, 1)

    def test_a_lower_rung_that_works_is_kept(self):
        board = Board()
        board.starts(4)
        for _ in range(20):
            board.guard.good()
            self.assertEqual(board.start(), B)
        self.assertEqual(board.starts(2), [B, B])
        self.assertEqual(board.start(), SAFE)
        for _ in range(20):
            board.guard.good()
            self.assertEqual((board.start(), board.guard.pause_ms), (SAFE, 0))

    def test_power_on_brown_out_and_sleep_do_not_count(self):
        board = Board()
        board.start()
        before = [store.data for store in board.stores]
        self.assertEqual(board.starts(100, innocent=True), [A] * 100)
        self.assertEqual([store.data for store in board.stores], before)

    def test_the_safe_agent_is_tried_with_growing_pauses(self):
        board = Board()
        board.starts(7)
        pauses = []
        for _ in range(9):
            board.start()
            pauses.append(board.guard.pause_ms // 1000)
            # The pause is a deep sleep; whatever ends it, the next start runs and does not count.
            innocent = len(pauses) % 2 == 0
            self.assertEqual(board.start(innocent), A if len(pauses) % 4 == 3 else SAFE)
            self.assertEqual(board.guard.pause_ms, 0)
        self.assertEqual(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600])

    def test_the_application_may_come_back_by_itself(self):
        # circuitpython#2694: what drove it down is over, nobody comes by, the safe agent is broken.
        board = Board()
        board.starts(7)
        for _ in range(8):
            if board.start() == A and not board.guard.pause_ms:
                break
        board.guard.good()
        self.assertEqual(board.starts(3), [A, A, A])

    def test_retry(self):
        board = Board()
        board.starts(7)
        board.guard.retry()
        self.assertEqual(board.starts(2), [A, B])

    def test_the_count_ends(self):
        board = Board()
        board.starts(700)
        self.assertEqual(board.guard.pause_ms % 60000, 0)
        self.assertTrue(board.guard.failed <= 255)

    def test_without_a_previous_application(self):
        board = Board((A, SAFE))
        self.assertEqual(board.starts(4), [A, A, A, SAFE])


class Trial(unittest.TestCase):
    def armed(self, folders=ALL):
        board = Board(folders)
        board.start()
        board.guard.good()
        self.assertEqual(board.guard.other(), B)
        self.assertTrue(board.guard.arm())
        self.assertEqual(board.guard.update, codes.UPDATE_ARMED)
        return board

    def test_confirmed(self):
        board = self.armed()
        self.assertEqual(board.start(), B)
        guard = board.guard
        self.assertEqual((guard.trial, guard.update), (True, codes.UPDATE_TRIAL))
        guard.good()
        guard.confirm()
        self.assertEqual((guard.trial, guard.other()), (False, A))
        self.assertEqual(board.starts(4), [B, B, B, A])
        self.assertEqual(board.guard.update, codes.UPDATE_CONFIRMED)

    def test_a_crash_goes_back_at_once(self):
        board = self.armed()
        self.assertEqual(board.starts(2), [B, A])
        guard = board.guard
        self.assertEqual((guard.trial, guard.update), (False, codes.UPDATE_ROLLED_BACK))
        self.assertEqual((guard.mode, guard.failed), (codes.MODE_NORMAL, 0))
        # What failed its trial is nobody's previous application.
        self.assertEqual(board.starts(4), [A, A, A, SAFE])

    def test_power_cuts_are_no_refusal_but_three_are(self):
        board = self.armed()
        self.assertEqual(board.starts(4, innocent=True), [B, B, B, A])
        self.assertEqual(board.guard.update, codes.UPDATE_ROLLED_BACK)

    def test_the_agent_may_end_it_with_a_reason(self):
        board = self.armed()
        board.start()
        board.guard.roll_back(codes.UPDATE_BAD_DIGEST)
        self.assertEqual(board.start(), A)
        self.assertEqual(board.guard.update, codes.UPDATE_BAD_DIGEST)

    def test_nothing_to_try(self):
        board = Board((A, SAFE))
        board.start()
        self.assertFalse(board.guard.arm())
        self.assertEqual(board.start(), A)

    def test_the_folder_went_away(self):
        board = self.armed()
        board.folders = (A, SAFE)
        self.assertEqual(board.start(), A)
        self.assertEqual(board.guard.update, codes.UPDATE_ROLLED_BACK)

    def test_from_the_previous_application(self):
        board = Board()
        board.starts(4)
        guard = board.guard
        self.assertEqual((guard.folder, guard.other()), (B, A))
        guard.claim()
        # Slot a is being overwritten: only what runs now may be started from here on.
        self.assertEqual(guard.other(), A)
        self.assertEqual(board.starts(4), [B, B, B, SAFE])

    def test_from_the_safe_agent(self):
        board = Board()
        board.starts(7)
        board.guard.claim()
        self.assertEqual(board.guard.other(), B)
        self.assertTrue(board.guard.arm())
        self.assertEqual(board.starts(2), [B, SAFE])
        self.assertEqual(board.guard.pause_ms, 0)
        self.assertTrue(board.guard.arm())
        board.start()
        board.guard.confirm()
        # Slot a brought the device here: it is not what one goes back to.
        self.assertEqual(board.starts(4), [B, B, B, SAFE])

    def test_on_trial_nothing_may_be_overwritten(self):
        board = self.armed()
        board.start()
        before = [store.data for store in board.stores]
        board.guard.claim()
        self.assertFalse(board.guard.arm())
        self.assertEqual([store.data for store in board.stores], before)


class Table(unittest.TestCase):
    def test_lost_or_damaged_starts_a_then_b_then_safe(self):
        for data in (None, b"", b"G", b"x" * 15, bytes(15), bytes(64)):
            board = Board()
            board.stores = (FakeStore(data), FakeStore(data))
            self.assertEqual(board.starts(7), [A, A, A, B, B, B, SAFE])

    def test_every_flipped_bit_is_seen(self):
        board = Board()
        board.starts(5)
        good = board.stores[0].data
        for i in range(len(good) * 8):
            broken = bytearray(good)
            broken[i // 8] ^= 1 << i % 8
            board.stores = (FakeStore(bytes(broken)), FakeStore())
            self.assertEqual(board.start(), A)
            board.stores = (FakeStore(bytes(broken)), FakeStore(good))
            self.assertEqual(board.start(), B)

    def test_one_store_is_enough(self):
        for broken in (0, 1):
            board = Board()
            board.stores[broken].broken = True
            self.assertEqual(board.starts(7), [A, A, A, B, B, B, SAFE])

    def test_no_store_at_all_still_starts(self):
        board = Board()
        for store in board.stores:
            store.broken = True
        self.assertEqual(board.starts(9), [A] * 9)
        self.assertFalse(board.guard.arm())

    def test_a_power_cut_at_every_byte_leaves_the_old_table_or_the_new(self):
        def work(board):
            board.start()
            board.guard.good()
            board.guard.arm()

        def told(board):
            guard = Guard(board.stores, board.exists)
            return (guard._app, guard._previous, guard._trial, guard._failed, guard.update)

        def make():
            board = Board()
            board.files = FakeFiles()
            board.stores = (Flash(board.files, "guard-a"), Flash(board.files, "guard-b"))
            return board

        whole = make()
        seen = [told(whole)]
        for act in ("good", "claim", "arm"):
            if not whole.guard:
                whole.start()
                seen.append(told(whole))
            getattr(whole.guard, act)()
            seen.append(told(whole))
        steps = whole.files.steps
        self.assertTrue(steps > 90)
        found = set()
        for cut in range(1, steps + 1):
            board = make()
            board.files.cut = cut
            try:
                work(board)
            except PowerCut:
                pass
            board.files.restart()
            self.assertTrue(told(board) in seen)
            found.add(told(board))
            self.assertTrue(board.start(innocent=True) in (A, B))
        self.assertEqual(found, set(seen))


class FakeSurroundings:
    def __init__(self):
        self.events = []

    def pause(self, ms):
        self.events.append(ms)

    def watch(self, ms):
        self.events.append("watch %d" % (ms // 60000))

    def crashed(self, error):
        self.events.append(type(error))


class Launch(unittest.TestCase):
    def test_regression_4_a_crash_before_the_first_import_is_counted(self):
        # esphome/esphome#15796: the counter was raised by code that the crash kept from running.
        board = Board()
        surroundings = FakeSurroundings()
        failures = []

        def start(folder):
            # What a fresh look at the stores says, before anything of the application ran.
            failures.append(Guard(board.stores, board.exists)._failed)
            raise ImportError("no module named 'agent'")

        for _ in range(4):
            board.start()
            launch(board.guard, surroundings, start)
        self.assertEqual(failures, [1, 2, 3, 4])
        self.assertEqual(board.guard.folder, B)

    def test_any_exception_ends_in_a_reset(self):
        for error in (SyntaxError, MemoryError, ImportError, OSError, KeyError, RuntimeError):
            board, surroundings = Board(), FakeSurroundings()
            board.start()

            def start(folder, error=error):
                raise error("broken")

            launch(board.guard, surroundings, start)
            self.assertEqual(surroundings.events, ["watch 2", error])

    def test_ctrl_c_and_a_reset_go_through(self):
        for stop in (KeyboardInterrupt, SystemExit):
            board, surroundings = Board(), FakeSurroundings()
            board.start()

            def start(folder, stop=stop):
                raise stop()

            with self.assertRaises(stop):
                launch(board.guard, surroundings, start)
            people = ["watch 60"] if stop is KeyboardInterrupt else []
            self.assertEqual(surroundings.events, ["watch 2"] + people)

    def test_a_board_without_an_identity_is_left_to_people(self):
        board, surroundings = Board(), FakeSurroundings()
        board.start()
        launch(board.guard, surroundings, lambda folder: False)
        self.assertEqual(surroundings.events, ["watch 2", "watch 60"])

    def test_a_pause_comes_first(self):
        board, surroundings = Board(), FakeSurroundings()
        board.starts(8)
        launch(board.guard, surroundings, surroundings.events.append)
        self.assertEqual(surroundings.events, [60000, "watch 2", SAFE])


class Life(unittest.TestCase):
    """Seeded years: whatever happens, once it is over something runs, and nothing was erased."""

    def live(self, seed, starts=120):
        rng = random.Random(seed) if not support.ON_MICROPYTHON else _Random(seed)
        board = Board()
        board.files = FakeFiles()
        board.stores = (Flash(board.files, "guard-a"), Flash(board.files, "guard-b"))
        works = {A: True, B: True, SAFE: True}
        innocent = True
        for n in range(starts):
            if n == starts - 30:
                # The storm is over: what still works does so. At least the safe agent does.
                for folder in ALL:
                    works[folder] = works[folder] or folder == SAFE or rng.getrandbits(2) == 0
            stormy = n < starts - 30
            board.files.cut = board.files.steps + 1 + rng.getrandbits(6) if stormy else None
            try:
                innocent = self.one(board, works, innocent, rng, stormy)
            except PowerCut:
                innocent = True
            board.files.restart()
            self.assertTrue(board.exists(SAFE + "/agent"))
        self.assertEqual(sorted(board.folders), sorted(ALL))
        return board, works

    def one(self, board, works, innocent, rng, stormy):
        """Do one start; return whether the next one is innocent."""
        board.start(innocent)
        guard = board.guard
        if guard.pause_ms:
            return True
        self.assertTrue(guard.folder in board.folders)
        if stormy and rng.getrandbits(3) == 0:
            works[guard.folder] = not works[guard.folder]
        if not works[guard.folder]:
            return False
        guard.good()
        if guard.trial:
            if rng.getrandbits(1):
                guard.confirm()
            else:
                guard.roll_back(codes.UPDATE_ROLLED_BACK)
        elif stormy and rng.getrandbits(2) == 0:
            works[guard.other()] = bool(rng.getrandbits(1))
            guard.claim()
            guard.arm()
        board.last = guard.folder
        return bool(rng.getrandbits(1))

    def test_it_ends_in_something_that_runs(self):
        ended = {}
        for seed in range(20 if support.ON_MICROPYTHON else 150):
            board, works = self.live(seed)
            folder = board.start(innocent=True)
            self.assertEqual(board.last, folder)
            self.assertTrue(works[folder])
            ended[folder] = ended.get(folder, 0) + 1
        # Not always the same, or the storm would be none.
        self.assertTrue(len(ended) > 1)


class _Random:
    """A generator both interpreters could share; MicroPython has no random.Random."""

    def __init__(self, seed):
        self._state = seed * 2 + 1

    def getrandbits(self, n):
        self._state = (self._state * 1103515245 + 12345) & 0x3FFFFFFF
        return self._state >> 12 & ((1 << n) - 1)


if __name__ == "__main__":
    unittest.main()

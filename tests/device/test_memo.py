"""Backup RAM: our own reason for a reset, who hung, and what a wake goes on with."""

import errno
import unittest

from fakes import FakeStore

from agent.hal.life import RTC
from agent.keep.memo import MORE_MAX, Memo
from agent.wire import codes


class Backup(FakeStore):
    wears = False
    saves = 0

    def save(self, data):
        self.saves += 1
        if self.broken:
            raise OSError(errno.EIO)
        super().save(data)


class Intent(unittest.TestCase):
    def test_it_is_read_once(self):
        store = Backup()
        self.assertEqual(Memo(store).intent, codes.INTENT_NONE)
        Memo(store).leave(codes.INTENT_UPDATE)
        self.assertEqual(Memo(store).intent, codes.INTENT_UPDATE)
        self.assertEqual(Memo(store).intent, codes.INTENT_NONE)

    def test_nothing_damaged_is_believed(self):
        store = Backup()
        Memo(store).leave(codes.INTENT_SLEEP, 7, 900)
        good = store.data
        for i in range(16 * 8):
            broken = bytearray(good)
            broken[i // 8] ^= 1 << i % 8
            store.data = bytes(broken)
            memo = Memo(store)
            self.assertEqual((memo.intent, memo.resume(4)), (codes.INTENT_NONE, None))
        for data in (None, b"", b"M", bytes(64), b"\xff" * 64, good[:-1]):
            store.data = data
            self.assertEqual(Memo(store).intent, codes.INTENT_NONE)

    def test_a_longer_memory_does_not_matter(self):
        store = Backup()
        Memo(store).leave(codes.INTENT_COMMAND)
        store.data += bytes(46)
        self.assertEqual(Memo(store).intent, codes.INTENT_COMMAND)


class Sleep(unittest.TestCase):
    def slept(self):
        store = Backup()
        Memo(store).leave(codes.INTENT_SLEEP, (1 << 30) - 1, (1 << 29) + 5, 86400, 5)
        return store

    def test_the_profile_has_bytes_of_its_own(self):
        for more in (b"x", bytes(range(MORE_MAX))):
            store = Backup()
            Memo(store).leave(codes.INTENT_SLEEP, 7, 9, 60, 5, more)
            good = store.data
            store.data += bytes(8)
            self.assertEqual(Memo(store).more, more)
            self.assertEqual(Memo(store).more, b"")  # once
            for cut in range(22, len(good)):
                store.data = good[:cut]
                memo = Memo(store)
                self.assertEqual((memo.more, memo.resume(4)), (b"", (7, 9, 60)))
            for i in range(22, len(good)):
                store.data = good[:i] + bytes((good[i] ^ 4,)) + good[i + 1 :]
                self.assertEqual(Memo(store).more, b"")

    def test_a_wake_goes_on(self):
        memo = Memo(self.slept())
        self.assertEqual((memo.intent, memo.kept), (codes.INTENT_SLEEP, 5))
        self.assertEqual(
            memo.resume(codes.RESET_DEEP_SLEEP), ((1 << 30) - 1, (1 << 29) + 5, 86400)
        )

    def test_no_other_start_does(self):
        for cause in (codes.RESET_POWER_ON, codes.RESET_HARD, codes.RESET_WATCHDOG):
            self.assertEqual(Memo(self.slept()).resume(cause), None)
        store = Backup()
        Memo(store).leave(codes.INTENT_COMMAND, 3, 4)
        self.assertEqual(Memo(store).resume(codes.RESET_DEEP_SLEEP), None)

    def test_an_identity_is_given_out_once(self):
        # The wake crashes before it sleeps again: the next start must not go on from the same seq.
        store = self.slept()
        Memo(store)
        self.assertEqual(Memo(store).resume(codes.RESET_DEEP_SLEEP), None)
        # Nor may a store that cannot be wiped be believed.
        for fault in ("broken", "deaf"):
            store = self.slept()
            setattr(store, fault, True)
            self.assertEqual(Memo(store).resume(codes.RESET_DEEP_SLEEP), None)


class Running(unittest.TestCase):
    def test_who_hung_is_named(self):
        store = Backup()
        memo = Memo(store)
        for part in (0, 3, 254, 7):
            memo.running(part)
            after = Memo(store)
            self.assertEqual((after.part, after.intent), (part, codes.INTENT_NONE))
            memo = Memo(store)
            self.assertEqual(memo.part, None)

    def test_nobody_hung_in_a_deliberate_reset(self):
        store = Backup()
        memo = Memo(store)
        memo.running(3)
        memo.leave(codes.INTENT_SETTINGS)
        memo = Memo(store)
        self.assertEqual((memo.part, memo.intent), (None, codes.INTENT_SETTINGS))

    def test_only_changes_are_written_and_never_to_flash(self):
        store = Backup()
        memo = Memo(store)
        before = store.saves
        for _ in range(100):
            memo.running(5)
        self.assertEqual(store.saves, before + 1)
        store.wears = True
        memo.running(6)
        self.assertEqual(store.saves, before + 1)


class Port:
    """A port's calendar: seconds since its own epoch behind `datetime`."""

    def __init__(self):
        self.told = None

    def datetime(self, value=None):
        if value is not None:
            self.told = value
        return self.told


class Calendar(unittest.TestCase):
    def test_both_ways(self):
        port = Port()
        rtc = RTC(port.datetime, 217300000)
        for t in (217300000, 217400000, 225331199, 225331200, 951782400, (1 << 30) - 1):
            rtc.set(t)
            self.assertEqual(rtc.get(), t)

    def test_known_moments(self):
        port = Port()
        RTC(port.datetime, 0).set(217400000)
        self.assertEqual(port.told, (2026, 11, 21, 5, 4, 53, 20, 0))  # a Saturday
        RTC(port.datetime, 0, monday=1).set(0)
        self.assertEqual(port.told, (2020, 1, 1, 3, 0, 0, 0, 0))

    def test_a_clock_that_was_never_set(self):
        port = Port()
        rtc = RTC(port.datetime, 217300000)
        for told in (
            (2000, 1, 1, 5, 0, 1, 2, 0),
            (1970, 1, 1, 3, 0, 0, 0, 0),
            (2026, 0, 0) + (0,) * 5,
        ):
            port.told = told
            self.assertEqual(rtc.get(), None)


if __name__ == "__main__":
    unittest.main()

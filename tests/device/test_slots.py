"""Two slots: what is new is tried, confirmed or refused, and no power cut leaves nothing."""

import unittest

from fakes import FakeFiles, PowerCut

from agent.keep.slots import BODY_MAX, Slots
from agent.wire import codes

OLD = b'{"report_s": 600}'
NEW = b'{"report_s": 60, "detail_s": 300}'
MINUTE = 60000


def commissioned(size=1 << 20):
    files = FakeFiles(size)
    Slots(files, "settings").stage(OLD, confirmed=True)
    files.steps = 0
    return files


def started(files, schema=1):
    slots = Slots(files, "settings", schema)
    slots.start()
    return slots


def told(files):
    slots = started(files)
    return slots.body, slots.state


class Trial(unittest.TestCase):
    def setUp(self):
        self.files = commissioned()

    def staged(self):
        started(self.files).stage(NEW)

    def test_commissioned(self):
        self.assertEqual(told(self.files), (OLD, codes.SETTINGS_NONE))

    def test_staged_is_not_used_before_the_next_start(self):
        slots = started(self.files)
        slots.stage(NEW)
        self.assertEqual((slots.body, slots.state), (OLD, codes.SETTINGS_NONE))

    def test_confirmed_when_the_gateway_answers(self):
        self.staged()
        slots = started(self.files)
        self.assertEqual((slots.body, slots.state), (NEW, codes.SETTINGS_TRIAL))
        self.assertFalse(slots.poll(MINUTE, None, 10 * MINUTE))
        self.assertEqual(slots.state, codes.SETTINGS_TRIAL)
        self.assertFalse(slots.poll(2 * MINUTE, MINUTE, 10 * MINUTE))
        self.assertEqual(slots.state, codes.SETTINGS_CONFIRMED)
        self.assertEqual(told(self.files), (NEW, codes.SETTINGS_CONFIRMED))

    def test_refused_when_it_does_not(self):
        self.staged()
        slots = started(self.files)
        self.assertFalse(slots.poll(10 * MINUTE, None, 10 * MINUTE))
        self.assertTrue(slots.poll(10 * MINUTE + 1, None, 10 * MINUTE))
        self.assertEqual((slots.body, slots.state), (OLD, codes.SETTINGS_UNCONFIRMED))
        self.assertFalse(slots.poll(11 * MINUTE, None, 10 * MINUTE))
        for _ in range(5):
            self.assertEqual(told(self.files), (OLD, codes.SETTINGS_UNCONFIRMED))

    def test_three_starts_without_an_answer_are_a_refusal(self):
        self.staged()
        for _ in range(3):
            self.assertEqual(told(self.files), (NEW, codes.SETTINGS_TRIAL))
        for _ in range(3):
            self.assertEqual(told(self.files), (OLD, codes.SETTINGS_UNCONFIRMED))

    def test_applied_at_once_an_older_answer_does_not_count(self):
        slots = started(self.files)
        self.assertFalse(slots.apply(MINUTE))
        slots.stage(NEW)
        self.assertTrue(slots.apply(5 * MINUTE))
        self.assertEqual((slots.body, slots.state), (NEW, codes.SETTINGS_TRIAL))
        slots.poll(6 * MINUTE, 5 * MINUTE - 1, 10 * MINUTE)
        self.assertEqual(slots.state, codes.SETTINGS_TRIAL)
        slots.poll(7 * MINUTE, 6 * MINUTE, 10 * MINUTE)
        self.assertEqual(slots.state, codes.SETTINGS_CONFIRMED)

    def test_changes_follow_each_other(self):
        for n in range(9):
            body = b"%d" % n
            slots = started(self.files)
            slots.stage(body)
            if n % 3:
                slots.apply(0)
                slots.poll(1, 1, MINUTE)
                kept = body
            else:
                slots.stage(b"refused")
                slots.apply(0)
                slots.poll(MINUTE + 1, None, MINUTE)
                kept = slots.body
            self.assertEqual(told(self.files)[0], kept)

    def test_staged_during_a_trial_the_confirmed_one_stays(self):
        self.staged()
        slots = started(self.files)
        slots.stage(b"third")
        slots.apply(0)
        slots.back()
        self.assertEqual(slots.body, OLD)

    def test_a_document_too_long_or_empty_is_refused(self):
        slots = started(self.files)
        for body in (b"", bytes(BODY_MAX + 1)):
            with self.assertRaises(ValueError):
                slots.stage(body)
        slots.stage(bytes(BODY_MAX))
        self.assertEqual(told(self.files)[0], bytes(BODY_MAX))

    def test_a_newer_schema_is_left_to_a_newer_agent(self):
        slots = started(self.files, schema=2)
        slots.stage(NEW)
        self.assertEqual(started(self.files, schema=1).body, OLD)
        slots = started(self.files, schema=2)
        slots.confirm()
        # The application was rolled back after that: it uses what it can read.
        self.assertEqual(started(self.files, schema=1).body, OLD)
        self.assertEqual(started(self.files, schema=2).body, NEW)


class Faults(unittest.TestCase):
    def test_regression_7_a_transfer_cut_at_each_byte_leaves_the_old_config_active(self):
        # meshtastic/python#399: half a configuration was written over the one that worked.
        files = commissioned()
        started(files).stage(NEW)
        steps = files.steps
        self.assertTrue(steps > len(NEW))
        for cut in range(1, steps + 1):
            files = commissioned()
            slots = started(files)
            files.cut = cut
            with self.assertRaises(PowerCut):
                slots.stage(NEW)
            files.restart()
            self.assertEqual(told(files), (OLD, codes.SETTINGS_NONE))

    def test_a_power_cut_at_every_byte_of_a_whole_change(self):
        for answered in (True, False):
            seen = {}
            cut = 0
            while True:
                cut += 1
                files = commissioned()
                files.cut = cut
                kept = OLD
                try:
                    started(files).stage(NEW)
                    slots = started(files)
                    slots.poll(1, 1 if answered else None, 0)
                    kept = slots.body
                    break
                except PowerCut:
                    pass
                files.restart()
                slots = started(files)
                seen[slots.state] = seen.get(slots.state, 0) + 1
                self.assertEqual(slots.body, NEW if slots.state in (1, 2) else OLD)
                # What was on trial still is, and comes to the same end.
                slots.poll(1, 1 if answered else None, 0)
                self.assertEqual(
                    slots.body,
                    NEW if answered and slots.state == codes.SETTINGS_CONFIRMED else OLD,
                )
            self.assertEqual(kept, NEW if answered else OLD)
            self.assertTrue(cut > 100)
            self.assertTrue(codes.SETTINGS_NONE in seen and codes.SETTINGS_TRIAL in seen)

    def test_every_flipped_bit_is_seen(self):
        files = commissioned()
        started(files).stage(NEW)
        started(files).confirm()
        for name, other in (("settings-b", OLD), ("settings-a", NEW)):
            good = files.files[name]
            for i in range(len(good) * 8):
                broken = bytearray(good)
                broken[i // 8] ^= 1 << i % 8
                files.files[name] = bytes(broken)
                self.assertEqual(told(files), (other, codes.SETTINGS_DAMAGED))
            files.files[name] = good

    def test_neither_slot_whole(self):
        files = FakeFiles()
        self.assertEqual(told(files), (None, codes.SETTINGS_NONE))
        for data in (b"", b"S", bytes(11), bytes(40), b"S" * 40):
            files.files = {"settings-a": data, "settings-b": data}
            self.assertEqual(told(files), (None, codes.SETTINGS_DAMAGED))
            started(files).stage(NEW)
            self.assertEqual(told(files)[0], NEW)

    def test_a_flash_that_refuses(self):
        files = commissioned()
        slots = started(files)
        slots.stage(NEW)
        files.read_only = True
        with self.assertRaises(OSError):
            slots.stage(b"third")
        for _ in range(5):
            # Tries cannot be counted; that is better than not to try.
            self.assertEqual(told(files), (NEW, codes.SETTINGS_TRIAL))
        slots = started(files)
        slots.confirm()
        self.assertEqual(slots.body, NEW)
        files.read_only = False
        slots.stage(b"fourth")
        self.assertEqual(Slots(files, "settings").body, OLD)
        files.broken = True
        self.assertEqual(told(files), (None, codes.SETTINGS_DAMAGED))

    def test_a_full_flash_keeps_the_old_one(self):
        files = commissioned(size=100)
        slots = started(files)
        with self.assertRaises(OSError):
            slots.stage(bytes(80))
        self.assertEqual(told(files), (OLD, codes.SETTINGS_NONE))


if __name__ == "__main__":
    unittest.main()

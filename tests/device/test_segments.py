"""The log under the outbox: its table, its files, what it costs."""

import gc
import os
import unittest

from fakes import FakeFiles
from records import record
from support import ON_MICROPYTHON

from agent.hal.files import Files, FileStore
from agent.keep import lanes, outbox, segments, window
from agent.keep.frames import FRAME, Frames, crc, pack_acks, unpack_acks
from agent.keep.lanes import Lanes
from agent.keep.outbox import Outbox
from agent.keep.segments import Segments
from agent.wire import codes


def steady(n):
    return bytes(n)


def frame(ordinal, data):
    body = bytes([ordinal, len(data)]) + data
    return crc(body) + body


class Numbers(unittest.TestCase):
    def test_the_lanes_and_causes_are_those_of_the_contract(self):
        for module in (lanes, outbox, segments, window):
            for name, number in (
                ("_ALARM", codes.LANE_ALARM),
                ("_SESSION", codes.LANE_SESSION),
                ("_STATUS", codes.LANE_STATUS),
                ("_BULK", codes.LANE_BULK),
                ("_NO_ROOM", codes.GAP_NO_ROOM),
                ("_QUARANTINE", codes.GAP_QUARANTINE),
                ("_UNREADABLE", codes.GAP_UNREADABLE),
            ):
                # The board's compiler has folded them away.
                self.assertEqual(getattr(module, name, number), number)


class Cost(unittest.TestCase):
    def test_a_segment_takes_at_most_60_bytes(self):
        if not ON_MICROPYTHON:
            self.skipTest("CPython's objects have other sizes")
        files = FakeFiles()
        took = []
        for n in (256, 512):
            gc.collect()
            before = gc.mem_alloc()
            log = Segments(files, n * 4096)
            took.append(gc.mem_alloc() - before)
            del log
        self.assertTrue((took[1] - took[0]) // 256 <= 60, took)

    def test_an_idle_outbox_allocates_nothing(self):
        if not ON_MICROPYTHON:
            self.skipTest("CPython has no heap_lock")
        import micropython

        files = FakeFiles()
        box = Outbox(4096, steady, files)
        payload = bytearray(512)
        for seq in range(100):
            box.put(record(1, seq), 40, 1, seq, codes.LANE_STATUS)
        box.sync()
        while box.fill(payload, 0, 1):
            pass
        box.poll(0)
        quiet = Outbox(4096, steady, files)
        micropython.heap_lock()
        try:
            for now_s in range(1, 29):
                box.poll(now_s * 1000)
                quiet.poll(now_s * 1000)
                box.due(now_s)
                box.fill(payload, now_s, 1)
        finally:
            micropython.heap_unlock()
        self.assertFalse(box.due(28))
        self.assertTrue(quiet.due(28))


class Rows(unittest.TestCase):
    def make(self, *counts):
        table = Lanes(16)
        slot = 0
        for lane, count in enumerate(counts):
            for _ in range(count):
                table.lane[slot] = lane
                table.number[slot] = 100 - slot
                slot += 1
        return table

    def victim_lane(self, table, lane, full=False):
        slot = table.victim(lane, 1, full)
        return table.lane[slot] if slot >= 0 else slot

    def test_who_pushes_out_whom(self):
        # alarm, session, status, bulk; 16 segments: 2, 2 and 12 shared.
        for counts, lane, full, victim in (
            ((0, 0, 0, 0), 3, False, -1),
            ((2, 2, 11, 0), 2, False, -1),
            ((0, 0, 6, 6), 2, False, 3),
            ((0, 0, 6, 6), 3, False, 3),
            ((0, 0, 12, 0), 2, False, 2),
            ((0, 0, 12, 0), 3, False, -2),
            ((1, 0, 12, 0), 0, False, -1),
            ((2, 0, 6, 6), 0, False, 0),
            ((0, 2, 6, 6), 1, False, 1),
            ((1, 1, 3, 3), 0, True, 3),
            ((1, 1, 3, 0), 1, True, 2),
            ((1, 1, 0, 0), 1, True, 1),
            ((1, 1, 0, 0), 0, True, 0),
            ((1, 1, 0, 0), 2, True, -2),
            ((1, 1, 0, 0), 3, True, -2),
        ):
            self.assertEqual(self.victim_lane(self.make(*counts), lane, full), victim)

    def test_the_oldest_goes(self):
        table = self.make(0, 0, 4, 8)
        self.assertEqual(table.victim(2, 1, False), 11)
        self.assertEqual(table.edge(2, True, False), 0)


class Reading(unittest.TestCase):
    def setUp(self):
        self.files = FakeFiles()
        self.frames = Frames(self.files)

    def read(self, data):
        self.files.files["x"] = data
        return [
            (self.frames.ordinal, self.frames.boot, self.frames.seq)
            for _ in self.frames.read("x", len(data))
        ]

    def test_frames_among_rubbish(self):
        one, two = frame(0, record(5, 70)), frame(1, record(5, 71))
        self.assertEqual(self.read(one + two), [(0, 5, 70), (1, 5, 71)])
        self.assertEqual(
            self.read(b"\xff" * 9 + one + b"\0" * 7 + two + one[:-1]), [(0, 5, 70), (1, 5, 71)]
        )
        self.assertEqual(self.frames.end, 9 + len(one) + 7 + len(two))

    def test_a_whole_frame_of_something_that_is_no_record(self):
        for data in (b"", b"\x00", b"\x85\x01\x02", b"\x83\x01\x02\x03", b"\xa0" * 9):
            self.assertEqual(self.read(frame(0, data)), [])
        self.assertEqual(self.read(frame(200, record(1, 1))), [])

    def test_the_flash_fails_in_the_middle(self):
        data = frame(0, record(5, 70)) + frame(1, record(5, 71))
        self.files.files["x"] = data
        got = 0
        for _ in self.frames.read("x", len(data)):
            got += 1
            self.files.broken = True
        self.assertEqual((got, self.frames.errors, self.frames.failed), (1, 1, True))

    def test_the_overhead_of_a_record_is_six_bytes(self):
        self.assertEqual(len(frame(0, record(1, 1))) - 40, FRAME)


class Acks(unittest.TestCase):
    def test_there_and_back_and_every_flipped_bit(self):
        rows = [(n, 5 + n, n * 7, bytes([n] * 16)) for n in range(1, 4)]
        data = pack_acks(rows)
        self.assertEqual(unpack_acks(data), {r[0]: r[1:] for r in rows})
        for i in range(len(data) * 8):
            broken = bytearray(data)
            broken[i // 8] ^= 1 << i % 8
            self.assertEqual(unpack_acks(bytes(broken)), {})

    def test_no_more_than_there_is_room_for(self):
        rows = [(n, 1, 1, bytes(16)) for n in range(40)]
        self.assertEqual(len(unpack_acks(pack_acks(rows))), 16)


class OnDisk(unittest.TestCase):
    """hal.files() itself, on a real file system of the interpreter's."""

    def setUp(self):
        self.folder = "segments-test"
        if not ON_MICROPYTHON:
            import tempfile

            self.folder = os.path.join(tempfile.mkdtemp(), "data")
        self.files = Files(self.folder)
        for name in self.files.names():
            self.files.remove(name)

    def test_files(self):
        files = self.files
        self.assertEqual((files.names(), files.size("a"), files.read("a")), ([], 0, None))
        files.replace("a", b"old")
        files.replace("a", b"newer")
        self.assertEqual((files.names(), files.size("a"), files.read("a")), (["a"], 5, b"newer"))
        handle = files.append("b")
        self.assertEqual(handle.write(b"1234"), 4)
        handle.flush()
        self.assertEqual(files.size("b"), 4)
        handle.write(b"56")
        handle.close()
        buf = bytearray(8)
        handle = files.open("b")
        handle.seek(2)
        self.assertEqual((handle.readinto(buf), bytes(buf[:4])), (4, b"3456"))
        handle.close()
        files.rename("b", "a")
        self.assertEqual((files.names(), files.read("a")), (["a"], b"123456"))
        self.assertTrue(files.free() > 0)
        files.remove("a")
        self.assertEqual(Files(self.folder).names(), [])
        self.assertRaises(OSError, files.open, "a")
        self.assertRaises(OSError, files.remove, "a")

    def test_what_a_cut_replace_left_is_nobodys_file(self):
        self.files.append("a.new").close()
        self.assertEqual(self.files.names(), [])
        self.files.replace("a", b"1")
        self.assertEqual(self.files.read("a"), b"1")

    def test_a_store(self):
        store = FileStore(self.folder + "/boot")
        self.assertEqual(store.load(), None)
        store.save(b"1")
        store.save(b"22")
        self.assertEqual(store.load(), b"22")

    def test_an_outbox_on_it(self):
        box = Outbox(2048, steady, self.files)
        for seq in range(100):
            box.put(record(1, seq), 40, 1, seq, codes.LANE_STATUS)
        box.sync()
        again = Outbox(2048, steady, self.files)
        self.assertEqual((again.kept, again.errors), (100, 0))
        self.assertEqual(again.ack(1, 0, 99), 100)
        self.assertEqual([n for n in self.files.names() if n[0] == "q"], [])


if __name__ == "__main__":
    unittest.main()

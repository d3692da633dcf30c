"""The outbox: what is sent when, what lies on flash, what survives a power cut, what is told."""

import unittest

from fakes import FakeFiles, PowerCut
from records import identities, record
from support import ON_MICROPYTHON

from agent.keep.outbox import Outbox
from agent.wire.codes import (
    GAP_NO_ROOM,
    GAP_QUARANTINE,
    GAP_UNREADABLE,
    LANE_ALARM,
    LANE_BULK,
    LANE_SESSION,
    LANE_STATUS,
)

BOOT = 7
SLOW = (
    20 if ON_MICROPYTHON else 1
)  # there, a sample: the interpreter is slow, and the logic the same


def steady(n):
    """No jitter."""
    return bytes(n)


class Kept(unittest.TestCase):
    flash = False
    size = 4096

    def setUp(self):
        self.files = FakeFiles() if self.flash else None
        self.payload = bytearray(1024)
        self.start()

    def start(self, **settings):
        self.outbox = Outbox(self.size, steady, self.files, **settings)

    def put(self, first, last, size=40, lane=LANE_STATUS, boot=BOOT):
        for seq in range(first, last + 1):
            data = record(boot, seq, size)
            self.outbox.put(data, len(data), boot, seq, lane)

    def fill(self, now_s, message_id=1):
        """Return the seqs that come out."""
        n = self.outbox.fill(self.payload, now_s, message_id)
        return [seq for _, seq in identities(bytes(self.payload[:n]))]

    def drain(self, now_s=0):
        """Send and acknowledge everything; return the identities in the order they came."""
        out = []
        while self.outbox.due(now_s):
            n = self.outbox.fill(self.payload, now_s, 0)
            if not n:
                break
            for boot, seq in identities(bytes(self.payload[:n])):
                out.append((boot, seq))
                self.outbox.ack(boot, seq, seq)
        return out

    def gaps(self):
        out = []
        while True:
            gap = self.outbox.take_gap()
            if gap is None:
                return out
            out.append(gap)


class Sending(Kept):
    def test_everything_once_in_order(self):
        self.put(0, 9)
        self.assertTrue(self.outbox.due(0))
        self.assertEqual(self.fill(0), list(range(10)))
        self.assertEqual(self.fill(0), [])
        self.assertFalse(self.outbox.due(0))

    def test_a_payload_holds_whole_records(self):
        self.put(0, 29)
        self.assertEqual(self.fill(0, 1), list(range(25)))
        self.assertEqual(self.fill(0, 2), list(range(25, 30)))

    def test_newest_alarms_first_then_lane_by_lane(self):
        for seq, lane in enumerate((3, 2, 0, 1, 2, 0, 3, 1)):
            self.put(seq, seq, 40, lane)
        self.assertEqual(self.fill(0), [5, 2, 3, 7, 1, 4, 0, 6])

    def test_ack_ranges_in_any_order(self):
        self.put(0, 9)
        self.fill(0)
        self.assertEqual(self.outbox.ack(BOOT, 6, 8), 3)
        self.assertEqual(self.outbox.ack(BOOT, 0, 3), 4)
        self.assertEqual(self.outbox.ack(BOOT, 0, 3), 0)
        self.assertEqual(self.outbox.ack(BOOT + 1, 0, 100), 0)
        self.assertEqual(self.outbox.kept, 3)
        self.assertEqual(self.fill(30), [4, 5, 9])
        self.assertEqual(self.outbox.ack(BOOT, 0, 1000), 3)
        self.assertEqual((self.outbox.kept, self.outbox.kept_bytes), (0, 0))

    def test_sent_again_after_30_s_doubling_to_an_hour(self):
        self.put(0, 0)
        now_s, waits = 0, []
        self.fill(now_s)
        for _ in range(10):
            before_s = now_s
            while not self.fill(now_s):
                now_s += 1
            waits.append(now_s - before_s)
        self.assertEqual(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600])
        self.assertEqual(self.outbox.resent, 10)

    def test_jitter_is_at_most_a_quarter_more(self):
        outbox = Outbox(4096, lambda n: bytes([255] * n))
        outbox.put(record(1, 0), 40, 1, 0, LANE_STATUS)
        outbox.fill(self.payload, 0, 1)
        self.assertFalse(outbox.due(36))
        self.assertTrue(outbox.due(37))

    def test_a_broken_connection_makes_its_messages_due(self):
        self.put(0, 1)
        self.fill(0, 1)
        self.put(2, 3)
        self.fill(0, 2)
        self.outbox.arrived(1)
        self.outbox.broken(5)
        self.assertEqual(self.fill(5, 3), [2, 3])
        self.assertEqual(self.fill(30, 4), [0, 1])

    def test_new_records_do_not_wait_for_old_ones(self):
        self.put(0, 2)
        self.fill(0)
        self.put(3, 3)
        self.assertEqual(self.fill(1), [3])
        self.assertEqual(self.fill(30), [0, 1, 2])
        self.assertEqual(self.fill(31), [3])

    def test_what_the_gateway_never_takes_is_set_aside_and_told(self):
        self.put(0, 1)
        now_s = 0
        for _ in range(5):
            while not self.fill(now_s):
                now_s += 1
            self.outbox.ack(BOOT, 1, 1)
        self.put(2, 2)
        while self.outbox.kept > 1:
            self.fill(now_s)
            now_s += 1
        self.assertEqual(self.outbox.quarantined, 1)
        self.assertEqual(self.outbox.quarantine, [record(BOOT, 0)])
        self.assertEqual(self.gaps(), [(BOOT, 0, 0, 1, LANE_STATUS, GAP_QUARANTINE)])

    def test_nothing_is_set_aside_while_nobody_answers(self):
        self.put(0, 3)
        for now_s in range(0, 100000, 10):
            self.fill(now_s)
        self.assertEqual((self.outbox.quarantined, self.outbox.kept), (0, 4))


class InRAM(Kept):
    """No flash, or one that has failed: the window is all there is."""

    def test_a_full_window_drops_the_oldest_counts_and_tells(self):
        self.put(0, 199)
        dropped = self.outbox.dropped
        self.assertEqual(self.outbox.kept + dropped, 200)
        self.assertTrue(dropped > 0)
        self.assertEqual(self.gaps(), [(BOOT, 0, dropped - 1, dropped, LANE_STATUS, GAP_NO_ROOM)])
        self.assertEqual([seq for _, seq in self.drain()], list(range(dropped, 200)))

    def test_a_lower_lane_never_pushes_out_a_higher_one(self):
        self.put(0, 40, 40, LANE_ALARM)
        self.put(41, 200, 40, LANE_BULK)
        self.put(201, 210, 40, LANE_SESSION)
        self.put(211, 400, 40, LANE_STATUS)
        sent = [seq for _, seq in self.drain()]
        self.assertEqual(sent[:51], list(range(40, -1, -1)) + list(range(201, 211)))
        lanes = {gap[4] for gap in self.gaps()}
        self.assertEqual(lanes, {LANE_STATUS, LANE_BULK})

    def test_a_record_that_never_fits(self):
        self.outbox = Outbox(100, steady)
        self.put(0, 0, 200)
        self.assertEqual((self.outbox.kept, self.outbox.dropped), (0, 1))
        self.put(1, 1)
        self.assertEqual(self.outbox.kept, 1)

    def test_flash_that_fails_entirely(self):
        self.files = FakeFiles()
        self.start()
        self.files.broken = True
        self.put(0, 300, 40)
        self.put(301, 303, 40, LANE_ALARM)
        for now_ms in range(0, 300000, 1000):
            self.outbox.poll(now_ms)
        self.assertTrue(self.outbox.errors > 3)
        self.assertEqual(self.outbox.kept + self.outbox.dropped, 304)
        self.assertEqual([seq for _, seq in self.drain()][:3], [303, 302, 301])
        self.assertEqual(self.outbox.kept, 0)

    def test_flash_that_cannot_be_read_at_start(self):
        self.files = FakeFiles()
        self.start()
        self.put(0, 9)
        self.outbox.sync()
        self.files.broken = True
        self.start()
        self.assertEqual((self.outbox.errors, self.outbox.kept), (1, 0))
        self.files.broken = False
        self.put(0, 9, boot=BOOT + 1)
        self.outbox.sync()
        self.start()
        self.assertEqual(self.outbox.kept, 10)


class OnFlash(Kept):
    flash = True

    def names(self):
        return sorted(name for name in self.files.names() if name[0] == "q")

    def test_a_good_link_writes_nothing(self):
        for now_s in range(600):
            self.put(now_s, now_s)
            self.outbox.poll(now_s * 1000)
            self.drain(now_s)
        self.assertEqual((self.files.writes, self.outbox.erases), (0, 0))

    def test_status_is_gathered_and_written_after_a_minute(self):
        self.put(0, 4)
        for now_ms in range(0, 60000, 1000):
            self.outbox.poll(now_ms)
        self.assertEqual(self.files.writes, 0)
        self.outbox.poll(60000)
        self.assertEqual(self.files.writes, 1)
        self.assertEqual(self.outbox.stored_bytes, 5 * 46)
        self.outbox.poll(120000)
        self.assertEqual(self.files.writes, 1)

    def test_many_records_do_not_wait_for_the_minute(self):
        self.put(0, 31)
        self.outbox.poll(1000)
        self.assertEqual(self.files.writes, 0)
        self.put(32, 32)
        self.outbox.poll(2000)
        self.assertEqual(self.files.writes, 1)

    def test_alarms_and_sessions_are_written_at_once_and_alone(self):
        self.put(0, 4)
        self.put(5, 5, 40, LANE_ALARM)
        self.put(6, 6, 40, LANE_SESSION)
        self.assertEqual(self.names(), ["q0-1", "q1-2"])

    def test_after_a_restart_everything_synced_comes_back(self):
        self.put(0, 9)
        self.put(10, 12, 40, LANE_ALARM)
        self.outbox.sync()
        self.put(13, 20)
        self.start()
        self.assertEqual((self.outbox.kept, self.outbox.kept_bytes), (13, 13 * 40))
        self.put(0, 0, boot=BOOT + 1)
        expected = [(BOOT, s) for s in [12, 11, 10]] + [(BOOT + 1, 0)]
        expected += [(BOOT, s) for s in range(10)]
        self.assertEqual(self.drain(), expected)
        self.assertEqual(self.names(), [])
        self.start()
        self.assertEqual(self.outbox.kept, 0)

    def test_boots_share_a_segment_and_acks_find_their_own(self):
        for boot in (3, 4, 5):
            self.put(0, 4, boot=boot)
            self.outbox.sync()
            self.start()
        self.assertEqual(len(self.names()), 1)
        self.assertEqual(self.outbox.ack(4, 0, 4), 5)
        self.assertEqual(self.drain(), [(b, s) for b in (3, 5) for s in range(5)])
        self.assertEqual(self.names(), [])

    def test_acks_outlive_a_restart(self):
        self.put(0, 9)
        self.outbox.sync()
        self.outbox.ack(BOOT, 2, 7)
        self.outbox.sync()
        self.start()
        self.assertEqual([seq for _, seq in self.drain()], [0, 1, 8, 9])

    def test_lost_acks_cost_duplicates_and_a_stale_file_costs_nothing(self):
        self.put(0, 9)
        self.outbox.sync()
        self.outbox.ack(BOOT, 2, 7)
        self.outbox.sync()
        stale = self.files.files["acks"]
        for data in (b"", b"FWC1", stale[:-1] + b"x", stale[:-5]):
            self.files.files["acks"] = data
            self.start()
            self.assertEqual(self.outbox.kept, 10)
        # The number is used again by another segment; the old entry is not for it.
        self.files.files["acks"] = stale
        self.files.remove("q2-1")
        self.start()
        self.put(100, 109)
        self.outbox.sync()
        self.assertEqual(self.names(), ["q2-1"])
        self.start()
        self.assertEqual(self.outbox.kept, 10)

    def test_a_long_outage_and_a_small_window(self):
        alarms = (100, 500, 900)
        for seq in range(1000):
            self.put(seq, seq, 40, LANE_ALARM if seq in alarms else LANE_STATUS)
            self.outbox.poll(seq * 10000)
        self.assertEqual((self.outbox.kept, self.outbox.dropped), (1000, 0))
        sent = [seq for _, seq in self.drain(10000)]
        self.assertEqual(sent[:3], [900, 500, 100])
        self.assertEqual(sorted(sent), list(range(1000)))
        rest = [seq for seq in sent[3:] if seq < 900]
        self.assertEqual(rest, sorted(rest))
        self.assertEqual((self.outbox.kept, self.outbox.kept_bytes), (0, 0))
        self.assertEqual((self.names(), self.outbox.stored_bytes), ([], 0))

    def test_acks_that_come_after_the_record_left_the_window(self):
        self.put(0, 20)
        self.outbox.sync()
        self.fill(0, 1)
        self.outbox.arrived(1)
        self.put(21, 150)
        self.assertEqual(self.outbox.ack(BOOT, 0, 20), 21)
        self.assertEqual(sorted(seq for _, seq in self.drain(1)), list(range(21, 151)))

    def test_bulk_goes_first_then_status_and_never_sessions_or_alarms(self):
        self.start(flash_bytes=65536)
        self.put(0, 199, 40, LANE_ALARM)
        self.put(200, 399, 40, LANE_SESSION)
        self.put(400, 599, 40, LANE_BULK)
        self.put(600, 2599, 40, LANE_STATUS)
        self.outbox.sync()
        gaps = {gap[4]: gap for gap in self.gaps()}
        lost = sum(gap[3] for gap in gaps.values())
        self.assertEqual(self.outbox.dropped, lost)
        self.assertEqual(gaps[LANE_BULK][:4], (BOOT, 400, 599, 200))
        self.assertEqual(gaps[LANE_STATUS][1], 600)
        self.assertTrue(self.outbox.stored_bytes <= 65536)
        sent = {seq for _, seq in self.drain()}
        # An eighth of the flash is 2 segments of 89 records; the oldest make room for their own kind.
        self.assertEqual(gaps[LANE_ALARM][1], 0)
        self.assertEqual(gaps[LANE_SESSION][1], 200)
        for seq in list(range(120, 200)) + list(range(320, 400)):
            self.assertTrue(seq in sent, seq)
        self.assertEqual(len(sent) + lost, 2600)

    def test_bulk_does_not_push_out_status(self):
        self.start(flash_bytes=65536)
        self.put(0, 999)
        self.put(1000, 1999, 40, LANE_BULK)
        sent = {seq for _, seq in self.drain()}
        for seq in range(1000):
            self.assertTrue(seq in sent, seq)
        self.assertEqual([gap[4] for gap in self.gaps()], [LANE_BULK])

    def test_a_file_system_that_is_smaller_than_the_budget(self):
        self.files.size_max = 40000
        self.start()
        self.put(0, 999)
        self.put(1000, 1003, 40, LANE_ALARM)
        self.outbox.sync()
        self.assertTrue(self.files.free() > 8192)
        self.check_that_the_oldest_made_room()

    def test_a_flash_that_others_fill(self):
        self.put(0, 499)
        self.outbox.sync()
        self.files.size_max = self.files.used() + 100
        self.put(500, 999)
        self.put(1000, 1003, 40, LANE_ALARM)
        self.outbox.sync()
        self.check_that_the_oldest_made_room()

    def check_that_the_oldest_made_room(self):
        self.assertTrue(self.outbox.dropped > 100)
        self.assertEqual(self.outbox.kept + self.outbox.dropped, 1004)
        gap = self.gaps()[0]
        self.assertEqual((gap[1], gap[3]), (0, self.outbox.dropped))
        sent = [seq for _, seq in self.drain()]
        self.assertEqual(sent[:4], [1003, 1002, 1001, 1000])
        self.assertEqual(len(sent) + self.outbox.dropped, 1004)

    def test_what_was_set_aside_does_not_come_back(self):
        self.put(0, 1)
        self.outbox.sync()
        now_s = 0
        while not self.outbox.quarantined:
            self.fill(now_s)
            self.outbox.ack(BOOT, 1, 1)
            now_s += 1
            if now_s == 460:
                self.put(2, 2)
                self.fill(now_s)
                self.outbox.ack(BOOT, 2, 2)
        self.start()
        self.assertEqual(self.outbox.kept, 0)

    def test_50_power_on_resets_in_a_minute_leave_the_queue(self):
        # Tasmota#4342, meshtastic#4555: reset storms that wiped what was stored (regression 3).
        self.put(0, 99)
        self.outbox.sync()
        before = dict(self.files.files)
        for boot in range(50):
            self.start()
            self.put(0, 3, boot=100 + boot)
            self.outbox.poll(0)
            self.outbox.poll(1200)
        self.assertEqual(self.files.files, before)
        self.start()
        self.assertEqual(self.drain(), [(BOOT, s) for s in range(100)])

    def test_slow_resets_do_not_wear_segments_away(self):
        for boot in range(200 // SLOW):
            self.start(flash_bytes=65536)
            self.put(0, 2, boot=1 + boot)
            self.outbox.sync()
        self.assertEqual((self.outbox.kept, self.outbox.dropped), (600 // SLOW, 0))


class Damaged(Kept):
    flash = True

    def written(self):
        self.put(0, 19)
        self.outbox.sync()
        return self.files.files["q2-1"]

    def test_every_byte_of_a_segment_once_damaged(self):
        whole = self.written()
        for at in range(0, len(whole), SLOW):
            broken = bytearray(whole)
            broken[at] ^= 0x41
            self.files.files["q2-1"] = bytes(broken)
            self.start()
            lost = at // 46
            left = [(BOOT, s) for s in range(20) if s != lost]
            gaps = self.gaps()
            if lost < 19:
                self.assertEqual(gaps, [(BOOT, lost, lost, 1, LANE_STATUS, GAP_UNREADABLE)])
            else:
                self.assertEqual(gaps, [])
            if at % 23 == 0:
                self.assertEqual(self.drain(), left)
            else:
                self.assertEqual(self.outbox.kept, len(left))

    def test_a_segment_cut_at_every_byte_ends_there_silently(self):
        whole = self.written()
        for at in range(0, len(whole), SLOW):
            self.files.files = {"q2-1": whole[:at]}
            self.start()
            self.assertEqual((self.outbox.kept, self.gaps()), (at // 46, []))
            # What comes after a torn end goes elsewhere.
            self.put(0, 0, boot=BOOT + 1)
            self.outbox.sync()
            self.start()
            self.assertEqual(self.outbox.kept, at // 46 + 1)

    def test_a_segment_of_anything(self):
        self.written()
        for data in (b"", b"\0" * 4096, b"\xff" * 4096, bytes(range(256)) * 16):
            self.files.files = {
                "q2-1": data,
                "q": b"",
                "qx": b"1",
                "q2-x": b"",
                "other": b"1",
                "q7-1": b"",
                "q2-9999999999": b"",
            }
            self.start()
            self.assertEqual((self.outbox.kept, self.outbox.dropped), (0, 0))


class PowerCuts(Kept):
    """The power goes at every step of a piece of work; regression 8 (littlefs#758)."""

    flash = True

    def work(self):
        """Report, raise alarms, take acks, restart; note what must be found again."""
        for boot in (1, 2):
            self.start(flash_bytes=65536)
            for seq in range(24):
                lane = (LANE_STATUS, LANE_BULK, LANE_STATUS, LANE_ALARM)[seq % 4]
                data = record(boot, seq, 30)
                self.outbox.put(data, len(data), boot, seq, lane)
                self.made.add((boot, seq))
                if lane == LANE_ALARM:
                    self.synced.add((boot, seq))
                if seq % 8 == 7:
                    self.outbox.sync()
                    self.synced |= self.made - self.acked
                if seq % 6 == 5:
                    self.acked |= {(boot, s) for s in range(seq - 5, seq - 2)}
                    self.outbox.ack(boot, seq - 5, seq - 3)

    def run_cut(self, cut):
        self.files = FakeFiles()
        self.files.cut = cut
        self.made, self.synced, self.acked = set(), set(), set()
        try:
            self.work()
            done = True
        except PowerCut:
            done = False
        self.files.restart()
        return done

    def test_nothing_synced_is_lost_wherever_it_is_cut(self):
        cut = 1
        while not self.run_cut(cut):
            self.start(flash_bytes=65536)
            found = self.drain()
            self.assertEqual(len(found), len(set(found)), cut)
            self.assertEqual(self.synced - self.acked - set(found), set(), cut)
            self.assertEqual(set(found) - self.made, set(), cut)
            # And it works on.
            self.put(0, 9, boot=9)
            self.outbox.sync()
            self.start(flash_bytes=65536)
            self.assertEqual(self.outbox.kept, 10)
            cut += 3 * SLOW
        self.assertTrue(cut > 1000)  # every byte of it: tests/flash, on the real littlefs


class Short(Kept):
    """The body of a BeiDou message."""

    def short(self, room, now_s=0):
        buf = bytearray(60)
        n = self.outbox.short(buf, room, now_s)
        self.assertTrue(n <= room)
        return [seq for _, seq in identities(bytes(buf[:n]))]

    def test_alarms_first_the_oldest_first_then_the_newest_status(self):
        self.put(0, 3, 20)
        self.put(4, 6, 20, LANE_ALARM)
        self.put(7, 8, 20, LANE_BULK)
        self.assertEqual(self.short(60), [4, 5, 6])
        self.assertEqual(self.short(60), [3, 2, 1])
        self.assertEqual(self.short(60), [0])
        self.assertEqual(self.short(60), [])

    def test_what_does_not_fit_makes_room_for_what_does(self):
        self.put(0, 0, 20)
        self.put(1, 1, 50)
        self.put(2, 2, 30)
        self.assertEqual(self.short(52), [2, 0])

    def test_it_counts_as_sent_and_is_freed_by_an_ack(self):
        self.put(0, 0, 40)
        self.assertEqual(self.short(60), [0])
        self.assertEqual(self.fill(29), [])
        self.assertEqual(self.fill(30), [0])
        self.assertEqual(self.outbox.ack(BOOT, 0, 0), 1)

    def test_the_newest_status_is_there_after_a_long_outage(self):
        self.files = FakeFiles()
        self.start()
        for seq in range(1000):
            self.put(seq, seq, 40)
            self.outbox.poll(seq * 60000)
        self.assertEqual(self.short(60), [999])


class Shuffled(Kept):
    """Random work, restarts and a small flash, against a model that a reader can check."""

    flash = True
    size = 2048

    def test_against_sets(self):
        state = 12345
        acked = set()
        known = set()
        made = []
        gone = seq = now_s = boot = starts = dropped = 0
        self.start(flash_bytes=65536)
        for _ in range(1500 if ON_MICROPYTHON else 8000):
            state = (state * 1103515245 + 12345) & 0x3FFFFFFF
            what = (state >> 8) % 20
            if what < 11:
                size = 20 + (state >> 12) % 60
                self.put(seq, seq, size, (state >> 20) % 4, boot)
                made.append((boot, seq))
                known.add((boot, seq))
                seq += 1
            elif what < 14:
                n = self.outbox.fill(self.payload, now_s, 1 + state % 100)
                sent = identities(bytes(self.payload[:n]))
                self.assertEqual(set(sent) & acked, set())
                self.assertEqual(len(set(sent)), len(sent))
            elif what < 16 and made:
                its_boot, first = made[(state >> 4) % len(made)]
                last = first + (state >> 4) % 6
                gone += self.outbox.ack(its_boot, first, last)
                acked |= {(its_boot, s) for s in range(first, last + 1) if (its_boot, s) in known}
            elif what < 17:
                self.outbox.broken(now_s)
            elif what < 19:
                now_s += (state >> 6) % 20
                self.outbox.poll(now_s * 1000)
            elif (state >> 16) % 4 == 0:
                self.outbox.sync()
                gone += self.outbox.quarantined + self.outbox.dropped
                dropped += self.outbox.dropped
                unsaved = self.outbox._unsaved
                before = (self.outbox.kept, self.outbox.kept_bytes, self.outbox.stored_bytes)
                self.start(flash_bytes=65536)
                after = (self.outbox.kept, self.outbox.kept_bytes, self.outbox.stored_bytes)
                if unsaved:
                    # Bulk that status has left no room for lives in RAM alone.
                    gone += before[0] - after[0]
                else:
                    self.assertEqual(before, after)
                boot, seq, now_s, starts = boot + 1, 0, 0, starts + 1
            held = self.outbox.kept + self.outbox.quarantined + self.outbox.dropped
            self.assertEqual(held + gone, len(made))
        self.assertTrue(starts > 1)
        self.assertTrue(dropped or ON_MICROPYTHON)
        left = self.outbox.kept
        self.outbox.broken(now_s)
        self.assertEqual(len(self.drain(now_s + 5000)), left)
        self.assertEqual((self.outbox.kept_bytes, self.outbox.stored_bytes), (0, 0))


if __name__ == "__main__":
    unittest.main()

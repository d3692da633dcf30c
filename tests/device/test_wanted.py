"""What the gateway misses and asks for: sent again at once, or told as gone, never both."""

import unittest

from fakes import FakeFiles
from records import identities, record
from support import ON_MICROPYTHON

from agent.keep.outbox import Outbox
from agent.link.downlink import Downlink
from agent.wire import messages
from agent.wire.codes import GAP_NOT_HERE, GAP_QUARANTINE, LANE_ALARM, LANE_BULK, LANE_STATUS

BOOT = 7
SEEDS = 4 if ON_MICROPYTHON else 60


def steady(n):
    """No jitter."""
    return bytes(n)


class Box(unittest.TestCase):
    def setUp(self):
        self.files = FakeFiles()
        self.payload = bytearray(1024)
        self.start()

    def start(self, size=4096):
        self.outbox = Outbox(size, steady, self.files)

    def put(self, first, last, lane=LANE_STATUS, boot=BOOT):
        for seq in range(first, last + 1):
            data = record(boot, seq)
            self.outbox.put(data, len(data), boot, seq, lane)

    def fill(self, now_s, message_id=1):
        n = self.outbox.fill(self.payload, now_s, message_id)
        return [seq for _, seq in identities(bytes(self.payload[:n]))]

    def gaps(self):
        out = []
        gap = self.outbox.take_gap()
        while gap is not None:
            out.append(gap)
            gap = self.outbox.take_gap()
        return out

    def ranges(self):
        """The gaps' ranges; each must be exact."""
        out = []
        for boot, first, last, lost, lane, cause in self.gaps():
            self.assertEqual((lost, lane, cause), (last - first + 1, None, GAP_NOT_HERE))
            out.append((boot, first, last))
        return out


class Wanted(Box):
    def test_what_was_sent_and_is_kept_goes_again_at_once(self):
        self.put(0, 9)
        self.fill(0)
        self.outbox.arrived(1)
        self.assertEqual(self.fill(5), [])
        self.outbox.want(BOOT, 3, 5, 5, True)
        self.assertTrue(self.outbox.due(5))
        self.assertEqual(self.fill(5), [3, 4, 5])
        self.assertEqual(self.fill(6), [])
        self.assertEqual(self.gaps(), [])

    def test_what_is_under_way_is_left_alone(self):
        self.put(0, 3)
        self.fill(0, 9)
        self.outbox.want(BOOT, 0, 3, 1, True)
        self.assertEqual(self.fill(1), [])
        self.outbox.arrived(9)
        self.assertEqual(self.fill(30), [0, 1, 2, 3])

    def test_what_is_not_kept_is_told_exactly(self):
        self.put(0, 19)
        self.fill(0)
        for first, last in ((0, 4), (8, 8), (12, 19)):
            self.outbox.ack(BOOT, first, last)
        self.outbox.want(BOOT, 2, 15, 1, True)
        self.assertEqual(self.ranges(), [(BOOT, 2, 4), (BOOT, 8, 8), (BOOT, 12, 15)])

    def test_the_order_in_the_window_does_not_matter(self):
        for seq in (5, 6, 2, 3, 8):
            self.put(seq, seq)
        self.outbox.want(BOOT, 0, 8, 0, True)
        self.assertEqual(self.ranges(), [(BOOT, 0, 1), (BOOT, 4, 4), (BOOT, 7, 7)])

    def test_what_is_not_made_yet_is_not_told(self):
        self.outbox.want(BOOT, 0, 10, 0, True)
        self.assertEqual(self.gaps(), [])
        self.put(0, 4)
        self.outbox.ack(BOOT, 0, 4)
        self.outbox.want(BOOT, 3, 10, 0, True)
        self.assertEqual(self.ranges(), [(BOOT, 3, 4)])
        self.outbox.want(BOOT, 5, 1000, 0, True)
        self.assertEqual(self.gaps(), [])

    def test_a_power_cut_is_told_of_the_boot_before(self):
        self.put(0, 9)
        self.outbox.sync()
        self.put(10, 14)
        self.start()  # 10 to 14 were in RAM only, and nobody noticed
        self.put(0, 0, boot=BOOT + 1)
        self.fill(0)
        self.outbox.arrived(1)
        self.outbox.want(BOOT, 5, 12, 1, False)
        self.assertEqual(self.ranges(), [(BOOT, 10, 12)])
        self.assertEqual(self.fill(1), [5, 6, 7, 8, 9])

    def test_nothing_is_told_while_flash_may_hold_it(self):
        self.put(0, 199)
        self.outbox.sync()
        self.put(200, 210, boot=BOOT + 1)
        self.outbox.ack(BOOT, 0, 199 - 150)
        self.outbox.want(BOOT, 0, 199, 0, False)
        self.assertEqual(self.gaps(), [])
        self.outbox.want(BOOT + 2, 0, 3, 0, False)
        self.assertEqual(self.ranges(), [(BOOT + 2, 0, 3)])
        sent = []
        while self.outbox.due(0):
            for boot, seq in identities(
                bytes(self.payload[: self.outbox.fill(self.payload, 0, 0)])
            ):
                sent.append((boot, seq))
                self.outbox.ack(boot, seq, seq)
        self.assertTrue((BOOT, 199) in sent)
        self.outbox.want(BOOT, 0, 199, 0, False)
        self.assertEqual(self.ranges(), [(BOOT, 0, 199)])

    def test_few_gaps_at_a_time(self):
        self.put(0, 40)
        for seq in range(0, 41, 2):
            self.outbox.ack(BOOT, seq, seq)
        told = []
        first = 0
        while first <= 40:
            self.outbox.want(BOOT, first, 40, 0, True)
            some = self.ranges()
            self.assertTrue(len(some) <= 4)
            told += [at for _, at, _ in some]
            first = told[-1] + 1
        self.assertEqual(told, list(range(0, 41, 2)))

    def test_asking_neither_sets_aside_nor_keeps_for_ever(self):
        self.put(0, 1)
        self.fill(0)
        self.outbox.ack(BOOT, 1, 1)
        for now_s in range(1, 12):
            self.outbox.arrived(1)
            self.outbox.want(BOOT, 0, 0, now_s, True)
            self.assertEqual(self.fill(now_s), [0])
        self.assertEqual(self.outbox.quarantined, 0)
        now_s = 12
        while self.outbox.kept:
            self.fill(now_s)
            now_s += 1
        self.assertEqual([gap[5] for gap in self.gaps()], [GAP_QUARANTINE])

    def test_everything_is_sent_or_told_whatever_came_before(self):
        for seed in range(SEEDS):
            self.random = seed * 7919 + 1
            self.one_history()

    def draw(self, n):
        self.random = (self.random * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.random >> 8) % n

    def one_history(self):
        """Acks, evictions, restarts and full flash; then ask for everything until nothing is open."""
        self.files = FakeFiles()
        size = 1024 + 512 * self.draw(5)
        self.start(size)
        made = {}
        boot, now_s = 1, 0
        for _ in range(30):
            what = self.draw(6)
            if what == 5 and made.get(boot):
                if self.draw(2):
                    self.outbox.sync()
                boot += 1
                self.start(size)
            elif what == 4 and made.get(boot):
                first = self.draw(made[boot])
                self.outbox.ack(boot, first, first + self.draw(10))
            elif what == 3:
                self.fill(now_s, 0)
                now_s += self.draw(90)
            else:
                n = made.get(boot, 0)
                made[boot] = n + 1 + self.draw(12)
                lane = (LANE_STATUS, LANE_BULK, LANE_ALARM)[self.draw(3)]
                self.put(n, made[boot] - 1, lane, boot)
        self.gaps()
        open_ = {(b, s) for b in made for s in range(made[b])}
        came, told = set(), set()
        for _ in range(400):
            if not open_:
                break
            now_s += 1
            first = min(open_)
            last = max(s for b, s in open_ if b == first[0])
            self.outbox.want(first[0], first[1], last, now_s, first[0] == boot)
            for of, low, high in self.ranges():
                self.assertTrue(high < made[of])
                told |= {(of, s) for s in range(low, high + 1)} & open_
            n = self.outbox.fill(self.payload, now_s, 0)
            for one in identities(bytes(self.payload[:n])):
                came.add(one)
                self.outbox.ack(one[0], one[1], one[1])
            open_ -= came | told
        self.assertEqual(open_, set())
        self.assertEqual(self.outbox.kept, 0)
        self.assertEqual(came & told, set())


class BootNumber:
    value = BOOT

    def lost(self):
        return False


class Clock:
    source = 1


class FromTheGateway(Box):
    """Through the downlink, as it comes from the link."""

    def setUp(self):
        super().setUp()
        self.down = Downlink(BootNumber(), self.outbox, Clock())

    def want(self, boot, first, last, now_ms):
        buf = bytearray(32)
        self.down.take(b"cmd", buf, 0, messages.put_want(buf, boot, first, last), now_ms)

    def test_asked_and_answered(self):
        self.put(0, 9)
        self.fill(0)
        self.outbox.arrived(1)
        self.outbox.ack(BOOT, 0, 3)
        self.want(BOOT, 2, 20, 5000)
        self.assertEqual(self.ranges(), [(BOOT, 2, 3)])
        self.assertEqual(self.fill(5), [4, 5, 6, 7, 8, 9])
        self.want(BOOT - 1, 0, 999, 6000)
        self.assertEqual(self.ranges(), [(BOOT - 1, 0, 999)])
        self.assertEqual(self.down.bad, 0)

    def test_what_makes_no_sense_is_counted(self):
        self.put(0, 9)
        self.outbox.ack(BOOT, 0, 9)
        for boot, first, last in ((BOOT, 5, 4), (BOOT, 0, 1000), (1 << 30, 0, 0), (BOOT, 0, -1)):
            self.want(boot, first, last, 0)
        self.assertEqual((self.down.bad, self.gaps()), (4, []))

    def test_four_a_minute(self):
        for now_ms in range(0, 120000, 1000):
            self.want(BOOT - 1, 0, 0, now_ms)
            self.gaps()
        self.assertEqual(self.down.bad, 112)
        self.want(BOOT - 1, 0, 0, 120000)
        self.assertEqual(self.ranges(), [(BOOT - 1, 0, 0)])


if __name__ == "__main__":
    unittest.main()

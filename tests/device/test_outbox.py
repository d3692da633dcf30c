import unittest

from agent.keep.outbox import Outbox


def steady(n):
    """No jitter."""
    return bytes(n)


def record(seq, size=40):
    return bytes([seq & 0xFF] * size)


class Filled(unittest.TestCase):
    def setUp(self):
        self.outbox = Outbox(4096, steady)
        self.payload = bytearray(1024)

    def put(self, first, last, size=40):
        for seq in range(first, last + 1):
            self.outbox.put(record(seq, size), size, seq)

    def fill(self, now_s, message_id=1):
        """Return the seqs that come out."""
        n = self.outbox.fill(self.payload, now_s, message_id)
        return [self.payload[i] for i in range(0, n, 40)]

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

    def test_ack_ranges_in_any_order(self):
        self.put(0, 9)
        self.fill(0)
        self.assertEqual(self.outbox.ack(6, 8), 3)
        self.assertEqual(self.outbox.ack(0, 3), 4)
        self.assertEqual(self.outbox.ack(0, 3), 0)
        self.assertEqual(self.outbox.kept, 3)
        self.assertEqual(self.fill(30), [4, 5, 9])
        self.assertEqual(self.outbox.ack(0, 1000), 3)
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
        outbox.put(record(0), 40, 0)
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

    def test_what_the_gateway_never_takes_is_set_aside(self):
        self.put(0, 1)
        now_s = 0
        for _ in range(5):
            while not self.fill(now_s):
                now_s += 1
            self.outbox.ack(1, 1)
        self.put(2, 2)
        while self.outbox.kept > 1:
            self.fill(now_s)
            now_s += 1
        self.assertEqual(self.outbox.quarantined, 1)
        self.assertEqual(self.outbox.quarantine, [record(0)])

    def test_nothing_is_set_aside_while_nobody_answers(self):
        self.put(0, 3)
        for now_s in range(0, 100000, 10):
            self.fill(now_s)
        self.assertEqual((self.outbox.quarantined, self.outbox.kept), (0, 4))

    def test_a_full_outbox_drops_the_oldest_and_counts(self):
        self.put(0, 199)
        self.assertEqual(self.outbox.kept + self.outbox.dropped, 200)
        self.assertTrue(self.outbox.dropped > 0)
        seen = []
        while True:
            part = self.fill(0)
            if not part:
                break
            seen += part
        self.assertEqual(seen, list(range(self.outbox.dropped, 200)))

    def test_a_record_that_never_fits(self):
        outbox = Outbox(100, steady)
        outbox.put(record(0, 200), 200, 0)
        self.assertEqual((outbox.kept, outbox.dropped), (0, 1))
        outbox.put(record(1), 40, 1)
        self.assertEqual(outbox.kept, 1)


class Shuffled(unittest.TestCase):
    """Random work against a model that a reader can check: which records are kept."""

    def test_against_a_dictionary(self):
        state = 12345
        outbox = Outbox(2048, steady)
        payload = bytearray(512)
        kept = {}
        seq = now_s = set_aside = 0
        for _ in range(3000):
            state = (state * 1103515245 + 12345) & 0x3FFFFFFF
            what = (state >> 8) % 10
            if what < 5:
                size = 8 + (state >> 12) % 60
                dropped = outbox.dropped
                outbox.put(bytes([seq & 0xFF] * size), size, seq)
                kept[seq] = size
                for _ in range(outbox.dropped - dropped):
                    del kept[min(kept)]
                seq += 1
            elif what < 7:
                outbox.fill(payload, now_s, 1 + state % 100)
                for data in outbox.quarantine:
                    del kept[min(s for s in kept if s & 0xFF == data[0])]
                    set_aside += 1
                outbox.quarantine.clear()
            elif what < 8 and kept:
                first = min(kept) + state % 5
                last = first + (state >> 4) % 10
                gone = [s for s in kept if first <= s <= last]
                self.assertEqual(outbox.ack(first, last), len(gone))
                for s in gone:
                    del kept[s]
            elif what < 9:
                outbox.broken(now_s)
            else:
                now_s += (state >> 6) % 20
            self.assertEqual(outbox.kept, len(kept))
            self.assertEqual(outbox.kept_bytes, sum(kept.values()))
        self.assertEqual(outbox.quarantined, set_aside)
        self.assertTrue(outbox.dropped and outbox.resent and set_aside)


if __name__ == "__main__":
    unittest.main()

import unittest

from fakes import FakeStore

from agent.keep.boots import BootNumber, pack, unpack

BOOT_MAX = 0x3FFFFFFF


def random(n):
    return bytes([7] * n)


class Boots(unittest.TestCase):
    def start(self, a, b):
        return BootNumber(a, b, random)

    def test_it_counts_starts(self):
        a, b = FakeStore(pack(0)), FakeStore(pack(0))
        values = [self.start(a, b).value for _ in range(5)]
        self.assertEqual(values, [1, 2, 3, 4, 5])
        self.assertEqual((unpack(a.data), unpack(b.data)), (5, 5))

    def test_one_store_is_enough(self):
        for broken in (None, b"", b"FWB1", b"x" * 12, pack(41)[:-1], bytes(12)):
            a, b = FakeStore(broken), FakeStore(pack(41))
            boot = self.start(a, b)
            self.assertEqual((boot.value, boot.good), (42, 2))
            self.assertEqual(unpack(a.data), 42)

    def test_the_higher_of_two_counts(self):
        # Power was cut between the two writes of the last start.
        self.assertEqual(self.start(FakeStore(pack(9)), FakeStore(pack(8))).value, 10)

    def test_every_flipped_bit_is_seen(self):
        good = pack(1234)
        for i in range(len(good) * 8):
            broken = bytearray(good)
            broken[i // 8] ^= 1 << i % 8
            self.assertEqual(unpack(broken), None)

    def test_both_stores_lost(self):
        a, b = FakeStore(), FakeStore()
        boot = self.start(a, b)
        self.assertEqual((boot.value, boot.good), (1 << 29 | 0x07070707, 0))
        self.assertTrue(boot.lost())
        # Without the gateway's help the next start counts on from there.
        self.assertEqual(self.start(a, b).value, boot.value + 1)

    def test_the_gateway_hands_out_a_fresh_number(self):
        a, b = FakeStore(), FakeStore()
        boot = self.start(a, b)
        lost = boot.value
        self.assertTrue(boot.take_fresh(40))
        self.assertEqual(boot.value, lost)
        again = self.start(a, b)
        self.assertEqual((again.value, again.lost()), (41, False))

    def test_a_fresh_number_nobody_asked_for_is_ignored(self):
        a, b = FakeStore(pack(7)), FakeStore(pack(7))
        boot = self.start(a, b)
        self.assertFalse(boot.take_fresh(3))
        self.assertEqual(unpack(a.data), 8)
        lost = self.start(FakeStore(), FakeStore())
        for number in (0, 1 << 29, BOOT_MAX):
            self.assertFalse(lost.take_fresh(number))

    def test_a_number_that_cannot_be_kept_is_not_used(self):
        for fault in ("broken", "deaf"):
            a, b = FakeStore(pack(7)), FakeStore(pack(7))
            setattr(a, fault, True)
            setattr(b, fault, True)
            self.assertTrue(self.start(a, b).lost())

    def test_the_numbers_end(self):
        boot = self.start(FakeStore(pack(BOOT_MAX)), FakeStore())
        self.assertTrue(boot.lost() and boot.value <= BOOT_MAX)


if __name__ == "__main__":
    unittest.main()

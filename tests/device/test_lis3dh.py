"""The accelerometer's driver: found, set up, read without loss, and told apart when it is not there."""

import unittest

from accelerometer import FakeLIS3DH

from agent.sense.lis3dh import CHUNK, LIS3DH


def samples(data):
    """Return the samples of a chunk in mg."""
    values = []
    for i in range(0, len(data), 2):
        raw = data[i] | data[i + 1] << 8
        values.append(((raw ^ 0x8000) - 0x8000) * 3 // 4)
    return [tuple(values[i : i + 3]) for i in range(0, len(values), 3)]


class Driver(unittest.TestCase):
    def setUp(self):
        self.bus = FakeLIS3DH(lambda ms: (ms * 48, -ms * 48, 960))
        self.chip = LIS3DH(self.bus)

    def test_samples_come_in_order_and_whole(self):
        self.chip.start()
        self.bus.ms = 81
        self.chip.start()  # its FIFO is emptied
        got = []
        for ms in (100, 140, 141, 200, 242):
            self.bus.ms = ms
            while self.chip.take():
                got += samples(self.chip.data)
        self.assertEqual(len(got), 32)
        self.assertEqual([x // 48 for x, y, z in got], list(range(86, 246, 5)))
        self.assertEqual({z for x, y, z in got}, {960})
        self.assertTrue(all(x == -y for x, y, z in got))
        self.assertEqual(self.chip.overruns, 0)

    def test_the_scale_is_sixteen_g_and_signs_are_kept(self):
        self.bus.world = lambda ms: (16000, -16000, -960)
        self.chip.start()
        self.bus.ms = 50
        self.assertTrue(self.chip.take())
        x, y, z = samples(self.chip.data)[0]
        self.assertTrue(abs(x - 16000) <= 24 and abs(y + 16000) <= 24)
        self.assertEqual(z, -960)

    def test_too_few_samples_wait(self):
        self.chip.start()
        self.bus.ms = 5 * CHUNK - 1
        self.assertFalse(self.chip.take())
        self.bus.ms += 6
        self.assertTrue(self.chip.take())
        self.assertFalse(self.chip.take())

    def test_an_overrun_is_counted_once_and_the_newest_are_kept(self):
        self.chip.start()
        self.bus.ms = 500
        got = []
        flags = []
        while self.chip.take():
            got += samples(self.chip.data)
            flags.append(self.chip.overrun)
        self.assertEqual(self.chip.overruns, 1)
        self.assertEqual(flags, [True, False, False, False])
        self.assertEqual(got[-1][0] // 48, 500)

    def test_the_other_address_is_tried_after_a_failure(self):
        self.bus.address = 0x19
        with self.assertRaises(OSError):
            self.chip.start()
        self.chip.start()
        self.bus.ms = 50
        self.assertTrue(self.chip.take())

    def test_nobody_somebody_else_and_a_chip_that_takes_nothing(self):
        self.bus.absent = True
        for _ in range(3):
            with self.assertRaises(OSError):
                self.chip.start()
        self.bus.absent = False
        self.bus.registers[0x0F] = 0x11
        with self.assertRaises(OSError):
            LIS3DH(self.bus).start()
        self.bus.registers[0x0F] = 0x33
        self.bus.write = lambda address, register, value: None
        with self.assertRaises(OSError):
            LIS3DH(self.bus).start()

"""What a firmware of ours does with a file system that cannot be mounted."""

import os
import sys
import unittest

import support

sys.path.append(
    "/boards/common"
    if support.ON_MICROPYTHON
    else os.path.join(os.path.dirname(__file__), "../../device/boards/common")
)

from recovery import MAIN, RAM, SPARE, RAMBlocks, Volume, bring_up


class FakeVolume:
    """A volume; `state` is good, corrupt, blank or dead (every access fails)."""

    def __init__(self, name, state, mounts):
        self.name = name
        self.state = state
        self.formats = 0
        self._mounts = mounts

    def mount(self, path):
        if self.state != "good":
            raise OSError(19)
        if path in self._mounts:
            raise OSError(1)
        self._mounts[path] = self.name

    def format(self):
        if self.state == "dead":
            raise OSError(5)
        self.formats += 1
        self.state = "good"

    def blank(self):
        if self.state == "dead":
            raise OSError(5)
        return self.state == "blank"


class BringingUp(unittest.TestCase):
    def bring_up(self, main, spare="good"):
        self.mounts = {}
        self.main = FakeVolume("main", main, self.mounts)
        self.spare = None if spare is None else FakeVolume("spare", spare, self.mounts)
        self.ram = FakeVolume("ram", "blank", self.mounts)
        return bring_up(self.main, self.spare, self.ram)

    def test_every_combination(self):
        for main in ("good", "corrupt", "blank", "dead"):
            for spare in ("good", "corrupt", "blank", "dead", None):
                where = self.bring_up(main, spare)
                self.assertEqual(self.mounts["/"], ("main", "spare", "ram")[where])
                if main in ("good", "blank"):
                    self.assertEqual(where, MAIN)
                    self.assertEqual("/spare" in self.mounts, spare in ("good", "blank"))
                else:
                    self.assertEqual(where, SPARE if spare in ("good", "blank") else RAM)

    def test_regression_12_a_corrupt_file_system_is_neither_formatted_nor_looped_on(self):
        # micropython/micropython#5337, #4408, #7960: ESP32's _boot.py prints for ever, RP2's formats.
        for spare in ("good", "corrupt", "blank", "dead", None):
            self.assertTrue(self.bring_up("corrupt", spare) != MAIN)
            self.assertEqual((self.main.formats, self.main.state), (0, "corrupt"))
            if spare == "corrupt":
                self.assertEqual(self.spare.formats, 0)

    def test_a_mount_that_works_the_second_time(self):
        mounts = {}

        class Slow(FakeVolume):
            tries = 0

            def mount(self, path):
                self.tries += 1
                if self.tries == 1:
                    raise OSError(5)
                super().mount(path)

        main = Slow("main", "good", mounts)
        self.assertEqual(bring_up(main, None, FakeVolume("ram", "blank", mounts)), MAIN)
        self.assertEqual(main.formats, 0)

    def test_a_port_may_raise_what_it_likes(self):
        class Odd(FakeVolume):
            def mount(self, path):
                raise ValueError("bad superblock")

        main = Odd("main", "corrupt", {})
        self.assertEqual(bring_up(main, None, FakeVolume("ram", "blank", {})), RAM)


class Blocks(unittest.TestCase):
    def test_blank_is_all_ones(self):
        device = RAMBlocks(blocks=64, size=512)
        volume = Volume(device, None, None, None)
        self.assertFalse(volume.blank())
        for block in range(64):
            device.writeblocks(block, b"\xff" * 512)
        self.assertTrue(volume.blank())
        for block, offset in ((0, 0), (1, 511), (63, 77)):
            device.writeblocks(block, b"\xfe", offset)
            self.assertFalse(volume.blank())
            device.writeblocks(block, b"\xff", offset)
        self.assertTrue(volume.blank())

    def test_the_ram_disk_is_a_block_device(self):
        device = RAMBlocks(blocks=4, size=512)
        self.assertEqual((device.ioctl(4, 0), device.ioctl(5, 0), device.ioctl(6, 0)), (4, 512, 0))
        device.writeblocks(3, b"tide", 100)
        buf = bytearray(6)
        device.readblocks(3, buf, 99)
        self.assertEqual(buf, b"\0tide\0")


if __name__ == "__main__":
    unittest.main()

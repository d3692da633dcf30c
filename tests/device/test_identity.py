"""Who a device is: two copies, written once, mended from each other, touched by nothing else."""

import binascii
import unittest

from fakes import FakeFiles, PowerCut

from agent import identity as who

TEXT = b'{"device": "buoy-1", "key": "' + b"1f" * 32 + b'", "release": "' + b"c0" * 32 + b'"}'


def commissioned():
    files = FakeFiles()
    for name in who.NAMES:
        files.replace(name, who.seal(TEXT))
    files.steps = files.writes = 0
    return files


class Read(unittest.TestCase):
    def test_whole(self):
        files = commissioned()
        identity = who.read(files)
        self.assertEqual(identity.device, "buoy-1")
        self.assertEqual(identity.key, b"\x1f" * 32)
        self.assertEqual(identity.release, b"\xc0" * 32)
        self.assertEqual(files.writes, 0)

    def test_every_flipped_bit_is_mended_from_the_other_copy(self):
        good = who.seal(TEXT)
        for n in range(0, len(good) * 8, 3):
            files = commissioned()
            broken = bytearray(good)
            broken[n // 8] ^= 1 << n % 8
            name = who.NAMES[n % 2]
            files.files[name] = bytes(broken)
            self.assertEqual(who.read(files).device, "buoy-1")
            self.assertEqual(files.files[name], good)

    def test_a_copy_cut_short_or_gone_is_mended(self):
        good = who.seal(TEXT)
        for n in range(0, len(good), 7):
            files = commissioned()
            files.files["identity-a"] = good[:n]
            who.read(files)
            del files.files["identity-b"]
            who.read(files)
            self.assertEqual(files.files, dict.fromkeys(who.NAMES, good))

    def test_a_power_cut_while_mending_loses_nothing(self):
        good = who.seal(TEXT)
        for cut in range(1, len(good) + 3):
            files = commissioned()
            files.files["identity-a"] = b"damaged"
            files.cut = cut
            try:
                who.read(files)
            except PowerCut:
                pass
            files.restart()
            self.assertEqual(who.read(files).device, "buoy-1")

    def test_a_flash_that_refuses_to_be_mended(self):
        files = commissioned()
        files.files["identity-a"] = b"damaged"
        files.read_only = True
        self.assertEqual(who.read(files).device, "buoy-1")

    def test_without_an_identity_a_device_does_not_start(self):
        with self.assertRaises(who.IdentityError) as raised:
            who.read(FakeFiles())
        self.assertEqual(raised.exception.code, "absent")
        files = commissioned()
        for name in who.NAMES:
            files.files[name] = b"damaged"
        with self.assertRaises(who.IdentityError) as raised:
            who.read(files)
        self.assertEqual(raised.exception.code, "damaged")
        # The bytes stay for whoever wants to look at them.
        self.assertEqual(files.files, dict.fromkeys(who.NAMES, b"damaged"))


class Load(unittest.TestCase):
    def test_what_is_wrong_is_named(self):
        for code, old, new in (
            ("damaged", TEXT, b"{"),
            ("damaged", TEXT, b"[1]"),
            ("damaged", TEXT, b"{}"),
            ("device", b"buoy-1", b"Buoy 1"),
            ("device", b"buoy-1", b""),
            ("device", b'"buoy-1"', b"7"),
            ("key", b"1f" * 32, b"1f" * 31),
            ("key", b"1f" * 32, b"1g" * 32),
            ("key", b'"key"', b'"kee"'),
            ("release", b'"' + b"c0" * 32 + b'"', b"null"),
        ):
            with self.assertRaises(who.IdentityError) as raised:
                who.load(TEXT.replace(old, new))
            self.assertEqual(raised.exception.code, code)

    def test_the_seal(self):
        self.assertEqual(who.seal(b"x"), b"x\n%08x" % binascii.crc32(b"x"))


if __name__ == "__main__":
    unittest.main()

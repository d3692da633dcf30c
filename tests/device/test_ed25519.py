"""Ed25519 against RFC 8032's vectors, against `cryptography`, and against everything that is not one."""

import unittest
from binascii import unhexlify

from releases import SEED, L, P, finish, packed, public, sign, times, verify
from support import ON_MICROPYTHON

from agent.update import ed25519 as ed

# RFC 8032, 7.1: secret key, public key, message, signature.
VECTORS = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
)


class Ed25519Test(unittest.TestCase):
    def test_rfc_8032(self):
        for vector in VECTORS:
            seed, key, message, signature = map(unhexlify, vector)
            self.assertTrue(verify(key, signature, message))
            self.assertEqual(public(seed), key)
            self.assertEqual(sign(seed, message), signature)

    def test_every_altered_byte_is_found(self):
        key, message = public(SEED), b"a manifest"
        signature = sign(SEED, message)
        for i in range(0, 64, 5):
            altered = bytearray(signature)
            altered[i] ^= 1 << (i & 7)
            self.assertFalse(verify(key, bytes(altered), message))
        self.assertFalse(verify(key, signature, b"b manifest"))
        self.assertFalse(verify(key, signature, message + b"\x00"))
        self.assertFalse(verify(public(bytes(32)), signature, message))

    def test_s_has_one_form(self):
        # 8.4: S + L satisfies the equation too, and would be a second signature.
        key, message = public(SEED), b"a manifest"
        signature = sign(SEED, message)
        s = int.from_bytes(signature[32:], "little")
        self.assertFalse(verify(key, signature[:32] + (s + L).to_bytes(32, "little"), message))
        self.assertFalse(verify(key, signature[:32] + L.to_bytes(32, "little"), message))
        self.assertFalse(verify(key, signature[:32] + b"\xff" * 32, message))

    def test_wrong_lengths(self):
        key, message = public(SEED), b"a manifest"
        signature = sign(SEED, message)
        for wrong in (b"", signature[:-1], signature + b"\x00"):
            self.assertFalse(verify(key, wrong, message))
        for wrong in (b"", key[:-1], key + b"\x00"):
            self.assertFalse(verify(wrong, signature, message))

    def test_what_is_no_point(self):
        no_root = (2).to_bytes(32, "little")  # y = 2 has no x
        beyond = (P + 1).to_bytes(32, "little")  # y = 1 in a second form
        minus_zero = bytearray((1).to_bytes(32, "little"))
        minus_zero[31] |= 0x80  # x = 0 with the sign set
        for data in (no_root, beyond, P.to_bytes(32, "little"), b"\xff" * 32, bytes(minus_zero)):
            self.assertIsNone(ed.decompress(data))
            self.assertFalse(verify(data, bytes(64), b""))

    def test_points_come_back(self):
        base = ed.decompress(b"\x58" + b"\x66" * 31)
        for k in (1, 2, 3, L - 1):
            point = times(k, base)
            x, y, z, t = ed.decompress(packed(point))
            self.assertEqual((z, t), (1, x * y % P))
            self.assertEqual(packed((x, y, z, t)), packed(point))
        self.assertEqual(packed(times(L, base)), (1).to_bytes(32, "little"))

    def test_it_is_done_in_slices(self):
        # 10 for SHA-512's constants, 5 a block of it, and one for four bits of the scalars.
        _, slices = finish(ed.verify(public(SEED), sign(SEED, bytes(99)), bytes(99)))
        self.assertEqual(slices, 1 + 10 + 2 * 5 + 64)

    def test_a_slice_makes_little_garbage(self):
        # A board may have to collect it all at once, and the virtual one only does so between steps.
        if not ON_MICROPYTHON:
            self.skipTest("CPython does not count it")
        import gc

        message = bytes(200)
        slices = ed.verify(public(SEED), sign(SEED, message), message)
        most = 0
        while True:
            gc.collect()
            before = gc.mem_alloc()
            try:
                next(slices)
            except StopIteration:
                break
            most = max(most, gc.mem_alloc() - before)
        self.assertTrue(0 < most < 48 * 1024, most)

    def test_cryptography_agrees(self):
        if ON_MICROPYTHON:
            self.skipTest("a CPython package")
        import random

        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (
            Ed25519PrivateKey,
            Ed25519PublicKey,
        )

        rng = random.Random(8032)

        def theirs(key, signature, message):
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
            except (InvalidSignature, ValueError):
                return False
            return True

        for n in range(40):
            seed = rng.randbytes(32)
            message = rng.randbytes(rng.randrange(200))
            private = Ed25519PrivateKey.from_private_bytes(seed)
            key = private.public_key().public_bytes_raw()
            signature = private.sign(message)
            self.assertEqual(sign(seed, message), signature)
            self.assertTrue(verify(key, signature, message))
            parts = [bytearray(key), bytearray(signature), bytearray(message + b".")]
            part = parts[n % 3]
            part[rng.randrange(len(part))] ^= 1 << rng.randrange(8)
            altered = [bytes(part) for part in parts]
            self.assertEqual(verify(*altered), theirs(*altered))

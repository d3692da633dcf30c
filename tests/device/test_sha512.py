"""SHA-512 against the standard's examples, and against hashlib where there is one."""

import hashlib
import unittest
from binascii import hexlify

from releases import finish
from support import ON_MICROPYTHON

from agent.update.sha512 import sha512


def digest(message):
    return finish(sha512(message))[0]


class SHA512Test(unittest.TestCase):
    def test_the_standard_s_examples(self):
        # FIPS 180-4's examples: none, one and two blocks.
        for message, expected in (
            (
                b"",
                (
                    b"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
                    b"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
                ),
            ),
            (
                b"abc",
                (
                    b"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                    b"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
                ),
            ),
            (
                (
                    b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                    b"hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
                ),
                (
                    b"8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
                    b"501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"
                ),
            ),
        ):
            self.assertEqual(hexlify(digest(message)), expected)

    def test_every_length_around_a_block(self):
        if ON_MICROPYTHON:
            self.skipTest("MicroPython has no SHA-512 to compare with")
        for n in range(300):
            message = bytes(i * 7 & 0xFF for i in range(n))
            self.assertEqual(digest(message), hashlib.sha512(message).digest())

    def test_it_is_done_in_slices(self):
        _, slices = finish(sha512(bytes(100)))
        self.assertEqual(slices, 10 + 5)  # 80 constants by eight, 80 rounds by sixteen

"""HMAC-SHA-256 against RFC 4231, on both interpreters."""

import unittest
from binascii import unhexlify

from agent.wire import sign

# RFC 4231, test cases 1 to 4, 6 and 7: key, data, tag.
RFC_4231 = (
    (
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ),
    (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        (
            b"This is a test using a larger than block-size key and a larger than block-size data."
            b" The key needs to be hashed before being used by the HMAC algorithm."
        ),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
)


class Tag(unittest.TestCase):
    def test_rfc_4231(self):
        for key, data, expected in RFC_4231:
            self.assertEqual(sign.tag(key, data), unhexlify(expected))

    def test_parts_count_as_if_joined(self):
        key, data, expected = RFC_4231[1]
        for cut in range(len(data)):
            parts = (data[:cut], b"", data[cut:])
            self.assertEqual(sign.tag(key, *parts), unhexlify(expected))

    def test_a_key_of_a_whole_block_and_one_above(self):
        keys = [sign.tag(b"k" * n, b"x") for n in (63, 64, 65)]
        self.assertEqual(len(set(keys)), 3)


class Same(unittest.TestCase):
    def test_equal(self):
        self.assertTrue(sign.same(b"", b""))
        self.assertTrue(sign.same(b"abc", bytearray(b"abc")))

    def test_every_bit_matters(self):
        tag = sign.tag(b"k", b"x")
        for i in range(len(tag) * 8):
            other = bytearray(tag)
            other[i // 8] ^= 1 << i % 8
            self.assertFalse(sign.same(tag, other))

    def test_lengths_matter(self):
        self.assertFalse(sign.same(b"abc", b"ab"))
        self.assertFalse(sign.same(b"", b"\0"))

"""Encoder, reader and messages: the part of the wire contract that runs on a board."""

import unittest

from agent.errors import LocalError
from agent.wire import messages, schema
from agent.wire.encode import Encoder, put_int
from agent.wire.read import MessageError, Reader

# RFC 8949, Appendix A, as far as the contract uses it.
RFC_INTEGERS = (
    (0, "00"),
    (1, "01"),
    (10, "0a"),
    (23, "17"),
    (24, "1818"),
    (25, "1819"),
    (100, "1864"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (4294967295, "1affffffff"),
    (-1, "20"),
    (-10, "29"),
    (-100, "3863"),
    (-1000, "3903e7"),
    (-4294967296, "3affffffff"),
    (None, "f6"),
)


def hexed(buf, n):
    return "".join("%02x" % b for b in buf[:n])


class Integers(unittest.TestCase):
    def test_rfc_8949_appendix_a(self):
        buf = bytearray(9)
        for value, expected in RFC_INTEGERS:
            n = put_int(buf, 0, value)
            self.assertEqual(hexed(buf, n), expected)
            if value is not None:
                self.assertEqual(Reader(buf, 0, n).integer(), value)

    def test_every_length_boundary(self):
        buf = bytearray(9)
        for edge in (23, 24, 255, 256, 65535, 65536, 0x3FFFFFFF, 0x40000000):
            for value in (edge, -edge, -1 - edge):
                n = put_int(buf, 0, value)
                reader = Reader(buf, 0, n)
                self.assertEqual(reader.integer(), value)
                self.assertTrue(reader.at_end())


class Records(unittest.TestCase):
    def setUp(self):
        self.encoder = Encoder()

    def record(self, *args):
        return hexed(self.encoder.buf, self.encoder.record(*args))

    def test_a_clock_record_byte_for_byte(self):
        self.assertEqual(
            self.record(schema.CLOCK, 12, 1, 217000000, [42, 1, 500, None]),
            "87040c011a0cef2840182a011901f4",
        )

    def test_the_budget_of_a_beacon_record(self):
        values = [0xFFFF, -90000000, -180000000, 99, 32767, 65535, -32768, 65535, -1000]
        n = self.encoder.record(schema.BEACON, 65535, schema.SEQ_MAX, schema.T_MAX, values)
        self.assertEqual(self.encoder.refused, 0)
        self.assertTrue(n <= 45, n)

    def test_trailing_nulls_are_cut_and_inner_ones_kept(self):
        self.assertEqual(self.record(schema.BEACON, 1, 2, 3, [None] * 9), "8401010203"[:10])
        self.assertEqual(self.record(schema.BEACON, 1, 2, 3, [None, 5, None]), "8601010203f605")

    def test_a_value_out_of_range_becomes_null_and_is_counted(self):
        self.assertEqual(self.record(schema.BEACON, 1, 2, 3, [1, 90000001, 7]), "870101020301f607")
        self.assertEqual(self.encoder.refused, 1)
        self.assertEqual(self.record(schema.BEACON, 1, 2, 3, [1, -90000001]), "850101020301")
        self.assertEqual(self.encoder.refused, 2)

    def test_byte_strings(self):
        n = self.encoder.record(schema.BIRTH, 1, 0, -1, [1, 1, b"0.1.0", b"virtual", b"\0\1\2\3"])
        self.assertEqual(
            hexed(self.encoder.buf, n),
            "8906010020010145302e312e30477669727475616c4400010203",
        )
        self.record(schema.BIRTH, 1, 0, -1, [1, 1, b"x" * 17, b"virtual"])
        self.assertEqual(self.encoder.refused, 1)

    def test_a_value_of_the_wrong_type_becomes_null_and_is_counted(self):
        self.assertEqual(self.record(schema.BEACON, 1, 2, 3, [b"1", 5]), "8601010203f605")
        self.record(schema.BIRTH, 1, 0, -1, [1, 1, 5])
        self.assertEqual(self.encoder.refused, 2)

    def test_our_own_mistakes_are_refused(self):
        for args in (
            (0, 1, 1, 1, []),
            (len(schema.SCHEMAS), 1, 1, 1, []),
            (schema.BEACON, -1, 1, 1, []),
            (schema.BEACON, schema.BOOT_MAX + 1, 1, 1, []),
            (schema.BEACON, 1, schema.SEQ_MAX + 1, 1, []),
            (schema.BEACON, 1, 1, schema.T_MAX + 1, []),
            (schema.BEACON, 1, 1, schema.T_MIN - 1, []),
            (schema.BEACON, 1, 1, 1, [0] * 10),
        ):
            with self.assertRaises(LocalError):
                self.encoder.record(*args)

    def test_no_schema_can_outgrow_the_limits(self):
        for row in schema.SCHEMAS[1:]:
            values = []
            for _, unit, _, _, high in row[3]:
                values.append(bytes(high) if unit == "bytes" else high)
            self.assertTrue(schema.HEAD_ITEMS + len(values) <= schema.ITEMS_MAX)
            n = self.encoder.record(row[0], schema.BOOT_MAX, schema.SEQ_MAX, schema.T_MIN, values)
            self.assertTrue(n <= schema.RECORD_MAX)
        self.assertEqual(self.encoder.refused, 0)

    def test_encoding_allocates_nothing(self):
        try:
            from micropython import heap_lock, heap_unlock
        except ImportError:
            self.skipTest("CPython has no heap_lock")
        values = [0xFFFF, 31234567, 122345678, 12, 3000, 12600, -3000, 18000, 251]
        record = self.encoder.record
        heap_lock()
        try:
            record(schema.BEACON, 65535, 1000000, 217000000, values)
        finally:
            heap_unlock()


class Messages(unittest.TestCase):
    def setUp(self):
        self.buf = bytearray(schema.PAYLOAD_MAX)

    def test_topics(self):
        # SHA-256("buoy-1") begins with 0x65 (coreutils' sha256sum).
        self.assertEqual(messages.topic("buoy-1", "up", "rec"), "fw/1/65/buoy-1/up/rec")

    def test_device_ids(self):
        for good in ("a", "buoy-1", "0" * 32):
            self.assertTrue(messages.valid_device(good), good)
        for bad in ("", "a" * 33, "Buoy", "a/b", "a+b", "#", "a_b", "航标"):
            self.assertFalse(messages.valid_device(bad), bad)

    def test_ack_ranges(self):
        n = messages.put_ack(self.buf, 0, 11, 0, 5)
        n = messages.put_ack(self.buf, n, 12, 7, 7)
        reader = Reader(self.buf, 0, n)
        self.assertEqual(messages.read_ack(reader), (11, 0, 5))
        self.assertEqual(messages.read_ack(reader), (12, 7, 7))
        self.assertTrue(reader.at_end())

    def test_an_ack_range_that_runs_backwards(self):
        n = messages.put_ack(self.buf, 0, 11, 6, 5)
        with self.assertRaises(MessageError):
            messages.read_ack(Reader(self.buf, 0, n))

    def test_clock(self):
        n = messages.put_clock_ask(self.buf, 3, 42)
        self.assertEqual(messages.read_cmd_up(self.buf[:n]), (messages.CLOCK, 3, 42))
        for boot in (None, 4096):
            n = messages.put_clock_tell(self.buf, 3, 217000000, 999, boot)
            self.assertEqual(
                messages.read_cmd_down(self.buf, 0, n),
                (messages.CLOCK, 3, 217000000, 999, boot),
            )

    def test_commands_and_updates(self):
        n = messages.put_do(self.buf, 9, b"mark", 4, -3601, None, b"\x80", b"t" * 32)
        self.assertEqual(
            messages.read_cmd_down(self.buf, 0, n),
            (messages.DO, 9, b"mark", 4, -3601, None, b"\x80", b"t" * 32),
        )
        self.assertEqual(
            bytes(self.buf[messages.signed_end(n, b"t" * 32) : n]), b"\x58\x20" + b"t" * 32
        )
        n = messages.put_nonce_ask(self.buf, 70000)
        self.assertEqual(messages.read_cmd_down(self.buf, 0, n), (messages.NONCE, 70000))
        n = messages.put_nonce(self.buf, 70000, b"12345678", 99)
        self.assertEqual(
            messages.read_cmd_up(self.buf[:n]), (messages.NONCE, 70000, b"12345678", 99)
        )
        n = messages.put_done(self.buf, 9, 1, b"")
        self.assertEqual(messages.read_cmd_up(self.buf[:n]), (messages.DO, 9, 1, b""))
        n = messages.put_ota_offer(self.buf, 5, 61440, b"m", b"s" * 64)
        self.assertEqual(
            messages.read_ota_down(self.buf, 0, n), (messages.OFFER, 5, 61440, b"m", b"s" * 64)
        )
        n = messages.put_ota_chunk(self.buf, 5, 3, b"d" * 2048)
        self.assertEqual(
            messages.read_ota_down(self.buf, 0, n), (messages.CHUNK, 5, 3, b"d" * 2048)
        )
        n = messages.put_ota_report(self.buf, 5, 1, b"\x0b")
        self.assertEqual(messages.read_ota_up(self.buf[:n]), (5, 1, b"\x0b"))

    def test_every_cut_and_every_flipped_byte_is_an_error_or_a_message(self):
        n = messages.put_do(self.buf, 9, b"mark", 4, 217000000, b"nonce", b"\x81\x01", b"t" * 8)
        whole = bytes(self.buf[:n])
        for cut in range(n):
            with self.assertRaises(MessageError):
                messages.read_cmd_down(whole, 0, cut)
        for i in range(n):
            for bit in range(8):
                broken = bytearray(whole)
                broken[i] ^= 1 << bit
                try:
                    message = messages.read_cmd_down(broken, 0, n)
                    self.assertTrue(message[0] in (messages.CLOCK, messages.DO, messages.NONCE))
                except MessageError:
                    pass

    def test_trailing_bytes_and_wrong_counts(self):
        n = messages.put_state(self.buf, 1, 2, 1)
        self.assertEqual(messages.read_state(self.buf[:n]), (1, 2, 1))
        for bad in (b"\x83\x01\x02\x01\x00", b"\x82\x01\x02", b"\x83\x01\x02\x02", b"", b"\xa0"):
            with self.assertRaises(MessageError):
                messages.read_state(bad)
        # Announces seven items, holds the five of a clock answer.
        with self.assertRaises(MessageError):
            messages.read_cmd_down(b"\x87\x01\x01\x01\x00\xf6", 0, 6)


if __name__ == "__main__":
    unittest.main()

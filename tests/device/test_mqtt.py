"""The MQTT client: packets against OASIS mqtt-v3.1.1-os, misbehaving brokers, both known faults."""

import unittest

from fakes import length

from agent.errors import LocalError
from agent.link import mqtt as m


def connected(now_ms=0, keepalive_s=60):
    client = m.MQTT()
    client.connect(b"buoy-1", b"buoy-1", b"pw", keepalive_s, b"t/state", b"\x01", now_ms)
    client.sent(len(client.outgoing()))
    client.feed(b"\x20\x02\x00\x00", 4)
    assert client.next_event(now_ms) == m.CONNECTED
    return client


def flush(client):
    out = bytes(client.outgoing())
    client.sent(len(out))
    return out


class Packets(unittest.TestCase):
    def test_connect_byte_for_byte(self):
        client = m.MQTT()
        client.connect(b"b", b"u", b"p", 60, b"t", b"w", 0)
        self.assertEqual(
            flush(client),
            b"\x10\x19\x00\x04MQTT\x04\xee\x00\x3c\x00\x01b\x00\x01t\x00\x01w\x00\x01u\x00\x01p",
        )

    def test_subscribe_and_publish_byte_for_byte(self):
        client = connected()
        client.subscribe(b"a/+", 0)
        self.assertEqual(flush(client), b"\x82\x08\x00\x01\x00\x03a/+\x01")
        client.publish(b"a/b", b"hello", 5, client.reserve(), 0, 0)
        self.assertEqual(flush(client), b"\x32\x0c\x00\x03a/b\x00\x02hello")
        client.publish(b"a/b", b"hello", 2, 0, 1, 0)
        self.assertEqual(flush(client), b"\x31\x07\x00\x03a/bhe")

    def test_a_long_packet_has_a_long_length(self):
        client = connected()
        client.publish(b"t", bytes(300), 300, client.reserve(), 0, 0)
        self.assertEqual(flush(client)[:3], b"\x32" + length(305))

    def test_message_ids_wrap_from_65535_to_1(self):
        # micropython-lib's umqtt never wraps and hangs for ever at 65,536 (reference B7).
        client = connected()
        seen = set()
        for _ in range(65535 + 10):
            message_id = client.reserve()
            client.publish(b"t", b"", 0, message_id, 0, 0)
            flush(client)
            client.feed(bytes([0x40, 2, message_id >> 8, message_id & 0xFF]), 4)
            self.assertEqual(client.next_event(0), m.ARRIVED)
            self.assertTrue(1 <= message_id <= 65535)
            seen.add(message_id)
        self.assertEqual(len(seen), 65535)

    def test_an_id_in_flight_is_not_given_again(self):
        client = connected()
        client.publish(b"t", b"", 0, client.reserve(), 0, 0)
        for _ in range(65535):
            self.assertFalse(client.reserve() == 1)

    def test_the_window(self):
        client = connected()
        for _ in range(m.WINDOW):
            self.assertTrue(client.ready(1))
            client.publish(b"t", b"", 0, client.reserve(), 0, 0)
        self.assertFalse(client.ready(1))
        with self.assertRaises(LocalError):
            client.publish(b"t", b"", 0, client.reserve(), 0, 0)
        client.feed(b"\x40\x02\x00\x03", 4)
        self.assertEqual((client.next_event(0), client.message_id), (m.ARRIVED, 3))
        self.assertTrue(client.ready(1))

    def test_a_full_output_buffer_is_not_ready(self):
        client = connected()
        while client.ready(1001):
            client.publish(b"t", bytes(1000), 1000, client.reserve(), 0, 0)
        self.assertEqual(client.in_flight, 3)
        flush(client)
        self.assertTrue(client.ready(1001))


STREAM = (
    b"\x30\x05\x00\x02t1a"
    b"\x32\x08\x00\x02t2\x00\x09bc"
    b"\xd0\x00"
    b"\x40\x02\x00\x01"
    b"\x30\xa0\x01\x00\x02t3" + bytes(156) + b"\x30\x04\x00\x02t4"
)


def events(client, now_ms=0):
    out = []
    while True:
        event = client.next_event(now_ms)
        if event == m.NOTHING:
            return out
        if event == m.MESSAGE:
            topic = bytes(client.packet[client.topic_at : client.topic_end])
            out.append((topic, client.end - client.payload_at))
        else:
            out.append((event, client.message_id))


EXPECTED = [(b"t1", 1), (b"t2", 2), (m.ARRIVED, 1), (b"t3", 156), (b"t4", 0)]


class Reading(unittest.TestCase):
    def setUp(self):
        self.client = connected()
        self.client.publish(b"t", b"", 0, self.client.reserve(), 0, 0)
        flush(self.client)

    def test_whole(self):
        self.client.feed(STREAM, len(STREAM))
        self.assertEqual(events(self.client), EXPECTED)
        self.assertEqual(flush(self.client), b"\x40\x02\x00\x09")

    def test_byte_by_byte(self):
        out = []
        for i in range(len(STREAM)):
            self.client.feed(STREAM[i : i + 1], 1)
            out += events(self.client)
        self.assertEqual(out, EXPECTED)

    def test_split_anywhere(self):
        for cut in range(len(STREAM)):
            client = connected()
            client.publish(b"t", b"", 0, client.reserve(), 0, 0)
            client.feed(STREAM[:cut], cut)
            out = events(client)
            client.feed(STREAM[cut:], len(STREAM) - cut)
            self.assertEqual(out + events(client), EXPECTED)

    def test_a_packet_beyond_all_bounds_is_skipped_and_the_next_one_read(self):
        # A retained megabyte must not cost a megabyte (reference B3, last line).
        size = 1000000
        self.client.feed(b"\x30" + length(size) + b"\x00\x01t", 7)
        self.assertEqual(events(self.client), [])
        left = size - 3
        while left:
            n = min(left, 1000, self.client.room())
            self.client.feed(bytes(n), n)
            self.assertEqual(events(self.client), [])
            left -= n
        self.client.feed(STREAM, len(STREAM))
        self.assertEqual(events(self.client), EXPECTED)
        self.assertEqual(self.client.oversize, 1)

    def test_what_a_broker_must_not_say(self):
        for wrong in (
            b"\x36\x05\x00\x02t1a",  # QoS 3
            b"\x34\x07\x00\x02t1\x00\x01a",  # QoS 2 was not asked for
            b"\x30\x03\x00\x05t",  # a topic longer than the packet
            b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
            b"\x20\x02\x00\x00",  # a second CONNACK
            b"\x10\x00",  # a CONNECT
            b"\x40\x03\x00\x01\x00",
            b"\xd0\x01\x00",
        ):
            client = connected()
            client.feed(wrong, len(wrong))
            with self.assertRaises(m.MQTTError):
                events(client)

    def test_a_puback_nobody_waits_for_is_ignored(self):
        self.client.feed(b"\x40\x02\x12\x34", 4)
        self.assertEqual(events(self.client), [])
        self.assertEqual(self.client.in_flight, 1)

    def test_refused_with_a_reason(self):
        client = m.MQTT()
        client.connect(b"b", b"u", b"p", 60, b"t", b"w", 0)
        client.feed(b"\x20\x02\x00\x05", 4)
        with self.assertRaises(m.MQTTError) as caught:
            client.next_event(0)
        self.assertEqual(caught.exception.code, "refused")
        self.assertEqual(caught.exception.detail, "not authorised")

    def test_a_message_before_connack(self):
        client = m.MQTT()
        client.connect(b"b", b"u", b"p", 60, b"t", b"w", 0)
        client.feed(b"\x30\x04\x00\x02t4", 6)
        with self.assertRaises(m.MQTTError):
            client.next_event(0)

    def test_a_subscription_refused(self):
        self.client.subscribe(b"#", 0)
        self.client.feed(b"\x90\x03\x00\x01\x80", 5)
        with self.assertRaises(m.MQTTError) as caught:
            self.client.next_event(0)
        self.assertEqual(caught.exception.code, "subscription-refused")

    def test_any_bytes_end_in_an_event_or_an_error(self):
        state = 99
        for _ in range(300):
            client = connected()
            data = bytearray(40)
            for i in range(len(data)):
                state = (state * 1103515245 + 12345) & 0x3FFFFFFF
                data[i] = state >> 16 & 0xFF
            data[0] = (0x30, 0x32, 0x40, 0x90, 0xD0)[state % 5]
            client.feed(data, len(data))
            try:
                events(client)
            except m.MQTTError:
                pass


class Keepalive(unittest.TestCase):
    def test_a_ping_when_nothing_was_written(self):
        client = connected(keepalive_s=60)
        self.assertEqual(client.poll(44000), 1000)
        self.assertEqual(flush(client), b"")
        client.poll(45000)
        self.assertEqual(flush(client), b"\xc0\x00")
        client.feed(b"\xd0\x00", 2)
        self.assertEqual(client.next_event(46000), m.NOTHING)
        client.poll(89000)
        self.assertEqual(flush(client), b"")
        client.poll(90000)
        self.assertEqual(flush(client), b"\xc0\x00")

    def test_no_answer_to_a_ping(self):
        client = connected(keepalive_s=60)
        client.poll(45000)
        client.poll(60000)
        with self.assertRaises(m.MQTTError) as caught:
            client.poll(60001)
        self.assertEqual(caught.exception.code, "ping-timeout")

    def test_no_puback(self):
        client = connected()
        client.publish(b"t", b"", 0, client.reserve(), 0, 1000)
        client.poll(31000)
        with self.assertRaises(m.MQTTError) as caught:
            client.poll(31001)
        self.assertEqual(caught.exception.code, "puback-timeout")


if __name__ == "__main__":
    unittest.main()

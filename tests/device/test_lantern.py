"""The lantern is asked, for a while; whatever happens, it is let go."""

import unittest

from fakes import FakeOutput, FakeReader

from agent.errors import RemoteError
from agent.sense.lantern import OFF, OWN, Lantern
from agent.wire import messages as m

HOUR = 3600000


def arguments(*values):
    """A CBOR array of numbers below 65,536."""
    out = bytes([0x80 | len(values)])
    for value in values:
        if value < 24:
            out += bytes([value])
        elif value < 256:
            out += bytes([24, value])
        else:
            out += bytes([25, value >> 8, value & 0xFF])
    return out


class Asked(unittest.TestCase):
    def setUp(self):
        self.hold = FakeOutput()
        self.line = FakeOutput()
        self.lamp = FakeReader(0)
        self.solar = FakeReader(13000)
        self.lantern = Lantern(self.hold, self.line, self.lamp, self.solar)
        self.now = 5000

    def run_ms(self, ms):
        until = self.now + ms
        while self.now < until:
            self.now += min(self.lantern.poll(self.now), until - self.now)
        self.lantern.poll(self.now)

    def off(self, minutes=720):
        return self.lantern.mode(arguments(OFF, minutes), self.now)


class Mode(Asked):
    def test_nobody_touches_a_line_that_was_not_asked_for(self):
        self.run_ms(48 * HOUR)
        self.lantern.release()
        self.lantern.mode(arguments(OWN, 0), self.now)
        self.assertEqual((self.hold.told, self.line.told), ([], []))

    def test_it_is_held_and_let_go_after_its_time(self):
        self.assertEqual(self.off(60), (m.RESULT_DONE, arguments(OFF, 60)))
        self.run_ms(HOUR - 1000)
        self.assertTrue(self.hold.held and self.lantern.held)
        self.run_ms(1000)
        self.assertEqual(self.hold.told, [1, 0])
        self.assertFalse(self.lantern.held)

    def test_let_go_at_dusk(self):
        self.off()
        self.run_ms(2 * HOUR)
        self.solar.value = 8500  # evening, or a cloud: between the thresholds nothing changes
        self.run_ms(HOUR)
        self.assertTrue(self.hold.held)
        self.solar.value = 7999
        self.run_ms(1000)
        self.assertFalse(self.hold.held)
        # The next morning does not bring it back.
        self.solar.value = 13000
        self.run_ms(HOUR)
        self.assertEqual(self.hold.told, [1, 0])

    def test_asked_by_night_it_lasts_until_twelve_hours_are_over(self):
        self.solar.value = 0
        self.off()
        self.run_ms(8 * HOUR)
        self.assertTrue(self.hold.held)
        self.solar.value = 9999  # noise at dawn is no day yet
        self.run_ms(60000)
        self.solar.value = 0
        self.run_ms(60000)
        self.assertTrue(self.hold.held)
        self.solar.value = 13000
        self.run_ms(4 * HOUR)
        self.assertFalse(self.hold.held)

    def test_without_a_panel_it_is_twelve_hours(self):
        self.lantern = Lantern(self.hold, self.line, self.lamp, None)
        self.off()
        self.run_ms(12 * HOUR - 1000)
        self.assertTrue(self.hold.held)
        self.run_ms(1000)
        self.assertFalse(self.hold.held)

    def test_asked_again_it_begins_anew_and_its_own_way_ends_it(self):
        self.off(60)
        self.run_ms(HOUR - 1000)
        self.off(60)
        self.run_ms(HOUR - 1000)
        self.assertTrue(self.hold.held)
        done = self.lantern.mode(arguments(OWN, 99), self.now)
        self.assertEqual(done, (m.RESULT_DONE, arguments(OWN, 0)))
        self.assertFalse(self.hold.held)

    def test_it_is_let_go_when_the_agent_stops(self):
        self.off()
        self.lantern.test(arguments(60), self.now)
        self.lantern.release()
        self.assertFalse(self.hold.held or self.line.held)
        self.run_ms(HOUR)
        self.assertEqual((self.hold.told, self.line.told), ([1, 0], [1, 0]))

    def test_arguments(self):
        for bad in (
            arguments(OFF, 721),
            arguments(OFF, 0),
            arguments(2, 10),
            arguments(OFF),
            arguments(OFF, 1, 1),
            arguments(OFF, 10) + b"\0",
            b"",
            b"\x82\x01\x20",
        ):
            with self.assertRaises(RemoteError):
                self.lantern.mode(bad, self.now)
        self.assertEqual(self.hold.told, [])

    def test_not_fitted(self):
        lantern = Lantern(None, None, None, None)
        self.assertEqual(lantern.mode(arguments(OFF, 9), 0), (m.RESULT_UNSUPPORTED, b""))
        self.assertEqual(lantern.test(arguments(9), 0), (m.RESULT_UNSUPPORTED, b""))
        lantern.poll(99)
        lantern.release()


class Test(Asked):
    def test_the_highest_current_is_read_back(self):
        self.lamp.value = 900  # before the test
        self.run_ms(1000)
        self.lamp.value = 3
        ended = self.lantern.test(arguments(10), self.now)
        self.run_ms(5000)
        self.assertIsNone(ended(self.now))
        self.assertTrue(self.line.held)
        self.lamp.value = 410
        self.run_ms(100)  # one short flash
        self.lamp.value = 3
        self.run_ms(4900)
        self.assertEqual(ended(self.now), (m.RESULT_DONE, arguments(410)))
        self.assertEqual(self.line.told, [1, 0])
        self.assertEqual(self.hold.told, [])

    def test_without_a_sensor_the_current_is_unknown(self):
        self.lantern = Lantern(self.hold, self.line, None, None)
        ended = self.lantern.test(arguments(1), self.now)
        self.run_ms(1000)
        self.assertEqual(ended(self.now), (m.RESULT_DONE, b"\x81\xf6"))

    def test_arguments(self):
        for bad in (arguments(0), arguments(61), arguments(), arguments(1, 1), b""):
            with self.assertRaises(RemoteError):
                self.lantern.test(bad, self.now)
        self.assertEqual(self.line.told, [])


if __name__ == "__main__":
    unittest.main()

"""The smallest device test: it shows that the same file runs on both interpreters."""

import sys
import unittest

from support import ON_MICROPYTHON, data_path

import agent


class SmokeTest(unittest.TestCase):
    def test_the_agent_is_found(self):
        self.assertEqual(agent.__name__, "agent")

    def test_integers_are_those_of_a_32_bit_board(self):
        if not ON_MICROPYTHON:
            self.skipTest("CPython has no small integers")
        self.assertEqual(sys.maxsize, 2**31 - 1)

    def test_a_recorded_log_is_found(self):
        with open(data_path("nmea/quectel-l76k-nmea.log"), "rb") as log:
            self.assertTrue(log.read(4096).count(b"$") > 10)

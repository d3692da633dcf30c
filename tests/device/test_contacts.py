"""Hatch and water: believed when they stay, never known where nothing is fitted."""

import unittest

from fakes import FakeReader

from agent.alarms import Alarms
from agent.sense.contacts import Contacts
from agent.wire import codes


class Housing(unittest.TestCase):
    def setUp(self):
        self.hatch = FakeReader(0)
        self.water = FakeReader(0)
        self.alarms = Alarms()
        self.contacts = Contacts(self.hatch, self.water, self.alarms)
        self.now_ms = 0
        self.told = []

    def run_for(self, ms):
        until_ms = self.now_ms + ms
        while self.now_ms < until_ms:
            self.now_ms += self.contacts.poll(self.now_ms)
            while True:
                alarm = self.alarms.next_alarm()
                if alarm is None:
                    break
                self.told.append((alarm[0], alarm[1], alarm[4]))

    def test_the_hatch_opens_and_closes(self):
        self.run_for(2000)
        self.assertEqual((self.contacts.hatch_open, self.told), (False, []))
        self.hatch.value = 1
        self.run_for(900)
        self.assertEqual((self.contacts.hatch_open, self.told), (False, []))
        self.run_for(1000)
        self.assertTrue(self.contacts.hatch_open)
        self.assertEqual(self.told, [(codes.ALARM_HATCH, 1, codes.LEVEL_ALARM)])
        self.hatch.value = 0
        self.run_for(2000)
        self.assertFalse(self.contacts.hatch_open)
        self.assertEqual(self.told[1:], [(codes.ALARM_HATCH, 0, None)])

    def test_water_is_told_at_once_after_five_seconds(self):
        self.run_for(10000)
        self.water.value = 1
        self.run_for(4500)
        self.assertEqual((self.contacts.water_inside, self.told), (False, []))
        self.run_for(1500)
        self.assertTrue(self.contacts.water_inside)
        self.assertEqual(self.told, [(codes.ALARM_WATER, 1, codes.LEVEL_AT_ONCE)])

    def test_what_sloshes_is_told_once(self):
        self.water.value = 1
        self.run_for(10000)
        for _ in range(20):
            self.water.value = 0
            self.run_for(3000)
            self.water.value = 1
            self.run_for(1000)
        self.assertEqual(len(self.told), 1)
        self.water.value = 0
        self.run_for(58000)
        self.assertTrue(self.contacts.water_inside)
        self.run_for(4000)
        self.assertEqual(self.told[1:], [(codes.ALARM_WATER, 0, None)])

    def test_a_contact_that_chatters_is_not_believed(self):
        self.run_for(2000)
        for i in range(60):
            self.hatch.value = i & 1
            self.run_for(500)
        self.assertEqual((self.contacts.hatch_open, self.told), (False, []))

    def test_not_known_at_first_and_never_where_not_fitted(self):
        self.contacts.poll(0)
        self.assertIsNone(self.contacts.hatch_open)
        self.assertIsNone(self.contacts.water_inside)
        self.contacts = Contacts(None, None, self.alarms)
        self.run_for(20000)
        self.assertIsNone(self.contacts.hatch_open)
        self.assertIsNone(self.contacts.water_inside)

    def test_a_wake_ends_what_is_over(self):
        self.alarms = Alarms(1 << codes.ALARM_HATCH | 1 << codes.ALARM_WATER)
        self.contacts = Contacts(self.hatch, self.water, self.alarms)
        self.run_for(7000)
        self.assertEqual(self.told, [(codes.ALARM_HATCH, 0, None), (codes.ALARM_WATER, 0, None)])

    def test_a_full_queue_loses_no_alarm(self):
        for part in range(16):
            self.alarms.set(codes.ALARM_SENSOR, 1, part=part)
        self.hatch.value = 1
        for self.now_ms in range(0, 3000, 500):
            self.contacts.poll(self.now_ms)
        self.assertTrue(self.alarms.lost)
        self.alarms.next_alarm()
        self.contacts.poll(3500)
        self.assertEqual(self.alarms.level(codes.ALARM_HATCH), codes.LEVEL_ALARM)

"""The supply's alarms: each limit, its time, its hysteresis, and what silences it."""

import unittest

from fakes import FakeReader

from agent.alarms import Alarms
from agent.meter import supply
from agent.meter.supply import Supply
from agent.wire import codes, schema

_NAMES = {}
for _name in dir(codes):
    if _name.startswith("ALARM_"):
        _NAMES[getattr(codes, _name)] = _name[6:]


class FakeMeter:
    """Says what it is told to, or that it is dead."""

    def __init__(self):
        self.u = [2200, 2200, 2200]
        self.i = [30000, 30000, 30000]
        self.pf = 950
        self.f = 5000
        self.p = [6000, 6000, 6000]
        self.thd = [200, 200, 200]
        self.silent = 0

    def meter_values(self, now_ms, out, start=0):
        if self.silent:
            values = [None] * 11
        else:
            values = self.u + self.i + [sum(self.p), self.pf, self.f, None, 0]
        out[start : start + 11] = values

    def quality(self, now_ms):
        return (None,) * 8 if self.silent else tuple(self.p + [0, 19000] + self.thd)

    def silent_ms(self, now_ms):
        return self.silent


class Judging(unittest.TestCase):
    def setUp(self):
        self.meter = FakeMeter()
        self.alarms = Alarms()
        self.loop = FakeReader(1)
        self.breaker = FakeReader(1)
        self.plug = FakeReader(1)
        self.residual = FakeReader(2)
        self.hot = FakeReader(250)
        sensors = (self.residual, self.hot, self.loop, self.breaker, self.plug)
        self.supply = Supply(self.meter, self.alarms, 220, 63, 30, sensors)
        self.now_ms = 0
        self.told = []

    def run_for(self, seconds):
        """Live on; return the alarms told, as (name, active, level, part)."""
        told = []
        end_ms = self.now_ms + seconds * 1000
        while self.now_ms < end_ms:
            self.supply.poll(self.now_ms)
            while True:
                alarm = self.alarms.next_alarm()
                if alarm is None:
                    break
                self.told.append(alarm)
                told.append((_NAMES[alarm[0]], alarm[1], alarm[4], alarm[5]))
            self.now_ms += 500
        return told

    def test_the_rows_have_room(self):
        self.assertEqual(sum(row[2] for row in supply._ROWS), len(self.supply._state))

    def test_a_good_supply_says_nothing(self):
        self.assertEqual(self.run_for(1200), [])

    def test_voltage_of_one_phase(self):
        self.meter.u[1] = 2030  # -7.7 %
        self.assertEqual(self.run_for(59), [])
        self.assertEqual(self.run_for(5)[:1], [("VOLTAGE_LOW", 1, 1, 2)])
        self.meter.u[1] = 1960
        told = self.run_for(15)
        self.assertTrue(("VOLTAGE_LOW", 1, 2, 2) in told, told)
        self.assertEqual(self.told[-1][2:4], (1960, 1980))
        self.meter.u[1] = 2200
        told = self.run_for(70)
        self.assertTrue(("VOLTAGE_LOW", 0, None, 2) in told, told)

    def test_a_dip_is_no_alarm(self):
        for _ in range(5):
            self.meter.u[0] = 1700
            self.assertEqual(self.run_for(5), [])
            self.meter.u[0] = 2200
            self.assertEqual(self.run_for(20), [])

    def test_a_lost_phase_and_a_dead_supply(self):
        self.meter.u[2] = 900
        self.assertTrue(("PHASE_LOST", 1, 3, 3) in self.run_for(5))
        self.setUp()
        self.meter.u = [0, 0, 0]
        self.meter.i = [0, 0, 0]
        self.meter.f = 0
        self.assertEqual(self.run_for(100), [])

    def test_a_lost_neutral_by_its_overvoltage(self):
        self.meter.u = [2430, 1900, 2300]
        told = self.run_for(4)
        self.assertTrue(("NEUTRAL_LOST", 1, 3, None) in told, told)
        self.assertEqual(next(a for a in self.told if a[0] == codes.ALARM_NEUTRAL_LOST)[2], 2430)

    def test_frequency_both_ways(self):
        self.meter.f = 4970
        self.assertEqual(self.run_for(65), [("FREQUENCY", 1, 1, None)])
        self.meter.f = 5260
        self.assertTrue(("FREQUENCY", 1, 2, None) in self.run_for(10))

    def test_overload_has_three_levels(self):
        self.meter.i = [58000, 58000, 58000]
        self.assertEqual(self.run_for(590), [])
        self.assertEqual(self.run_for(15), [("OVERLOAD", 1, 1, None)])
        self.meter.i = [66000, 66000, 66000]
        self.assertEqual(self.run_for(65), [("OVERLOAD", 1, 2, None)])
        self.meter.i = [90000, 90000, 90000]
        self.assertEqual(self.run_for(3), [("OVERLOAD", 1, 3, None)])
        self.meter.i = [30000, 30000, 30000]
        self.assertEqual(self.run_for(65), [("OVERLOAD", 0, None, None)])

    def test_residual_current_against_its_device(self):
        self.residual.value = 16
        self.assertEqual(self.run_for(12), [("RESIDUAL", 1, 1, None)])
        self.residual.value = 31
        self.assertEqual(self.run_for(2), [("RESIDUAL", 1, 3, None)])
        self.assertEqual(self.told[-1][2:4], (31, 30))

    def test_pf_thd_and_unbalance_need_a_load(self):
        self.meter.i = [5000, 500, 500]
        self.meter.pf = 300
        self.meter.thd = [1200, 1200, 1200]
        self.assertEqual(self.run_for(700), [])
        self.meter.i = [40000, 10000, 10000]
        told = self.run_for(310)
        for name in ("POWER_FACTOR", "THD", "CURRENT_UNBALANCE"):
            self.assertTrue(name in [alarm[0] for alarm in told], name)
        # The ship leaves: what was wrong about its load is over.
        self.meter.i = [0, 0, 0]
        told = self.run_for(70)
        self.assertEqual({alarm[1] for alarm in told}, {0})
        for name in ("POWER_FACTOR", "THD", "CURRENT_UNBALANCE"):
            self.assertTrue(name in [alarm[0] for alarm in told], name)

    def test_voltage_unbalance(self):
        self.meter.u = [2200, 2200, 2110]
        self.assertEqual(self.run_for(65), [("VOLTAGE_UNBALANCE", 1, 1, None)])

    def test_a_transformer_turned_round(self):
        self.meter.p = [6000, -6000, 6000]
        self.assertEqual(self.run_for(65), [("WIRING", 1, 2, None)])

    def test_export_of_all_phases_is_no_wiring_fault(self):
        self.meter.p = [-6000, -6000, -6000]
        self.assertEqual(self.run_for(120), [])

    def test_the_connector_gets_hot(self):
        self.hot.value = 710
        self.assertEqual(self.run_for(12), [("PLUG_HOT", 1, 1, None)])
        self.hot.value = 910
        self.assertEqual(self.run_for(5), [("PLUG_HOT", 1, 3, None)])

    def test_the_safety_loop_opens_under_load(self):
        self.run_for(1)
        self.loop.value = self.breaker.value = 0
        self.assertEqual(self.run_for(1), [("SAFETY_LOOP", 1, 3, None)])
        self.assertEqual(self.run_for(100), [])
        self.plug.value = 0
        self.assertEqual(self.run_for(1), [("SAFETY_LOOP", 0, None, None)])

    def test_the_loop_opens_when_a_ship_is_unplugged(self):
        self.run_for(1)
        self.breaker.value = 0
        self.run_for(10)
        self.loop.value = 0
        self.assertEqual(self.run_for(5), [])
        self.plug.value = 0
        self.assertEqual(self.run_for(5), [])

    def test_what_is_not_known_neither_raises_nor_clears(self):
        self.meter.u[0] = 1900
        self.run_for(70)
        level = self.alarms.level(codes.ALARM_VOLTAGE_LOW, 1)
        self.assertEqual(level, 2)
        self.meter.silent = 61000
        self.assertEqual(self.run_for(300), [("METER_SILENT", 1, 2, None)])
        self.assertEqual(self.alarms.level(codes.ALARM_VOLTAGE_LOW, 1), 2)

    def test_a_single_phase_pile(self):
        self.meter.u = [2200, None, None]
        self.meter.i = [30000, None, None]
        self.meter.p = [6000, None, None]
        self.meter.meter_values = _single(self.meter)
        self.assertEqual(self.run_for(700), [])
        self.meter.u[0] = 1950
        self.assertTrue(("VOLTAGE_LOW", 1, 2, 1) in self.run_for(15))

    def test_the_record_has_its_schema(self):
        self.run_for(2)
        values = self.supply.values(self.now_ms)
        self.assertEqual(len(values), len(schema.SCHEMAS[schema.SUPPLY][3]))
        self.assertEqual(values[-5:], (0, 0, 4761, 2, 250))
        self.assertEqual(self.supply.values(self.now_ms)[-2], None)


def _single(meter):
    def meter_values(now_ms, out, start=0):
        out[start : start + 11] = meter.u + meter.i + [6000, meter.pf, meter.f, None, 0]

    return meter_values


if __name__ == "__main__":
    unittest.main()

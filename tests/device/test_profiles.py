"""Navaid and pile as whole agents: what their parts find out becomes records, alarms and sessions."""

import unittest

from commissioned import KEY, given
from fakes import FakeBoard, FakeReader, FakeStore
from gatewayside import Gateway
from relay_meter import DATA, MeterLine, RelayMeter

from agent.agent import Agent
from agent.keep.boots import pack
from agent.profiles.shorepower import _local
from agent.wire import codes, messages, schema

T = 217400000  # 2026-11-21T04:53:20Z, day at Shanghai


def sentence(body):
    total = 0
    for byte in body:
        total ^= byte
    return b"$" + body + b"*%02X\r\n" % total


class Calendar:
    def __init__(self, board):
        self._board = board
        self._set = None

    def get(self):
        if self._set is None:
            return None
        t, at = self._set
        return t + (self._board.ticks - at) // 1000

    def set(self, t):
        self._set = (t, self._board.ticks)


class Living(unittest.TestCase):
    profile = "beacon"
    settings: dict = {}

    def setUp(self):
        self.board = FakeBoard()
        self.board.stores = (FakeStore(pack(4)), FakeStore(pack(4)))
        rtc = Calendar(self.board)
        self.board.rtc = lambda: rtc
        self.fit()
        self.gateway = Gateway(self.board.broker, "buoy-1", KEY)
        self.gateway.time = lambda: T + self.board.ticks // 1000
        wanted = {"profile": self.profile, "report_s": 20, "detail_s": 60}
        wanted.update(self.settings)
        self.given = given(self.board, wanted)
        self.agent = Agent(self.given)

    def run_s(self, seconds, step_ms=50):
        for _ in range(0, seconds * 1000, step_ms):
            self.board.ticks += step_ms
            self.each(self.board.ticks)
            self.agent.step(self.board.ticks)
            self.gateway.poll()
            if self.board.sleeps:
                break

    def each(self, now_ms):
        """Let the world do something at every step."""

    def made(self, schema_id):
        out = self.gateway.records
        return [out[i][4:] for i in sorted(out) if out[i][0] == schema_id]

    def alarms(self):
        """Return the alarms told, as (what, active)."""
        return [(alarm[0], alarm[1]) for alarm in self.made(schema.ALARM)]


class AtSea(Living):
    settings = {
        "light": {"character": "Fl G 4s", "on_lux": 100},
        "station": {"lat_e6": 31100000, "lon_e6": 122200000, "chain_dm": 300, "depth_cm": 900},
    }
    lat = 31100000

    def fit(self):
        self.lux = FakeReader(5)
        self.lamp = FakeReader(0)
        self.hatch = FakeReader(0)
        self.dark = False
        self.board.adcs = {"lamp_ma": self.lamp, "lux": self.lux, "batt_mv": FakeReader(12600)}
        self.board.digitals = {"hatch": self.hatch}

    def each(self, now_ms):
        self.lamp.value = 350 if now_ms % 4000 < 500 and not self.dark else 0
        if now_ms % 1000 == 0:
            s = T % 86400 + now_ms // 1000
            clock = "%02d%02d%02d.00" % (s // 3600 % 24, s // 60 % 60, s % 60)
            lat = "31%07.4f" % ((self.lat - 31000000) * 60 / 1000000)
            where = "%s,N,12212.0000,E" % lat
            for body in (
                "GNGGA,%s,%s,1,12,0.80,5.0,M,0.0,M,," % (clock, where),
                "GNRMC,%s,A,%s,0.00,0.00,211126,,,A" % (clock, where),
            ):
                line = self.board.lines.get("gnss")
                if line is not None:
                    line.incoming += sentence(body.encode())


class Navaid(AtSea):
    def test_a_healthy_night_says_nothing(self):
        self.run_s(150)
        self.assertEqual(self.alarms(), [])
        light = self.made(schema.LIGHT)[-1]
        self.assertEqual(light[:2], [codes.LIGHT_GOOD, codes.SHOULD])
        self.assertTrue(3900 <= light[2] <= 4100, light)
        station = self.made(schema.STATION)[-1]
        self.assertEqual(station[0], codes.STATION_ON)
        flags = self.made(schema.BEACON)[-1][0]
        for bit, wanted in (
            (codes.LIT, 1),
            (codes.SHOULD_BE_LIT, 1),
            (codes.LIGHT_FAULT, 0),
            (codes.OFF_STATION, 0),
            (codes.HATCH_OPEN, 0),
        ):
            self.assertTrue(flags & bit << codes.KNOWN_SHIFT, bit)
            self.assertEqual(bool(flags & bit), bool(wanted), bit)
        self.assertEqual(self.agent.part_errors, 0)

    def test_a_light_that_fails_and_comes_back(self):
        self.run_s(60)
        self.dark = True
        self.run_s(14)
        self.assertEqual(self.alarms(), [(codes.ALARM_UNLIT, 1)])
        self.assertEqual(self.made(schema.LIGHT)[-1][0], codes.LIGHT_UNLIT)
        self.run_s(20)
        self.assertTrue(self.made(schema.BEACON)[-1][0] & codes.LIGHT_FAULT)
        self.dark = False
        self.run_s(30)
        self.assertEqual(self.alarms()[-1], (codes.ALARM_UNLIT, 0))

    def test_a_lantern_that_is_asked_to_be_dark_has_not_failed(self):
        self.agent.profile._lamp.lantern._hold = FakeReader()
        self.agent.profile._lamp.lantern._hold.write = lambda on: None
        self.run_s(60)
        self.agent.profile._lamp.lantern.mode(b"\x82\x01\x05", self.agent.clock.now_ms)
        self.dark = True
        self.run_s(120)
        self.assertEqual(self.alarms(), [])

    def test_a_buoy_that_goes_is_told_and_reported_faster(self):
        self.run_s(120)
        before = len(self.made(schema.BEACON))
        for _ in range(180):
            self.lat += 14  # 1.5 m in a second
            self.run_s(1)
        self.assertTrue((codes.ALARM_ADRIFT, 1) in self.alarms(), self.alarms())
        self.assertTrue(self.made(schema.BEACON)[-1][0] & codes.OFF_STATION)
        self.assertTrue(len(self.made(schema.STATION)) > 5)
        self.assertTrue(len(self.made(schema.BEACON)) - before >= 9)

    def test_the_hatch(self):
        self.run_s(30)
        self.hatch.value = 1
        self.run_s(5)
        self.hatch.value = 0
        self.run_s(5)
        self.assertEqual(self.alarms(), [(codes.ALARM_HATCH, 1), (codes.ALARM_HATCH, 0)])


class Sleeper(AtSea):
    settings = dict(AtSea.settings)
    settings.update({"sleep": "yes", "report_s": 600, "detail_s": 600})

    def test_an_alarm_outlives_a_deep_sleep_and_is_told_once(self):
        self.run_s(20)
        self.hatch.value = 1
        self.run_s(400)
        self.assertTrue(self.board.sleeps, "it sleeps")
        self.assertEqual(self.alarms(), [(codes.ALARM_HATCH, 1)])
        for closed in (False, True):
            self.hatch.value = 0 if closed else 1
            self.board.cause = codes.RESET_DEEP_SLEEP
            self.board.ticks += self.board.sleeps.pop()
            self.board.ticks -= self.board.ticks % 50
            self.agent = Agent(given(self.board))
            self.run_s(300)
        self.assertEqual(len(self.made(schema.BIRTH)), 1)
        self.assertEqual(self.alarms(), [(codes.ALARM_HATCH, 1), (codes.ALARM_HATCH, 0)])


class Pile(Living):
    profile = "shorepower"
    settings = {
        "report_s": 20,
        "meter": {"address": "202410010001", "baud": 9600, "period_s": 2, "tell_time": "yes"},
        "supply": {"rated_a": 160},
    }

    def fit(self):
        self.meter = RelayMeter()
        self.counts = dict(DATA)
        self.board.lines["rs485"] = MeterLine(self.meter)
        self.plug, self.breaker = FakeReader(0), FakeReader(0)
        self.loop = FakeReader(1)
        self.board.digitals = {"plug": self.plug, "breaker": self.breaker, "loop": self.loop}

    def test_a_ship_connects_and_leaves(self):
        self.run_s(30)
        self.assertEqual(self.made(schema.SESSION), [])
        self.plug.value = self.breaker.value = 1
        self.run_s(40)
        (started,) = self.made(schema.SESSION)
        self.assertEqual(started[:4], [codes.SESSION_STARTED, 5, 0, 0])
        self.assertEqual(started[10], 99999997)
        flags = self.made(schema.METER)[-1][0]
        self.assertTrue(flags & codes.IN_SESSION and flags & codes.PLUG)
        self.plug.value = self.breaker.value = 0
        self.run_s(40)
        ended = self.made(schema.SESSION)[-1]
        self.assertEqual(ended[:4], [codes.SESSION_ENDED, 5, 0, 1])
        self.assertEqual(ended[5], codes.REASON_PLUG)
        self.assertTrue(not self.made(schema.METER)[-1][0] & codes.IN_SESSION)
        self.assertEqual(self.agent.part_errors, 0)

    def test_a_session_outlives_a_power_cut(self):
        self.run_s(30)
        self.plug.value = self.breaker.value = 1
        self.run_s(30)
        self.board.cause = codes.RESET_POWER_ON
        self.board.ticks += 60000
        self.agent = Agent(given(self.board))
        self.run_s(150)
        events = self.made(schema.SESSION)
        self.assertEqual({tuple(event[1:3]) for event in events}, {(5, 0)})
        self.assertEqual([event[3] for event in events], list(range(len(events))))
        self.assertTrue(events[-1][0] in (codes.SESSION_RESUMED, codes.SESSION_ENDED))
        self.assertTrue(events[-1][7] & codes.FLAW_GAP)

    def test_somebody_says_which_ship_it_is(self):
        self.run_s(30)
        self.plug.value = 1
        self.run_s(10)
        ship = self.agent.profile.actions[messages.SHIP]
        ship(b"\x84\x1a\x18\x9d\x68\x40\x4dCN12345678901\x01\x43lao", self.agent.clock.now_ms)
        self.run_s(10)
        told = self.made(schema.SESSION)[-1]
        self.assertEqual(told[0], codes.SESSION_IDENTIFIED)
        self.assertEqual(told[23:], [412969024, b"CN12345678901", codes.SHIP_BY_HAND, b"lao"])

    def test_the_meter_is_told_the_time_only_by_a_clock_that_is_sure(self):
        clock = self.agent.clock
        time = _local(clock, 480)
        self.run_s(30)
        self.assertEqual(clock.source, codes.CLOCK_GATEWAY)
        t = clock.t() - T
        s = 12 * 3600 + 53 * 60 + 20 + t
        told = (2026, 11, 21, s // 3600, s // 60 % 60, s % 60)
        self.assertEqual(time(clock.now_ms), told)
        clock.source = codes.CLOCK_RTC
        self.assertEqual(time(clock.now_ms), None)
        clock.source = None
        self.assertEqual(time(clock.now_ms), None)

    def test_the_supply_is_reported_and_a_dead_meter_is_told(self):
        self.run_s(90)
        supply = self.made(schema.SUPPLY)[-1]
        self.assertEqual(len(supply) > 10, True)
        self.meter.take = lambda data: b""
        self.run_s(100)
        self.assertTrue((codes.ALARM_METER_SILENT, 1) in self.alarms(), self.alarms())
        self.assertTrue(all(value is None for value in self.made(schema.METER)[-1][1:]))


if __name__ == "__main__":
    unittest.main()

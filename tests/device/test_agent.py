"""The whole agent on a fake board: records, identities, dating, faults of parts, stopping."""

import unittest

from commissioned import KEY, given
from fakes import FakeBoard, FakeOutput, FakeReader, FakeStore
from gatewayside import Gateway, records

from agent.agent import Agent
from agent.keep.boots import pack
from agent.wire import codes, messages, schema

T = 217400000  # 2026-11-21T04:53:20Z


def sentence(body):
    """Return `body` as a whole sentence."""
    total = 0
    for byte in body:
        total ^= byte
    return b"$" + body + b"*%02X\r\n" % total


def rmc(second):
    body = "GNRMC,0453%02d.000,A,3106.0000,N,12212.0000,E,0.00,0.00,211126,,,A" % second
    return sentence(body.encode())


def gga(second):
    body = "GNGGA,0453%02d.000,3106.0000,N,12212.0000,E,1,12,0.80,5.0,M,0.0,M,," % second
    return sentence(body.encode())


class Running(unittest.TestCase):
    profile = "beacon"
    settings = {"report_s": 10, "detail_s": 30}

    def setUp(self):
        self.board = FakeBoard()
        self.board.stores = (FakeStore(pack(4)), FakeStore(pack(4)))
        self.board.ticks = (1 << 30) - 20000  # the counter wraps in the middle of things
        self.fit()
        self.start()

    def fit(self):
        self.board.adcs = {
            "lamp_ma": FakeReader(300),
            "batt_mv": FakeReader(12600),
            "batt_ma": FakeReader(-150),
            "solar_mv": FakeReader(0),
            "temp_dc": FakeReader(251),
        }

    def start(self):
        wanted = {"profile": self.profile, "board": "fake"}
        wanted.update(self.settings)
        self.given = given(self.board, wanted)
        self.agent = Agent(self.given)

    def run_s(self, seconds, step_ms=50):
        wait = 0
        for _ in range(0, seconds * 1000, step_ms):
            self.board.ticks = (self.board.ticks + step_ms) % (1 << 30)
            wait = self.agent.step(self.board.ticks)
        return wait

    def sent(self, schema_id=None):
        """Return what the broker was given, each record once: nobody acknowledges here."""
        out = {}
        for topic, payload, _, _ in self.board.broker.published:
            if topic.endswith(b"/rec"):
                for r in records(payload):
                    out[r[1], r[2]] = r
        return [out[k] for k in sorted(out) if schema_id in (None, out[k][0])]


class Beacon(Running):
    def test_birth_is_the_first_record_of_its_boot(self):
        self.run_s(2)
        self.assertEqual(
            self.sent()[0],
            [
                schema.BIRTH,
                5,
                0,
                -1,
                1,
                codes.PROFILE_BEACON,
                b"0.1.0",
                b"fake",
                self.given.config_hash,
                3,
                0,
                codes.INTENT_NONE,
                None,
                codes.MODE_NORMAL,
                0,
                codes.SETTINGS_NONE,
                codes.UPDATE_NONE,
            ],
        )

    def test_reports(self):
        self.run_s(4)
        self.board.lines["gnss"].incoming += rmc(20) + gga(20)
        self.run_s(22)
        self.board.lines["gnss"].incoming += rmc(42) + gga(42)
        self.run_s(10)
        beacons = self.sent(schema.BEACON)
        self.assertEqual(len(beacons), 4)
        known = (codes.LIT | codes.CHARGING) << codes.KNOWN_SHIFT
        self.assertEqual(beacons[0][4], known | codes.LIT)
        self.assertEqual(beacons[0][5:], [31100000, 122200000, 12, 300, 12600, -150, 0, 251])
        seqs = [r[2] for r in self.sent()]
        self.assertEqual(sorted(seqs), list(range(len(seqs))))

    def test_what_is_not_fitted_is_null_not_zero(self):
        self.board.adcs = {}
        self.start()
        self.run_s(8)
        self.assertEqual(self.sent(schema.BEACON)[-1][4:], [0])

    def test_an_unlit_lamp(self):
        self.board.adcs["lamp_ma"].value = 3
        self.run_s(40)
        lit = [r[4] & codes.LIT for r in self.sent(schema.BEACON)]
        known = [r[4] >> codes.KNOWN_SHIFT & codes.LIT for r in self.sent(schema.BEACON)]
        self.assertEqual(lit, [0, 0, 0, 0])
        self.assertEqual(known, [0, 0, 1, 1])

    def test_early_records_are_dated_by_the_first_clock_record(self):
        self.run_s(12)
        for second in range(3):
            self.board.lines["gnss"].incoming += rmc(20 + second)
            self.run_s(1)
        self.run_s(20)
        (clock,) = self.sent(schema.CLOCK)
        self.assertEqual(clock[5], codes.CLOCK_GNSS)
        epoch = clock[3] - clock[4]
        early = [r for r in self.sent() if r[3] < 0]
        late = [r for r in self.sent() if r[3] >= 0]
        self.assertTrue(early and late)
        first_fix = T + 3  # three sentences must agree
        for r in early:
            self.assertTrue(T - 13 <= epoch + (-1 - r[3]) <= first_fix, r)

    def test_ships_heard_are_sent_on_and_thinned(self):
        ship = b"!AIVDM,1,1,,B,13aGua?P00PHfERNFruh0?vN289E,0*35\r\n"
        for _ in range(3):
            self.board.lines["ais"].incoming += ship
            self.run_s(1)
        self.assertEqual(len(self.sent(schema.AIS)), 1)
        self.run_s(35)
        rx = self.sent(schema.RX)[-1]
        names = [f[0] for f in schema.SCHEMAS[schema.RX][3]]
        told = dict(zip(names, rx[4:]))
        self.assertEqual((told["ais_lines"], told["ais_ships"], told["ais_thinned"]), (3, 3, 2))

    def test_corrupted_input_is_counted_and_the_good_beside_it_goes_through(self):
        self.board.lines["gnss"].incoming = (
            b"\x00\xff$$$GN" + rmc(19)[:20] + b"\r\n" + rmc(20)[:-4] + b"00\r\n" + gga(21)
        )
        self.run_s(36)
        names = [f[0] for f in schema.SCHEMAS[schema.RX][3]]
        told = dict(zip(names, self.sent(schema.RX)[-1][4:]))
        self.assertEqual(told["gnss_lines"], 1)
        self.assertTrue(told["gnss_bad"] >= 2)
        self.assertEqual(self.agent.part_errors, 0)

    def test_a_part_that_raises_does_not_silence_the_others(self):
        class Broken:
            def read(self):
                raise OSError(5)

        self.board.adcs["batt_mv"] = Broken()
        self.start()
        printed = []
        self.agent.works.log.note = printed.append
        self.run_s(40)
        last = self.sent(schema.BEACON)[-1]
        self.assertEqual(last[8:11], [300, None, -150])
        health = self.sent(schema.HEALTH)[-1]
        self.assertTrue(health[17] >= 10)
        self.assertEqual(len(printed), 5)

    def test_a_boot_number_for_every_start(self):
        self.run_s(2)
        self.start()
        self.run_s(2)
        self.assertEqual({r[1] for r in self.sent(schema.BIRTH)}, {5, 6})

    def test_stopping_sends_what_is_kept(self):
        self.run_s(6)
        self.agent.stop()
        self.assertTrue(self.run_s(1) >= 0)
        buf = bytearray(16)
        n = messages.put_ack(buf, 0, 5, 0, 1000)
        self.board.broker.send(b"fw/1/65/buoy-1/dn/ack", bytes(buf[:n]))
        self.assertEqual(self.run_s(1), -1)
        self.assertEqual(self.board.broker.packets[-1], 0xE0)

    def test_stopping_does_not_wait_for_ever(self):
        self.run_s(6)
        self.agent.stop()
        self.assertEqual(self.run_s(9), -1)


class ShorePower(Running):
    profile = "shorepower"
    settings = {"profile": "shorepower", "report_s": 10, "meter": {"address": "000000000001"}}

    def fit(self):
        self.board.digitals = {"plug": FakeReader(1), "breaker": FakeReader(0)}

    def test_a_silent_meter_is_no_value_and_is_counted(self):
        self.run_s(40)
        meter = self.sent(schema.METER)[-1]
        known = (codes.PLUG | codes.BREAKER | codes.IN_SESSION) << codes.KNOWN_SHIFT
        self.assertEqual(meter[4:], [known | codes.PLUG])
        self.assertEqual(self.sent(schema.ENERGY_COUNT), [])
        self.assertTrue(len(self.board.lines["rs485"].written) > 20)


class Rtc:
    """A calendar that counts by itself, as long as the board's ticks do."""

    ppm = 20

    def __init__(self, board):
        self._board = board
        self._t = None

    def get(self):
        return None if self._t is None else self._t + (self._board.ticks - self._at) // 1000

    def set(self, t):
        self._t = t
        self._at = self._board.ticks


class Life(Running):
    """What the agent does beyond reporting, with a gateway that answers."""

    settings = {"report_s": 600, "detail_s": 3600, "sleep": "yes", "keepalive_s": 600}

    def setUp(self):
        self.board = FakeBoard()
        self.board.stores = (FakeStore(pack(4)), FakeStore(pack(4)))
        self.rtc = Rtc(self.board)
        self.board.rtc = lambda: self.rtc
        self.lantern = FakeOutput()
        self.board.outputs = {"lantern": self.lantern}
        self.fit()
        self.gateway = Gateway(self.board.broker, "buoy-1", KEY)
        self.gateway.time = lambda: T + self.board.ticks // 1000
        self.start()

    def run_s(self, seconds, step_ms=50):
        for _ in range(0, seconds * 1000, step_ms):
            self.board.ticks += step_ms
            self.agent.step(self.board.ticks)
            self.gateway.poll()
            if self.board.sleeps or self.board.resets:
                break

    def made(self, schema_id):
        identities = sorted(self.gateway.records)
        return [
            self.gateway.records[i] for i in identities if self.gateway.records[i][0] == schema_id
        ]

    def wake(self, cause):
        self.board.cause = cause
        self.board.ticks += self.board.sleeps.pop() if self.board.sleeps else 1000
        self.board.resets = []
        self.given = given(self.board)
        self.agent = Agent(self.given)

    def test_a_wake_goes_on_with_boot_and_seq(self):
        self.run_s(300)
        slept_ms = self.board.sleeps[0]
        self.assertTrue(300000 < slept_ms <= 600000, slept_ms)
        self.assertEqual(self.agent.outbox.kept, 0)
        before = max(self.gateway.records)
        self.wake(codes.RESET_DEEP_SLEEP)
        self.run_s(300)
        after = max(self.gateway.records)
        self.assertEqual(before[0], after[0])
        self.assertTrue(after[1] > before[1])
        self.assertEqual(len(self.made(schema.BIRTH)), 1)
        seqs = sorted(seq for _, seq in self.gateway.records)
        self.assertEqual(seqs, list(range(len(seqs))))
        self.assertTrue(self.made(schema.BEACON)[-1][3] - T >= 600)
        # Any other start is a boot of its own.
        self.wake(codes.RESET_WATCHDOG)
        self.run_s(30)
        self.assertEqual([r[1] for r in self.made(schema.BIRTH)], [5, 6])

    def test_without_a_clock_nobody_sleeps(self):
        self.gateway.time = None
        self.run_s(400)
        self.assertEqual(self.board.sleeps, [])

    def test_a_part_that_hangs_is_named_in_the_next_birth(self):
        class Hangs:
            def poll(self, now_ms):
                raise KeyboardInterrupt  # a real one would not come back at all

        parts = list(self.agent.works.parts)
        at = [part for _, part in parts].index(self.agent.profile._light)
        parts[at] = (parts[at][0], Hangs())
        self.agent.works.parts = tuple(parts)
        try:
            self.run_s(1)
            self.assertTrue(False, "it did not hang")
        except KeyboardInterrupt:
            pass
        self.wake(codes.RESET_WATCHDOG)
        self.run_s(30)
        birth = self.made(schema.BIRTH)[-1]
        self.assertEqual(birth[12], b"lamp")

    def test_the_watchdog_is_fed_while_all_is_well(self):
        self.run_s(10)
        self.assertTrue(8 <= self.board.dog.fed <= 11, self.board.dog.fed)

    def test_the_guard_hears_that_all_is_well(self):
        self.run_s(10)
        self.assertEqual(self.board.own_guard.calls, ["good"])

    def test_an_alarm_travels_before_what_waits(self):
        self.board.up = False
        self.board.adcs["batt_mv"].value = 12600
        self.run_s(100)
        for n in range(200):
            self.agent.emit(schema.BEACON, (0, n))
        self.agent.emit(schema.ALARM, (codes.ALARM_BATTERY_LOW, 1, 10000, 11000))
        self.board.up = True
        self.run_s(300)
        first = self.gateway.records[self.gateway.order[0]]
        self.assertEqual(first[0], schema.ALARM)
        self.assertEqual(len(self.made(schema.BEACON)) >= 200, True)

    def nonce(self):
        self.gateway.ask_nonce()
        self.run_s(1)
        return self.gateway.nonce

    def test_a_reboot_by_command(self):
        self.run_s(20)
        self.gateway.command(1, messages.REBOOT, T + 3600, nonce=self.nonce())
        self.run_s(10)
        self.assertEqual(self.board.resets, [codes.INTENT_COMMAND])
        self.assertEqual(self.gateway.states[-1][2], 0)
        self.board.memory = b""
        self.wake(codes.RESET_HARD)
        self.run_s(20)
        self.assertEqual(self.gateway.answers, [(1, messages.RESULT_DONE, b"")])

    def test_settings_by_command_are_tried_and_confirmed(self):
        self.run_s(20)
        text = b'{"profile": "beacon", "board": "fake", "report_s": 30}'
        self.gateway.command(1, messages.SETTINGS, T + 3600, text, self.nonce())
        self.run_s(10)
        self.assertEqual(self.board.resets, [codes.INTENT_SETTINGS])
        self.wake(codes.RESET_HARD)
        self.assertEqual(self.given.config["report_s"], 30)
        self.run_s(30)
        birth = self.made(schema.BIRTH)[-1]
        self.assertEqual(birth[15:17], [codes.SETTINGS_TRIAL] + birth[16:17])
        self.wake(codes.RESET_HARD)
        self.assertEqual(self.given.config["report_s"], 30)

    def test_a_lamp_mode_ends_with_the_agent(self):
        self.run_s(20)
        self.gateway.command(1, messages.LAMP_MODE, T + 3600, b"\x82\x01\x0a", self.nonce())
        self.run_s(2)
        self.assertTrue(self.lantern.held)
        self.agent.stop()
        self.run_s(20)
        self.assertTrue(not self.lantern.held)

    def test_a_weak_battery_starts_no_radio(self):
        self.settings = {"report_s": 60, "battery": {"on_mv": 12000, "off_mv": 11000}}
        self.board.adcs["batt_mv"].value = 10500
        self.start()
        self.run_s(60)
        self.assertEqual(self.board.broker.packets, [])


if __name__ == "__main__":
    unittest.main()

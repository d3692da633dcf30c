"""The whole agent on a fake board: records, identities, dating, faults of parts, stopping."""

import json
import unittest

from fakes import FakeBoard, FakeReader, FakeStore

from agent import config as settings
from agent.agent import Agent
from agent.identity import Identity
from agent.keep.boots import pack
from agent.main import profile_of
from agent.wire import codes, messages, schema
from agent.wire.read import Reader

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


def records(payload):
    """Take a CBOR sequence of records apart."""
    reader = Reader(payload, 0, len(payload))
    out = []
    while not reader.at_end():
        n = reader.array(schema.HEAD_ITEMS, schema.ITEMS_MAX)
        items = []
        for _ in range(n):
            if reader.null():
                items.append(None)
            elif reader.buf[reader.pos] >> 5 == 2:
                items.append(reader.byte_string(schema.BYTES_MAX))
            else:
                items.append(reader.integer())
        out.append(items)
    return out


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
        config, errors = settings.load(json.dumps(self.settings))
        self.agent = Agent(
            self.board,
            config,
            errors,
            b"\1\2\3\4",
            Identity("buoy-1", "pw", None),
            profile_of(self.profile),
        )

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
                b"\1\2\3\4",
                3,
                0,
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
        import agent.agent as module

        printed = []
        module.print_exception, kept = printed.append, module.print_exception
        try:
            self.run_s(40)
        finally:
            module.print_exception = kept
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
        self.assertEqual(self.run_s(4), -1)


class ShorePower(Running):
    profile = "shorepower"
    settings = {"profile": "shorepower", "report_s": 10, "meter": {"address": "000000000001"}}

    def fit(self):
        self.board.digitals = {"plug": FakeReader(1), "breaker": FakeReader(0)}

    def test_a_silent_meter_is_no_value_and_is_counted(self):
        self.run_s(40)
        meter = self.sent(schema.METER)[-1]
        known = (codes.PLUG | codes.BREAKER) << codes.KNOWN_SHIFT
        self.assertEqual(meter[4:], [known | codes.PLUG])
        self.assertEqual(self.sent(schema.ENERGY_COUNT), [])
        self.assertTrue(len(self.board.lines["rs485"].written) > 20)


class Settings(unittest.TestCase):
    def test_every_default_is_allowed(self):
        _, errors = settings.load("{}")
        self.assertEqual(errors, [])
        for key, (kind, allowed, default) in settings.SETTINGS.items():
            self.assertTrue(settings._valid(default, kind, allowed), key)

    def test_sections(self):
        config, errors = settings.load('{"report_s": 5, "gnss": {"baud": 4800}}')
        self.assertEqual((config["report_s"], config["gnss.baud"], errors), (5, 4800, []))

    def test_a_wrong_setting_is_named_and_the_default_used(self):
        for text, key, value in (
            ('{"report_s": 0}', "report_s", 600),
            ('{"report_s": "often"}', "report_s", 600),
            ('{"report_s": true}', "report_s", 600),
            ('{"profile": "boat"}', "profile", "beacon"),
            ('{"meter": {"parity": 2}}', "meter.parity", "even"),
            ('{"broker": {"host": ""}}', "broker.host", "127.0.0.1"),
        ):
            config, errors = settings.load(text)
            self.assertEqual(config[key], value)
            self.assertEqual(len(errors), 1)
            self.assertTrue(key in errors[0] and "only" in errors[0], errors[0])

    def test_an_unknown_setting(self):
        _, errors = settings.load('{"repotr_s": 5}')
        self.assertTrue("repotr_s" in errors[0])

    def test_no_json_at_all(self):
        for text in ("", "{", "[1]", "\xff", '{"a"'):
            config, errors = settings.load(text)
            self.assertEqual((config["report_s"], len(errors)), (600, 1))


if __name__ == "__main__":
    unittest.main()

"""The chat with a modem, from power key to CONNECT, and the interfaces around it."""

import sys
import unittest

from agent.link import modem as m
from agent.wire.codes import LINK_ETHERNET, LINK_NONE, LINK_PPP, LINK_WIFI


class FakeModem:
    """Answers as a module does, some bytes at a time; dead until its power key was pressed."""

    def __init__(self, on=True):
        self.on = on
        self.sim = b"+CPIN: READY"
        self.pin = b"1234"
        self.registered = [b"0,2", b"0,2", b"0,1"]  # the answers one after another, the last stays
        self.level = b"17,99"
        self.apn = None
        self.carrier = b"CONNECT 115200"
        self.asked = []
        self.echo = True
        self.out = b""
        self.step = 64
        self._in = b""
        self._pressed_ms = None

    def press(self, on, now_ms):
        if on:
            self._pressed_ms = now_ms
        elif self._pressed_ms is not None:
            held_ms = now_ms - self._pressed_ms
            self._pressed_ms = None
            if held_ms >= 2500:
                self.on = False
            elif held_ms >= 1000:
                self.on = True
                self.out += b"\r\nRDY\r\n\r\n+CFUN: 1\r\n"

    def write(self, data):
        data = bytes(data)
        if self.on:
            self._in += data
            while b"\r" in self._in:
                command, self._in = self._in.split(b"\r", 1)
                if self.echo:
                    self.out += command + b"\r"
                self.asked.append(command)
                self.out += b"\r\n" + self._answer(command) + b"\r\n"
        return len(data)

    def readinto(self, buf):
        n = min(len(buf), len(self.out), self.step)
        buf[:n] = self.out[:n]
        self.out = self.out[n:]
        return n or None

    def _answer(self, command):
        ok = b"\r\n\r\nOK"
        if command == b"ATE0":
            self.echo = False
        elif command == b"AT+CPIN?":
            return self.sim if self.sim.startswith(b"+CME") else self.sim + ok
        elif command.startswith(b"AT+CPIN="):
            if command[9:-1] != self.pin:
                return b"+CME ERROR: 16"
            self.sim = b"+CPIN: READY"
        elif command == b"AT+CSQ":
            return b"+CSQ: " + self.level + ok
        elif command in {b"AT+CEREG?", b"AT+CGREG?"}:
            status = self.registered[0]
            self.registered = self.registered[1:] or self.registered
            return command[2:-1] + b": " + status + ok
        elif command.startswith(b"AT+CGDCONT="):
            self.apn = command[11:]
        elif command == b"ATD*99#":
            return self.carrier
        return b"OK"


class Chat(unittest.TestCase):
    def setUp(self):
        self.fake = FakeModem()
        self.make()

    def make(self, pin="", key_ms=0):
        self.modem = m.Modem("cmnet", pin, key_ms)
        self.key = False
        self.now_ms = 0

    def run_s(self, seconds):
        buf = bytearray(16)
        modem = self.modem
        for _ in range(seconds * 10):
            self.now_ms += 100
            if modem.key != self.key:
                self.key = modem.key
                self.fake.press(self.key, self.now_ms)
            while True:
                n = self.fake.readinto(buf) or 0
                modem.feed(buf, n, self.now_ms)
                if not n:
                    break
            modem.poll(self.now_ms)
            out = modem.outgoing()
            modem.sent(self.fake.write(out[:5]))  # a line that takes five bytes at a time

    def begin(self, **more):
        self.modem.begin(self.now_ms, **more)

    def test_from_nothing_to_connect(self):
        self.begin()
        self.run_s(30)
        self.assertEqual((self.modem.state, self.modem.error), (m.DIALLED, ""))
        self.assertEqual(self.fake.apn, b'1,"IP","cmnet"')
        self.assertEqual(self.modem.signal_dbm, -79)
        self.assertEqual(self.fake.asked[-1], b"ATD*99#")

    def test_a_byte_at_a_time(self):
        self.fake.step = 1
        self.begin()
        self.run_s(30)
        self.assertEqual(self.modem.state, m.DIALLED)

    def test_both_registrations_are_asked(self):
        self.begin()
        self.run_s(30)
        self.assertTrue(b"AT+CEREG?" in self.fake.asked and b"AT+CGREG?" in self.fake.asked)

    def test_roaming_is_registered(self):
        self.fake.registered = [b"0,5"]
        self.begin()
        self.run_s(20)
        self.assertEqual(self.modem.state, m.DIALLED)

    def failure(self, seconds=240):
        self.begin()
        self.run_s(seconds)
        self.assertEqual(self.modem.state, m.FAILED)
        return self.modem.error

    def test_each_failure_has_its_name(self):
        for name, value, error in (
            ("on", False, "modem-silent"),
            ("sim", b"+CME ERROR: 10", "no-sim"),
            ("sim", b"+CPIN: SIM PIN", "sim-pin"),
            ("sim", b"+CPIN: SIM PUK", "no-sim"),
            ("level", b"99,99", "no-signal"),
            ("registered", [b"0,2"], "not-registered"),
            ("registered", [b"0,3"], "registration-denied"),
            ("carrier", b"NO CARRIER", "dial-refused"),
        ):
            with self.subTest(error):
                self.fake = FakeModem()
                self.make()
                setattr(self.fake, name, value)
                self.assertEqual(self.failure(), error)

    def test_it_can_begin_again_after_a_failure(self):
        self.fake.carrier = b"NO CARRIER"
        self.assertEqual(self.failure(), "dial-refused")
        self.fake.carrier = b"CONNECT"
        self.begin()
        self.run_s(30)
        self.assertEqual((self.modem.state, self.modem.error), (m.DIALLED, ""))

    def test_a_pin_is_tried_once(self):
        self.make(pin="1234")
        self.fake.sim = b"+CPIN: SIM PIN"
        self.begin()
        self.run_s(40)
        self.assertEqual(self.modem.state, m.DIALLED)

    def test_a_wrong_pin_is_never_tried_again(self):
        # The third wrong one locks the card for good.
        self.make(pin="0000")
        self.fake.sim = b"+CPIN: SIM PIN"
        for _ in range(5):
            self.assertEqual(self.failure(60), "sim-pin")
        self.assertEqual(self.fake.asked.count(b'AT+CPIN="0000"'), 1)

    def test_a_right_pin_is_tried_again_after_a_power_cycle(self):
        self.make(pin="1234", key_ms=1200)
        for _ in range(3):
            self.fake.sim = b"+CPIN: SIM PIN"
            self.begin(cycle=True)
            self.run_s(60)
            self.assertEqual(self.modem.state, m.DIALLED)

    def test_a_silent_modem_has_its_power_key_pressed_once(self):
        self.make(key_ms=1200)
        self.fake.on = False
        self.begin()
        self.run_s(60)
        self.assertEqual(self.modem.state, m.DIALLED)

    def test_a_dead_modem_fails_though_it_has_a_key(self):
        self.make(key_ms=500)  # too short for this one
        self.fake.on = False
        self.begin()
        self.run_s(60)
        self.assertEqual((self.modem.state, self.modem.error), (m.FAILED, "modem-silent"))
        self.assertFalse(self.modem.key)

    def test_a_power_cycle_switches_off_and_on(self):
        self.make(key_ms=1200)
        self.begin(cycle=True)
        self.run_s(4)
        self.assertFalse(self.fake.on)
        self.run_s(40)
        self.assertTrue(self.fake.on)
        self.assertEqual(self.modem.state, m.DIALLED)

    def test_noise_and_long_lines_do_no_harm(self):
        self.begin()
        self.fake.out = (
            bytes(range(256)) * 4 + b"x" * 500 + b"\r\n+CEREG: 1\r\n+CSQ:\r\n+CSQ: x\r\n"
        )
        self.run_s(40)
        self.assertEqual(self.modem.state, m.DIALLED)


class FakePPP:
    """network.PPP"""

    SEC_PAP = 1
    made = []

    def __init__(self, uart):
        self.calls = []
        self.connected = False
        FakePPP.made.append(self)

    def active(self, on):
        self.calls.append(on)

    def connect(self, *who):
        self.calls.append(who)
        self.connected = True

    def disconnect(self):
        self.connected = False

    def isconnected(self):
        return self.connected


class FakeWLAN:
    """network.WLAN"""

    refuses = False

    def __init__(self, which):
        self.calls = []
        self.connected = False
        self.code = 1001

    def active(self, on):
        self.calls.append(on)

    def connect(self, ssid, key):
        if self.refuses:
            raise OSError("Wifi Internal Error")
        self.calls.append((ssid, key))

    def disconnect(self):
        self.connected = False

    def isconnected(self):
        return self.connected

    def status(self, what=None):
        return -61 if what == "rssi" else self.code


class FakeNetworkModule:
    """network"""

    PPP = FakePPP
    WLAN = FakeWLAN
    STA_IF = 0
    STAT_WRONG_PASSWORD = 202
    STAT_NO_AP_FOUND = 201


def load():
    """Import the interfaces over a fake `network`, and leave no trace of it."""
    kept = {name: sys.modules.pop(name, None) for name in NAMES}
    sys.modules["network"] = FakeNetworkModule
    try:
        import agent.hal.net
        import agent.hal.ppp

        return agent.hal.net, agent.hal.ppp
    finally:
        for name in NAMES:
            sys.modules.pop(name, None)
            if kept[name] is not None:
                sys.modules[name] = kept[name]


NAMES = ("network", "agent.hal.net", "agent.hal.ppp")
net, ppp = load()


class Interfaces(unittest.TestCase):
    def test_access_chooses_among_what_the_board_has(self):
        wifi, apn = {"wifi": {"ssid": "quay"}}, {"apn": {"name": "cmnet"}}
        for access, fitted, chosen in (
            (wifi, {"wifi": ()}, "wifi"),
            ({}, {"wifi": ()}, None),
            (wifi, {"ethernet": ()}, "ethernet"),
            (apn, {"wifi": (), "ppp": ()}, "ppp"),
            (apn, {"wifi": ()}, None),
            ({"wifi": None, "apn": None}, {"wifi": (), "ethernet": ()}, "ethernet"),
        ):
            self.assertEqual(net.choose(access, fitted), chosen)
        self.assertEqual(net.Nothing().kind, LINK_NONE)
        self.assertFalse(net.Nothing().up(0))

    def test_wifi(self):
        one = net.WiFi({"ssid": "quay", "key": "k"})
        self.assertEqual((one.kind, one.metered), (LINK_WIFI, False))
        one.start(0)
        wlan = one._wlan
        self.assertEqual(wlan.calls, [True, ("quay", "k")])
        self.assertFalse(one.up(0))
        wlan.code = 202
        self.assertFalse(one.up(0))
        self.assertEqual((one.error, one.signal()), ("WRONG_PASSWORD", None))
        wlan.connected = True
        self.assertTrue(one.up(0))
        self.assertEqual((one.error, one.signal()), ("", -61))
        one.start(0)
        self.assertEqual(wlan.calls, [True, ("quay", "k"), True])
        one.cycle(0)
        self.assertEqual(wlan.calls[3:], [False, True])
        one.stop()
        self.assertEqual(wlan.calls[-1], False)

    def test_wifi_that_refuses_to_be_asked_again(self):
        one = net.WiFi({"ssid": "quay", "key": "k"})
        FakeWLAN.refuses = True
        one.start(0)
        FakeWLAN.refuses = False
        self.assertEqual(one.error, "Wifi Internal Error")

    def test_ethernet(self):
        class Card:
            on = linked = False

            def active(self, *on):
                self.on = on[0] if on else self.on
                return self.on

            def isconnected(self):
                return self.on and self.linked

        card = Card()
        one = net.Ethernet(card)
        self.assertEqual((one.kind, one.metered), (LINK_ETHERNET, False))
        one.start(0)
        self.assertFalse(one.up(0))
        card.linked = True
        self.assertTrue(one.up(0))
        one.stop()
        self.assertFalse(card.on)

    def ppp_up(self, one, fake, limit_s=60):
        for now_ms in range(0, limit_s * 1000, 100):
            if one.up(now_ms):
                return True
        return False

    def test_ppp(self):
        fake = FakeModem()
        one = ppp.PPP(fake, {"name": "cmnet", "user": "u", "password": "p"}, None, 0)
        self.assertEqual((one.kind, one.metered), (LINK_PPP, True))
        one.start(0)
        self.assertTrue(self.ppp_up(one, fake))
        self.assertEqual(FakePPP.made[-1].calls, [True, (1, "u", "p")])
        self.assertEqual(one.signal(), -79)
        # The network lets go; it is dialled again.
        FakePPP.made[-1].connected = False
        self.assertFalse(one.up(60000))
        one.start(0)
        self.assertEqual(FakePPP.made[-1].calls[-1], False)
        self.assertTrue(self.ppp_up(one, fake))
        one.stop()
        self.assertFalse(one.up(0))
        self.assertEqual(FakePPP.made[-1].calls[-1], False)

    def test_ppp_switches_its_modem_off_and_on(self):
        fake = FakeModem()
        now = [0]
        pressed = []

        def press(on):
            pressed.append(on)
            fake.press(on, now[0])

        one = ppp.PPP(fake, {"name": "cmnet"}, press, 1200)
        one.cycle(0)
        while not one.up(now[0]) and now[0] < 120000:
            now[0] += 100
        self.assertTrue(one.up(now[0]))
        self.assertEqual(pressed, [True, False, True, False])
        self.assertEqual(FakePPP.made[-1].calls, [True, ()])

    def test_why_there_is_no_ppp_is_said(self):
        fake = FakeModem()
        fake.sim = b"+CME ERROR: 10"
        one = ppp.PPP(fake, {"name": "cmnet"}, None, 0)
        one.start(0)
        self.assertFalse(self.ppp_up(one, fake, 80))
        self.assertEqual(one.error, "no-sim")


if __name__ == "__main__":
    unittest.main()

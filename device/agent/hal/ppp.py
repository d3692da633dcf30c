"""PPP over a modem on a serial line: the chat of `link.modem`, then the port's own PPP.

On ports with `network.PPP` (ESP32). Not yet tried on hardware.
"""

import network

from agent.compat import const
from agent.link import modem as m
from agent.link.bearer import Nothing
from agent.wire.codes import LINK_PPP

_READ_MAX = const(64)  # bytes read in one step; a modem's answers are short


class PPP(Nothing):
    """`apn` is {"name", "user", "password", "pin"}, all but the name may be absent.

    `uart` is the port's UART (it becomes PPP's), `press(on)` works the power key, or is None.
    """

    kind = LINK_PPP
    metered = True

    def __init__(self, uart, apn, press, key_ms):
        self.error = ""
        self._uart = uart
        self._user = apn.get("user")
        self._password = apn.get("password")
        self._press = press
        self._modem = m.Modem(apn["name"], apn.get("pin") or "", key_ms if press else 0)
        self._pressed = False
        self._ppp = None
        self._buf = bytearray(_READ_MAX)

    def start(self, now_ms):
        self._hang_up()
        self._modem.begin(now_ms)

    def up(self, now_ms):
        if self._ppp is None:
            self._chat(now_ms)
            return False
        return self._ppp.isconnected()

    def stop(self):
        self._hang_up()
        self._key(False)
        self._modem.state = m.IDLE

    def cycle(self, now_ms):
        self._hang_up()
        self._modem.begin(now_ms, True)

    def signal(self):
        return self._modem.signal_dbm

    def _chat(self, now_ms):
        modem = self._modem
        n = self._uart.readinto(self._buf) or 0
        modem.feed(self._buf, n, now_ms)
        modem.poll(now_ms)
        self._key(modem.key)
        out = modem.outgoing()
        if out:
            modem.sent(self._uart.write(out) or 0)
        self.error = modem.error
        if modem.state == m.DIALLED:
            self._dial()

    def _dial(self):
        self._ppp = network.PPP(self._uart)
        self._ppp.active(True)
        if self._user:
            self._ppp.connect(network.PPP.SEC_PAP, self._user, self._password or "")
        else:
            self._ppp.connect()

    def _hang_up(self):
        if self._ppp is not None:
            self._ppp.disconnect()
            self._ppp.active(False)
            self._ppp = None

    def _key(self, on):
        if self._press is not None and on != self._pressed:
            self._pressed = on
            self._press(on)

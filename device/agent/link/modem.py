"""The chat with a cellular modem until it carries PPP, without I/O (3GPP TS 27.007, V.250).

    modem = Modem("cmnet", "", key_ms=1200)
    modem.begin(now_ms)
    uart.write(modem.outgoing());  modem.sent(n);  modem.feed(buf, n, now_ms);  modem.poll(now_ms)
    modem.key        the power key shall be pressed now
    modem.state      BUSY until DIALLED (PPP takes the line over) or FAILED (`error` says why)

One table of steps. Each asks until it has the answer it wants or its time is over. A PIN
that a SIM did not take is never tried again: the third wrong one locks the card.
"""

from agent.compat import const

IDLE = const(0)
BUSY = const(1)
DIALLED = const(2)
FAILED = const(3)

_LINE_MAX = const(80)  # longer lines are news about something else
_AGAIN_MS = const(2000)  # between two questions
_SILENT_MS = const(5000)  # no answer at all: ask again
_KEY_OFF_MS = const(3000)  # the power key of most modems switches off after 2 to 3 s
_DARK_MS = const(5000)  # without power, so that it really starts anew

_SILENT = const(0)
_SIM = const(2)
_REGISTER = const(4)

# What is asked, for how many seconds at most, and what it means when the answer does not come.
_STEPS = (
    (b"AT", 20, "modem-silent"),
    (b"ATE0", 5, "modem-silent"),
    (b"AT+CPIN?", 20, "no-sim"),
    (b"AT+CSQ", 10, "no-signal"),
    (b"AT+CEREG?", 120, "not-registered"),
    (b"AT+CGDCONT=1,", 10, "apn-refused"),
    (b"ATD*99#", 60, "dial-refused"),
)
_DIAL = const(6)


class Modem:
    """One modem. `apn` as the network's operator names it; `key_ms`: 0 when there is no power key.

    `error`: modem-silent, no-sim, sim-pin, no-signal, not-registered, registration-denied,
    apn-refused, dial-refused. `signal_dbm` is None until the modem has told.
    """

    def __init__(self, apn, pin, key_ms=0):
        self.state = IDLE
        self.error = ""
        self.key = False
        self.signal_dbm = None
        self._apn = b'"IP","' + apn.encode() + b'"'
        self._pin = pin.encode()
        self._pin_tried = False  # and the card has not said READY since
        self._key_ms = key_ms
        self._pulses = ()  # (pressed, for how many ms) still to come
        self._pulse_ends_ms = 0
        self._step = 0
        self._began_ms = 0
        self._asked_ms = 0
        self._waiting = False  # for an answer
        self._good = False  # the answer said what the step wants
        self._tries = 0
        self._woken = False
        self._line = bytearray(_LINE_MAX)
        self._filled = 0
        self._out = b""

    def begin(self, now_ms, cycle=False):
        """Start from nothing; `cycle` switches the modem off and on again first."""
        self.state = BUSY
        self.error = ""
        self.key = False
        self._woken = False
        self._pulses = ()
        if cycle and self._key_ms:
            self._woken = True
            self._press(((1, _KEY_OFF_MS), (0, _DARK_MS), (1, self._key_ms)), now_ms)
        self._enter(0, now_ms)

    def outgoing(self):
        """Return the bytes that the line should take."""
        return self._out

    def sent(self, n):
        """Note that the line took `n` bytes of `outgoing()`."""
        self._out = self._out[n:]

    def feed(self, buf, n, now_ms):
        """Take `buf[:n]` from the line."""
        for i in range(n):
            byte = buf[i]
            if byte in (13, 10):
                if self._filled and self.state == BUSY:
                    self._read(bytes(self._line[: self._filled]), now_ms)
                self._filled = 0
            elif self._filled < _LINE_MAX:
                self._line[self._filled] = byte
                self._filled += 1

    def poll(self, now_ms):
        """Ask what is to be asked, and see what did not come."""
        if self.state != BUSY:
            return
        if self._pulses or self.key:
            self._pulse(now_ms)
            return
        command, limit_s, fault = _STEPS[self._step]
        if now_ms - self._began_ms > limit_s * 1000:
            if self._step == _SILENT and self._key_ms and not self._woken:
                self._woken = True
                self._press(((1, self._key_ms),), now_ms)
            else:
                self._fail(self.error or fault)
        elif now_ms - self._asked_ms >= (_SILENT_MS if self._waiting else _AGAIN_MS):
            self._ask(command, now_ms)

    def _ask(self, command, now_ms):
        self._asked_ms = now_ms
        self._waiting = True
        self._good = False
        self._tries += 1
        if self._step == _REGISTER and not self._tries & 1:
            command = b"AT+CGREG?"  # a network without LTE registers here
        elif self._step == _DIAL - 1:
            command += self._apn
        self._out = command + b"\r"

    def _read(self, line, now_ms):
        if line.startswith(b"+CSQ:"):
            level = _number(line[5:].split(b",")[0])
            if level is not None and level <= 31:
                self.signal_dbm = 2 * level - 113
                self._good = True
        elif line.startswith((b"+CEREG:", b"+CGREG:")):
            fields = line[7:].split(b",")
            status = _number(fields[1]) if len(fields) > 1 else None
            self._good = status in (1, 5)  # at home, roaming
            self.error = "registration-denied" if status == 3 else ""
        elif line.startswith(b"+CPIN:"):
            self._good = line.endswith(b"READY")
            if self._good:
                self._pin_tried = False
            elif line.endswith(b"SIM PIN"):
                self._unlock(now_ms)
        elif line.startswith(b"CONNECT") and self._step == _DIAL:
            self.state = DIALLED
        elif line == b"OK":
            self._answered(now_ms)
        elif line == b"ERROR" or line.startswith((b"+CME ERROR", b"NO CARRIER", b"BUSY")):
            self._waiting = False

    def _answered(self, now_ms):
        """Go on after OK, if the answer before it was what the step wants."""
        self._waiting = False
        if self._good or self._step not in (_SIM, _SIM + 1, _REGISTER, _DIAL):
            self._enter(self._step + 1, now_ms)

    def _unlock(self, now_ms):
        if self._pin_tried or not self._pin:
            self._fail("sim-pin")
            return
        self._pin_tried = True
        self._out = b'AT+CPIN="' + self._pin + b'"\r'
        self._asked_ms = now_ms

    def _enter(self, step, now_ms):
        self._step = step
        self._began_ms = now_ms
        self._asked_ms = now_ms - _AGAIN_MS
        self._waiting = False
        self._tries = 0
        self._filled = 0

    def _press(self, pulses, now_ms):
        self._pulses = pulses
        self._pulse_ends_ms = now_ms
        self._pulse(now_ms)

    def _pulse(self, now_ms):
        if now_ms < self._pulse_ends_ms:
            return
        if not self._pulses:
            self.key = False
            self._enter(0, now_ms)
            return
        pressed, ms = self._pulses[0]
        self._pulses = self._pulses[1:]
        self.key = pressed == 1
        self._pulse_ends_ms = now_ms + ms

    def _fail(self, error):
        self.error = error
        self.state = FAILED


def _number(digits):
    digits = digits.strip()
    return int(digits) if digits.isdigit() else None

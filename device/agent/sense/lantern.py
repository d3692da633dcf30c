"""Asks the lantern for something: a test, or to be dark for a while. It can only ask.

    lantern = Lantern(hal.output("lantern"), hal.output("lamp_test"), hal.adc("lamp_ma"),
                      hal.adc("solar_mv"))
    actions = {messages.LAMP_TEST: lantern.test, messages.LAMP_MODE: lantern.mode}

The lantern flashes by itself. It is asked by a line that somebody has to hold: a board that starts,
crashes, updates or loses its power lets go of it, and the lantern does as it always did. While the
agent lives, a mode ends by itself at the next dusk, when the panel's voltage has fallen, after twelve
hours at the latest, and a test after a minute at the latest.
"""

from agent.compat import const
from agent.errors import RemoteError
from agent.wire import messages
from agent.wire.encode import put_array, put_int
from agent.wire.read import Reader

OWN = const(0)  # as the lantern wants
OFF = const(1)  # dark; or whatever else the lantern's maker lets this line mean

# Of the panel of a 12 V buoy: by day it is pulled down to the battery at most.
_DUSK_MV = const(8000)
_DAY_MV = const(10000)

_MINUTES_MAX = const(720)
_TEST_MAX_S = const(60)
_SAMPLE_MS = const(50)  # sees the shortest flash, as `sense.light` does
_LOOK_MS = const(1000)


class Lantern:
    """`hold` and `test` are outputs, `lamp` reads mA, `solar` mV; None for what is not fitted."""

    def __init__(self, hold, test, lamp, solar, dusk_mv=_DUSK_MV, day_mv=_DAY_MV):
        self._hold = hold
        self._test = test
        self._lamp = lamp
        self._solar = solar
        self._dusk_mv = dusk_mv
        self._day_mv = day_mv
        self._day = False  # it was light since the mode was asked for
        self._hold_until_ms = None
        self._test_until_ms = None
        self._peak_ma = 0

    @property
    def held(self):
        """Whether the lantern is asked to be other than it wants; None when it cannot be asked."""
        return None if self._hold is None else self._hold_until_ms is not None

    def asking(self):
        """Return whether the lantern is asked for anything, a test too."""
        return self._hold_until_ms is not None or self._test_until_ms is not None

    def poll(self, now_ms):
        """Let go when it is time; return the milliseconds until the next look."""
        if self._hold_until_ms is not None and (self._dusk() or now_ms >= self._hold_until_ms):
            self._let_go()
        if self._test_until_ms is None:
            return _LOOK_MS
        if self._lamp is not None:
            self._peak_ma = max(self._peak_ma, self._lamp.read())
        if now_ms >= self._test_until_ms:
            self._test.write(0)
            self._test_until_ms = None
        return _SAMPLE_MS

    def release(self):
        """Let go of everything now, because the agent stops."""
        self._let_go()
        if self._test_until_ms is not None:
            self._test.write(0)
            self._test_until_ms = None

    def mode(self, arguments, now_ms):
        """Take [mode, minutes], `minutes` up to 720; answer [mode, minutes that it lasts at most]."""
        mode, minutes = _numbers(arguments, 2)
        if mode > OFF or minutes > _MINUTES_MAX or (mode == OFF and not minutes):
            raise RemoteError("arguments", "mode %d for %d minutes" % (mode, minutes))
        if self._hold is None:
            return messages.RESULT_UNSUPPORTED, b""
        if mode == OWN:
            self._let_go()
            minutes = 0
        else:
            self._day = False
            self._hold_until_ms = now_ms + minutes * 60000
            self._hold.write(1)
        return messages.RESULT_DONE, _answer(mode, minutes)

    def test(self, arguments, now_ms):
        """Take [seconds], up to 60; answer, when they are over, [highest current in mA or null]."""
        (seconds,) = _numbers(arguments, 1)
        if not 0 < seconds <= _TEST_MAX_S:
            raise RemoteError("arguments", "%d seconds" % seconds)
        if self._test is None:
            return messages.RESULT_UNSUPPORTED, b""
        self._peak_ma = 0
        self._test_until_ms = now_ms + seconds * 1000
        self._test.write(1)
        return self._tested

    def _tested(self, now_ms):
        if self._test_until_ms is not None:
            return None
        return messages.RESULT_DONE, _answer(self._peak_ma if self._lamp is not None else None)

    def _let_go(self):
        if self._hold_until_ms is not None:
            self._hold.write(0)
            self._hold_until_ms = None

    def _dusk(self):
        """Return whether it was light and is not any more. A cloud that looks like dusk may pass."""
        if self._solar is None:
            return False
        mv = self._solar.read()
        if mv >= self._day_mv:
            self._day = True
        return self._day and mv < self._dusk_mv


def _numbers(arguments, n):
    reader = Reader(arguments, 0, len(arguments))
    reader.array(n, n)
    values = [reader.uint() for _ in range(n)]
    reader.finish()
    return values


def _answer(*values):
    buf = bytearray(16)
    pos = put_array(buf, 0, len(values))
    for value in values:
        pos = put_int(buf, pos, value)
    return bytes(buf[:pos])

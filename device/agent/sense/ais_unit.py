"""The AIS AtoN unit on the line: what it is given to send, and how often.

    unit = Unit(line.write, aid, plan, state, weather)
    wait_ms = unit.poll(now_ms)

`aid` is as in `ais_compose.aton`. `plan` says what goes when:

    form, channel              ais_write.BINARY … and 0 to 3
    dest, dac, application     of message 6: to whom; 235, 250 or 0, and for 0 its sub-application
    aton_s, faster_s           message 21 on and off position
    status_s, weather_s        messages 6 (and on every change) and 8
    tokens, refill_s           the bucket: so many at once, then one in so many seconds

An interval or a `dest` of 0 leaves a message out. `state(now_ms)` returns the tuple of `ais_compose`,
or None while nothing can be said; `weather(now_ms)` the values of the newest `weather` record, or None.

What waits is kinds of messages, not messages: each is composed when it goes, of what is true then.
"""

from array import array

from agent.compat import const
from agent.sense import ais_compose
from agent.sense.ais_write import VDM, Bits, lines

_POLL_MS = const(1000)
_FULL_MS = const(20)  # until a UART that was full is tried again

# Kinds, in the order in which they go.
_ATON = const(0)
_STATUS = const(1)
_WEATHER = const(2)
_KINDS = const(3)


class Unit:
    """A part. `write(buf)` returns how many bytes the line took.

    `sent` counts messages given to the unit, `held` those that were not, because a newer one of their
    kind came while the bucket was empty.
    """

    def __init__(self, write, aid, plan, state, weather=None):
        self.sent = 0
        self.held = 0
        self._write = write
        self._aid = aid
        self._plan = plan
        self._state = state
        self._weather = weather
        self._asked_s = array("i", [-0x40000000] * _KINDS)
        self._waiting = 0
        self._word = None
        self._tokens = plan[9]
        self._refilled_s = 0
        self._out = b""

    def poll(self, now_ms):
        if not self._flushed():
            return _FULL_MS
        state = self._state(now_ms)
        if state is not None:
            now_s = now_ms // 1000
            self._refill(now_s)
            self._ask(state, now_s)
            for kind in range(_KINDS):
                if self._waiting >> kind & 1 and self._tokens > 0:
                    self._waiting ^= 1 << kind
                    self._compose(kind, state, now_ms)
                    if not self._flushed():
                        return _FULL_MS
        return _POLL_MS

    def _flushed(self):
        if self._out:
            self._out = self._out[self._write(self._out) :]
        return not self._out

    def _refill(self, now_s):
        most, refill_s = self._plan[9:]
        if self._tokens >= most:
            self._refilled_s = now_s
        gained = (now_s - self._refilled_s) // refill_s
        self._tokens = min(self._tokens + gained, most)
        self._refilled_s += gained * refill_s

    def _ask(self, state, now_s):
        # What people act on: a change of it does not wait for the hour. Voltages do.
        word = (state[5:9], state[11:13])
        _, _, dest, _, _, aton_s, faster_s, status_s, weather_s, _, _ = self._plan
        for kind, period_s in (
            (_ATON, min(aton_s, faster_s) if state[5] else aton_s),
            (_STATUS, dest and status_s),
            (_WEATHER, self._weather and weather_s),
        ):
            if period_s and (
                now_s - self._asked_s[kind] >= period_s or (kind == _STATUS and word != self._word)
            ):
                self._asked_s[kind] = now_s
                self.held += self._waiting >> kind & 1
                self._waiting |= 1 << kind
        self._word = word

    def _compose(self, kind, state, now_ms):
        form, channel, dest, dac, application = self._plan[:5]
        sequence = self.sent % 4
        bits = Bits()
        number = 21
        if kind == _ATON:
            form = form or VDM
            ais_compose.aton(bits, self._aid, state)
        else:
            number = 6 if kind == _STATUS else 8
            if form:
                ais_compose.head(bits, number, self._aid[0], dest, sequence)
            if kind == _WEATHER:
                values = self._weather(now_ms)
                if values is None:
                    return
                ais_compose.weather(bits, state, values)
            elif dac:
                ais_compose.gla(bits, dac, state)
            else:
                ais_compose.zeni(bits, application, state)
        self._out = lines(bits, form, number, dest, sequence, channel)
        self._tokens -= 1
        self.sent += 1

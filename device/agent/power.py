"""The battery: may a radio start, what must be told, how often is reported, when does the board sleep.

    power = Power(hal.adc("batt_mv"), limits, weak)
    wait_ms = power.poll(now_ms)
    power.open          a radio may be on
    power.stretch       the report interval is so many times longer
    power.next_alarm()  what to tell now, or None. After a raised ALARM_LAST_GASP write to flash what
                        is only in RAM, at once: the supply is going
    power.sleep_ms(…)   how long to sleep deeply, 0: stay awake

`limits` are four voltages in falling order, in mV: on, low, off, last. Below `low` the battery is
reported low; below `off` no radio starts, until the battery is above `on` again and has stayed there:
a battery with its load taken off recovers at once, and would be pulled down at once again (reset,
radio, brown-out, reset …). Below `last` the supply is going. 0 switches a limit off.

An unknown voltage forbids nothing: a broken divider must not silence a buoy. And a gate that is shut
opens for five minutes after every day of uptime: wrong limits must not silence it for ever either.
"""

from agent.compat import const
from agent.wire.codes import ALARM_BATTERY_LOW, ALARM_LAST_GASP

_SAMPLE_MS = const(100)  # a supply's capacitors last for a few tenths of a second
_FALL_MS = const(10000)  # below a limit for so long: a modem's transmit burst is shorter
_HOLD_MS = const(300000)  # above a limit for so long: the battery, not the missing load
_NOTHING_MV = const(1000)  # no board runs on less: the divider is not fitted, or broken

_TRY_MS = const(86400000)
_TRY_FOR_MS = const(300000)

_UNKNOWN = const(-1)
_FINE = const(0)
_LOW = const(1)
_SHUT = const(2)
_STRETCH = b"\x01\x02\x06"  # by the state: ten minutes, twenty, an hour
_TOLD = const(4)  # beside the state in `kept`: the battery was reported low,
_GASPED = const(8)  # and its last gasp was told

_PENDING_MAX = const(4)  # alarms not yet fetched: two kinds, raised and cleared

# Deep sleep
_WINDOW_MS = const(120000)  # after a start that is no wake: the REPL is there, for people
_LINGER_MS = const(5000)  # after the gateway has answered: its commands have come by then
_AWAKE_MS = const(90000)  # for a link and acks; after that the battery counts more
_WORTH_MS = const(20000)  # starting costs as much as staying awake for less
_EARLY_MS = const(4000)  # a start takes time, and sensors must have said something
_SLEEP_MAX_MS = const(3600000)  # a board that is asleep can be told nothing


class Power:
    """`reader` gives the battery's voltage in mV, or is None when it is not measured.

    `weak`: the battery may have caused this start: a brown-out, or a power-on where the board cannot
    tell them apart. `kept` is what `kept` was before a deep sleep, else None.
    """

    def __init__(self, reader, limits, weak, kept=None):
        self.mv = None
        self.open = reader is None  # before the first sample nobody knows
        self.stretch = 1
        self._reader = reader
        self._on_mv, self._low_mv, self._off_mv, self._last_mv = limits
        self._weak = weak
        self._woke = kept is not None
        self._state = _UNKNOWN if kept is None else kept & 3
        self._told = kept is not None and kept & _TOLD > 0
        self._toward = _UNKNOWN  # the state that the voltage asks for,
        self._since_ms = 0  # and since when
        self._start_ms = None
        self._next_ms = 0
        self._pending = []
        self._gasp_ms = 0 if kept is not None and kept & _GASPED else None

    def poll(self, now_ms):
        """Take a sample when it is due; return the milliseconds until the next."""
        if self._start_ms is None:
            self._start_ms = self._next_ms = now_ms
        if self._reader is None:
            return 1000
        if now_ms >= self._next_ms:
            self._next_ms = now_ms + _SAMPLE_MS
            try:
                self._take(self._reader.read(), now_ms)
            except OSError:
                self._take(0, now_ms)  # unknown, as a broken divider
                raise
        return self._next_ms - now_ms

    def next_alarm(self):
        """Return the values of the next `alarm` record (what, active, value, limit), or None."""
        return self._pending.pop(0) if self._pending else None

    def kept(self):
        """Return what the next wake goes on with: a number below 16."""
        gasped = 0 if self._gasp_ms is None else _GASPED
        return max(self._state, _FINE) | (_TOLD if self._told else 0) | gasped

    def sleep_ms(self, now_ms, due_ms, kept, heard_ms, busy):
        """Return for how long to sleep deeply now, 0 to stay awake.

        `due_ms`: uptime of the next report; `kept`: records not acknowledged; `heard_ms`: uptime when
        the gateway last answered, None before; `busy`: something must not be cut off (a command, an
        update, a trial, a session).
        """
        if busy or self._start_ms is None:
            return 0
        awake_ms = now_ms - self._start_ms
        if not self._woke and awake_ms < _WINDOW_MS:
            return 0
        if self.open and awake_ms < _AWAKE_MS:
            if kept or heard_ms is None or now_ms - heard_ms < _LINGER_MS:
                return 0
        left_ms = min(due_ms - now_ms - _EARLY_MS, _SLEEP_MAX_MS)
        if self._state == _SHUT:
            left_ms = min(left_ms, _TRY_MS - now_ms % _TRY_MS)
        return left_ms if left_ms >= _WORTH_MS else 0

    def _take(self, mv, now_ms):
        if mv < _NOTHING_MV:
            self.mv = None
            self.open = True
            self.stretch = 1
            return
        if self._state == _UNKNOWN:
            self._enter(self._first(mv), mv)
        elif self._woke and self._state == _SHUT and self.mv is None and mv >= self._on_mv:
            self._enter(_FINE, mv)  # it has rested while we slept
        self._settle(mv, now_ms)
        self._watch_supply(mv, now_ms)
        self.mv = mv
        self.stretch = _STRETCH[self._state]
        self.open = self._state != _SHUT or (now_ms >= _TRY_MS and now_ms % _TRY_MS < _TRY_FOR_MS)

    def _first(self, mv):
        self._weak = self._weak and self._off_mv <= mv < self._on_mv and self._off_mv > 0
        return _SHUT if self._weak or mv < self._off_mv else _FINE

    def _settle(self, mv, now_ms):
        """Enter another state when the voltage has asked for it for long enough."""
        if mv < self._off_mv:
            self._weak = False  # from now on this battery has to charge first
            toward = _SHUT
        elif self._weak or mv >= self._on_mv:
            # After a weak start between the limits it only has to hold, without load.
            toward = _FINE if mv >= self._low_mv else _LOW
        else:
            toward = _LOW if self._state == _FINE and mv < self._low_mv else self._state
        if toward == self._state:
            self._toward = _UNKNOWN
        elif toward != self._toward:
            self._toward = toward
            self._since_ms = now_ms
        elif now_ms - self._since_ms >= (_FALL_MS if toward > self._state else _HOLD_MS):
            self._weak = False
            self._enter(toward, mv)

    def _enter(self, state, mv):
        self._state = state
        self._toward = _UNKNOWN
        low = state != _FINE and not self._weak
        if self._low_mv and low != self._told:
            self._told = low
            self._tell(ALARM_BATTERY_LOW, low, mv, self._low_mv if low else self._on_mv)

    def _watch_supply(self, mv, now_ms):
        if not self._last_mv:
            return
        before_mv = mv if self.mv is None else self.mv
        # Twice below the limit, for one bad sample is no end; or once, by a quarter at a blow: torn off.
        if mv < self._last_mv and (before_mv < self._last_mv or mv * 4 < before_mv * 3):
            if self._gasp_ms is None:
                self._tell(ALARM_LAST_GASP, True, mv, self._last_mv)
            self._gasp_ms = now_ms
        elif self._gasp_ms is not None:
            if mv < self._off_mv:
                self._gasp_ms = now_ms
            elif now_ms - self._gasp_ms >= _HOLD_MS:
                self._gasp_ms = None
                self._tell(ALARM_LAST_GASP, False, mv, self._last_mv)

    def _tell(self, what, active, value, limit):
        if len(self._pending) == _PENDING_MAX:
            self._pending.pop(0)
        self._pending.append((what, int(active), value, limit))

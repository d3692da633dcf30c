"""What the light shows, seen by its current, and whether that is what it should show.

    light = Light(hal.adc("lamp_ma"), character.read("Fl(2) R 6s"), daylight, alarms, day_ms, 20)
    light.lit(now_ms)       True, False, or None while it has not been watched for long enough
    light.values(now_ms)    of a `light` record

The lantern flashes by itself; nothing here can put it out. What was not watched, because a poll came
late or the agent itself asked the lantern for something, is not judged: not known is neither healthy
nor failed, and it clears nothing. docs/light.md has the rules.
"""

from agent.compat import const
from agent.sense.current import Current
from agent.sense.rhythm import BAD, GOOD, UNSURE, Rhythm
from agent.wire import codes

_SAMPLE_MS = const(17)  # and up to 7 more, so that no dimming stays in step with the samples
_DAY_MS = const(200)  # between samples while it is and should be dark
_LOOK_MS = const(1000)
_HOLE_MAX_MS = const(120)  # who looks away for longer may miss a flash

_OFF_MS = const(100)  # on top of 5 % of a period; also what being in step means
_FIXED_DARK_MS = const(9000)
_LONG_MS = const(1 << 20)  # longer than any limit
_PERIODS = const(3)  # before a fault is raised, and before it is cleared
_GOOD_MS = const(
    15000
)  # and as long at least: a group of an interrupted quick light is no quick light
_FRESH = const(4)  # periods after which a good one tells nothing any more
_BY_DAY_S = const(900)

# The codes of faults (by weight) and of their alarms have the same order.
_ALARM = const(5)
_SHOWN = const(0x1C)  # unlit, always on, wrong rhythm: one at a time, and alarms
_FAILED = const(0x3C)  # what counts against availability: these, and reduced


class Light:
    """The part. `lamp` reads mA, or 0 and 1 if it is a `contact`; None when it is not fitted.

    `character` is a character.Character, or None: then the light is only lit or, `dark_s` after its
    last flash, not, and nothing is a fault. `daylight` is a sense.daylight.Daylight. `day_ms(now_ms)` gives the milliseconds
    of the UTC day, or None when no GNSS time is known; `sync`: the character begins in step with it.
    `reduced_ma` is the least mean current while lit, 0: any. `held()` says whether the agent itself
    asks the lantern for something.
    """

    def __init__(
        self,
        lamp,
        character,
        daylight,
        alarms,
        day_ms,
        on_ma,
        reduced_ma=0,
        contact=False,
        sync=False,
        held=None,
        dark_s=20,
    ):
        self._current = Current(lamp, on_ma, contact)
        self._rhythm = rhythm = Rhythm(character)
        self._daylight = daylight
        self._known = character is not None
        self._alarms = alarms
        self._day_ms = day_ms
        self._reduced_ma = reduced_ma
        self._sync = sync
        self._held = held
        self._hole_ms = _HOLE_MAX_MS
        if rhythm.shortest_ms:
            self._dark_max_ms = rhythm.span_ms + rhythm.span_ms // 20 + _OFF_MS
            self._fault_ms = self._dark_max_ms + rhythm.span_ms
            self._hole_ms = min(rhythm.shortest_ms * 2 // 5, _HOLE_MAX_MS)
        else:
            self._fault_ms = dark_s * 1000 if character is None else _FIXED_DARK_MS
            self._dark_max_ms = self._fault_ms
        self._last_ms = None
        self._look_ms = 0
        self._asked_ms = _SAMPLE_MS
        self._should = None
        self._since_ms = 0  # only what is from then on counts; in the future: nothing is judged
        self._good_ms = -_LONG_MS  # end of the last good period
        self._lit = False  # there was light, and since then no longer darkness than there may be
        self._same_ms = 0  # so long it has been as it is, dark or lit
        self._good = self._bad_ms = self._dim = self._out = self._by_day_s = 0
        self._lit_ma = self._sync_ms = None
        self._should_s = self._failed_s = 0
        self._faults = 0
        for state in range(codes.LIGHT_UNLIT, codes.LIGHT_BY_DAY + 1):
            if alarms.level(state + _ALARM):  # known from before a deep sleep
                self._faults |= 1 << state

    def poll(self, now_ms):
        """Take a sample when it is due; return the milliseconds until the next."""
        current = self._current
        if current.reader is None:
            return _LOOK_MS
        gap_ms = 0
        if self._last_ms is not None:
            gap_ms = now_ms - self._last_ms
            if gap_ms < self._asked_ms:
                return self._asked_ms - gap_ms
        self._last_ms = now_ms
        if now_ms >= self._look_ms:
            self._look(now_ms)
        if gap_ms > self._hole_ms:
            self._rhythm.hole(gap_ms)
        if gap_ms <= self._asked_ms + self._hole_ms:
            self._same_ms = min(self._same_ms + gap_ms, _LONG_MS)
        judged = now_ms >= self._since_ms
        verdict = None
        if current.sample(now_ms, gap_ms):
            self._same_ms = 0
            self._lit = True
            if judged:
                verdict = self._rhythm.turn(current.turn_ms, current.on, current.slack_ms)
        if self._same_ms >= self._dark_max_ms:
            verdict = self._long(now_ms, current.on) or verdict
        if verdict and judged:
            self._ended(verdict, now_ms)
        dark = self._should == codes.SHOULD_NOT and not (self._lit or current.turning)
        self._asked_ms = _DAY_MS if dark else _SAMPLE_MS + (now_ms & 7)
        return self._asked_ms

    def lit(self, now_ms):
        """Return True, False, or None while it has not been watched for long enough."""
        if self._lit:
            return True
        return False if self._same_ms >= self._dark_max_ms else None

    def take_peak_ma(self):
        """Return the highest current since the last call, or None."""
        return self._current.take_peak_ma()

    def fault(self):
        """Return whether it is not as it should be, or None when that is not known."""
        state = self._state()
        return None if state == codes.LIGHT_UNKNOWN else state != codes.LIGHT_GOOD

    def values(self, now_ms):
        """Return the values of a `light` record."""
        daylight = self._daylight
        rhythm = self._rhythm
        lit = self._lit
        seen = lit and rhythm.shortest_ms
        return (
            self._state(),
            daylight.should(now_ms),
            rhythm.period_ms if seen else None,
            rhythm.flashes if seen else None,
            rhythm.deviation_ms if seen else None,
            self._sync_ms if seen else None,
            self._lit_ma if lit else None,
            daylight.lux,
            daylight.sun_dd,
            self._should_s,
            self._failed_s,
        )

    def _state(self):
        now_ms = self._last_ms
        if now_ms is None or now_ms < self._since_ms:
            return codes.LIGHT_UNKNOWN
        for state in range(codes.LIGHT_UNLIT, codes.LIGHT_BY_DAY + 1):
            if self._faults >> state & 1:
                return state
        if self._lit:
            good = now_ms - self._good_ms <= _FRESH * self._rhythm.span_ms
        else:
            good = self.lit(now_ms) is False and self._should in (
                codes.SHOULD_NOT,
                codes.SHOULD_EITHER,
            )
        return codes.LIGHT_GOOD if good else codes.LIGHT_UNKNOWN

    def _long(self, now_ms, on):
        """Take it that light or darkness lasts longer than it may; return GOOD for a steady light."""
        steady = not self._rhythm.shortest_ms
        if on and steady:
            if self._same_ms < self._rhythm.span_ms:
                return None
            self._same_ms = 0
            return GOOD
        if not on:
            self._lit = False
            self._current.forget()
        if self._same_ms >= self._fault_ms:
            if now_ms - self._since_ms >= self._fault_ms:
                if on:
                    self._show(codes.LIGHT_ALWAYS_ON)
                elif self._should == codes.SHOULD:
                    self._show(codes.LIGHT_UNLIT)
            self._rhythm.restart()
        return None

    def _ended(self, verdict, now_ms):
        """Take what was found about a period."""
        rhythm = self._rhythm
        self._lit_ma = lit_ma = self._current.take_mean_ma()
        if verdict == UNSURE:
            return
        least_ma = self._reduced_ma
        if least_ma and lit_ma is not None:
            self._dim = self._row(
                codes.LIGHT_REDUCED, self._dim, lit_ma < least_ma, lit_ma, least_ma
            )
        if verdict == BAD:
            self._good = 0
            self._bad_ms += min(rhythm.took_ms, 2 * rhythm.span_ms)
            self._wrong(0)
            return
        self._good_ms = now_ms
        self._bad_ms = 0
        self._good += 1
        if self._good >= _PERIODS and self._good * rhythm.span_ms >= _GOOD_MS:
            self._show(0)
        day_ms = self._day_ms(now_ms)
        self._sync_ms = None
        if day_ms is not None and rhythm.repeat_ms:
            late_ms = (day_ms - now_ms + rhythm.begun_ms) % rhythm.repeat_ms
            if late_ms * 2 > rhythm.repeat_ms:
                late_ms -= rhythm.repeat_ms
            self._sync_ms = late_ms
            if self._sync:
                out = abs(late_ms) > _OFF_MS + rhythm.slack_ms
                self._out = self._row(codes.LIGHT_OUT_OF_SYNC, self._out, out, late_ms, _OFF_MS)

    def _row(self, state, n, bad, value, limit):
        """Count periods in a row, bad ones up, others down; raise and clear at the third."""
        n = max(n, 0) + 1 if bad else min(n, 0) - 1
        if abs(n) >= _PERIODS:
            self._set(state, bad, value, limit)
        return n

    def _wrong(self, late_ms):
        """See whether it has been wrong for three periods, with one that has been going on too long."""
        if self._bad_ms and self._bad_ms + late_ms >= self._rhythm.span_ms * 57 // 20:
            self._show(codes.LIGHT_WRONG_RHYTHM)

    def _show(self, state):
        """Set one of unlit, always on and wrong rhythm; 0: none of them."""
        if state:
            self._good = self._bad_ms = 0
        if self._faults & _SHOWN != (1 << state) & _SHOWN:
            value = self._rhythm.deviation_ms if state == codes.LIGHT_WRONG_RHYTHM else None
            for other in range(codes.LIGHT_UNLIT, codes.LIGHT_REDUCED):
                self._set(other, other == state, value, None)

    def _set(self, state, on, value, limit):
        bit = 1 << state
        self._faults = self._faults & ~bit | (bit if on else 0)
        level = codes.LEVEL_ALARM if bit & _SHOWN else codes.LEVEL_WARNING
        self._alarms.set(state + _ALARM, level if on else 0, value, limit)

    def _look(self, now_ms):
        """Look once a second at what should be, and at what takes its time."""
        self._look_ms = max(self._look_ms + _LOOK_MS, now_ms)
        daylight = self._daylight
        # Where nobody said what it should show, perhaps there is none: then nothing is missing.
        should = daylight.should(now_ms) if self._known else None
        if should != self._should:
            self._should = should
            if should == codes.SHOULD and self._since_ms < now_ms:
                self._since_ms = now_ms
        rhythm = self._rhythm
        if self._held is not None and self._held():
            self._since_ms = now_ms + _LOOK_MS + rhythm.span_ms
        if now_ms < self._since_ms:
            rhythm.restart()
            return
        self._wrong(rhythm.late_ms(now_ms))
        by_day = codes.LIGHT_BY_DAY
        lit = self.lit(now_ms)
        if should == codes.SHOULD_NOT and lit:
            self._by_day_s += daylight.bright is True
            if self._by_day_s >= _BY_DAY_S:
                self._set(by_day, True, daylight.lux, None)
        elif lit is False or should == codes.SHOULD:
            self._by_day_s = 0
            self._set(by_day, False, None, None)
        if should == codes.SHOULD and self._state() != codes.LIGHT_UNKNOWN:
            self._should_s += 1
            self._failed_s += self._faults & _FAILED > 0
        for state in range(codes.LIGHT_UNLIT, by_day + 1):  # if the queue was full, once more
            self._set(state, self._faults >> state & 1, None, None)

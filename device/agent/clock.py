"""Uptime that does not wrap, and the time of day with where it came from.

    clock = Clock(BUILT, hal.files(), hal.rtc())
    now_ms = clock.advance(hal.ticks_diff(ticks, last))
    clock.offer(CLOCK_GNSS, t, ms, at_ms, 500)
    if clock.changed: emit(CLOCK, clock.take_change())
    clock.poll(now_ms)                  keeps the time for the next start

Sources in falling order of trust are GNSS, BeiDou terminal, NTP, gateway, RTC (`wire.codes`). A
better one takes over at once; a worse one only after the better has been silent for `_HOLD_MS`. While
no source was believed, `t()` is -1 - uptime, and the gateway dates those records by the boot's first
`clock` record (DESIGN §2).

Every better source sets the RTC. At the next start the RTC is believed as far as its oscillator may
have strayed since; when and how well it was set lies in a small store, and without that it is not
believed at all: anybody may have set it, to local time or to a mere floor for TLS.

Milliseconds since start are plain integers: past 12.4 days they no longer fit a small integer on a
32-bit board and cost an allocation each, which is cheaper than a wrap that makes old values look new.
"""

from agent.compat import const
from agent.keep import numbers
from agent.wire.codes import CLOCK_GNSS, CLOCK_RTC

# A receiver that lost its antenna is believed for as long as a crystal (20 ppm) stays within half a
# second.
_HOLD_MS = const(6 * 3600 * 1000)

# Differences below this are the latency of sentences and networks, not a wrong clock.
_STEP_MS = const(1000)

# One sentence with a wrong date must not date a whole boot: so many agree before a receiver is
# believed.
_AGREE = const(3)
_AGREE_MS = const(2000)

# No device is in service for longer than this after its firmware was built.
_LIFE_S = const(15 * 366 * 86400)

# How old the kept time may be: one small write an hour. After a step it may be kept sooner, but a
# receiver that jumps to and fro must not wear the flash.
_KEEP_S = const(3600)
_KEEP_SOON_MS = const(600000)
_POLL_MS = const(1000)
_DAY_S = const(86400)

# What an RTC may stray: the RC oscillator that an ESP32 without a clock crystal counts by in deep
# sleep, over temperature. A board whose RTC is better says so in `rtc.ppm`.
_RTC_PPM = const(50000)
_RTC_SECOND_MS = const(1500)  # whole seconds, rounded when set and cut off when read
# A worse time than this is of less use than none: undated records are dated exactly, later.
_RTC_MAX_MS = const(600000)

_STORE = "clock"


class Clock:
    """The agent's clock; `files` and `rtc` may be None.

    `refused` counts times that cannot be true, `disagreed` those that a better source contradicts.
    """

    def __init__(self, built, files=None, rtc=None):
        self.now_ms = 0
        self.source = None
        self.changed = False
        self.refused = 0
        self.disagreed = 0
        self._built = built
        self._offset_ms = 0  # ms since 2020 = now_ms + offset
        self._offset_s = 0  # the same in two small integers, for `t`
        self._rest_ms = 0
        self._heard_ms = 0
        self._uncertainty_ms = 0
        self._step_s = None
        self._agreed = 0
        self._candidate_ms = 0
        self._files = files
        self._rtc = rtc
        self._kept_t = 0  # in the store: the last time known,
        self._set_t = 0  # when the RTC was set (0: it is not),
        self._set_ms = 0  # and how well
        self._heard = False  # since the RTC was set
        self._stepped = False
        self._kept_ms = None
        if files is not None:
            self._begin()

    def advance(self, elapsed_ms):
        """Add what the tick counter moved; return the milliseconds since start."""
        self.now_ms += elapsed_ms
        return self.now_ms

    def uptime_s(self):
        return self.now_ms // 1000

    def t(self):
        """Return the time for a record: seconds since 2020, or -1 - uptime while unset."""
        if self.source is None:
            return -1 - self.now_ms // 1000
        return self._offset_s + (self.now_ms + self._rest_ms) // 1000

    def day(self, now_ms):
        """Return the number of the UTC day, counted from 2020-01-01, or None while the clock is unset."""
        t = self.t()
        return None if t < 0 else t // _DAY_S

    def gnss_day_ms(self, now_ms):
        """Return the milliseconds of the UTC day at an uptime, None unless they are as good as GNSS."""
        if self.source != CLOCK_GNSS:
            return None
        return (now_ms + self._offset_ms) % (_DAY_S * 1000)

    def floor(self):
        """Return the earliest time it can be now, seconds since 2020: what dates of TLS are held against.

        The time itself where a source is believed, else the later of build date and last kept time.
        """
        if self._trusted():
            return self.t()
        return max(self._built, self._kept_t, self.t())

    def offer(self, source, t, ms, at_ms, uncertainty_ms):
        """Take the time `t` + `ms` that `source` gave when the uptime was `at_ms`.

        Returns whether it was believed. `changed` is set when the clock was set, stepped or changed
        its source.
        """
        if not self._built <= t <= self._built + _LIFE_S:
            self.refused += 1
            return False
        offset_ms = t * 1000 + ms - at_ms
        if source == CLOCK_GNSS and not self._agrees(offset_ms):
            return False
        known = self.source is not None
        off_ms = offset_ms - self._offset_ms
        if known and source > self.source and at_ms - self._heard_ms < _HOLD_MS:
            if abs(off_ms) >= _STEP_MS + uncertainty_ms + self._uncertainty_ms:
                self.disagreed += 1
            return False
        self._heard_ms = at_ms
        self._heard = True
        if known and source == self.source and abs(off_ms) < _STEP_MS + uncertainty_ms:
            return True
        self._step_s = (off_ms + 500) // 1000 if known else None
        self._offset_ms = offset_ms
        self._offset_s = offset_ms // 1000
        self._rest_ms = offset_ms % 1000
        self._uncertainty_ms = uncertainty_ms
        self.source = source
        self.changed = self._stepped = True
        return True

    def take_change(self):
        """Return the values of a `clock` record for the last change."""
        self.changed = False
        return (self.uptime_s(), self.source, self._uncertainty_ms, self._step_s)

    def poll(self, now_ms):
        """Set the RTC and keep the time when that is due; return the milliseconds until the next look.

        Raises OSError when the flash refuses; it is tried again after ten minutes.
        """
        if not self._trusted():
            return _POLL_MS
        t = self.t()
        late = not self._set_t or not 0 <= t - self._kept_t < _KEEP_S
        if self._stepped or (late and self._heard):
            self._stepped = self._heard = False
            self._set_t = t
            self._set_ms = self._uncertainty_ms
            if self._rtc is not None:
                self._rtc.set((self.now_ms + self._offset_ms + 500) // 1000)
        if late and (self._kept_ms is None or now_ms - self._kept_ms >= _KEEP_SOON_MS):
            self._kept_ms = now_ms
            self._kept_t = t
            self._keep()
        return _POLL_MS

    def _trusted(self):
        return self.source is not None and self.source < CLOCK_RTC

    def _begin(self):
        kept = numbers.load(self._files, _STORE, 3)
        if kept is None or kept[0] > self._built + _LIFE_S:
            return
        self._kept_t, self._set_t, self._set_ms = kept
        if self._rtc is None or not self._set_t:
            return
        t = self._rtc.get()
        if t is not None and t >= self._set_t:
            ppm = getattr(self._rtc, "ppm", _RTC_PPM)
            strayed_ms = (
                (t - self._set_t) * ppm // (1000 - ppm // 1000)
            )  # the age is by its own count
            uncertainty_ms = self._set_ms + _RTC_SECOND_MS + strayed_ms
            if uncertainty_ms <= _RTC_MAX_MS:
                self.offer(CLOCK_RTC, t, 500, self.now_ms, uncertainty_ms)
        if self.source is None:
            # From now on TLS may set it to the floor. The start after this one must not believe that.
            self._set_t = 0
            try:
                self._keep()
            except OSError:
                pass  # a flash that refuses is found out by others

    def _keep(self):
        if self._files is not None:
            numbers.save(self._files, _STORE, (self._kept_t, self._set_t, self._set_ms))

    def _agrees(self, offset_ms):
        if abs(offset_ms - self._candidate_ms) > _AGREE_MS:
            self._agreed = 0
        self._candidate_ms = offset_ms
        if self._agreed < _AGREE:
            self._agreed += 1
        return self._agreed == _AGREE

"""Uptime that does not wrap, and the time of day with where it came from.

    clock = Clock(BUILT)
    now_ms = clock.advance(hal.ticks_diff(ticks, last))
    clock.offer(CLOCK_GNSS, t, ms, at_ms, 500)
    if clock.changed: emit(CLOCK, clock.take_change())

Sources in falling order of trust are GNSS, BeiDou terminal, NTP, gateway, RTC (`wire.codes`). A
better one takes over at once; a worse one only after the better has been silent for `_HOLD_MS`. While
no source was believed, `t()` is -1 - uptime, and the gateway dates those records by the boot's first
`clock` record (DESIGN §2).

Milliseconds since start are plain integers: past 12.4 days they no longer fit a small integer on a
32-bit board and cost an allocation each, which is cheaper than a wrap that makes old values look new.
"""

from agent.compat import const
from agent.wire.codes import CLOCK_GNSS

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


class Clock:
    """The agent's clock. `refused` counts times that cannot be true."""

    def __init__(self, built):
        self.now_ms = 0
        self.source = None
        self.changed = False
        self.refused = 0
        self._built = built
        self._offset_ms = 0  # ms since 2020 = now_ms + offset
        self._heard_ms = 0
        self._uncertainty_ms = 0
        self._step_s = None
        self._agreed = 0
        self._candidate_ms = 0

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
        return (self.now_ms + self._offset_ms) // 1000

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
        if known and source > self.source and at_ms - self._heard_ms < _HOLD_MS:
            return False
        off_ms = offset_ms - self._offset_ms
        self._heard_ms = at_ms
        if known and source == self.source and abs(off_ms) < _STEP_MS + uncertainty_ms:
            return True
        self._step_s = (off_ms + 500) // 1000 if known else None
        self._offset_ms = offset_ms
        self._uncertainty_ms = uncertainty_ms
        self.source = source
        self.changed = True
        return True

    def take_change(self):
        """Return the values of a `clock` record for the last change."""
        self.changed = False
        return (self.uptime_s(), self.source, self._uncertainty_ms, self._step_s)

    def _agrees(self, offset_ms):
        if abs(offset_ms - self._candidate_ms) > _AGREE_MS:
            self._agreed = 0
        self._candidate_ms = offset_ms
        if self._agreed < _AGREE:
            self._agreed += 1
        return self._agreed == _AGREE

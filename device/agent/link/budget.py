"""Bytes per month on links that are paid by the byte, against what the SIM may use.

    budget = Budget(clock, hal.files(), mib)
    budget.seen(link.bytes(), metered)  bytes of the link since start
    budget.poll(now_ms)
    budget.level                        how far the plan is thinned
    budget.keep(now_ms)                 before a reset of our own, and before a sleep

What is thinned, before the budget is gone: bulk (AIS) is not made any more from level 1, detail
records from level 2, reports are `stretch` times rarer at level 3. Alarms are always made and sent.
A share of the budget that is used up thins only as long as more of the budget is gone than of the
month: towards its end there is nothing to save for.

The month is the clock's. While the clock is unset it is that of the last start, or ends after thirty
days of uptime. The sum is kept in a small file, written after `_KEEP_KIB` or a day: a power cut loses
at most so much, which is why a budget should be some percent below what the SIM has.
"""

from agent.compat import const
from agent.keep import numbers
from agent.sense.utc import date
from agent.wire.codes import ALARM_DATA_BUDGET

_STRETCH = const(4)  # of the report interval, at level 3

_KEEP_KIB = const(64)
_KEEP_MS = const(86400000)
_DAY_MS = const(86400000)
_DAY_S = const(86400)
_DAYS = const(30)  # of a month nobody knows
_POLL_MS = const(1000)
_THINNED_E2 = b"\x46\x55\x5f"  # 70, 85, 95 percent used: bulk off, detail off, longer interval

_STORE = "budget"


class Budget:
    """`mib` a month are allowed; 0 is no budget: bytes are only counted."""

    def __init__(self, clock, files, mib):
        self.level = 0
        self.stretch = 1
        self._clock = clock
        self._files = files
        self._budget_kib = mib * 1024
        # Year * 12 + month (0: not known), what was used in it, and whether that was told.
        kept = numbers.load(files, _STORE, 4) or (0, 0, 0, 0)
        self._month = kept[0]
        self._kib = kept[1]
        self._bytes = kept[2]
        self._told = bool(kept[3])
        self._kept_kib = self._kib
        self._kept_ms = 0
        self._since_ms = 0  # uptime at which a month that nobody knows began
        self._today = -1  # day since 2020, and its place in the month
        self._day = 1
        self._seen = 0
        self._alarm = None

    def month_kib(self):
        """Return the KiB used this month, as far as it is known."""
        return self._kib

    def seen(self, total, metered):
        """Take the bytes that the link has carried since start; `metered`: those since the last call."""
        if metered:
            self._bytes += total - self._seen
        self._seen = total
        self._kib += self._bytes >> 10
        self._bytes &= 1023

    def poll(self, now_ms):
        """Find the level; return the milliseconds until the next look. Raises OSError of the flash."""
        self.level = self._thinned(self._days_gone(now_ms))
        self.stretch = _STRETCH if self.level == len(_THINNED_E2) else 1
        told = self.level > 0 or (self._told and self._kib > 0)
        if told != self._told:
            self._told = told
            self._alarm = (ALARM_DATA_BUDGET, int(told), self._kib, self._budget_kib)
            self.keep(now_ms)
        elif self._kib - self._kept_kib >= (_KEEP_KIB if now_ms - self._kept_ms < _KEEP_MS else 1):
            self.keep(now_ms)
        return _POLL_MS

    def next_alarm(self):
        """Return the values of an `alarm` record (KiB used, KiB allowed), or None."""
        alarm, self._alarm = self._alarm, None
        return alarm

    def keep(self, now_ms):
        """Write the sum: when it is due, before a reset of our own, before a sleep. Raises OSError."""
        self._kept_ms = now_ms
        self._kept_kib = self._kib
        told = int(self._told)
        numbers.save(self._files, _STORE, (self._month, self._kib, self._bytes, told))

    def _days_gone(self, now_ms):
        """Return how many days of the month are gone; begin a new one when it is time."""
        t = self._clock.t()
        if t < 0:
            days = (now_ms - self._since_ms) // _DAY_MS
            if days >= _DAYS:
                self._begin(0, now_ms)
                days = 0
            return days
        if t // _DAY_S != self._today:
            self._today = t // _DAY_S
            year, month, self._day = date(t)
            month += year * 12
            if month > self._month > 0:
                self._begin(month, now_ms)
            # An earlier month: the clock was wrong before, but the bytes were real.
            self._month = month
        return self._day - 1

    def _begin(self, month, now_ms):
        self._month = month
        self._since_ms = now_ms
        self._kib = 0
        self._kept_kib = -1  # worth writing within a day

    def _thinned(self, days):
        used, allowed = self._kib * 100, self._budget_kib
        if not allowed or used <= allowed * 100 * days // _DAYS:
            return 0
        level = 0
        for share in _THINNED_E2:
            if used >= allowed * share:
                level += 1
        return level

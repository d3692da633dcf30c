"""Alarms of the parts: raised, raised higher and cleared, each told once.

    alarms = Alarms(kept)
    alarms.set(codes.ALARM_TILT, codes.LEVEL_ALARM, tilt_dd, limit_dd)
    alarms.set(codes.ALARM_TILT, 0)             cleared; said again, it changes nothing
    alarms.next_alarm()                         values of an `alarm` record, or None

    limit = Limit(on=700, off=600, on_ms=10000, off_ms=60000)
    limit.look(value, now_ms)                   True, False, or None while nothing is known

A start knows of no alarm: whoever listens takes those of earlier boots for ended when it hears of the
next birth. A wake from deep sleep is no birth, so what was active goes along in backup RAM (`kept`).
"""

from agent.compat import const
from agent.wire.codes import LEVEL_ALARM

_PENDING_MAX = const(16)  # they leave at every step; more at once is a broken sensor
_KEPT_BITS = const(64)  # codes of alarms that a wake remembers
_WOKEN = const(-1)  # active before a deep sleep, at a level that nobody remembers


class Alarms:
    """What is active now, and what of it has not been told yet.

    `kept` is what `kept()` was before a deep sleep. `lost` counts what found the queue full: it is
    told again when it changes.
    """

    def __init__(self, kept=0):
        self.lost = 0
        self._active = {}  # (what, part): level
        self._pending = []
        for what in range(_KEPT_BITS):
            if kept >> what & 1:
                self._active[(what, None)] = _WOKEN

    def set(self, what, level, value=None, limit=None, part=None):
        """Have an alarm (codes.ALARM_*) at `level` (codes.LEVEL_*), 0: not at all."""
        key = (what, part)
        before = self._active.get(key, 0)
        if before == _WOKEN and level:
            self._active[key] = level  # told before the sleep
            return
        if before == level:
            return
        if len(self._pending) >= _PENDING_MAX:
            self.lost += 1
            return
        if level:
            self._active[key] = level
        else:
            del self._active[key]
        self._pending.append((what, int(level > 0), value, limit, level or None, part))

    def level(self, what, part=None):
        """Return the level that an alarm has now, 0 if none."""
        level = self._active.get((what, part), 0)
        return LEVEL_ALARM if level == _WOKEN else level

    def next_alarm(self):
        """Return the values of the next `alarm` record, or None."""
        return self._pending.pop(0) if self._pending else None

    def kept(self):
        """Return what a wake goes on with: a bit for each active alarm that has no part."""
        bits = 0
        for what, part in self._active:
            if part is None and what < _KEPT_BITS:
                bits |= 1 << what
        return bits


class Limit:
    """Whether a value has been beyond `on` for `on_ms`; not any more when within `off` for `off_ms`.

    A limit with `on` < `off` is one that values fall below. A value of None is not known: it neither
    raises nor clears, and the time starts anew.
    """

    def __init__(self, on, off, on_ms, off_ms):
        self.state = None
        self.on = on
        self._off = off
        self._on_ms = on_ms
        self._off_ms = off_ms
        self._toward = None
        self._since_ms = 0

    def look(self, value, now_ms):
        """Take a value; return True, False, or None while it has not been one or the other yet."""
        toward = self._side(value)
        if toward is None or toward == self.state:
            self._toward = None
        elif toward != self._toward:
            self._toward = toward
            self._since_ms = now_ms
        if self._toward is not None:
            if now_ms - self._since_ms >= (self._on_ms if toward else self._off_ms):
                self.state = toward
                self._toward = None
        return self.state

    def _side(self, value):
        if value is None:
            return None
        if self.on < self._off:
            return True if value < self.on else (False if value > self._off else None)
        return True if value > self.on else (False if value < self._off else None)

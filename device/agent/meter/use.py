"""Whether power is taken at a pile, by what its meter can tell.

    use = Use(alarms, ct=40)
    in_use = use.look(p_w, i_a_ma, i_b_ma, i_c_ma, session.imported, now_ms)
    use.judge(plug, in_use, session.state != IDLE, p_w, now_ms)

A meter behind a 200/5 transformer begins to count at 0.8 A, and shows less as noise or nothing: one
limit for all piles would be below what some of them can see, and above what others bill. The limit for a
phase is the greatest of

    0.3 A                                    what is worth knowing of (reference/shore-power.md, 1 and 8)
    start_pm x nominal_ma x CT               where the meter begins to count, class 1 of GB/T 17215.321
    three steps of the current reading x CT  a last digit that flickers is no load

and for the power what one phase takes at that current. A register that moved proves use whatever the
rest says. Off is below 70 % of the limits for a minute; nothing known is neither.
"""

from agent.alarms import Limit
from agent.compat import const

_LEAST_MA = const(300)
_STEPS = const(3)
_OFF_PERCENT = const(70)
_ON_MS = const(5000)
_OFF_MS = const(60000)
_MOVED_MS = const(300000)  # a register that moved tells of use for so long
_NO_SESSION_MS = const(60000)  # by then a session has begun, if one will
_NO_LOAD_MS = const(1800000)

_ALARM_NO_SESSION = const(54)  # of agent/wire/codes, folded
_ALARM_NO_LOAD = const(55)
_WARNING = const(1)
_ALARM = const(2)


class Use:
    """`alarms`: Alarms; `ct`, `pt`: transformer ratios.

    nominal_ma  the meter's nominal current, before the ratio
    start_pm    its start-up current in thousandths of that: 4 class 1 direct, 2 behind transformers, 1
                class 0.5 S
    step_ma     the last digit of its current reading, before the ratio
    volt        voltage of a phase, before the ratio
    """

    def __init__(self, alarms, ct=1, pt=1, nominal_ma=5000, start_pm=4, step_ma=1, volt=220):
        self.on_ma = max(_LEAST_MA, start_pm * nominal_ma * ct // 1000, _STEPS * step_ma * ct)
        self.on_w = self.on_ma * volt // 1000 * pt
        self._alarms = alarms
        self._limit = Limit(1, 1, _ON_MS, _OFF_MS)
        self._imported = None
        self._moved_ms = -_MOVED_MS
        self._idle_ms = None  # since when a plug takes nothing
        self._stray_ms = None  # since when power is taken without a session,
        self._stray_from = None  # and the register then
        self._in_session = False

    def look(self, p_w, i_a_ma, i_b_ma, i_c_ma, imported, now_ms):
        """Take primary values and the import register; return True, False, or None: not known."""
        if imported is not None:
            if self._imported is not None and imported != self._imported:
                self._moved_ms = now_ms
            self._imported = imported
        level = _level(p_w, self.on_w)
        on_ma = self.on_ma
        level = max(level, _level(i_a_ma, on_ma), _level(i_b_ma, on_ma), _level(i_c_ma, on_ma))
        in_use = self._limit.look(None if level < 0 else level, now_ms)
        if now_ms - self._moved_ms < _MOVED_MS:
            return True
        return None if level < 0 else in_use

    def judge(self, plug, in_use, in_session, p_w, now_ms):
        """Raise and clear ALARM_NO_SESSION and ALARM_NO_LOAD."""
        if self._in_session and not in_session:
            self._moved_ms = (
                -_MOVED_MS
            )  # that was the session's, which has waited for its last count
            in_use = self._limit.state
        self._in_session = in_session
        if in_use is None:
            return
        if not in_use or in_session:
            if self._stray_ms is not None:
                self._stray_ms = None
                self._alarms.set(_ALARM_NO_SESSION, 0)
        elif self._stray_ms is None:
            self._stray_ms = now_ms
            self._stray_from = self._imported
        elif now_ms - self._stray_ms >= _NO_SESSION_MS and (self._limit.state or self._counted()):
            self._alarms.set(_ALARM_NO_SESSION, _ALARM, p_w, self.on_w)
        if plug is None:
            return
        if in_use or not plug:
            if self._idle_ms is not None:
                self._idle_ms = None
                self._alarms.set(_ALARM_NO_LOAD, 0)
        elif self._idle_ms is None:
            self._idle_ms = now_ms
        elif now_ms - self._idle_ms >= _NO_LOAD_MS:
            idle_s = (now_ms - self._idle_ms) // 1000
            self._alarms.set(_ALARM_NO_LOAD, _WARNING, idle_s, _NO_LOAD_MS // 1000)

    def _counted(self):
        """Return whether the register has counted on since then; one count may be of what was before."""
        return (
            self._stray_from is not None
            and self._imported is not None
            and self._imported - self._stray_from > 1
        )


def _level(value, on):
    """Return 2 at the limit or above, 0 clearly below, 1 between, -1 for None."""
    if value is None:
        return -1
    value = abs(value)
    return 2 if value >= on else int(value >= on * _OFF_PERCENT // 100)

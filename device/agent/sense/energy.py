"""Charge in and out of the battery, what is left of it, and for how many days.

    energy = Energy(hal.adc("batt_mv"), hal.adc("batt_ma"), alarms, "lead", 6, 80, 30, 10, t)
    energy.values(now_ms)       values of an `energy` record
    energy.stretch              the report interval is so many times longer
    energy.kept()               16 bytes with which a wake from deep sleep goes on

Current is sampled nine times a second, at an interval that no rhythm of a lamp is a multiple of, and
summed up while it is measured; what is not measured is counted and never made up. The count says what
is left, and strays; so a charger that has filled the battery sets it right, and a voltage at rest
bounds it from both sides.

Voltages are judged as they were without the load (`chemistry`), at small currents only and for a
minute, so that neither a flash nor a modem's burst is an empty battery. A battery is called well
again only by what it holds without the sun.
"""

import struct
from array import array

from agent.compat import const
from agent.sense import chemistry
from agent.wire.codes import (
    ALARM_BATTERY_VOLTAGE,
    ALARM_DAYS_TO_EMPTY,
    LEVEL_ALARM,
    LEVEL_WARNING,
)

_SAMPLE_MS = const(113)
_HOLD_MS = const(2000)  # a sample stands for no longer; what is beyond was not measured
_NOTHING_MV = const(1000)  # no board runs on less: the divider is not fitted, or broken
_MA_MS = const(3600000)  # a milliampere-hour

_FALL_S = const(60)
_RISE_S = const(1800)
_FULL_S = const(600)
_REST_S = const(3600)  # after charging a battery needs that long to show what it holds
_DOUBT_MV = const(20)  # of a cell: one per cent of the divider, the temperature, what is not rest

_DAY_S = const(86400)
_ENOUGH_S = const(79200)  # a day measured for 22 hours makes a balance
_REAL_DAY = const(2000)  # an earlier day is one of uptime, while the clock is unset
_DAYS_MAX = const(99999)  # 0.1 days: it fills faster than it empties
_STRETCH = b"\x01\x02\x06"  # by the level: as power.py does

_NONE = const(-1)
_MAH_MAX = const(0xFFFE)  # what `kept` holds of a day's counts,
_LEFT_MAX = const(0xFFFFE)  # of the charge that is left,
_NET_MAX = const(4095)  # and of the balance, in 8 mAh
_NO_NET = const(-32768)
_KEPT = "<4HII"

# Places in the state.
_IN = const(0)  # today, mAh
_OUT = const(1)
_DAY_IN = const(2)  # yesterday
_DAY_OUT = const(3)
_LEFT = const(4)  # mAh, _NONE: not known
_DAY = const(5)
_MEASURED_S = const(6)  # of today
_NET = const(7)  # mean loss of a day, mAh; _NO_NET: not known
_REST_IN = const(8)  # of a milliampere-hour, mA·ms
_REST_OUT = const(9)
_PART = const(10)  # of a mAh put in, %
_MEASURED_MS = const(11)  # of a second
_MIN = const(12)
_MAX = const(13)
_SUM_MV = const(14)  # of this second
_SUM_MA = const(15)
_SAMPLES = const(16)
_FULL = const(17)  # seconds at the charger's limit,
_REST = const(18)  # without charging,
_TURN = const(19)  # that the voltage asked for another level,
_DAYS_TURN = const(20)  # and the days
_SIZE = const(21)


class Energy:
    """`batt_mv` and `batt_ma` are readers, None where not fitted; current is positive while charging.

    `cells` in series; `warn_days` and `alarm_days` to empty. `t()` is the clock's (Clock.t): seconds
    since 2020, negative while unset. `kept` is what `kept()` was before a deep sleep. `errors` counts
    samples that were not to be had. Raises ValueError for a chemistry that is none.
    """

    def __init__(
        self,
        batt_mv,
        batt_ma,
        alarms,
        kind,
        cells,
        capacity_ah,
        warn_days,
        alarm_days,
        t,
        kept=None,
    ):
        self.stretch = 1
        self.errors = 0
        self._batt_mv = batt_mv
        self._batt_ma = batt_ma
        self._alarms = alarms
        self._row = chemistry.row(kind)
        self._cells = cells
        self._capacity_ah = capacity_ah
        self._warn_dd = 10 * warn_days
        self._alarm_dd = 10 * alarm_days
        self._t = t
        self._last_ms = None  # the sample before,
        self._second_ms = 0  # the second before
        self._state = s = array("i", bytes(4 * _SIZE))
        for i in (_IN, _OUT, _DAY_IN, _DAY_OUT, _LEFT, _DAY, _MIN, _MAX):
            s[i] = _NONE
        s[_NET] = _NO_NET
        if kept is not None and len(kept) == struct.calcsize(_KEPT):
            self._wake(kept)

    def poll(self, now_ms):
        """Take a sample when it is due; return the milliseconds until the next."""
        if self._batt_mv is None and self._batt_ma is None:
            return _MA_MS
        if self._last_ms is None:
            self._last_ms = self._second_ms = now_ms
        elif now_ms - self._last_ms >= _SAMPLE_MS:
            elapsed_ms = now_ms - self._last_ms
            self._last_ms = now_ms
            try:
                self._sample(min(elapsed_ms, _HOLD_MS))
            except OSError:
                self.errors += 1
        if now_ms - self._second_ms >= 1000:
            self._second_ms = now_ms
            self._second(now_ms)
        return max(_SAMPLE_MS - (now_ms - self._last_ms), 0)

    def values(self, now_ms):
        """Return the values of an `energy` record, and begin the next one's extremes."""
        s = self._state
        unmeasured_s = _NONE
        if self._batt_ma is not None:
            unmeasured_s = max(self._now_s(now_ms) % _DAY_S - s[_MEASURED_S], 0)
        numbers = (s[0], s[1], s[2], s[3], s[4], self._days_dd(), s[_MIN], s[_MAX], unmeasured_s)
        s[_MIN] = s[_MAX] = _NONE
        return tuple([None if n < 0 else n for n in numbers])

    def kept(self):
        """Return what a wake goes on with; what is left of a milliampere-hour is forgotten."""
        s = self._state
        # What is not known, -1, becomes all ones.
        days = [min(s[i], _MAH_MAX) & 0xFFFF for i in range(4)]
        a = min(s[_LEFT], _LEFT_MAX) & 0xFFFFF | (s[_MEASURED_S] & 0xFFF) << 20
        net = min(s[_NET] >> 3, _NET_MAX) & 0x1FFF
        b = s[_MEASURED_S] >> 12 | (s[_DAY] & 0x3FFF) << 5 | net << 19
        return struct.pack(_KEPT, days[0], days[1], days[2], days[3], a, b)

    def _wake(self, kept):
        s = self._state
        s[0], s[1], s[2], s[3], a, b = struct.unpack(_KEPT, kept)
        s[_LEFT] = a & 0xFFFFF
        for i in range(5):
            if s[i] == (0xFFFF if i < 4 else 0xFFFFF):
                s[i] = _NONE
        s[_MEASURED_S] = a >> 20 | (b & 0x1F) << 12
        s[_DAY] = b >> 5 & 0x3FFF
        s[_NET] = ((b >> 19 ^ 0x1000) - 0x1000) << 3
        # Half on average: what each sleep forgets.
        s[_REST_IN] = s[_REST_OUT] = _MA_MS // 2

    def _sample(self, elapsed_ms):
        s = self._state
        ma = 0
        if self._batt_ma is not None:
            ma = self._batt_ma.read()
            if s[_IN] < 0:
                s[_IN] = s[_OUT] = 0
            s[_MEASURED_MS] += elapsed_ms
            s[_REST_IN if ma > 0 else _REST_OUT] += abs(ma) * elapsed_ms
        if self._batt_mv is not None:
            mv = self._batt_mv.read()
            if mv >= _NOTHING_MV:
                if s[_MIN] < 0 or mv < s[_MIN]:
                    s[_MIN] = mv
                s[_MAX] = max(s[_MAX], mv)
                s[_SUM_MV] += mv
                s[_SUM_MA] += ma
                s[_SAMPLES] += 1

    def _second(self, now_ms):
        """Carry the sums over, and judge the means of the last second."""
        s = self._state
        charged = s[_REST_IN] // _MA_MS
        s[_REST_IN] -= charged * _MA_MS
        drawn = s[_REST_OUT] // _MA_MS
        s[_REST_OUT] -= drawn * _MA_MS
        if s[_IN] >= 0:
            s[_IN] += charged
            s[_OUT] += drawn
        s[_MEASURED_S] += s[_MEASURED_MS] // 1000
        s[_MEASURED_MS] %= 1000
        if s[_LEFT] >= 0:
            s[_PART] += charged * self._row[5]
            left = s[_LEFT] + s[_PART] // 100 - drawn
            s[_LEFT] = max(min(left, self._capacity_ah * 1000), 0)
            s[_PART] %= 100
        self._roll(self._now_s(now_ms) // _DAY_S)
        if s[_SAMPLES] and self._cells and self._capacity_ah:
            self._judge(s[_SUM_MV] // s[_SAMPLES], s[_SUM_MA] // s[_SAMPLES])
        s[_SUM_MV] = s[_SUM_MA] = s[_SAMPLES] = 0
        self._judge_days()

    def _now_s(self, now_ms):
        t = self._t()
        return t if t >= 0 else now_ms // 1000

    def _roll(self, day):
        """Begin another day when it is one."""
        s = self._state
        today = s[_DAY]
        if today < day and today >= 0 and (today >= _REAL_DAY or day < _REAL_DAY):
            whole = day == today + 1
            s[_DAY_IN] = s[_IN] if whole else _NONE
            s[_DAY_OUT] = s[_OUT] if whole else _NONE
            if whole and s[_MEASURED_S] >= _ENOUGH_S:
                loss = s[_OUT]
                if self._row[0]:
                    loss -= s[_IN] * self._row[5] // 100
                if s[_NET] > _NO_NET:
                    loss = s[_NET] + (loss - s[_NET] >> 2)
                s[_NET] = max(loss, _NO_NET + 8)
            s[_IN] = s[_OUT] = _NONE
            s[_MEASURED_S] = 0
        # A clock that was stepped back over midnight is waited for, one that was days ahead is not.
        if day > today or _REAL_DAY <= day < today - 1:
            s[_DAY] = day

    def _judge(self, mv, ma):
        """Take the means of a second: what the voltage says about the charge."""
        s = self._state
        full_mv, warn_mv, alarm_mv, clear_mv, resistance, _, curve = self._row
        capacity_ah = self._capacity_ah
        cell_mv = mv // self._cells
        if self._batt_ma is not None:
            if full_mv and cell_mv >= full_mv and 0 <= ma <= 20 * capacity_ah:
                s[_FULL] += 1
                if s[_FULL] >= _FULL_S:
                    s[_FULL] = 0
                    s[_LEFT] = 1000 * capacity_ah
            else:
                s[_FULL] = 0
        if abs(ma) > 100 * capacity_ah:
            return
        cell_mv -= ma * resistance // (1000 * capacity_ah)
        if ma > 5 * capacity_ah:
            s[_REST] = 0
        elif self._batt_ma is not None:
            s[_REST] += 1
            if s[_REST] >= _REST_S:
                s[_REST] -= _FALL_S  # once a minute
                least = chemistry.percent(curve, cell_mv - _DOUBT_MV) * 10 * capacity_ah
                most = chemistry.percent(curve, cell_mv + _DOUBT_MV) * 10 * capacity_ah
                if s[_LEFT] < 0:
                    s[_LEFT] = chemistry.percent(curve, cell_mv) * 10 * capacity_ah
                s[_LEFT] = max(min(s[_LEFT], most), least)
        level = self._alarms.level(ALARM_BATTERY_VOLTAGE)
        wanted = level
        limit_mv = clear_mv
        if cell_mv < alarm_mv:
            wanted = LEVEL_ALARM
            limit_mv = alarm_mv
        elif cell_mv < warn_mv:
            wanted = max(level, LEVEL_WARNING)
            limit_mv = warn_mv
        elif cell_mv >= clear_mv and ma <= 5 * capacity_ah:
            wanted = 0
        cells = self._cells
        self._turn(_TURN, ALARM_BATTERY_VOLTAGE, level, wanted, cell_mv * cells, limit_mv * cells)

    def _days_dd(self):
        s = self._state
        if s[_LEFT] < 0 or s[_NET] <= _NO_NET:
            return _NONE
        if s[_NET] <= 0:
            return _DAYS_MAX
        return min(10 * s[_LEFT] // s[_NET], _DAYS_MAX)

    def _judge_days(self):
        days_dd = self._days_dd()
        level = self._alarms.level(ALARM_DAYS_TO_EMPTY)
        if days_dd >= 0:
            wanted = level
            limit_dd = self._warn_dd
            if days_dd < self._alarm_dd:
                wanted = LEVEL_ALARM
                limit_dd = self._alarm_dd
            elif days_dd < self._warn_dd:
                wanted = max(level, LEVEL_WARNING)
            elif days_dd > self._warn_dd * 5 // 4:
                wanted = 0
            self._turn(_DAYS_TURN, ALARM_DAYS_TO_EMPTY, level, wanted, days_dd, limit_dd)
        self.stretch = _STRETCH[max(level, self._alarms.level(ALARM_BATTERY_VOLTAGE))]

    def _turn(self, place, what, level, wanted, value, limit):
        """Have an alarm at another level once that was wanted for long enough."""
        s = self._state
        s[place] = s[place] + 1 if wanted != level else 0
        if s[place] >= (_FALL_S if wanted > level else _RISE_S):
            s[place] = 0
            self._alarms.set(what, wanted, value, limit)

"""Whether the supply at a pile is as it should be: alarms with time and hysteresis, from one table.

    supply = Supply(meter, alarms, nominal_v=220, rated_a=63, residual_ma=30, …)
    supply.poll(now_ms)
    supply.values(now_ms)       for the `supply` record

It reports; it protects nobody. The safety loop opens the breakers within 200 ms (IEC/IEEE 80005-1:2019),
the residual current device and the breaker trip by themselves, and nothing of that waits for a board,
a line to a meter or MQTT.

The limits are practice and memory of standards, not texts of them (reference: shore-power.md §5, marked
M there); none is a regulatory limit. Power factor, distortion and unbalance are judged under load only:
at the mean loads of a quay, 2 to 9 kW, they would alarm all day and mean nothing.
"""

from array import array

from agent.compat import const
from agent.wire import codes

_LOOK_MS = const(1000)
_TRIPPED_MS = const(3000)  # breaker and loop open together; which is seen first is chance

# Quantities: what is judged, in hundredths of a percent where nothing else is said.
_U = const(0)  # three phases against the nominal voltage
_LOST = const(3)  # the same, while another phase has voltage
_NEUTRAL = const(6)  # one phase above and another below the nominal voltage by as much
_F = const(7)  # hundredths of a hertz
_UNBALANCE_U = const(8)
_UNBALANCE_I = const(9)
_LOAD = const(10)  # strongest phase against the rated current
_RESIDUAL = const(11)  # against the rated residual current of the device that would trip
_PF = const(12)  # thousandths
_THD = const(13)  # three phases
_PLUG = const(16)  # tenths of a degree
_WIRING = const(17)  # power that runs backwards in a phase, of all phases' power
_QUANTITIES = const(18)

_FULL = const(10000)
_ALIVE = const(5000)  # a phase above it has voltage
_LOADED = const(2000)  # above this load PF, THD and unbalance mean something
_SAFE = const(0)
_SAFE_PF = const(1000)

_W = codes.LEVEL_WARNING
_A = codes.LEVEL_ALARM
_X = codes.LEVEL_AT_ONCE

# (alarm, quantity, phases, level, on, off, seconds until raised, seconds until cleared). A row whose
# `on` is below its `off` is one that values fall below. Rows of one alarm stand together, mildest first.
_ROWS = (
    (codes.ALARM_VOLTAGE_LOW, _U, 3, _W, 9300, 9400, 60, 60),
    (codes.ALARM_VOLTAGE_LOW, _U, 3, _A, 9000, 9200, 10, 60),
    (codes.ALARM_VOLTAGE_HIGH, _U, 3, _W, 10700, 10600, 60, 60),
    (codes.ALARM_VOLTAGE_HIGH, _U, 3, _A, 11000, 10800, 10, 60),
    (codes.ALARM_PHASE_LOST, _LOST, 3, _W, 7000, 8000, 10, 30),
    (codes.ALARM_PHASE_LOST, _LOST, 3, _X, 5000, 7000, 2, 30),
    (codes.ALARM_NEUTRAL_LOST, _NEUTRAL, 1, _X, 800, 500, 2, 30),
    (codes.ALARM_FREQUENCY, _F, 1, _W, 4980, 4985, 60, 60),
    (codes.ALARM_FREQUENCY, _F, 1, _W, 5020, 5015, 60, 60),
    (codes.ALARM_FREQUENCY, _F, 1, _A, 4750, 4800, 5, 60),
    (codes.ALARM_FREQUENCY, _F, 1, _A, 5250, 5200, 5, 60),
    (codes.ALARM_VOLTAGE_UNBALANCE, _UNBALANCE_U, 1, _W, 200, 150, 60, 60),
    (codes.ALARM_VOLTAGE_UNBALANCE, _UNBALANCE_U, 1, _A, 400, 300, 60, 60),
    (codes.ALARM_CURRENT_UNBALANCE, _UNBALANCE_I, 1, _W, 3000, 2500, 60, 60),
    (codes.ALARM_CURRENT_UNBALANCE, _UNBALANCE_I, 1, _A, 6000, 5000, 60, 60),
    (codes.ALARM_OVERLOAD, _LOAD, 1, _W, 9000, 8500, 600, 60),
    (codes.ALARM_OVERLOAD, _LOAD, 1, _A, 10000, 9500, 60, 60),
    (codes.ALARM_OVERLOAD, _LOAD, 1, _X, 13000, 10000, 0, 60),
    (codes.ALARM_RESIDUAL, _RESIDUAL, 1, _W, 5000, 4000, 10, 60),
    (codes.ALARM_RESIDUAL, _RESIDUAL, 1, _X, 10000, 8000, 0, 60),
    (codes.ALARM_POWER_FACTOR, _PF, 1, _W, 850, 870, 300, 60),
    (codes.ALARM_POWER_FACTOR, _PF, 1, _A, 700, 750, 300, 60),
    (codes.ALARM_THD, _THD, 3, _W, 500, 450, 60, 60),
    (codes.ALARM_THD, _THD, 3, _A, 800, 700, 60, 60),
    (codes.ALARM_PLUG_HOT, _PLUG, 1, _W, 700, 650, 10, 60),
    (codes.ALARM_PLUG_HOT, _PLUG, 1, _X, 900, 800, 3, 60),
    (codes.ALARM_WIRING, _WIRING, 1, _A, 500, 300, 60, 60),
)
_PARTS = const(43)  # rows × their phases

_ACTIVE = const(1)
_TURNING = const(2)

_METER_SILENT_S = const(60)


class Supply:
    """Judges what `meter` (meter.reader) says, and the board's own readers, None where not fitted.

    nominal_v    between a phase and neutral, 1 to 20,000
    rated_a      of the outlet's breaker, 1 to 6,000
    residual_ma  rated residual current of the device that protects the outlet, 6 to 30,000
    residual     reads mA; `plug_dc` tenths of a degree; `loop` 1 while the safety loop is closed;
                 `breaker` 1 while closed; `plug` 1 while one is in
    """

    def __init__(self, meter, alarms, nominal_v, rated_a, residual_ma, sensors):
        self.loop_closed = None
        self._meter = meter
        self._alarms = alarms
        self._nominal_dv = nominal_v * 10
        self._rated_ma = rated_a * 1000
        self._device_ma = residual_ma
        self._residual, self._plug_dc, self._loop, self._breaker, self._plug = sensors
        self._meter_values = [None] * 11
        self._judged = [None] * _QUANTITIES
        self._tenths = array("I", bytes(4 * _PARTS))  # uptime since when a row has been turning
        self._state = bytearray(_PARTS)
        self._next_ms = 0
        self._closed_ms = None  # when the breaker was last seen closed
        self._residual_ma = None  # highest since the last record
        self._hot_dc = None

    def poll(self, now_ms):
        """Look once a second, at the safety loop each time; return the milliseconds until the next."""
        self._watch_loop(now_ms)
        if now_ms >= self._next_ms:
            self._next_ms = now_ms + _LOOK_MS
            self._read(now_ms)
            self._judge(now_ms)
        return min(self._next_ms - now_ms, 50)

    def values(self, now_ms):
        """Return the values of a `supply` record."""
        judged = self._judged
        residual_ma, self._residual_ma = self._residual_ma, None
        return self._meter.quality(now_ms) + (
            judged[_UNBALANCE_U],
            judged[_UNBALANCE_I],
            judged[_LOAD],
            residual_ma,
            self._hot_dc,
        )

    def _watch_loop(self, now_ms):
        """Tell an opening under a closed breaker; without a ship the loop is open anyway."""
        if self._breaker is not None and self._breaker.read():
            self._closed_ms = now_ms
        if self._loop is None:
            return
        closed = bool(self._loop.read())
        if closed or (self._plug is not None and not self._plug.read()):
            self._alarms.set(codes.ALARM_SAFETY_LOOP, 0)
        elif self.loop_closed:
            held = self._closed_ms is not None and now_ms - self._closed_ms <= _TRIPPED_MS
            if held or self._breaker is None:
                self._alarms.set(codes.ALARM_SAFETY_LOOP, codes.LEVEL_AT_ONCE)
        self.loop_closed = closed

    def _read(self, now_ms):
        """Work out what is judged; None is not known, and neither raises nor clears."""
        meter, judged = self._meter, self._judged
        values = self._meter_values
        meter.meter_values(now_ms, values)
        quality = meter.quality(now_ms)
        voltages, currents = values[0:3], values[3:6]
        highest = _greatest(voltages)
        for phase in range(3):
            judged[_U + phase] = _share(voltages[phase], self._nominal_dv)
            judged[_LOST + phase] = judged[_U + phase]
        if highest is not None and _share(highest, self._nominal_dv) < _ALIVE:
            # No supply at all, as behind an open breaker: nothing to judge, nothing lost.
            for phase in range(3):
                judged[_U + phase] = judged[_LOST + phase] = None
        judged[_NEUTRAL] = _apart(judged)
        judged[_F] = values[8] if values[8] else None
        load = _share(_greatest(currents), self._rated_ma)
        judged[_LOAD] = load
        judged[_UNBALANCE_U] = _unbalance(voltages)
        judged[_UNBALANCE_I] = _unbalance(currents)
        judged[_PF] = None if values[7] is None else abs(values[7])
        judged[_THD : _THD + 3] = quality[5:8]
        judged[_WIRING] = _backwards(quality[0:3])
        residual_ma = None if self._residual is None else self._residual.read()
        judged[_RESIDUAL] = _share(residual_ma, self._device_ma)
        if residual_ma is not None:
            self._residual_ma = max(residual_ma, self._residual_ma or 0)
        self._hot_dc = judged[_PLUG] = None if self._plug_dc is None else self._plug_dc.read()

    def _judge(self, now_ms):
        load = self._judged[_LOAD]
        light = load is not None and load < _LOADED
        at = 0
        row = 0
        while row < len(_ROWS):
            what, quantity, phases = _ROWS[row][:3]
            rows = 1
            while row + rows < len(_ROWS) and _ROWS[row + rows][0] == what:
                rows += 1
            for phase in range(phases):
                value = self._judged[quantity + phase]
                if light and quantity in (_UNBALANCE_U, _UNBALANCE_I, _THD, _WIRING):
                    value = _SAFE
                elif light and quantity == _PF:
                    value = _SAFE_PF
                self._decide(
                    row, rows, at + phase * rows, phase if phases > 1 else None, value, now_ms
                )
            at += phases * rows
            row += rows
        silent_s = self._meter.silent_ms(now_ms) // 1000
        level = codes.LEVEL_ALARM if silent_s > _METER_SILENT_S else 0
        self._alarms.set(codes.ALARM_METER_SILENT, level, silent_s, _METER_SILENT_S)

    def _decide(self, row, rows, at, phase, value, now_ms):
        """Have one alarm of one phase at the highest level that its rows ask for."""
        level, limit = 0, None
        for i in range(rows):
            what, quantity, _, row_level, on, off, on_s, off_s = _ROWS[row + i]
            if self._turned(at + i, value, on, off, on_s, off_s, now_ms) and row_level > level:
                level, limit = row_level, on
        shown, bound = self._shown(quantity, value, limit, phase)
        self._alarms.set(what, level, shown, bound, None if phase is None else phase + 1)

    def _turned(self, at, value, on, off, on_s, off_s, now_ms):
        active = self._state[at] & _ACTIVE
        if value is None:
            beyond = within = False
        elif on < off:
            beyond, within = value < on, value > off
        else:
            beyond, within = value > on, value < off
        if not (within if active else beyond):
            self._state[at] = active
            return active
        now = now_ms // 100
        if not self._state[at] & _TURNING:
            self._state[at] |= _TURNING
            self._tenths[at] = now
        if now - self._tenths[at] >= (off_s if active else on_s) * 10:
            active ^= _ACTIVE
            self._state[at] = active
        return active

    def _shown(self, quantity, value, limit, phase):
        """Return value and limit in the alarm's own unit (words.ALARM_UNITS)."""
        if quantity in (_U, _LOST):
            value = self._meter_values[phase]
            return value, limit and limit * self._nominal_dv // _FULL
        if quantity == _NEUTRAL:
            voltages = self._meter_values[0:3]
            return _greatest(voltages), limit and (_FULL + limit) * self._nominal_dv // _FULL
        if quantity == _RESIDUAL:
            return _part(value, self._device_ma), _part(limit, self._device_ma)
        if quantity == _WIRING:
            return None, None
        return value, limit


def _greatest(values):
    best = None
    for value in values:
        if value is not None and (best is None or abs(value) > best):
            best = abs(value)
    return best


def _share(value, whole):
    """Return `value` of `whole` in hundredths of a percent."""
    return None if value is None else value * _FULL // whole


def _part(share, whole):
    return None if share is None else (share * whole + _FULL // 2) // _FULL


def _unbalance(values):
    """Return how far the farthest of three phases is from their mean, in hundredths of a percent."""
    if None in values:
        return None
    total = sum(values)
    if total <= 0:
        return 0
    farthest = max(abs(3 * value - total) for value in values)
    return farthest * _FULL // total


def _apart(judged):
    """Return by how much one phase is above and another below the nominal voltage, both at least."""
    if None in judged[_U : _U + 3]:
        return None
    return min(max(judged[_U : _U + 3]) - _FULL, _FULL - min(judged[_U : _U + 3]))


def _backwards(powers):
    """Return the power that runs backwards in one phase while the others' runs forwards."""
    if None in powers or max(powers) <= 0:
        return None if None in powers else 0
    return max(-min(powers), 0) * _FULL // sum(abs(power) for power in powers)

"""What was read from a meter and when; gives out only what was read lately and can be believed.

Values are kept as the meter counts them. The transformer ratios multiply the `meter` and `quality`
records and never the energy registers: those are what money is settled by.

DL/T 645 guards a frame by a sum of eight bits: of 256 damaged frames one passes. And a line may bring
an answer late. So a value that is far from the last one is kept back until a second reading, which is
asked for at once, is near it; an energy register, until the second one is not below it either. While
a line guarded so is noisy, every value is read twice, and the two must be nearer still.
"""

from array import array

from agent.compat import const
from agent.meter import maps
from agent.wire.schema import ENERGY_COUNT, METER, SCHEMAS, SUPPLY

_FORWARD = const(2)  # counts of an energy register, besides …
_COUNT_MS = const(
    200
)  # … one in so many ms: 180 kW, twice what a meter takes without transformers
_FORWARD_MS = const(3600000)  # a register not read for longer is read twice
_SOON_MS = const(3000)  # a second reading comes within that time
_QUIET = const(32)  # answers running without noise, after which a line is quiet again
_FLOAT_EXACT = const(13107200)  # counts below which a float32 of kWh steps by less than one count


class Readings:
    """The latest value of each quantity with its time, and the records made of them.

    meter_id    the meter's own number in ASCII; None: not known yet
    pt, ct      transformer ratios
    life_ms     how long a value may be given out
    every       so many times longer an energy register

    `refused` counts values given out as None because they are outside the record's range: as a
    rule a wrong transformer ratio. `doubted` counts values that were kept back.
    """

    def __init__(self, meter_id, pt, ct, life_ms, every):
        self.refused = 0
        self.doubted = 0
        self.meter_id = meter_id
        self._pt = pt
        self._ct = ct
        self._life_ms = life_ms
        self._energy_every = every
        self._sure = 0  # a bit for each value that is not kept back
        self._noise = 0
        self._noisy = 0  # answers until the line is quiet again
        self._raw = [None] * maps.QUANTITIES
        self._read_ms = array("q", [0] * maps.QUANTITIES)

    def identify(self, meter_id):
        """Take note of the meter's number; what another meter said is forgotten."""
        if meter_id != self.meter_id:
            self.meter_id = meter_id
            for quantity in range(maps.QUANTITIES):
                self._raw[quantity] = None

    def put(self, quantity, value, now_ms):
        """Keep what was read now, None: the meter has no value; return whether it is believed.

        What is not believed is asked for again and put again.
        """
        last = self._raw[quantity]
        sure = value is None or (
            last is not None
            and _near(quantity, last, value, now_ms - self._read_ms[quantity], self._noisy)
        )
        self._raw[quantity] = value
        self._read_ms[quantity] = now_ms
        bit = 1 << quantity
        if sure:
            self._sure |= bit
        else:
            self._sure &= ~bit
            if last is not None:
                self.doubted += 1
        return sure

    def meter_values(self, now_ms, out, start=0):
        """Put the `meter` schema's values from `u_a_dv` to `age_s` into `out[start:]`.

        Primary values in the schema's units; None for what was not read lately or is out of range.
        """
        fields = SCHEMAS[METER][3]
        for quantity in range(maps.P_A):
            out[start + quantity] = self._primary(quantity, now_ms, fields[1 + quantity])
        age_ms = self.age_ms(now_ms)
        out[start + maps.P_A] = None if age_ms is None else age_ms // 1000

    def quality(self, now_ms):
        """Return the first eight values of `supply`, from `p_a_w` to `thd_u_c_e2`; primary values."""
        fields = SCHEMAS[SUPPLY][3]
        return tuple(
            [self._primary(maps.P_A + i, now_ms, fields[i]) for i in range(maps.IMPORT - maps.P_A)]
        )

    def energy(self, now_ms):
        """Return the values of `energy-count`, or None.

        Raw register counts, never multiplied by the ratios. A register that was not read lately is
        None; if neither import nor export was, or the meter's number is not known, there is nothing
        to give. `modulus` is None where it is not known or there is none.
        """
        fields = SCHEMAS[ENERGY_COUNT][3]
        imported = self._ranged(self._fresh(maps.IMPORT, now_ms), fields[0])
        exported = self._ranged(self._fresh(maps.EXPORT, now_ms), fields[1])
        if self.meter_id is None or (imported is None and exported is None):
            return None
        tariffs = [
            self._ranged(self._fresh(quantity, now_ms), fields[0])
            for quantity in range(maps.T1, maps.T4 + 1)
        ]
        modulus, floats = self._register()
        step = _step(max(imported or 0, exported or 0)) if floats else 1
        head = (imported, exported, maps.COUNT_E, self._pt, self._ct, self.meter_id)
        return head + tuple(tariffs) + (modulus, step)

    def energy_ms(self, now_ms):
        """Uptime at which the oldest of the registers that `energy` gives was read."""
        oldest_ms = now_ms
        for quantity in range(maps.IMPORT, maps.EXPORT + 1):
            if self._fresh(quantity, now_ms) is not None:
                oldest_ms = min(oldest_ms, self._read_ms[quantity])
        return oldest_ms

    def relay_closed(self, now_ms):
        """Whether the meter's relay is closed; None if it does not say."""
        status = self._fresh(maps.STATUS, now_ms)
        return None if status is None else not status & maps.RELAY_OPEN

    def read_ms(self, quantity):
        """When the quantity was read last."""
        return self._read_ms[quantity]

    def age_ms(self, now_ms):
        """Time since the oldest value that `meter_values` gives out was read; None without any."""
        oldest_ms = None
        for quantity in range(maps.P_A):
            if self._fresh(quantity, now_ms) is not None:
                oldest_ms = max(oldest_ms or 0, now_ms - self._read_ms[quantity])
        return oldest_ms

    def _register(self):
        """Give the energy registers' modulus, and whether they are floats."""
        raise NotImplementedError

    def _hear(self, noise):
        """Take note of how many bytes and frames were refused so far."""
        if noise != self._noise:
            self._noise = noise
            self._noisy = _QUIET
        elif self._noisy:
            self._noisy -= 1

    def _fresh(self, quantity, now_ms):
        life_ms = self._life_ms
        if quantity >= maps.IMPORT:
            life_ms *= self._energy_every
        if now_ms - self._read_ms[quantity] > life_ms or not self._sure >> quantity & 1:
            return None
        return self._raw[quantity]

    def _primary(self, quantity, now_ms, field):
        value = self._fresh(quantity, now_ms)
        if value is None:
            return None
        ratio = maps.RATIOS[quantity]
        if ratio & maps.PT:
            value *= self._pt
        if ratio & maps.CT:
            value *= self._ct
        return self._ranged(_scale(value, -maps.PLACES[quantity] - field[2]), field)

    def _ranged(self, value, field):
        if value is not None and not field[3] <= value <= field[4]:
            self.refused += 1
            return None
        return value


def _near(quantity, last, value, passed_ms, noisy):
    """Whether `value` may follow `last` without a further reading."""
    if noisy and passed_ms > _SOON_MS:
        return False
    if quantity >= maps.IMPORT:
        return passed_ms <= _FORWARD_MS and 0 <= value - last <= _FORWARD + passed_ms // _COUNT_MS
    if quantity == maps.STATUS:
        return value == last
    # A load comes and goes: 1 A, 1 kW, 0.2 of the power factor, 1 % of distortion, and a quarter.
    # Voltage and frequency stay: 10 V, 0.5 Hz.
    finer = 4 if noisy else 0
    apart = abs(value - last)
    if quantity <= maps.U_C:
        return apart <= 1000 >> finer
    if quantity == maps.F:
        return apart <= 50 >> finer
    apart -= abs(last) >> 2 + finer
    if quantity == maps.PF:
        return apart <= 200 >> finer
    return apart <= (100 if quantity >= maps.THD_A else 10000) >> finer


def _step(count):
    """Give the counts of 0.01 kWh between neighbouring values of a float32 register of kWh, at least 1."""
    times = count // _FLOAT_EXACT
    step = 25  # sixteenths: 1/64 kWh are 25/16 counts
    if not times:
        return 1
    while times > 1:
        times >>= 1
        step <<= 1
    return (step + 15) >> 4


def _scale(value, exponent):
    """Give value × 10**exponent, rounded half away from zero."""
    if exponent >= 0:
        return value * 10**exponent
    unit = 10**-exponent
    scaled = (2 * abs(value) + unit) // (2 * unit)
    return -scaled if value < 0 else scaled

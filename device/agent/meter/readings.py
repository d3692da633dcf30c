"""What was read from a meter and when; gives out only what was read lately.

Values are kept as the meter counts them. The transformer ratios multiply the `meter` record and
never the energy registers: those are what money is settled by.
"""

from agent.meter import maps
from agent.wire.schema import ENERGY_COUNT, METER, SCHEMAS


class Readings:
    """The latest value of each quantity with its time, and the records made of them.

    exponents   of each quantity's integers, as in `maps`
    meter_id    the meter's own number in ASCII; None: not known yet
    pt, ct      transformer ratios
    life_ms     how long a value may be given out; `energy_life_ms` the same for energy registers

    `refused` counts values given out as None because they are outside the record's range: as a
    rule a wrong transformer ratio.
    """

    def __init__(self, exponents, meter_id, pt, ct, life_ms, energy_life_ms):
        self.refused = 0
        self.meter_id = meter_id
        self._exponents = exponents
        self._pt = pt
        self._ct = ct
        self._life_ms = life_ms
        self._energy_life_ms = energy_life_ms
        self._raw = [None] * maps.QUANTITIES
        self._read_ms = [0] * maps.QUANTITIES

    def identify(self, meter_id):
        """Take note of the meter's number; what another meter said is forgotten."""
        if meter_id != self.meter_id:
            self.meter_id = meter_id
            for quantity in range(maps.QUANTITIES):
                self._raw[quantity] = None

    def put(self, quantity, value, now_ms):
        """Keep what was read now; None: the meter has no value."""
        self._raw[quantity] = value
        self._read_ms[quantity] = now_ms

    def meter_values(self, now_ms, out, start=0):
        """Put the `meter` schema's values from `u_a_dv` to `age_s` into `out[start:]`.

        Primary values in the schema's units; None for what was not read lately or is out of range.
        """
        fields = SCHEMAS[METER][3]
        for quantity in range(maps.IMPORT):
            value = self._fresh(quantity, now_ms)
            if value is not None:
                ratio = maps.RATIOS[quantity]
                if ratio & maps.PT:
                    value *= self._pt
                if ratio & maps.CT:
                    value *= self._ct
                field = fields[1 + quantity]
                value = self._ranged(_scale(value, self._exponents[quantity] - field[2]), field)
            out[start + quantity] = value
        age_ms = self.age_ms(now_ms)
        out[start + maps.IMPORT] = None if age_ms is None else age_ms // 1000

    def energy(self, now_ms):
        """Give `(imported, exported, count_e, pt, ct, meter_id)` of `energy-count`, or None.

        Raw register counts, never multiplied by the ratios. A register that was not read lately is
        None; if neither was, or the meter's number is not known, there is nothing to give.
        """
        fields = SCHEMAS[ENERGY_COUNT][3]
        imported = self._ranged(self._fresh(maps.IMPORT, now_ms), fields[0])
        exported = self._ranged(self._fresh(maps.EXPORT, now_ms), fields[1])
        if self.meter_id is None or (imported is None and exported is None):
            return None
        count_e = self._exponents[maps.IMPORT]
        return imported, exported, count_e, self._pt, self._ct, self.meter_id

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
        for quantity in range(maps.IMPORT):
            if self._fresh(quantity, now_ms) is not None:
                oldest_ms = max(oldest_ms or 0, now_ms - self._read_ms[quantity])
        return oldest_ms

    def _fresh(self, quantity, now_ms):
        life_ms = self._energy_life_ms if quantity >= maps.IMPORT else self._life_ms
        return self._raw[quantity] if now_ms - self._read_ms[quantity] <= life_ms else None

    def _ranged(self, value, field):
        if value is not None and not field[3] <= value <= field[4]:
            self.refused += 1
            return None
        return value


def _scale(value, exponent):
    """Give value × 10**exponent, rounded half away from zero."""
    if exponent >= 0:
        return value * 10**exponent
    unit = 10**-exponent
    scaled = (2 * abs(value) + unit) // (2 * unit)
    return -scaled if value < 0 else scaled

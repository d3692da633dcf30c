"""Battery, solar panel and charger of a buoy.

A lead-acid battery as a voltage source that rises with its charge, behind a resistance that grows
when it is nearly full (so the charger's voltage limit tapers the current by itself). The panel's
current follows the light, its open voltage the logarithm of it.
"""

import math
from dataclasses import dataclass

_EMPTY_V, _FULL_V = 11.6, 12.9  # at rest
_LIMIT_V = 14.4  # the charger's absorption voltage
_CHARGE_OHM = 0.1  # divided by the room that is left
_FLOAT_ROOM = 0.02
_DISCHARGE_OHM = 0.08
_EFFICIENCY = 0.92  # of charge put in that can be taken out again
_PANEL_V = 17.0  # at the point of highest power
_OPEN_V, _OPEN_SLOPE, _OPEN_LUX = 21.0, 0.06, 100_000.0
_LUX_PER_W_M2 = 115.0  # luminous efficacy of daylight
_FULL_SUN_W_M2 = 1000.0  # at which a panel's power is rated
_DIODE_V = 0.6
_CUT_OFF = 0.05  # charge at which the controller saves the battery and drops the load


@dataclass(frozen=True)
class PowerSettings:
    """A 12 V system for a lit buoy in a cloudy place."""

    battery_ah: float = 80.0
    panel_w: float = 60.0
    panel_yield: float = 0.7  # flat mounting, salt, gulls
    electronics_ma: float = 90.0


class Power:
    """State of charge, and the voltages and currents that go with it, moved on by `step`."""

    def __init__(self, settings: PowerSettings, charge: float) -> None:
        self._settings = settings
        self.charge = charge  # share of the capacity, 0 to 1
        self.battery_ma = 0.0  # positive while charging
        self.battery_v = self._rest_v()
        self.solar_v = 0.0

    def step(self, dt_s: float, lux: float, lamp_ma: float) -> None:
        """Move on by `dt_s` seconds in the given daylight, with the lamp drawing `lamp_ma`."""
        settings = self._settings
        load_ma = settings.electronics_ma + lamp_ma if self.charge > _CUT_OFF else 0.0
        rest_v = self._rest_v()
        charge_ohm = _CHARGE_OHM / (1 + _FLOAT_ROOM - self.charge)
        suns = lux / _LUX_PER_W_M2 / _FULL_SUN_W_M2
        offered_ma = 1000 * settings.panel_w / _PANEL_V * settings.panel_yield * suns
        taken_ma = min(offered_ma, load_ma + 1000 * (_LIMIT_V - rest_v) / charge_ohm)
        self.battery_ma = taken_ma - load_ma
        ohm = charge_ohm if self.battery_ma > 0 else _DISCHARGE_OHM
        self.battery_v = rest_v + self.battery_ma / 1000 * ohm
        stored = self.battery_ma * (_EFFICIENCY if self.battery_ma > 0 else 1.0)
        moved = stored * dt_s / 3_600_000 / settings.battery_ah
        self.charge = min(1.0, max(0.0, self.charge + moved))
        open_v = _OPEN_V * (1 + _OPEN_SLOPE * math.log(max(lux, 1e-6) / _OPEN_LUX))
        # A panel whose whole current is taken is pulled down to the battery.
        loaded_v = self.battery_v + _DIODE_V
        self.solar_v = max(0.0, open_v if taken_ma < offered_ma else min(open_v, loaded_v))

    def _rest_v(self) -> float:
        return _EMPTY_V + (_FULL_V - _EMPTY_V) * self.charge

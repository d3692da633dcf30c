"""One aid to navigation: what happens to it at sea, and what its sensors would read."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulators.world import sun
from simulators.world.lamp import Lamp, LampSettings
from simulators.world.light import Phase
from simulators.world.mooring import Mooring, MooringSettings
from simulators.world.place import Place
from simulators.world.power import Power, PowerSettings
from simulators.world.sea import Sea
from simulators.world.waves import Seaway, Waves

_STEP_S = 60.0  # the longest stride of the models that move on in steps
_SUN_WARMS_C = 7.0  # inside the housing, in full sun
_FULL_SUN_LUX = 100_000.0
_MAST_M = 4.0  # the antenna over the point about which a buoy rolls
_STILL = Seaway(0.0, 0j)


@dataclass(frozen=True)
class AidSettings:
    """What an aid is built of."""

    mooring: MooringSettings = field(default_factory=MooringSettings)
    lamp: LampSettings = field(default_factory=LampSettings)
    power: PowerSettings = field(default_factory=PowerSettings)
    weather_station: bool = False  # whether one stands on it


class Aid:
    """A buoy on its chain, or a light that stands; with or without a lantern connected.

    Args:
        sea: tide, wind and sky around it.
        station: where its sinker lies or it stands.
        floating: whether it swings.
        phases: its light's phases; empty when no lantern is connected.
        settings: what it is built of.
        rng: where its chance comes from.
        t: the time at which it begins.

    Attributes:
        lamp: its lantern, if one is connected.
        mooring: its chain, if it floats.
        weather_station: whether one stands on it.
        hatch_open: whether somebody is at it.
        water_inside: whether it leaks.
        wind_mps: the mean wind that it stands in.
    """

    def __init__(
        self,
        sea: Sea,
        station: Place,
        settings: AidSettings,
        rng: random.Random,
        t: float,
        *,
        floating: bool,
        phases: Sequence[Phase],
    ) -> None:
        self.station = station
        self.lamp = Lamp(settings.lamp, phases) if phases else None
        self._sea = sea
        self.mooring = Mooring(settings.mooring) if floating else None
        self.weather_station = settings.weather_station
        self.hatch_open = False
        self.water_inside = False
        self._power = Power(settings.power, charge=rng.uniform(0.8, 0.95))
        self._waves = Waves(rng) if floating else None
        self.wind_mps = 0.0
        self._t = t - 10 * _STEP_S  # so that it hangs in its chain, lit if it is dark, from `t` on
        self._lux = 0.0
        self.advance(t)

    def advance(self, t: float) -> None:
        """Live on until the time `t`; a clock that went back is waited for."""
        while self._t < t:
            dt = min(_STEP_S, t - self._t)
            self._t += dt
            self._step(dt)

    @property
    def place(self) -> Place:
        """Where it is now."""
        return self.station.moved(self.mooring.offset) if self.mooring else self.station

    @property
    def sea(self) -> Sea:
        """The sea around it."""
        return self._sea

    def antenna(self, t: float) -> Place:
        """Return where its mast's top is at the time `t`, the waves considered."""
        return self.place.moved(_MAST_M * self.seaway(t).heel)

    def seaway(self, t: float) -> Seaway:
        """Return what the waves do to it at the time `t`."""
        return self._waves.at(t, self.wind_mps) if self._waves else _STILL

    @property
    def velocity(self) -> complex:
        """How it moves over ground, m/s."""
        return self.mooring.velocity if self.mooring else 0j

    @property
    def height_m(self) -> float:
        """How high the tide has lifted it, against mean sea level."""
        return self._sea.tide.above_mean_m(self._t) if self.mooring else 0

    @property
    def lit(self) -> bool:
        """Whether its lantern shows its light."""
        return self.lamp is not None and self.lamp.shines

    def lamp_ma(self, t: float) -> float:
        """Return what the lantern draws at the time `t`."""
        return self.lamp.current_ma(t) if self.lamp else 0.0

    def readings(self) -> dict[str, float]:
        """Return what its slow sensors would read, by the board file's channel names."""
        housing_c = self._sea.weather.air_c(self._t) + _SUN_WARMS_C * self._lux / _FULL_SUN_LUX
        return {
            "batt_mv": 1000 * self._power.battery_v,
            "batt_ma": self._power.battery_ma,
            "solar_mv": 1000 * self._power.solar_v,
            "temp_dc": 10 * housing_c,
            "lux": self._lux,
        }

    def _step(self, dt_s: float) -> None:
        sea, t = self._sea, self._t
        wind = sea.wind.at(t)
        self.wind_mps = sea.wind.mean_mps(t)
        clear_lux = sun.illuminance_lux(sun.altitude_deg(t, self.station))
        self._lux = clear_lux * sea.weather.light_factor(t)
        lamp_ma = 0.0
        if self.lamp:
            self.lamp.see(self._lux)
            lamp_ma = self.lamp.mean_ma
        self._power.step(dt_s, self._lux, lamp_ma)
        if self.mooring:
            self.mooring.step(dt_s, sea.tide.level_m(t), sea.tide.stream(t), wind)

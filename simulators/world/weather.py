"""Clouds and air temperature.

Clouds take light away by Kasten and Czeplak's factor, 1 − 0.75·c^3.4 (Solar Energy 24, 1980).
"""

import math
import random
from dataclasses import dataclass

from simulators.world.noise import BandNoise

_YEAR_S = 365.2422 * 86400
_WARMEST_S = 206 * 86400  # 25 July, counted from New Year
_NEW_YEAR_2020 = 1_577_836_800


@dataclass(frozen=True)
class WeatherSettings:
    """What sky and air are like; the defaults are Shanghai's."""

    cloud: float = 0.55  # mean share of the sky that is covered
    mean_c: float = 17.0  # of the year
    summer_c: float = 11.5  # warmest month above the mean
    day_c: float = 2.5  # afternoon above the day's mean, over water


class Weather:
    """Cloud cover, light factor and temperature as functions of time."""

    def __init__(self, settings: WeatherSettings, rng: random.Random, lon: float) -> None:
        self._settings = settings
        self._afternoon_s = (15 - lon / 15) * 3600  # three hours after the sun's noon, in UTC
        self._sky = BandNoise(rng, shortest_s=1800, longest_s=3 * 86400, rms=1.5)
        self._air = BandNoise(rng, shortest_s=6 * 3600, longest_s=6 * 86400, rms=2.0)
        odds = settings.cloud / (1 - settings.cloud)
        self._leaning = math.log(odds)

    def cloud(self, t: float) -> float:
        """Return the share of the sky that is covered, 0 to 1."""
        return 1 / (1 + math.exp(-self._leaning - self._sky.at(t)))

    def light_factor(self, t: float) -> float:
        """Return what the clouds leave of the light of a clear sky."""
        return 1 - 0.75 * float(self.cloud(t) ** 3.4)

    def air_c(self, t: float) -> float:
        """Return the temperature of the air, degrees Celsius."""
        year = 2 * math.pi * (t - _NEW_YEAR_2020 - _WARMEST_S) / _YEAR_S
        day = 2 * math.pi * (t - self._afternoon_s) / 86400
        wave = self._settings.summer_c * math.cos(year) + self._settings.day_c * math.cos(day)
        return self._settings.mean_c + wave + self._air.at(t)

"""Clouds, air and water temperature, humidity, pressure, visibility.

A squall takes nearly all light away at any hour; fog takes the view. Clouds take light away by Kasten and Czeplak's factor, 1 − 0.75·c^3.4 (Solar Energy 24, 1980).
"""

import math
import random
from dataclasses import dataclass
from typing import NamedTuple

from simulators.world.noise import BandNoise

_YEAR_S = 365.2422 * 86400
_WARMEST_S = 206 * 86400  # 25 July, counted from New Year
_NEW_YEAR_2020 = 1_577_836_800
_WATER_LATE_S = 25 * 86400  # the water is warmest that much later, and less so
_SQUALL = 0.0002  # of the light that is left under a squall: full sun is 24 lx then
_CLEAR_M = 15_000.0  # visibility without fog, about
_STANDARD_HPA = 1016.0
_MAGNUS = (17.62, 243.12)  # of the saturation vapour pressure over water (WMO No. 8)


@dataclass(frozen=True)
class WeatherSettings:
    """What sky and air are like; the defaults are Shanghai's."""

    cloud: float = 0.55  # mean share of the sky that is covered
    mean_c: float = 17.0  # of the year
    summer_c: float = 11.5  # warmest month above the mean
    day_c: float = 2.5  # afternoon above the day's mean, over water


class Spell(NamedTuple):
    """Something that lasts from `begins` to before `ends` (Unix seconds), `much` of it."""

    begins: float
    ends: float
    much: float = 0.0


class Weather:
    """Sky and air as functions of time.

    Attributes:
        squalls: when it is as dark as at dusk.
        fogs: when one sees only `much` metres far.
    """

    def __init__(self, settings: WeatherSettings, rng: random.Random, lon: float) -> None:
        self._settings = settings
        self._afternoon_s = (15 - lon / 15) * 3600  # three hours after the sun's noon, in UTC
        self._sky = BandNoise(rng, shortest_s=1800, longest_s=3 * 86400, rms=1.5)
        self._air = BandNoise(rng, shortest_s=6 * 3600, longest_s=6 * 86400, rms=2.0)
        self._damp = BandNoise(rng, shortest_s=3 * 3600, longest_s=4 * 86400, rms=0.5)
        self._heavy = BandNoise(rng, shortest_s=12 * 3600, longest_s=8 * 86400, rms=5.0)
        self.squalls: list[Spell] = []
        self.fogs: list[Spell] = []
        odds = settings.cloud / (1 - settings.cloud)
        self._leaning = math.log(odds)

    def cloud(self, t: float) -> float:
        """Return the share of the sky that is covered, 0 to 1."""
        return 1 / (1 + math.exp(-self._leaning - self._sky.at(t)))

    def light_factor(self, t: float) -> float:
        """Return what the clouds leave of the light of a clear sky."""
        clouds = 1 - 0.75 * float(self.cloud(t) ** 3.4)
        return clouds * _SQUALL if _spell(self.squalls, t) else clouds

    def air_c(self, t: float) -> float:
        """Return the temperature of the air, degrees Celsius."""
        day = 2 * math.pi * (t - self._afternoon_s) / 86400
        wave = self._settings.summer_c * _season(t) + self._settings.day_c * math.cos(day)
        return self._settings.mean_c + wave + self._air.at(t)

    def water_c(self, t: float) -> float:
        """Return the temperature of the water, degrees Celsius; it never freezes here."""
        season = 0.85 * self._settings.summer_c * _season(t - _WATER_LATE_S)
        return max(-1.0, self._settings.mean_c + season + 0.1 * self._air.at(t))

    def humidity(self, t: float) -> float:
        """Return the relative humidity, 0 to 1."""
        if _spell(self.fogs, t):
            return 0.99
        return 0.55 + 0.42 / (1 + math.exp(-0.9 - self._damp.at(t)))

    def dew_c(self, t: float) -> float:
        """Return the dew point, degrees Celsius."""
        a, b = _MAGNUS
        air_c = self.air_c(t)
        x = math.log(self.humidity(t)) + a * air_c / (b + air_c)
        return b * x / (a - x)

    def pressure_hpa(self, t: float) -> float:
        """Return the air pressure at the sea, higher in winter."""
        return _STANDARD_HPA - 9 * _season(t) + self._heavy.at(t)

    def visibility_m(self, t: float) -> float:
        """Return how far one sees."""
        fog = _spell(self.fogs, t)
        clear_m = _CLEAR_M * math.exp(0.25 * self._sky.at(t + _YEAR_S))
        return min(clear_m, fog.much) if fog else clear_m


def _season(t: float) -> float:
    """Return 1 on the warmest day of the year, -1 half a year later."""
    return math.cos(2 * math.pi * (t - _NEW_YEAR_2020 - _WARMEST_S) / _YEAR_S)


def _spell(spells: list[Spell], t: float) -> Spell | None:
    return next((one for one in spells if one.begins <= t < one.ends), None)

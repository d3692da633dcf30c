"""The wind: a mean that wanders over days, gusts of seconds to minutes on top.

Both are band-limited noise. A storm adds to the mean for hours, rising and falling by a cosine. Gusts
grow with the mean: their strength is a fixed share of it, the turbulence intensity (about 0.12 over
open water).
"""

import math
import random
from dataclasses import dataclass
from typing import NamedTuple

from simulators.world.noise import BandNoise
from simulators.world.place import towards

_GUST_S = (8.0, 180.0)
_WEATHER_S = (3 * 3600.0, 4 * 86400.0)


@dataclass(frozen=True)
class WindSettings:
    """What the wind is like."""

    mean_mps: float = 6.5
    spread_mps: float = 2.0  # how far the mean wanders, root mean square
    from_deg: float = 110.0  # where it blows from, on average
    veer_deg: float = 35.0  # how far that wanders, root mean square
    turbulence: float = 0.12


class Storm(NamedTuple):
    """Wind that comes and goes: from when (Unix seconds), for how long, how strong at its height."""

    begins: float
    lasts_s: float
    mps: float


class Wind:
    """Wind velocity as a function of time.

    Attributes:
        storms: those that pass; more can be added.
    """

    def __init__(self, settings: WindSettings, rng: random.Random) -> None:
        self._settings = settings
        self.storms: list[Storm] = []
        shortest, longest = _WEATHER_S
        self._mean = BandNoise(
            rng, shortest_s=shortest, longest_s=longest, rms=settings.spread_mps
        )
        self._veer = BandNoise(rng, shortest_s=shortest, longest_s=longest, rms=settings.veer_deg)
        shortest, longest = _GUST_S
        self._gust = BandNoise(
            rng, shortest_s=shortest, longest_s=longest, rms=settings.turbulence
        )
        self._flicker = BandNoise(rng, shortest_s=shortest, longest_s=longest, rms=4.0)

    def mean_mps(self, t: float) -> float:
        """Return the mean speed without gusts."""
        mean = max(0.0, self._settings.mean_mps + self._mean.at(t))
        for storm in self.storms:
            since = (t - storm.begins) / storm.lasts_s
            if 0 < since < 1:
                mean += storm.mps * (1 - math.cos(2 * math.pi * since)) / 2
        return mean

    def at(self, t: float) -> complex:
        """Return the velocity of the air, m/s (where it goes to, not where it comes from)."""
        speed = max(0.0, self.mean_mps(t) * (1 + self._gust.at(t)))
        source = self._settings.from_deg + self._veer.at(t) + self._flicker.at(t)
        return speed * towards(source + 180.0)

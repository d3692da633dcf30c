"""The wind: a mean that wanders over days, gusts of seconds to minutes on top.

Both are band-limited noise. Gusts grow with the mean: their strength is a fixed share of it, the
turbulence intensity (about 0.12 over open water).
"""

import random
from dataclasses import dataclass

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


class Wind:
    """Wind velocity as a function of time."""

    def __init__(self, settings: WindSettings, rng: random.Random) -> None:
        self._settings = settings
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

    def at(self, t: float) -> complex:
        """Return the velocity of the air, m/s (where it goes to, not where it comes from)."""
        mean = max(0.0, self._settings.mean_mps + self._mean.at(t))
        speed = max(0.0, mean * (1 + self._gust.at(t)))
        source = self._settings.from_deg + self._veer.at(t) + self._flicker.at(t)
        return speed * towards(source + 180.0)

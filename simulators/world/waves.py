"""The seaway: how waves heave and heel a buoy.

Height and period follow the wind by the JONSWAP fetch relations (Hasselmann et al., 1973). The shape
is band-limited noise, so it has no crests sharper than a sine's; a buoy of a few metres follows the
slope of waves that are much longer than it is.
"""

import math
import random
from typing import NamedTuple

from simulators.world.noise import BandNoise

G = 9.80665
_LEAST_MPS = 0.5
_PERIODS_S = (2.5, 6.5)  # of what a buoy answers to


class Seaway(NamedTuple):
    """What the waves do to a buoy: heave in m/s², heel in radians, east + north·1j."""

    heave_mps2: float
    heel: complex


class Waves:
    """Waves at one place.

    Args:
        rng: where their shape comes from.
        fetch_m: how far the wind has had the water before it.
    """

    def __init__(self, rng: random.Random, fetch_m: float = 40_000.0) -> None:
        self._fetch_m = fetch_m
        shortest, longest = _PERIODS_S
        self._heave, self._east, self._north = (
            BandNoise(rng, shortest_s=shortest, longest_s=longest, rms=1.0) for _ in range(3)
        )

    def height_m(self, wind_mps: float) -> float:
        """Return the significant height in a wind that has blown for long."""
        return 0.0016 * math.sqrt(self._fetch_m / G) * wind_mps

    def period_s(self, wind_mps: float) -> float:
        """Return the period of the spectrum's peak."""
        wind = max(_LEAST_MPS, wind_mps)
        return 0.286 * wind / G * math.cbrt(G * self._fetch_m / wind**2)

    def at(self, t: float, wind_mps: float) -> Seaway:
        """Return the motion at the time `t` in a mean wind."""
        rms_m = self.height_m(wind_mps) / 4
        lift = rms_m * (2 * math.pi / self.period_s(wind_mps)) ** 2
        # The slope of a deep-water wave is its acceleration over g.
        heel = lift / G * complex(self._east.at(t), self._north.at(t)) / math.sqrt(2)
        return Seaway(-lift * self._heave.at(t), heel)

"""A buoy on its chain: where stream and wind hold it around its sinker.

The chain is a catenary; its horizontal reach under a pull H, with a = H / (weight per metre in
water), has a closed form both while chain lies on the ground and once all of it hangs (Irvine, Cable
Structures, 1981, chapter 1). The buoy follows that point like a critically damped spring, so it
swings with inertia and a long step is as stable as a short one. It is never further from the sinker
than sqrt(L² − depth²), the swing radius, which shrinks as the water rises.
"""

import math
from dataclasses import dataclass

_WATER = 0.5 * 1020.0  # half the density of brackish water, kg/m³
_AIR = 0.5 * 1.225
_DRAG = 1.0  # coefficient of a blunt hull in both


@dataclass(frozen=True)
class MooringSettings:
    """A light buoy of 2.4 m on 38 mm chain."""

    depth_m: float = 9.0  # below chart datum
    chain_m: float = 30.0
    chain_n_per_m: float = 250.0  # weight in water
    hull_m2: float = 2.2  # area that the stream meets
    tower_m2: float = 4.0  # area that the wind meets
    response_s: float = 60.0  # how slowly it follows


class Mooring:
    """Position and velocity of a buoy relative to its sinker, moved on by `step`."""

    def __init__(self, settings: MooringSettings) -> None:
        self._settings = settings
        self.offset = 0j  # metres from the sinker
        self.velocity = 0j

    def swing_radius_m(self, level_m: float) -> float:
        """Return how far the chain lets the buoy go at a water level over chart datum."""
        depth = self._settings.depth_m + level_m
        return math.sqrt(max(0.0, self._settings.chain_m**2 - depth**2))

    def step(self, dt_s: float, level_m: float, stream: complex, wind: complex) -> None:
        """Move on by `dt_s` seconds in the given stream and wind (m/s)."""
        pull = self._settings.hull_m2 * _WATER * _DRAG * stream * abs(stream)
        pull += self._settings.tower_m2 * _AIR * _DRAG * wind * abs(wind)
        target = self._rest(abs(pull), level_m) * pull / abs(pull) if pull else self.offset
        omega = 1 / self._settings.response_s
        error = self.offset - target
        drive = self.velocity + omega * error
        decay = math.exp(-omega * dt_s)
        self.offset = target + (error + drive * dt_s) * decay
        self.velocity = (self.velocity - omega * drive * dt_s) * decay
        self._hold(level_m)

    def _rest(self, pull_n: float, level_m: float) -> float:
        """Return the reach at which the chain balances a steady pull."""
        depth = self._settings.depth_m + level_m
        chain = self._settings.chain_m
        a = pull_n / self._settings.chain_n_per_m
        lifted = math.sqrt(depth * (depth + 2 * a))
        if lifted < chain:
            return chain - lifted + a * math.acosh(1 + depth / a)
        return 2 * a * math.asinh(self.swing_radius_m(level_m) / (2 * a))

    def _hold(self, level_m: float) -> None:
        """Let the taut chain take what would lead beyond the swing radius."""
        radius = self.swing_radius_m(level_m)
        distance = abs(self.offset)
        if distance <= radius:
            return
        outwards = self.offset / distance
        self.offset = outwards * radius
        away = (self.velocity * outwards.conjugate()).real
        if away > 0:
            self.velocity -= away * outwards

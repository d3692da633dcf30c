"""A buoy on its chain: where stream and wind hold it around its sinker.

The chain is a catenary; its horizontal reach under a pull H, with a = H / (weight per metre in
water), has a closed form both while chain lies on the ground and once all of it hangs (Irvine, Cable
Structures, 1981, chapter 1). The buoy follows that point like a critically damped spring, so it
swings with inertia and a long step is as stable as a short one. It is never further from the sinker
than sqrt(L² − depth²), the swing radius, which shrinks as the water rises.

A sinker can be dragged, and a chain can break: then the buoy goes with the stream and a little with
the wind, until it is moored again.
"""

import math
from dataclasses import dataclass

_WATER = 0.5 * 1020.0  # half the density of brackish water, kg/m³
_AIR = 0.5 * 1.225
_DRAG = 1.0  # coefficient of a blunt hull in both
_LEEWAY = 0.03  # of the wind's speed, adrift


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
    """Position and velocity of a buoy relative to where its sinker was laid, moved on by `step`.

    Attributes:
        sinker: where the sinker lies now, metres from where it was laid.
        free: whether the chain is broken.
    """

    def __init__(self, settings: MooringSettings) -> None:
        self._settings = settings
        self.sinker = 0j
        self.free = False
        self.velocity = 0j  # over ground
        self._reach = 0j  # from the sinker
        self._swing = 0j  # velocity relative to the sinker
        self._drag = 0j  # m/s, for so long:
        self._drag_s = 0.0

    @property
    def offset(self) -> complex:
        """Metres from where the sinker was laid."""
        return self.sinker + self._reach

    @property
    def pull(self) -> complex:
        """The direction in which the chain pulls at the sinker, of length 1."""
        reach = abs(self._reach)
        return self._reach / reach if reach else 1 + 0j

    def swing_radius_m(self, level_m: float) -> float:
        """Return how far the chain lets the buoy go at a water level over chart datum."""
        depth = self._settings.depth_m + level_m
        return math.sqrt(max(0.0, self._settings.chain_m**2 - depth**2))

    def drag(self, way: complex, over_s: float) -> None:
        """Have the sinker dragged by `way` metres within `over_s` seconds."""
        self._drag, self._drag_s = way / over_s, over_s

    def break_free(self) -> None:
        """Break the chain."""
        self.free = True

    def moor(self, over_s: float = 0.0) -> None:
        """Bring the buoy back, within `over_s` seconds, on a whole chain to where it belongs."""
        if self.free:
            self.sinker, self._reach, self.free = self.offset, 0j, False
        self._drag_s = 0.0
        if over_s:
            self.drag(-self.sinker, over_s)
        else:
            self.sinker = self._reach = self._swing = 0j

    def step(self, dt_s: float, level_m: float, stream: complex, wind: complex) -> None:
        """Move on by `dt_s` seconds in the given stream and wind (m/s)."""
        omega = 1 / self._settings.response_s
        decay = math.exp(-omega * dt_s)
        if self.free:
            going = stream + _LEEWAY * wind
            lag = self._swing - going
            self._reach += going * dt_s + lag * (1 - decay) / omega
            self._swing = going + lag * decay
            self.velocity = self._swing
            return
        dragged_s = min(dt_s, self._drag_s)
        self._drag_s -= dragged_s
        self.sinker += self._drag * dragged_s
        pull = self._settings.hull_m2 * _WATER * _DRAG * stream * abs(stream)
        pull += self._settings.tower_m2 * _AIR * _DRAG * wind * abs(wind)
        target = self._rest(abs(pull), level_m) * pull / abs(pull) if pull else self._reach
        error = self._reach - target
        drive = self._swing + omega * error
        self._reach = target + (error + drive * dt_s) * decay
        self._swing = (self._swing - omega * drive * dt_s) * decay
        self._hold(level_m)
        self.velocity = self._swing + self._drag * dragged_s / dt_s

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
        distance = abs(self._reach)
        if distance <= radius:
            return
        outwards = self._reach / distance
        self._reach = outwards * radius
        away = (self._swing * outwards.conjugate()).real
        if away > 0:
            self._swing -= away * outwards

"""What a buoy's accelerometer feels: gravity seen from a hull that rolls and heaves.

x and y lie in the deck, z points up the mast. A moored light buoy rolls at a period of its own,
2 to 4 s, by more the harder it blows, and is lifted by the waves that the wind has made. The figures
are round ones for a hull of 2.4 m, not of a model basin.
"""

import math
import random

from simulators.world.noise import BandNoise

_ROLL_S = (2.2, 3.4)
_HEAVE_S = (3.0, 8.0)
_ROLL_DEG_PER_MPS = 0.9  # root mean square, per m/s of wind
_HEAVE_MG_PER_MPS = 9.0
_LEAN_DEG_PER_MPS = 0.35  # the wind on its tower


def acceleration(
    lean_deg: float, towards_deg: float = 0.0, lift_mg: float = 0.0
) -> tuple[int, int, int]:
    """Return what acts on a hull that leans: x, y, z in mg.

    Args:
        lean_deg: angle between mast and vertical, 0 to 180.
        towards_deg: where it leans to, from x towards y.
        lift_mg: upward acceleration beside gravity.
    """
    lean, towards = math.radians(lean_deg), math.radians(towards_deg)
    total = 1000.0 + lift_mg
    flat = total * math.sin(lean)
    return (
        round(flat * math.cos(towards)),
        round(flat * math.sin(towards)),
        round(total * math.cos(lean)),
    )


class Hull:
    """A hull in the waves of its wind, as a function of time.

    Attributes:
        capsized_deg: how far something lays it over, on top of its rolling; 0: upright.
    """

    def __init__(self, rng: random.Random) -> None:
        self.capsized_deg = 0.0
        shortest, longest = _ROLL_S
        self._roll = BandNoise(rng, shortest_s=shortest, longest_s=longest, rms=1.0)
        self._pitch = BandNoise(rng, shortest_s=shortest, longest_s=longest, rms=0.5)
        shortest, longest = _HEAVE_S
        self._heave = BandNoise(rng, shortest_s=shortest, longest_s=longest, rms=1.0)

    def feels(self, t: float, wind_mps: float) -> tuple[int, int, int]:
        """Return x, y, z in mg at the time `t`, in a wind of so many m/s."""
        roll = self.capsized_deg
        roll += wind_mps * (_LEAN_DEG_PER_MPS + _ROLL_DEG_PER_MPS * self._roll.at(t))
        pitch = wind_mps * _ROLL_DEG_PER_MPS * self._pitch.at(t)
        lift = wind_mps * _HEAVE_MG_PER_MPS * self._heave.at(t)
        return acceleration(math.hypot(roll, pitch), math.degrees(math.atan2(pitch, roll)), lift)

"""Noise with a known band: what makes wind, load and satellite errors vary smoothly.

A sum of sinusoids with random phases, whose periods are spread evenly (in the logarithm) over the
band. It is a function of time alone, so it can be asked for any moment in any order, and it can
never leave ±`bound`.
"""

import math
import random


class BandNoise:
    """Zero-mean noise of a given strength between two periods."""

    _TONES = 12  # enough that the pattern does not repeat visibly, few enough to be cheap

    def __init__(
        self, rng: random.Random, *, shortest_s: float, longest_s: float, rms: float
    ) -> None:
        """Draw the tones.

        Args:
            rng: where the randomness comes from.
            shortest_s: the shortest period in the noise, seconds.
            longest_s: the longest.
            rms: the root mean square of the noise, in the unit of what it is added to.
        """
        self.bound = rms * math.sqrt(2 * self._TONES)
        self._amplitude = rms * math.sqrt(2 / self._TONES)
        ratio = longest_s / shortest_s
        self._tones = [
            (
                2 * math.pi / (shortest_s * ratio ** ((i + rng.random()) / self._TONES)),
                2 * math.pi * rng.random(),
            )
            for i in range(self._TONES)
        ]

    def at(self, t: float) -> float:
        """Return the noise at the time `t`."""
        return self._amplitude * sum(math.sin(w * t + phase) for w, phase in self._tones)

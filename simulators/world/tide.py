"""The tide: its level and the stream it makes along the channel.

The level is the sum of the four largest constituents, M2, S2, K1 and O1 (speeds: Schureman, Manual
of Harmonic Analysis and Prediction of Tides, table 2), with amplitudes as they are at the mouth of
the Yangtze. Phases count from 2020-01-01 UTC and no nodal corrections are made: a typical tide with
its springs and neaps, not a prediction for the day.

The stream follows the level that comes `stream_lead_h` later (in an estuary the flood runs hardest
before high water), less the river's own outflow.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from simulators.world.place import towards

_EPOCH = 1_577_836_800  # 2020-01-01T00:00:00Z


class Constituent(NamedTuple):
    """One harmonic: degrees per hour, metres, degrees."""

    speed_deg_h: float
    amplitude_m: float
    phase_deg: float


YANGTZE_MOUTH = (
    Constituent(28.9841042, 1.25, 310.0),  # M2
    Constituent(30.0, 0.52, 355.0),  # S2
    Constituent(15.0410686, 0.26, 210.0),  # K1
    Constituent(13.9430356, 0.16, 165.0),  # O1
)


@dataclass(frozen=True)
class TideSettings:
    """What one estuary's tide is like."""

    mean_m: float = 2.2  # mean level above chart datum
    constituents: tuple[Constituent, ...] = YANGTZE_MOUTH
    axis_deg: float = 290.0  # where the flood runs to, along the channel
    stream_mps_per_m: float = 0.8  # stream per metre of level above the mean
    stream_lead_h: float = 2.5  # how long before high water the flood runs hardest
    outflow_mps: float = 0.25  # the river's own stream, seawards


class Tide:
    """Level and stream as functions of time."""

    def __init__(self, settings: TideSettings) -> None:
        self._settings = settings
        self._axis = towards(settings.axis_deg)
        self.highest_m = settings.mean_m + sum(c.amplitude_m for c in settings.constituents)

    def level_m(self, t: float) -> float:
        """Return the water level above chart datum, metres."""
        return self._settings.mean_m + self.above_mean_m(t)

    def stream(self, t: float) -> complex:
        """Return the stream's velocity, m/s."""
        flood = self._settings.stream_mps_per_m * self.above_mean_m(
            t + 3600 * self._settings.stream_lead_h
        )
        return self._axis * (flood - self._settings.outflow_mps)

    def above_mean_m(self, t: float) -> float:
        """Return the water level above mean sea level, metres."""
        hours = (t - _EPOCH) / 3600
        return sum(
            c.amplitude_m * math.cos(math.radians(c.speed_deg_h * hours - c.phase_deg))
            for c in self._settings.constituents
        )

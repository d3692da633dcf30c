"""The error of a buoy's satellite receiver: what it shows, against where its antenna is.

    errors = FixErrors(random.Random("seed"))
    look = errors.look(t, view=20)       # view: satellites over the horizon
    look.error                           # metres, east + north·1j; None: no fix

Time only goes forward. What is modelled, at a dilution of precision (HDOP) of 1:

- an error that wanders over minutes (orbits, clocks, ionosphere, reflections off the water that turn
  with the sky) and a quicker one, both smoothed by the receiver's own filter, as all of them do;
- a quiver from fix to fix; everything so far grows with HDOP;
- jumps: a reflection is taken for the signal. Tens of metres, for seconds to a minute, at an HDOP
  that looks as good as ever;
- HDOP spikes, while satellites are hidden (the tower heels, a ship passes);
- fixes lost for seconds to minutes, and after them some that are off;
- cold starts by themselves: no time, then time, then a first fix that may be far off and creeps in.

Where the numbers come from: `docs/simulators.md`, "The receiver's error".
"""

import math
import random
from dataclasses import dataclass
from typing import NamedTuple

_DAY_S = 86_400.0
_DOP = 3.5  # HDOP is about this over the square root of the satellites used
NO_DOP = 99.99  # what stands for no dilution of precision


@dataclass(frozen=True)
class FixSettings:
    """Strengths in metres for each axis, root mean square; spans as least and most."""

    wander_m: float = 1.9
    wander_s: float = 900.0  # correlation time
    swell_m: float = 0.5
    swell_s: float = 120.0
    smooth_s: float = 10.0  # time constant of the receiver's own filter
    quiver_m: float = 0.03
    quiver_s: float = 1.0
    used_share: float = 0.75  # of the satellites in view, on average
    jump_every_s: float = 6 * 3600.0
    jump_s: tuple[float, float] = (5.0, 60.0)
    jump_m: tuple[float, float] = (12.0, 70.0)
    spike_every_s: float = 2 * 3600.0
    spike_s: tuple[float, float] = (5.0, 120.0)
    spike_dop: tuple[float, float] = (3.0, 20.0)
    lost_every_s: float = 3 * 3600.0
    lost_s: tuple[float, float] = (2.0, 300.0)
    restart_every_s: float = 20 * _DAY_S  # a brown-out; not what the board does to it
    time_after_s: float = 8.0  # after power-up
    fix_after_s: float = 20.0
    first_m: tuple[float, float] = (4.0, 250.0)  # how far off the first fix is
    again_m: tuple[float, float] = (1.0, 15.0)  # and the first one after a loss
    settle_s: float = 12.0  # time constant with which that creeps in


class Look(NamedTuple):
    """What a receiver shows at one moment."""

    clock: bool  # whether it knows the time
    error: complex | None  # metres; None: it has no fix
    sats: int  # used
    hdop: float
    age_s: float  # since power-up


class _Wander:
    """Noise in the plane that forgets itself (Gauss-Markov)."""

    def __init__(self, rng: random.Random, rms: float, memory_s: float) -> None:
        self._rng = rng
        self._rms = rms
        self._memory_s = memory_s
        self._dt_s = 0.0
        self._keep = 1.0
        self._kick = 0.0
        self.value = rms * complex(rng.gauss(0, 1), rng.gauss(0, 1))

    def step(self, dt_s: float) -> complex:
        if dt_s != self._dt_s:
            self._dt_s = dt_s
            self._keep = math.exp(-dt_s / self._memory_s)
            self._kick = self._rms * math.sqrt(1 - self._keep**2)
        gauss = self._rng.gauss
        self.value = self.value * self._keep + self._kick * complex(gauss(0, 1), gauss(0, 1))
        return self.value


class _Episodes:
    """Things that happen at random moments and last for a while, never two of a kind at once.

    Their lengths are even in the logarithm, most of them short, unless `even`.
    """

    def __init__(
        self,
        rng: random.Random,
        every_s: float,
        lasts_s: tuple[float, float],
        t: float,
        *,
        even: bool = False,
    ) -> None:
        self._rng = rng
        self._every_s = every_s
        self._lasts_s = lasts_s
        self._even = even
        self._begins = t
        self._ends = t
        self._draw(t)

    def _draw(self, after: float) -> None:
        self._begins = after + self._rng.expovariate(1 / self._every_s)
        draw = self._rng.uniform if self._even else self._log_uniform
        self._ends = self._begins + draw(*self._lasts_s)
        self.number = self._rng.random()  # a new one for each episode

    def _log_uniform(self, low: float, high: float) -> float:
        return math.exp(self._rng.uniform(math.log(low), math.log(high)))

    def on(self, t: float) -> bool:
        while t >= self._ends:
            self._draw(self._ends)
        return t >= self._begins


class FixErrors:
    """One receiver's errors.

    Args:
        rng: where its chance comes from.
        settings: how bad it is.
    """

    def __init__(self, rng: random.Random, settings: FixSettings | None = None) -> None:
        self._rng = rng
        self._settings = settings or FixSettings()
        self._powered_at: float | None = None
        self._t = 0.0
        self._low: complex
        self._settling: complex
        self._jumps: _Episodes
        self._spikes: _Episodes
        self._losses: _Episodes
        self._restarts: _Episodes

    def power_up(self) -> None:
        """Start anew at the next look, without time and fix."""
        self._powered_at = None

    def look(self, t: float, view: int) -> Look:
        """Return what it shows at the time `t` (seconds) with `view` satellites over the horizon."""
        settings, rng = self._settings, self._rng
        if self._powered_at is None:
            self._start(t)
        dt_s = max(0.0, t - self._t)
        self._t = t
        if self._restarts.on(t):
            self._powered_at = t
        age_s = t - (t if self._powered_at is None else self._powered_at)
        error, share = self._smoothed(dt_s), self._share.step(dt_s).real
        quiver = self._quiver.step(dt_s)
        if age_s < settings.fix_after_s or self._losses.on(t):
            first = settings.first_m if age_s < settings.fix_after_s else settings.again_m
            far_m = math.exp(rng.uniform(*map(math.log, first)))
            self._settling = far_m * _direction(rng.random())
            return Look(age_s >= settings.time_after_s, None, 0, NO_DOP, age_s)
        self._settling *= math.exp(-dt_s / settings.settle_s)
        sats = max(4, min(view, round(view * (settings.used_share + share))))
        hdop = _DOP / math.sqrt(sats)
        if self._spikes.on(t):
            low, high = settings.spike_dop
            hdop = low * math.pow(high / low, self._spikes.number)
            sats = max(4, min(sats, round(_DOP**2 / hdop**2) + 4))
        # What creeps in after a start, the receiver knows to be poor.
        error = (error + quiver) * hdop + self._settling
        hdop = min(NO_DOP, hdop * (1 + abs(self._settling) / 20))
        if self._jumps.on(t):
            error += self._jump()
        return Look(True, error, sats, hdop, age_s)

    def _start(self, t: float) -> None:
        settings, rng = self._settings, self._rng
        self._powered_at = self._t = t
        self._wander = _Wander(rng, settings.wander_m, settings.wander_s)
        self._swell = _Wander(rng, settings.swell_m, settings.swell_s)
        self._quiver = _Wander(rng, settings.quiver_m, settings.quiver_s)
        self._share = _Wander(rng, 0.08, 600.0)
        self._low = self._wander.value + self._swell.value
        self._settling = 0j
        self._jumps = _Episodes(rng, settings.jump_every_s, settings.jump_s, t, even=True)
        self._spikes = _Episodes(rng, settings.spike_every_s, settings.spike_s, t)
        self._losses = _Episodes(rng, settings.lost_every_s, settings.lost_s, t)
        self._restarts = _Episodes(rng, settings.restart_every_s, (0.5, 1.0), t)

    def _smoothed(self, dt_s: float) -> complex:
        raw = self._wander.step(dt_s) + self._swell.step(dt_s)
        self._low += (raw - self._low) * (1 - math.exp(-dt_s / self._settings.smooth_s))
        return self._low

    def _jump(self) -> complex:
        """Return the false place of this jump; it trembles a little, as reflections do."""
        low, high = self._settings.jump_m
        number = self._jumps.number
        far_m = low * math.pow(high / low, number)
        return far_m * _direction(977 * number) * self._rng.uniform(0.9, 1.1)


def _direction(turns: float) -> complex:
    angle = 2 * math.pi * turns
    return complex(math.cos(angle), math.sin(angle))

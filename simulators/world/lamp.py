"""The lantern: a photocell that switches it at dusk, and the current of its LEDs.

It flashes by itself, in step with UTC as lanterns with satellite clocks do, so that a line of lights
flashes together. Two control lines can ask it to stay dark, and to show by day what it shows by
night; when nobody drives them, it goes its own way.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from simulators.world.light import Phase


@dataclass(frozen=True)
class LampSettings:
    """An LED lantern of medium range."""

    current_ma: float = 350.0
    on_lux: float = 100.0  # it lights below this
    off_lux: float = 200.0  # and goes out above this
    always: bool = False  # lit by day as well


class Lamp:
    """Knows whether it is switched on, and what it draws at any moment.

    Attributes:
        switched_on: what its photocell says.
        asked_off: whether it is asked to stay dark.
        asked_test: whether it is asked to show its light by day as well.
        duty: the part of a period in which it is lit.
    """

    _RISE_S = 0.004  # time constant of the driver; the light of an LED follows its current

    def __init__(self, settings: LampSettings, phases: Sequence[Phase]) -> None:
        self._settings = settings
        self._phases = phases
        self._period = sum(phase.on + phase.off for phase in phases)
        self.switched_on = settings.always
        self.asked_off = False
        self.asked_test = False
        self.duty = sum(phase.on for phase in phases) / self._period

    def see(self, lux: float) -> None:
        """Let the photocell judge the daylight."""
        if self._settings.always or lux < self._settings.on_lux:
            self.switched_on = True
        elif lux > self._settings.off_lux:
            self.switched_on = False

    @property
    def shines(self) -> bool:
        """Whether it shows its character now."""
        return (self.switched_on or self.asked_test) and not self.asked_off

    @property
    def mean_ma(self) -> float:
        """The current averaged over a period."""
        return self._settings.current_ma * self.duty if self.shines else 0.0

    def current_ma(self, t: float) -> float:
        """Return the current at the time `t`."""
        if not self.shines:
            return 0.0
        rest = t % self._period
        for on, off in self._phases:
            if rest < on:
                rising = 1.0 if off == 0 else 1 - math.exp(-rest / self._RISE_S)
                return self._settings.current_ma * rising
            rest -= on
            if rest < off:
                return self._settings.current_ma * math.exp(-rest / self._RISE_S)
            rest -= off
        return 0.0

    def edges(self, after: float, until: float) -> Iterator[tuple[float, bool]]:
        """Yield when its character changes in (after, until], and whether to light.

        A fixed light has no edges.
        """
        if all(off == 0 for _, off in self._phases):
            return
        for turn in count(math.floor(after / self._period)):
            t = turn * self._period
            for on, off in self._phases:
                for lit, lasts in ((True, on), (False, off)):
                    if t > until:
                        return
                    if t > after:
                        yield t, lit
                    t += lasts

    def lit_at(self, t: float) -> bool:
        """Return whether it gives light at the time `t`."""
        rest = t % self._period
        for on, off in self._phases:
            if rest < on:
                return self.shines
            rest -= on + off
            if rest < 0:
                return False
        return False

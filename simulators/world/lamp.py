"""The lantern: a photocell that switches it at dusk, and the current of its LEDs.

It flashes by itself, in step with UTC as lanterns with satellite clocks do, so that a line of lights
flashes together. Two control lines can ask it to stay dark, and to show by day what it shows by
night; when nobody drives them, it goes its own way.

It can fail: go dark, burn by day and night without rhythm, show another character, be dim.
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
    rise_s: float = 0.004  # time constant of the driver; the light of an LED follows its current
    pwm_hz: float = 0.0  # dimmed by switching so often; 0: not
    pwm_duty: float = 1.0  # the part of that time in which it draws current


class Lamp:
    """Knows whether it is switched on, and what it draws at any moment.

    Attributes:
        switched_on: what its photocell says.
        asked_off: whether it is asked to stay dark.
        asked_test: whether it is asked to show its light by day as well.
        failed: whether it is broken, and dark.
        stuck: whether it burns all the time.
        strength: the part of its current that is left.
        duty: the part of a period in which it is lit.
    """

    def __init__(self, settings: LampSettings, phases: Sequence[Phase]) -> None:
        self._settings = settings
        self._right = phases
        self.switched_on = settings.always
        self.asked_off = False
        self.asked_test = False
        self.failed = False
        self.stuck = False
        self.strength = 1.0
        self.show(phases)

    def show(self, phases: Sequence[Phase] | None) -> None:
        """Show another character; None: the right one again."""
        self._phases = self._right if phases is None else phases
        self._period = sum(phase.on + phase.off for phase in self._phases)
        self.duty = sum(phase.on for phase in self._phases) / self._period

    def see(self, lux: float) -> None:
        """Let the photocell judge the daylight."""
        if self._settings.always or lux < self._settings.on_lux:
            self.switched_on = True
        elif lux > self._settings.off_lux:
            self.switched_on = False

    @property
    def shines(self) -> bool:
        """Whether it shows its character now."""
        asked = (self.switched_on or self.asked_test) and not self.asked_off
        return (asked or self.stuck) and not self.failed

    @property
    def mean_ma(self) -> float:
        """The current averaged over a period."""
        if not self.shines:
            return 0.0
        settings = self._settings
        duty = (1.0 if self.stuck else self.duty) * settings.pwm_duty
        return settings.current_ma * self.strength * duty

    def current_ma(self, t: float) -> float:
        """Return the current at the time `t`."""
        settings = self._settings
        if not self.shines or (settings.pwm_hz and t * settings.pwm_hz % 1 >= settings.pwm_duty):
            return 0.0
        return settings.current_ma * self.strength * (1.0 if self.stuck else self._glow(t))

    def _glow(self, t: float) -> float:
        """Return the part of the full current that the driver lets through at the time `t`."""
        rise_s = self._settings.rise_s
        rest = t % self._period
        for on, off in self._phases:
            if rest < on:
                return 1.0 if off == 0 else 1 - math.exp(-rest / rise_s)
            rest -= on
            if rest < off:
                return math.exp(-rest / rise_s)
            rest -= off
        return 0.0

    def edges(self, after: float, until: float) -> Iterator[tuple[float, bool]]:
        """Yield when its character changes in (after, until], and whether to light.

        A fixed light has no edges.
        """
        if self.stuck or all(off == 0 for _, off in self._phases):
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
        if self.stuck:
            return self.shines
        rest = t % self._period
        for on, off in self._phases:
            if rest < on:
                return self.shines
            rest -= on + off
            if rest < 0:
                return False
        return False

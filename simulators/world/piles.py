"""Shore-power piles and the ships that call at them.

A call: the ship comes alongside, its cable is plugged in, the breaker closes, the load comes up with
the inrush of its transformers and then wanders, the breaker opens, the plug is pulled, the ship
leaves. The pile then rests and another ship comes.

The meter's relay can be tripped and a hand be permitted to close it; there always is one, some seconds
later. While it is open nothing is drawn. The safety loop runs through the plug: it is closed while
the plug is in, and when it opens the breaker falls, whatever anybody says.

Energy is counted as a real register counts it: in whole watt-milliseconds, so that nothing is lost
in rounding and the register is exactly the integral of the power that was drawn.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from simulators.world.noise import BandNoise
from simulators.world.traffic import Ship, Shipyard

_STEP_MS = 1000  # the power is held constant over so much time
WATT_MS_PER_COUNT = 36_000_000  # one count of the register is 0.01 kWh
_NOMINAL_V = 220.0
_INRUSH_S = 3.0
_INRUSH = 1.6
_PHASE_SHARE = (0.35, 0.33, 0.32)  # a little unbalanced
_HAND_S = 5.0  # from the permit to a hand that closes the relay
_RESIDUAL_MA = (3.0, 9.0)  # of the filters of a sound ship: always, and more at full load
_PLUG_RISE_C = 22.0  # of the connector at full load
_PLUG_S = 300.0  # how slowly it warms
_LOST_NEUTRAL = (1.32, 0.86, 0.81)  # the phases' voltages when the star point floats
_MOST_CATCH_UP_S = 86_400  # a machine that slept longer has missed the rest


@dataclass(frozen=True)
class CallSettings:
    """How ships call; times in seconds, as shortest and longest."""

    first_plug_s: float = 5.0  # from the start to the first plug
    session_s: tuple[float, float] = (240.0, 600.0)  # breaker closed
    pause_s: tuple[float, float] = (
        60.0,
        180.0,
    )  # from one ship's leaving to the next one's coming
    load_kw: tuple[float, float] = (4.0, 30.0)
    alongside_s: float = 20.0  # before the plug goes in and after it is out
    handling_s: float = 10.0  # from plug to breaker, and from breaker to plug


class Call(NamedTuple):
    """One ship's call: times in Unix seconds, mean load in watts."""

    ship: Ship
    arrive: float
    plug: float
    close: float
    open: float
    unplug: float
    leave: float
    load_w: float


def _later(call: Call, late_s: float) -> Call:
    """Return a call whose ship comes when it does, and then waits before it connects."""
    return call._replace(
        plug=call.plug + late_s,
        close=call.close + late_s,
        open=call.open + late_s,
        unplug=call.unplug + late_s,
        leave=call.leave + late_s,
    )


class Pile:
    """A pile, its meter's register and the ship that is alongside, if one is.

    Args:
        settings: how ships call.
        rated_w: what it can deliver; no ship takes more.
        shipyard: where the ships come from.
        rng: where its chance comes from.
        t: the time at which it begins.
        watt_ms: the register at that time.

    Attributes:
        loop_broken: whether the safety loop is open although the plug is in.
        voltage: the supply's voltage against the usual one.
        neutral_lost: whether the star point floats.
        leak_ma: residual current besides that of a sound ship.
        contact_c: by how much a bad contact warms the plug while power flows, kelvin.
    """

    def __init__(
        self,
        settings: CallSettings,
        rated_w: float,
        shipyard: Shipyard,
        rng: random.Random,
        t: float,
        watt_ms: int,
    ) -> None:
        self.import_watt_ms = watt_ms
        self.power_w = 0
        self.relay_moves = 0
        self.loop_broken = False
        self.voltage = 1.0
        self.neutral_lost = False
        self.leak_ma = 0.0
        self.contact_c = 0.0
        self._late_s = 0.0
        self._shift_s = 0.0
        self._warm_c = 0.0
        self._tripped = False
        self._hand_s: float | None = None  # when the relay is closed by hand
        self._rated_w = rated_w
        self._rng = rng
        self._load = BandNoise(rng, shortest_s=8, longest_s=600, rms=0.06)
        self._factor = BandNoise(rng, shortest_s=20, longest_s=900, rms=0.01)
        self._volts = [BandNoise(rng, shortest_s=5, longest_s=3600, rms=0.8) for _ in range(3)]
        self._hertz = BandNoise(rng, shortest_s=15, longest_s=1800, rms=0.012)
        self._calls = self._plan(settings, shipyard, t)
        self._call = next(self._calls)
        self._now_ms = round(t * 1000)

    def advance(self, t: float) -> None:
        """Live on until the time `t`, in whole steps."""
        self._now_ms = max(self._now_ms, round((t - _MOST_CATCH_UP_S) * 1000))
        while self._now_ms + _STEP_MS <= t * 1000:
            self._now_ms += _STEP_MS
            now = self._now_ms / 1000
            while now > self._call.leave:
                self._call = self._next_call()
            if self._hand_s is not None and now >= self._hand_s:
                self._hand_s = None
                self._move(tripped=False)
            self.power_w = self._power_w(now)
            self.import_watt_ms += self.power_w * _STEP_MS
            load = (self.power_w / self._rated_w) ** 2
            warm_c = _PLUG_RISE_C * load + (self.contact_c if load else 0.0)
            self._warm_c += (warm_c - self._warm_c) * _STEP_MS / 1000 / _PLUG_S

    @property
    def ship(self) -> Ship | None:
        """The ship alongside."""
        return self._call.ship if self._now >= self._call.arrive else None

    @property
    def plugged(self) -> bool:
        """Whether the plug is in."""
        return self._call.plug <= self._now < self._call.unplug

    @property
    def closed(self) -> bool:
        """Whether the breaker is closed."""
        return self._call.close <= self._now < self._call.open and not self.loop_broken

    @property
    def loop_closed(self) -> bool:
        """Whether the safety loop is closed."""
        return self.plugged and not self.loop_broken

    def delay(self, late_s: float) -> None:
        """Have a ship lie alongside for so much longer before it connects: this one or the next."""
        if self._now >= self._call.plug:
            self._late_s += late_s
        else:
            self._call = _later(self._call, late_s)
            self._shift_s += late_s

    def swap_meter(self, watt_ms: int) -> None:
        """Have another meter with another register."""
        self.import_watt_ms = watt_ms

    @property
    def relay_closed(self) -> bool:
        """Whether the meter's relay is closed. It follows the breaker, unless it was tripped."""
        return self.closed and not self._tripped

    def trip(self) -> None:
        """Open the relay."""
        self._hand_s = None
        self._move(tripped=True)

    def permit(self) -> None:
        """Let a hand close the relay; it does so soon."""
        if self._tripped:
            self._hand_s = self._now + _HAND_S

    def _move(self, *, tripped: bool) -> None:
        if tripped != self._tripped:
            self._tripped = tripped
            self.relay_moves += 1
            self.power_w = self._power_w(self._now)

    @property
    def import_kwh(self) -> float:
        """The meter's import register, in whole counts of 0.01 kWh."""
        return self.import_watt_ms // WATT_MS_PER_COUNT / 100

    def quantities(self) -> dict[str, float]:
        """Return what the meter shows, by the names of `simulators.sensors.meters`."""
        now = self._now
        factor = 0.9 + self._factor.at(now) if self.power_w else 1.0
        shown: dict[str, float] = {
            "p_kw": self.power_w / 1000,
            "pf": factor,
            "f_hz": 50 + self._hertz.at(now),
            "import_kwh": self.import_kwh,
            "export_kwh": 0.0,
            "relay_closed": float(self.relay_closed),
        }
        floating = _LOST_NEUTRAL if self.neutral_lost else (1.0, 1.0, 1.0)
        for phase, noise, share, star in zip(
            "abc", self._volts, _PHASE_SHARE, floating, strict=True
        ):
            # The supply cable costs about 2 % at full load.
            volts = _NOMINAL_V * (1 - 0.02 * self.power_w / self._rated_w) + noise.at(now)
            volts *= self.voltage * star
            shown[f"u_{phase}_v"] = volts
            shown[f"i_{phase}_a"] = self.power_w * share / factor / volts
        return shown

    @property
    def residual_ma(self) -> float:
        """The residual current."""
        always, loaded = _RESIDUAL_MA
        sound = always + loaded * self.power_w / self._rated_w if self.closed else 0.0
        return sound + self.leak_ma

    def plug_c(self, air_c: float) -> float:
        """Return the connector's temperature at that of the air, degrees Celsius."""
        return air_c + self._warm_c

    @property
    def _now(self) -> float:
        return self._now_ms / 1000

    def _power_w(self, now: float) -> int:
        if not self.relay_closed:
            return 0
        since = now - self._call.close
        step = _INRUSH if since < _INRUSH_S else 1.0
        wanted = self._call.load_w * step * (1 + self._load.at(now))
        return round(min(self._rated_w, max(0.0, wanted)))

    def _next_call(self) -> Call:
        """Return the next call; the ships behind one that was late come later, too."""
        call = next(self._calls)
        call = call._replace(arrive=call.arrive + self._shift_s)
        self._shift_s += self._late_s
        self._late_s = 0.0
        return _later(call, self._shift_s)

    def _plan(self, settings: CallSettings, shipyard: Shipyard, t: float) -> Iterator[Call]:
        plug = t + settings.first_plug_s
        while True:
            close = plug + settings.handling_s
            opened = close + self._rng.uniform(*settings.session_s)
            unplug = opened + settings.handling_s
            leave = unplug + settings.alongside_s
            load_w = 1000 * self._rng.uniform(*settings.load_kw)
            arrive = plug - settings.alongside_s
            yield Call(shipyard.ship(), arrive, plug, close, opened, unplug, leave, load_w)
            plug = leave + self._rng.uniform(*settings.pause_s) + settings.alongside_s

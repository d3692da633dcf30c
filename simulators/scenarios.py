"""What happens at sea and at the piles: scripted in the plan, or ordered on the control port.

    [[scenario]]
    what = "lamp-fails"     one of KINDS
    asset = "c4"            the navaid or pile it happens to, where it happens to one
    at_s = 60               after the start
    for_s = 600             then it is over
    every_s = 1800          and begins anew so often; left out: once

A scenario that begins while its like is going on at the same asset goes on from there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulators.world.aid import Aid
from simulators.world.light import LightError, Phase, phases
from simulators.world.piles import WATT_MS_PER_COUNT, Pile
from simulators.world.place import towards
from simulators.world.sea import Sea
from simulators.world.weather import Spell
from simulators.world.wind import Storm
from toolkit.settings import Settings, Table

_LONGEST_S = 30 * 86_400
_LEAST_PERIOD_S = 10
_PULLED = -1.0  # no bearing: the way the chain pulls, as sinkers are dragged
_BROUGHT_BACK_S = 240.0  # how long it takes a tender to lay a sinker anew
_GOING = ("lamp-fails",)  # those that may wait for dusk

SEA, AID, BUOY, PILE = "sea", "navaid", "floating navaid", "pile"


@dataclass(frozen=True)
class Kind:
    """What one kind of scenario happens to, and its numbers: (least, most, default)."""

    target: str
    lasts: bool
    numbers: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


KINDS: Mapping[str, Kind] = {
    "darkness": Kind(SEA, lasts=True),
    "fog": Kind(SEA, lasts=True, numbers={"visibility_m": (10, 5000, 300)}),
    "storm": Kind(SEA, lasts=True, numbers={"mps": (1, 40, 18)}),
    "lamp-fails": Kind(AID, lasts=True),
    "lamp-stuck": Kind(AID, lasts=True),
    "rhythm": Kind(AID, lasts=True),
    "dim": Kind(AID, lasts=True, numbers={"strength": (0.01, 0.99, 0.4)}),
    "hatch": Kind(AID, lasts=True),
    "leak": Kind(AID, lasts=True),
    "collision": Kind(AID, lasts=False, numbers={"peak_mg": (500, 16_000, 6000),
                                                 "blow_ms": (1, 500, 30)}),
    "capsizes": Kind(BUOY, lasts=True, numbers={"degrees": (10, 180, 80)}),
    "ais-silent": Kind(AID, lasts=True),
    "drags": Kind(BUOY, lasts=True, numbers={"metres": (1, 2000, 120), "mps": (0.01, 3, 0.6),
                                             "towards_deg": (0, 360, _PULLED)}),
    "breaks-free": Kind(BUOY, lasts=True),
    "residual": Kind(PILE, lasts=True, numbers={"ma": (1, 330, 60)}),
    "hot-plug": Kind(PILE, lasts=True, numbers={"kelvin": (1, 200, 80)}),
    "loop-opens": Kind(PILE, lasts=True),
    "sag": Kind(PILE, lasts=True, numbers={"share": (0.1, 0.99, 0.8)}),
    "neutral-lost": Kind(PILE, lasts=True),
    "meter-swap": Kind(PILE, lasts=False, numbers={"kwh": (0, 700_000, 12.34)}),
    "late-ship": Kind(PILE, lasts=False, numbers={"late_s": (1, 86_400, 600)}),
}  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """One of them. Times in seconds; `asset` is empty for what happens to the sea."""

    what: str
    asset: str = ""
    at_s: float = 0.0
    for_s: float = 0.0
    every_s: float = 0.0  # 0: once
    when_dusk: bool = False
    light: tuple[Phase, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)


def scenario(table: Table, *, timed: bool = True) -> Scenario:
    """Read a scenario; what is wrong is noted at the table.

    Args:
        table: its keys.
        timed: whether it says when it happens.
    """
    what = table.choice("what", KINDS)
    if not what:
        return Scenario("darkness")
    kind = KINDS[what]
    asset = "" if kind.target == SEA else table.string("asset")
    at_s = table.number("at_s", low=0, high=_LONGEST_S) if timed else 0.0
    for_s = table.number("for_s", low=1, high=_LONGEST_S) if kind.lasts else 0.0
    every_s = 0.0
    if timed and table.has("every_s"):
        least = max(_LEAST_PERIOD_S, for_s + 1)
        every_s = table.number("every_s", low=least, high=_LONGEST_S)
    dusk = what in _GOING and table.choice("when", ("now", "dusk"), "now") == "dusk"
    light = _light(table) if what == "rhythm" else ()
    numbers = {
        key: table.number(key, low=low, high=high) if table.has(key) else default
        for key, (low, high, default) in kind.numbers.items()
    }
    table.finish()
    return Scenario(what, asset, at_s, for_s, every_s, dusk, light, numbers)


def requested(wanted: Any) -> Scenario:
    """Read a scenario that is to happen now, from the control port's JSON.

    Raises:
        SettingsError: what is wrong with it.
    """
    request = _Request(wanted if isinstance(wanted, dict) else {})
    one = scenario(request.root, timed=False)
    request.finish()
    return one


class _Request(Settings):
    """A request looks like a table of a file that has no lines."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.path = Path("happen")
        self.problems = []
        self._lines = {}
        self.root = Table(self, data, "")


def _light(table: Table) -> tuple[Phase, ...]:
    character = table.string("light")
    try:
        return tuple(phases(character)) if character else ()
    except LightError as error:
        table.problem("light", f"cannot be shown: {error}")
        return ()


class Scenarios:
    """Makes scenarios happen.

    Args:
        sea: tide, wind and weather.
        aids: by navaid.
        piles: by the registry's pile.
        plan: what is scripted.
        start: Unix time from which `at_s` counts.
        silence: makes the AIS unit of a navaid silent, or not any more.
        blow: lets an aid feel a blow: peak in mg, milliseconds.
        lay_over: holds a buoy over by so many degrees.
    """

    def __init__(
        self,
        sea: Sea,
        aids: Mapping[str, Aid],
        piles: Mapping[str, Pile],
        plan: list[Scenario],
        start: float,
        *,
        silence: Callable[[str, bool], None],
        blow: Callable[[str, float, float], None],
        lay_over: Callable[[str, float], None],
    ) -> None:
        self._sea = sea
        self._aids = aids
        self._piles = piles
        self._silence = silence
        self._blow = blow
        self._lay_over = lay_over
        self._due = [(start + one.at_s, one) for one in plan]
        self._going: dict[tuple[str, str], tuple[float, Scenario]] = {}
        self._for_dusk: list[tuple[float, Scenario]] = []

    def misfit(self, one: Scenario) -> str:
        """Return why a scenario cannot happen here, "" if it can."""
        target = KINDS[one.what].target
        if target == SEA:
            return ""
        if target == PILE:
            return _unknown("pile", one.asset, self._piles)
        if why := _unknown("navaid", one.asset, self._aids):
            return why
        aid = self._aids[one.asset]
        if target == BUOY and aid.mooring is None:
            return f"{one.asset} does not float"
        if one.what in {"lamp-fails", "lamp-stuck", "rhythm", "dim"} and aid.lamp is None:
            return f"{one.asset} has no lantern"
        return ""

    def tick(self, t: float) -> None:
        """Begin and end what is due at the time `t`."""
        for key, (ends, one) in list(self._going.items()):
            if t >= ends:
                del self._going[key]
                self._end(one, t)
        for index, (due, one) in enumerate(self._due):
            if t >= due:
                self.happen(one, t)
                # What a machine slept through is not made up for.
                ahead = (
                    one.every_s * (1 + (t - due) // one.every_s) if one.every_s else float("inf")
                )
                self._due[index] = due + ahead, one
        for until, one in list(self._for_dusk):
            lamp = self._aids[one.asset].lamp
            if t >= until or (lamp is not None and lamp.switched_on):
                self._for_dusk.remove((until, one))
                if t < until:
                    self._start(one, t)

    def happen(self, one: Scenario, t: float) -> None:
        """Let a scenario that fits begin at the time `t`."""
        if one.when_dusk:
            self._for_dusk.append((t + one.for_s + 86_400, one))
        else:
            self._start(one, t)

    def _start(self, one: Scenario, t: float) -> None:
        key = (one.what, one.asset)
        if key in self._going:
            self._end(self._going.pop(key)[1], t)
        if KINDS[one.what].lasts:
            self._going[key] = t + one.for_s, one
        target = KINDS[one.what].target
        if target == SEA:
            self._at_sea(one, t)
        elif target == PILE:
            self._at_pile(self._piles[one.asset], one, going=True)
        else:
            self._at_aid(self._aids[one.asset], one, going=True)

    def _end(self, one: Scenario, t: float) -> None:
        target = KINDS[one.what].target
        if target == PILE:
            self._at_pile(self._piles[one.asset], one, going=False)
        elif target != SEA:
            self._at_aid(self._aids[one.asset], one, going=False)
        weather = self._sea.weather
        weather.squalls = [spell for spell in weather.squalls if spell.ends > t]
        weather.fogs = [spell for spell in weather.fogs if spell.ends > t]
        wind = self._sea.wind
        wind.storms = [storm for storm in wind.storms if storm.begins + storm.lasts_s > t]

    def _at_sea(self, one: Scenario, t: float) -> None:
        weather, ends = self._sea.weather, t + one.for_s
        if one.what == "darkness":
            weather.squalls.append(Spell(t, ends))
        elif one.what == "fog":
            weather.fogs.append(Spell(t, ends, one.numbers["visibility_m"]))
        else:
            self._sea.wind.storms.append(Storm(t, one.for_s, one.numbers["mps"]))

    def _at_aid(self, aid: Aid, one: Scenario, *, going: bool) -> None:
        lamp, mooring, numbers = aid.lamp, aid.mooring, one.numbers
        if one.what == "hatch":
            aid.hatch_open = going
        elif one.what == "leak":
            aid.water_inside = going
        elif one.what == "ais-silent":
            self._silence(one.asset, going)
        elif one.what == "capsizes":
            self._lay_over(one.asset, numbers["degrees"] if going else 0.0)
        elif one.what == "collision":
            self._blow(one.asset, numbers["peak_mg"], numbers["blow_ms"])
        elif lamp is not None and one.what in {"lamp-fails", "lamp-stuck", "rhythm", "dim"}:
            if one.what == "lamp-fails":
                lamp.failed = going
            elif one.what == "lamp-stuck":
                lamp.stuck = going
            elif one.what == "dim":
                lamp.strength = numbers["strength"] if going else 1.0
            else:
                lamp.show(one.light if going else None)
        elif mooring is not None and not going:
            mooring.moor(_BROUGHT_BACK_S)
        elif mooring is not None and one.what == "breaks-free":
            mooring.break_free()
        elif mooring is not None:
            bearing = numbers["towards_deg"]
            direction = mooring.pull if bearing == _PULLED else towards(bearing)
            mooring.drag(numbers["metres"] * direction, numbers["metres"] / numbers["mps"])

    def _at_pile(self, pile: Pile, one: Scenario, *, going: bool) -> None:
        numbers = one.numbers
        if one.what == "residual":
            pile.leak_ma = numbers["ma"] if going else 0.0
        elif one.what == "hot-plug":
            pile.contact_c = numbers["kelvin"] if going else 0.0
        elif one.what == "loop-opens":
            pile.loop_broken = going
        elif one.what == "sag":
            pile.voltage = numbers["share"] if going else 1.0
        elif one.what == "neutral-lost":
            pile.neutral_lost = going
        elif one.what == "meter-swap":
            pile.swap_meter(round(100 * numbers["kwh"]) * WATT_MS_PER_COUNT)
        else:
            pile.delay(numbers["late_s"])


def _unknown(what: str, asset: str, there: Mapping[str, object]) -> str:
    if asset in there:
        return ""
    return f"there is no {what} {asset!r}; there are: " + ", ".join(there)

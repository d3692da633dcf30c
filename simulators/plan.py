"""The estuary's plan: what config/demo/estuary.toml says of sea, aids, ships, piles and ports."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from simulators.reading import place
from simulators.scenarios import Scenario, scenario
from simulators.world.aid import AidSettings
from simulators.world.piles import CallSettings
from simulators.world.place import Place
from simulators.world.sea import SeaSettings
from simulators.world.tide import Constituent, TideSettings
from simulators.world.weather import WeatherSettings
from simulators.world.wind import WindSettings
from toolkit.settings import Settings, Table

Range = tuple[float, float]

PROTOCOLS = ("dlt645", "sdm630", "dtsd1352", "adw300", "dtsu666")
_SESSION_MOST_S = 7 * 86400

# What may be set, and within which bounds: beyond them the models mean nothing.
_TIDE = {
    "mean_m": (0, 10),
    "axis_deg": (0, 360),
    "stream_mps_per_m": (0, 3),
    "stream_lead_h": (0, 6),
    "outflow_mps": (0, 3),
}
_CONSTITUENTS = ("m2_m", "s2_m", "k1_m", "o1_m")
_WIND = {
    "mean_mps": (0, 40),
    "spread_mps": (0, 15),
    "from_deg": (0, 360),
    "veer_deg": (0, 90),
    "turbulence": (0, 0.4),
}
_WEATHER = {"cloud": (0.02, 0.98), "mean_c": (-20, 35), "summer_c": (0, 30), "day_c": (0, 15)}
_MOORING = {
    "depth_m": (1, 100),
    "chain_m": (2, 300),
    "chain_n_per_m": (10, 2000),
    "hull_m2": (0.1, 20),
    "tower_m2": (0, 30),
    "response_s": (5, 600),
}
_LAMP = {
    "current_ma": (1, 3000),
    "on_lux": (1, 5000),
    "off_lux": (1, 10_000),
    "rise_s": (0.001, 1),
    "pwm_hz": (0, 5000),
    "pwm_duty": (0.05, 1),
}
_POWER = {
    "battery_ah": (1, 2000),
    "panel_w": (0, 1000),
    "panel_yield": (0, 1),
    "electronics_ma": (0, 5000),
}
_CALLS = {
    "session_s": (1, _SESSION_MOST_S),
    "pause_s": (0, _SESSION_MOST_S),
    "load_kw": (0, 20_000),
}
_CALL_TIMES = {"alongside_s": (0, 86_400), "handling_s": (0, 3600)}


@dataclass(frozen=True)
class RoutePlan:
    """A channel and how many ships use it."""

    waypoints: list[Place]
    ships: int
    fishing: int  # of class B
    speed_kn: Range


@dataclass(frozen=True)
class AnchoragePlan:
    """An anchorage and how many ships lie there."""

    place: Place
    radius_m: float
    ships: int


@dataclass(frozen=True)
class BasePlan:
    """An AIS base station."""

    mmsi: int
    place: Place


@dataclass(frozen=True)
class PilePlan:
    """A pile's device: its meter, its ships."""

    device: str
    protocol: str  # one of PROTOCOLS
    address: str  # DL/T 645: twelve digits; Modbus: the unit number
    heading_deg: float  # of a ship alongside
    calls: CallSettings


@dataclass(frozen=True)
class Plan:
    """All of it."""

    file: Path
    seed: int
    depot: Place  # where boards are that serve nothing
    sea: SeaSettings
    aids: dict[str, AidSettings]
    any_aid: AidSettings
    routes: list[RoutePlan]
    anchorages: list[AnchoragePlan]
    bases: list[BasePlan]
    piles: dict[str, PilePlan]
    scenarios: list[Scenario]
    ports: dict[str, int]  # "control", or device and line, as "buoy-1.gnss"

    def aid(self, navaid: str) -> AidSettings:
        """Return what an aid is built of."""
        return self.aids.get(navaid, self.any_aid)


def read(path: Path) -> Plan:
    """Read the plan.

    Raises:
        SettingsError: every problem, with file, line, key, value and what is allowed.
    """
    settings = Settings(path)
    root = settings.root
    common, own, ports = root.table("aids"), root.table("aid"), root.table("ports")
    of_one = {navaid: own.table(navaid) for navaid in own.names()}
    any_aid = _aid(common, AidSettings())
    calls = _calls(root.table("calls"), CallSettings())
    plan = Plan(
        file=path,
        seed=root.integer("seed", low=0, high=2**31 - 1),
        depot=place(root.table("depot")),
        sea=SeaSettings(
            tide=_tide(root.table("tide")),
            wind=replace(WindSettings(), **_finished(root.table("wind"), _WIND)),
            weather=replace(WeatherSettings(), **_finished(root.table("weather"), _WEATHER)),
        ),
        aids={navaid: _aid(table, any_aid) for navaid, table in of_one.items()},
        any_aid=any_aid,
        routes=[_route(one) for one in root.tables("route")],
        anchorages=[_anchorage(one) for one in root.tables("anchorage")],
        bases=[_base(one) for one in root.tables("base_station")],
        piles={one.device: one for one in _piles(root.tables("pile"), calls)},
        scenarios=[scenario(one) for one in root.tables("scenario")],
        ports={line: ports.integer(line, low=0, high=65535) for line in ports.names()},
    )
    root.finish()
    settings.finish()
    _check_lamp(common, any_aid)
    for navaid, table in of_one.items():
        _check_lamp(table, plan.aids[navaid])
    settings.finish()
    return plan


def _tide(table: Table) -> TideSettings:
    default = TideSettings()
    amplitudes = _numbers(table, dict.fromkeys(_CONSTITUENTS, (0, 10)))
    constituents = tuple(
        Constituent(one.speed_deg_h, amplitudes.get(key, one.amplitude_m), one.phase_deg)
        for key, one in zip(_CONSTITUENTS, default.constituents, strict=True)
    )
    return replace(default, constituents=constituents, **_finished(table, _TIDE))


def _aid(table: Table, base: AidSettings) -> AidSettings:
    always = table.boolean("always_lit", default=base.lamp.always)
    mooring = replace(base.mooring, **_numbers(table, _MOORING))
    lamp = replace(base.lamp, always=always, **_numbers(table, _LAMP))
    station = table.boolean("weather_station", default=base.weather_station)
    return AidSettings(mooring, lamp, replace(base.power, **_finished(table, _POWER)), station)


def _check_lamp(table: Table, aid: AidSettings) -> None:
    """Note a photocell that would never let its lantern go out, at the key that is there."""
    lamp = aid.lamp
    if lamp.off_lux > lamp.on_lux:
        return
    if table.has("off_lux"):
        table.problem("off_lux", f"is {lamp.off_lux:g}; allowed: above on_lux, {lamp.on_lux:g}")
    elif table.has("on_lux"):
        table.problem("on_lux", f"is {lamp.on_lux:g}; allowed: below off_lux, {lamp.off_lux:g}")


def _route(table: Table) -> RoutePlan:
    route = RoutePlan(
        table.parsed("waypoints", _waypoints, placeholder=[],
            allowed="two or more places [lat, lon] in degrees, each another than the one before",
        ),
        table.integer("ships", low=0, high=500),
        table.integer("fishing", low=0, high=500),
        _span(table, "speed_kn", 1, 40),
    )  # fmt: skip
    table.finish()
    return route


def _anchorage(table: Table) -> AnchoragePlan:
    anchorage = AnchoragePlan(
        place(table),
        table.number("radius_m", low=0, high=10_000),
        table.integer("ships", low=0, high=500),
    )
    table.finish()
    return anchorage


def _base(table: Table) -> BasePlan:
    base = BasePlan(table.integer("mmsi", low=1, high=9_999_999), place(table))
    table.finish()
    return base


def _piles(tables: Iterable[Table], calls: CallSettings) -> Iterable[PilePlan]:
    for table in tables:
        address = ""
        protocol = table.choice("protocol", PROTOCOLS)
        if protocol == "dlt645":
            address = table.string(
                "address", pattern="[0-9]{12}", allowed="the twelve digits of a DL/T 645 meter"
            )
        elif protocol:
            address = str(table.integer("unit", low=1, high=247))
        yield PilePlan(
            device=table.string("device"),
            protocol=protocol,
            address=address,
            heading_deg=table.number("heading_deg", low=0, high=360),
            calls=replace(
                calls, first_plug_s=table.number("first_plug_s", low=0, high=_SESSION_MOST_S)
            ),
        )
        if protocol:  # else nobody knows which other keys it needs
            table.finish()


def _calls(table: Table, default: CallSettings) -> CallSettings:
    spans = {key: _span(table, key, *limits) for key, limits in _CALLS.items() if table.has(key)}
    changes: dict[str, Any] = {**spans, **_finished(table, _CALL_TIMES)}
    return replace(default, **changes)


def _numbers(table: Table, ranges: Mapping[str, Range]) -> dict[str, float]:
    """Read those of some numbers that are there."""
    return {
        key: table.number(key, low=low, high=high)
        for key, (low, high) in ranges.items()
        if table.has(key)
    }


def _finished(table: Table, ranges: Mapping[str, Range]) -> dict[str, float]:
    """Read the last of a table's numbers: what is left in it is misspelt."""
    numbers = _numbers(table, ranges)
    table.finish()
    return numbers


def _span(table: Table, key: str, low: float, high: float) -> Range:
    """Read a pair `[from, to]`, both within low and high."""

    def parse(value: Any) -> Range:
        start, end = _pair(value)
        if not low <= start <= end <= high:
            raise ValueError
        return start, end

    allowed = f"[from, to], both {low} to {high}"
    return table.parsed(key, parse, allowed=allowed, placeholder=(low, low))


def _waypoints(value: Any) -> list[Place]:
    """Take two or more places, no two that follow each other the same."""
    if not isinstance(value, list) or len(value) < 2:
        raise ValueError
    places = [Place(*_pair(pair)) for pair in value]
    if not all(abs(one.lat) <= 89 and abs(one.lon) <= 180 for one in places):
        raise ValueError
    if any(one == following for one, following in pairwise(places)):
        raise ValueError
    return places


def _pair(value: Any) -> Range:
    """Take a list of two numbers."""
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError
    if not all(type(number) in {int, float} for number in value):
        raise ValueError
    return float(value[0]), float(value[1])

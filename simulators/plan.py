"""The estuary's plan: what config/demo/estuary.toml says of sea, aids, ships, piles and ports."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simulators.settings import Range, Table, load
from simulators.world.aid import AidSettings
from simulators.world.piles import CallSettings
from simulators.world.place import Place
from simulators.world.sea import SeaSettings
from simulators.world.tide import Constituent, TideSettings
from simulators.world.weather import WeatherSettings
from simulators.world.wind import WindSettings

PROTOCOLS = ("dlt645", "sdm630")
_ADDRESS_DIGITS = 12
_SESSION_MOST_S = 7 * 86400.0

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
_LAMP = {"current_ma": (1, 3000), "on_lux": (1, 5000), "off_lux": (1, 10_000)}
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
    address: str  # DL/T 645: twelve digits; SDM630: the unit number
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
    ports: dict[str, int]  # "control", or device and line, as "buoy-1.gnss"

    def aid(self, navaid: str) -> AidSettings:
        """Return what an aid is built of."""
        return self.aids.get(navaid, self.any_aid)


def read(path: Path) -> Plan:
    """Read the plan.

    Raises:
        SettingsError: the file or one of its values cannot be used: which, and what is allowed.
    """
    top = load(path)
    any_aid = _aid(top.table("aids"), AidSettings())
    aids, calls, ports = top.table("aid"), top.table("calls"), top.table("ports")
    common_calls = _calls(calls, CallSettings())
    plan = Plan(
        file=path,
        seed=top.integer("seed", 0, 2**31 - 1),
        depot=top.table("depot").place(),
        sea=SeaSettings(
            tide=_tide(top.table("tide")),
            wind=replace(WindSettings(), **_finished(top.table("wind"), _WIND)),
            weather=replace(WeatherSettings(), **_finished(top.table("weather"), _WEATHER)),
        ),
        aids={key: _aid(aids.table(key), any_aid) for key in aids},
        any_aid=any_aid,
        routes=[_route(one) for one in top.tables("route")],
        anchorages=[_anchorage(one) for one in top.tables("anchorage")],
        bases=[_base(one) for one in top.tables("base_station")],
        piles={one.device: one for one in _piles(top.tables("pile"), common_calls)},
        ports={key: ports.integer(key, 0, 65535) for key in ports},
    )
    top.finish()
    return plan


def _tide(table: Table) -> TideSettings:
    default = TideSettings()
    amplitudes = table.numbers(dict.fromkeys(_CONSTITUENTS, (0, 10)))
    constituents = tuple(
        Constituent(one.speed_deg_h, amplitudes.get(key, one.amplitude_m), one.phase_deg)
        for key, one in zip(_CONSTITUENTS, default.constituents, strict=True)
    )
    return replace(default, constituents=constituents, **_finished(table, _TIDE))


def _aid(table: Table, base: AidSettings) -> AidSettings:
    always = table.flag("always_lit", base.lamp.always)
    mooring = replace(base.mooring, **table.numbers(_MOORING))
    lamp = replace(base.lamp, always=always, **table.numbers(_LAMP))
    if lamp.off_lux <= lamp.on_lux:
        raise table.error("off_lux", f"more than on_lux, {lamp.on_lux:g}")
    return AidSettings(mooring, lamp, replace(base.power, **_finished(table, _POWER)))


def _route(table: Table) -> RoutePlan:
    route = RoutePlan(
        table.places("waypoints"),
        table.integer("ships", 0, 500),
        table.integer("fishing", 0, 500),
        table.span("speed_kn", 1, 40),
    )
    table.finish()
    return route


def _anchorage(table: Table) -> AnchoragePlan:
    anchorage = AnchoragePlan(
        table.place(), table.number("radius_m", 0, 10_000), table.integer("ships", 0, 500)
    )
    table.finish()
    return anchorage


def _base(table: Table) -> BasePlan:
    base = BasePlan(table.integer("mmsi", 1, 9_999_999), table.place())
    table.finish()
    return base


def _piles(tables: Iterable[Table], calls: CallSettings) -> Iterable[PilePlan]:
    for table in tables:
        protocol = table.text("protocol", PROTOCOLS)
        if protocol == "dlt645":
            address = table.text("address")
            if len(address) != _ADDRESS_DIGITS or not address.isdecimal():
                raise table.error("address", "the twelve digits of a DL/T 645 meter")
        else:
            address = str(table.integer("unit", 1, 247))
        plan = PilePlan(
            device=table.text("device"),
            protocol=protocol,
            address=address,
            heading_deg=table.number("heading_deg", 0, 360),
            calls=replace(calls, first_plug_s=table.number("first_plug_s", 0, _SESSION_MOST_S)),
        )
        table.finish()
        yield plan


def _calls(table: Table, default: CallSettings) -> CallSettings:
    changes: dict[str, Any] = {**table.spans(_CALLS), **_finished(table, _CALL_TIMES)}
    return replace(default, **changes)


def _finished(table: Table, ranges: Mapping[str, Range]) -> dict[str, float]:
    """Return the last of a table's numbers: what is left in it is misspelt."""
    numbers = table.numbers(ranges)
    table.finish()
    return numbers

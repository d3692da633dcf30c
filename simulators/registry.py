"""The part of the registry that the sea needs: what stands where, and which device serves it.

The centre reads the same file and checks all of it; here, keys that the sea does not need are left
alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from simulators.reading import place
from simulators.sensors.ais import AID_TYPES
from simulators.world.light import LightError, Phase, phases
from simulators.world.place import Place
from toolkit.settings import Settings, Table

PROFILES = ("beacon", "shorepower")
_NOWHERE = Place(0.0, 0.0)  # until a wrong berth has been reported


class _Dated(Protocol):
    since: float
    until: float | None


_T = TypeVar("_T", bound=_Dated)


@dataclass
class Station:
    """Where a navaid stands and what it shows, from `since` to before `until` (Unix seconds)."""

    since: float
    until: float | None
    place: Place
    light: str
    phases: list[Phase]


@dataclass
class Navaid:
    """An aid to navigation."""

    id: str
    name: str
    kind: str
    floating: bool
    stations: list[Station]

    def station_at(self, t: float) -> Station | None:
        """Return the station that holds at the time `t`."""
        return _holding(self.stations, t)


@dataclass
class PileSite:
    """A shore-power pile at its berth."""

    id: str
    place: Place
    rated_kw: float


@dataclass
class Service:
    """A device's service of an asset, from `since` to before `until`."""

    since: float
    until: float | None
    asset: str


@dataclass
class Device:
    """A board and its sensors."""

    id: str
    profile: str
    services: list[Service]

    def asset_at(self, t: float) -> str | None:
        """Return the id of the asset that the device serves at the time `t`."""
        service = _holding(self.services, t)
        return service.asset if service else None


@dataclass
class Registry:
    """All of it, by id."""

    navaids: dict[str, Navaid]
    piles: dict[str, PileSite]
    devices: dict[str, Device]


def read(path: Path) -> Registry:
    """Read the registry file.

    Raises:
        SettingsError: every problem, with file, line, key, value and what is allowed.
    """
    settings = Settings(path)
    root = settings.root
    berths = {table.string("id"): place(table) for table in root.tables("berth")}
    registry = Registry(
        navaids={one.id: one for one in map(_navaid, root.tables("navaid"))},
        piles={one.id: one for one in (_pile(table, berths) for table in root.tables("pile"))},
        devices={one.id: one for one in map(_device, root.tables("device"))},
    )
    settings.finish()
    return registry


def _navaid(table: Table) -> Navaid:
    kind = table.choice("kind", AID_TYPES)
    return Navaid(
        id=table.string("id"),
        name=table.table("name").string("en"),
        kind=kind,
        floating=table.boolean("floating", default=kind != "light"),
        stations=[_station(one) for one in table.tables("station")],
    )


def _station(table: Table) -> Station:
    character = table.string("light")
    return Station(*_dates(table), place(table), character, _phases(table, character))


def _phases(table: Table, character: str) -> list[Phase]:
    try:
        return phases(character) if character else []
    except LightError as error:
        table.problem("light", f"cannot be shown: {error}")
        return []


def _pile(table: Table, berths: dict[str, Place]) -> PileSite:
    """Read a pile; it stands where its berth is unless it says otherwise."""
    berth = table.choice("berth", berths)
    own = table.has("lat") or table.has("lon")
    return PileSite(
        table.string("id"),
        place(table) if own else berths.get(berth, _NOWHERE),
        table.number("rated_kw", low=0.1, high=100_000, unit="kW"),
    )


def _device(table: Table) -> Device:
    services = [Service(*_dates(one), one.string("asset")) for one in table.tables("service")]
    return Device(table.string("id"), table.choice("profile", PROFILES), services)


def _dates(table: Table) -> tuple[float, float | None]:
    since = table.moment("from").timestamp()
    return since, table.moment("to").timestamp() if table.has("to") else None


def _holding(dated: Sequence[_T], t: float) -> _T | None:
    for one in dated:
        if one.since <= t and (one.until is None or t < one.until):
            return one
    return None

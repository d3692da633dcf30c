"""The part of the registry that the sea needs: what stands where, and which device serves it.

The centre reads the same file and checks all of it; here, keys that the sea does not need are left
alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from simulators.sensors.ais import AID_TYPES
from simulators.settings import SettingsError, Table, load
from simulators.world.light import LightError, Phase, phases
from simulators.world.place import Place

PROFILES = ("beacon", "shorepower")


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
        SettingsError: the file or one of its values cannot be used: which, and what is allowed.
    """
    top = load(path)
    berths = {table.text("id"): table.place() for table in top.tables("berth")}
    return Registry(
        navaids={one.id: one for one in map(_navaid, top.tables("navaid"))},
        piles={one.id: one for one in (_pile(table, berths) for table in top.tables("pile"))},
        devices={one.id: one for one in map(_device, top.tables("device"))},
    )


def _navaid(table: Table) -> Navaid:
    return Navaid(
        id=table.text("id"),
        name=table.table("name").text("en"),
        kind=table.text("kind", tuple(AID_TYPES)),
        floating=table.flag("floating"),
        stations=[_station(one) for one in table.tables("station")],
    )


def _station(table: Table) -> Station:
    try:
        light = phases(table.text("light"))
    except LightError as error:
        raise SettingsError(f"{table.where('light')}: {error}") from error
    return Station(*_dates(table), table.place(), light)


def _pile(table: Table, berths: dict[str, Place]) -> PileSite:
    berth = table.text("berth", tuple(berths))
    place = table.place() if "lat" in table else berths[berth]
    return PileSite(table.text("id"), place, table.number("rated_kw", 1, 20_000))


def _device(table: Table) -> Device:
    services = [Service(*_dates(one), one.text("asset")) for one in table.tables("service")]
    return Device(table.text("id"), table.text("profile", PROFILES), services)


def _dates(table: Table) -> tuple[float, float | None]:
    since = table.moment("from")
    if since is None:
        raise table.error("from", "a date and time with zone")
    return since, table.moment("to")


def _holding(dated: Sequence[_T], t: float) -> _T | None:
    for one in dated:
        if one.since <= t and (one.until is None or t < one.until):
            return one
    return None

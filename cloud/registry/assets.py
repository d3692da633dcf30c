"""The things in the registry.

Times are `t`, seconds since 2020-01-01 UTC; `until` is exclusive, and None while no end is known.
Positions are degrees, WGS-84/CGCS2000 (the two differ by centimetres). Nothing is ever refused for
lying on land: published coastlines call much of the Yangtze land.
"""

from dataclasses import dataclass
from typing import Final, Literal

# IALA maritime buoyage system (R1001), and a fixed light.
NAVAID_KINDS: Final = (
    "port",
    "starboard",
    "preferred-port",
    "preferred-starboard",
    "north",
    "east",
    "south",
    "west",
    "isolated-danger",
    "safe-water",
    "special",
    "emergency-wreck",
    "light",
)

# What a device may serve, by its profile.
PROFILES: Final[dict[str, tuple["Type", ...]]] = {
    "beacon": ("navaid", "berth"),
    "shorepower": ("pile", "berth"),
}

DEVICE_STATES: Final = ("store", "transit", "station", "withdrawn")


@dataclass(frozen=True, slots=True)
class Name:
    """A name in the two languages of the page."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Station:
    """Where an aid stands and what it shows, and the notice that ordered it."""

    since: int
    until: int | None
    lat: float
    lon: float
    light: str
    notice: str


@dataclass(frozen=True, slots=True)
class Navaid:
    """An aid to navigation; its stations in order of time, never two at once.

    `mmsi` is what its own AIS transmitter, or a base station for it, sends message 21 by.
    """

    id: str
    name: Name
    kind: str
    floating: bool
    mmsi: int | None
    stations: tuple[Station, ...]


@dataclass(frozen=True, slots=True)
class Berth:
    """A place where a ship lies."""

    id: str
    name: Name
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Pile:
    """A shore-power pile at a berth."""

    id: str
    name: Name
    berth: str
    lat: float
    lon: float
    rated_kw: float


Asset = Navaid | Berth | Pile
Type = Literal["navaid", "berth", "pile"]


@dataclass(frozen=True, slots=True)
class Service:
    """That a device serves an asset, and the work order behind it."""

    asset: str
    since: int
    until: int | None
    notice: str


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What is done with a device from a moment on, until the next state."""

    state: str
    since: int


@dataclass(frozen=True, slots=True)
class Device:
    """A device; services and states in order of time, never two services at once."""

    id: str
    profile: str
    services: tuple[Service, ...]
    states: tuple[DeviceState, ...]


def type_of(asset: Asset) -> Type:
    """Return which type an asset is."""
    if isinstance(asset, Navaid):
        return "navaid"
    return "berth" if isinstance(asset, Berth) else "pile"

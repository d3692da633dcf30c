"""The API's answers. Times are UTC; positions are degrees WGS-84/CGCS2000.

Values are in natural units, keyed `schema.field`; `GET /api/fields` names every key and its unit.
Null means "not known": not measured, not heard, not in the registry.

They are dataclasses, and their JSON is made by `ASSETS.dump_json(…)` and its like, without checking
again what was made here: with thousands of assets that is most of an answer's time.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from cloud.freshness import State
from cloud.registry.assets import Type
from cloud.values import Value

TargetKind = Literal["ship", "base", "aton"]


@dataclass(slots=True, kw_only=True)
class Names:
    """A name in the two languages of the page."""

    zh: str
    en: str


@dataclass(slots=True, kw_only=True)
class Presence:
    """Whether a device is connected to the broker, and since when that holds."""

    connected: bool
    since: datetime


@dataclass(slots=True, kw_only=True)
class Freshness:
    """How old the last report is, judged by the interval at which reports were seen to come.

    `overdue_s` and `silent_s` are the ages at which the judgement changes, so that a client can
    judge by itself as time passes.
    """

    state: State
    t: Annotated[datetime | None, Field(description="when the last report was made")]
    interval_s: Annotated[float | None, Field(description="between reports, as seen")]
    overdue_s: float
    silent_s: float


@dataclass(slots=True, kw_only=True)
class Position:
    """Where something is: as its device measured, or where the registry has it."""

    lat: float
    lon: float
    source: Literal["device", "registry"]
    t: Annotated[datetime | None, Field(description="when it was measured")]


@dataclass(slots=True, kw_only=True)
class Station:
    """Where an aid ought to stand and what it ought to show, by which notice, from when to when."""

    lat: float
    lon: float
    light: str
    notice: str
    since: datetime
    until: datetime | None


@dataclass(slots=True, kw_only=True)
class Service:
    """Which device serves which asset, by which work order, from when to when."""

    device: str
    asset: str
    notice: str
    since: datetime
    until: datetime | None


@dataclass(slots=True, kw_only=True)
class Alarm:
    """An alarm that stands, as its device raised it. `what` and `level` are words of the contract.

    Value and limit are in `unit`; `part` says which one: a phase, a sensor, a neighbour's MMSI.
    """

    what: str
    level: str
    part: str | None
    value: float | None
    limit: float | None
    unit: str | None
    since: datetime


@dataclass(slots=True, kw_only=True)
class Asset:
    """A navaid, a berth or a pile, as it is now.

    `report` are the values of its newest every-report record, all of one time, `freshness.t`.
    """

    id: str
    type: Type
    name: Names
    kind: Annotated[str | None, Field(description="a navaid's kind of mark")] = None
    floating: bool | None = None
    berth: Annotated[str | None, Field(description="the berth of a pile")] = None
    piles: Annotated[list[str], Field(description="the piles of a berth")] = field(
        default_factory=list
    )
    rated_kw: float | None = None
    station: Station | None = None
    position: Position | None = None
    service: Annotated[Service | None, Field(description="what serves it now")] = None
    presence: Presence | None = None
    alarms: Annotated[list[Alarm], Field(description="those that stand, the gravest first")] = (
        field(default_factory=list)
    )
    freshness: Freshness
    report: dict[str, Value]


@dataclass(slots=True, kw_only=True)
class Reading:
    """One value with its unit and the time of its record; `age_s` is its age at this answer."""

    field: str
    value: Value
    unit: str
    t: datetime | None
    age_s: int | None
    device: str


@dataclass(slots=True, kw_only=True)
class Gap:
    """Records of one start that did not come, and may yet."""

    boot: int
    first: int
    last: int


@dataclass(slots=True, kw_only=True)
class Heard:
    """When a device was last heard by a link: mqtt, beidou, station or adapter."""

    link: str
    last: datetime


@dataclass(slots=True, kw_only=True)
class Count:
    """What came of a device, over the gateways that it came by.

    Of every record that it made, up to the highest seq that was seen, `records` came, `told` are lost
    as the device itself says, and `missing` are neither: they are asked for again. Where several
    gateways took part and more is missing than they tell the ranges of, `missing` is an upper bound.
    """

    first: datetime
    last: datetime
    records: int
    duplicates: int
    conflicts: Annotated[int, Field(description="the same identity with other bytes")]
    missing: int
    filled: Annotated[int, Field(description="were missing, and came")]
    told: int
    source: Annotated[str | None, Field(description="of its clock; null: not set")]
    uncertainty_ms: int | None
    links: Annotated[list[Heard], Field(description="the latest first")]
    gaps: Annotated[
        list[Gap], Field(description="some of what is missing, the newest start first")
    ]


@dataclass(slots=True, kw_only=True)
class BootCount(Count):
    """The same of one start; `highest` is the highest seq seen."""

    boot: int
    highest: int
    gateways: list[str]


@dataclass(slots=True, kw_only=True)
class Account(Count):
    """The same of a device's last starts, at most 20; its clock is that of the newest."""

    starts: int


@dataclass(slots=True, kw_only=True)
class AidHeard:
    """An aid's own message 21 as it was last heard, within a week; nulls: never.

    Off position and health mean what ITU-R M.1371 and IALA make of them: null where they say nothing.
    """

    mmsi: int
    heard_by: str | None = None
    t: datetime | None = None
    lat: float | None = None
    lon: float | None = None
    name: str | None = None
    virtual: bool | None = None
    off_position: bool | None = None
    healthy: bool | None = None
    light: Annotated[str | None, Field(description="on, off or failed")] = None
    racon: Annotated[str | None, Field(description="unmonitored, works or failed")] = None


@dataclass(slots=True, kw_only=True)
class AssetDetail(Asset):
    """An asset with every value known of it, and every service of the last year."""

    readings: list[Reading]
    services: list[Service]
    account: Annotated[Account | None, Field(description="of the device that serves it now")]
    ais: Annotated[AidHeard | None, Field(description="of an aid that has an MMSI")]


@dataclass(slots=True, kw_only=True)
class Device:
    """A device, in the registry or not. `health` are the values of its newest health record."""

    id: str
    known: Annotated[bool, Field(description="whether it is in the registry")]
    profile: str | None
    state: Annotated[str | None, Field(description="store, transit, station or withdrawn")]
    state_since: datetime | None
    service: Annotated[Service | None, Field(description="what it serves now")]
    presence: Presence | None
    first_heard: datetime | None
    last_heard: datetime | None
    freshness: Freshness
    alarms: Annotated[list[Alarm], Field(description="those that stand, the gravest first")]
    position: Position | None
    undated: Annotated[
        datetime | None, Field(description="arrival of its newest record without a time")
    ]
    missing: Annotated[int, Field(description="records of its last starts that did not come")]
    conflicts: Annotated[int, Field(description="records of one identity with other bytes")]
    health: dict[str, Value]


@dataclass(slots=True, kw_only=True)
class DeviceDetail(Device):
    """A device with every value known of it, also the undated ones (`t` null)."""

    readings: list[Reading]
    account: Account | None


@dataclass(slots=True, kw_only=True)
class Target:
    """A ship, aid or base station heard by AIS (ITU-R M.1371): `kind` is which."""

    mmsi: int
    kind: TargetKind
    lat: float
    lon: float
    t: datetime
    heard_by: str
    name: str | None = None
    callsign: str | None = None
    ship_type: int | None = None
    sog_kn: float | None = None
    cog_deg: float | None = None
    heading_deg: float | None = None
    nav_status: int | None = None
    length_m: int | None = None
    beam_m: int | None = None
    draught_m: float | None = None
    destination: str | None = None
    virtual: bool | None = None


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """Everything that the map and the list show, of one moment; of devices, those on no asset."""

    now: datetime
    assets: list[Asset]
    devices: list[Device]
    targets: list[Target]


ASSET: Final = TypeAdapter(Asset)
ASSETS: Final = TypeAdapter(list[Asset])
DEVICE: Final = TypeAdapter(Device)
DEVICES: Final = TypeAdapter(list[Device])
TARGET: Final = TypeAdapter(Target)
SNAPSHOT: Final = TypeAdapter(Snapshot)

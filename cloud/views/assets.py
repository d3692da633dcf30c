"""Assets as they are now: the registry's facts of this moment, and the newest records."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection, select

from cloud import times, values
from cloud.freshness import WORST_FIRST
from cloud.registry import Asset as Entry
from cloud.registry import Berth, Name, Navaid, Pile, Registry
from cloud.registry import Station as Stand
from cloud.registry.assets import type_of
from cloud.store.tables import asset_latest
from cloud.views import aids, parts
from cloud.views.accounts import account
from cloud.views.alarms import alarms
from cloud.views.models import (
    Alarm,
    Asset,
    AssetDetail,
    Freshness,
    Names,
    Position,
    Presence,
    Station,
)

_SERVICES_BACK_S: Final = 366 * 86_400  # how long ago a service may have ended to be shown


@dataclass(slots=True)
class _Now:
    """What the tables say of some assets at one moment."""

    registry: Registry
    t: int
    reports: dict[str, parts.Row]
    presences: dict[str, Presence]
    alarms: dict[str, list[Alarm]]

    def alarms_of(self, entry: Entry) -> list[Alarm]:
        """Return the alarms of an asset's device; of a berth those of its piles too."""
        pair = self.registry.serving(entry.id, self.t)
        own = self.alarms.get(pair[0], []) if pair else []
        if not isinstance(entry, Berth):
            return own
        return [
            *own,
            *(one for pile in self.registry.piles_of(entry.id) for one in self.alarms_of(pile)),
        ]

    def freshness(self, entry: Entry) -> Freshness:
        """Judge an asset; a berth by the worst of what is at it."""
        own = parts.freshness(self.reports.get(entry.id), self.t)
        if not isinstance(entry, Berth):
            return own
        judged = [self.freshness(pile) for pile in self.registry.piles_of(entry.id)]
        if entry.id in self.reports or not judged:
            judged.append(own)
        return min(judged, key=lambda freshness: WORST_FIRST.index(freshness.state))


def assets(
    connection: Connection, registry: Registry, now_t: int, ids: Iterable[str] | None = None
) -> list[Asset]:
    """Return some assets (unknown ids are left out), or all of them, in the registry's order."""
    wanted = None if ids is None else set(ids) & registry.assets.keys()
    now = _look(connection, registry, now_t, wanted)
    return [
        _asset(now, entry)
        for entry in registry.assets.values()
        if wanted is None or entry.id in wanted
    ]


def detail(
    connection: Connection, registry: Registry, now_t: int, asset: str
) -> AssetDetail | None:
    """Return an asset with everything known of it; None if there is none of this id."""
    found = assets(connection, registry, now_t, [asset])
    if not found:
        return None
    rows = connection.execute(select(asset_latest).where(asset_latest.c.asset == asset))
    spans = registry.services_of(asset, now_t - _SERVICES_BACK_S, now_t + 1)
    entry, service = registry.assets[asset], found[0].service
    held = [(span.device, registry.service_of(span.device, span.since)) for span in spans]
    return AssetDetail(
        **{field.name: getattr(found[0], field.name) for field in fields(Asset)},
        readings=parts.readings(rows.mappings(), now_t),
        services=[parts.service(device, served) for device, served in held if served],
        account=account(connection, service.device) if service else None,
        ais=aids.heard(connection, entry) if isinstance(entry, Navaid) else None,
    )


def _look(connection: Connection, registry: Registry, now_t: int, wanted: set[str] | None) -> _Now:
    """Read what is needed of some assets, or of all; a berth needs its piles too."""
    needed = wanted
    serving = None
    if wanted is not None:
        needed = wanted | {pile.id for asset in wanted for pile in registry.piles_of(asset)}
        pairs = [registry.serving(asset, now_t) for asset in needed or ()]
        serving = {pair[0] for pair in pairs if pair}
    in_reports = asset_latest.c.schema.in_(parts.REPORTS)
    rows = parts.rows_of(connection, asset_latest.c.asset, needed, in_reports)
    return _Now(
        registry,
        now_t,
        {row["asset"]: row for row in rows},
        parts.presences(connection, serving),
        alarms(connection, serving),
    )


def _asset(now: _Now, entry: Entry) -> Asset:
    pair = now.registry.serving(entry.id, now.t)
    row = now.reports.get(entry.id)
    made = Asset(
        id=entry.id,
        type=type_of(entry),
        name=_names(entry.name),
        service=parts.service(*pair) if pair else None,
        presence=now.presences.get(pair[0]) if pair else None,
        alarms=now.alarms_of(entry),
        freshness=now.freshness(entry),
        report=values.read(row["record"]) if row else {},
    )
    if isinstance(entry, Navaid):
        station = now.registry.station_of(entry.id, now.t)
        made.kind, made.floating = entry.kind, entry.floating
        made.station = _station(station) if station else None
        made.position = parts.measured_position(row) or _charted(station)
        return made
    made.position = _charted(entry)
    if isinstance(entry, Pile):
        made.berth, made.rated_kw = entry.berth, entry.rated_kw
    else:
        made.piles = [pile.id for pile in now.registry.piles_of(entry.id)]
    return made


# What the registry says stays as it is, so it is put into the API's form once.


@lru_cache(maxsize=parts.KEPT)
def _names(name: Name) -> Names:
    return Names(zh=name.zh, en=name.en)


@lru_cache(maxsize=parts.KEPT)
def _station(station: Stand) -> Station:
    return Station(
        lat=station.lat,
        lon=station.lon,
        light=station.light,
        notice=station.notice,
        since=times.moment_of_t(station.since),
        until=None if station.until is None else times.moment_of_t(station.until),
    )


@lru_cache(maxsize=parts.KEPT)
def _charted(place: Stand | Berth | Pile | None) -> Position | None:
    if place is None:
        return None
    return Position(lat=place.lat, lon=place.lon, source="registry", t=None)

"""The state of the centre itself, of the gateways, and what the map needs to know."""

from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Final, Literal

from fastapi import APIRouter, HTTPException, status
from pydantic import BaseModel, Field
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import SQLAlchemyError

from cloud import times
from cloud.api.common import TheCentre
from cloud.registry import Navaid
from cloud.store import counts
from cloud.store.tables import conflicts, counters, gateways, refused

router = APIRouter(tags=["system"])

_SHOWN: Final = 20  # newest refused and conflicting records

Corner = tuple[float, float]


class Gateway(BaseModel):
    """A gateway: when it last delivered, and its own counters as it reports them."""

    gateway: str
    delivered: datetime
    age_s: float
    counters: dict[str, int]


class RefusedRecord(BaseModel):
    """Bytes that were no record."""

    device: str
    gateway: str
    received: datetime
    code: str
    detail: str
    record: Annotated[str, Field(description="the bytes, hexadecimal")]


class Conflict(BaseModel):
    """A record whose identity was known with other bytes."""

    device: str
    gateway: str
    received: datetime
    boot: int
    seq: int
    record: Annotated[str, Field(description="the bytes, hexadecimal")]


class System(BaseModel):
    """How the centre does."""

    version: str
    started: datetime
    database: str
    series: str
    rebuilt: Annotated[bool, Field(description="latest states agree with the registry")]
    streams: Annotated[int, Field(description="open streams of pages")]
    streams_dropped: Annotated[int, Field(description="streams ended because they lagged")]
    counts: Annotated[dict[str, int], Field(description="what the centre counted, for ever")]
    gateways: list[Gateway]
    refused: Annotated[list[RefusedRecord], Field(description="the newest")]
    conflicts: Annotated[list[Conflict], Field(description="the newest")]


class TileSource(BaseModel):
    """A source of map tiles; those of datum gcj02 lie shifted, and the page shifts with them."""

    name: str
    url: str
    datum: Literal["wgs84", "gcj02"]
    attribution: str
    approval: str
    max_zoom: int


class Map(BaseModel):
    """What the map begins with; `bounds` are south-west and north-east, null with no asset."""

    tiles: list[TileSource]
    bounds: tuple[Corner, Corner] | None


@router.get("/api/system")
def get_system(centre: TheCentre) -> System:
    """Tell how the centre does, and what the gateways say."""
    with centre.database.read() as connection:
        tallies = counts.read(connection)
        return System(
            version=version("fairway"),
            started=times.moment_of_ms(centre.started_ms),
            database=centre.database.where,
            series=centre.config.series,
            rebuilt=centre.rebuild.done,
            streams=centre.hub.listening,
            streams_dropped=centre.hub.dropped,
            counts={name: tallies.get(name, 0) for name in counts.TALLIES},
            gateways=_gateways(connection),
            refused=[
                RefusedRecord(
                    device=row["device"],
                    gateway=row["gateway"],
                    received=times.moment_of_ms(row["received_ms"]),
                    code=row["code"],
                    detail=row["detail"],
                    record=row["record"].hex(),
                )
                for row in connection.execute(
                    select(refused).order_by(refused.c.id.desc()).limit(_SHOWN)
                ).mappings()
            ],
            conflicts=[
                Conflict(
                    device=row["device"],
                    gateway=row["gateway"],
                    received=times.moment_of_ms(row["received_ms"]),
                    boot=row["boot"],
                    seq=row["seq"],
                    record=row["record"].hex(),
                )
                for row in connection.execute(
                    select(conflicts).order_by(conflicts.c.id.desc()).limit(_SHOWN)
                ).mappings()
            ],
        )


@router.get("/api/map")
def get_map(centre: TheCentre) -> Map:
    """Tell what the map begins with."""
    corners = []
    now_t = times.t_of_ms(times.now_ms())
    for asset in centre.registry.assets.values():
        if not isinstance(asset, Navaid):
            corners.append((asset.lat, asset.lon))
        elif station := centre.registry.station_of(asset.id, now_t):
            corners.append((station.lat, station.lon))
    lats, lons = [lat for lat, _ in corners], [lon for _, lon in corners]
    return Map(
        tiles=[
            TileSource(
                name=tiles.name,
                url=tiles.url,
                datum="gcj02" if tiles.datum == "gcj02" else "wgs84",
                attribution=tiles.attribution,
                approval=tiles.approval,
                max_zoom=tiles.max_zoom,
            )
            for tiles in centre.config.tiles
        ],
        bounds=((min(lats), min(lons)), (max(lats), max(lons))) if corners else None,
    )


@router.get("/healthz")
def get_health(centre: TheCentre) -> dict[str, bool]:
    """Answer 200 while the database does; for supervisors."""
    try:
        with centre.database.read() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, str(error)) from error
    return {"ok": True}


def _gateways(connection: Connection) -> list[Gateway]:
    reported: dict[str, dict[str, int]] = {}
    for row in connection.execute(select(counters).order_by(counters.c.name)).mappings():
        reported.setdefault(row["gateway"], {})[row["name"]] = row["value"]
    now_ms = times.now_ms()
    return [
        Gateway(
            gateway=row["gateway"],
            delivered=times.moment_of_ms(row["delivered_ms"]),
            age_s=max(now_ms - row["delivered_ms"], 0) / 1000,
            counters=reported.get(row["gateway"], {}),
        )
        for row in connection.execute(select(gateways).order_by(gateways.c.gateway)).mappings()
    ]

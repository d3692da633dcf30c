"""Assets, devices and ships, and their history."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Response, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from agent.wire import schema
from cloud import times, values
from cloud.api.common import TheCentre
from cloud.centre import Centre
from cloud.registry import Span
from cloud.series import SeriesError, read_history
from cloud.series.history import POINTS_MAX
from cloud.views import accounts, assets, devices
from cloud.views.models import (
    ASSETS,
    DEVICES,
    Asset,
    AssetDetail,
    BootCount,
    Device,
    DeviceDetail,
    Target,
)
from cloud.views.targets import targets_lately

router = APIRouter(tags=["view"])

_POINTS: Final = 500
_BACK: Final = timedelta(hours=24)
_LONGEST: Final = timedelta(days=3660)

_Id = Annotated[str, Path(pattern="^[a-z0-9-]{1,32}$")]


class FieldInfo(BaseModel):
    """A key of values: its unit, and whether it has a history that can be asked for."""

    key: str
    unit: str
    history: bool


class HistoryAnswer(BaseModel):
    """A field's history in columns of equal length.

    `t` is in Unix seconds; a null in the other columns is a gap in the reports, count 0.
    """

    model_config = ConfigDict(populate_by_name=True)

    field: str
    unit: str
    since: Annotated[datetime, Field(alias="from")]
    until: Annotated[datetime, Field(alias="to")]
    interval_s: float | None
    t: list[float]
    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    last: list[float | None]
    count: list[int]


class Period(BaseModel):
    """What of a history is asked for."""

    field: str
    since: Annotated[AwareDatetime | None, Field(alias="from")] = None
    until: Annotated[AwareDatetime | None, Field(alias="to")] = None
    points: Annotated[int, Field(ge=1, le=POINTS_MAX)] = _POINTS


@router.get("/api/fields")
def get_fields() -> list[FieldInfo]:
    """List every key of values, in the order in which people read them."""
    return [
        FieldInfo(key=field.key, unit=field.unit, history=_has_history(field))
        for field in values.fields().values()
    ]


@router.get("/api/assets", response_model=list[Asset])
def get_assets(centre: TheCentre) -> Response:
    """List every asset as it is now."""
    with centre.database.read() as connection:
        found = assets.assets(connection, centre.registry, _now_t())
    return _json(ASSETS.dump_json(found))


@router.get("/api/assets/{asset}")
def get_asset(centre: TheCentre, asset: _Id) -> AssetDetail:
    """Tell everything known of an asset."""
    with centre.database.read() as connection:
        found = assets.detail(connection, centre.registry, _now_t(), asset)
    if found is None:
        raise _unknown("asset", asset)
    return found


@router.get("/api/assets/{asset}/history")
def get_asset_history(
    centre: TheCentre, asset: _Id, period: Annotated[Period, Query()]
) -> HistoryAnswer:
    """Tell a field's history, from whichever devices served the asset at the time."""
    if asset not in centre.registry.assets:
        raise _unknown("asset", asset)
    since, until = _from_to(period)
    spans = centre.registry.services_of(asset, times.t_of(since), times.t_of(until) + 1)
    return _history(centre, period, since, until, spans)


@router.get("/api/devices", response_model=list[Device])
def get_devices(centre: TheCentre) -> Response:
    """List every device that is in the registry or was ever heard of."""
    with centre.database.read() as connection:
        found = devices.devices(connection, centre.registry, _now_t())
    return _json(DEVICES.dump_json(found))


@router.get("/api/devices/{device}")
def get_device(centre: TheCentre, device: _Id) -> DeviceDetail:
    """Tell everything known of a device."""
    with centre.database.read() as connection:
        found = devices.detail(connection, centre.registry, _now_t(), device)
    if found is None:
        raise _unknown("device", device)
    return found


@router.get("/api/devices/{device}/account")
def get_device_account(centre: TheCentre, device: _Id) -> list[BootCount]:
    """Tell what came of each of a device's last starts, and what is missing; the newest first."""
    with centre.database.read() as connection:
        return accounts.by_boot(connection, device)


@router.get("/api/devices/{device}/history")
def get_device_history(
    centre: TheCentre, device: _Id, period: Annotated[Period, Query()]
) -> HistoryAnswer:
    """Tell a field's history as one device measured it, wherever it was."""
    since, until = _from_to(period)
    spans = [Span(device, times.t_of(since), times.t_of(until) + 1)]
    return _history(centre, period, since, until, spans)


@router.get("/api/targets")
def get_targets(centre: TheCentre) -> list[Target]:
    """List ships, aids and base stations heard by AIS in the last half hour."""
    with centre.database.read() as connection:
        return targets_lately(connection, _now_t())


def _history(
    centre: Centre, period: Period, since: datetime, until: datetime, spans: list[Span]
) -> HistoryAnswer:
    field = values.fields().get(period.field)
    if field is None or not _has_history(field):
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST,
            f"field is {period.field!r}; allowed: a key of /api/fields with a history",
        )
    row = next(row for row in schema.SCHEMAS[1:] if row[1] == field.key.partition(".")[0])
    start_ms, end_ms = (round(moment.timestamp() * 1000) for moment in (since, until))
    try:
        told = read_history(centre.series, row, field, spans, start_ms, end_ms, period.points)
    except SeriesError as error:
        raise HTTPException(
            status.HTTP_503_SERVICE_UNAVAILABLE, f"the time-series store does not answer: {error}"
        ) from error
    return HistoryAnswer(
        field=field.key,
        unit=field.unit,
        since=since,
        until=until,
        interval_s=told.interval_s,
        t=told.t,
        min=told.min,
        max=told.max,
        mean=told.mean,
        last=told.last,
        count=told.count,
    )


def _json(content: bytes) -> Response:
    """Answer what is JSON already, and of the form that the route promises."""
    return Response(content, media_type="application/json")


def _has_history(field: values.Field) -> bool:
    return field.series and field.unit != "bytes"


def _from_to(period: Period) -> tuple[datetime, datetime]:
    until = period.until or datetime.now(UTC)
    since = period.since or until - _BACK
    if not since < until <= since + _LONGEST:
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST,
            f"from is {since.isoformat()}, to is {until.isoformat()}; "
            f"allowed: from before to, at most {_LONGEST.days} days",
        )
    return since, until


def _unknown(what: Literal["asset", "device"], name: str) -> HTTPException:
    return HTTPException(status.HTTP_404_NOT_FOUND, f"there is no {what} {name!r}")


def _now_t() -> int:
    return times.t_of_ms(times.now_ms())

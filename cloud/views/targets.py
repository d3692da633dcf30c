"""What is heard by AIS: a target's position, and what its other messages said of it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from cloud import times, values
from cloud.store.tables import targets
from cloud.store.targets import ATON, DIMENSIONS, NAME, POSITION, STATIC
from cloud.values import Value
from cloud.views import parts
from cloud.views.models import Target, TargetKind

LATELY_S: Final = 30 * 60  # a ship at anchor reports every 3 minutes, and not all are received

_BASE_STATION: Final = 4  # message type


def targets_lately(
    connection: Connection, now_t: int, mmsis: Iterable[int] | None = None
) -> list[Target]:
    """Return what was heard in the last half hour: some targets by MMSI, or all of them."""
    heard = (targets.c.t > now_t - LATELY_S) & targets.c.part.in_((POSITION, ATON))
    found = list(parts.rows_of(connection, targets.c.mmsi, mmsis, heard))
    told: dict[int, dict[str, Value]] = {}
    others = targets.c.part.in_((STATIC, NAME, DIMENSIONS))
    rows = parts.rows_of(connection, targets.c.mmsi, {row["mmsi"] for row in found}, others)
    for row in sorted(rows, key=lambda row: row["t"]):
        said = {key: value for key, value in _values(row).items() if value is not None}
        told.setdefault(row["mmsi"], {}).update(said)
    newest = {row["mmsi"]: row for row in sorted(found, key=lambda row: row["t"])}
    return [_target(row, told.get(row["mmsi"], {})) for row in newest.values()]


def _values(row: parts.Row) -> Mapping[str, Value]:
    """Return a record's values by field alone."""
    return {key.partition(".")[2]: v for key, v in values.read(row["record"]).items()}


def _target(row: parts.Row, told: Mapping[str, Value]) -> Target:
    heard: Mapping[str, Any] = _values(row)
    if row["part"] == ATON:
        name = f"{heard['name'] or ''}{heard['name_ext'] or ''}"
        return _place(row, heard, "aton", name=name or None, virtual=heard["virtual"] == 1)
    if heard["type"] == _BASE_STATION:
        return _place(row, heard, "base")
    return _place(
        row,
        heard,
        "ship",
        sog_kn=heard["sog_dkn"],
        cog_deg=heard["cog_dd"],
        heading_deg=heard["heading_deg"],
        nav_status=heard["nav_status"],
        name=told.get("name") or None,
        callsign=told.get("callsign") or None,
        ship_type=told.get("ship_type"),
        length_m=_sum(told, "to_bow_m", "to_stern_m"),
        beam_m=_sum(told, "to_port_m", "to_starboard_m"),
        draught_m=told.get("draught_dm"),
        destination=told.get("destination") or None,
    )


def _place(row: parts.Row, heard: Mapping[str, Any], kind: TargetKind, **said: Any) -> Target:
    return Target(
        mmsi=row["mmsi"],
        kind=kind,
        lat=heard["lat_e6"],
        lon=heard["lon_e6"],
        t=times.moment_of_t(row["t"]),
        heard_by=row["device"],
        **said,
    )


def _sum(told: Mapping[str, Value], one: str, other: str) -> int | None:
    """Return a dimension, antenna to one end plus antenna to the other; 0 means not available."""
    a, b = told.get(one), told.get(other)
    return (a + b) or None if isinstance(a, int) and isinstance(b, int) else None

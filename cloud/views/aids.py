"""What an aid says of itself by AIS: the newest message 21 under its MMSI, by whomever it was heard."""

from typing import Any, Final

from sqlalchemy import Connection, select

from cloud import times, values
from cloud.registry import Navaid
from cloud.store.tables import targets
from cloud.store.targets import ATON
from cloud.views.models import AidHeard

_SECOND_MAX: Final = 59  # beyond it the position's time is unknown, and off position means nothing

# Status bits, page 7 (IALA A-126): 3 bits page, 2 racon, 2 light, 1 alarm. Other pages are regional.
_PAGE: Final = 7
_LIGHT: Final = {1: "on", 2: "off", 3: "failed"}
_RACON: Final = {1: "unmonitored", 2: "works", 3: "failed"}


def heard(connection: Connection, aid: Navaid) -> AidHeard | None:
    """Return what was last heard of an aid; None if it has no MMSI."""
    if aid.mmsi is None:
        return None
    query = select(targets).where(targets.c.mmsi == aid.mmsi, targets.c.part == ATON)
    row = connection.execute(query).mappings().first()
    if row is None:
        return AidHeard(mmsi=aid.mmsi)
    said: dict[str, Any] = {
        key.partition(".")[2]: value for key, value in values.read(row["record"]).items()
    }
    status = said["status"]
    paged = status is not None and status >> 5 == _PAGE
    timed = said["second"] is not None and said["second"] <= _SECOND_MAX
    off = said["off_position"]
    return AidHeard(
        mmsi=aid.mmsi,
        heard_by=row["device"],
        t=times.moment_of_t(row["t"]),
        lat=said["lat_e6"],
        lon=said["lon_e6"],
        name=f"{said['name'] or ''}{said['name_ext'] or ''}".rstrip() or None,
        virtual=None if said["virtual"] is None else said["virtual"] == 1,
        off_position=off == 1 if aid.floating and timed and off is not None else None,
        healthy=not status & 1 if paged else None,
        light=_LIGHT.get(status >> 1 & 3) if paged else None,
        racon=_RACON.get(status >> 3 & 3) if paged else None,
    )

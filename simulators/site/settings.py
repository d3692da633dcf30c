"""What a commissioning technician would read off the registry: the demo's boards are told from it.

So that light, station and neighbours of an aid are typed once, in the registry, and chain and depth
once, in the estuary's plan.
"""

from typing import Any, Final

from simulators.estuary import AID_MMSI
from simulators.plan import Plan
from simulators.registry import Navaid, Registry, Station
from simulators.sensors.ais import AID_TYPES, six_bit

_LAYING_ERROR_DM: Final = 20
_NEIGHBOURS: Final = 2
_NEIGHBOUR_MILES: Final = 12.0  # nearer than where reception begins to fade
_AIS_NAME: Final = 34  # letters, the extension included


def of_assets(registry: Registry, plan: Plan, now: float) -> dict[str, dict[str, Any]]:
    """Return settings by device, for those that serve a navaid now.

    Args:
        registry: what stands where.
        plan: chains and depths.
        now: Unix seconds.

    Returns:
        Sections of settings (agent/config.py).
    """
    stations = {
        navaid.id: station
        for navaid in registry.navaids.values()
        if (station := navaid.station_at(now)) is not None
    }
    mmsis = {navaid: AID_MMSI + n for n, navaid in enumerate(registry.navaids, start=1)}
    settings = {}
    for device in registry.devices.values():
        asset = device.asset_at(now)
        if asset in stations:
            navaid = registry.navaids[asset]
            near = [mmsis[one] for one in _neighbours(asset, stations)]
            settings[device.id] = _navaid(navaid, stations[asset], plan, mmsis[asset], near)
    return settings


def _navaid(
    navaid: Navaid, station: Station, plan: Plan, mmsi: int, near: list[int]
) -> dict[str, dict[str, Any]]:
    mooring = plan.aid(navaid.id).mooring
    return {
        "light": {"character": station.light},
        "station": {
            "lat_e6": round(station.place.lat * 1e6),
            "lon_e6": round(station.place.lon * 1e6),
            "chain_dm": round(10 * mooring.chain_m) if navaid.floating else 0,
            "depth_cm": round(100 * mooring.depth_m) if navaid.floating else 0,
            "error_dm": _LAYING_ERROR_DM,
        },
        "battery": {"capacity_ah": round(plan.aid(navaid.id).power.battery_ah)},
        "ais": {
            "own_mmsi": mmsi,
            "neighbours": ",".join(map(str, near)),
            "name": six_bit(navaid.name)[:_AIS_NAME],
            "type": AID_TYPES[navaid.kind][navaid.floating],
        },
    }


def _neighbours(asset: str, stations: dict[str, Station]) -> list[str]:
    here = stations[asset].place
    miles = {one: here.miles_to(there.place) for one, there in stations.items() if one != asset}
    near = sorted((far, one) for one, far in miles.items() if far <= _NEIGHBOUR_MILES)
    return [one for _, one in near[:_NEIGHBOURS]]

"""What staff know: aids, berths, piles, the devices at them, and what held when.

registry = load(Path("config/demo/registry.toml"))
registry.asset_of("buoy-1", t)
"""

from cloud.registry.assets import (
    Asset,
    Berth,
    Device,
    DeviceState,
    Name,
    Navaid,
    Pile,
    Service,
    Station,
)
from cloud.registry.bindings import Registry, Span
from cloud.registry.load import load

__all__ = (
    "Asset",
    "Berth",
    "Device",
    "DeviceState",
    "Name",
    "Navaid",
    "Pile",
    "Registry",
    "Service",
    "Span",
    "Station",
    "load",
)

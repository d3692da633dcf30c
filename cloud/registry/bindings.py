"""What held when: a record is judged by the binding of *its* time, never by today's.

Two devices may be swapped while both hold days of backlog; each record still belongs to the asset
that its device stood on when the record was made.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from cloud.registry.assets import (
    Asset,
    Device,
    DeviceState,
    Navaid,
    Pile,
    Service,
    Station,
)


class Span(NamedTuple):
    """A device and the time, since ≤ t < until, for which something is asked of it."""

    device: str
    since: int
    until: int


class _Dated(Protocol):
    @property
    def since(self) -> int: ...
    @property
    def until(self) -> int | None: ...


_D = TypeVar("_D", bound=_Dated)


class Registry:
    """Assets and devices by id, and the questions about time.

    `digest` changes when the file does; what was worked out from another digest is out of date.
    """

    def __init__(self, assets: Iterable[Asset], devices: Iterable[Device], digest: str) -> None:
        self.assets = {asset.id: asset for asset in assets}
        self.devices = {device.id: device for device in devices}
        self.digest = digest
        self._aids = {
            asset.mmsi: asset.id
            for asset in self.assets.values()
            if isinstance(asset, Navaid) and asset.mmsi is not None
        }
        self._piles: dict[str, list[Pile]] = {}
        for asset in self.assets.values():
            if isinstance(asset, Pile):
                self._piles.setdefault(asset.berth, []).append(asset)
        self._serving: dict[str, list[tuple[str, Service]]] = {}
        for device in self.devices.values():
            for service in device.services:
                self._serving.setdefault(service.asset, []).append((device.id, service))
        for pairs in self._serving.values():
            pairs.sort(key=lambda pair: pair[1].since)

    def aid_of(self, mmsi: int) -> str | None:
        """Return the id of the aid that sends by this MMSI."""
        return self._aids.get(mmsi)

    def piles_of(self, berth: str) -> list[Pile]:
        """Return a berth's piles, in the order of the file."""
        return self._piles.get(berth, [])

    def service_of(self, device: str, t: int) -> Service | None:
        """Return what a device served at t; None for an unknown device too."""
        known = self.devices.get(device)
        return _holding(known.services, t) if known else None

    def asset_of(self, device: str, t: int) -> str | None:
        """Return the id of the asset that a device served at t."""
        service = self.service_of(device, t)
        return service.asset if service else None

    def serving(self, asset: str, t: int) -> tuple[str, Service] | None:
        """Return the device that served an asset at t, and since when by which notice."""
        pairs = self._serving.get(asset, [])
        n = bisect_right(pairs, t, key=lambda pair: pair[1].since)
        if n == 0:
            return None
        until = pairs[n - 1][1].until
        return pairs[n - 1] if until is None or t < until else None

    def services_of(self, asset: str, since: int, until: int) -> list[Span]:
        """Return which devices served an asset within since ≤ t < until, in order of time."""
        spans = []
        for device, service in self._serving.get(asset, []):
            start = max(since, service.since)
            end = until if service.until is None else min(until, service.until)
            if start < end:
                spans.append(Span(device, start, end))
        return spans

    def station_of(self, navaid: str, t: int) -> Station | None:
        """Return where an aid stood at t and what it showed."""
        asset = self.assets.get(navaid)
        return _holding(asset.stations, t) if isinstance(asset, Navaid) else None

    def state_of(self, device: str, t: int) -> DeviceState | None:
        """Return what was done with a device at t."""
        known = self.devices.get(device)
        if known is None:
            return None
        n = bisect_right(known.states, t, key=lambda state: state.since)
        return known.states[n - 1] if n else None

    def next_change(self, t: int) -> int | None:
        """Return the first moment after t at which any binding begins or ends."""
        later = (moment for moment, _ in self._edges() if moment > t)
        return min(later, default=None)

    def changed_between(self, after: int, until: int) -> tuple[set[str], set[str]]:
        """Return the assets and devices with a binding that began or ended in (after, until]."""
        ids = {edge for moment, edge in self._edges() if after < moment <= until}
        return ids & self.assets.keys(), ids & self.devices.keys()

    def _edges(self) -> Iterable[tuple[int, str]]:
        """Yield the moments at which something changes, with the id of what changes."""
        for asset in self.assets.values():
            if isinstance(asset, Navaid):
                yield from _edges_of(asset.id, asset.stations)
        for device in self.devices.values():
            yield from _edges_of(device.id, device.services)
            for service in device.services:
                yield from _edges_of(service.asset, [service])
            for state in device.states:
                yield state.since, device.id


def _edges_of(owner: str, dated: Iterable[_Dated]) -> Iterable[tuple[int, str]]:
    for item in dated:
        yield item.since, owner
        if item.until is not None:
            yield item.until, owner


def _holding(dated: Sequence[_D], t: int) -> _D | None:
    """Return the one that holds at t, of some that are in order of time and do not overlap."""
    n = bisect_right(dated, t, key=lambda item: item.since)
    if n == 0:
        return None
    item = dated[n - 1]
    return item if item.until is None or t < item.until else None

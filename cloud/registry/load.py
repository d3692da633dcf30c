"""Reads the registry file (docs/registry.md) and refuses what contradicts itself.

    [[navaid]]  [[navaid.station]]  [[berth]]  [[pile]]  [[device]]  [[device.service]]  [[device.state]]

First every value by itself, then, if all are good, what they say together: ids used twice, an
asset or berth that is not there, two stations of one aid or two services of one device or asset
at the same time.
"""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from cloud.registry.assets import (
    DEVICE_STATES,
    NAVAID_KINDS,
    PROFILES,
    Asset,
    Berth,
    Device,
    DeviceState,
    Name,
    Navaid,
    Pile,
    Service,
    Station,
    type_of,
)
from cloud.registry.bindings import Registry
from cloud.times import moment_of_t, t_of
from toolkit.settings import Settings, Table

_ID: Final = r"[a-z0-9-]{1,32}"
_ID_ALLOWED: Final = "a-z, 0-9 and -, 1 to 32 long"
_MMSI: Final = (990_000_000, 999_999_999)  # of aids: 99, the country, four digits (ITU-R M.585)
_RATED_KW_MAX: Final = 100_000.0  # the largest shore connections are below 20 MVA


class _Placed(NamedTuple):
    """Something dated, whose it is, and where in the file it stands."""

    owner: str
    item: Station | Service
    table: Table


def load(path: Path) -> Registry:
    """Read a registry file.

    Raises:
        SettingsError: every problem, with file, line, key, value and what is allowed.
    """
    settings = Settings(path)
    reader = _Reader(settings.root)
    settings.finish()
    reader.cross_check()
    settings.finish()
    digest = hashlib.sha256(settings.text.encode()).hexdigest()
    return Registry(reader.assets, reader.devices, digest)


class _Reader:
    def __init__(self, root: Table) -> None:
        self.assets: list[Asset] = []
        self.devices: list[Device] = []
        self._tables: list[tuple[Asset | Device, Table]] = []
        self._stations: list[_Placed] = []
        self._services: list[_Placed] = []
        self._berths: dict[str, Berth] = {}
        for table in root.tables("navaid"):
            self._add(self._navaid(table), table)
        for table in root.tables("berth"):
            self._add(Berth(_id(table), _name(table), _lat(table), _lon(table)), table)
        for table in root.tables("pile"):
            self._add(self._pile(table), table)
        for table in root.tables("device"):
            self._add(self._device(table), table)
        root.finish()

    def _add(self, item: Asset | Device, table: Table) -> None:
        table.finish()
        self._tables.append((item, table))
        if isinstance(item, Berth):
            self._berths[item.id] = item
        if isinstance(item, Device):
            self.devices.append(item)
        else:
            self.assets.append(item)

    def _navaid(self, table: Table) -> Navaid:
        navaid = _id(table)
        placed = [_Placed(navaid, _station(item), item) for item in table.tables("station")]
        placed.sort(key=_since)
        self._stations += placed
        kind = table.choice("kind", NAVAID_KINDS)
        return Navaid(
            id=navaid,
            name=_name(table),
            kind=kind,
            floating=table.boolean("floating", default=kind != "light"),
            mmsi=_mmsi(table),
            stations=tuple(p.item for p in placed if isinstance(p.item, Station)),
        )

    def _pile(self, table: Table) -> Pile:
        """Read a pile; it stands where its berth is unless it says otherwise."""
        berth = table.string("berth", pattern=_ID, allowed=_ID_ALLOWED)
        home = self._berths.get(berth)
        if berth and home is None:
            known = ", ".join(self._berths) or "there is none"
            table.problem("berth", f"is {berth!r}; allowed: a berth of this file ({known})")
        own = table.has("lat") or table.has("lon")
        return Pile(
            id=_id(table),
            name=_name(table),
            berth=berth,
            lat=_lat(table) if own else home.lat if home else 0.0,
            lon=_lon(table) if own else home.lon if home else 0.0,
            rated_kw=table.number("rated_kw", low=0.1, high=_RATED_KW_MAX, unit="kW"),
        )

    def _device(self, table: Table) -> Device:
        device = _id(table)
        placed = [_Placed(device, _service(item), item) for item in table.tables("service")]
        placed.sort(key=_since)
        self._services += placed
        states = [_state(item) for item in table.tables("state")]
        states.sort(key=lambda state: state.since)
        return Device(
            id=device,
            profile=table.choice("profile", tuple(PROFILES)),
            services=tuple(p.item for p in placed if isinstance(p.item, Service)),
            states=tuple(states),
        )

    def cross_check(self) -> None:
        """Hold the entries against each other; each is good by itself."""
        self._check_ids()
        self._check_mmsis()
        self._check_services()
        for pair in _overlaps(self._stations, key=lambda placed: placed.owner):
            _refuse(*pair, "another station of this aid")
        for pair in _overlaps(self._services, key=lambda placed: placed.owner):
            _refuse(*pair, f"its service at {_asset(pair[0])}")
        for pair in _overlaps(self._services, key=_asset):
            if pair[0].owner != pair[1].owner:
                _refuse(*pair, f"the service of {pair[0].owner} at {_asset(pair[0])}")

    def _check_ids(self) -> None:
        seen: set[tuple[bool, str]] = set()
        for item, table in self._tables:
            key = (isinstance(item, Device), item.id)
            if key in seen:
                what = "device" if key[0] else "asset"
                table.problem("id", f"is {item.id!r}; allowed: an id that no other {what} has")
            seen.add(key)

    def _check_mmsis(self) -> None:
        seen: dict[int, str] = {}
        for item, table in self._tables:
            if isinstance(item, Navaid) and item.mmsi is not None:
                other = seen.setdefault(item.mmsi, item.id)
                if other != item.id:
                    table.problem(
                        "mmsi", f"is {item.mmsi}, that of {other}; allowed: one for each aid"
                    )

    def _check_services(self) -> None:
        types = {asset.id: type_of(asset) for asset in self.assets}
        profiles = {device.id: device.profile for device in self.devices}
        for placed in self._services:
            asset, profile = _asset(placed), profiles[placed.owner]
            if asset not in types:
                placed.table.problem("asset", f"is {asset!r}; allowed: an asset of this file")
            elif types[asset] not in PROFILES[profile]:
                allowed = " or ".join(PROFILES[profile])
                placed.table.problem(
                    "asset",
                    f"is {asset!r}, a {types[asset]}; "
                    f"allowed for a device of profile {profile}: {allowed}",
                )


def _id(table: Table) -> str:
    return table.string("id", pattern=_ID, allowed=_ID_ALLOWED)


def _name(table: Table) -> Name:
    names = table.table("name")
    name = Name(names.string("zh"), names.string("en"))
    names.finish()
    return name


def _mmsi(table: Table) -> int | None:
    low, high = _MMSI
    return table.integer("mmsi", low=low, high=high) if table.has("mmsi") else None


def _lat(table: Table) -> float:
    return table.number("lat", low=-90.0, high=90.0, unit="degrees")


def _lon(table: Table) -> float:
    return table.number("lon", low=-180.0, high=180.0, unit="degrees")


def _station(table: Table) -> Station:
    since, until = _period(table)
    station = Station(
        since=since,
        until=until,
        lat=_lat(table),
        lon=_lon(table),
        light=table.string("light", allowed='a light character, as in "Fl(2) R 6s"'),
        notice=table.string("notice", allowed="the notice that ordered it"),
    )
    table.finish()
    return station


def _service(table: Table) -> Service:
    since, until = _period(table)
    service = Service(
        asset=table.string("asset", pattern=_ID, allowed=_ID_ALLOWED),
        since=since,
        until=until,
        notice=table.string("notice", default=""),
    )
    table.finish()
    return service


def _state(table: Table) -> DeviceState:
    state = DeviceState(table.choice("state", DEVICE_STATES), t_of(table.moment("from")))
    table.finish()
    return state


def _period(table: Table) -> tuple[int, int | None]:
    since = t_of(table.moment("from"))
    if not table.has("to"):
        return since, None
    until = t_of(table.moment("to"))
    if until <= since:
        table.problem("to", f"is {_text(until)}; allowed: later than its from, {_text(since)}")
    return since, until


def _since(placed: _Placed) -> int:
    return placed.item.since


def _asset(placed: _Placed) -> str:
    return placed.item.asset if isinstance(placed.item, Service) else placed.owner


def _overlaps(
    all_placed: list[_Placed], key: Callable[[_Placed], str]
) -> Iterable[tuple[_Placed, _Placed]]:
    """Yield neighbours in time that hold at the same time, (earlier, later)."""
    last: dict[str, _Placed] = {}
    for placed in sorted(all_placed, key=_since):
        earlier = last.get(key(placed))
        if earlier and (earlier.item.until is None or placed.item.since < earlier.item.until):
            yield earlier, placed
        last[key(placed)] = placed


def _refuse(earlier: _Placed, later: _Placed, what: str) -> None:
    until = earlier.item.until
    end = "without end" if until is None else f"to {_text(until)}"
    later.table.problem(
        "from",
        f"is {_text(later.item.since)}, within {what} from {_text(earlier.item.since)} {end}; "
        "allowed: one at a time",
    )


def _text(t: int) -> str:
    return moment_of_t(t).isoformat().replace("+00:00", "Z")

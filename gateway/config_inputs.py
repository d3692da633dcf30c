"""The part of the configuration for ways in besides MQTT and BeiDou: `[[station]]`, `[[aid]]`, `[[adapter]]`.

docs/stations.md explains the keys. `read` is called by `gateway.config.load`.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agent.wire.messages import valid_device
from toolkit.settings import Table

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PROTOCOLS: Final = ("jt808",)
CONNECTIONS_MAX: Final = 20_000

_ADDRESS: Final = re.compile(
    r"(?:tcp|udp|socket|rfc2217)://(?:\[[0-9A-Fa-f:.]+\]|[^\s:/]+):(?P<port>\d{1,5})|/\S+|COM\d+"
)
_ADDRESS_ALLOWED: Final = (
    "a serial port, tcp://HOST:PORT, udp://HOST:PORT of ours or of a group, or socket://HOST:PORT"
)
_LISTEN: Final = re.compile(r"(?:tcp|udp)://(?:\[[0-9A-Fa-f:.]+\]|[^\s:/]+):(?P<port>\d{1,5})")
_LISTEN_ALLOWED: Final = "tcp://HOST:PORT or udp://HOST:PORT of ours"
_PORT_MAX: Final = 65_535
_TERMINAL: Final = r"[0-9A-Za-z-]{1,32}"
_MMSI_MAX: Final = 999_999_999
_NO_ZERO: Final = -1


@dataclass(frozen=True, slots=True)
class Station:
    """An AIS or NMEA station: where its sentences come from, and how much of them is kept.

    `lat_e6`, `lon_e6` are where it stands, in degrees·10⁶, if its own receiver does not say; `zero_dd`
    where its fixed wind sensor's zero points, in tenths of a degree. Intervals are as the device's
    `ais.interval_s` and `ais.still_s`; its own records come every `report_s`.
    """

    id: str
    address: str
    baud: int
    interface: str
    lat_e6: int | None
    lon_e6: int | None
    zero_dd: int | None
    interval_s: int
    still_s: int
    report_s: int
    silent_s: int


@dataclass(frozen=True, slots=True)
class Aid:
    """The device that an AIS unit on an aid is; `floating`: it can be off its position."""

    device: str
    floating: bool


@dataclass(frozen=True, slots=True)
class Adapter:
    """Where terminals of another make connect, and which devices they are.

    `terminals` has a device for every terminal's own number; `allow` the networks that may connect,
    empty for all; `voltage_item` which item of a report is the supply voltage, 0 for none.
    """

    id: str
    protocol: str
    listen: str
    allow: tuple[Network, ...]
    connections: int
    idle_s: int
    voltage_item: int
    terminals: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Stations, the aids that they hear (by MMSI), and adapters."""

    stations: tuple[Station, ...]
    aids: Mapping[int, Aid]
    adapters: tuple[Adapter, ...]


def read(root: Table) -> Inputs:
    """Read the three lists; what is wrong is noted with the tables."""
    seen: dict[str, str] = {}
    stations = tuple(_station(table, seen) for table in root.tables("station"))
    aids: dict[int, Aid] = {}
    for table in root.tables("aid"):
        mmsi = table.integer("mmsi", low=1, high=_MMSI_MAX)
        aid = Aid(_device(table, "device", seen), table.boolean("floating", default=True))
        table.finish()
        if mmsi in aids:
            table.problem("mmsi", f"is {mmsi}, which another [[aid]] has")
        aids[mmsi] = aid
    names: set[str] = set()
    adapters = []
    for table in root.tables("adapter"):
        adapter = _adapter(table, seen)
        if adapter.id in names:
            table.problem("id", f"is {adapter.id!r}, which another [[adapter]] has")
        names.add(adapter.id)
        adapters.append(adapter)
    return Inputs(stations, aids, tuple(adapters))


def _station(table: Table, seen: dict[str, str]) -> Station:
    lat = lon = None
    if table.has("lat") or table.has("lon"):
        lat = round(table.number("lat", low=-90, high=90, unit="degrees") * 1_000_000)
        lon = round(table.number("lon", low=-180, high=180, unit="degrees") * 1_000_000)
    zero = table.integer("wind_zero_deg", low=_NO_ZERO, high=359, default=_NO_ZERO)
    station = Station(
        id=_device(table, "id", seen),
        address=_address(table, "address", _ADDRESS, _ADDRESS_ALLOWED),
        baud=table.integer("baud", low=1200, high=921_600, default=38_400),
        interface=table.string("interface", default="", allowed="an address of this computer"),
        lat_e6=lat,
        lon_e6=lon,
        zero_dd=None if zero == _NO_ZERO else zero * 10,
        interval_s=table.integer("interval_s", low=0, high=86_400, default=60),
        still_s=table.integer("still_s", low=0, high=86_400, default=600),
        report_s=table.integer("report_s", low=10, high=86_400, default=600),
        silent_s=table.integer("silent_s", low=10, high=86_400, default=300),
    )
    table.finish()
    return station


def _adapter(table: Table, seen: dict[str, str]) -> Adapter:
    name = table.string("id")
    if not valid_device(name):
        table.problem("id", f"is {name!r}; allowed: a-z, 0-9 and -, 1 to 32 characters")
    listed = table.table("terminals")
    terminals: dict[str, str] = {}
    for number in listed.names():
        if not re.fullmatch(_TERMINAL, number):
            listed.problem(number, "is no terminal's number; allowed: 1 to 32 digits and letters")
        short = number.lstrip("0") or "0"
        if short in terminals:
            listed.problem(number, f"is a terminal's number a second time: {short}")
        terminals[short] = _device(listed, number, seen)
    adapter = Adapter(
        id=name,
        protocol=table.choice("protocol", PROTOCOLS),
        listen=_address(table, "listen", _LISTEN, _LISTEN_ALLOWED),
        allow=_networks(table),
        connections=table.integer("connections", low=1, high=CONNECTIONS_MAX, default=1000),
        idle_s=table.integer("idle_s", low=10, high=86_400, default=600),
        voltage_item=table.integer("voltage_item", low=0, high=255, default=0),
        terminals=terminals,
    )
    table.finish()
    return adapter


def _networks(table: Table) -> tuple[Network, ...]:
    networks: list[Network] = []
    text = table.string("allow", default="", allowed="networks, as in 10.8.0.0/16, comma between")
    for word in (word.strip() for word in text.split(",")):
        if word:
            try:
                networks.append(ipaddress.ip_network(word))
            except ValueError:
                table.problem("allow", f"holds {word!r}; allowed: networks, as in 10.8.0.0/16")
    return tuple(networks)


def _address(table: Table, key: str, pattern: re.Pattern[str], allowed: str) -> str:
    address = table.string(key, pattern=pattern.pattern, allowed=allowed)
    match = pattern.fullmatch(address)
    port = match["port"] if match else None
    if port is not None and not 0 < int(port) <= _PORT_MAX:
        table.problem(key, f"is {address!r}; allowed: ports 1 to {_PORT_MAX}")
    return address


def _device(table: Table, key: str, seen: dict[str, str]) -> str:
    device = table.string(key, allowed="the id of a device")
    if not valid_device(device):
        table.problem(key, f"is {device!r}; allowed: a-z, 0-9 and -, 1 to 32 characters")
    elif device in seen:
        table.problem(key, f"is {device!r}, which {seen[device]} is already")
    else:
        seen[device] = table.at(key)
    return device

"""A small estuary for tests: two aids, two piles, a spare, a few ships; files and helpers."""

import asyncio
import json
import socket
import threading
import time
from datetime import datetime

from simulators import plan, registry
from simulators.estuary import Estuary
from simulators.registers import Registers

NIGHT = int(datetime.fromisoformat("2026-11-22T14:00:00+00:00").timestamp())  # 22 h in Shanghai
NOON = int(datetime.fromisoformat("2026-11-22T04:00:00+00:00").timestamp())

REGISTRY = """
[[navaid]]
id = "c1"
name = { zh = "C1 灯浮", en = "C1 light buoy" }
kind = "port"
floating = true
[[navaid.station]]
from = 2026-01-01T00:00:00+08:00
to = 2026-06-01T00:00:00+08:00
lat = 31.2
lon = 122.0
light = "Fl R 4s"
[[navaid.station]]
from = 2026-06-01T00:00:00+08:00
lat = 31.1010
lon = 122.2010
light = "Fl(2) R 6s"
notice = "118"

[[navaid]]
id = "c2"
name = { zh = "灯桩", en = "Fixed light" }
kind = "light"
floating = false
[[navaid.station]]
from = 2026-01-01T00:00:00+08:00
lat = 31.1500
lon = 122.1500
light = "LFl 10s"

[[berth]]
id = "b1"
name = { zh = "1 号泊位", en = "Berth 1" }
lat = 31.36
lon = 121.62

[[pile]]
id = "p1"
berth = "b1"
name = { zh = "1 号桩", en = "Pile 1" }
rated_kw = 100

[[pile]]
id = "p2"
berth = "b1"
lat = 31.37
lon = 121.61
rated_kw = 100

[[device]]
id = "buoy-1"
profile = "beacon"
[[device.service]]
asset = "c1"
from = 2026-01-01T00:00:00+08:00

[[device]]
id = "buoy-2"
profile = "beacon"
[[device.service]]
asset = "c2"
from = 2026-01-01T00:00:00+08:00

[[device]]
id = "pile-1"
profile = "shorepower"
[[device.service]]
asset = "p1"
from = 2026-01-01T00:00:00+08:00

[[device]]
id = "pile-2"
profile = "shorepower"
[[device.service]]
asset = "p2"
from = 2026-01-01T00:00:00+08:00

[[device]]
id = "spare-1"
profile = "beacon"
[[device.state]]
state = "store"
from = 2026-01-01T00:00:00+08:00
"""

CONFIG = """
seed = 7

[depot]
lat = 31.35
lon = 121.58

[aid.c1]
depth_m = 12
chain_m = 40

[[route]]
waypoints = [[31.05, 122.30], [31.10, 122.20], [31.16, 122.05]]
ships = 3
fishing = 1
speed_kn = [8, 14]

[[anchorage]]
lat = 31.08
lon = 122.22
radius_m = 1000
ships = 2

[[base_station]]
mmsi = 4131201
lat = 31.12
lon = 122.15

[calls]
session_s = [60, 90]
pause_s = [20, 30]
load_kw = [10, 20]
alongside_s = 5
handling_s = 5

[[pile]]
device = "pile-1"
protocol = "sdm630"
unit = 2
heading_deg = 315
first_plug_s = 2

[[pile]]
device = "pile-2"
protocol = "sdm630"
unit = 1
heading_deg = 315
first_plug_s = 60
"""

# The same with a DL/T 645 meter, which takes a second to start.
DLT645_CONFIG = CONFIG.replace(
    'protocol = "sdm630"\nunit = 2', 'protocol = "dlt645"\naddress = "202410010001"'
)


def write_files(folder, registry_text=REGISTRY, config_text=CONFIG):
    """Write both files; return their paths."""
    registry_file, config_file = folder / "registry.toml", folder / "estuary.toml"
    registry_file.write_text(registry_text, "utf-8")
    config_file.write_text(config_text, "utf-8")
    return registry_file, config_file


class Clock:
    """A clock that the test turns."""

    def __init__(self, now):
        self.now = float(now)

    def __call__(self):
        return self.now


def make(folder, clock, trace=None, **texts):
    """Build an estuary in `folder` that lives by `clock`."""
    registry_file, config_file = write_files(folder, **texts)
    registers = Registers(folder / "meters.json")
    return Estuary(registry.read(registry_file), plan.read(config_file), registers, clock, trace)


async def live(estuary, clock, seconds, step=0.05):
    """Let simulated time pass, giving the sockets their turn."""
    for _ in range(round(seconds / step)):
        clock.now += step
        estuary.tick(clock.now)
        await asyncio.sleep(0)


async def plug_in(address):
    """Connect as a board does; return reader and writer."""
    host, port = address.rsplit(":", 1)
    return await asyncio.open_connection(host, int(port))


async def arrived(reader, quiet_s=0.2):
    """Return all that comes until the line is quiet."""
    data = b""
    while True:
        try:
            chunk = await asyncio.wait_for(reader.read(65536), quiet_s)
        except TimeoutError:
            return data
        if not chunk:
            return data
        data += chunk


class Running:
    """An estuary in a thread, living by its own clock, with its address book in a file."""

    def __init__(self, folder, **texts):
        self.state = folder / "estuary.json"
        self._estuary = make(folder, Clock(NIGHT), **texts)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._loop.run_until_complete(self._estuary.open())
        self.book = json.loads(json.dumps(self._estuary.address_book()))
        self.state.write_text(json.dumps(self.book))
        self._stop = asyncio.Event()
        self._thread.start()
        return self

    def _run(self):
        self._estuary._clock = time.time
        self._loop.run_until_complete(self._estuary.run(self._stop))

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.run_until_complete(self._estuary.close())
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def listen(self, device="buoy-1", uart="gnss"):
        host, port = self.book["devices"][device]["uarts"][uart].split(":")
        return socket.create_connection((host, int(port)), 5)


def until(line, wanted, seconds=8.0):
    """Read from a socket until `wanted` has come; return all of it."""
    data, end = b"", time.monotonic() + seconds
    line.settimeout(0.2)
    while wanted not in data and time.monotonic() < end:
        try:
            data += line.recv(65536)
        except TimeoutError:
            continue
    assert wanted in data
    return data


def heard(line, seconds=0.2):
    """Return what comes on a socket within a moment, b"" if nothing does."""
    line.settimeout(seconds)
    try:
        return line.recv(65536)
    except TimeoutError:
        return b""

"""A real centre process on a free port, and what a gateway would send it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPConnection
from pathlib import Path

import cbor2
import uvicorn

from agent.wire import body, schema, series
from cloud import centre, config
from cloud.app import create_app
from tests.series import SQLiteWriter, row

TOKEN = "a-token-for-tests-0123456789"
START_S = 20.0

# Two aids, a third with a history, a berth with a pile, devices for them, and a spare.
REGISTRY = """
[[navaid]]
id = "c1"
name = { zh = "一号灯浮", en = "Buoy one" }
kind = "port"
[[navaid.station]]
from = 2020-01-01T00:00:00Z
lat = 31.10
lon = 122.20
light = "Fl(2) R 6s"
notice = "N1"

[[navaid]]
id = "c2"
name = { zh = "二号灯浮", en = "Buoy two" }
kind = "starboard"
[[navaid.station]]
from = 2020-01-01T00:00:00Z
lat = 31.20
lon = 122.30
light = "Fl(2) G 6s"
notice = "N2"

[[berth]]
id = "b1"
name = { zh = "一号泊位", en = "Berth one" }
lat = 31.36
lon = 121.62

[[pile]]
id = "p1"
berth = "b1"
name = { zh = "一号桩", en = "Pile one" }
rated_kw = 100

[[device]]
id = "buoy-1"
profile = "beacon"
[[device.service]]
asset = "c1"
from = 2020-01-01T00:00:00Z
notice = "W1"
[[device.state]]
state = "station"
from = 2020-01-01T00:00:00Z

[[device]]
id = "buoy-2"
profile = "beacon"
[[device.service]]
asset = "c2"
from = 2020-01-01T00:00:00Z

[[device]]
id = "pile-1"
profile = "shorepower"
[[device.service]]
asset = "p1"
from = 2020-01-01T00:00:00Z

[[device]]
id = "spare-1"
profile = "beacon"
[[device.state]]
state = "store"
from = 2020-01-01T00:00:00Z
"""

RUN = "import sys; from tests.cloud.support import run_command; sys.exit(run_command())"


def run_command():
    """Run `fairway centre` with this process's arguments, whether it is installed or not."""
    import argparse

    from cloud.command import CentreCommand
    from toolkit.cli import CommandError

    command, parser = CentreCommand(), argparse.ArgumentParser()
    command.add_arguments(parser)
    try:
        return command.run(parser.parse_args())
    except CommandError as error:
        print(f"{error.cause}\n{error.action}", file=sys.stderr)
        return error.code


def now_t():
    """Return the present as a record's time."""
    return int(time.time()) - series.EPOCH_2020


def beacon(*, lit=True, lat=31.1, lon=122.2, sats=12, batt_mv=12600, solar_mv=18000, temp_dc=215):
    """Return the values of a beacon record; `lit` None: not measured."""
    flags = 0 if lit is None else 0x100 | int(lit)
    lat_e6 = None if lat is None else round(lat * 1e6)
    lon_e6 = None if lon is None else round(lon * 1e6)
    return [flags, lat_e6, lon_e6, sats, 320, batt_mv, -120, solar_mv, temp_dc]


def meter(p_w=8600):
    """Return the values of a meter record."""
    return [0x707, 2301, 2298, 2305, 12345, 12001, 11998, p_w, 912, 5001, 0, 1]


def record(schema_id, boot, seq, t, values):
    """Return a record's bytes."""
    items = [schema_id, boot, seq, -1 if t is None else t, *values]
    while len(items) > schema.HEAD_ITEMS and items[-1] is None:
        items.pop()
    return cbor2.dumps(items, canonical=True)


def entry(device, schema_id, boot, seq, t, values, received_ms=None):
    """Return an entry of a delivery; t None: its time will never be known."""
    received_ms = int(time.time() * 1000) if received_ms is None else received_ms
    dated = body.UNDATED if t is None else body.DATED_BY_DEVICE
    raw = record(schema_id, boot, seq, t, values)
    return body.Entry(device, body.LINK_MQTT, received_ms, t, dated, raw)


def series_of(folder: Path, reports):
    """Write (device, boot, seq, t, values of a beacon record) as the gateway would.

    Returns the store's address.
    """
    writer = SQLiteWriter(folder)
    writer.write(
        [row(device, seq, t, values, boot=boot) for device, boot, seq, t, values in reports]
    )
    return writer.address


def delivery(entries=(), states=(), counters=None, gateway="gw-1"):
    """Return the bytes of a delivery."""
    return body.encode(body.Body(gateway, list(entries), list(states), counters or {}))


class Client:
    """What can be asked of a centre at `url`."""

    url = ""

    @property
    def address(self):
        """Its (host, port)."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def get(self, path):
        """GET a path; return the JSON."""
        status, answer = self.request("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def request(self, method, path, data=None, headers=None):
        """Ask; return (status, JSON or text)."""
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers=headers or {}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                status, raw = response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                status, raw = error.code, error.read()
        try:
            return status, json.loads(raw)
        except ValueError:
            return status, raw.decode("utf-8", "replace")

    def ingest(self, entries=(), states=(), counters=None, gateway="gw-1"):
        """Deliver; return what the centre answers."""
        status, answer = self.post(delivery(entries, states, counters, gateway))
        assert status == 200, (status, answer)
        return answer

    def post(self, raw, token=TOKEN):
        """POST raw bytes to /api/ingest; return (status, JSON)."""
        headers = {"Content-Type": "application/cbor", "Authorization": f"Bearer {token}"}
        return self.request("POST", "/api/ingest", raw, headers)

    def asset(self, asset):
        """Return an asset's summary out of the list."""
        return next(a for a in self.get("/api/assets") if a["id"] == asset)

    def stream(self, last_event_id=None):
        """Open the event stream."""
        return Stream(*self.address, last_event_id)


def files(folder, *, registry=REGISTRY, config="", port=0):
    """Write a centre's files; return the configuration's path. Port 0 is any free one."""
    (folder / "registry.toml").write_text(registry, "utf-8")
    path = folder / "centre.toml"
    text = f'registry = "registry.toml"\ndata = "data"\n{config}\n[listen]\nport = {port}\n'
    path.write_text(text, "utf-8")
    return path


class CentreProcess(Client):
    """A centre process. `folder` holds its files, and may be used again by another one."""

    def __init__(self, folder: Path, **given):
        self.config = files(folder, **given)
        self.log = folder / "centre.log"
        self.process = None

    def __enter__(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, "--config", str(self.config)],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "FAIRWAY_INGEST_TOKEN": TOKEN},
                text=True,
            )
        line = _line_within(self.process.stdout, START_S)
        if not line.startswith("centre: http://"):
            self.stop()
            raise RuntimeError(
                f"the centre did not start: {line!r}\n{self.log.read_text('utf-8')}"
            )
        self.url = line.removeprefix("centre: ").strip().rstrip("/")
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Stop it as a supervisor would; return its exit code and how long it took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process.stdout.close()
        return code, time.monotonic() - began

    def kill(self):
        """Kill it as a power cut would."""
        self.process.kill()
        self.process.wait()


class LocalCentre(Client):
    """A centre in a thread of this process: the same application, started ten times faster."""

    def __init__(self, folder: Path, **given):
        self.config = files(folder, **given)

    def __enter__(self):
        loaded = config.load(self.config, {"FAIRWAY_INGEST_TOKEN": TOKEN})
        self.centre = centre.Centre.open(loaded)
        settings = uvicorn.Config(
            create_app(self.centre), log_config=None, timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(settings)
        listening = socket.create_server(("127.0.0.1", 0))
        # Small, so that a stream nobody reads is full after seconds and not minutes.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._serve, args=(listening,), daemon=True)
        self.thread.start()
        until = time.monotonic() + START_S
        while not self.server.started and time.monotonic() < until:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.centre.hub.end)
        self.server.should_exit = True
        self.thread.join(10)

    def _serve(self, listening):
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self.server.serve(sockets=[listening]))


class Stream:
    """A stream of server-sent events, read one by one."""

    def __init__(self, host, port, last_event_id=None):
        self.connection = HTTPConnection(host, port, timeout=15)
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        self.connection.request("GET", "/api/stream", headers=headers)
        self.response = self.connection.getresponse()
        self.last_id = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close it."""
        self.response.close()
        self.connection.close()

    def next(self, *, ticks=False):
        """Return the next event as (kind, data); None at the end. Ticks are left out."""
        kind, data = None, ""
        while line := self.response.readline().decode().rstrip("\n") + "\n":
            line = line.rstrip("\n")
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: "):
                data += line[6:]
            elif line.startswith("id: "):
                self.last_id = line[4:]
            elif not line and kind:
                if kind != "tick" or ticks:
                    return kind, json.loads(data)
                kind, data = None, ""
            elif not line and self.response.isclosed():
                return None
        return None

    def until(self, kind, found):
        """Return the first event of a kind for which `found(data)` is true."""
        while event := self.next():
            if event[0] == kind and found(event[1]):
                return event[1]
        raise AssertionError(f"the stream ended without {kind}")


def _line_within(stream, seconds):
    """Return a stream's first line, or what there is after some seconds."""
    lines = []
    reader = threading.Thread(target=lambda: lines.append(stream.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    return lines[0] if lines else ""

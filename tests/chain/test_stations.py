"""A gateway with a station and terminals of another make, killed at random: once each, into the series."""

import random
import socket
import sqlite3
import threading
import time

import pytest

from agent.wire.series import EPOCH_2020
from tests.chain import stores
from tests.chain.processes import (
    GATEWAY_ENV,
    free_port,
    gateway_command,
    gateway_config,
    listens,
    process,
    wait_for,
)
from tests.gateway.jt808_terminal import Terminal, location, messages
from tests.gateway.test_station import ZENI, ship

INPUTS = """
[[station]]
id = "vts-east"
address = "tcp://127.0.0.1:{station}"
report_s = 10
[[aid]]
mmsi = 994131405
device = "c1-ais"
[[adapter]]
id = "buoys"
protocol = "jt808"
listen = "tcp://127.0.0.1:{adapter}"
[adapter.terminals]
"""


class Buoy(threading.Thread):
    """A terminal that reports `count` times, and each time again until it is answered."""

    def __init__(self, n, port, count):
        super().__init__(daemon=True)
        self.terminal = Terminal(f"1380013{n:04d}", newer=n % 2 == 1)
        self.made = [n * 1_000_000 + k for k in range(1, count + 1)]
        self.resent = 0
        self._port = port

    def run(self):
        begin = int(time.time()) - EPOCH_2020 - 86_400
        frames = {}
        for k, lat in enumerate(self.made):
            serial = self.terminal.serial
            frames[serial] = self.terminal.send(0x0200, location(lat=lat, t=begin + k))
        while frames:
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=5) as link:
                    link.settimeout(2)
                    while frames:
                        some = list(frames)[:5]
                        link.sendall(b"".join(frames[serial] for serial in some))
                        data = b""
                        while data.count(b"\x7e") < 2 * len(some):
                            got = link.recv(4096)
                            if not got:
                                raise ConnectionResetError
                            data += got
                        for _, _, _, body in messages(data):
                            assert body[4] == 0
                            frames.pop(int.from_bytes(body[:2], "big"), None)
                        time.sleep(0.01)
            except OSError:
                self.resent += 1
                time.sleep(0.1)


class Mast(threading.Thread):
    """A station's TCP side: every ship once, and one aid every time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(0.2)
        self.port = self.server.getsockname()[1]
        self.sent = 0
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                link, _ = self.server.accept()
            except TimeoutError:
                continue
            with link:
                try:
                    link.sendall(ZENI + b"\r\n")
                    while not self.stopping.wait(0.005):
                        link.sendall(ship(1000 + self.sent) + b"\r\n")
                        self.sent += 1
                except OSError:
                    continue
        self.server.close()


@pytest.mark.parametrize(
    ("kills", "buoys", "reports"), [(2, 4, 60), pytest.param(25, 20, 400, marks=pytest.mark.prove)]
)
def test_killed_at_random_moments(tmp_path, kills, buoys, reports):
    rng = random.Random(7)
    mast, port = Mast(), free_port()
    config = gateway_config(tmp_path, free_port(), "sqlite:series")
    with config.open("a") as out:
        out.write(INPUTS.format(station=mast.port, adapter=port))
        out.writelines(f'1380013{n:04d} = "buoy-{n}"\n' for n in range(buoys))
    fleet = [Buoy(n, port, reports) for n in range(buoys)]
    with process(gateway_command(config), tmp_path / "gateway.log", GATEWAY_ENV) as gateway:
        mast.start()
        for buoy in fleet:
            buoy.start()
        for _ in range(kills):
            wait_for("the adapter", lambda: listens(port))
            time.sleep(rng.uniform(0.05, 0.6))
            gateway.kill()
            gateway.start()
        for buoy in fleet:
            buoy.join(120)
            assert not buoy.is_alive()
        mast.stopping.set()
        mast.join()

        def stored():
            return sum(stores.sqlite_series(tmp_path / "gateway" / "series").values())

        wait_for("the series", lambda: stored() >= 2 * buoys * reports)
        wait_for("the gateway that was started last", lambda: listens(port))
        assert gateway.stop() == 0
    found = stores.sqlite_series(tmp_path / "gateway" / "series")
    assert set(found.values()) == {1}
    places = []
    for month in (tmp_path / "gateway" / "series").glob("*.sqlite"):
        db = sqlite3.connect(f"file:{month}?mode=ro", uri=True)
        query = "SELECT lat_e6 FROM beacon JOIN devices USING (dev) WHERE name LIKE 'buoy-%'"
        places += [lat for (lat,) in db.execute(query)]
        db.close()
    assert sorted(places) == sorted(lat for buoy in fleet for lat in buoy.made)
    assert any(key[0] == "c1-ais" for key in found)
    resent = sum(buoy.resent for buoy in fleet)
    print(
        f"{kills} kills, {len(places)} reports of {buoys} terminals, {resent} connections lost, each once"
    )
    assert resent > 0

"""Real processes for the chain's tests: started on free ports, always ended."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from simulators.site import brokers
from tests.peers import need

PASSWORDS = {"gateway": "gateway-secret"}
TOKEN = "a-token-for-the-tests"


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what: str, ready: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Wait until `ready()` is true; fail with `what` after a while."""
    end = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Return whether somebody accepts connections there."""
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def get(url: str) -> bytes:
    """Return what a page says."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


class Process:
    """A child with its output in a file; `kill` is SIGKILL, `stop` asks first."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.command = command
        self.log = log
        self._env = os.environ | (env or {})
        self._child: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, again if it was killed."""
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(
                self.command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=self._env
            )

    def kill(self) -> None:
        """Kill it with SIGKILL, as a power cut would."""
        self._child.send_signal(signal.SIGKILL)
        self._child.wait()

    def stop(self) -> int:
        """Ask it to end and return its code; kill it if it does not."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._child.returncode

    @property
    def running(self) -> bool:
        return self._child.poll() is None


@contextmanager
def process(command: list[str], log: Path, env: dict[str, str] | None = None) -> Iterator[Process]:
    """Run a child while the block runs."""
    child = Process(command, log, env)
    try:
        yield child
    finally:
        child.stop()


@contextmanager
def broker(kind: str, folder: Path, devices: list[str]) -> Iterator[tuple[int, Process]]:
    """Run a broker with the site's rules; a device's password is its name, turned round."""
    if kind == "mosquitto":
        need("mosquitto")
    port = free_port()
    users = PASSWORDS | {device: device[::-1] for device in devices}
    prepared = brokers.prepare(folder / "broker", kind, port, users)
    with process(prepared.command, folder / f"{kind}.log") as child:
        wait_for(kind, lambda: listens(port))
        yield port, child


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[tuple[str, Process]]:
    """Run a VictoriaMetrics as the gateway wants it."""
    port = free_port()
    command = [
        need("victoria-metrics"),
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder / 'victoria'}",
        "-retentionPeriod=10y",
        "-dedup.minScrapeInterval=1ms",
        "-search.maxUniqueTimeseries=1000000",
    ]
    with process(command, folder / "victoria.log") as child:
        wait_for("victoria-metrics", lambda: listens(port))
        yield f"http://127.0.0.1:{port}", child


def gateway_config(folder: Path, port: int, series: str, centre: str = "") -> Path:
    """Write a gateway's configuration."""
    path = folder / "gateway.toml"
    path.write_text(
        f"""
data = "gateway"
[broker]
port = {port}
[series]
url = "{series}"
[centre]
{f'url = "{centre}"' if centre else ""}
[operation]
listen = ""
"""
    )
    return path


GATEWAY_ENV = {
    "FAIRWAY_BROKER_PASSWORD": PASSWORDS["gateway"],
    "FAIRWAY_INGEST_TOKEN": TOKEN,
}


def gateway_command(config: Path) -> list[str]:
    """Return how to run a gateway."""
    return [sys.executable, "-m", "toolkit", "gateway", "--config", str(config)]


REGISTRY = """
[[navaid]]
id = "a1"
name = { zh = "一号", en = "One" }
kind = "port"
floating = true
[[navaid.station]]
from = 2026-01-01T00:00:00+08:00
lat = 31.1
lon = 122.2
light = "Fl R 4s"
notice = "1"
"""


@contextmanager
def centre(folder: Path, series: str, registry: str = REGISTRY) -> Iterator[tuple[str, Process]]:
    """Run a monitoring centre."""
    port = free_port()
    (folder / "registry.toml").write_text(registry, "utf-8")
    config = folder / "centre.toml"
    config.write_text(
        f'registry = "registry.toml"\nseries = "{series}"\n[listen]\nport = {port}\n', "utf-8"
    )
    command = [sys.executable, "-m", "toolkit", "centre", "--config", str(config)]
    command += ["--data", str(folder / "centre")]
    with process(command, folder / "centre.log", {"FAIRWAY_INGEST_TOKEN": TOKEN}) as child:
        wait_for("the centre", lambda: listens(port))
        yield f"http://127.0.0.1:{port}", child

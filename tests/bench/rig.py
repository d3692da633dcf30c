"""What every benchmark of the gateway and its peers runs in: broker, store, load, and the counting."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from agent.wire import schema
from simulators.site import brokers
from tests.bench import load, peer, proc
from tests.chain.processes import PASSWORDS, Process, free_port, get, listens, process, wait_for
from tests.peers import need

# What a beacon is in a time series: its nine fields, boot and seq.
VALUES: Final = len(schema.SCHEMAS[schema.BEACON][3]) + 2
_SUBSCRIBED_S = 0.5

Found = dict[str, list[int]]  # the seqs of each device that a consumer has


@contextmanager
def broker(folder: Path) -> Iterator[tuple[int, Process]]:
    """Run mosquitto with the site's settings and rules, where the load may write as any device."""
    need("mosquitto")
    port = free_port()
    names = [*load.users(), peer.NAME]
    prepared = brokers.prepare(
        folder / "broker", "mosquitto", port, PASSWORDS | {name: name[::-1] for name in names}
    )
    with (folder / "broker" / "rules").open("a", encoding="utf-8") as rules:
        rules.writelines(f"\nuser {name}\ntopic readwrite fw/1/#\n" for name in names)
    with process(prepared.command, folder / "broker.log") as child:
        wait_for("mosquitto", lambda: listens(port))
        yield port, child


def connected(folder: Path, user: str, times: int) -> None:
    """Wait until a user has connected so often; its subscription follows at once."""
    mark = f"u'{user}'"
    log = folder / "broker.log"
    wait_for(f"{user} at the broker", lambda: log.read_text("utf-8").count(mark) >= times, 60)
    time.sleep(_SUBSCRIBED_S)


def pid(child: Process) -> int:
    """Return a child's process id."""
    return child._child.pid


def kill(child: Process) -> None:
    """Kill a process and all its children with SIGKILL, as a power cut would."""
    for one in proc.family(pid(child))[1:]:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    child.kill()


class Load:
    """The load generator: prepared when it is made, sending after `go`."""

    def __init__(self, port: int, *words: str) -> None:
        command = [sys.executable, "-m", "tests.bench.load", str(port), *words]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._child.stdout.readline() != "ready\n":
            raise RuntimeError("the load generator did not start")

    def go(self) -> None:
        """Let it send."""
        self._child.stdin.write("\n")
        self._child.stdin.flush()

    @property
    def running(self) -> bool:
        """Whether it is still at it."""
        return self._child.poll() is None

    def result(self) -> dict[str, float]:
        """Wait for its end; return what `load.run` does."""
        said, _ = self._child.communicate()
        if self._child.returncode:
            raise RuntimeError("the load generator failed")
        return json.loads(said)

    def end(self) -> None:
        """End it if it still runs."""
        if self.running:
            self._child.kill()
        self._child.communicate()


@contextmanager
def prepared(port: int, *words: str) -> Iterator[Load]:
    """Prepare a load; end it with the block."""
    one = Load(port, *words)
    try:
        yield one
    finally:
        one.end()


def victoria_rows(url: str) -> int:
    """Return how many values VictoriaMetrics has accepted since its start, repeats included."""
    page = get(f"{url}/metrics").decode()
    lines = [line for line in page.splitlines() if line.startswith("vm_rows_inserted_total{")]
    return sum(int(float(line.split()[-1])) for line in lines if 'type="influx"' in line)


def sqlite_rows(folder: Path) -> int:
    """Return how many beacons lie in the months of a SQLite series."""
    total = 0
    for path in folder.glob("*.sqlite"):
        with (
            # It is being made at this moment.
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db,
        ):
            total += db.execute("SELECT count(*) FROM beacon").fetchone()[0]
    return total


def victoria_found(url: str, devices: int) -> Found:
    """Return what VictoriaMetrics has, by the points of beacon_seq."""
    get(f"{url}/internal/force_flush")
    found: Found = {}
    for n in range(devices):
        name = load.device(n)
        match = urllib.parse.quote(f'beacon_seq{{device="{name}"}}')
        for line in get(f"{url}/api/v1/export?match[]={match}").splitlines():
            found.setdefault(name, []).extend(int(value) for value in json.loads(line)["values"])
    return found


def tally(found: Found, devices: int, records: int) -> tuple[int, int]:
    """Return (lost, doubled) of what was sent: `records` in all, each device's from seq 0 on."""
    each, more = divmod(records, devices)
    if more:
        raise ValueError(
            f"{records} records are not the same number for each of {devices} devices"
        )
    lost = doubled = 0
    for n in range(devices):
        seqs = found.get(load.device(n), [])
        there = {seq for seq in seqs if 0 <= seq < each}
        lost += each - len(there)
        doubled += len(seqs) - len(there)
    return lost, doubled

"""The gateway beside what people use: the same stream, broker and session, counted in the same way.

Every peer has a persistent session under a fixed client id and subscribes with QoS 1. What it wrote
is counted by identity: in VictoriaMetrics by export, in files line by line. A record is lost when it
was published and acknowledged by the broker, and is not there at the end.
"""

import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cbor2
import influxdb_client
import paho.mqtt

from tests.bench import load, peer_node_red, proc, rig
from tests.bench.peer import FILTER, NAME
from tests.bench.rows import median, row
from tests.chain.processes import (
    GATEWAY_ENV,
    Process,
    gateway_command,
    gateway_config,
    process,
    victoria_metrics,
)

_PYTHON: Final = [sys.executable, "-m"]
_RUNS = 3
_MESSAGES = 60_000
_STALLED_S = 15.0  # quiet and without anything new: what is not there by now will not come
_BUSY_S = 0.1  # CPU time in a second or so
_DEVICES = load.CONNECTIONS
_LOSS_RATE = 2_000
_LOSS_MESSAGES = 30_000
_KILLS = 3
_ALIVE_S = 2.0  # from its connection to a kill
_DEAD_S = 1.0  # from a kill to the next start


@dataclass(frozen=True)
class Peer:
    """One way to consume the stream."""

    name: str
    user: str  # as the broker knows it
    command: Callable[[Path, int, str], list[str]]  # folder, broker's port, store's URL
    found: Callable[[Path, str], rig.Found]  # folder, store's URL
    count: Callable[[Path, str], int]  # how many records are there, cheaply; repeats may count
    missing: Callable[[], str] = lambda: ""


def _grouped(pairs: Iterable[tuple[str, int]]) -> rig.Found:
    found: rig.Found = {}
    for name, seq in pairs:
        found.setdefault(name, []).append(seq)
    return found


def _file(folder: Path, _url: str) -> rig.Found:
    """Return what peer_paho wrote."""
    lines = (folder / "out").read_text("ascii").splitlines()
    return _grouped((name, int(seq)) for name, seq in (line.split() for line in lines))


def _file_size(folder: Path, _url: str) -> int:
    path = folder / "out"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _received(folder: Path, _url: str) -> rig.Found:
    """Return what mosquitto_sub printed: topic and payload in hexadecimal."""
    pairs = []
    for line in (folder / "peer.log").read_text("ascii").splitlines():
        topic, _, payload = line.partition(" ")
        with suppress(IndexError, ValueError, cbor2.CBORDecodeError):  # half a line, cut by a kill
            pairs.append((topic.split("/")[3], cbor2.loads(bytes.fromhex(payload))[2]))
    return _grouped(pairs)


def _received_size(folder: Path, _url: str) -> int:
    return (folder / "peer.log").read_bytes().count(b"\n")


def _table(folder: Path, _url: str) -> rig.Found:
    db = sqlite3.connect(f"file:{folder / 'peer.sqlite'}?mode=ro", uri=True)
    found = _grouped(db.execute("SELECT device, seq FROM beacon"))
    db.close()
    return found


def _table_size(folder: Path, _url: str) -> int:
    if not (folder / "peer.sqlite").exists():
        return 0
    db = sqlite3.connect(f"file:{folder / 'peer.sqlite'}?mode=ro", uri=True, timeout=10)
    try:
        (count,) = db.execute("SELECT count(*) FROM beacon").fetchone()
    except sqlite3.OperationalError:
        count = 0  # not made yet
    db.close()
    return int(count)


def _victoria(_folder: Path, url: str) -> rig.Found:
    return rig.victoria_found(url, _DEVICES)


def _victoria_size(_folder: Path, url: str) -> int:
    return rig.victoria_rows(url) // rig.VALUES


def _gateway(folder: Path, port: int, url: str) -> list[str]:
    return gateway_command(gateway_config(folder, port, url))


def _again(folder: Path) -> int:
    """Return how many records came to the gateway a second time, by its own word."""
    command = [
        *_PYTHON,
        "toolkit",
        "gateway",
        "accounts",
        "--config",
        str(folder / "gateway.toml"),
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"^duplicates: (\d+)$", said, re.MULTILINE)
    return int(found[1]) if found else 0


def _mosquitto_sub(_folder: Path, port: int, _url: str) -> list[str]:
    words = f"mosquitto_sub -p {port} -u peer -P reep -i peer -c -q 1 -t {FILTER} -F"
    return [*words.split(), "%t %x"]


PEERS: Final = (
    Peer("Fairway's gateway, into VictoriaMetrics", "gateway", _gateway, _victoria, _victoria_size),
    Peer("mosquitto_sub, into a file", NAME, _mosquitto_sub, _received, _received_size),
    Peer(
        f"paho {paho.mqtt.__version__}, bare, into a file",
        NAME,
        lambda folder, port, _: [*_PYTHON, "tests.bench.peer_paho", str(port), f"{folder}/out"],
        _file,
        _file_size,
    ),
    Peer(
        "paho, SQLite commit, manual ack",
        NAME,
        lambda folder, port, _: [
            *(*_PYTHON, "tests.bench.peer_sqlite"), str(port), f"{folder}/peer.sqlite",
        ],
        _table,
        _table_size,
    ),
    Peer(
        f"paho + influxdb-client {influxdb_client.__version__} batching",
        NAME,
        lambda _, port, url: [*_PYTHON, "tests.bench.peer_influx", str(port), url],
        _victoria,
        _victoria_size,
    ),
    Peer(
        f"Node-RED {peer_node_red.VERSION}",
        NAME,
        peer_node_red.command,
        _victoria,
        _victoria_size,
        peer_node_red.install,
    ),
)  # fmt: skip


@contextmanager
def _place(peer: Peer) -> Iterator[tuple[Path, int, str, Process, Process, Process]]:
    """Run broker, store and peer: (folder, port, url, broker, store, peer's process)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with rig.broker(folder) as (port, broker), victoria_metrics(folder) as (url, store):
            command = peer.command(folder, port, url)
            with process(command, folder / "peer.log", GATEWAY_ENV) as child:
                rig.connected(folder, peer.user, 1)
                yield folder, port, url, broker, store, child


def _settled(peer: Peer, folder: Path, url: str, wanted: int, pid: int) -> float:
    """Wait until everything is there, or nothing new comes from a consumer that does nothing.

    Returns:
        When the last one was seen (monotonic, in seconds).
    """
    seen, at_s = -1, time.monotonic()
    cpu_s, looked_s, quiet_s = proc.cpu_s(pid), at_s, at_s
    while time.monotonic() - quiet_s < _STALLED_S:
        now = peer.count(folder, url)
        if now != seen:
            seen, at_s = now, time.monotonic()
            quiet_s = at_s
        if seen >= wanted:
            break
        if time.monotonic() - looked_s > 1:
            spent_s = proc.cpu_s(pid) - cpu_s
            cpu_s, looked_s = cpu_s + spent_s, time.monotonic()
            if spent_s > _BUSY_S:  # it works on what it holds, as Node-RED does
                quiet_s = looked_s
        time.sleep(0.1)
    return at_s


def _rate(peer: Peer) -> dict[str, float]:
    """Let a peer take the stream as fast as it can."""
    with _place(peer) as (folder, port, url, broker, store, child):
        words = ("--messages", str(_MESSAGES), "--no-acks")
        with rig.prepared(port, *words) as stream:
            pids = {"peer": rig.pid(child), "broker": rig.pid(broker), "store": rig.pid(store)}
            before = {name: proc.cpu_s(pid) for name, pid in pids.items()}
            stream.go()
            sent = stream.result()
            at = _settled(peer, folder, url, _MESSAGES, rig.pid(child))
            out = {
                f"cpu_{name}": (proc.cpu_s(pid) - before[name]) / _MESSAGES * 1e6
                for name, pid in pids.items()
            }
            out["rate"] = _MESSAGES / (at - sent["began_ns"] / 1e9)
            out["peak_mb"] = proc.memory_mb(rig.pid(child), "VmHWM")
        child.stop()
        out["lost"], out["doubled"] = rig.tally(peer.found(folder, url), _DEVICES, _MESSAGES)
    return out


def _loss(peer: Peer) -> tuple[int, int, int]:
    """Kill a peer in mid-stream, again and again, and start it again.

    Returns:
        How many records were lost, how many doubled, and, of the gateway, how many came twice.
    """
    with _place(peer) as (folder, port, url, _, _, child):
        words = ("--messages", str(_LOSS_MESSAGES), "--rate", str(_LOSS_RATE), "--no-acks")
        with rig.prepared(port, *words) as stream:
            stream.go()
            for n in range(_KILLS):
                time.sleep(_ALIVE_S)
                rig.kill(child)
                time.sleep(_DEAD_S)
                child.start()
                rig.connected(folder, peer.user, n + 2)
            stream.result()
        _settled(peer, folder, url, _LOSS_MESSAGES, rig.pid(child))
        child.stop()
        lost, doubled = rig.tally(peer.found(folder, url), _DEVICES, _LOSS_MESSAGES)
        return lost, doubled, 0 if peer.user == NAME else _again(folder)


def rates() -> list[dict[str, object]]:
    """the same stream (one record a message, QoS 1) through the gateway and its peers, one by one."""
    rows = []
    for peer in PEERS:
        if wrong := peer.missing():
            rows.append(row(f"{peer.name}: not installed ({wrong})", 0, ""))
            continue
        runs = [_rate(peer) for _ in range(_RUNS)]
        rows.append(median(peer.name, [run["rate"] for run in runs], "messages/s"))
        for what, unit in (("cpu_peer", "µs CPU"), ("cpu_broker", "µs CPU"), ("peak_mb", "MB")):
            words = {
                "cpu_peer": "its CPU a record",
                "cpu_broker": "the broker's",
                "peak_mb": "memory",
            }
            rows.append(median(f"  {words[what]}", [round(run[what], 1) for run in runs], unit))
        lost = sum(run["lost"] + run["doubled"] for run in runs)
        rows.append(row("  lost and doubled in these runs, nobody killed", lost, "records"))
    return rows


def loss() -> list[dict[str, object]]:
    """30,000 messages at 2,000/s; the consumer is killed three times (kill -9) and started again."""
    rows = []
    for peer in PEERS:
        if wrong := peer.missing():
            rows.append(row(f"{peer.name}: not installed ({wrong})", 0, ""))
            continue
        lost, doubled, again = _loss(peer)
        ours = peer.user != NAME
        rows.append(row(f"{peer.name}: lost", lost, "records", "0" if ours else ""))
        rows.append(row("  doubled", doubled, "records", "0" if ours else ""))
        if ours:
            rows.append(row("  came twice and were told apart", again, "records"))
    return rows

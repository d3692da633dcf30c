"""The gateway's rates and costs, with real mosquitto and stores, everything on this machine together."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agent.wire import decode, schema
from agent.wire.vectors import written_record
from tests.bench import load, proc, rig
from tests.bench.rows import median, row
from tests.chain.processes import (
    GATEWAY_ENV,
    Process,
    gateway_command,
    gateway_config,
    process,
    victoria_metrics,
)
from tests.chain.stores import sqlite_series

USER: Final = "gateway"
SERIES: Final = "series"
_RUNS = 3
_SETTLE_S = 4.0  # for the sinks, which start after the gateway and look at a new store
_LAST_S = 300.0  # for the last record to come into the store
# (records a message, messages, devices, store, budget to the acknowledgement, to the store)
_CASES: Final = (
    (1, 120_000, load.CONNECTIONS, "VictoriaMetrics", ">= 20,000", ""),
    (1, 120_000, load.CONNECTIONS, "SQLite", ">= 20,000", ""),
    (1, 120_000, 1_000, "VictoriaMetrics", "", ""),
    (20, 15_000, load.CONNECTIONS, "VictoriaMetrics", "", ">= 60,000"),
    (20, 15_000, load.CONNECTIONS, "SQLite", "", ""),
)


def decoding() -> list[dict[str, object]]:
    """records decoded and checked by one Python process."""
    values = [0xFFFF, 31000000, -122000000, 12, 3000, 12000, -3000, 18000, -200]
    record = written_record(schema.BEACON, values)
    rows = []
    for n in (1, 20):
        payload = record * n
        rates = []
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(20000 // n):
                for item in decode.sequence(payload):
                    decode.check(item)
            rates.append(20000 / (time.perf_counter() - start))
        rows.append(median(f"{n} a payload", rates, "records/s"))
    return rows


class Place:
    """A gateway with its broker and store, running."""

    def __init__(
        self, folder: Path, port: int, broker: Process, gateway: Process, store: Process | None
    ) -> None:
        self.folder = folder
        self.port = port
        self.url = ""
        self.pids = {"gateway": rig.pid(gateway), "broker": rig.pid(broker)}
        self.gateway = gateway
        if store is not None:
            self.pids["store"] = rig.pid(store)

    def tail(self) -> str:
        """Return the end of what the gateway said."""
        return (self.folder / "gateway.log").read_text("utf-8")[-500:]

    def count(self) -> int:
        """Return how many records the store has, without asking it for them."""
        if self.url:
            return rig.victoria_rows(self.url) // rig.VALUES
        return rig.sqlite_rows(self.folder / "gateway" / SERIES)

    def found(self, devices: int) -> rig.Found:
        """Return the records in the store."""
        if self.url:
            return rig.victoria_found(self.url, devices)
        out: rig.Found = {}
        for (name, _, seq), times in sqlite_series(self.folder / "gateway" / SERIES).items():
            out.setdefault(name, []).extend([seq] * times)
        return out

    def wait(self, records: int) -> float:
        """Wait until the store has so many; return when (monotonic, in seconds)."""
        end = time.monotonic() + _LAST_S
        while (there := self.count()) < records:
            if time.monotonic() > end:
                raise RuntimeError(f"{there} of {records} in the store: {self.tail()}")
            time.sleep(0.1)
        return time.monotonic()


@contextmanager
def running(store: str) -> Iterator[Place]:
    """Run broker, store and gateway."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with rig.broker(folder) as (port, broker):
            if store == "SQLite":
                with _gateway(folder, port, f"sqlite:{SERIES}") as gateway:
                    yield Place(folder, port, broker, gateway, None)
                return
            with (
                victoria_metrics(folder) as (url, victoria),
                _gateway(folder, port, url) as gateway,
            ):
                place = Place(folder, port, broker, gateway, victoria)
                place.url = url
                yield place


@contextmanager
def _gateway(folder: Path, port: int, series: str) -> Iterator[Process]:
    config = gateway_config(folder, port, series)
    with process(gateway_command(config), folder / "gateway.log", GATEWAY_ENV) as gateway:
        rig.connected(folder, USER, 1)
        time.sleep(_SETTLE_S)
        yield gateway


def measure(per: int, count: int, devices: int, store: str) -> dict[str, float]:
    """Run a load through a gateway once.

    Returns:
        Records a second until the last was `acked` by the gateway and until the last was `stored`,
        CPU microseconds a record of each process (`cpu_gateway` with its children, `cpu_core`
        without), `peak_mb` of the gateway, and how many records were `lost` and `doubled` in the store.
    """
    records = count * per
    words = ("--messages", str(count), "--records", str(per), "--devices", str(devices))
    with running(store) as place, rig.prepared(place.port, *words) as stream:
        before = {name: proc.cpu_s(pid) for name, pid in place.pids.items()}
        core_s = proc.cpu_s(place.pids["gateway"], alone=True)
        stream.go()
        sent = stream.result()
        stored_s = place.wait(records)
        began_s = sent["began_ns"] / 1e9
        out = {
            f"cpu_{name}": (proc.cpu_s(pid) - before[name]) / records * 1e6
            for name, pid in place.pids.items()
        }
        core_s = proc.cpu_s(place.pids["gateway"], alone=True) - core_s
        out["cpu_core"] = core_s / records * 1e6
        out["cpu_load"] = sent["cpu_s"] / records * 1e6
        out["published"] = records / (sent["published_ns"] / 1e9 - began_s)
        out["acked"] = records / (sent["acked_ns"] / 1e9 - began_s)
        out["stored"] = records / (stored_s - began_s)
        out["peak_mb"] = proc.memory_mb(place.pids["gateway"], "VmHWM")
        out["unacknowledged"] = records - sent["acked"]
        place.gateway.stop()
        out["lost"], out["doubled"] = rig.tally(place.found(devices), devices, records)
    return out


def throughput() -> list[dict[str, object]]:
    """QoS 1, durable commit before acknowledgement; broker, load, gateway and store share the cores."""
    rows = []
    for per, count, devices, store, to_ack, to_store in _CASES:
        runs = [measure(per, count, devices, store) for _ in range(_RUNS)]
        unit = "messages/s" if per == 1 else "records/s"
        title = f"{per} a message, {devices:,} devices, {store}"
        rows += [
            median(f"{title}: acknowledged", [run["acked"] for run in runs], unit, to_ack),
            median("  in the store", [run["stored"] for run in runs], unit, to_store),
        ]
        for what, words in (
            ("cpu_gateway", "the gateway's CPU a record"),
            ("cpu_core", "  of it, to take in and commit"),
            ("cpu_broker", "the broker's"),
            ("cpu_load", "the load's"),
            ("cpu_store", "the store's"),
        ):
            if what in runs[0]:
                rows.append(median(f"  {words}", [round(run[what], 2) for run in runs], "µs"))
        peak = [round(run["peak_mb"], 1) for run in runs]
        rows.append(median("  the gateway's memory at its highest", peak, "MB", "< 200"))
        wrong = sum(run["lost"] + run["doubled"] + run["unacknowledged"] for run in runs)
        rows.append(row("  lost, doubled or unacknowledged", wrong, "records", "0"))
    return rows

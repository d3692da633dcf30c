"""The gateway's memory under a steady load, for an hour when it is asked for by name."""

import os
import statistics
import sys
import time

from tests.bench import gateway, proc, rig
from tests.bench.rows import row

_RATE = 2_000
_DEVICES = 100
_HOUR_MIN = 60.0  # with `make bench ARGS=soak`
_SHORT_MIN = 1.0  # among all the others
_SAMPLE_S = 10.0


def _minutes() -> float:
    named = "soak" in sys.argv[1:]
    return float(os.environ.get("FAIRWAY_SOAK_MIN", _HOUR_MIN if named else _SHORT_MIN))


def soak() -> list[dict[str, object]]:
    """2,000 messages/s for an hour (among others: a minute; FAIRWAY_SOAK_MIN says otherwise)."""
    minutes = _minutes()
    records = int(_RATE * 60 * minutes) // _DEVICES * _DEVICES
    words = ("--messages", str(records), "--devices", str(_DEVICES), "--rate", str(_RATE))
    samples = []
    with gateway.running("VictoriaMetrics") as place, rig.prepared(place.port, *words) as stream:
        pid = place.pids["gateway"]
        before_s, began_s = proc.cpu_s(pid), time.monotonic()
        stream.go()
        while stream.running:
            samples.append(proc.memory_mb(pid))
            due_s = began_s + len(samples) * min(_SAMPLE_S, minutes * 60 / 20)
            while stream.running and time.monotonic() < due_s:
                time.sleep(0.2)
        sent = stream.result()
        place.wait(records)
        samples.append(proc.memory_mb(pid))
        cpu = (proc.cpu_s(pid) - before_s) / (time.monotonic() - began_s) * 100
        place.gateway.stop()
        lost, doubled = rig.tally(place.found(_DEVICES), _DEVICES, records)
    settled = samples[len(samples) // 10 :]  # Python and SQLite fill their caches first
    half = samples[len(samples) // 2 :]
    wrong = lost + doubled + records - sent["acked"]
    return [
        row("memory of the gateway and its children, first", round(samples[0], 1), "MB"),
        row(f"  median of {len(samples)}", round(statistics.median(settled), 1), "MB"),
        row("  growth in the second half", round(half[-1] - half[0], 1), "MB"),
        row("  highest", round(max(samples), 1), "MB", "< 200"),
        row("CPU of the gateway and its children", round(cpu, 1), "% of one"),
        row(
            "from sending to the device's acknowledgement", round(sent["latency_p50_ms"], 1), "ms"
        ),
        row("  99th percentile", round(sent["latency_p99_ms"], 1), "ms"),
        row(f"lost, doubled or unacknowledged, of {records:,}", wrong, "records", "0"),
    ]

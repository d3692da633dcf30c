"""Run every benchmark, or those whose name holds one of the words given."""

import json
import os
import platform
import sys
import traceback
from pathlib import Path

import pytest

from tests.bench import centre, device, drain, gateway, peers, scale, series, soak, uart

BENCHES = {
    "sizes": device.sizes,
    "code": device.code,
    "heap": device.heap,
    "uart": uart.uart,
    "drain": drain.drain,
    "decode": gateway.decoding,
    "gateway": gateway.throughput,
    "peers": peers.rates,
    "loss": peers.loss,
    "soak": soak.soak,
    "chart": centre.chart,
    "series": series.series,
    "victoria": scale.month,
}


def main(words: list[str]) -> int:
    results = {}
    failed = []
    for name, bench in BENCHES.items():
        if words and not any(word in name for word in words):
            continue
        print(f"\n{name}: {bench.__doc__}", flush=True)
        try:
            results[name] = rows = bench()
        except (Exception, pytest.skip.Exception) as error:  # noqa: BLE001  (the others go on)
            traceback.print_exc()
            failed.append(f"{name}: {type(error).__name__}: {error}")
            continue
        for row in rows:
            value, unit = row["value"], row["unit"]
            shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:g}"
            hold = f"   budget {row['budget']}" if "budget" in row else ""
            spread = f"   {row['spread']}" if "spread" in row else ""
            print(f"  {row['what']:58} {shown:>12} {unit:10}{hold}{spread}", flush=True)
    out = Path("build/bench.json")
    out.parent.mkdir(exist_ok=True)
    machine = {"cpus": os.cpu_count(), "python": platform.python_version()}
    out.write_text(
        json.dumps({"machine": machine, "results": results, "failed": failed}, indent=1), "utf-8"
    )
    print(f"\nwritten to {out}")
    for line in failed:
        print(f"FAILED {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Run every benchmark, or those whose name holds one of the words given."""

import json
import os
import platform
import sys
from pathlib import Path

from tests.bench import centre, device, drain, gateway, uart

BENCHES = {
    "sizes": device.sizes,
    "code": device.code,
    "heap": device.heap,
    "uart": uart.uart,
    "drain": drain.drain,
    "decode": gateway.decoding,
    "gateway": gateway.throughput,
    "chart": centre.chart,
}


def main(words: list[str]) -> int:
    results = {}
    for name, bench in BENCHES.items():
        if words and not any(word in name for word in words):
            continue
        print(f"\n{name}: {bench.__doc__}", flush=True)
        results[name] = rows = bench()
        for row in rows:
            value, unit = row["value"], row["unit"]
            shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:g}"
            hold = f"   budget {row['budget']}" if "budget" in row else ""
            spread = f"   {row['spread']}" if "spread" in row else ""
            print(f"  {row['what']:58} {shown:>12} {unit:10}{hold}{spread}", flush=True)
    out = Path("build/bench.json")
    out.parent.mkdir(exist_ok=True)
    machine = {"cpus": os.cpu_count(), "python": platform.python_version()}
    out.write_text(json.dumps({"machine": machine, "results": results}, indent=1), "utf-8")
    print(f"\nwritten to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

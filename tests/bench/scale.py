"""What a fleet's month costs in VictoriaMetrics, and how it changes with the values: docs/scale.md."""

import json
import math
import random
import re
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from agent.wire import schema, series
from agent.wire.vectors import written_record
from tests.bench.rows import row
from tests.chain.processes import get, victoria_metrics

SEED = 20261122
AIDS, PILES = 10, 5
DAYS = 30
BEGIN_T = 212_976_000  # 2026-10-01: the store keeps a file for each month
OFTEN_S, RARELY_S = 600, 3600  # report_s and detail_s, docs/device.md
AID = (schema.BEACON,), (
    schema.GNSS, schema.RX, schema.HEALTH, schema.LIGHT, schema.STATION, schema.ENERGY, schema.MOTION,
)  # fmt: skip
PILE = (schema.METER, schema.ENERGY_COUNT, schema.SUPPLY), (schema.RX, schema.HEALTH)
_BODY = 10_000  # lines of a request
_SIZE = re.compile(r'^vm_data_size_bytes\{type="([^"]+)"\} (\S+)', re.MULTILINE)
_ROWS = re.compile(r'^vm_rows\{type="storage/[^"]+"\} (\S+)', re.MULTILINE)


class Walk:
    """One field of one device as it goes through a month: a measurement, a count, a code, a place."""

    def __init__(self, field: tuple[str, str, int, int, int], rng: random.Random) -> None:
        self.name, self._unit, _, self._low, self._high = field
        self._rng = rng
        self._span = min(self._high - self._low, 20_000)
        self._at = self._low + self._span // 3
        if self._low < 0 < self._high:
            self._at = 0
        self.place = self.name.startswith(("lat", "lon"))
        self.counts = self._unit == "count" or "wh" in self._unit.lower() or "kwh" in self.name
        self.states = self._unit in {"bits", "code"}
        if self.place:
            self._at = rng.randrange(self._low // 4, self._high // 4)

    def next(self, t: int) -> int:
        """Return the value of a moment."""
        rng = self._rng
        if self.states:
            if rng.random() < 0.01:
                self._at = min(self._high, max(self._low, self._at ^ 1 << rng.randrange(3)))
            return self._at
        if self.counts:
            self._at = min(self._high, self._at + int(rng.expovariate(0.2)))
            return self._at
        noise = 120 if self.place else max(1, self._span // 400)
        daily = 0 if self.place else math.sin(t / 86_400 * 2 * math.pi) * self._span / 20
        value = self._at + int(daily + (rng.random() + rng.random() - 1) * 2 * noise)
        return min(self._high, max(self._low, value))


class Device:
    """Makes a month of records, as lines, and counts their bytes on the wire."""

    def __init__(self, name: str, often: tuple[int, ...], rarely: tuple[int, ...]) -> None:
        rng = random.Random(f"{SEED} {name}")
        self.name = name
        self._every = dict.fromkeys(often, OFTEN_S) | dict.fromkeys(rarely, RARELY_S)
        self._walks = {
            number: [
                Walk(field, rng) for field in schema.SCHEMAS[number][3] if field[1] != "bytes"
            ]
            for number in self._every
        }
        self._late_s = rng.randrange(OFTEN_S)
        self._seq = 0

    def records(self) -> Iterator[tuple[int, int, int, list[tuple[str, int]]]]:
        """Return (schema, seq, t, fields) of each record."""
        for at in range(0, DAYS * 86_400, OFTEN_S):
            t = BEGIN_T + at + self._late_s
            for number, every_s in self._every.items():
                if at % every_s == 0:
                    self._seq += 1
                    values = [(w.name, w.next(t)) for w in self._walks[number]]
                    yield number, self._seq, t, values


def month() -> list[dict[str, object]]:
    """a month of 15 devices at the default rhythm, in VictoriaMetrics after its merges."""
    devices = [Device(f"aid-{n}", *AID) for n in range(AIDS)]
    devices += [Device(f"pile-{n}", *PILE) for n in range(PILES)]
    records = values = wire = 0
    names = set()
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder, victoria_metrics(Path(folder)) as (url, _):
        for device in devices:
            for number, seq, t, fields in device.records():
                records += 1
                values += len(fields)
                if seq % 50 == 0:
                    given = [v for _, v in fields]
                    wire += 50 * len(written_record(number, given, boot=7, seq=seq, t=t))
                name = series.measurement(schema.SCHEMAS[number])
                names |= {(device.name, name, field) for field, _ in fields}
                said = ",".join(f"{field}={value}i" for field, value in fields)
                head = f"{name},device={device.name} boot=7i,seq={seq}i,"
                lines.append(f"{head}{said} {series.point_ms(t, seq)}")
                if len(lines) == _BODY:
                    _send(url, lines)
        _send(url, lines)
        get(f"{url}/internal/force_flush")
        get(f"{url}/internal/force_merge")
        sizes, stored = _settled(url)
    data = sum(size for kind, size in sizes.items() if kind.startswith("storage"))
    index = sizes.get("indexdb", 0)
    points = values + 2 * records
    assert stored == points, f"{stored} points stored of {points}"
    return [
        row("records", records, "records"),
        row("values a record, without boot and seq", values / records, "values"),
        row("a record on the wire, mean", wire / records, "bytes"),
        row("data, by value", data / values, "bytes"),
        row("data, by point (boot and seq counted)", data / points, "bytes"),
        row("data, by record", data / records, "bytes"),
        row("index, by series (a field of a device)", index / len(names), "bytes"),
        row("data of a month, by device", data / len(devices), "bytes"),
    ]


def _send(url: str, lines: list[str]) -> None:
    body = "\n".join(lines).encode()
    lines.clear()
    urllib.request.urlopen(f"{url}/write?precision=ms", body, timeout=60).close()


def _settled(url: str) -> tuple[dict[str, float], int]:
    """Wait until the merges are over; return sizes by kind, and how many points there are."""
    before = -1.0
    while True:
        text = get(f"{url}/metrics").decode()
        sizes = {kind: float(size) for kind, size in _SIZE.findall(text)}
        if sum(sizes.values()) == before:
            rows = json.loads(get(f"{url}/api/v1/status/tsdb?topN=1"))
            assert rows["status"] == "success"
            return sizes, sum(int(float(n)) for n in _ROWS.findall(text))
        before = sum(sizes.values())
        time.sleep(3)

"""The time series: bytes a value in SQLite, and how fast lines and rows are made."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cbor2

from agent.wire import schema
from gateway.journal.reading import Row
from gateway.sinks.lines import line_of
from gateway.sinks.points import point_ms
from tests.bench.rows import median, row
from tests.series import SQLiteWriter
from tests.series import row as journal_row

_DEVICES = 100
_DAYS = 31
_EVERY_S = 600
_START_T = 217_468_800  # 2026-11-22
_MONTH_T = 215_568_000  # 2026-10-31
_RUNS = 5


def _beacon(rng: random.Random, device: int, hour: float) -> list[int | None]:
    sun = max(0.0, 1 - abs(hour - 12) / 6)
    fix = rng.random() < 0.98
    return [
        0x1F05 if sun else 0x1F07,
        31_000_000 + device * 1000 + rng.randrange(-300, 300) if fix else None,
        122_000_000 + device * 700 + rng.randrange(-300, 300) if fix else None,
        rng.randrange(6, 22) if fix else 0,
        rng.randrange(0, 20) if sun else rng.randrange(2800, 3200),
        12_000 + int(800 * sun) + rng.randrange(60),
        int(2500 * sun) - rng.randrange(300),
        int(19_000 * sun) + rng.randrange(50),
        150 + int(90 * sun) + rng.randrange(8),
    ]


def _meter(rng: random.Random, device: int, _hour: float) -> list[int | None]:
    load = 40_000 + device * 500
    amps = [load + rng.randrange(-2000, 2000) for _ in range(3)]
    volts = [2300 + rng.randrange(-25, 25) for _ in range(3)]
    power = sum(u * i // 10_000 for u, i in zip(volts, amps, strict=True))
    return [0x0F0F, *volts, *amps, power, 900 + rng.randrange(60), 4990 + rng.randrange(20), 0, 1]


def _supply(rng: random.Random, _device: int, _hour: float) -> list[int | None]:
    power = [9000 + rng.randrange(-500, 500) for _ in range(3)]
    thd = [150 + rng.randrange(60) for _ in range(3)]
    rest = [rng.randrange(20, 200), rng.randrange(50, 700), 5500 + rng.randrange(400)]
    return [*power, 3000 + rng.randrange(900), sum(power), *thd, *rest, rng.randrange(12), 312]


def _weather(rng: random.Random, _device: int, hour: float) -> list[int | None]:
    wind = rng.randrange(20, 140)
    air = 140 + int(60 * max(0.0, 1 - abs(hour - 14) / 8)) + rng.randrange(9)
    sky = [wind, rng.randrange(3600), wind + rng.randrange(60), air, rng.randrange(600, 950)]
    return [*sky, air - 30, 10_150 + rng.randrange(60), None, 165, rng.randrange(400), None, None]


_KINDS: dict[int, Callable[[random.Random, int, float], list[int | None]]] = {
    schema.BEACON: _beacon,
    schema.METER: _meter,
    schema.SUPPLY: _supply,
    schema.WEATHER: _weather,
}


def series() -> list[dict[str, object]]:
    """100 devices, a month at 10 minutes, as they report: one after the other, again and again."""
    out = []
    for kind in _KINDS:
        values = [value for record in _month(kind, 1) for value in cbor2.loads(record.raw)[4:]]
        share = sum(value is not None for value in values)
        with tempfile.TemporaryDirectory() as name:
            writer = SQLiteWriter(Path(name))
            batch: list[Row] = []
            for record in _month(kind, _DEVICES):
                batch.append(record)
                if len(batch) == writer.sink.batch:
                    writer.write(batch)
                    batch = []
            writer.write(batch)
            writer.close()
            size = sum(path.stat().st_size for path in writer.path.iterdir())
        what = f"SQLite, {schema.SCHEMAS[kind][1]}, with its rollups"
        out.append(row(what, size / (share * _DEVICES), "B/value", "<= 10"))
    out.append(_lines())
    out += _rows()
    return out


def _month(kind: int, devices: int) -> Iterator[Row]:
    rng = random.Random(20261122)
    make = _KINDS[kind]
    for n in range(_DAYS * 86_400 // _EVERY_S):
        t = _MONTH_T + n * _EVERY_S
        for device in range(devices):
            values = make(rng, device, t / 3600 % 24)
            yield journal_row(f"dev-{device}", n * 3, t + device % 7, values, kind=kind, boot=7)


def _lines() -> dict[str, object]:
    records = _burst(1, 20_000)
    rates = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        for record in records:
            line_of(record, point_ms(record))
        rates.append(len(records) / (time.perf_counter() - start))
    return median("line protocol from a beacon record's bytes", rates, "lines/s", ">= 250,000")


def _rows() -> list[dict[str, object]]:
    out = []
    for what, devices in (("4 devices at once", 4), ("1,000 devices in turn", 1000)):
        records = _burst(devices, 20_000)
        rates = []
        for _ in range(_RUNS):
            with tempfile.TemporaryDirectory() as name:
                writer = SQLiteWriter(Path(name))
                start = time.perf_counter()
                for at in range(0, len(records), writer.sink.batch):
                    writer.write(records[at : at + writer.sink.batch])
                rates.append(len(records) / (time.perf_counter() - start))
                writer.close()
        out.append(median(f"SQLite, rows with rollups, {what}", rates, "rows/s"))
    return out


def _burst(devices: int, count: int) -> list[Row]:
    rng = random.Random(1)
    return [
        journal_row(
            f"dev-{n % devices}", n, _START_T + n // devices * 10, _beacon(rng, 1, 12.0), boot=7
        )
        for n in range(count)
    ]

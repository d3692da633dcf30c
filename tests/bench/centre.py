"""The centre's chart data."""

import random
import tempfile
import time
from pathlib import Path

from agent.wire import schema, series
from cloud.registry import Span
from cloud.series.history import read_history
from cloud.series.store import open_store
from cloud.values import fields
from tests.bench.rows import median
from tests.series import SQLiteWriter
from tests.series import row as journal_row

_YEAR_S = 365 * 86400
_EVERY_S = 600
_POINTS = 1000
_LARGE = 2000  # too narrow for half days: from records


def chart() -> list[dict[str, object]]:
    """one field of one aid over a year at 10 minutes (52,560 records), boiled down."""
    row = schema.SCHEMAS[schema.BEACON]
    start_t = 180_000_000
    with tempfile.TemporaryDirectory() as folder:
        writer = SQLiteWriter(Path(folder))
        rng = random.Random(1)
        records = [
            journal_row(
                "buoy-1",
                n,
                start_t + n * _EVERY_S,
                [0x0F05, 31_000_000, 122_000_000, 12, 300, 12_000 + rng.randrange(1500), 1, 2, 3],
            )
            for n in range(_YEAR_S // _EVERY_S)
        ]
        for at in range(0, len(records), writer.sink.batch):
            writer.write(records[at : at + writer.sink.batch])
        writer.close()
        store = open_store(writer.address)
        start_ms = series.point_ms(start_t, 0)
        end_ms = start_ms + _YEAR_S * 1000
        spans = [Span("buoy-1", start_t, start_t + _YEAR_S)]
        out = []
        for key in ("beacon.batt_mv", "beacon.lit"):
            for points in (_POINTS, _LARGE):
                took = []
                for _ in range(7):
                    begin = time.perf_counter()
                    told = read_history(store, row, fields()[key], spans, start_ms, end_ms, points)
                    took.append((time.perf_counter() - begin) * 1000)
                assert points // 2 <= len(told.t) <= points
                what = f"SQLite series, {key} in {points} points"
                out.append(median(what, took, "ms", "< 100"))
    return out

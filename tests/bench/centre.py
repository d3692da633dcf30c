"""The centre's chart data."""

import sqlite3
import tempfile
import time
from pathlib import Path

from agent.wire import schema, series
from cloud.registry import Span
from cloud.series.history import read_history
from cloud.series.store import open_store
from cloud.values import fields
from tests.bench.rows import median

_YEAR_S = 365 * 86400
_EVERY_S = 600
_POINTS = 1000


def chart() -> list[dict[str, object]]:
    """one field of one aid over a year at 10 minutes (52,560 records), boiled down to 1,000 points."""
    row = schema.SCHEMAS[schema.BEACON]
    start_t = 180_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.sqlite"
        db = sqlite3.connect(path)
        for statement in series.create_table(row):
            db.execute(statement)
        columns = 'device, boot, seq, ts, dated, "batt_mv"'
        db.executemany(
            f"INSERT INTO beacon ({columns}) VALUES ('buoy-1', 1, ?, ?, 0, ?)",
            [
                (n, series.point_ms(start_t + n * _EVERY_S, n), 12000 + n % 1500)
                for n in range(_YEAR_S // _EVERY_S)
            ],
        )
        db.commit()
        db.close()
        store = open_store(f"sqlite:{path}")
        start_ms = series.point_ms(start_t, 0)
        end_ms = start_ms + _YEAR_S * 1000
        spans = [Span("buoy-1", start_t, start_t + _YEAR_S)]
        took = []
        for _ in range(7):
            begin = time.perf_counter()
            told = read_history(
                store, row, fields()["beacon.batt_mv"], spans, start_ms, end_ms, _POINTS
            )
            took.append((time.perf_counter() - begin) * 1000)
        assert len(told.t) >= _POINTS // 2
    return [median("SQLite series", took, "ms", "< 100")]

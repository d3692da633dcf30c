"""Records for the time series, written into either store by the gateway's own sinks."""

from pathlib import Path

import cbor2

from agent.wire import body, schema, series
from gateway.config import Series
from gateway.journal.reading import Row
from gateway.sinks.influx import InfluxSink
from gateway.sinks.sqlite import SQLiteSink
from tests.chain.processes import get


def row(device, seq, t, values, *, kind=schema.BEACON, boot=1, dated=0, received_ms=None):
    """Return a journal row as a sink gets it; with `dated` UNDATED, `t` says when it came."""
    undated = dated == body.UNDATED
    while values and values[-1] is None:
        values = values[:-1]
    raw = cbor2.dumps([kind, boot, seq, -1 if undated else t, *values], canonical=True)
    came_ms = series.point_ms(t, seq) if received_ms is None else received_ms
    time = None if undated else t
    return Row(1, device, boot, seq, kind, time, dated, body.LINK_MQTT, came_ms, raw, flawed=False)


class SQLiteWriter:
    """Writes into a folder of months."""

    def __init__(self, folder: Path):
        self.path = folder / "series"
        self.address = f"sqlite:{self.path}"
        self.sink = SQLiteSink(Series(self.address), folder)
        self.sink.open()

    def write(self, rows):
        self.sink.write(rows)

    def close(self):
        self.sink.close()


class VictoriaWriter:
    """Writes into a VictoriaMetrics."""

    def __init__(self, address: str, folder: Path):
        self.address = address
        self.sink = InfluxSink(Series(address), folder)
        self.sink.open()

    def write(self, rows):
        self.sink.write(rows)
        get(f"{self.address}/internal/force_flush")

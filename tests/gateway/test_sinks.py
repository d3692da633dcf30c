"""Sinks: the series file, line protocol, cursors, retries, a store that forgets."""

import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import cbor2
import pytest

from agent.wire import body, schema, series
from agent.wire.vectors import written_record
from gateway.config import Series
from gateway.journal import Row
from gateway.sinks.cursors import Cursor, Cursors
from gateway.sinks.influx import InfluxSink, line_of
from gateway.sinks.sink import Sink, SinkError
from gateway.sinks.sqlite import SQLiteSink
from tests.chain.processes import wait_for
from tests.gateway.test_accept import Gateway, record


@pytest.fixture
def gateway(tmp_path):
    return Gateway(tmp_path)


@pytest.fixture
def cursors(tmp_path):
    return Cursors(tmp_path / "cursors.sqlite")


def row(raw, time=217_400_000, dated=0, received_ms=5):
    items = cbor2.loads(raw)
    return Row(1, "buoy-1", items[1], items[2], items[0], time, dated, 1, received_ms, raw)


def run(sink, until):
    sink.start()
    try:
        wait_for("the sink", until, 10)
    finally:
        sink.stop()
        sink.join(5)


def test_the_series_file_holds_every_series_record_once(gateway, cursors, tmp_path):
    gateway.take(record(0, values=[257, 31_000_000, 122_000_000]) + record(1))
    gateway.take(record(2, schema.BIRTH, [1, 1]))
    path = tmp_path / "series.sqlite"
    for _ in range(2):  # a cursor that was lost sends everything again
        sink = SQLiteSink(path, gateway.path, cursors)
        run(sink, lambda: cursors.get("series").records == 3)
        cursors.set("series", Cursor(0, 0))
    db = sqlite3.connect(path)
    ts = series.point_ms(217_400_000, 0)
    assert db.execute(
        "SELECT device, boot, seq, ts, dated, flags, lat_e6 FROM beacon"
    ).fetchall() == [
        ("buoy-1", 7, 0, ts, 0, 257, 31_000_000),
        ("buoy-1", 7, 1, ts + 1, 0, 1, None),
    ]


def test_an_older_table_grows(gateway, cursors, tmp_path):
    path = tmp_path / "series.sqlite"
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TABLE beacon (device TEXT, boot INTEGER, seq INTEGER, ts INTEGER,"
            " dated INTEGER, flags, newer BLOB, PRIMARY KEY (device, boot, seq)) WITHOUT ROWID"
        )
    gateway.take(record(0, values=[257, 31_000_000]))
    sink = SQLiteSink(path, gateway.path, cursors)
    run(sink, lambda: cursors.get("series").records == 1)
    assert sqlite3.connect(path).execute("SELECT lat_e6 FROM beacon").fetchall() == [(31_000_000,)]


def test_invalid_and_newer_values(gateway, cursors, tmp_path):
    nine = [257, 95_000_000, 122_000_000, 1, 2, 3, 4, 5, 6]
    gateway.take(cbor2.dumps([schema.BEACON, 7, 0, 217_400_000, *nine, 77, b"new"]))
    path = tmp_path / "series.sqlite"
    run(SQLiteSink(path, gateway.path, cursors), lambda: cursors.get("series").records == 1)
    (lat, lon, newer) = (
        sqlite3.connect(path).execute("SELECT lat_e6, lon_e6, newer FROM beacon").fetchone()
    )
    assert (lat, lon, cbor2.loads(newer)) == (None, 122_000_000, [77, b"new"])


def test_line_protocol():
    line = line_of(row(written_record(schema.BEACON, [257, None, 122], boot=7, seq=1003)))
    ms = (217_400_000 + 1_577_836_800) * 1000 + 3
    assert (
        line
        == f"beacon,device=buoy-1 boot=7i,seq=1003i,dated=0i,flags=257i,lon_e6=122i {ms}".encode()
    )


def test_text_is_never_sent_as_a_number():
    raw = written_record(schema.ENERGY_COUNT, [5, None, -2, 1, 40, b"202410010001"])
    line = line_of(row(raw))
    assert line.startswith(b"energy_count,device=buoy-1 ")
    assert b"meter_id" not in line
    assert line_of(row(written_record(schema.BIRTH, [1, 1, b"0.1.0"]))) is None


def test_an_undated_point_lies_where_it_was_received():
    line = line_of(row(written_record(schema.BEACON, [1]), time=None, dated=body.UNDATED))
    assert line.endswith(b" 5")


class Flaky(Sink):
    """Refuses the first writes."""

    def __init__(self, journal, cursors, failures):
        super().__init__("flaky", journal, cursors)
        self.left = failures
        self.got = []

    def write(self, rows):
        if self.left:
            self.left -= 1
            raise SinkError("not now")
        self.got += [(r.boot, r.seq) for r in rows]


def test_a_sink_tries_again_for_ever_and_its_cursor_stays(gateway, cursors):
    gateway.take(record(0) + record(1))
    sink = Flaky(gateway.path, cursors, 3)
    run(sink, lambda: sink.got)
    assert sink.errors == 3
    assert sink.got == [(7, 0), (7, 1)]
    again = Flaky(gateway.path, cursors, 0)
    gateway.take(record(2))
    run(again, lambda: again.got)
    assert again.got == [(7, 2)]


def test_released_records_reach_a_sink_that_has_passed_them(gateway, cursors):
    gateway.take(record(0, t=-1) + record(1))
    sink = Flaky(gateway.path, cursors, 0)
    run(sink, lambda: sink.got == [(7, 1)])
    gateway.take(record(2, schema.CLOCK, [100, 1, 500]))
    sink = Flaky(gateway.path, cursors, 0)
    run(sink, lambda: len(sink.got) == 2)
    assert sink.got == [(7, 2), (7, 0)]


class Store(BaseHTTPRequestHandler):
    """A time-series store of our own: forgets on restart, refuses lines that say so."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"vm_app_start_timestamp {self.server.started}\n".encode())

    def do_POST(self):
        import gzip

        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        lines = raw.split(b"\n")
        if self.server.down:
            self.send_response(503)
        elif any(b"flags=13i" in line for line in lines):
            self.send_response(400)
        else:
            self.server.lines += lines
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture
def store():
    server = HTTPServer(("127.0.0.1", 0), Store)
    server.lines, server.down, server.started = [], False, 1
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def influx(store, gateway, cursors):
    url = f"http://127.0.0.1:{store.server_port}"
    return InfluxSink(Series(url, "o", "b", "t"), gateway.path, cursors)


def test_a_store_that_restarted_is_sent_the_last_ten_minutes_again(
    gateway, cursors, store, monkeypatch
):
    monkeypatch.setattr("gateway.sinks.influx._LOOK_S", 0.0)
    import time

    now_ms = int(time.time() * 1000)
    gateway.take(record(0), received_ms=now_ms - 700_000)
    gateway.take(record(1), received_ms=now_ms - 500_000)
    sink = influx(store, gateway, cursors)
    sink.start()
    wait_for("both", lambda: len(store.lines) == 2)
    store.started = 2
    sink.wake()
    wait_for("the later one again", lambda: len(store.lines) == 3)
    sink.stop()
    sink.join(5)
    assert store.lines[2] == store.lines[1]


def test_one_line_that_the_store_refuses_does_not_hold_up_the_others(gateway, cursors, store):
    gateway.take(b"".join(record(n, values=[13 if n == 5 else 0]) for n in range(20)))
    sink = influx(store, gateway, cursors)
    run(sink, lambda: cursors.get("series").records == 20)
    assert len(store.lines) == 19
    assert sink.errors == 1


def test_a_store_that_is_down_costs_nothing(gateway, cursors, store):
    store.down = True
    gateway.take(record(0))
    sink = influx(store, gateway, cursors)
    sink.start()
    wait_for("an error", lambda: sink.errors >= 2)
    store.down = False
    wait_for("the record", lambda: store.lines)
    sink.stop()
    sink.join(5)
    assert set(store.lines) == {line_of(row(record(0)))}


def test_cursors_survive(tmp_path):
    cursors = Cursors(tmp_path / "c.sqlite")
    assert cursors.get("a") == (0, 0)
    cursors.set("a", Cursor(5, 2))
    cursors.set("b", Cursor(3, 9))
    assert cursors.slowest(["a", "b"]) == (3, 2)
    cursors.close()
    assert Cursors(tmp_path / "c.sqlite").get("a") == (5, 2)

"""Sinks: cursors, retries, what is set aside; the embedded time series."""

import sqlite3
import threading
from contextlib import closing, contextmanager

import cbor2
import pytest

from agent.wire import body, schema, series
from gateway.config import Series
from gateway.journal.deadletters import Refused
from gateway.sinks.cursors import Cursor, Cursors
from gateway.sinks.sink import Sink, SinkError
from gateway.sinks.sqlite import SQLiteSink
from tests.chain.processes import wait_for
from tests.gateway.test_accept import Gateway, clock, record
from tests.series import SQLiteWriter, row

T = 217_400_000  # 2026-11-21
NOW_MS = (T + 60 + series.EPOCH_2020) * 1000


@pytest.fixture
def gateway(tmp_path):
    return Gateway(tmp_path)


@pytest.fixture
def cursors(tmp_path):
    with closing(Cursors(tmp_path / "cursors.sqlite")) as cursors:
        yield cursors


@contextmanager
def running(make):
    """Run a sink, made where it runs; yields it."""
    wake, stopping, made = threading.Event(), threading.Event(), []

    def run():
        made.append(make())
        made[0].run(wake, stopping)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_for("the sink", lambda: made, 10)
        yield made[0]
    finally:
        stopping.set()
        wake.set()
        thread.join(10)
        assert not thread.is_alive()


def run(make, until):
    """Run a sink until something is true."""
    with running(make) as sink:
        wait_for("the sink", lambda: until(sink), 10)
    return sink


def refused(folder, sink="series"):
    """Return (seq, reason, detail) of what a sink has set aside."""
    with closing(Refused(folder / f"refused-{sink}.sqlite", read_only=True)) as aside:
        return [(k.letter.seq, k.letter.reason, k.letter.detail) for k in aside.letters.find()][
            ::-1
        ]


class Flaky(Sink):
    """Refuses the first writes."""

    def __init__(self, folder, failures):
        super().__init__("flaky", folder)
        self.left = failures
        self.got = []

    def write(self, rows):
        for told in rows:
            if told.seq == 66:
                self.refuse(told, "not-liked", "66")
        if self.left:
            self.left -= 1
            raise SinkError("not now")
        self.got += [(r.boot, r.seq) for r in rows]


def test_a_sink_tries_again_for_ever_and_its_cursor_stays(gateway, tmp_path):
    gateway.take(record(0) + record(1))
    sink = run(lambda: Flaky(tmp_path, 3), lambda sink: sink.got)
    assert sink.errors == 3
    assert sink.got == [(7, 0), (7, 1)]
    gateway.take(record(2))
    again = run(lambda: Flaky(tmp_path, 0), lambda sink: sink.got)
    assert again.got == [(7, 2)]


def test_what_is_set_aside_is_kept_once_though_the_write_failed_before(gateway, tmp_path):
    gateway.take(record(66))
    sink = run(lambda: Flaky(tmp_path, 2), lambda sink: sink.got)
    assert refused(tmp_path, "flaky") == [(66, "not-liked", "66")]
    assert sink.refused == 1


def test_released_records_reach_a_sink_that_has_passed_them(gateway, tmp_path):
    gateway.take(record(0, t=-1) + record(1))
    run(lambda: Flaky(tmp_path, 0), lambda sink: sink.got == [(7, 1)])
    gateway.take(clock(2, 100))
    sink = run(lambda: Flaky(tmp_path, 0), lambda sink: len(sink.got) == 2)
    assert sink.got == [(7, 2), (7, 0)]


def test_cursors_survive(tmp_path):
    cursors = Cursors(tmp_path / "c.sqlite")
    assert cursors.get("a") == (0, 0)
    cursors.set("a", Cursor(5, 2))
    cursors.set("b", Cursor(3, 9))
    assert cursors.slowest(["a", "b"]) == (3, 2)
    cursors.close()
    assert Cursors(tmp_path / "c.sqlite").get("a") == (5, 2)


class TestSQLite:
    def sink(self, folder, **settings):
        return SQLiteSink(Series(f"sqlite:{folder / 'series'}", **settings), folder)

    def rows(self, folder, query="SELECT name, boot, seq, ts, dated, flags, lat_e6 FROM beacon"):
        out = []
        for path in sorted((folder / "series").iterdir()):
            if path.suffix == ".sqlite":
                with closing(sqlite3.connect(path)) as db:
                    out += db.execute(f"{query} JOIN devices USING (dev)").fetchall()
        return out

    def test_it_holds_every_series_record_once(self, gateway, cursors, tmp_path):
        gateway.take(
            record(0, values=[257, 31_000_000, 122_000_000]) + record(1), received_ms=NOW_MS
        )
        gateway.take(record(2, schema.BIRTH, [1, 1]), received_ms=NOW_MS)
        for _ in range(2):  # a cursor that was lost sends everything again
            run(lambda: self.sink(tmp_path), lambda _: cursors.get("series").records == 3)
            cursors.set("series", Cursor(0, 0))
        ts = series.point_ms(T, 0)
        assert self.rows(tmp_path) == [
            ("buoy-1", 7, 0, ts, 0, 257, 31_000_000),
            ("buoy-1", 7, 1, ts + 1, 0, 1, None),
        ]

    def test_invalid_and_newer_values(self, gateway, cursors, tmp_path):
        nine = [257, 95_000_000, 122_000_000, 1, 2, 3, 4, 5, 6]
        gateway.take(cbor2.dumps([schema.BEACON, 7, 0, T, *nine, 77, b"new"]), received_ms=NOW_MS)
        run(lambda: self.sink(tmp_path), lambda _: cursors.get("series").records == 1)
        [(lat, lon, newer)] = self.rows(tmp_path, "SELECT lat_e6, lon_e6, newer FROM beacon")
        assert (lat, lon, cbor2.loads(newer)) == (None, 122_000_000, [77, b"new"])

    def test_a_point_too_far_from_its_reception_is_set_aside(self, gateway, cursors, tmp_path):
        for seq, t in enumerate((T, T + 3600, T - 401 * 86_400, T - 399 * 86_400, T + 659)):
            gateway.take(record(seq, t=t), received_ms=NOW_MS)
        sink = run(lambda: self.sink(tmp_path), lambda _: cursors.get("series").records == 5)
        assert {found[2] for found in self.rows(tmp_path)} == {0, 3, 4}
        assert refused(tmp_path) == [
            (1, "time-ahead", "3540 s after it was received, allowed 600"),
            (2, "time-ancient", "401 days before it was received, allowed 400"),
        ]
        assert sink.refused == 2

    def test_an_undated_record_lies_where_it_was_received(self, tmp_path):
        writer = SQLiteWriter(tmp_path)
        writer.write([row("a", n, T, [257], dated=body.UNDATED) for n in range(40)])
        assert len(self.rows(tmp_path)) == 40
        assert self.rows(tmp_path, "SELECT * FROM beacon_hour") == []

    def test_only_the_newest_months_are_kept(self, tmp_path):
        sink = self.sink(tmp_path, months=2)
        sink.open()
        for n in range(4):
            sink.write([row("a", n, T + n * 31 * 86_400, [257])])
        kept = sorted(path.name for path in (tmp_path / "series").glob("*.sqlite"))
        assert kept == ["2027-01.sqlite", "2027-02.sqlite"]
        sink.write([row("a", 9, T, [257]), row("a", 10, T + 93 * 86_400, [1])])
        sink.close()
        assert [found[2] for found in self.rows(tmp_path)] == [2, 3, 10]
        assert [letter.reason for letter in sink._letters] == ["time-ancient"]

    def test_a_backlog_over_many_months_is_written(self, tmp_path):
        writer = SQLiteWriter(tmp_path)
        rows = [row("a", n, T - n * 20 * 86_400, [257]) for n in range(18)]
        for some in (rows[::2], rows[1::2], rows):
            writer.write(some)
        assert sorted(found[2] for found in self.rows(tmp_path)) == list(range(18))

    def test_a_file_in_the_way_is_said(self, tmp_path):
        (tmp_path / "series").write_bytes(b"of an earlier version")
        with pytest.raises(SinkError, match="names a folder"):
            self.sink(tmp_path).open()

    def test_a_failed_write_leaves_nothing_half_done(self, tmp_path):
        writer = SQLiteWriter(tmp_path)
        writer.write([row("a", n, T + n * 60, [257]) for n in range(30)])
        [path] = writer.path.glob("*.sqlite")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("ALTER TABLE beacon_halfday RENAME TO gone")
            more = [row("b", n, T + n * 60, [257]) for n in range(30)]
            with pytest.raises(SinkError, match=path.name):
                writer.write(more)
            other.execute("ALTER TABLE gone RENAME TO beacon_halfday")
        assert {found[0] for found in self.rows(tmp_path)} == {"a"}
        writer.write(more)
        assert len(self.rows(tmp_path)) == 60
        told = self.rows(tmp_path, "SELECT n_flags_0 FROM beacon_halfday")
        assert told == [(30,), (30,)]

"""Time series over HTTP: what a store may do to us, and a real one that is killed."""

import gzip
import json
import random
import threading
import time
import urllib.parse
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agent.wire import schema
from gateway.config import Series
from gateway.sinks.cursors import Cursor, Cursors
from gateway.sinks.influx import InfluxSink
from gateway.sinks.lines import line_of
from gateway.sinks.points import point_ms
from gateway.sinks.sink import SinkError
from gateway.sinks.trail import AGAIN_S, Trail
from tests.chain import stores
from tests.chain.processes import get, victoria_metrics, wait_for
from tests.gateway.test_accept import Gateway, record
from tests.gateway.test_sinks import refused, running
from tests.series import row

T = 217_400_000
NOW_MS = (T + 60 + 1_577_836_800) * 1000
SEED = 20261122


class Store(BaseHTTPRequestHandler):
    """A store that can be told to misbehave; refuses lines that say so."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, self.server.metrics.encode() if self.path == "/metrics" else b"")

    def do_POST(self):
        server = self.server
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            server.gzipped += 1
            raw = gzip.decompress(raw)
        server.asked.append(urllib.parse.urlsplit(self.path))
        server.sizes.append(len(raw))
        lines = raw.decode().split("\n")
        if server.status != 204:
            self.answer(server.status, server.said)
        elif any("flags=13i" in line for line in lines):
            if server.partial:  # as InfluxDB: the good ones are kept all the same
                server.lines += [line for line in lines if "flags=13i" not in line]
            self.answer(400, b'{"code":"invalid","message":"partial write:\nflags=13i"}')
        else:
            server.lines += lines
            self.answer(204)

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


@pytest.fixture
def store():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.daemon_threads = True
    server.lines, server.asked, server.sizes, server.gzipped = [], [], [], 0
    server.status, server.said, server.partial = 204, b"", False
    server.metrics = "vm_app_start_timestamp 1\n"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def gateway(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.sinks.influx._LOOK_S", 0.0)
    monkeypatch.setattr("gateway.sinks.influx._SETTLED_S", 0.0)
    monkeypatch.setattr("gateway.sinks.sink._IDLE_S", 0.05)
    return Gateway(tmp_path)


@pytest.fixture
def make(store, tmp_path):
    """Returns a maker of sinks, which are made where they run."""

    def make(**settings):
        url = f"http://127.0.0.1:{store.server_port}"
        return InfluxSink(Series(url, "o", "b", "t", **settings), tmp_path)

    return make


def rows(count, bad=()):
    return [row("buoy-1", n, T + n, [13 if n in bad else 0, n]) for n in range(count)]


def lines(rows):
    return [line_of(row, point_ms(row)) for row in rows]


def done(folder, records):
    """Return whether the sink's cursor is there."""

    def look():
        with closing(Cursors(folder / "cursors.sqlite")) as cursors:
            return cursors.get("series").records == records

    return look


class TestRequests:
    def test_what_is_asked(self, make, store):
        make().write(rows(3))
        assert store.lines == lines(rows(3))
        [asked] = store.asked
        assert asked.path == "/api/v2/write"
        query = dict(urllib.parse.parse_qsl(asked.query))
        assert query == {"org": "o", "bucket": "b", "precision": "ms"}
        assert store.gzipped == 0  # a loopback address gains nothing by it

    def test_compressed_where_it_is_wanted(self, make, store):
        make(gzip="on").write(rows(3))
        assert (store.lines, store.gzipped) == (lines(rows(3)), 1)

    def test_a_large_batch_is_several_requests(self, make, store):
        many = [row("b" * 32, n, T + n, [5] * 9) for n in range(9000)]
        make().write(many)
        assert store.lines == lines(many)
        assert len(store.sizes) > 1
        assert max(store.sizes) <= 1 << 20


class TestRefusals:
    @pytest.mark.parametrize("partial", [False, True])
    @pytest.mark.parametrize("bad", [{5}, {0}, {19}, {3, 4, 11}, {0, 1, 2, 3}])
    def test_what_it_refuses_does_not_hold_up_the_others(
        self, make, store, gateway, tmp_path, bad, partial
    ):
        store.partial = partial
        packed = b"".join(record(n, values=[13 if n in bad else 0]) for n in range(20))
        gateway.take(packed, received_ms=NOW_MS)
        with running(make) as sink:
            wait_for("the cursor", done(tmp_path, 20), 10)
        assert len(set(store.lines)) == 20 - len(bad)
        found = refused(tmp_path)
        assert [(seq, reason) for seq, reason, _ in found] == [
            (n, "store-refused") for n in sorted(bad)
        ]
        assert "partial write: flags=13i" in found[0][2]
        assert sink.errors == 0

    def test_one_that_refuses_everything_is_asked_again_and_nothing_is_set_aside(
        self, make, store
    ):
        sink = make()
        with pytest.raises(SinkError, match="refuses every line"):
            sink.write(rows(5000, bad=range(5000)))
        assert len(store.asked) < 60
        with pytest.raises(SinkError, match="refuses every line"):
            sink.write(rows(1, bad={0}))
        sink.write(rows(2))
        sink.write(rows(1, bad={0}))  # now it is the line
        assert [letter.reason for letter in sink._letters] == ["store-refused"]
        store.status = 400
        with pytest.raises(SinkError, match="refuses every line"):
            sink.write(rows(3))
        assert len(sink._letters) == 1

    @pytest.mark.parametrize(
        ("status", "said"),
        [
            (401, r"series\.token"),
            (403, r"series\.bucket"),
            (404, r"1\.x is not"),
            (503, "out of disk"),
            (429, "429"),
        ],
    )
    def test_what_is_not_the_data_is_told_to_people(self, make, store, status, said):
        store.status, store.said = status, b"out of disk"
        with pytest.raises(SinkError, match=said):
            make().write(rows(3))

    def test_a_point_too_far_ahead_is_not_sent(self, make, store):
        sink = make()
        ahead = row("buoy-1", 0, T + 86_400 * 3, [1], received_ms=NOW_MS)
        sink.write([ahead, *rows(2)])
        assert store.lines == lines(rows(2))
        assert [letter.reason for letter in sink._letters] == ["time-ahead"]

    def test_lines_that_it_passes_over_in_silence_are_told(self, make, store, gateway, caplog):
        told = 'vm_rows_ignored_total{reason="big_timestamp"} %d\n'
        store.metrics += told % 3  # before our time
        with running(make) as sink:
            gateway.take(record(0), received_ms=NOW_MS)
            wait_for("the record", lambda: store.lines, 10)
            assert sink.errors == 0
            store.metrics = store.metrics.replace(" 3\n", " 5\n")
            wait_for("an error", lambda: sink.errors == 1, 10)
        assert 'passed over 2 lines or values: vm_rows_ignored_total{reason="big' in caplog.text


class TestForgetting:
    def test_one_that_was_started_anew_is_sent_everything_again(
        self, make, store, gateway, tmp_path
    ):
        for n in range(3):
            gateway.take(record(n), received_ms=NOW_MS)
        with running(make):
            wait_for("all", done(tmp_path, 3), 10)
            store.metrics = "vm_app_start_timestamp 2\n"
            wait_for("all again", lambda: len(store.lines) == 6, 10)
        assert store.lines[3:] == store.lines[:3]

    def test_one_that_may_yet_start_anew_in_the_same_second_is_sent_nothing(
        self, make, store, gateway, monkeypatch
    ):
        monkeypatch.setattr("gateway.sinks.influx._SETTLED_S", 1.0)
        gateway.take(record(0), received_ms=NOW_MS)
        with running(make) as sink:
            wait_for("the store to be met", lambda: "just been started" in sink.fault, 10)
            gateway.take(record(1), received_ms=NOW_MS)
            assert not store.lines
            wait_for("both", lambda: len(store.lines) == 2, 10)
            assert sink.errors >= 3  # as often it was looked at, with the pauses between
            store.metrics = "vm_app_start_timestamp 2\n"
            wait_for("it to be met again", lambda: "just been started" in sink.fault, 10)
            gateway.take(record(2), received_ms=NOW_MS)
            assert len(store.lines) == 2
            wait_for("all again, and the new one", lambda: len(store.lines) == 5, 10)

    def test_a_gateway_that_starts_anew_sends_nothing_again(self, make, store, gateway, tmp_path):
        gateway.take(record(0), received_ms=NOW_MS)
        with running(make):
            wait_for("it", done(tmp_path, 1), 10)
        gateway.take(record(1), received_ms=NOW_MS)
        with running(make):
            wait_for("the other", done(tmp_path, 2), 10)
        assert len(store.lines) == 2

    def test_both_started_anew_days_later(self, make, store, gateway, tmp_path):
        gateway.take(record(0), received_ms=NOW_MS)
        with running(make):
            wait_for("it", done(tmp_path, 1), 10)
        store.metrics = "process_start_time_seconds 1.79523e+09\n"
        with running(make):
            wait_for("it again", lambda: len(store.lines) == 2, 10)

    def test_one_that_tells_no_start_is_doubted_when_it_fails(
        self, make, store, gateway, tmp_path
    ):
        store.metrics = "nothing of interest"
        gateway.take(record(0), received_ms=NOW_MS)
        with running(make) as sink:
            wait_for("it", done(tmp_path, 1), 10)
            store.status = 503
            gateway.take(record(1), received_ms=NOW_MS)
            wait_for("an error", lambda: sink.errors, 10)
            store.status = 204
            wait_for("both", done(tmp_path, 2), 10)
        assert len(store.lines) == 3

    def test_several_behind_one_address_do_not_make_it_go_back_for_ever(
        self, make, store, gateway, tmp_path
    ):
        gateway.take(record(0), received_ms=NOW_MS)
        with running(make):
            wait_for("it", done(tmp_path, 1), 10)
            for n in range(1, 10):
                store.metrics = f"vm_app_start_timestamp {1 + n % 2}\n"
                gateway.take(record(n), received_ms=NOW_MS)
                wait_for("the next", done(tmp_path, n + 1), 10)
        assert len(store.lines) < 15

    def test_down_for_a_while_costs_nothing(self, make, store, gateway, tmp_path):
        store.status = 503
        gateway.take(record(0), received_ms=NOW_MS)
        with running(make) as sink:
            wait_for("errors", lambda: sink.errors >= 2, 10)
            assert "503" in sink.fault
            store.status = 204
            wait_for("the record", done(tmp_path, 1), 10)
        assert len(set(store.lines)) == 1


class TestTrail:
    """How far back: by what was sent when, not by what was received when."""

    @pytest.fixture
    def cursors(self, tmp_path):
        with closing(Cursors(tmp_path / "c.sqlite")) as cursors:
            yield cursors

    def test_it_goes_back_to_where_it_was_ten_minutes_ago(self, cursors):
        trail = Trail("series", cursors, 0.0)
        for n in range(2000):
            trail.note(Cursor(n, 0), float(n))
        back = trail.restart(2000.0)
        assert AGAIN_S <= 1999 - back.records <= AGAIN_S + 20
        assert Trail("series", cursors, 0.0).restart(0.0) == back

    def test_it_stays_there_while_the_store_is_down_and_moves_on_after(self, cursors):
        trail = Trail("series", cursors, 0.0)
        for n in range(1000):
            trail.note(Cursor(n, 0), float(n))
        back = trail.restart(1000.0)
        assert trail.restart(9000.0) == back
        trail.note(Cursor(back.records + 5, 0), 9005.0)
        trail.note(Cursor(back.records + 10, 0), 9010.0)
        assert trail.restart(9011.0) == back

    def test_what_was_sent_long_ago_is_left_when_nothing_comes(self, cursors):
        trail = Trail("series", cursors, 0.0)
        trail.note(Cursor(50, 3), 20.0)
        trail.note(Cursor(50, 3), 20.0 + AGAIN_S)
        assert trail.restart(1e6) == Cursor(50, 3)


class TestVictoriaMetrics:
    """A real one."""

    def test_killed_in_the_middle_of_a_backlog_it_has_everything_once(
        self, gateway, tmp_path, monkeypatch
    ):
        rng = random.Random(SEED)
        monkeypatch.setattr("gateway.sinks.influx._SETTLED_S", 1.2)  # as on duty
        monkeypatch.setattr("gateway.sinks.influx.InfluxSink.batch", 200)
        old_ms = NOW_MS - 29 * 86_400_000  # what is sent now was received weeks ago
        with victoria_metrics(tmp_path) as (url, child):
            with running(lambda: InfluxSink(Series(url), tmp_path)) as sink:
                for begin in range(0, 12_000, 3000):
                    for n in range(begin, begin + 3000, 50):
                        old = [record(n + k, t=T - 30 * 86_400 + n + k) for k in range(50)]
                        gateway.take(b"".join(old), received_ms=old_ms)
                    wait_for("some of it to be sent", lambda n=begin: sink.rows > n, 10)
                    time.sleep(rng.uniform(0.0, 0.3))
                    child.kill()
                    time.sleep(rng.uniform(0.0, 0.2))
                    child.start()
                    wait_for("victoria-metrics", lambda: up(url))
                want = {("buoy-1", 7, n): 1 for n in range(12_000)}
                wait_for("all of it", lambda: stores.victoria_series(url) == want, 30)
            assert sink.refused == 0
            assert sink.rows > 12_000  # some was sent again

    def test_started_twice_within_a_second_it_has_everything_once(
        self, gateway, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("gateway.sinks.influx._SETTLED_S", 1.2)  # as on duty
        with (
            victoria_metrics(tmp_path) as (url, child),
            running(lambda: InfluxSink(Series(url), tmp_path)) as sink,
        ):
            for n in range(200):
                gateway.take(record(n), received_ms=NOW_MS)
            wait_for("all to be sent", lambda: sink.rows >= 200, 10)
            for _ in range(2):
                time.sleep(1 - time.time() % 1)  # it tells its start in whole seconds
                for _ in range(2):
                    child.kill()
                    child.start()
                    wait_for("victoria-metrics", lambda: up(url))
                    time.sleep(0.3)
            want = {("buoy-1", 7, n): 1 for n in range(200)}
            wait_for("all of it", lambda: stores.victoria_series(url) == want, 20)

    def test_what_it_would_drop_in_silence_is_set_aside(self, gateway, tmp_path):
        for seq, t in enumerate((T, T + 30, 217_400_000 + 86_400 * 40)):
            gateway.take(record(seq, t=t), received_ms=NOW_MS)
        with victoria_metrics(tmp_path) as (url, _):
            with running(lambda: InfluxSink(Series(url), tmp_path)) as sink:
                wait_for("the cursor", done(tmp_path, 3), 10)
            assert refused(tmp_path)[0][:2] == (2, "time-ahead")
            assert sink.errors == 0
            assert set(stores.victoria_series(url)) == {("buoy-1", 7, 0), ("buoy-1", 7, 1)}

    def test_what_it_passes_over_is_seen(self, gateway, tmp_path):
        day = 86_400
        t = int(time.time()) - 1_577_836_800 + 3 * day
        with victoria_metrics(tmp_path) as (url, _):
            settings = Series(url, future_s=10 * day)
            with running(lambda: InfluxSink(settings, tmp_path)) as sink:
                gateway.take(record(0, t=t), received_ms=int(time.time() * 1000))
                wait_for("an error", lambda: sink.errors, 10)

    def test_byte_strings_never_become_numbers_there(self, gateway, tmp_path):
        values = [5, None, -2, 1, 40, b"202410010001"]
        gateway.take(record(0, schema.ENERGY_COUNT, values), received_ms=NOW_MS)
        with victoria_metrics(tmp_path) as (url, _):
            with running(lambda: InfluxSink(Series(url), tmp_path)):
                wait_for("the cursor", done(tmp_path, 1), 10)
            get(f"{url}/internal/force_flush")
            said = get(f"{url}/api/v1/export?match[]=" + '{device="buoy-1"}')
            names = {json.loads(line)["metric"]["__name__"] for line in said.splitlines()}
            assert names == {
                f"energy_count_{field}"
                for field in ("boot", "seq", "imported", "count_e", "pt", "ct")
            }


def up(url):
    """Return whether it answers."""
    try:
        return get(f"{url}/health")
    except OSError:
        return False

"""History out of both time-series stores, held to the same tests."""

import os
import shutil
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import closing

import pytest
from sqlalchemy.exc import OperationalError

from agent.wire import body, schema, series
from cloud.rebuild import Rebuild
from cloud.registry import Span
from cloud.series import SeriesError, open_store, read_history
from cloud.series.store import Period
from cloud.times import moment_of_t, ms_of_t
from cloud.values import fields
from tests.cloud.support import LocalCentre, SQLiteWriter, beacon, entry, now_t

BEACON = schema.SCHEMAS[schema.BEACON]
BATT = fields()["beacon.batt_mv"]
LIT = fields()["beacon.lit"]
T = 200_000_000  # 2026-05-03
STEP_S = 600


def report(device, n, *, t=None, dated=0, boot=1, **given):
    """Return one record as the gateway's sinks have it: (device, boot, seq, ts, dated, values)."""
    t = T + n * STEP_S if t is None else t
    return device, boot, n, series.point_ms(t, n), dated, beacon(**given)


class VictoriaWriter:
    """Writes what the gateway would write, into a VictoriaMetrics."""

    def __init__(self, address):
        self.address = address

    def write(self, reports):
        lines = []
        for device, boot, seq, ts, dated, values in reports:
            pairs = dict(zip(series.numbers(BEACON), values, strict=True))
            pairs |= {"boot": boot, "seq": seq, "dated": dated}
            told = ",".join(f"{k}={v}i" for k, v in pairs.items() if v is not None)
            lines.append(f"beacon,device={device} {told} {ts}")
        data = "\n".join(lines).encode()
        url = f"{self.address}/api/v2/write?precision=ms"
        with urllib.request.urlopen(urllib.request.Request(url, data, method="POST")):
            pass
        with urllib.request.urlopen(f"{self.address}/internal/force_flush"):
            pass


@pytest.fixture(scope="module")
def victoria(tmp_path_factory):
    """A real VictoriaMetrics as the gateway wants it."""
    program = shutil.which("victoria-metrics")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("victoria-metrics is not installed; on CI it must be")
        pytest.skip("victoria-metrics (Debian package) is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folder = tmp_path_factory.mktemp("victoria")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"-httpListenAddr={address}",
                f"-storageDataPath={folder / 'data'}",
                "-retentionPeriod=20y",
                "-dedup.minScrapeInterval=1ms",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        _wait(f"http://{address}/health")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(url, seconds=15):
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@pytest.fixture(params=["sqlite", "victoria"])
def writer(request, tmp_path):
    """One store after the other."""
    if request.param == "sqlite":
        return SQLiteWriter(tmp_path)
    return VictoriaWriter(request.getfixturevalue("victoria"))


@pytest.fixture
def device(request):
    """A device id of the test's own: the VictoriaMetrics is shared."""
    name = request.node.name.lower()
    return "".join(c if c.isalnum() else "-" for c in name)[-32:]


def ask(writer, kind, spans, start_t, end_t, points=100):
    """Read a history between two record times."""
    store = open_store(writer.address)
    return read_history(store, BEACON, kind, spans, ms_of_t(start_t), ms_of_t(end_t), points)


class TestBothStores:
    def test_every_report_when_there_are_few(self, writer, device):
        writer.write([report(device, n, batt_mv=12_000 + n) for n in range(6)])
        told = ask(writer, BATT, [Span(device, T, T + 3600)], T, T + 3600)
        assert told.last == [12.0, 12.001, 12.002, 12.003, 12.004, 12.005]
        assert told.min == told.max == told.last
        assert told.count == [1] * 6
        assert told.t == [
            pytest.approx(series.EPOCH_2020 + T + n * STEP_S, abs=1) for n in range(6)
        ]
        assert told.interval_s == pytest.approx(STEP_S, abs=0.01)

    def test_many_are_boiled_down_and_nothing_is_lost_of_their_range(self, writer, device):
        batteries = [12_000 + (n * 37) % 500 for n in range(1000)]
        batteries[500] = 9_000
        writer.write([report(device, n, batt_mv=b) for n, b in enumerate(batteries)])
        end = T + 1000 * STEP_S
        told = ask(writer, BATT, [Span(device, T, end)], T, end, points=50)
        assert len(told.t) <= 50
        assert sum(told.count) == 1000
        assert min(told.min) == 9.0
        assert max(told.max) == max(batteries) / 1000
        mean = sum(m * c for m, c in zip(told.mean, told.count, strict=True)) / 1000
        assert mean == pytest.approx(sum(batteries) / 1e6, abs=1e-4)
        assert told.last[-1] == batteries[-1] / 1000
        assert told.t == sorted(told.t)

    def test_every_value_counts_once_whatever_the_width(self, writer, device, monkeypatch):
        monkeypatch.setattr("cloud.series.victoria._LINE_ROWS", 7)
        reports = [report(device, n, batt_mv=12_000 + n * 37 % 500) for n in range(300)]
        writer.write(reports[:120] + reports[200:])
        end = T + 300 * STEP_S
        for points in (1, 3, 40, 299, 2000):
            told = ask(writer, BATT, [Span(device, T, end)], T, end, points=points)
            assert sum(told.count) == 220
            assert len([n for n in told.count if n]) <= points
            assert told.last.count(None) == (1 if points > 1 else 0)
            assert told.last[-1] == (12_000 + 299 * 37 % 500) / 1000

    def test_a_gap_is_a_gap(self, writer, device):
        there = [n for n in range(60) if not 20 <= n < 40]
        writer.write([report(device, n) for n in there])
        told = ask(writer, BATT, [Span(device, T, T + 36_000)], T, T + 36_000)
        assert told.last.count(None) == 1
        gap = told.last.index(None)
        assert told.count[gap] == 0
        assert (told.min[gap], told.max[gap], told.mean[gap]) == (None, None, None)
        at = series.EPOCH_2020 + T
        assert at + 19 * STEP_S < told.t[gap] < at + 40 * STEP_S

    def test_one_lost_report_is_no_gap(self, writer, device):
        writer.write([report(device, n) for n in range(20) if n != 7])
        told = ask(writer, BATT, [Span(device, T, T + 12_000)], T, T + 12_000)
        assert None not in told.last

    def test_only_what_was_measured_counts(self, writer, device):
        writer.write([report(device, n, batt_mv=None if n % 2 else 12_000) for n in range(10)])
        told = ask(writer, BATT, [Span(device, T, T + 6000)], T, T + 6000)
        assert sum(told.count) == 5

    def test_each_device_gives_its_own_time_only(self, writer, device):
        other = device[1:]
        writer.write([report(device, n, batt_mv=10_000) for n in range(20)])
        writer.write([report(other, n, batt_mv=20_000) for n in range(20)])
        swap = T + 10 * STEP_S
        spans = [Span(device, T, swap), Span(other, swap, T + 12_000)]
        told = ask(writer, BATT, spans, T, T + 12_000)
        assert told.last == [10.0] * 10 + [20.0] * 10

    def test_the_end_is_exclusive(self, writer, device):
        writer.write([report(device, n) for n in range(10)])
        told = ask(writer, BATT, [Span(device, T, T + 86_400)], T + STEP_S, T + 3 * STEP_S)
        assert sum(told.count) == 2

    def test_an_undated_record_is_not_in_a_history(self, writer, device):
        writer.write([report(device, 0), report(device, 1, dated=body.UNDATED), report(device, 2)])
        told = ask(writer, BATT, [Span(device, T, T + 3600)], T, T + 3600)
        assert sum(told.count) == 2
        newest = open_store(writer.address).newest(BEACON, device, 0, ms_of_t(T + 86_400), 5)
        assert [sample.seq for sample in newest] == [0, 2]

    def test_a_flag_is_known_or_not(self, writer, device):
        lit = [True, True, None, False]
        writer.write([report(device, n, lit=state) for n, state in enumerate(lit)])
        told = ask(writer, LIT, [Span(device, T, T + 3600)], T, T + 3600)
        assert told.last == [1, 1, 0]

    def test_a_negative_value_and_a_clock_that_stepped_back(self, writer, device):
        reports = [report(device, n, temp_dc=-40 - n) for n in range(5)]
        reports.append(report(device, 5, t=T - STEP_S, temp_dc=100))
        writer.write(reports)
        span = [Span(device, T - 3600, T + 3600)]
        told = ask(writer, fields()["beacon.temp_dc"], span, T - 3600, T + 3600)
        assert told.last == [10.0, -4.0, -4.1, -4.2, -4.3, -4.4]

    def test_the_newest_records_are_whole(self, writer, device):
        writer.write([report(device, n, batt_mv=12_000 + n, lat=None) for n in range(10)])
        newest = open_store(writer.address).newest(BEACON, device, 0, ms_of_t(T + 4 * STEP_S), 3)
        assert [sample.seq for sample in newest] == [1, 2, 3]
        last = newest[-1]
        assert (last.boot, last.time_ms) == (1, series.point_ms(T + 3 * STEP_S, 3))
        assert last.values["batt_mv"] == 12_003
        assert last.values["batt_ma"] == -120
        assert "lat_e6" not in last.values

    def test_an_unknown_device_has_no_history(self, writer):
        told = ask(writer, BATT, [Span("nobody", T, T + 3600)], T, T + 3600)
        assert told.t == []
        assert told.interval_s is None
        assert open_store(writer.address).newest(BEACON, "nobody", 0, ms_of_t(T), 5) == []


def test_a_file_or_table_that_is_not_there_yet_has_no_data(tmp_path):
    writer = SQLiteWriter(tmp_path)
    assert ask(writer, BATT, [Span("a", T, T + 60)], T, T + 60).t == []
    sqlite3.connect(writer.path).close()
    assert ask(writer, BATT, [Span("a", T, T + 60)], T, T + 60).t == []
    assert open_store(writer.address).newest(BEACON, "a", 0, ms_of_t(T), 5) == []


def test_a_table_of_an_older_version_lacks_columns_and_has_no_data_there(tmp_path):
    writer = SQLiteWriter(tmp_path)
    older = (*BEACON[:3], BEACON[3][:3])
    with closing(sqlite3.connect(writer.path)) as connection, connection:
        for statement in series.create_table(older):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO beacon VALUES ('a', 1, 0, ?, 0, 257, 31, 122, NULL)",
            (series.point_ms(T, 0),),
        )
    assert ask(writer, BATT, [Span("a", T, T + 60)], T, T + 60).t == []
    [sample] = open_store(writer.address).newest(BEACON, "a", 0, ms_of_t(T + 60), 5)
    assert sample.values == {"flags": 257, "lat_e6": 31, "lon_e6": 122}


def test_it_reads_while_the_gateway_is_writing(tmp_path):
    writer = SQLiteWriter(tmp_path)
    writer.write([report("a", n) for n in range(3)])
    with closing(sqlite3.connect(writer.path)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        busy.execute("UPDATE beacon SET batt_mv = 0")
        told = ask(writer, BATT, [Span("a", T, T + 3600)], T, T + 3600)
        assert told.last == [12.6] * 3


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "sqlite:broken"])
def test_a_store_that_does_not_answer_says_so(tmp_path, address):
    broken = tmp_path / "broken"
    broken.write_bytes(b"this is no database, " * 100)
    store = open_store(address.replace("broken", str(broken)))
    with pytest.raises(SeriesError, match=r"127\.0\.0\.1:9|broken"):
        store.buckets(BEACON, BATT, "a", Period(0, 1, 0, 1))


class TestAPI:
    def test_an_assets_history_follows_its_devices(self, tmp_path, writer):
        t = now_t()
        start = t - 6000
        writer.write(
            [report("buoy-1", n, t=start + n * STEP_S, batt_mv=12_000 + n) for n in range(10)]
        )
        with LocalCentre(tmp_path, config=f'series = "{writer.address}"') as centre:
            since = moment_of_t(start - 60).isoformat().replace("+00:00", "Z")
            told = centre.get(
                f"/api/assets/c1/history?field=beacon.batt_mv&from={since}&points=50"
            )
            assert told["last"][-10:] == [12 + n / 1000 for n in range(10)]
            assert (told["field"], told["unit"]) == ("beacon.batt_mv", "V")
            assert told["from"] == since
            assert centre.get("/api/assets/c2/history?field=beacon.batt_mv")["t"] == []
            same = centre.get(f"/api/devices/buoy-1/history?field=beacon.batt_mv&from={since}")
            assert same["last"] == told["last"]

    @pytest.mark.parametrize(
        ("query", "status", "said"),
        [
            ("c9/history?field=beacon.batt_mv", 404, "there is no asset 'c9'"),
            ("c1/history?field=beacon.wrong", 400, "field is 'beacon.wrong'; allowed: a key of"),
            ("c1/history?field=energy-count.meter_id", 400, "allowed: a key of /api/fields"),
            ("c1/history?field=birth.reset", 400, "allowed: a key of /api/fields with a history"),
            ("c1/history", 422, "field"),
            ("c1/history?field=beacon.batt_mv&points=0", 422, "points"),
            ("c1/history?field=beacon.batt_mv&from=2026-01-01T00:00:00", 422, "timezone"),
            ("c1/history?field=beacon.batt_mv&from=2999-01-01T00:00:00Z", 400, "from before to"),
        ],
    )
    def test_a_wrong_question_is_told_what_is_allowed(self, centre, query, status, said):
        got, answer = centre.request("GET", f"/api/assets/{query}")
        assert got == status, answer
        assert said in str(answer)

    def test_a_store_that_is_down_is_said_and_costs_only_the_history(self, tmp_path):
        with LocalCentre(tmp_path, config='series = "http://127.0.0.1:9"') as centre:
            centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, now_t(), beacon())])
            status, answer = centre.request("GET", "/api/assets/c1/history?field=beacon.batt_mv")
            assert status == 503
            assert "the time-series store does not answer" in answer["detail"]
            assert centre.asset("c1")["freshness"]["state"] == "live"
            assert centre.get("/api/system")["rebuilt"] is False


class TestRebuild:
    def test_a_record_of_the_future_in_the_time_series_is_not_the_latest(self, tmp_path, writer):
        t = now_t()
        reports = [report("buoy-1", 0, t=t - 60, batt_mv=12_000)]
        reports.append(report("buoy-1", 1, t=t + 40_000_000, batt_mv=9_000))
        if isinstance(writer, VictoriaWriter):
            reports.pop()  # it drops what is more than two days ahead by itself
            reports.append(report("buoy-1", 1, t=t + 90_000, batt_mv=9_000))
        writer.write(reports)
        with LocalCentre(tmp_path, config=f'series = "{writer.address}"') as centre:
            _until(lambda: centre.get("/api/system")["rebuilt"])
            assert centre.asset("c1")["report"]["beacon.batt_mv"] == 12.0

    def test_a_database_that_is_busy_is_tried_again(self, tmp_path, monkeypatch):
        writer = SQLiteWriter(tmp_path)
        writer.write([report("buoy-1", 0, t=now_t())])
        monkeypatch.setattr("cloud.rebuild._RETRY_S", 0.05)
        tries = []
        real = Rebuild._refold

        def refold(self, found):
            tries.append(found)
            if len(tries) < 3:
                raise OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))
            real(self, found)

        monkeypatch.setattr(Rebuild, "_refold", refold)
        with LocalCentre(tmp_path, config=f'series = "{writer.address}"') as centre:
            _until(lambda: centre.get("/api/system")["rebuilt"])
            assert centre.asset("c1")["freshness"]["state"] == "live"
        assert len(tries) == 3

    def test_an_empty_database_shows_what_the_time_series_knows(self, tmp_path, writer):
        t = now_t()
        writer.write(
            [report("buoy-2", n, t=t - 90 + n * 30, batt_mv=12_000 + n) for n in range(4)]
        )
        with LocalCentre(tmp_path, config=f'series = "{writer.address}"') as centre:
            _until(lambda: centre.get("/api/system")["rebuilt"])
            asset = centre.asset("c2")
            assert asset["report"]["beacon.batt_mv"] == 12.003
            assert asset["freshness"]["interval_s"] == 30
            assert asset["freshness"]["state"] == "live"
            # What is told there is the record itself: the same delivery is nothing new.
            again = entry("buoy-2", schema.BEACON, 1, 3, t, beacon(batt_mv=12_003))
            centre.ingest([again])
            assert centre.asset("c2")["freshness"]["interval_s"] == 30


def _until(found, seconds=10):
    until = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < until, "did not come true in time"
        time.sleep(0.05)

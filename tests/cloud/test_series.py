"""History out of both time-series stores, held to the same tests.

What is read by the centre was written by the gateway's own sinks.
"""

import random
import time

import cbor2
import pytest
from sqlalchemy.exc import OperationalError

from agent.wire import body, schema, series
from cloud.rebuild import Rebuild
from cloud.registry import Span
from cloud.series import SeriesError, open_store, read_history
from cloud.series.store import Bucket, Period
from cloud.times import moment_of_t, ms_of_t
from cloud.values import fields, flag
from tests.chain.processes import victoria_metrics
from tests.cloud.support import LocalCentre, beacon, entry, now_t
from tests.series import SQLiteWriter, VictoriaWriter, row

BEACON = schema.SCHEMAS[schema.BEACON]
BATT = fields()["beacon.batt_mv"]
LIT = fields()["beacon.lit"]
T = 200_000_000  # 2026-05-03
STEP_S = 600
HOUR_MS = 3_600_000
SEED = 20261122


def report(device, n, *, t=None, dated=0, boot=1, **given):
    """Return one beacon record as the gateway's sinks get it."""
    t = T + n * STEP_S if t is None else t
    return row(device, n, t, beacon(**given), boot=boot, dated=dated)


@pytest.fixture(scope="module")
def victoria(tmp_path_factory):
    """A real VictoriaMetrics as the gateway wants it."""
    with victoria_metrics(tmp_path_factory.mktemp("victoria")) as (address, _):
        yield address


@pytest.fixture(params=["sqlite", "victoria"])
def writer(request, tmp_path):
    """One store after the other."""
    if request.param == "sqlite":
        return SQLiteWriter(tmp_path)
    return VictoriaWriter(request.getfixturevalue("victoria"), tmp_path)


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
            # A gap that lies within one bucket is not seen: of a point or three, some are.
            if points > 3:
                assert told.last.count(None) == 1
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


class TestAgainstPlainCounting:
    """Random records in random order, some twice: every bucket as plain Python counts it."""

    def test_the_same_in_both_stores_and_at_every_width(self, writer, device):
        rng = random.Random(SEED)
        start = moment_t("2026-05-28")  # over two ends of months
        records = some_records(rng, device, start, days=36)
        late = [record for record in records if rng.random() < 0.1]
        again = rng.sample(records, 200)
        told = [record for record in records if record not in late]
        for some in (told[::2], told[1::2], again, late, again + late[:50]):
            rng.shuffle(some)
            for at in range(0, len(some), 700):
                writer.write(some[at : at + 700])
        store = open_store(writer.address)
        begin, end = ms_of_t(start), ms_of_t(start + 36 * 86_400)
        hour = begin // HOUR_MS * HOUR_MS
        periods = [
            Period(begin, end, begin, 977_123),  # odd widths: from records
            Period(begin, end, hour, HOUR_MS),
            Period(begin + 1_234_567, end - 7_654_321, hour, 3 * HOUR_MS),
            Period(begin, end, begin, 24 * HOUR_MS),
            Period(begin + 5 * HOUR_MS + 17, end - 86_399_999, begin, 120 * HOUR_MS),
            Period(begin + 86_400_000, begin + 86_400_001, begin, 24 * HOUR_MS),
        ]
        for key in ("beacon.batt_mv", "beacon.lamp_ma", "beacon.temp_dc", "beacon.lit"):
            kind = fields()[key]
            for period in periods:
                want = plain_buckets(records, kind, period)
                assert store.buckets(BEACON, kind, device, period) == want, (key, period)

    def test_a_backlog_from_weeks_ago_changes_nothing_but_its_own_time(self, writer, device):
        now = [report(device, n, t=T + n * 60, batt_mv=12_000) for n in range(200)]
        writer.write(now)
        old = [
            report(device, n + 200, t=T - 40 * 86_400 + n * 60, batt_mv=9_000) for n in range(200)
        ]
        writer.write(old)
        period = Period(ms_of_t(T - 50 * 86_400), ms_of_t(T + 86_400), 0, 24 * HOUR_MS)
        told = open_store(writer.address).buckets(BEACON, BATT, device, period)
        assert [(b.values, b.final) for b in told] == [(200, 9_000), (200, 12_000)]

    def test_a_late_record_before_the_last_is_not_the_last(self, writer, device):
        writer.write([report(device, n, t=T + 60 * n, batt_mv=12_000 + n) for n in range(59)])
        writer.write([report(device, 99, t=T + 60 * 30 + 7, batt_mv=9_000)])
        day = ms_of_t(T) // 86_400_000 * 86_400_000
        [told] = open_store(writer.address).buckets(
            BEACON, BATT, device, Period(day, day + 86_400_000, day, 86_400_000)
        )
        assert (told.final, told.low, told.values) == (12_058, 9_000, 60)
        assert told.last == series.point_ms(T + 60 * 58, 58)

    def test_a_newer_version_sends_fields_that_we_do_not_know(self, writer, device):
        values = [*beacon(batt_mv=12_345), 77, b"new", None, 5]
        writer.write([row(device, 0, T, values)])
        told = ask(writer, BATT, [Span(device, T, T + 60)], T, T + 60)
        assert told.last == [12.345]
        [sample] = open_store(writer.address).newest(BEACON, device, 0, ms_of_t(T + 60), 5)
        assert sample.values["batt_mv"] == 12_345
        assert sample.values["temp_dc"] == 215

    def test_a_flawed_record_gives_its_good_values(self, writer, device):
        bad = beacon(batt_mv=70_000, lat=31.0)  # beyond the field's range
        writer.write([row(device, 0, T, bad)._replace(flawed=True)])
        assert ask(writer, BATT, [Span(device, T, T + 60)], T, T + 60).t == []
        [sample] = open_store(writer.address).newest(BEACON, device, 0, ms_of_t(T + 60), 5)
        assert sample.values["lat_e6"] == 31_000_000

    def test_the_newest_lie_over_the_end_of_a_month(self, writer, device):
        end = moment_t("2026-07-01")
        writer.write([report(device, n, t=end - 1500 + 600 * n) for n in range(6)])
        newest = open_store(writer.address).newest(BEACON, device, 0, ms_of_t(end + 86_400), 5)
        assert [sample.seq for sample in newest] == [1, 2, 3, 4, 5]
        told = ask(writer, BATT, [Span(device, end - 3600, end + 3600)], end - 3600, end + 3600)
        assert told.count == [1] * 6

    def test_text_stays_out_of_the_numbers(self, writer, device):
        kind = schema.SCHEMAS[schema.ENERGY_COUNT]
        values = [4_000_000_000, None, -2, 1, 40, b"202410010001"]
        writer.write([row(device, 0, T, values, kind=schema.ENERGY_COUNT)])
        [sample] = open_store(writer.address).newest(kind, device, 0, ms_of_t(T + 60), 5)
        told = {name: value for name, value in sample.values.items() if name != "meter_id"}
        assert told == {"imported": 4_000_000_000, "count_e": -2, "pt": 1, "ct": 40}
        period = Period(ms_of_t(T), ms_of_t(T + 60), 0, 24 * HOUR_MS)
        imported = fields()["energy-count.imported"]
        [told] = open_store(writer.address).buckets(kind, imported, device, period)
        assert told.final == 4_000_000_000


def moment_t(day):
    """Return a day's first second in record time."""
    return (
        int(time.mktime(time.strptime(f"{day} UTC", "%Y-%m-%d %Z")))
        - time.timezone
        - series.EPOCH_2020
    )


def some_records(rng, device, start, days):
    """Return records of one device: by the minute, by ten, by three hours, and gaps between."""
    records = []
    t, seq, boot = start, 0, 1
    while t < start + days * 86_400:
        pace = (600, 60, 10_800, 600)[(t - start) // 86_400 // 3 % 4]
        if pace == 60 and rng.random() < 0.9:
            t += pace * rng.choice((1, 2, 3, 45))
            continue
        t += pace + rng.randrange(5)
        seq += 1
        if rng.random() < 0.01:
            boot, seq, t = boot + 1, 0, t + rng.randrange(20_000)
        values = beacon(
            lit=rng.choice((True, False, None)),
            batt_mv=rng.choice((None, 12_000 + rng.randrange(900))),
            temp_dc=rng.randrange(-400, 400),
        )
        values[4] = rng.randrange(0, 3000) if t // 40_000 % 2 else None  # the lamp's, by night
        undated = rng.random() < 0.02
        records.append(row(device, seq, t, values, boot=boot, dated=2 if undated else 0))
    return records


def plain_buckets(records, kind, period):
    """Return the buckets by plain counting."""
    found = {}
    at = [field[0] for field in BEACON[3]].index(kind.column)
    for record in records:
        values = cbor2.loads(record.raw)[schema.HEAD_ITEMS :]
        value = values[at] if at < len(values) else None
        if kind.bit is not None:
            value = flag(value, kind.bit)
        if record.dated == body.UNDATED or value is None:
            continue
        ts = series.point_ms(record.time, record.seq)
        if period.start <= ts < period.end:
            found.setdefault((ts - period.origin) // period.width, []).append((ts, int(value)))
    out = []
    for _, pairs in sorted(found.items()):
        values = [value for _, value in pairs]
        first, last = min(pairs), max(pairs)
        out.append(
            Bucket(first[0], last[0], min(values), max(values), sum(values), len(values), last[1])
        )
    return out


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "sqlite:broken", "sqlite:file"])
def test_a_store_that_does_not_answer_says_so(tmp_path, address):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "2026-05.sqlite").write_bytes(b"this is no database, " * 100)
    (tmp_path / "file").write_bytes(b"of an earlier version")
    store = open_store(address.replace("sqlite:", f"sqlite:{tmp_path}/"))
    with pytest.raises(SeriesError, match=r"127\.0\.0\.1:9|2026-05|folder of months"):
        store.buckets(BEACON, BATT, "a", Period(ms_of_t(T), ms_of_t(T + 1), 0, 1))


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

"""What is SQLite's own: months, rollups, a writer that is killed."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from agent.wire import series
from cloud.registry import Span
from cloud.series import open_store
from cloud.series.store import Period
from cloud.times import ms_of_t
from cloud.values import fields
from tests.cloud.test_series import (
    BATT,
    BEACON,
    HOUR_MS,
    LIT,
    SEED,
    T,
    ask,
    moment_t,
    plain_buckets,
    report,
    some_records,
)
from tests.series import SQLiteWriter

KILLS = 5


def test_a_folder_or_table_that_is_not_there_yet_has_no_data(tmp_path):
    writer = SQLiteWriter(tmp_path)
    writer.path.rmdir()
    assert ask(writer, BATT, [Span("a", T, T + 60)], T, T + 60).t == []
    writer.path.mkdir()
    sqlite3.connect(writer.path / "2026-05.sqlite").close()
    (writer.path / "notes.txt").write_text("not a month")
    assert ask(writer, BATT, [Span("a", T, T + 60)], T, T + 60).t == []
    assert open_store(writer.address).newest(BEACON, "a", 0, ms_of_t(T), 5) == []


def test_a_month_of_an_older_version_lacks_columns_and_grows(tmp_path):
    writer = SQLiteWriter(tmp_path)
    older = (*BEACON[:3], BEACON[3][:3])
    with closing(sqlite3.connect(writer.path / "2026-05.sqlite")) as db, db:
        db.execute(series.DEVICES)
        db.execute(series.create_table(older))
        for level in series.ROLLUPS:
            db.execute(series.create_rollup(older, level))
        db.execute("INSERT INTO devices VALUES (1, 'a')")
        db.execute(
            "INSERT INTO beacon VALUES (1, ?, 1, 0, 0, 257, 31, 122, NULL)",
            (series.point_ms(T, 0),),
        )
    assert ask(writer, BATT, [Span("a", T, T + 60)], T, T + 60).t == []
    [sample] = open_store(writer.address).newest(BEACON, "a", 0, ms_of_t(T + 60), 5)
    assert sample.values == {"flags": 257, "lat_e6": 31, "lon_e6": 122}
    writer.write([report("a", n, t=T + 60 * n) for n in range(1, 40)])
    assert ask(writer, BATT, [Span("a", T, T + 60)], T, T + 60).t == []
    assert ask(writer, BATT, [Span("a", T, T + 999)], T, T + 121).count == [1, 1]
    assert ask(writer, LIT, [Span("a", T, T + 86_400)], T, T + 86_400, 10).count == [40]


def test_wide_buckets_come_from_rollups(tmp_path):
    writer = SQLiteWriter(tmp_path)
    writer.write([report("a", n, t=T + 60 * n) for n in range(3000)])
    with closing(sqlite3.connect(writer.path / "2026-05.sqlite")) as db, db:
        kept = db.execute("SELECT count(*) FROM beacon_hour").fetchone()
        assert kept == (51,)
        db.execute("UPDATE beacon_hour SET high_batt_mv = 99999")
    day = ms_of_t(T) // 86_400_000 * 86_400_000
    store = open_store(writer.address)
    period = Period(day, day + 3 * 86_400_000, day, HOUR_MS)
    assert {b.high for b in store.buckets(BEACON, BATT, "a", period)} == {99_999}
    narrow = period._replace(width=HOUR_MS - 1)
    assert {b.high for b in store.buckets(BEACON, BATT, "a", narrow)} == {12_600}


def test_slow_reporters_have_no_rollups_to_carry(tmp_path):
    writer = SQLiteWriter(tmp_path)
    writer.write([report("a", n, t=T // 43_200 * 43_200 + n * 600) for n in range(144)])
    writer.write([report("b", n, t=T + 10_800 * n) for n in range(20)])
    with closing(sqlite3.connect(writer.path / "2026-05.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM beacon_hour").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM beacon_halfday").fetchone() == (2,)


def test_it_reads_while_the_gateway_is_writing(tmp_path):
    writer = SQLiteWriter(tmp_path)
    writer.write([report("a", n) for n in range(3)])
    with closing(sqlite3.connect(writer.path / "2026-05.sqlite")) as busy:
        busy.execute("BEGIN IMMEDIATE")
        busy.execute("UPDATE beacon SET batt_mv = 0")
        told = ask(writer, BATT, [Span("a", T, T + 3600)], T, T + 3600)
        assert told.last == [12.6] * 3


def test_a_year_needs_no_more_points_than_asked_for(tmp_path):
    writer = SQLiteWriter(tmp_path)
    start = T + 1234
    end = start + 2000 * 3600
    writer.write([report("a", n, t=start + 3600 * n) for n in range(2000)])
    for points in (1, 7, 83, 500, 2000):
        told = ask(writer, BATT, [Span("a", T, end)], start, end, points)
        assert len(told.t) <= points
        assert sum(told.count) == 2000


def all_records():
    """Return what the writer that is killed has to write."""
    return some_records(random.Random(SEED), "buoy-1", moment_t("2026-05-28"), days=12)


def test_a_writer_that_is_killed_leaves_every_rollup_as_the_records_are(tmp_path):
    rng = random.Random(SEED)
    command = [sys.executable, "-m", "tests.cloud.test_months", str(tmp_path)]
    records = all_records()
    for _ in range(KILLS):
        begin = str(rng.randrange(len(records) // 2))
        with subprocess.Popen([*command, begin, "7"], stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.2))
            assert child.poll() is None, "it had ended already"
            child.send_signal(signal.SIGKILL)
    subprocess.run([*command, "0", "500"], check=True, stdout=subprocess.DEVNULL)
    for path in (tmp_path / "series").glob("*.sqlite"):
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    begin = ms_of_t(moment_t("2026-05-28"))
    store = open_store(f"sqlite:{tmp_path / 'series'}")
    for key in ("beacon.batt_mv", "beacon.lit"):
        for width in (HOUR_MS, 12 * HOUR_MS):
            kind, period = fields()[key], Period(begin, begin + 13 * 86_400_000, begin, width)
            found = store.buckets(BEACON, kind, "buoy-1", period)
            assert found == plain_buckets(records, kind, period)


if __name__ == "__main__":
    _writer = SQLiteWriter(Path(sys.argv[1]))
    _records = all_records()
    _begin, _size = map(int, sys.argv[2:])
    for _at in range(_begin, len(_records), _size):
        _writer.write(_records[_at : _at + _size])
        print(_at, flush=True)

"""The checker finds what it is there to find: a store made by hand, once right and once wrong each way."""

import sqlite3

import cbor2
import pytest

from agent.wire import schema, series
from tests.chain import checker

T = 217_400_000
VALUES = [257, 31_000_000, 122_000_000, 12, 5, 12_600]
LEDGER = {
    "dev": {
        (1, 0): cbor2.dumps([schema.BEACON, 1, 0, -1 - 7, *VALUES]),  # dated by the clock record
        (1, 1): cbor2.dumps([schema.CLOCK, 1, 1, T + 9, 9, 1, 20]),
        (1, 2): cbor2.dumps([schema.BEACON, 1, 2, T + 10, *VALUES]),
        (1, 3): cbor2.dumps([schema.AIS, 1, 3, T + 10, 1, 412_000_000]),
    }
}


@pytest.fixture
def stores(tmp_path):
    month, centre = tmp_path / "series", tmp_path / "centre"
    month.mkdir()
    centre.mkdir()
    file = sqlite3.connect(month / "2026-11.sqlite", isolation_level=None)
    file.execute(series.DEVICES)
    file.execute("INSERT INTO devices VALUES (1, 'dev')")
    file.execute(series.create_table(schema.SCHEMAS[schema.BEACON]))
    for (t, seq), dated in (((T + 7, 0), 1), ((T + 10, 2), 0)):
        ms = (t + checker.EPOCH_2020) * 1000 + seq
        file.execute(
            "INSERT INTO beacon (dev, ts, boot, seq, dated, flags, lat_e6, lon_e6, sats, lamp_ma,"
            " batt_mv) VALUES (1, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)",
            (ms, seq, dated, *VALUES),
        )
    events = sqlite3.connect(centre / "centre.sqlite", isolation_level=None)
    events.execute("CREATE TABLE events (device, boot, seq, record)")
    for seq in (1, 3):
        events.execute("INSERT INTO events VALUES ('dev', 1, ?, ?)", (seq, LEDGER["dev"][1, seq]))
    events.execute("CREATE TABLE conflicts (id)")
    events.execute("CREATE TABLE refused (id)")
    yield file, events, lambda: checker.compare(LEDGER, month, centre)
    file.close()
    events.close()


def test_what_is_right_is_clean(stores):
    verdict = stores[2]()
    assert verdict.clean, verdict
    assert (verdict.series, verdict.events) == (2, 2)


@pytest.mark.parametrize(
    ("store", "harm", "found"),
    [
        (0, "DELETE FROM beacon WHERE seq = 2", {"lost": 1}),
        (0, "UPDATE beacon SET lat_e6 = 31000001 WHERE seq = 0", {"altered": 1}),
        (0, "UPDATE beacon SET batt_mv = NULL WHERE seq = 0", {"altered": 1}),
        (0, "UPDATE beacon SET dated = 0 WHERE seq = 0", {"altered": 1}),
        (0, "UPDATE beacon SET ts = ts + 1000 WHERE seq = 0", {"lost": 1, "doubled": 1}),
        (
            0,
            "INSERT INTO beacon (dev, ts, boot, seq, dated) VALUES (1, 1795000000000, 1, 2, 0)",
            {"doubled": 1},
        ),
        (
            0,
            "INSERT INTO beacon (dev, ts, boot, seq, dated) VALUES (1, 1795000000000, 1, 9, 0)",
            {"strange": 1},
        ),
        (1, "DELETE FROM events WHERE seq = 3", {"lost": 1}),
        (1, "INSERT INTO events SELECT * FROM events WHERE seq = 3", {"doubled": 1}),
        (1, "UPDATE events SET record = x'00' WHERE seq = 1", {"altered": 1}),
        (1, "INSERT INTO events VALUES ('dev', 1, 7, x'00')", {"strange": 1}),
        (1, "INSERT INTO conflicts VALUES (1)", {"strange": 1}),
    ],
)
def test_what_is_wrong_is_found(store, harm, found, stores):
    stores[store].execute(harm)
    verdict = stores[2]()
    counts = {"lost": 0, "doubled": 0, "altered": 0, "strange": 0}
    assert {name: getattr(verdict, name) for name in counts} == counts | found
    assert not verdict.clean

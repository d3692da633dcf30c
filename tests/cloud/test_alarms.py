"""Which alarms of devices stand, whatever order their records come in."""

from contextlib import closing
from itertools import permutations

import pytest

from agent.wire import codes, schema
from cloud import times
from cloud.store import alarms, latest
from cloud.store.database import Database
from cloud.store.records import Arrival
from cloud.views import alarms as view
from tests.cloud.support import entry, now_t, record

RAISED = [codes.ALARM_OFF_STATION, 1, 812, 450, codes.LEVEL_ALARM]
CLEARED = [codes.ALARM_OFF_STATION, 0]


def arrival(schema_id, boot, seq, t, values, received_t=1000):
    return Arrival(
        "buoy-1", boot, seq, schema_id, t, 0, 1, times.ms_of_t(received_t),
        record(schema_id, boot, seq, t, values),
    )  # fmt: skip


@pytest.fixture
def fold(tmp_path):
    opened = []

    def told(arrivals):
        """Return what stands after arrivals, one delivery each."""
        path = tmp_path / f"{len(opened)}.sqlite"
        with closing(Database.open(f"sqlite:///{path}")) as database:
            opened.append(database)
            for one in arrivals:
                with database.write() as connection:
                    latest.fold_devices(connection, [one])
                    alarms.fold(connection, [one])
            with database.read() as connection:
                return alarms.standing(connection, None).get("buoy-1", [])

    return told


CASES = {
    "raised": ([(schema.ALARM, 1, 1, 10, RAISED)], [codes.ALARM_OFF_STATION]),
    "cleared": ([(schema.ALARM, 1, 1, 10, RAISED), (schema.ALARM, 1, 2, 20, CLEARED)], []),
    "the clock went back between": (
        [(schema.ALARM, 1, 1, 500, RAISED), (schema.ALARM, 1, 2, 20, CLEARED)],
        [],
    ),
    "a start ends it": ([(schema.ALARM, 1, 1, 10, RAISED), (schema.BIRTH, 2, 0, 30, [1])], []),
    "and the new boot raises it again": (
        [
            (schema.ALARM, 1, 1, 10, RAISED),
            (schema.BIRTH, 2, 0, 30, [1]),
            (schema.ALARM, 2, 5, 40, RAISED),
        ],
        [codes.ALARM_OFF_STATION],
    ),
    "its own boot's start does not": (
        [(schema.BIRTH, 1, 0, 5, [1]), (schema.ALARM, 1, 1, 10, RAISED)],
        [codes.ALARM_OFF_STATION],
    ),
    "phases are told apart": (
        [
            (schema.ALARM, 1, 1, 10, [codes.ALARM_VOLTAGE_LOW, 1, 1900, 1980, 2, 1]),
            (schema.ALARM, 1, 2, 11, [codes.ALARM_VOLTAGE_LOW, 1, 1900, 1980, 2, 2]),
            (schema.ALARM, 1, 3, 12, [codes.ALARM_VOLTAGE_LOW, 0, 2200, 1980, None, 1]),
        ],
        [codes.ALARM_VOLTAGE_LOW],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_no_order_changes_what_stands(fold, case):
    records, expected = CASES[case]
    made = [arrival(*one) for one in records]
    for order in permutations(made):
        assert [one.what for one in fold([*order, order[0]])] == expected


def test_an_undated_alarm_is_seen_at_once(fold):
    assert len(fold([arrival(schema.ALARM, 1, 1, None, RAISED)])) == 1


def test_the_gravest_comes_first(fold):
    told = [
        arrival(schema.ALARM, 1, 1, 10, [codes.ALARM_TILT, 1, 500, 450, codes.LEVEL_WARNING]),
        arrival(schema.ALARM, 1, 2, 10, [codes.ALARM_ADRIFT, 1, 250, 50, codes.LEVEL_AT_ONCE]),
        arrival(schema.ALARM, 1, 3, 10, [codes.ALARM_HATCH, 1]),
    ]
    assert [one.what for one in fold(told)] == [
        codes.ALARM_ADRIFT,
        codes.ALARM_HATCH,
        codes.ALARM_TILT,
    ]


@pytest.mark.parametrize(
    "values",
    [
        [],
        [None],
        [codes.ALARM_HATCH],
        [codes.ALARM_HATCH, 7],
        [b"x", 1],
        [codes.ALARM_HATCH, b"1"],
    ],
)
def test_what_says_nothing_raises_nothing(fold, values):
    assert fold([arrival(schema.ALARM, 1, 1, 10, values)]) == []


def test_it_is_told_with_words_and_units(centre):
    t = now_t()
    centre.ingest([entry("buoy-1", schema.ALARM, 1, 1, t, RAISED)])
    centre.ingest([entry("buoy-1", schema.ALARM, 1, 2, t, [codes.ALARM_SENSOR, 1, 600, 60, 1, 5])])
    told = centre.asset("c1")["alarms"]
    assert [one["what"] for one in told] == ["off-station", "sensor-silent"]
    assert (told[0]["value"], told[0]["limit"], told[0]["unit"]) == (81.2, 45, "m")
    assert told[1]["part"] == "photocell"
    assert centre.get("/api/devices/buoy-1")["alarms"] == told


def test_a_berth_has_the_alarms_of_its_piles(centre):
    low = [codes.ALARM_VOLTAGE_LOW, 1, 1900, 1980, 2, 3]
    centre.ingest([entry("pile-1", schema.ALARM, 1, 1, now_t(), low)])
    for asset in ("p1", "b1"):
        (told,) = centre.asset(asset)["alarms"]
        assert (told["what"], told["part"], told["value"]) == ("voltage-low", "C", 190)


def test_every_alarm_has_a_word_and_a_level():
    assert set(view._WHAT) >= set(view.words.ALARM_UNITS)

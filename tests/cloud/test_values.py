"""Natural units, flags that may be unknown, and how old is too old."""

import pytest

from agent.wire import codes, schema
from cloud.freshness import interval_after, judge
from cloud.values import fields, flag, read, scale
from tests.cloud.support import beacon, record


@pytest.mark.parametrize(
    ("number", "exponent", "natural"),
    [
        (12_610, -3, 12.61),
        (31_101_234, -6, 31.101234),
        (-40, -1, -4.0),
        (8600, 0, 8600),
        (7, 2, 700),
        (0xFFFFFFFF, -2, 42_949_672.95),
    ],
)
def test_a_value_is_the_nearest_float_there_is(number, exponent, natural):
    assert scale(number, exponent) == natural


def test_a_whole_number_stays_whole():
    assert isinstance(scale(8600, 0), int)


@pytest.mark.parametrize(
    ("bits", "state"),
    [
        (0x0101, True),
        (0x0100, False),
        (0x0001, None),
        (0x0000, None),
        (None, None),
        (0x0201, None),
    ],
)
def test_a_state_that_was_not_measured_is_unknown(bits, state):
    assert flag(bits, 0) is state


def test_every_field_of_every_schema_is_read_in_its_unit():
    for row in schema.SCHEMAS[1:]:
        values = [
            b"ab" if f[1] == "bytes" and f[3] <= 2 else b"abcd" if f[1] == "bytes" else f[4]
            for f in row[3]
        ]
        told = read(record(row[0], 1, 1, 100, values))
        assert set(told) == {key for key in fields() if key.partition(".")[0] == row[1]}
        assert None not in told.values(), row[1]


def test_a_short_record_has_the_rest_not_measured():
    told = read(record(schema.BEACON, 1, 1, 100, [0x0101]))
    assert told["beacon.lit"] is True
    assert told["beacon.charging"] is None
    assert told["beacon.batt_mv"] is None


def test_a_value_of_the_wrong_kind_or_range_is_not_measured():
    values = beacon()
    values[5] = b"12"
    values[8] = 30_000
    told = read(record(schema.BEACON, 1, 1, 100, values))
    assert told["beacon.batt_mv"] is None
    assert told["beacon.temp_dc"] is None
    assert told["beacon.sats"] == 12


def test_codes_have_names_and_unknown_ones_stay_numbers():
    birth = [codes.RESET_WATCHDOG, 1, b"0.1.0", b"esp32s3", b"\x01\x02\x03\x04", 3, 0]
    told = read(record(schema.BIRTH, 1, 1, 100, birth))
    assert told["birth.reset"] == "watchdog"
    assert told["birth.profile"] == "beacon"
    assert told["birth.version"] == "0.1.0"
    assert told["birth.config_hash"] == "01020304"
    assert read(record(schema.BIRTH, 1, 1, 100, [1, 2]))["birth.profile"] == "shorepower"


def test_text_that_is_none_is_told_as_bytes():
    told = read(record(schema.AIS_STATIC, 1, 1, 100, [5, 1, None, None, b"\x00\xffA", b"NAME"]))
    assert told["ais-static.callsign"] == "00ff41"
    assert told["ais-static.name"] == "NAME"


@pytest.mark.parametrize(
    ("values", "kwh"),
    [
        ([123_456, None, -2, 1, 40, b"1"], 49_382.4),
        ([123_456, None, -2], 1_234.56),
        ([4_294_967_295, None, -3, 100, 80, b"1"], 34_359_738_360.0),
        ([5, None, 1, 1, 1], 50),
        ([5, None, None, 1, 1], None),
        ([None, None, -2, 1, 1, b"1"], None),
    ],
)
def test_an_energy_register_is_told_in_kwh(values, kwh):
    told = read(record(schema.ENERGY_COUNT, 1, 1, 100, values))
    assert told["energy-count.imported_kwh"] == kwh
    assert told["energy-count.exported_kwh"] is None


def test_a_schema_of_tomorrow_has_no_values():
    assert read(record(len(schema.SCHEMAS), 1, 1, 100, [1])) == {}


class TestFreshness:
    @pytest.mark.parametrize(
        ("age", "interval", "state"),
        [
            (0, 10, "live"),
            (60, 10, "live"),
            (61, 10, "overdue"),
            (600, 10, "overdue"),
            (601, 10, "silent"),
            (1500, 600, "live"),
            (1501, 600, "overdue"),
            (6001, 600, "silent"),
            (1500, None, "live"),
            (-5, 10, "live"),
        ],
    )
    def test_by_age_and_interval(self, age, interval, state):
        assert judge(1000 - age, interval, 1000).state == state

    def test_never(self):
        assert judge(None, 10, 1000).state == "never"

    def test_the_ages_told_are_those_at_which_the_judgement_changes(self):
        told = judge(0, 30, 0)
        assert judge(0, 30, int(told.overdue_s)).state == "live"
        assert judge(0, 30, int(told.overdue_s) + 1).state == "overdue"
        assert judge(0, 30, int(told.silent_s) + 1).state == "silent"

    def test_an_outage_says_little_about_the_interval(self):
        interval = None
        for gap in [600] * 5 + [3 * 86_400]:
            interval = interval_after(interval, gap)
        assert interval < 1200
        for _ in range(8):
            interval = interval_after(interval, 600)
        assert interval == pytest.approx(600, rel=0.1)

    def test_a_new_pace_is_soon_seen(self):
        interval = 600.0
        for _ in range(12):
            interval = interval_after(interval, 60)
        assert interval < 100

    def test_two_records_of_one_second_say_nothing(self):
        assert interval_after(600, 0) == 600
        assert interval_after(None, 0) is None

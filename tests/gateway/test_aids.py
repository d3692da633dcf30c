"""Aids heard by AIS become devices' records: frames from the air (reference/navaid.md §6)."""

import threading

import pytest

from agent.wire import codes, schema
from gateway.config_inputs import Aid
from gateway.inbox import Delivery, Inbox
from gateway.inputs.counts import Counts
from gateway.inputs.starts import Starts
from gateway.inputs.station import asm
from gateway.inputs.station.aids import Aids
from gateway.inputs.station.ais import AISReader
from gateway.inputs.station.ais_records import records_of
from gateway.inputs.station.sentences import SentenceReader
from tests.gateway.ledger import Ledger

NOW = 1_790_000_000_000
T = NOW // 1000 - 1_577_836_800
ZENI = b"!AIVDM,1,1,,A,6>l4uk@0w2Td000000U00P0,2*5A"  # 6/0/0 994131405, 14.8 V, light off, on position
GLA = b"!AIVDM,1,1,4,B,6>jR0600V:C0>da4P106P00,2*02"  # 235/10 992509976, 13.70 V, racon, light off
FIXED = b"!AIVDM,1,1,,A,E>j9driW9WhH@860b37a6P00000@ATm`?Tni000000dh20,4*79"  # 21 992111851, off=1
LIT, OFF, FAULT = codes.LIT, codes.OFF_STATION, codes.LIGHT_FAULT


def known(*bits):
    return sum(bit << codes.KNOWN_SHIFT for bit in bits)


class Heard:
    """Feeds sentences and records to `Aids` and keeps what comes of them."""

    def __init__(self, tmp_path, table):
        self.aids = Aids(table, Starts(tmp_path / "starts"), 600)
        self.inbox = Inbox(100)
        self.ledger = Ledger(self.inbox)
        self.ais = AISReader(Counts(""))
        self.sentences = SentenceReader(Counts(""))

    def feed(self, line, at_ms=NOW):
        (sentence,) = self.sentences.feed(line + b"\r\n", at_ms)
        heard = self.ais.take(sentence, at_ms)
        if heard.kind in (6, 8):
            bits = len(heard.bits)
            self.aids.application(asm.decode(heard.bits.get_bytes(0, bits), bits), at_ms)
        for schema_id, values in records_of(heard):
            if schema_id == schema.AIS_ATON:
                self.aids.aton(values, at_ms)

    def of(self, device, schema_id):
        messages = self.aids.take(NOW)
        if messages:
            committed = threading.Event()
            self.inbox.put(Delivery(messages, committed.set))
            assert committed.wait(5)
        return [row[3:] for row in self.ledger.of(device, schema_id)]


@pytest.fixture
def heard(tmp_path):
    made = []

    def make(**table):
        aids = {int(mmsi[1:]): Aid(*aid) for mmsi, aid in table.items()}
        made.append(Heard(tmp_path, aids))
        return made[-1]

    yield make
    for one in made:
        one.ledger.close()


def aton(mmsi, status=0xE4, *, off=0, second=30, lat=31_100_000, virtual=0):
    return [mmsi, 30, b"C1", None, lat, 122_200_000, 1, off, status, virtual, second, 1] + [
        None
    ] * 6


def test_a_zeni_lite_aid(heard):
    h = heard(m994131405=("c1-ais", True))
    h.feed(ZENI)
    (row,) = h.of("c1-ais", schema.BEACON)
    assert row == [T, known(LIT, OFF), None, None, None, None, 14_800]
    assert h.of("c1-ais", schema.ALARM) == []
    assert h.of("c1-ais", schema.BIRTH) == [[T, None, None, None, b"ais-aid"]]


def test_a_gla_aid_and_one_that_is_fixed(heard):
    h = heard(m992509976=("rock-ais", False), m992111851=("tower-ais", False))
    h.feed(GLA)
    h.feed(FIXED)
    assert h.of("rock-ais", schema.BEACON)[0][1] == known(LIT, FAULT)
    assert h.of("rock-ais", schema.BEACON)[0][6] == 13_700
    # It says that it is off its position, as fixed ones do.
    flags, lat, lon = h.of("tower-ais", schema.BEACON)[0][1:4]
    assert not flags & (OFF | known(OFF))
    assert (lat, lon) != (None, None)


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        (0x00, 0),
        (0xE0, 0),  # no light, or not monitored
        (0xE2, LIT | known(LIT, FAULT)),
        (0xE4, known(LIT, FAULT)),
        (0xE6, FAULT | known(FAULT)),
        (0xE7, FAULT | known(FAULT)),
        (0xC6, 0),  # another page
    ],
)
def test_status_bits(heard, status, flags):
    h = heard(m991234567=("c1-ais", True))
    h.aids.aton(aton(991234567, status, second=60), NOW)
    assert h.of("c1-ais", schema.BEACON)[0][1] == flags


@pytest.mark.parametrize(
    ("off", "second", "flags"),
    [(1, 59, OFF | known(OFF)), (0, 0, known(OFF)), (1, 60, 0), (1, 63, 0)],
)
def test_off_position_needs_a_measured_position(heard, off, second, flags):
    h = heard(m991234567=("c1-ais", True))
    h.aids.aton(aton(991234567, 0, off=off, second=second), NOW)
    assert h.of("c1-ais", schema.BEACON)[0][1] == flags


def test_a_virtual_aid_has_no_position(heard):
    h = heard(m991234567=("c1-ais", True))
    h.aids.aton(aton(991234567, virtual=1), NOW)
    assert h.of("c1-ais", schema.BEACON) == [[T, known(LIT, FAULT, OFF)]]


def report(mmsi=994131405, *, low=False, light=True, off=False, supply=12_000):
    return asm.Application(6, mmsi, 1, 0, 0, asm.SupplyReport(0, supply, 0, True, light, low, off))


def test_a_battery_that_is_low_is_an_alarm_once(heard):
    h = heard(m994131405=("c1-ais", True))
    for n, low in enumerate((False, False, True, True, False, False, True)):
        h.aids.application(report(low=low), NOW + 60_000 * n)
    alarms = [row[1:] for row in h.of("c1-ais", schema.ALARM)]
    assert [(what, active) for what, active, *_ in alarms] == [(1, 1), (1, 0), (1, 1)]
    assert alarms[0][2] == 12_000


def test_reports_are_thinned_and_changes_are_not(heard):
    h = heard(m994131405=("c1-ais", True))
    for n in range(0, 1200, 5):
        h.aids.application(report(off=n >= 300), NOW + 1000 * n)
    times = [row[0] - T for row in h.of("c1-ais", schema.BEACON)]
    assert times == [0, 300, 900]
    # The clock is set back by a day: it is not silent for a day.
    h.aids.application(report(off=True), NOW - 86_400_000)
    assert len(h.of("c1-ais", schema.BEACON)) == 4


def test_a_voltage_does_not_take_the_position_away_but_age_does(heard):
    h = heard(m994131405=("c1-ais", True))
    h.aids.aton(aton(994131405), NOW)
    h.aids.application(report(), NOW + 600_000)
    h.aids.application(report(off=True), NOW + 901_000)
    rows = [row[1:] for row in h.of("c1-ais", schema.BEACON)]
    assert [row[1:3] for row in rows] == [
        [31_100_000, 122_200_000], [31_100_000, 122_200_000], [None, None],
    ]  # fmt: skip
    assert rows[1][5] == 12_000


def test_weather_of_an_aid(heard):
    h = heard(m994131405=("c1-ais", True))
    calm = asm.Current(None, None, None)
    weather = asm.Weather(
        31_000_000, 122_000_000, True, 1, 2, 3, 20, 31, 270, 280, 123, 81, 99, 1013, 0, False, 54,
        None, None, (asm.Current(15, 90, None), calm, calm), *([None] * 7), 187, None, None, None,
    )  # fmt: skip
    told = asm.Application(8, 994131405, None, 1, 31, weather)
    h.aids.application(told, NOW)
    h.aids.application(told, NOW + 900)  # by another station
    (row,) = h.of("c1-ais", schema.WEATHER)
    assert row[1:] == [103, 2700, 159, 123, 810, 99, 10_130, 10_001, 187, None, 77, 900]


def test_an_aid_that_is_not_in_the_table_is_counted(heard):
    h = heard(m1=("c1-ais", True))
    h.feed(ZENI)
    h.feed(FIXED)
    assert h.aids.take(NOW) == []
    assert h.aids.take_counts() == {"aids.unknown": 1}

"""Application-specific messages, against frames that were on the air and what the agent composes."""

import random
import re
from pathlib import Path
from typing import Any

import pytest
from aid_state import NO_WEATHER, WEATHER, state
from pyais import NMEAMessage

from agent.sense import ais_compose
from agent.sense.ais_write import BINARY, VDM, Bits, lines
from gateway.inputs.station.asm import (
    AidReport,
    BuoyPosition,
    Current,
    SupplyReport,
    Weather,
    decode,
)

LOG = Path(__file__).parents[3] / "shared" / "data" / "ais" / "gpsd-sample.aivdm"
NEEDS_LOG = pytest.mark.skipif(not LOG.exists(), reason="no recorded logs in ../shared/data")

ZENI = b"!AIVDM,1,1,,A,6>l4uk@0w2Td000000U00P0,2*5A"
GLA = (
    b"!AIVDM,1,1,4,B,6>jR0600V:C0>da4P106P00,2*02",
    b"!AIVDM,1,1,,A,6>jQMSP0V:C0>db2@1PRP00,2*5F",
)
NOTHING = Current(None, None, None)


def bits_of(*sentences: bytes) -> tuple[bytes, int]:
    """Return a message's bytes and its length in bits, as pyais puts it together."""
    parts = [NMEAMessage(sentence) for sentence in sentences]
    bv = (NMEAMessage.assemble_from_iterable(parts) if parts[1:] else parts[0]).bv
    return bv.get_bytes(0, len(bv)), len(bv)


def message(*fields: tuple[int, int]) -> tuple[bytes, int]:
    """Return fields, (width, number), as a message."""
    number = size = 0
    for width, value in fields:
        number = number << width | value & (1 << width) - 1
        size += width
    return (number << -size % 8).to_bytes((size + 7) // 8, "big"), size


def composed(kind: int, compose: Any, *arguments: Any) -> Any:
    """Return what is decoded of a message that the agent composed."""
    bits = Bits()
    ais_compose.head(bits, kind, 994131234, 4131403, 0)
    compose(bits, *arguments)
    return decode(*bits_of(*lines(bits, VDM, kind, 4131403, 1, 1).split()))


def armoured(kind: int, found: Any, compose: Any, *arguments: Any) -> bytes:
    """Return the payload that the agent makes of what was decoded."""
    bits = Bits()
    ais_compose.head(bits, kind, found.mmsi, found.dest, 0)
    compose(bits, *arguments)
    return lines(bits, VDM, kind, 0, 0, 0).split(b",")[5]


def test_zeni():
    found = decode(*bits_of(ZENI))
    assert (found.kind, found.mmsi, found.dest, found.dac, found.fi) == (
        6, 994131405, 4131403, 0, 0,
    )  # fmt: skip
    assert found.content == SupplyReport(
        application=0, supply_mv=14800, supply_ma=0, direct_current=True, light_on=False,
        battery_low=False, off_position=False,
    )  # fmt: skip
    said = state(supply_mv=14800, lamp_ma=0, light=2)
    assert armoured(6, found, ais_compose.zeni, 0, said) == ZENI.split(b",")[5]


@pytest.mark.parametrize(
    ("frame", "mmsi", "volts"),
    [(GLA[0], 992509976, (13700, 50, 50)), (GLA[1], 992501134, (26050, 50, 26000))],
)
def test_gla(frame, mmsi, volts):
    found = decode(*bits_of(frame))
    assert (found.mmsi, found.dest, found.dac, found.fi) == (mmsi, 2500912, 235, 10)
    assert found.content == AidReport(
        *volts, racon=2, light=2, alarm=False, inputs=0, off_position=False
    )
    said = state(supply_mv=volts[0], first_mv=volts[1], second_mv=volts[2], racon=2, light=2)
    assert armoured(6, found, ais_compose.gla, 235, said) == frame.split(b",")[5]


@NEEDS_LOG
def test_every_aid_report_of_the_logs_composed_again():
    frames = set()
    for log in LOG.parent.iterdir():
        frames |= set(re.findall(rb"!..VDM,1,1,,[AB],6[^,]{22},2\*..", log.read_bytes()))
    again = 0
    for frame in frames:
        found = decode(*bits_of(frame))
        said = found.content
        if isinstance(said, AidReport):
            values = said._asdict()
            told = state(off=values.pop("off_position"), health=values.pop("alarm"), **values)
            payload = armoured(6, found, ais_compose.gla, found.dac, told)
            assert payload[12:] == frame.split(b",")[5][12:]  # behind repeats and sequence ids
            again += 1
    assert again >= 3


@NEEDS_LOG
def test_weather_with_everything_not_available():
    (frame,) = [
        line.split()[0] for line in LOG.read_bytes().splitlines() if b"8>jR06@0Gwl" in line
    ]
    found = decode(*bits_of(frame))
    nothing = dict.fromkeys(Weather._fields, None) | {
        "lat_e6": 53294933, "lon_e6": -6134067, "accuracy": False, "day": 29, "hour": 23,
        "minute": 24, "visibility_beyond": False, "currents": (NOTHING, NOTHING, NOTHING),
    }  # fmt: skip
    assert found.content == Weather(**nothing)
    said = state(t=218157840, lat_e6=53294933, lon_e6=-6134067, accuracy=False)
    assert armoured(8, found, ais_compose.weather, said, NO_WEATHER) == frame.split(b",")[5]


@NEEDS_LOG
def test_weather_with_older_codes_for_not_available():
    lines_ = LOG.read_bytes().splitlines()
    at = next(
        i for i, line in enumerate(lines_) if b'"mmsi":992611190' in line and b'"fid":31' in line
    )
    frame = [line for line in lines_[at - 3 : at] if line.startswith(b"!")]
    said = decode(*bits_of(*frame)).content
    # What gpsd's own decoding, on the line below the frame, gives of it.
    assert isinstance(said, Weather)
    assert (said.lat_e6, said.lon_e6) == (
        pytest.approx(54411e3, abs=600),
        pytest.approx(18777e3, abs=600),
    )
    assert (said.day, said.hour, said.minute) == (20, 18, 28)
    assert (said.wind_kn, said.gust_kn, said.wind_deg, said.gust_deg) == (17, None, 132, None)
    assert (said.air_dc, said.humidity, said.dew_dc, said.pressure_hpa) == (14, None, -1, 1013)
    assert (said.level_cm, said.level_trend, said.water_dc) == (538, None, -1)
    assert said.currents == (Current(0, 0, None), NOTHING, NOTHING)
    assert (said.wave_dm, said.wave_s, said.wave_deg) == (0, 0, 0)
    assert (said.swell_dm, said.swell_s, said.swell_deg, said.sea_bft) == (None,) * 4
    assert (said.tendency, said.precipitation, said.salinity_dppt, said.ice) == (None,) * 4


def test_every_field_of_what_the_agent_composes():
    rng = random.Random(6)
    for _ in range(300):
        told: dict[str, Any] = {
            "supply_mv": rng.choice((None, 0, 25, 13119, 51150, 60000)),
            "first_mv": rng.choice((None, 18000)),
            "second_mv": rng.choice((None, 5000)),
            "racon": rng.randrange(4),
            "light": rng.randrange(4),
            "health": rng.random() < 0.5,
            "inputs": rng.randrange(256),
            "off": rng.choice((True, False, None)),
            "low": rng.random() < 0.5,
            "lamp_ma": rng.choice((None, 0, 349, 102300, 200000)),
        }
        found = composed(6, ais_compose.gla, 250, state(**told))
        mv = told["supply_mv"]
        expected_mv = None if mv is None else min(max((mv + 25) // 50, 1), 1023) * 50
        assert found.content == AidReport(
            expected_mv, told["first_mv"], told["second_mv"], told["racon"], told["light"],
            told["health"], told["inputs"], bool(told["off"]),
        )  # fmt: skip
        found = composed(6, ais_compose.zeni, 513, state(**told))
        ma = told["lamp_ma"]
        assert found.content == SupplyReport(
            513, 100 * (((mv or 0) + 50) // 100), 100 * min(((ma or 0) + 50) // 100, 1023), True,
            told["light"] == ais_compose.LIGHT_ON, told["low"], bool(told["off"]),
        )  # fmt: skip


def test_the_weather_that_the_agent_composes():
    said = composed(8, ais_compose.weather, state(), WEATHER).content
    assert said == Weather(
        31250000, 121500000, accuracy=True, day=16, hour=13, minute=46, wind_kn=20, gust_kn=30,
        wind_deg=271, gust_deg=None, air_dc=-53, humidity=81, dew_dc=-80, pressure_hpa=1013,
        tendency=None, visibility_beyond=False, visibility_dnm=49, level_cm=123, level_trend=None,
        currents=(Current(15, 91, None), NOTHING, NOTHING), wave_dm=None, wave_s=None, wave_deg=None,
        swell_dm=None, swell_s=None, swell_deg=None, sea_bft=None, water_dc=181,
        precipitation=None, salinity_dppt=None, ice=None,
    )  # fmt: skip
    said = composed(8, ais_compose.weather, state(lat_e6=None, lon_e6=None), NO_WEATHER).content
    assert (said.lat_e6, said.lon_e6) == (None, None)


# Fields of 8/1/31 as SN.1/Circ.289 has them: width, name, lowest and highest value on the wire that has a
# meaning, and what is added to it.
FIELDS = (
    (25, "lon_e6", None, None, 0), (24, "lat_e6", None, None, 0), (1, "accuracy", None, None, 0),
    (5, "day", 1, 31, 0), (5, "hour", 0, 23, 0), (6, "minute", 0, 59, 0),
    (7, "wind_kn", 0, 126, 0), (7, "gust_kn", 0, 126, 0), (9, "wind_deg", 0, 359, 0),
    (9, "gust_deg", 0, 359, 0), (11, "air_dc", -600, 600, 0), (7, "humidity", 0, 100, 0),
    (10, "dew_dc", -200, 500, 0), (9, "pressure_hpa", 0, 402, 799), (2, "tendency", 0, 2, 0),
    (1, "visibility_beyond", None, None, 0), (7, "visibility_dnm", 0, 126, 0),
    (12, "level_cm", 0, 4000, -1000), (2, "level_trend", 0, 2, 0),
    (8, "currents", None, None, 0), (9, "", None, None, 0), (8, "", None, None, 0),
    (9, "", None, None, 0), (5, "", None, None, 0), (8, "", None, None, 0), (9, "", None, None, 0),
    (5, "", None, None, 0), (8, "wave_dm", 0, 251, 0), (6, "wave_s", 0, 60, 0),
    (9, "wave_deg", 0, 359, 0), (8, "swell_dm", 0, 251, 0), (6, "swell_s", 0, 60, 0),
    (9, "swell_deg", 0, 359, 0), (4, "sea_bft", 0, 12, 0), (10, "water_dc", -100, 500, 0),
    (3, "precipitation", 0, 6, 0), (9, "salinity_dppt", 0, 501, 0), (2, "ice", 0, 1, 0),
)  # fmt: skip


def weather_of(*values: int) -> Weather:
    """Return what is decoded of a message with these values; 1 in all further fields."""
    head = ((6, 8), (2, 0), (30, 1), (2, 0), (10, 1), (6, 31))
    fields = [(row[0], 1) for row in FIELDS]
    for i, value in enumerate(values):
        fields[i] = (fields[i][0], value)
    content = decode(*message(*head, *fields, (10, 0))).content
    assert isinstance(content, Weather)
    return content


def test_ends_of_every_field_of_the_weather():
    for i, (width, name, low, high, offset) in enumerate(FIELDS):
        if low is None or high is None:
            continue
        lowest, highest = (
            (-(1 << width - 1), (1 << width - 1) - 1) if low < 0 else (0, (1 << width) - 1)
        )
        for value in {low - 1, low, high, high + 1, lowest, highest}:
            if lowest <= value <= highest:
                said = weather_of(*[1] * i, value)
                expected = value + offset if low <= value <= high else None
                assert getattr(said, name) == expected, (name, value)


def test_places():
    most = (180 * 60_000, 90 * 60_000)
    for lon, lat in ((0, 0), (1, -1), most, (-most[0], -most[1]), (-most[0], most[1])):
        said = weather_of(lon, lat)
        assert (said.lat_e6, said.lon_e6) == (round(lat / 0.06), round(lon / 0.06))
    for lon, lat in ((most[0] + 1, 0), (-most[0] - 1, 0), (0, most[1] + 1), (0, -most[1] - 1)):
        said = weather_of(lon, lat)
        assert (said.lat_e6, said.lon_e6) == (None, None)


def test_application_data_of_abm_and_bbm_are_those_of_the_message():
    for kind, head, compose, arguments in (
        (6, ((6, 6), (2, 0), (30, 1), (2, 0), (30, 2), (2, 0)), ais_compose.gla, (235, state())),
        (8, ((6, 8), (2, 0), (30, 1), (2, 0)), ais_compose.weather, (state(), WEATHER)),
    ):
        bits = Bits()
        compose(bits, *arguments)
        fields = [line.split(b",") for line in lines(bits, BINARY, kind, 2, 0, 1).split()]
        six = [c - 48 if c < 96 else c - 56 for line in fields for c in line[-2]]
        number = 0
        for value in six:
            number = number << 6 | value
        fill = int(fields[-1][-1][:1])
        size = 6 * len(six) - fill
        found = decode(*message(*head, (size, number >> fill)))
        assert found.content == composed(kind, compose, *arguments).content


@pytest.mark.parametrize("kind", [6, 8])
@pytest.mark.parametrize("dac", [235, 250, 366])
def test_aid_reports_come_in_either_message_and_from_three_countries(kind, dac):
    address = [(2, 1), (30, 2500912)] if kind == 6 else []
    head = [(6, kind), (2, 0), (30, 992501134), *address, (2, 0), (10, dac), (6, 10)]
    body = [(10, 521), (10, 0), (10, 520), (2, 2), (2, 1), (1, 1), (8, 0xA5), (1, 1)]
    found = decode(*message(*head, *body, (4, 0)))
    assert (found.kind, found.dac, found.dest) == (kind, dac, 2500912 if kind == 6 else None)
    assert found.content == AidReport(26050, None, 26000, 2, 1, True, 0xA5, True)


def test_buoy_position():
    name = [ord(c) & 63 for c in "OUTER GABBARD".ljust(34, "@")]
    body = [(6, c) for c in name] + [(5, 31), (5, 23), (6, 59), (28, -600_000), (27, 31_200_000)]
    head = [(6, 6), (2, 0), (30, 992351000), (2, 0), (30, 2320717), (2, 0), (10, 235), (6, 20)]
    found = decode(*message(*head, *body, (1, 1), (4, 0)))
    assert found.content == BuoyPosition("OUTER GABBARD", 31, 23, 59, 52000000, -1000000, True)
    body[34:] = [(5, 0), (5, 24), (6, 60), (28, 0x6791AC0), (27, 0x3412140)]
    found = decode(*message(*head, *body, (1, 0), (4, 0)))
    assert found.content == BuoyPosition("OUTER GABBARD", None, None, None, None, None, False)


def test_what_is_not_read():
    found = decode(*bits_of(b"!AIVDM,1,1,,A,83aDChPj2d<dL<uM=hhhI?a@6HP0,0*40"))
    assert (found.mmsi, found.dac, found.fi, found.content) == (244650946, 200, 10, None)
    # FI 31 of message 6 and FI 0 of message 8 are something else.
    for kind, dac, fi, gap in ((6, 1, 31, 34), (8, 0, 0, 2)):
        head = ((6, kind), (2, 0), (30, 1), (gap, 0), (10, dac), (6, fi), (400, 0))
        assert decode(*message(*head)).content is None


def test_what_is_refused():
    with pytest.raises(ValueError, match="message 21"):
        decode(*bits_of(b"!AIVDM,1,1,,A,E>j9driW9WhH@860b37a6P00000@ATm`?Tni000000dh20,4*79"))
    for frame in (ZENI, *GLA):
        data, size = bits_of(frame)
        for short in range(size - 6 if frame == ZENI else size - 4):
            with pytest.raises(ValueError, match="bits"):
                decode(data, short)
        decode(data, size - 6 if frame == ZENI else size - 4)
    with pytest.raises(ValueError, match="137 bits"):
        decode(bits_of(ZENI)[0], 137)


def test_longer_messages_are_read_as_far_as_the_fields_go():
    data, size = bits_of(ZENI)
    assert decode(data + b"\xff\xff", size + 16) == decode(data, size)


def test_noise():
    rng = random.Random(8)
    for _ in range(3000):
        kind, dac, fi = rng.choice(
            ((6, 235, 10), (6, 0, 0), (8, 1, 31), (6, 235, 20), (8, 366, 10))
        )
        gap = 34 if kind == 6 else 2
        size = rng.randrange(400)
        head = (
            (6, kind),
            (2, 0),
            (30, 1),
            (gap, 0),
            (10, dac),
            (6, fi),
            (size, rng.getrandbits(size or 1)),
        )
        try:
            decode(*message(*head))
        except ValueError as error:
            assert "bits" in str(error)

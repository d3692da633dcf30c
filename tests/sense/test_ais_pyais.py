"""What the agent composes for an AIS unit, decoded by pyais."""

import itertools
import random
from typing import Any

import pyais
import pytest
from aid_state import AID, NO_WEATHER, WEATHER, T, state
from pyais.constants import EpfdType, NavAid
from pyais.messages import MessageType21

from agent.sense import ais_compose
from agent.sense.ais_write import VDM, VDO, Bits, lines

FRAMES_21 = (
    b"!AIVDM,1,1,,A,E>j9driW9WhH@860b37a6P00000@ATm`?Tni000000dh20,4*79",
    b"!AIVDM,1,1,,B,E>jHDL1W73nWaanah7S39T7a2h;wror=@5nL`A2AISd002CQ1PDS@0,4*39",
)

# Bits of message 21 that the agent sets by its own rules, whatever it was told: the second of a surveyed
# position, off position of a fixed aid, the page of the status bits, RAIM.
OWN_RULES = (*range(253, 269),)


def decoded(data: bytes) -> Any:
    assert all(len(line) + 2 <= 82 for line in data.split(b"\r\n"))
    return pyais.decode(*data.split())


def aton(said: tuple[Any, ...], aid: tuple[Any, ...] = AID, form: int = VDM) -> Any:
    bits = Bits()
    ais_compose.aton(bits, aid, said)
    return decoded(lines(bits, form, 21, 0, 0, 1))


def binary(kind: int, compose: Any, *arguments: Any, sequence: int = 0) -> Any:
    bits = Bits()
    ais_compose.head(bits, kind, 994131234, 4131403, sequence)
    compose(bits, *arguments)
    return decoded(lines(bits, VDM, kind, 4131403, sequence, 2))


def test_message_21_as_usual():
    found = aton(state(off=True, health=True, light=3, racon=2))
    assert isinstance(found, MessageType21)
    assert found.asdict() | {"spare_1": b""} == {
        "msg_type": 21, "repeat": 0, "mmsi": 994131234, "aid_type": NavAid.SPECIAL_MARK,
        "name": "WUSONG KOU 12", "accuracy": True, "lon": 121.5, "lat": 31.25, "to_bow": 2,
        "to_stern": 3, "to_port": 1, "to_starboard": 4, "epfd": EpfdType.GPS, "second": 17,
        "off_position": True, "reserved_1": 0xE0 | 2 << 3 | 3 << 1 | 1, "raim": False,
        "virtual_aid": False, "assigned": False, "spare_1": b"", "name_ext": None,
        "full_name": "WUSONG KOU 12",
    }  # fmt: skip


@pytest.mark.parametrize("form", [VDM, VDO])
def test_message_21_at_every_edge(form):
    rng = random.Random(21)
    places = [
        (-90_000_000, -180_000_000),
        (90_000_000, 180_000_000),
        (0, 0),
        (-1, -1),
        (None, None),
    ]
    for kind, (lat, lon), second, off in itertools.product(
        range(32), places, (0, 59, None), (False, True, None)
    ):
        size = rng.randrange(35)
        name = "".join(rng.choice("ABCXYZ 0189-/'().&") for _ in range(size)).strip()
        dims = tuple(
            rng.choice((0, 1, limit - 1, limit, limit + 1)) for limit in (511, 511, 63, 63)
        )
        virtual = rng.randrange(2)
        light, racon, health = rng.randrange(4), rng.randrange(4), rng.random() < 0.5
        aid = (rng.randrange(1 << 30), kind, name, rng.choice((0, 1, 3, 7, 15)), virtual, *dims)
        said = state(
            lat_e6=lat, lon_e6=lon, second=second, off=off, light=light, racon=racon, health=health,
            accuracy=bool(virtual),
        )  # fmt: skip
        found = aton(said, aid, form)
        # pyais strips blanks at the ends of both halves of a name.
        assert (found.name, found.name_ext or "") == (name[:20].strip(), name[20:34].strip())
        assert (int(found.mmsi), int(found.aid_type)) == aid[:2]
        assert (found.lat, found.lon) == pytest.approx(
            (91, 181) if lat is None else (lat / 1e6, lon / 1e6), abs=1e-6
        )
        sizes = (found.to_bow, found.to_stern, found.to_port, found.to_starboard)
        assert sizes == tuple(
            min(d, limit) for d, limit in zip(dims, (511, 511, 63, 63), strict=True)
        )
        assert int(found.epfd) == aid[3]
        known = second is not None and off is not None and lat is not None
        assert found.second == (61 if aid[3] == 7 else second if known else 60)
        assert found.off_position == (bool(off) and kind >= 20 and found.second < 60)
        assert found.reserved_1 == 0xE0 | racon << 3 | light << 1 | health
        assert (found.virtual_aid, found.accuracy) == (virtual, virtual)
        assert (found.raim, found.assigned) == (False, False)


@pytest.mark.parametrize("frame", FRAMES_21)
def test_message_21_of_the_air_composed_again(frame):
    found = pyais.decode(frame)
    assert isinstance(found, MessageType21)
    aid = (
        int(found.mmsi), int(found.aid_type), found.name + (found.name_ext or ""), int(found.epfd),
        int(found.virtual_aid), found.to_bow, found.to_stern, found.to_port, found.to_starboard,
    )  # fmt: skip
    said = state(
        lat_e6=round(found.lat * 1e6), lon_e6=round(found.lon * 1e6), accuracy=found.accuracy,
        second=found.second, off=found.off_position,
    )  # fmt: skip
    bits = Bits()
    ais_compose.aton(bits, aid, said)
    theirs = pyais.NMEAMessage(frame).bv
    assert bits.size == len(theirs)
    for i in range(bits.size):
        if i not in OWN_RULES:
            assert bits.six[i // 6] >> (5 - i % 6) & 1 == theirs.get_num(i, 1), i


def test_weather():
    found = binary(8, ais_compose.weather, state(), WEATHER).asdict()
    expected = {
        "mmsi": 994131234, "dac": 1, "fid": 31, "accuracy": True, "day": 16, "hour": 13, "minute": 46,
        "wspeed": 20, "wgust": 30, "wdir": 271, "wgustdir": 360, "airtemp": -5.3, "humidity": 81,
        "dewpoint": -8.0, "pressure": 1013, "pressuretend": 3, "visgreater": False, "visibility": 4.9,
        "waterlevel": 1.23, "leveltrend": 3, "cspeed": 1.5, "cdir": 91, "watertemp": 18.1,
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    assert (found["lat"], found["lon"]) == (31.25, 121.5)


def test_nothing_measured():
    said = state(t=-5, lat_e6=None, lon_e6=None, accuracy=False)
    found = binary(8, ais_compose.weather, said, NO_WEATHER).asdict()
    # SN.1/Circ.289: the code of each field for "not available".
    expected = {
        "lon": 181.0, "lat": 91.0, "accuracy": False, "day": 0, "hour": 24, "minute": 60,
        "wspeed": 127, "wgust": 127, "wdir": 360, "wgustdir": 360, "airtemp": -102.4,
        "humidity": 101, "dewpoint": 50.1, "pressure": 511 + 799, "pressuretend": 3,
        "visgreater": False, "visibility": 12.7, "waterlevel": 30.01, "leveltrend": 3,
        "cspeed": 25.5, "cdir": 360, "cspeed2": 25.5, "cdir2": 360, "cdepth2": 31, "cspeed3": 25.5,
        "cdir3": 360, "cdepth3": 31, "waveheight": 25.5, "waveperiod": 63, "wavedir": 360,
        "swellheight": 25.5, "swellperiod": 63, "swelldir": 360, "seastate": 13, "watertemp": 50.1,
        "preciptype": 7, "salinity": 51.0, "ice": 3,
    }  # fmt: skip
    assert {key: found[key] for key in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("item", "value", "field", "expected"),
    [
        (0, 0, "wspeed", 0),
        (0, 648, "wspeed", 126),
        (0, 2000, "wspeed", 126),
        (2, 2000, "wgust", 126),
        (1, 0, "wdir", 0),
        (1, 3594, "wdir", 359),
        (1, 3595, "wdir", 0),
        (3, -1000, "airtemp", -60.0),
        (3, 1000, "airtemp", 60.0),
        (4, 0, "humidity", 0),
        (4, 1000, "humidity", 100),
        (5, -1000, "dewpoint", -20.0),
        (5, 1000, "dewpoint", 50.0),
        (6, 5000, "pressure", 799),
        (6, 7994, "pressure", 799),
        (6, 8000, "pressure", 800),
        (6, 12000, "pressure", 1200),
        (6, 12005, "pressure", 1201),
        (7, 0, "visibility", 0.0),
        (7, 23335, "visibility", 12.6),
        (7, 100000, "visibility", 12.6),
        (7, 23427, "visgreater", False),
        (7, 23428, "visgreater", True),
        (8, -100, "watertemp", -10.0),
        (8, 1000, "watertemp", 50.0),
        (9, -100000, "waterlevel", -10.0),
        (9, -1000, "waterlevel", -10.0),
        (9, 3000, "waterlevel", 30.0),
        (9, 100000, "waterlevel", 30.0),
        (10, 0, "cspeed", 0.0),
        (10, 1286, "cspeed", 25.0),
        (10, 2000, "cspeed", 25.1),
        (11, 3599, "cdir", 0),
        (11, 5, "cdir", 1),
    ],
)
def test_ends_of_the_weather(item, value, field, expected):
    values = [*NO_WEATHER]
    values[item] = value
    found = binary(8, ais_compose.weather, state(), tuple(values)).asdict()
    assert found[field] == pytest.approx(expected)


def test_times():
    for t, expected in (
        (0, (1, 0, 0)),
        (T, (16, 13, 46)),
        (86399, (1, 23, 59)),
        (-1, (0, 24, 60)),
    ):
        found = binary(8, ais_compose.weather, state(t=t), NO_WEATHER)
        assert (found.day, found.hour, found.minute) == expected


def test_message_6_reaches_whom_it_should():
    for sequence in range(4):
        found = binary(6, ais_compose.gla, 250, state(), sequence=sequence)
        assert (found.mmsi, found.dest_mmsi, found.seqno) == (994131234, 4131403, sequence)
        assert (found.dac, found.fid, found.retransmit) == (250, 10, False)

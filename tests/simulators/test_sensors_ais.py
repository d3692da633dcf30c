"""The simulated AIS against pyais: every line decodes, with the values put in, when it is due."""

import itertools
import random
from collections import defaultdict
from datetime import UTC, datetime

import pyais
import pytest

from simulators.sensors.ais import (
    AID_TYPES,
    BAUD,
    AidStation,
    BaseStation,
    Channels,
    ShipStation,
    hears,
    six_bit,
)
from simulators.world.aid import Aid, AidSettings
from simulators.world.light import phases
from simulators.world.place import Place
from simulators.world.sea import Sea, SeaSettings
from simulators.world.tide import TideSettings
from simulators.world.traffic import Alongside, Anchorage, Motion, Passage, Shipyard
from simulators.world.weather import WeatherSettings
from simulators.world.wind import WindSettings

START = datetime.fromisoformat("2026-11-22T14:00:00+00:00").timestamp()  # night in Shanghai
HERE = Place(31.1, 122.2)
FAR = HERE.moved(complex(9000, 9000))


class Steady:
    """A ship whose motion the test sets."""

    def __init__(self, motion):
        self.now = motion

    def motion(self, t):
        return self.now


def under_way(sog_kn=10.0, turn=0.0):
    return Motion(HERE, sog_kn, 123.4, 121.6, turn, 0)


def rng(name="x"):
    return random.Random(name)


def aid(*, floating=True):
    sea = Sea(SeaSettings(TideSettings(), WindSettings(), WeatherSettings()), 1, HERE.lon)
    return Aid(
        sea, HERE, AidSettings(), rng(), START, floating=floating, phases=phases("Fl(2) R 6s")
    )


def heard(stations, seconds, step=0.25):
    """Run the channels; return (time, place, decoded message) of all that was sent."""
    channels = Channels()
    channels.stations = list(stations)
    air = []
    for i in range(int(seconds / step)):
        t = START + i * step
        for place, sentences in channels.transmit(t):
            assert all(len(sentence) <= 80 for sentence in sentences)
            air.append((t, place, pyais.decode(*sentences)))
    return air


def test_class_a_position_is_the_motion_put_in():
    ship = Shipyard(rng()).ship()
    air = heard([ShipStation(ship, Steady(under_way()), rng())], 25)
    t, place, message = air[0]
    assert place == HERE
    assert message.msg_type == 1
    assert message.mmsi == ship.mmsi
    assert (message.lat, message.lon) == pytest.approx(HERE, abs=2e-6)
    assert message.speed == 10.0
    assert message.course == 123.4
    assert message.heading == 122
    assert message.turn == 0
    assert message.status == 0
    assert message.second == int(t) % 60


def test_turning_ship_reports_its_turn_and_more_often():
    ship = Shipyard(rng()).ship()
    air = heard([ShipStation(ship, Steady(under_way(turn=-20.0)), rng())], 60)
    positions = [message for _, _, message in air if message.msg_type == 3]
    assert 17 <= len(positions) <= 19
    assert positions[0].turn == pytest.approx(-20.0, rel=0.1)


@pytest.mark.parametrize(
    ("motion", "class_b", "interval"),
    [
        (under_way(10.0), False, 10),
        (under_way(14.5), False, 6),
        (under_way(14.5, turn=10.0), False, 2),
        (under_way(25.0), False, 2),
        (Motion(HERE, 0.1, 0, 0, 0, 1), False, 180),
        (Motion(HERE, 0.0, 0, 0, 0, 5), False, 180),
        (under_way(9.0), True, 30),
        (under_way(1.0), True, 180),
    ],
)
def test_reporting_intervals(motion, class_b, interval):
    ship = Shipyard(rng()).ship(class_b=class_b)
    times = [
        t
        for t, _, message in heard([ShipStation(ship, Steady(motion), rng())], 4 * interval + 1)
        if message.msg_type in {1, 3, 18}
    ]
    assert len(times) == 4
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps == pytest.approx([interval] * 3, abs=0.26)


def test_a_ship_that_gets_under_way_reports_at_the_new_rate_at_once():
    steady = Steady(Motion(HERE, 0.0, 0, 0, 0, 5))
    station = ShipStation(Shipyard(rng()).ship(), steady, rng())
    heard([station], 1)
    steady.now = under_way()
    assert any(message.msg_type == 1 for _, _, message in heard([station], 11))


def test_static_reports_of_both_classes():
    yard = Shipyard(rng())
    big, small = yard.ship(), yard.ship(class_b=True)
    stations = [ShipStation(ship, Steady(under_way()), rng(ship.name)) for ship in (big, small)]
    by_type = defaultdict(list)
    for t, _, message in heard(stations, 720, step=0.5):
        by_type[message.msg_type].append((t, message))
    assert len(by_type[5]) == 2
    static = by_type[5][0][1]
    assert (static.mmsi, static.imo, static.callsign) == (big.mmsi, big.imo, big.callsign)
    assert static.shipname == big.name
    assert static.ship_type == big.ship_type
    assert static.to_bow + static.to_stern == big.length_m
    assert static.to_port + static.to_starboard == big.beam_m
    assert static.draught == big.draught_m
    assert static.destination == big.destination
    eta = datetime.fromtimestamp(by_type[5][0][0] + 6 * 3600, UTC)
    assert (static.month, static.day, static.hour) == (eta.month, eta.day, eta.hour)
    assert len(by_type[24]) == 4
    part_a, part_b = by_type[24][0][1], by_type[24][1][1]
    assert (part_a.partno, part_a.shipname) == (0, small.name)
    assert (part_b.partno, part_b.callsign) == (1, small.callsign)
    assert part_b.to_bow + part_b.to_stern == small.length_m
    (position,) = {message.mmsi for _, message in by_type[18]}
    assert position == small.mmsi


def test_base_station_tells_the_time():
    air = heard([BaseStation(4131201, FAR, rng())], 60)
    assert len(air) == 6
    for t, place, message in air:
        now = datetime.fromtimestamp(t, UTC)
        assert message.msg_type == 4
        assert message.mmsi == 4131201
        assert place == FAR
        assert (message.lat, message.lon) == pytest.approx(FAR, abs=2e-6)
        sent = (message.year, message.month, message.day)
        assert sent == (now.year, now.month, now.day)
        assert (message.hour, message.minute, message.second) == (now.hour, now.minute, now.second)


@pytest.mark.parametrize("kind", AID_TYPES)
@pytest.mark.parametrize("floating", [False, True])
def test_aid_reports_itself(kind, floating):
    one = aid(floating=floating)
    name = "Yangtze mouth C1 light buoy"
    air = heard([AidStation(994131001, name, kind, one, rng(), floating=floating)], 360, step=1)
    assert len(air) == 2
    _, place, message = air[0]
    assert message.msg_type == 21
    assert message.mmsi == 994131001
    assert message.aid_type == AID_TYPES[kind][floating]
    assert (message.name + message.name_ext) == name.upper()
    assert place == one.place
    assert (message.lat, message.lon) == pytest.approx(one.place, abs=2e-6)
    assert not message.off_position
    assert not message.virtual_aid
    assert message.reserved_1 == 0xE2  # page 7, light on


def test_aid_by_day():
    one = aid()
    one.advance(START + 14 * 3600)
    air = heard([AidStation(994131001, "C1", "port", one, rng(), floating=True)], 180, step=1)
    assert air[0][2].reserved_1 == 0xE4  # page 7, light off


def test_ship_out_of_sight_is_silent():
    steady = Steady(None)
    assert heard([ShipStation(Shipyard(rng()).ship(), steady, rng())], 30) == []


def test_parts_are_numbered_and_channels_alternate():
    channels = Channels()
    yard = Shipyard(rng())
    channels.stations = [
        ShipStation(yard.ship(), Steady(under_way()), rng(str(i))) for i in range(30)
    ]
    sequence, used = [], set()
    for second in range(400):
        for _, sentences in channels.transmit(START + second):
            fields = [sentence.split(",") for sentence in sentences]
            used.add(fields[0][4])
            assert len({field[4] for field in fields}) == 1
            if len(sentences) == 2:
                assert fields[0][3] == fields[1][3]
                sequence.append(int(fields[0][3]))
            else:
                assert fields[0][3] == ""
    assert used == {"A", "B"}
    assert len(sequence) >= 30
    assert all(b == (a + 1) % 10 for a, b in itertools.pairwise(sequence))


def test_reception_fades_with_distance():
    draw = rng()
    heard_of_1000 = [
        sum(hears(draw, miles) for _ in range(1000)) for miles in (0.0, 10, 14, 18, 21, 22, 40)
    ]
    assert heard_of_1000[0] > 970
    assert heard_of_1000[2] > 970
    assert 420 < heard_of_1000[3] < 580
    assert 50 < heard_of_1000[4] < 200
    assert heard_of_1000[5:] == [0, 0]


def test_a_busy_estuary_fits_the_line():
    yard, tide = Shipyard(rng()), Sea(
        SeaSettings(TideSettings(), WindSettings(), WeatherSettings()), 1, HERE.lon
    ).tide  # fmt: skip
    waypoints = [HERE, HERE.moved(complex(-9000, 4000)), FAR]
    channels = Channels()
    channels.stations = [
        *(ShipStation(yard.ship(), Passage(waypoints, 12, rng(str(i))), rng()) for i in range(40)),
        *(ShipStation(yard.ship(), Anchorage(HERE, tide, rng()), rng(str(i))) for i in range(20)),
        ShipStation(yard.ship(), Alongside(HERE, 0), rng()),
    ]
    most = 0
    for second in range(300):
        sentences = [s for _, parts in channels.transmit(START + second) for s in parts]
        most = max(most, sum(len(sentence) + 2 for sentence in sentences))
    assert 0 < most < BAUD / 10


def test_names_are_put_into_the_six_bit_alphabet():
    assert six_bit(" Waigaoqiao №1@ {light} ") == "WAIGAOQIAO 1 LIGHT"

"""Ships: they keep to their tracks, speeds and berths."""

import itertools
import random
from datetime import datetime

import pytest

from simulators.world.place import METRES_PER_MILE, Place, towards
from simulators.world.tide import Tide, TideSettings
from simulators.world.track import Track
from simulators.world.traffic import (
    AT_ANCHOR,
    MOORED,
    UNDER_WAY,
    Alongside,
    Anchorage,
    Passage,
    Shipyard,
)

START = datetime.fromisoformat("2026-11-01T00:00:00+00:00").timestamp()
ORIGIN = Place(31.0, 122.0)
CORNERS = [
    ORIGIN,
    ORIGIN.moved(complex(0, 5000)),  # north
    ORIGIN.moved(complex(5000, 5000)),  # a right turn to the east
    ORIGIN.moved(complex(8000, 8000)),  # a left turn to the north-east
]


def test_track_goes_straight_and_rounds_its_corners():
    track = Track(CORNERS, radius_m=800)
    assert track.at(0).place == pytest.approx(CORNERS[0])
    assert track.at(0).course_deg == pytest.approx(0)
    end = track.at(track.length_m)
    assert end.place == pytest.approx(CORNERS[-1], abs=1e-6)
    assert end.course_deg == pytest.approx(45)
    assert track.at(-5) == track.at(0)
    assert track.at(1e9) == end
    straight = sum(a.miles_to(b) for a, b in itertools.pairwise(CORNERS))
    assert 0.9 * straight * METRES_PER_MILE < track.length_m < straight * METRES_PER_MILE
    curvatures = {round(track.at(d).curvature * 800, 6) for d in range(0, int(track.length_m), 10)}
    assert curvatures == {0, 1, -1}  # to starboard, then to port, with the radius asked for


def test_track_has_no_jumps():
    track = Track(CORNERS, radius_m=800)
    points = [track.at(d) for d in range(0, int(track.length_m), 10)]
    for a, b in itertools.pairwise(points):
        way = a.place.to(b.place)
        assert abs(way) == pytest.approx(10, rel=0.01)
        assert abs((b.course_deg - a.course_deg + 180) % 360 - 180) < 1
        assert abs(way / towards(a.course_deg) - 10) < 0.2  # it goes where it heads


def test_short_legs_make_tighter_turns():
    zigzag = [ORIGIN.moved(complex(100 * (i % 2), 200 * i)) for i in range(6)]
    track = Track(zigzag, radius_m=5000)
    points = [track.at(d) for d in range(0, int(track.length_m), 2)]
    for a, b in itertools.pairwise(points):
        assert abs(a.place.to(b.place)) == pytest.approx(2, rel=0.05)


def test_passage_goes_to_and_fro():
    passage = Passage(CORNERS, 10.0, random.Random("p"))
    seen = [passage.motion(START + 10 * i) for i in range(3 * 8640)]
    there = [motion for motion in seen if motion]
    assert 0 < len(there) < len(seen)  # away at times
    assert {motion.sog_kn for motion in there} == {10.0}
    assert {motion.status for motion in there} == {UNDER_WAY}
    courses = [motion.cog_deg for motion in there]
    assert any(80 < course < 100 for course in courses)  # out
    assert any(260 < course < 280 for course in courses)  # and home
    assert max(abs(motion.turn_deg_min) for motion in there) == pytest.approx(
        10 * 1852 / 3600 / 800 * 57.2958 * 60, rel=0.01
    )
    for a, b in itertools.pairwise(seen):
        if a and b:
            distance = abs(a.place.to(b.place))
            assert distance == pytest.approx(10 * 1852 / 360, rel=0.25)  # 150 m off the line


def test_ships_at_anchor_swing_with_the_tide():
    tide = Tide(TideSettings())
    ship = Anchorage(ORIGIN, tide, random.Random("a"))
    motions = [ship.motion(START + 600 * i) for i in range(150)]
    assert all(abs(ORIGIN.to(motion.place)) == pytest.approx(120) for motion in motions)
    assert all(motion.status == AT_ANCHOR and motion.sog_kn < 0.5 for motion in motions)
    headings = {round(motion.heading_deg / 90) % 4 for motion in motions}
    assert len(headings) >= 2


def test_ships_alongside_lie_still():
    motion = Alongside(ORIGIN, 315).motion(START)
    assert (motion.place, motion.heading_deg, motion.status) == (ORIGIN, 315, MOORED)
    assert motion.sog_kn == 0


def test_shipyard_gives_every_ship_its_own_numbers():
    yard = Shipyard(random.Random("y"))
    ships = [yard.ship(class_b=i % 5 == 0) for i in range(100)]
    assert len({ship.mmsi for ship in ships}) == 100
    for ship in ships:
        assert 413_900_000 < ship.mmsi < 414_000_000
        assert len(ship.name) <= 20
        assert len(ship.callsign) <= 7
        assert 0 < ship.draught_m < 12
        if ship.class_b:
            assert ship.imo == 0
            assert ship.length_m < 40
        else:
            digits = str(ship.imo)
            weighted = sum(int(d) * w for d, w in zip(digits[:6], range(7, 1, -1), strict=True))
            assert len(digits) == 7
            assert weighted % 10 == int(digits[6])  # IMO Res. A.1117(30)

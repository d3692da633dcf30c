"""The simulated receiver against pynmea2: every sentence parses, with the values put in."""

import itertools
import random
from datetime import UTC, datetime

import pynmea2
import pytest

from simulators.sensors.gnss import BAUD, FIX_AFTER_S, TIME_AFTER_S, Receiver
from simulators.sensors.satellites import BEIDOU, GPS, in_view
from simulators.world.fixes import FixSettings
from simulators.world.place import Place

START = int(datetime.fromisoformat("2026-11-22T07:00:00+00:00").timestamp())
PLACE = Place(31.10123, 122.20234)
WARM = START + FIX_AFTER_S


NEVER = 1e15
CALM = FixSettings(
    jump_every_s=NEVER, spike_every_s=NEVER, lost_every_s=NEVER, restart_every_s=NEVER,
    first_m=(4, 10),
)  # fmt: skip


def receiver():
    one = Receiver(random.Random("r"), CALM)
    one.epoch(START, PLACE, 0j, 0.0)
    return one


def parsed(sentences):
    messages = [pynmea2.parse(sentence, check=True) for sentence in sentences]
    return {kind: [m for m in messages if m.sentence_type == kind] for kind in
            ("GGA", "RMC", "VTG", "GSA", "GSV", "ZDA")}  # fmt: skip


def test_position_time_and_motion_are_those_put_in():
    one = receiver()
    errors = []
    for second in range(0, 3600, 7):
        t = WARM + second
        moment = datetime.fromtimestamp(t, UTC)
        sets = parsed(one.epoch(t, PLACE, complex(0.6, -0.8), 1.5))
        (gga,), (rmc,), (vtg,), (zda,) = (sets[kind] for kind in ("GGA", "RMC", "VTG", "ZDA"))
        assert rmc.datetime == moment
        assert gga.timestamp == zda.timestamp == moment.timetz()
        assert (zda.day, zda.month, zda.year) == (moment.day, moment.month, moment.year)
        assert (gga.latitude, gga.longitude) == (rmc.latitude, rmc.longitude)
        errors.append(PLACE.to(Place(gga.latitude, gga.longitude)))
        assert float(gga.altitude) == pytest.approx(4 + 1.5, abs=13)
        assert rmc.status == "A"
        assert gga.gps_qual == 1
        assert float(rmc.spd_over_grnd) == pytest.approx(1.944, abs=0.4)
        assert rmc.true_course == pytest.approx(143.13, abs=12)
        assert float(vtg.spd_over_grnd_kmph) == pytest.approx(
            float(rmc.spd_over_grnd) * 1.852, abs=0.02
        )
    assert max(map(abs, errors)) < 12
    assert 0.5 < (sum(abs(error) ** 2 for error in errors) / len(errors)) ** 0.5 < 5


def test_error_wanders_slowly():
    one = receiver()
    places = []
    for second in range(120):
        (gga,) = parsed(one.epoch(WARM + second, PLACE, 0j, 0.0))["GGA"]
        places.append(PLACE.to(Place(gga.latitude, gga.longitude)))
    steps = [abs(b - a) for a, b in itertools.pairwise(places)]
    assert 0 < max(steps) < 1.0


@pytest.mark.parametrize("place", [Place(-33.99999999, -151.5), Place(0.000001, 179.9999999)])
def test_hemispheres_and_carries(place):
    one = receiver()
    (gga,) = parsed(one.epoch(WARM, place, 0j, 0.0))["GGA"]
    assert place.to(Place(gga.latitude, gga.longitude)) == pytest.approx(0, abs=10)
    assert float(gga.lat[2:]) < 60
    assert float(gga.lon[3:]) < 60


def test_no_course_while_it_lies_still():
    (rmc,) = parsed(receiver().epoch(WARM, PLACE, 0.01 + 0j, 0.0))["RMC"]
    assert rmc.true_course is None
    assert rmc.spd_over_grnd < 0.2


def test_power_up_brings_time_first_and_the_fix_later():
    one = receiver()
    for round_start in (START, START + 1000):
        one.power_up()
        for age in range(40):
            sets = parsed(one.epoch(round_start + age, PLACE, 0j, 0.0))
            (gga,), (rmc,), (zda,) = sets["GGA"], sets["RMC"], sets["ZDA"]
            assert (gga.timestamp is not None) == (age >= TIME_AFTER_S)
            assert (zda.year is not None) == (age >= TIME_AFTER_S)
            fixed = age >= FIX_AFTER_S
            assert rmc.status == ("A" if fixed else "V")
            assert gga.gps_qual == (1 if fixed else 0)
            assert bool(gga.lat) == bool(rmc.lat) == fixed
            assert (int(gga.num_sats) > 7) == fixed
            assert {gsa.mode_fix_type for gsa in sets["GSA"]} == {"3" if fixed else "1"}


def test_satellites_used_are_in_view_and_of_both_systems():
    one = receiver()
    for hour in range(24):
        sets = parsed(one.epoch(WARM + 3600 * hour, PLACE, 0j, 0.0))
        view = {}
        for gsv in sets["GSV"]:
            fields = gsv.data[3:-1]  # the last is the signal's number
            assert gsv.data[-1] == "1"
            for prn, elevation, azimuth, cn0 in zip(*[iter(fields)] * 4, strict=True):
                view.setdefault(gsv.talker, []).append(int(prn))
                assert 5 <= int(elevation) <= 90
                assert 0 <= int(azimuth) < 360
                assert 20 <= int(cn0) <= 55
        assert set(view) == {"GP", "GB"}
        assert all(1 <= prn <= 32 for prn in view["GP"])
        assert all(1 <= prn <= 63 for prn in view["GB"])
        used = {gsa.data[17]: [int(prn) for prn in gsa.data[2:14] if prn] for gsa in sets["GSA"]}
        assert set(used["1"]) <= set(view["GP"])
        assert set(used["4"]) <= set(view["GB"])
        assert len(used["1"]) >= 3
        assert len(used["4"]) >= 3
        (gga,) = sets["GGA"]
        assert int(gga.num_sats) == len(used["1"]) + len(used["4"])
        for gsv in sets["GSV"]:
            assert int(gsv.num_sv_in_view) == len(view[gsv.talker])


def test_an_epoch_fits_into_its_second():
    one = receiver()
    for minute in range(0, 1440, 10):
        sentences = one.epoch(WARM + 60 * minute, PLACE, 1 + 0j, -2.0)
        assert all(len(sentence) + 2 <= 82 for sentence in sentences)  # NMEA 0183
        assert sum(len(sentence) + 2 for sentence in sentences) < BAUD / 10


def test_the_sky_turns():
    # A geostationary satellite stands; those on middle orbits rise and set.
    geostationary = {
        (one.prn, round(one.elevation, 3), round(one.azimuth, 3))
        for hour in range(24)
        for one in in_view(BEIDOU, START + 3600 * hour, PLACE)
        if one.prn == 3
    }
    assert len(geostationary) == 1
    _, elevation, azimuth = geostationary.pop()
    assert elevation == pytest.approx(51.4, abs=1)  # 110.5° E, seen from the Yangtze mouth
    assert 190 < azimuth < 215
    visible = {one.prn for hour in range(24) for one in in_view(GPS, START + 3600 * hour, PLACE)}
    assert visible == set(range(1, 32))
    counts = [len(in_view(GPS, START + 600 * i, PLACE)) for i in range(144)]
    assert min(counts) >= 5
    assert max(counts) <= 16
    # GPS orbits take half a sidereal day: the same sky comes back four minutes earlier each day.
    now = {one.prn: one for one in in_view(GPS, START, PLACE)}
    later = {one.prn: one for one in in_view(GPS, START + 86_164, PLACE)}
    shared = now.keys() & later.keys()
    assert len(shared) >= len(now) - 1
    for prn in shared:
        assert now[prn].elevation == pytest.approx(later[prn].elevation, abs=2)

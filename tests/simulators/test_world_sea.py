"""Tide, wind, weather and sun: numbers as they are at the mouth of the Yangtze, and in almanacs."""

import cmath
import itertools
import random
import statistics
from datetime import datetime, timedelta

import pytest

from simulators.world import sun
from simulators.world.noise import BandNoise
from simulators.world.place import Place, bearing_deg, towards
from simulators.world.tide import Tide, TideSettings
from simulators.world.waves import G, Waves
from simulators.world.weather import Weather, WeatherSettings
from simulators.world.wind import Storm, Wind, WindSettings

START = datetime.fromisoformat("2026-11-01T00:00:00+00:00").timestamp()
HOUR, DAY = 3600, 86400
SHANGHAI = Place(31.23, 121.47)


def at(text):
    return datetime.fromisoformat(text).timestamp()


def test_plane_around_a_place():
    here = Place(31.1, 122.2)
    there = here.moved(complex(300, -400))
    assert here.to(there) == pytest.approx(complex(300, -400), abs=1e-6)
    assert here.miles_to(there) == pytest.approx(500 / 1852)
    assert Place(31.0, 122.0).miles_to(Place(32.0, 122.0)) == pytest.approx(60, rel=0.002)
    for bearing in (0, 45, 90, 180, 359):
        assert bearing_deg(towards(bearing)) == pytest.approx(bearing)


def test_noise_keeps_its_band_strength_and_seed():
    noise = BandNoise(random.Random("n"), shortest_s=60, longest_s=600, rms=2.0)
    values = [noise.at(t) for t in range(0, 200_000, 10)]
    assert sum(values) / len(values) == pytest.approx(0, abs=0.05)
    assert (sum(v * v for v in values) / len(values)) ** 0.5 == pytest.approx(2.0, rel=0.1)
    assert max(map(abs, values)) <= noise.bound
    # With no period under 60 s it cannot turn by more than its amplitudes' sum in a tenth of that.
    steps = [abs(b - a) for a, b in itertools.pairwise(values)]
    assert max(steps) < noise.bound * 2 * 3.15 * 10 / 60
    same = BandNoise(random.Random("n"), shortest_s=60, longest_s=600, rms=2.0)
    other = BandNoise(random.Random("m"), shortest_s=60, longest_s=600, rms=2.0)
    assert same.at(1234.5) == noise.at(1234.5) != other.at(1234.5)


def test_tide_range_and_rhythm():
    tide = Tide(TideSettings())
    levels = [tide.level_m(START + minute * 60) for minute in range(30 * 24 * 60)]
    highs = [i for i in range(1, len(levels) - 1) if levels[i - 1] < levels[i] >= levels[i + 1]]
    lows = [i for i in range(1, len(levels) - 1) if levels[i - 1] > levels[i] <= levels[i + 1]]
    ranges = [levels[high] - levels[low] for high, low in zip(highs, lows, strict=False)]
    assert 2.2 < sum(ranges) / len(ranges) < 3.2  # mean range there: about 2.7 m
    assert 3.2 < max(ranges) < 4.8  # springs
    assert 0.6 < min(ranges) < 2.0  # neaps
    assert min(levels) > -0.05  # chart datum is about the lowest tide
    assert max(levels) <= tide.highest_m
    assert 57 <= len(highs) <= 59  # two a lunar day


def test_stream_runs_along_the_channel_and_ebbs_harder():
    tide = Tide(TideSettings())
    streams = [tide.stream(START + minute * 300) for minute in range(30 * 24 * 12)]
    along = [(stream * towards(290).conjugate()).real for stream in streams]
    across = [(stream * towards(290).conjugate()).imag for stream in streams]
    assert max(map(abs, across)) < 1e-9
    assert 1.0 < max(along) < 2.2
    assert 1.2 < -min(along) < 2.5
    assert -min(along) > max(along)
    assert sum(along) / len(along) == pytest.approx(-0.25, abs=0.02)


def test_flood_runs_hardest_before_high_water():
    tide = Tide(TideSettings())
    minutes = range(0, 30 * 24 * 60, 5)
    levels = [tide.level_m(START + 60 * minute) for minute in minutes]
    floods = [(tide.stream(START + 60 * minute) / towards(290)).real for minute in minutes]
    peaks = [
        [minute for minute, a, b, c in zip(minutes, v, v[1:], v[2:], strict=False) if a < b >= c]
        for v in (levels, floods)
    ]
    waits = [min(high - flood for high in peaks[0] if high > flood) for flood in peaks[1][:-1]]
    assert waits == pytest.approx([150] * len(waits), abs=6)


def test_wind_wanders_and_gusts():
    wind = Wind(WindSettings(), random.Random("w"))
    speeds = [abs(wind.at(START + t)) for t in range(0, 30 * DAY, 120)]
    assert 5.0 < sum(speeds) / len(speeds) < 8.0
    assert max(speeds) < 20
    gusts = [abs(wind.at(START + t)) for t in range(600)]
    assert max(gusts) - min(gusts) > 0.5
    assert max(abs(b - a) for a, b in itertools.pairwise(gusts)) < 1.5
    mean = sum(wind.at(START + t) for t in range(0, 30 * DAY, 600))
    assert abs(cmath.phase(mean / towards(110 + 180))) < 0.5  # blows from the south-east


def test_clouds_and_temperature():
    weather = Weather(WeatherSettings(), random.Random("c"), lon=122.0)
    times = [at("2026-01-01T00:00:00+00:00") + hour * HOUR for hour in range(365 * 24)]
    clouds = [weather.cloud(t) for t in times]
    assert 0.4 < sum(clouds) / len(clouds) < 0.7
    assert min(clouds) > 0
    assert max(clouds) < 1
    assert all(0.24 < weather.light_factor(t) <= 1 for t in times)
    airs = [weather.air_c(t) for t in times]
    january, july = airs[: 31 * 24], airs[181 * 24 : 212 * 24]
    assert 2 < sum(january) / len(january) < 9
    assert 25 < sum(july) / len(july) < 31
    by_hour = [sum(airs[hour::24]) / 365 for hour in range(24)]
    assert by_hour.index(max(by_hour)) == 7  # 15 h local time there is 7 h UTC


@pytest.mark.parametrize(
    ("moment", "place", "altitude"),
    [
        # Reda and Andreas, NREL/TP-560-34302, appendix A.5: zenith 50.11162° with refraction.
        ("2003-10-17T12:30:30-07:00", Place(39.742476, -105.1786), 39.888),
        # Meeus, Astronomical Algorithms, example 25.a: declination, which the pole sees.
        ("1992-10-13T00:00:00+00:00", Place(90.0, 0.0), -7.785),
        # Equinox and solstices (USNO): declination 0 and ±23.44°.
        ("2024-03-20T03:06:00+00:00", Place(90.0, 0.0), 0.0),
        ("2024-06-20T20:51:00+00:00", Place(90.0, 0.0), 23.44),
        ("2026-12-21T20:50:00+00:00", Place(90.0, 0.0), -23.44),
        # Sunrise and sunset in Shanghai (almanac, centre of the sun 0.83° under the horizon).
        ("2026-06-21T04:50:30+08:00", SHANGHAI, -0.83),
        ("2026-06-21T19:01:30+08:00", SHANGHAI, -0.83),
        ("2026-12-21T06:48:00+08:00", SHANGHAI, -0.83),
        ("2026-12-21T16:55:00+08:00", SHANGHAI, -0.83),
    ],
)
def test_sun_stands_where_the_almanac_says(moment, place, altitude):
    assert sun.altitude_deg(at(moment), place) == pytest.approx(altitude, abs=0.5)


def test_noon_at_midsummer():
    day = at("2026-06-21T00:00:00+08:00")
    highest = max(sun.altitude_deg(day + 60 * minute, SHANGHAI) for minute in range(1440))
    assert highest == pytest.approx(90 - 31.23 + 23.44, abs=0.1)


def test_daylight_falls_evenly_from_noon_to_night():
    altitudes = [90 - 0.25 * i for i in range(500)]
    light = [sun.illuminance_lux(altitude) for altitude in altitudes]
    assert all(bright >= dark for bright, dark in itertools.pairwise(light))
    assert light[0] == pytest.approx(129_000, rel=0.02)  # Circular 171: sun in the zenith
    assert sun.illuminance_lux(0) == pytest.approx(759, rel=0.02)
    assert sun.illuminance_lux(-6) == pytest.approx(3.4, rel=0.1)  # end of civil twilight
    # The pieces of the formula meet.
    for edge in (20, 5, -0.8, -5, -12):
        above, below = sun.illuminance_lux(edge + 1e-6), sun.illuminance_lux(edge - 1e-6)
        assert above == pytest.approx(below, rel=0.03)


def test_a_day_of_the_sea_is_the_same_twice():
    hours = [START + timedelta(hours=h).total_seconds() for h in range(24)]
    first, second = (Wind(WindSettings(), random.Random("same")) for _ in range(2))
    assert [first.at(t) for t in hours] == [second.at(t) for t in hours]


def test_waves_grow_with_the_wind_and_heel_a_buoy():
    waves = Waves(random.Random("w"))
    assert waves.height_m(10) == pytest.approx(1.0, abs=0.3)  # 40 km of fetch
    assert 4 < waves.period_s(10) < 6
    rough = [waves.at(START + i / 5, 10) for i in range(5000)]
    calm = [waves.at(START + i / 5, 3) for i in range(5000)]
    assert max(abs(one.heave_mps2) for one in rough) < G
    degrees = statistics.fmean(abs(one.heel) for one in rough) * 57.3
    assert 2 < degrees < 10
    assert statistics.fmean(abs(one.heel) for one in calm) * 57.3 < degrees
    assert statistics.fmean(one.heave_mps2 for one in rough) == pytest.approx(0, abs=0.05)


def test_a_storm_comes_and_goes():
    wind = Wind(WindSettings(), random.Random("s"))
    before = [wind.mean_mps(START + HOUR * i) for i in range(48)]
    wind.storms.append(Storm(START + 6 * HOUR, 24 * HOUR, 20.0))
    after = [wind.mean_mps(START + HOUR * i) for i in range(48)]
    gained = [b - a for a, b in zip(before, after, strict=True)]
    assert gained[:7] == [0] * 7
    assert gained[18] == pytest.approx(20)
    assert gained[31:] == [0] * 17

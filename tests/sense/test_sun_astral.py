"""The sun's altitude against astral's, everywhere and for thirty years."""

import datetime as dt
import random

import pytest
from astral import Observer
from astral.sun import elevation

from agent.sense.sun import altitude_dd

EPOCH = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
YEARS_S = 31 * 365 * 86400
TOLERANCE_DEG = 0.3  # 0.5 is wanted; our step is 0.1, and a sine says little at zenith and nadir


def astral_deg(t: int, lat: float, lon: float) -> float:
    when = EPOCH + dt.timedelta(seconds=t)
    return elevation(Observer(lat, lon, 0.0), when, with_refraction=False)


def worst(rng: random.Random, count: int) -> float:
    found = 0.0
    for i in range(count):
        t = rng.randrange(YEARS_S)
        lat = rng.choice((-90.0, 90.0)) if i % 50 == 0 else rng.uniform(-90, 90)
        lon = rng.choice((-180.0, 180.0)) if i % 50 == 1 else rng.uniform(-180, 180)
        ours = altitude_dd(t, round(lat * 1e6), round(lon * 1e6)) / 10
        found = max(found, abs(ours - astral_deg(t, lat, lon)))
    return found


def test_anywhere_any_time():
    error = worst(random.Random(4), 3000)
    print(f"\nsun: farthest from astral {error:.3f} degrees")
    assert error <= TOLERANCE_DEG


@pytest.mark.prove
def test_anywhere_any_time_at_length():
    assert worst(random.Random(2026), 300_000) <= TOLERANCE_DEG


@pytest.mark.parametrize("lat", [0.0, 22.3, 31.1, 59.9, 78.2, -33.9, -66.6])
def test_each_minute_of_a_day(lat):
    t = 5 * 365 * 86400 + 79 * 86400
    for minute in range(0, 1440, 7):
        at = t + minute * 60
        ours = altitude_dd(at, round(lat * 1e6), 122_200_000) / 10
        assert abs(ours - astral_deg(at, lat, 122.2)) <= TOLERANCE_DEG, minute


def test_in_the_zenith():
    """Where a sine says least: the sun overhead in the tropics."""
    rng = random.Random(7)
    best = 0.0
    for _ in range(3000):
        t = rng.randrange(YEARS_S)
        lat = rng.uniform(-23, 23)
        day = t - t % 86400
        noon = day + round(43200 - 122.2 * 240)
        at = noon + rng.randrange(-1200, 1200)
        if at < 0:
            continue
        theirs = astral_deg(at, lat, 122.2)
        if theirs > 85:
            best = max(best, theirs)
            assert abs(altitude_dd(at, round(lat * 1e6), 122_200_000) / 10 - theirs) <= 0.3
    assert best > 89

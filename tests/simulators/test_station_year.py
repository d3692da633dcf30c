"""A year on station: the filter of the agent against a sea that it does not know.

The sea, the chain and the receiver's errors are simulators/world's, written without knowledge of the
filter. What is promised: no false alarm in a year of tides and storms, none in a flood; a dragged
sinker is seen in the daily mean before the ring is left; a free buoy is told within 300 m, and what it
makes while no fix is good.
"""

import pytest

from agent.wire import codes
from simulators.world.mooring import MooringSettings
from simulators.world.place import towards
from tests.simulators.station_sea import DAY, River, Tidal, Voyage

_OUTSIDE_M = 5.0
RIVER_MOORING = MooringSettings(depth_m=8.0, chain_m=30.0)


def in_words(told):
    """Return alarms as one reads them: day, hour, metres from the sinker, values."""
    return [f"day {t // DAY} {t % DAY / 3600:05.2f} h, {m} m: {v}" for t, m, v in told]


def raised(voyage):
    return [values[0] for _, _, values in voyage.told if values[1]]


def quiet(voyage, seconds):
    voyage.run(seconds)
    voyage.quiet_s = seconds
    assert voyage.fixes > 0.95 * seconds / voyage.every_s
    assert not voyage.told, "\n".join(in_words(voyage.told))


def test_a_month_of_tides_and_storms_raises_nothing():
    quiet(Voyage("month", Tidal("month"), every_s=30).watch(), 30 * DAY)


def test_half_a_day_of_fixes_every_second_raises_nothing():
    quiet(Voyage("second", Tidal("second"), every_s=1).watch(), DAY // 2)


@pytest.mark.prove
@pytest.mark.parametrize(("seed", "level"), [("y1", True), ("y2", False)])
def test_a_year_raises_nothing(seed, level):
    quiet(Voyage(seed, Tidal(seed)).watch(level=level), 365 * DAY)


@pytest.mark.parametrize("level", [True, False], ids=["gauge", "no-gauge"])
def test_a_flood_of_12_m_and_its_fall_raise_nothing(level):
    sea = River("flood", begins=3 * DAY)
    quiet(Voyage("flood", sea, RIVER_MOORING, every_s=60).watch(level=level, river=True), 25 * DAY)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", [True, False], ids=["gauge", "no-gauge"])
@pytest.mark.parametrize("depth_m", [5.0, 8.0, 13.0])
def test_floods_of_many_kinds_raise_nothing(depth_m, level, seed):
    mooring = MooringSettings(depth_m=depth_m, chain_m=30.0)
    sea = River(
        seed, begins=(3 + 5 * seed) * DAY, rises_s=(4 + 3 * seed) * DAY, axis_deg=90 * seed
    )
    quiet(Voyage(seed, sea, mooring).watch(level=level, river=True), 50 * DAY)


def dragged(voyage, bearing):
    """Have the sinker dragged by 15 m: the first that is told has to be the sinker.

    Where the chain is taut the way it was dragged, the buoy may lie outside its ring before the day is
    over that has the mean: then that is told, and rightly.
    """
    voyage.mooring.drag(15 * towards(bearing), 1800.0)
    voyage.run(6 * DAY, until=lambda: raised(voyage))
    ((t, away_m, values),) = voyage.told
    outside = away_m > voyage.mooring.swing_radius_m(voyage.level_m) + _OUTSIDE_M
    told = codes.ALARM_OFF_STATION if outside and t < 2 * DAY + voyage.quiet_s else None
    assert values[0] in {codes.ALARM_SINKER_MOVED, told}, in_words(voyage.told)


@pytest.mark.parametrize("bearing", [20, 200])
def test_a_sinker_dragged_15_m_is_seen_in_the_daily_mean(bearing):
    voyage = Voyage("drag", Tidal("drag"), every_s=30).watch()
    quiet(voyage, 5 * DAY)
    dragged(voyage, bearing)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(16))
def test_dragged_sinkers_are_seen_in_the_daily_mean(seed):
    voyage = Voyage(seed, Tidal(seed)).watch()
    quiet(voyage, (4 * DAY + seed * DAY // 4))
    dragged(voyage, 22.5 * seed)


def adrift(seed, hours):
    """Let a buoy break loose in a stream of 2.5 m/s; return how far it was when it was told.

    What it made while no fix was good, and for one more look of ten seconds, is taken off.
    """
    sea = Tidal(seed)
    voyage = Voyage(seed, sea, every_s=1).watch()
    voyage.run(hours * 3600)
    assert not voyage.told, in_words(voyage.told)
    level_m = voyage.level_m
    sea.at = lambda _t: (level_m, 1.5 + 2j, 4 + 0j)
    voyage.mooring.break_free()
    poor_s = voyage.poor_s
    assert voyage.run(600, until=lambda: codes.ALARM_ADRIFT in raised(voyage)), raised(voyage)
    poor_s = voyage.poor_s - poor_s
    return abs(voyage.mooring.offset) - 2.5 * (poor_s + 10 if poor_s else 0)


@pytest.mark.parametrize("seed", range(4))
def test_a_buoy_adrift_is_told_within_300_m(seed):
    assert adrift(seed, 1 + seed) < 300


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(40))
def test_buoys_adrift_are_told_within_300_m(seed):
    assert adrift(100 + seed, 1 + seed % 13) < 300

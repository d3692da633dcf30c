"""The receiver's error against recorded receivers that stand still, and its own promises."""

import itertools
import math
import random
import statistics
from pathlib import Path

import pynmea2
import pytest

from simulators.world.fixes import NO_DOP, FixErrors, FixSettings
from simulators.world.place import Place

DATA = Path(__file__).parents[3] / "shared/data"
NEVER = 1e15
CALM = FixSettings(
    jump_every_s=NEVER, spike_every_s=NEVER, lost_every_s=NEVER, restart_every_s=NEVER
)
WARM_S = 100
VIEW = 20


def warm(seed, settings=CALM):
    errors = FixErrors(random.Random(seed), settings)
    errors.look(0, VIEW)
    for t in range(10, WARM_S + 1, 10):
        errors.look(t, VIEW)
    return errors


def recorded(name):
    """Return the fixes of a log as (seconds, metres from the first, satellites, HDOP)."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    fixes = []
    for line in path.read_text("ascii", "replace").splitlines():
        if line.startswith(("$GPGGA", "$GNGGA")):
            gga = pynmea2.parse(line)
            if gga.gps_qual:
                clock = gga.timestamp
                s = clock.hour * 3600 + clock.minute * 60 + clock.second
                place = Place(gga.latitude, gga.longitude)
                fixes.append(
                    (s + clock.microsecond / 1e6, place, gga.num_sats, gga.horizontal_dil)
                )
    origin = fixes[0][1]
    return [(t, origin.to(place), int(sats), float(dop)) for t, place, sats, dop in fixes]


def spread(values):
    """Return how far points in the plane are from their mean, root mean square."""
    mean = sum(values) / len(values)
    return math.sqrt(statistics.fmean(abs(value - mean) ** 2 for value in values))


def correlation(values, lag):
    mean = sum(values) / len(values)
    rest = [value - mean for value in values]
    power = sum(abs(value) ** 2 for value in rest)
    return sum((a * b.conjugate()).real for a, b in zip(rest, rest[lag:], strict=False)) / power


@pytest.mark.parametrize(
    ("name", "hertz"), [("nmea/quectel-l76k-nmea.log", 5), ("ais/signalk-merrimac.log", 1)]
)
def test_a_receiver_that_stands_still_wanders_as_recorded(name, hertz):
    fixes = recorded(name)
    errors = warm(name)
    t, spreads, likenesses, steps = WARM_S, [], [], []
    for _ in range(200):
        window = []
        for _ in fixes:
            t += 1 / hertz
            window.append(errors.look(t, VIEW).error)
        t += 600
        spreads.append(spread(window))
        likenesses.append(correlation(window, hertz))
        steps.append(statistics.fmean(abs(b - a) for a, b in itertools.pairwise(window)))
    low, high = (statistics.quantiles(likenesses, n=20)[i] for i in (0, 18))
    way = [error for _, error, _, _ in fixes]
    # The records are of good receivers under open sky: the model is no kinder, and no caricature.
    assert spread(way) < max(spreads)
    assert spread(way) > statistics.median(spreads) / 8
    assert low - 0.15 < correlation(way, hertz) < high + 0.15
    moved = statistics.fmean(abs(b[1] - a[1]) for a, b in itertools.pairwise(fixes))
    assert moved / 8 < statistics.median(steps) < 8 * moved


def test_dilution_and_satellites_are_like_the_recorded_ones():
    names = ("nmea/quectel-l76k-nmea.log", "nmea/bundg_zeus_9-head.log", "nmea/beidou-gb.log",
             "ais/signalk-merrimac.log")  # fmt: skip
    logs = [fix for name in names for fix in recorded(name)]
    errors = warm("sats", FixSettings())
    looks = [errors.look(WARM_S + 10 * i, 18) for i in range(20_000)]
    good = [look for look in looks if look.error is not None and look.hdop < 1.6]
    assert len(good) > 0.95 * len(looks)
    for _, _, sats, hdop in logs:
        assert 0.5 < hdop / (3.5 / math.sqrt(sats)) < 1.3  # the rule that the model uses
    model = sorted({look.sats for look in good})
    assert {sats for _, _, sats, _ in logs if sats > 8} <= set(range(model[0] - 1, model[-1] + 2))


def test_a_recorded_cold_start_creeps_in_as_ours():
    first, second = recorded("nmea/beidou-gb.log")[:2]
    creep = abs(second[1] - first[1]) / (second[0] - first[0])  # 6 m in a second, lying still
    creeps = []
    for seed in range(200):
        errors = FixErrors(random.Random(seed), CALM)
        looks = [errors.look(t, VIEW) for t in range(30)]
        shown = [look.error for look in looks if look.error is not None]
        creeps.append(abs(shown[1] - shown[0]))
    assert min(creeps) < creep < max(creeps)


def test_error_of_hours_is_a_data_sheets():
    """2.5 m of circular error probable, as data sheets of such receivers promise."""
    errors = warm("cep")
    looks = [errors.look(WARM_S + 60 * i, VIEW) for i in range(20_000)]
    away = [abs(look.error) for look in looks]
    assert 1.5 < statistics.median(away) < 3
    axis = [look.error for look in looks]
    assert correlation(axis, 1) > 0.8  # a minute
    assert 0.1 < correlation(axis, 15) < 0.6  # a quarter of an hour
    assert abs(correlation(axis, 120)) < 0.2


def test_jumps_look_good_and_do_not_last():
    errors = warm("jumps", FixSettings(spike_every_s=NEVER, lost_every_s=NEVER,
                                       restart_every_s=NEVER))  # fmt: skip
    jumps, run, seconds = [], 0, 6 * 86_400
    for t in range(WARM_S, WARM_S + seconds, 4):
        look = errors.look(t, VIEW)
        assert look.hdop < 1.6
        if abs(look.error) > 11:
            run += 4
            far = abs(look.error)
        elif run:
            jumps.append((run, far))
            run = 0
    assert 0.5 < len(jumps) / (seconds / FixSettings().jump_every_s) < 1.5
    assert max(run for run, _ in jumps) <= 64
    assert max(far for _, far in jumps) > 40


def test_spikes_are_seen_in_the_dop_and_in_the_error():
    errors = warm("spikes", FixSettings(jump_every_s=NEVER, lost_every_s=NEVER,
                                        restart_every_s=NEVER))  # fmt: skip
    looks = [errors.look(WARM_S + 5 * i, VIEW) for i in range(3 * 17_280)]
    spikes = [look for look in looks if look.hdop > 2.9]
    assert 0.001 < len(spikes) / len(looks) < 0.03
    assert max(look.hdop for look in spikes) > 15
    assert statistics.fmean(abs(look.error) for look in spikes) > 8
    assert {look.sats for look in spikes} <= set(range(4, 7))


def test_fixes_are_lost_and_come_back():
    errors = warm("lost", FixSettings())
    looks = [errors.look(WARM_S + 2 * i, VIEW) for i in range(4 * 43_200)]
    gaps = [len(list(group)) for lost, group in
            itertools.groupby(looks, key=lambda look: look.error is None) if lost]  # fmt: skip
    assert 18 < len(gaps) < 50
    assert max(gaps) <= 151
    assert all(look.hdop == NO_DOP and look.sats == 0 for look in looks if look.error is None)


def test_a_cold_start_has_time_first_and_a_first_fix_that_is_off():
    far = []
    for seed in range(300):
        errors = FixErrors(random.Random(seed), CALM)
        looks = [errors.look(t, VIEW) for t in range(120)]
        assert [look.clock for look in looks] == [False] * 8 + [True] * 112
        assert [look.error is not None for look in looks] == [False] * 20 + [True] * 100
        far.append(abs(looks[20].error))
        assert abs(looks[-1].error) < 10
    assert max(far) > 100
    assert statistics.median(far) > 10


def test_power_up_starts_it_again_and_a_seed_repeats_itself():
    one, other = (FixErrors(random.Random("s")) for _ in range(2))
    assert [one.look(t, VIEW) for t in range(50)] == [other.look(t, VIEW) for t in range(50)]
    one.power_up()
    assert one.look(50, VIEW).clock is False
    assert one.look(69, VIEW).error is None
    assert one.look(70, VIEW).error is not None

"""Light characters become seconds, and lanterns keep to them."""

import itertools
import json
import math

import pytest

from simulators.trace import LampTrace
from simulators.world.lamp import Lamp, LampSettings
from simulators.world.light import LightError, phases

# Character, period, flashes in it, share of light.
CHARACTERS = [
    ("Fl R 4s", 4, 1, 0.125),
    ("Fl G 2.5s", 2.5, 1, 0.2),
    ("Fl Y 1s", 1, 1, 0.48),
    ("Fl(2) R 6s", 6, 2, 1 / 6),
    ("Fl(2) W 5s", 5, 2, 0.2),
    ("Fl(3) G 10s", 10, 3, 0.15),
    ("Fl(4) Y 15s", 15, 4, 2 / 15),
    ("Fl(2+1) R 12s", 12, 3, 0.125),
    ("Fl(2+1)G 6s", 6, 3, None),
    ("LFl 10s", 10, 1, 0.2),
    ("LFl(2) W 15s", 15, 2, 4 / 15),
    ("Q", 1, 1, 0.3),
    ("Q R", 1, 1, 0.3),
    ("VQ", 0.5, 1, 0.4),
    ("UQ", 0.25, 1, 0.4),
    ("Q(3) 10s", 10, 3, 0.09),
    ("Q(9) 15s", 15, 9, 0.18),
    ("VQ(3) 5s", 5, 3, 0.12),
    ("VQ(9) 10s", 10, 9, 0.18),
    ("Q(6)+LFl 15s", 15, 7, 3.8 / 15),
    ("VQ(6)+LFl 10s", 10, 7, 0.32),
    ("IQ 10s", 10, 7, None),
    ("IVQ W 12s", 12, 18, None),
    ("Iso 4s", 4, 1, 0.5),
    ("Oc 4s", 4, 1, 0.75),
    ("Oc(2) W 8s", 8, 2, 0.75),
    ("Mo(A) 8s", 8, 2, 0.25),
    ("Mo(C) Y 12s", 12, 4, 1 / 3),
    ("Mo(P) Y 12s", 12, 4, 1 / 3),
    ("Mo(U) 15s", 15, 3, 1 / 6),
    ("F R", 1, 1, 1),
    ("Al WR 6s", 6, 1, 1),
    ("Al.Bu.Y 3s", 3, 2, 2 / 3),
    ("Al.Fl.WRG 9s", 9, 3, 2 / 3),
    # As charts and notices also write them.
    ("Fl.(2)R.6s", 6, 2, 1 / 6),
    ("Fl(2) 20m 10s 12M", 10, 2, 0.1),
    ("Gp.L.Fl(2+1)G. 20s", 20, 3, None),
    ("Gp Oc(3) W 10s 15m 10M", 10, 3, None),
    ("Occ.G.3s", 3, 1, 0.75),
    ("Qk.Fl.", 1, 1, 0.3),
    ("V.Qk.Fl(3) 5s", 5, 3, 0.12),
]


@pytest.mark.parametrize(("character", "period", "flashes", "share"), CHARACTERS)
def test_phases_fill_the_period(character, period, flashes, share):
    result = phases(character)
    assert sum(phase.on + phase.off for phase in result) == pytest.approx(period)
    assert len(result) == flashes
    if share is not None:
        assert sum(phase.on for phase in result) / period == pytest.approx(share)


def test_south_cardinal_in_full():
    assert phases("Q(6)+LFl 15s") == [(0.3, 0.7)] * 6 + [(2.0, 7.0)]


def test_morse_letter_in_full():
    assert phases("Mo(A) 8s") == [(0.5, 0.5), (1.5, 5.5)]


def test_composite_group_has_the_longest_eclipse_last():
    offs = [phase.off for phase in phases("Fl(2+1) R 12s")]
    assert offs[0] < offs[1] < offs[2]


@pytest.mark.parametrize(
    ("character", "reason"),
    [
        ("", "not understood"),
        ("blink", "not understood"),
        ("FFl 10s", "not understood"),
        ("Fl(0) 4s", "not understood"),
        ("Fl(2) Pink 6s", "not understood"),
        ("Fl R", "no period"),
        ("Mo(U)", "no period"),
        ("Mo 8s", "no Morse letter"),
        ("Mo(3) 8s", "no group"),
        ("Iso(2) 4s", "no group"),
        ("Fl(A) 4s", "no group"),
        ("Q(9) 5s", "too short"),
        ("Q(6)+LFl 8s", "too short"),
        ("Fl 0s", "too short"),
    ],
)
def test_what_is_no_character_is_refused(character, reason):
    with pytest.raises(LightError, match=reason) as caught:
        phases(character)
    assert repr(character) in str(caught.value)


def test_photocell_has_hysteresis():
    lamp = Lamp(LampSettings(on_lux=100, off_lux=200), phases("Fl 4s"))
    seen = []
    for lux in (1000, 150, 99, 150, 199, 201, 150):
        lamp.see(lux)
        seen.append(lamp.switched_on)
    assert seen == [False, False, True, True, True, False, False]


def test_current_follows_the_character():
    lamp = Lamp(LampSettings(current_ma=350), phases("Fl(2) R 6s"))
    assert [lamp.current_ma(t / 20) for t in range(120)] == [0] * 120  # by day
    lamp.see(1)
    start = 6_000_000.0  # a whole number of periods
    trace = [lamp.current_ma(start + i / 20 + 0.025) for i in range(120)]
    lit = [current > 175 for current in trace]
    edges = [i / 20 for i in range(1, 120) if lit[i] != lit[i - 1]]
    assert edges == pytest.approx([0.5, 1.5, 2.0])
    assert max(trace) == pytest.approx(350, rel=0.01)
    assert min(trace) < 1
    mean = sum(lamp.current_ma(start + i / 1000) for i in range(6000)) / 6000
    assert mean == pytest.approx(lamp.mean_ma, rel=0.02)


def test_current_rises_and_falls_softly():
    lamp = Lamp(LampSettings(current_ma=350), phases("Fl 4s"))
    lamp.see(1)
    rise = [lamp.current_ma(4_000_000 + ms / 1000) for ms in range(0, 40, 4)]
    assert all(b > a for a, b in itertools.pairwise(rise))
    assert rise[1] == pytest.approx(350 * (1 - math.exp(-1)), rel=0.01)
    fall = [lamp.current_ma(4_000_000.5 + ms / 1000) for ms in range(1, 40, 4)]
    assert all(b < a for a, b in itertools.pairwise(fall))


def test_a_dimmed_lantern_switches_its_current():
    settings = LampSettings(current_ma=400, pwm_hz=100, pwm_duty=0.25, rise_s=0.001)
    lamp = Lamp(settings, phases("Iso 4s"))
    lamp.see(1)
    seen = [lamp.current_ma(4_000_000.5 + i / 10_000) for i in range(10_000)]
    assert max(seen) == pytest.approx(400)
    assert sum(ma > 200 for ma in seen) == pytest.approx(2500, abs=110)
    mean = sum(lamp.current_ma(4_000_000 + i / 10_000) for i in range(40_000)) / 40_000
    assert mean == pytest.approx(lamp.mean_ma, rel=0.03)
    assert lamp.lit_at(4_000_000.5077)  # between two pulses the light is on


def test_a_soft_start_takes_its_time():
    lamp = Lamp(LampSettings(current_ma=350, rise_s=0.1), phases("Iso 4s"))
    lamp.see(1)
    assert lamp.current_ma(4_000_000.1) == pytest.approx(350 * (1 - math.exp(-1)))
    assert lamp.current_ma(4_000_002.1) == pytest.approx(350 * math.exp(-1))


def test_a_light_for_day_and_night():
    lamp = Lamp(LampSettings(always=True), phases("Iso 4s"))
    lamp.see(50_000)
    assert lamp.switched_on
    assert lamp.mean_ma == pytest.approx(175)


def lit_lamp(character):
    lamp = Lamp(LampSettings(), phases(character))
    lamp.see(1)
    return lamp


def test_edges_are_those_of_the_current():
    lamp, start = lit_lamp("Fl(2) R 6s"), 6_000_000.0
    edges = [(0.5, False), (1.5, True), (2.0, False), (6.0, True), (6.5, False)]
    assert list(lamp.edges(start, start + 7)) == [(start + t, lit) for t, lit in edges]
    assert list(lamp.edges(start + 0.5, start + 1.5)) == [(start + 1.5, True)]
    for t in (0.1, 0.4, 0.6, 1.4, 1.6, 1.9, 2.1, 5.9):
        assert lamp.lit_at(start + t) == (lamp.current_ma(start + t + 0.02) > 175)


def test_edges_are_the_same_however_often_one_looks():
    lamp, start = lit_lamp("VQ(3) 5s"), 1_795_348_800.0
    whole = list(lamp.edges(start, start + 60))
    parts = [
        edge for i in range(1200) for edge in lamp.edges(start + i / 20, start + (i + 1) / 20)
    ]
    assert parts == whole
    assert len(whole) == 12 * 6
    assert not list(lit_lamp("F R").edges(start, start + 60))


def test_the_control_lines_ask_and_let_go():
    lamp = Lamp(LampSettings(), phases("Iso 4s"))
    seen = []
    for lux, asked_off, asked_test in (
        (1000, False, False),
        (1000, False, True),
        (1000, True, True),
        (1, False, False),
        (1, True, False),
        (1, False, False),
    ):
        lamp.see(lux)
        lamp.asked_off, lamp.asked_test = asked_off, asked_test
        seen.append((lamp.shines, lamp.mean_ma > 0, lamp.current_ma(4_000_001) > 0))
    assert seen == [(shines,) * 3 for shines in (False, True, False, True, False, True)]


def test_a_trace_has_edges_and_switching(tmp_path):
    trace, lamp = LampTrace(tmp_path / "trace"), lit_lamp("Iso 4s")
    for tick in range(200):
        t = 4_000_000 + tick / 20
        lamp.asked_off = 60 <= tick < 95  # from 3.0 to 4.75 s: in the dark, into the light
        trace.see("buoy-1", lamp, t)
    trace.close()
    lines = [json.loads(line) for line in (tmp_path / "trace").read_text().splitlines()]
    assert {line["device"] for line in lines} == {"buoy-1"}
    assert [(line["ms"] - 4_000_000_000, line["lit"]) for line in lines] == [
        (0, True),
        (2000, False),
        (4750, True),
        (6000, False),
        (8000, True),
    ]

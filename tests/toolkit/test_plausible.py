"""Settings that the table allows and that make no sense: refused before the technician leaves."""

import json

import pytest

from agent import config
from toolkit import plausible


def problems(**sections):
    settings, errors = config.load(json.dumps(sections))
    assert errors == []
    return plausible.problems(settings)


def test_the_defaults_make_sense():
    assert problems() == []
    assert problems(profile="shorepower") == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"light": {"character": "Fl(2) purple 6s"}}, "light.character"),
        ({"light": {"on_lux": 300}}, "light.off_lux"),
        ({"station": {"lat_e6": 31_000_000}}, "station.lat_e6"),
        ({"station": {"chain_dm": 100, "depth_cm": 1000}}, "station.chain_dm"),
        ({"motion": {"up": "0,1000"}}, "motion.up"),
        ({"motion": {"up": "0,0,one"}}, "motion.up"),
        ({"battery": {"warn_days": 3}}, "battery.alarm_days"),
        ({"weather": {"low_cm": 500, "high_cm": 100}}, "weather.low_cm"),
        ({"ais": {"neighbours": "994131001, 99413"}}, "ais.neighbours"),
        ({"ais": {"unit": "vdm"}}, "ais.own_mmsi"),
        ({"profile": "shorepower", "meter": {"address": "12"}}, "meter.address"),
        ({"profile": "shorepower", "meter": {"baud": 1234}}, "meter.baud"),
        ({"profile": "shorepower", "meter": {"baud": 600, "period_s": 1}}, "meter.period_ms"),
        ({"profile": "shorepower", "meter": {"certified_until": "2030-13-01"}}, "certified_until"),
        (
            {"profile": "shorepower", "supply": {"residual_ma": 30000, "rated_a": 20}},
            "residual_ma",
        ),
    ],
)
def test_each_is_named(given, named):
    (problem,) = problems(**given)
    assert problem.startswith("settings: ")
    assert named in problem


def test_what_fits_is_let_through():
    assert (
        problems(
            light={"character": "Q(6)+LFl 15s", "on_lux": 80},
            station={
                "lat_e6": 31_100_000,
                "lon_e6": 122_200_000,
                "chain_dm": 300,
                "depth_cm": 900,
            },
            ais={"own_mmsi": 994131001, "unit": "bbm", "neighbours": "994131002,994131003"},
            motion={"sensor": "lis3dh", "up": "-20, 15,998"},
            weather={"line": "own", "low_cm": -100, "high_cm": 400},
        )
        == []
    )

"""Registry and plan: what is read, what is refused and how that is said."""

import pytest

from simulators import plan, registry
from simulators.world.place import Place
from tests.simulators.small_sea import (
    CONFIG,
    DLT645_CONFIG,
    NIGHT,
    REGISTRY,
    Clock,
    make,
    write_files,
)
from toolkit.settings import SettingsError


def line_of(text, wanted):
    """Return the number of the first line with `wanted` in it."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if wanted in line)


def problems(folder, **texts):
    with pytest.raises(SettingsError) as caught:
        make(folder, Clock(NIGHT), **texts)
    return caught.value.problems


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ("seed = 7", "seed = -1", "seed", "seed is -1; allowed: a whole number from 0 to 2147"),
        ("seed = 7", "", None, "seed is missing; allowed: a whole number"),
        ("seed = 7", "seed = ", None, "not TOML"),
        ("seed = 7", "seed = 7\nsped = 1", "sped", "sped is not a known key; known here: aid,"),
        ("lat = 31.35", "lat = 131.35", "lat", "depot.lat is 131.35; allowed: -89 to 89 degrees"),
        ("lon = 121.58", "lon = nan", "lon", "depot.lon is nan; allowed: -180 to 180 degrees"),
        ("depth_m = 12", "depth_m = 'deep'", "depth_m", "aid.c1.depth_m is 'deep'; allowed: 1 to"),
        ("depth_m = 12", "deepth_m = 12", "deepth_m", "aid.c1.deepth_m is not a known key"),
        ("[aid.c1]\ndepth_m = 12\nchain_m = 40", "[aid]\nc1 = 5", "c1 =", "aid.c1 is 5; allowed: a"),
        ("chain_m = 40", "on_lux = 500", "on_lux", "aid.c1.on_lux is 500; allowed: below off_lux"),
        ("chain_m = 40", "pwm_hz = -1", "pwm_hz", "aid.c1.pwm_hz is -1; allowed: 0 to 5000"),
        ("chain_m = 40", "weather_station = 1", "weather_st", "weather_station is 1; allowed: true"),
        ("chain_m = 40", "off_lux = 50", "off_lux", "aid.c1.off_lux is 50; allowed: above on_lux"),
        ("[31.16, 122.05]", "[31.16]", "waypoints", "route[0].waypoints is [[31.05, 122.3]"),
        ("[31.16, 122.05]", "[nan, 122.05]", "waypoints", "allowed: two or more places"),
        ("[31.16, 122.05]", "[31.10, 122.20]", "waypoints", "each another than the one before"),
        ("waypoints = [", "#", "[[route]]", "route[0].waypoints is missing; allowed: two or more"),
        ("[8, 14]", "[14, 8]", "speed_kn", "route[0].speed_kn is [14, 8]; allowed: [from, to],"),
        ("[8, 14]", "[8, nan]", "speed_kn", "route[0].speed_kn is [8, nan]; allowed: [from, to],"),
        ("ships = 3", "ships = true", "ships", "route[0].ships is True; allowed: a whole number"),
        ("mmsi = 4131201", "mmsi = 413120100", "mmsi", "base_station[0].mmsi is 413120100; all"),
        ("[60, 90]", "60", "session_s", "calls.session_s is 60; allowed: [from, to], both 1 to 60"),
        ('"dlt645"', '"dlt698"', "dlt698", "pile[0].protocol is 'dlt698'; allowed: one of dlt645"),
        ('"202410010001"', '"2024"', "address", "pile[0].address is '2024'; allowed: the twelve"),
        ("unit = 1", "unit = 248", "unit", "pile[1].unit is 248; allowed: a whole number from 1"),
        ("unit = 1", "unit = 1\naddress = 'x'", "address = 'x'", "pile[1].address is not a known"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(tmp_path, old, new, at, message):
    assert old in DLT645_CONFIG
    text = DLT645_CONFIG.replace(old, new, 1)
    (problem,) = problems(tmp_path, config_text=text)
    file = tmp_path / "estuary.toml"
    assert problem.startswith(f"{file}:{line_of(text, at)}: " if at else f"{file}: ")
    assert message in problem


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ('"Fl R 4s"', '"blink"', "blink", "navaid[0].station[0].light cannot be shown: light char"),
        ('light = "Fl R 4s"', "", "[[navaid.station]]", "navaid[0].station[0].light is missing"),
        ('kind = "port"', 'kind = "left"', "left", "navaid[0].kind is 'left'; allowed: one of nor"),
        ("floating = true", 'floating = "yes"', "yes", "navaid[0].floating is 'yes'; allowed: tru"),
        ("to = 2026-06-01T00:00:00+08:00", "to = 2026-06-01", "to = ", "a date and time with its"),
        ("lat = 31.2\n", "", "[[navaid.station]]", "navaid[0].station[0].lat is missing"),
        ('berth = "b1"', 'berth = "b9"', "b9", "pile[0].berth is 'b9'; allowed: one of b1"),
        ("lat = 31.37\n", "", 'id = "p2"', "pile[1].lat is missing"),
        ('profile = "beacon"', 'profile = "bacon"', "bacon", "device[0].profile is 'bacon'; allow"),
    ],
)  # fmt: skip
def test_a_wrong_registry_value_is_named(tmp_path, old, new, at, message):
    assert old in REGISTRY
    text = REGISTRY.replace(old, new, 1)
    (problem,) = problems(tmp_path, registry_text=text)
    # A missing key is told at the line of its table, which for [[pile]] is the one before its id.
    line = line_of(text, at) - at.startswith("id = ")
    assert problem.startswith(f"{tmp_path / 'registry.toml'}:{line}: ")
    assert message in problem


def test_a_table_where_tables_are_wanted(tmp_path):
    found = problems(tmp_path, registry_text=REGISTRY.replace("[[berth]]", "[berth]", 1))
    assert "berth is {'id': 'b1'" in found[0]
    assert "allowed: tables, each headed [[berth]]" in found[0]


def test_all_problems_of_a_file_are_told_at_once(tmp_path):
    text = CONFIG.replace("seed = 7", "").replace("[8, 14]", "8").replace("unit = 2", "unit = 0")
    found = problems(tmp_path, config_text=text)
    assert [problem.split(": ")[1].split()[0] for problem in found] == [
        "seed",
        "route[0].speed_kn",
        "pile[0].unit",
    ]


def test_registry_and_plan_must_fit_together(tmp_path):
    text = CONFIG.replace("chain_m = 40", "chain_m = 14").replace('"pile-2"', '"pile-3"')
    file = tmp_path / "estuary.toml"
    assert problems(tmp_path, config_text=text) == [
        f"{file}: chain_m of c1 is 14; allowed: more than depth_m and the highest tide, 16.4",
        f"{file}: there is no [[pile]] for pile-2",
    ]
    # What stands on the ground needs no chain, and who serves no pile no meter.
    fixed = REGISTRY.replace("floating = true", "floating = false").replace(
        'asset = "p2"', 'asset = "b1"'
    )
    make(tmp_path, Clock(NIGHT), registry_text=fixed, config_text=text)


def test_keys_that_the_sea_does_not_need_are_the_centres_business(tmp_path):
    text = REGISTRY.replace("floating = true", 'owner = "MSA"').replace("floating = false", "")
    registry_file, _ = write_files(tmp_path, registry_text=text)
    read = registry.read(registry_file)
    # Left out, everything but a fixed light floats, as the centre has it.
    assert {navaid.id: navaid.floating for navaid in read.navaids.values()} == {
        "c1": True,
        "c2": False,
    }
    assert read.piles["p1"].place == Place(31.36, 121.62)
    assert read.piles["p2"].place == Place(31.37, 121.61)


def test_an_aid_differs_where_it_says_so(tmp_path):
    text = CONFIG.replace("[aid.c1]", "[aids]\nchain_m = 33\non_lux = 80\n[aid.c1]")
    _, config_file = write_files(tmp_path, config_text=text)
    settings = plan.read(config_file)
    assert (settings.aid("c1").mooring.depth_m, settings.aid("c1").mooring.chain_m) == (12, 40)
    assert (settings.aid("c2").mooring.depth_m, settings.aid("c2").mooring.chain_m) == (9, 33)
    assert settings.aid("c1").lamp == settings.aid("c2").lamp == settings.any_aid.lamp
    assert settings.any_aid.lamp.on_lux == 80
    assert settings.routes[0].waypoints[1] == Place(31.10, 122.20)
    assert settings.routes[0].speed_kn == (8, 14)
    assert settings.piles["pile-1"].calls.session_s == (60, 90)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read: No such file"):
        plan.read(tmp_path / "none.toml")

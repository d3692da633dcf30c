"""The registry: what it refuses and how it says so, and what held when."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud import registry
from cloud.registry import Span
from cloud.times import t_of
from tests.cloud.support import REGISTRY
from toolkit.settings import SettingsError

DEMO = Path(__file__).parents[2] / "config" / "demo" / "registry.toml"


def t(*date):
    """Return a UTC date as a record's time."""
    return t_of(datetime(*date, tzinfo=UTC))


def load(tmp_path, text):
    """Load a registry from text."""
    path = tmp_path / "registry.toml"
    path.write_text(text, "utf-8")
    return registry.load(path)


def problems(tmp_path, text):
    """Return what is wrong with a registry."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    return caught.value.problems


def line_of(text, part, nth=1):
    """Return the number of the nth line that contains something."""
    return [n for n, line in enumerate(text.splitlines(), 1) if part in line][nth - 1]


# What is replaced in the good registry, by what, and what must be said about it. The line is that
# of the replacement.
BAD_VALUES = [
    ('id = "c1"', 'id = "C1"', "navaid[0].id is 'C1'; allowed: a-z, 0-9 and -"),
    ('id = "c1"', f'id = "{"c" * 33}"', "navaid[0].id is"),
    (
        'kind = "port"',
        'kind = "left"',
        "navaid[0].kind is 'left'; allowed: one of port, starboard",
    ),
    ('kind = "port"', 'kind = "port"\nfloating = 1', "navaid[0].floating is 1; allowed: true or"),
    (
        "lat = 31.10",
        "lat = 131.1",
        "navaid[0].station[0].lat is 131.1; allowed: -90.0 to 90.0 deg",
    ),
    ("lon = 122.20", "lon = nan", "navaid[0].station[0].lon is nan; allowed: -180.0 to 180.0 deg"),
    ("lon = 122.20", "lon = true", "navaid[0].station[0].lon is True; allowed"),
    ("lon = 122.20", 'lon = "122.2"', "navaid[0].station[0].lon is '122.2'; allowed"),
    (
        'light = "Fl(2) R 6s"',
        'light = "  "',
        "navaid[0].station[0].light is '  '; allowed: a light",
    ),
    ('light = "Fl(2) R 6s"', "", "navaid[0].station[0].light is missing; allowed: a light"),
    ('notice = "N1"', "", "navaid[0].station[0].notice is missing; allowed: the notice"),
    (
        "from = 2020-01-01T00:00:00Z\nlat",
        "from = 2020-01-01T00:00:00\nlat",
        "navaid[0].station[0].from is 2020-01-01 00:00:00; allowed: a date and time with its offset",
    ),
    ("from = 2020-01-01T00:00:00Z\nlat", "from = 2020-01-01\nlat", "navaid[0].station[0].from is"),
    ("from = 2020-01-01T00:00:00Z\nlat", "lat", "navaid[0].station[0].from is missing; allowed"),
    (
        "lat = 31.10\n",
        "to = 2019-01-01T00:00:00Z\nlat = 31.10\n",
        "navaid[0].station[0].to is 2019-01-01T00:00:00Z; allowed: later than its from",
    ),
    (
        'notice = "N1"',
        'notice = "N1"\nligth = "Q"',
        "navaid[0].station[0].ligth is not a known key",
    ),
    ('name = { zh = "一号灯浮", en = "Buoy one" }', "", "navaid[0].name.zh is missing"),
    (
        'name = { zh = "一号灯浮", en = "Buoy one" }',
        'name = "x"',
        "navaid[0].name is 'x'; allowed: a table",
    ),
    ('berth = "b1"', 'berth = "b9"', "pile[0].berth is 'b9'; allowed: a berth of this file (b1)"),
    ("rated_kw = 100", "rated_kw = 0", "pile[0].rated_kw is 0; allowed: 0.1 to 100000.0 kW"),
    ("rated_kw = 100", "rated_kw = 100\nlat = 3.0", "pile[0].lon is missing; allowed: -180.0"),
    (
        'profile = "shorepower"',
        'profile = "power"',
        "device[2].profile is 'power'; allowed: one of",
    ),
    ('asset = "p1"', 'asset = "p9"', "device[2].service[0].asset is 'p9'; allowed: an asset of"),
    (
        'asset = "p1"',
        'asset = "c1"',
        "device[2].service[0].asset is 'c1', a navaid; allowed for a device of profile shorepower",
    ),
    (
        'id = "buoy-2"',
        'id = "buoy-1"',
        "device[1].id is 'buoy-1'; allowed: an id that no other device has",
    ),
    ('id = "p1"', 'id = "c2"', "pile[0].id is 'c2'; allowed: an id that no other asset has"),
    ('state = "store"', 'state = "lost"', "device[3].state[0].state is 'lost'; allowed: one of"),
    (
        'asset = "c2"',
        'asset = "c1"',
        "device[1].service[0].from is 2020-01-01T00:00:00Z, within the service of buoy-1 at c1",
    ),
]


@pytest.mark.parametrize(("good", "bad", "said"), BAD_VALUES, ids=[case[2] for case in BAD_VALUES])
def test_each_wrong_value_is_named(tmp_path, good, bad, said):
    assert good in REGISTRY
    told = problems(tmp_path, REGISTRY.replace(good, bad, 1))
    assert any(said in problem for problem in told), told
    assert all(problem.startswith(f"{tmp_path / 'registry.toml'}:") for problem in told)


def test_the_line_is_told(tmp_path):
    text = REGISTRY.replace("lon = 122.30", "lon = 1222.0")
    [told] = problems(tmp_path, text)
    assert told.startswith(
        f"{tmp_path / 'registry.toml'}:{line_of(text, 'lon = 1222.0')}: navaid[1]"
    )


def test_a_missing_key_is_told_at_its_table(tmp_path):
    text = REGISTRY.replace('kind = "starboard"\n', "")
    [told] = problems(tmp_path, text)
    assert f":{line_of(text, '[[navaid]]', 2)}: navaid[1].kind is missing" in told


def test_every_problem_is_told_at_once(tmp_path):
    text = REGISTRY.replace("lat = 31.10", "lat = 99").replace('kind = "starboard"', 'kind = "x"')
    assert len(problems(tmp_path, text)) == 2


def test_two_stations_at_once_are_refused(tmp_path):
    second = """notice = "N1"
[[navaid.station]]
from = 2022-01-01T00:00:00Z
lat = 31.0
lon = 122.0
light = "Q R"
notice = "N3"
"""
    [told] = problems(tmp_path, REGISTRY.replace('notice = "N1"', second))
    assert "navaid[0].station[1].from is 2022-01-01T00:00:00Z, within another station of" in told
    assert "without end; allowed: one at a time" in told


def test_two_services_of_one_device_at_once_are_refused(tmp_path):
    text = REGISTRY + '[[device.service]]\nasset = "c1"\nfrom = 2021-01-01T00:00:00Z\n'
    text += '[[device.service]]\nasset = "c2"\nfrom = 2021-01-01T00:00:00Z\n'
    told = problems(tmp_path, text.replace('asset = "c1"', 'asset = "b1"', 1))
    assert any("device[3].service[1].from" in p and "its service at c1" in p for p in told)


def test_what_is_no_toml_and_what_is_not_there(tmp_path):
    [told] = problems(tmp_path, "[[navaid]\n")
    assert "registry.toml: not TOML" in told
    assert "line 1" in told
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        registry.load(tmp_path / "other.toml")


def test_nothing_is_refused_for_lying_on_land(tmp_path):
    known = load(
        tmp_path, REGISTRY.replace("lat = 31.10\nlon = 122.20", "lat = 34.0\nlon = 108.9")
    )
    assert known.station_of("c1", 0).lat == 34.0


SWAP = """
[[navaid]]
id = "c1"
name = { zh = "一", en = "one" }
kind = "port"
[[navaid.station]]
from = 2026-03-01T00:00:00+08:00
to = 2026-06-01T00:00:00+08:00
lat = 31.1
lon = 122.1
light = "Q R"
notice = "N1"
[[navaid.station]]
from = 2026-07-01T00:00:00+08:00
lat = 31.2
lon = 122.2
light = "Fl R 4s"
notice = "N2"

[[navaid]]
id = "c2"
name = { zh = "二", en = "two" }
kind = "starboard"

[[device]]
id = "a"
profile = "beacon"
[[device.service]]
asset = "c2"
from = 2026-05-01T00:00:00Z
[[device.service]]
asset = "c1"
from = 2026-03-01T00:00:00Z
to = 2026-05-01T00:00:00Z
notice = "W1"
[[device.state]]
state = "station"
from = 2026-03-01T00:00:00Z
[[device.state]]
state = "store"
from = 2026-01-01T00:00:00Z

[[device]]
id = "b"
profile = "beacon"
[[device.service]]
asset = "c1"
from = 2026-05-01T00:00:00Z
to = 2026-08-01T00:00:00Z
"""


class TestBindings:
    @pytest.fixture
    def known(self, tmp_path):
        return load(tmp_path, SWAP)

    def test_which_asset_a_device_served(self, known):
        assert known.asset_of("a", t(2026, 2, 28)) is None
        assert known.asset_of("a", t(2026, 3, 1)) == "c1"
        assert known.asset_of("a", t(2026, 5, 1) - 1) == "c1"
        assert known.asset_of("a", t(2026, 5, 1)) == "c2"
        assert known.asset_of("a", t(2036, 1, 1)) == "c2"
        assert known.asset_of("b", t(2026, 8, 1)) is None
        assert known.asset_of("nobody", t(2026, 5, 1)) is None

    def test_which_device_serves_an_asset_and_by_which_notice(self, known):
        device, service = known.serving("c1", t(2026, 4, 1))
        assert (device, service.notice, service.since) == ("a", "W1", t(2026, 3, 1))
        assert known.serving("c1", t(2026, 6, 1))[0] == "b"
        assert known.serving("c1", t(2026, 9, 1)) is None
        assert known.serving("nothing", 0) is None

    def test_which_devices_served_in_a_period(self, known):
        assert known.services_of("c1", t(2026, 4, 1), t(2026, 9, 1)) == [
            Span("a", t(2026, 4, 1), t(2026, 5, 1)),
            Span("b", t(2026, 5, 1), t(2026, 8, 1)),
        ]
        assert known.services_of("c2", t(2026, 1, 1), t(2026, 5, 1)) == []

    def test_where_an_aid_stood(self, known):
        before, between = t(2026, 2, 28, 15), t(2026, 6, 15)
        assert known.station_of("c1", before) is None
        assert known.station_of("c1", t(2026, 2, 28, 16)).light == "Q R"  # midnight at +08:00
        assert known.station_of("c1", between) is None
        assert known.station_of("c1", t(2026, 7, 1)).notice == "N2"
        assert known.station_of("c2", t(2026, 7, 1)) is None

    def test_what_was_done_with_a_device(self, known):
        assert known.state_of("a", t(2025, 1, 1)) is None
        assert known.state_of("a", t(2026, 2, 1)).state == "store"
        assert known.state_of("a", t(2026, 3, 1)).state == "station"

    def test_when_the_next_binding_changes_and_whose(self, known):
        assert known.next_change(t(2026, 4, 1)) == t(2026, 5, 1)
        assert known.changed_between(t(2026, 4, 1), t(2026, 5, 1)) == ({"c1", "c2"}, {"a", "b"})
        assert known.changed_between(t(2026, 5, 1), t(2026, 5, 20)) == (set(), set())
        assert known.next_change(t(2030, 1, 1)) is None


def test_a_pile_stands_at_its_berth_unless_it_says_otherwise(tmp_path):
    known = load(tmp_path, REGISTRY)
    assert (known.assets["p1"].lat, known.assets["p1"].lon) == (31.36, 121.62)
    known = load(tmp_path, REGISTRY.replace("rated_kw = 100", "rated_kw = 100\nlat = 3\nlon = 4"))
    assert (known.assets["p1"].lat, known.assets["p1"].lon) == (3.0, 4.0)


def test_the_digest_is_that_of_the_file(tmp_path):
    one, other = load(tmp_path, REGISTRY), load(tmp_path, REGISTRY + "\n# a word\n")
    assert one.digest != other.digest
    assert load(tmp_path, REGISTRY).digest == one.digest


def test_the_demo_has_what_it_promises():
    known = registry.load(DEMO)
    kinds = [asset.kind for asset in known.assets.values() if hasattr(asset, "kind")]
    assert len(kinds) == 6
    assert {"port", "starboard", "special", "light"} <= set(kinds)
    assert {f"buoy-{n}" for n in range(1, 7)} | {"pile-1", "pile-2", "spare-1"} == set(
        known.devices
    )
    now = t(2026, 11, 1)
    assert all(known.serving(asset, now) for asset in known.assets if not asset.startswith("b")), (
        "every navaid and pile is served"
    )
    assert known.asset_of("spare-1", now) is None
    assert known.state_of("spare-1", now).state == "store"

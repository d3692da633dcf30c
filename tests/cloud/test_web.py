"""The page's modules that need no browser, run by node: texts, datum, geometry, formats."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.wire import schema, words
from cloud.app import LIBRARIES, WEB
from cloud.freshness import WORST_FIRST
from cloud.registry.assets import DEVICE_STATES, NAVAID_KINDS, PROFILES
from cloud.store.counts import TALLIES
from cloud.store.latest import TARGETS
from cloud.values import fields

NODE = Path(sys.executable).parent / "node"
MODULES = sorted((WEB / "js").rglob("*.js"))


def run(script):
    """Run a module in node; return the JSON that it prints."""
    done = subprocess.run(
        [NODE, "--no-warnings", "--input-type=module", "-e", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def js(name):
    """Return a module's address for node."""
    return json.dumps((WEB / "js" / name).as_uri())


@pytest.fixture(scope="module")
def texts():
    return run(
        f"import zh from {js('lang/zh.js')}; import en from {js('lang/en.js')};"
        "console.log(JSON.stringify({zh, en}))"
    )


class TestTexts:
    def test_both_languages_have_the_same_texts(self, texts):
        assert set(texts["zh"]) == set(texts["en"])
        assert all(isinstance(text, str) for lang in texts.values() for text in lang.values())
        empty = {key for lang in texts.values() for key, text in lang.items() if not text}
        assert all(key.startswith("unit.") for key in empty)

    def test_both_fill_in_the_same_values(self, texts):
        for key, text in texts["zh"].items():
            wanted = set(re.findall(r"\{\w+\}", text))
            assert wanted == set(re.findall(r"\{\w+\}", texts["en"][key])), key

    def test_chinese_is_chinese_and_english_is_not(self, texts):
        chinese = re.compile("[\u4e00-\u9fff]")
        for key, text in texts["en"].items():
            assert not chinese.search(text) or key == "app.switch", key
        latin = {k for k, text in texts["zh"].items() if text and not chinese.search(text)}
        # Names and signs that are the same in both.
        assert all(
            k.startswith(("unit.", "constellation.", "code."))
            or k in {"value.none", "list.count", "target.mmsi", "app.switch"}
            for k in latin
        ), latin

    def test_everything_the_centre_may_say_has_a_text(self, texts):
        wanted = {field.key for field in fields().values() if not _of_targets(field.key)}
        wanted |= {f"schema.{row[1]}" for row in schema.SCHEMAS[1:] if row[0] not in TARGETS}
        wanted |= {f"unit.{field.unit}" for field in fields().values()}
        wanted |= {f"code.{word}" for table in words.FIELDS.values() for word in table.values()}
        wanted |= {f"kind.{kind}" for kind in NAVAID_KINDS}
        wanted |= {f"fresh.{state}" for state in WORST_FIRST}
        wanted |= {f"state.{state}" for state in DEVICE_STATES}
        wanted |= {f"profile.{profile}" for profile in PROFILES}
        wanted |= {f"count.{name}" for name in TALLIES}
        wanted |= {"type.berth", "type.pile", "target.ship", "target.base", "target.aton"}
        assert wanted <= set(texts["zh"]), wanted - set(texts["zh"])

    def test_every_text_the_page_asks_for_is_there(self, texts):
        source = "\n".join(path.read_text("utf-8") for path in MODULES if "lang" not in path.parts)
        html = (WEB / "index.html").read_text("utf-8")
        asked = set(re.findall(r"""\bt\("([\w.-]+)\"""", source))
        asked |= set(re.findall(r'data-t(?:-\w+)?="([\w.-]+)"', html))
        assert len(asked) > 90  # the patterns still find them
        assert asked <= set(texts["zh"]), asked - set(texts["zh"])


def _of_targets(key):
    names = {schema.SCHEMAS[target][1] for target in TARGETS}
    return key.partition(".")[0] in names


class TestFiles:
    def test_the_page_loads_all_its_modules_at_once(self):
        html = (WEB / "index.html").read_text("utf-8")
        named = set(re.findall(r'(?:href|src)="(/(?:js|lib)/[^"]+\.js)"', html))
        own = {f"/{path.relative_to(WEB).as_posix()}" for path in MODULES}
        assert own <= named
        assert named <= own | set(LIBRARIES)

    def test_nothing_is_inline_and_nothing_from_elsewhere(self):
        html = (WEB / "index.html").read_text("utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)", html)
        assert "<style" not in html
        assert not re.search(r"\s(style|on\w+)=", html)
        for path in [*MODULES, *(WEB / "css").glob("*.css"), WEB / "index.html"]:
            text = path.read_text("utf-8")
            assert not re.search(r"(?<!xmlns=\")https?://", text), path.name

    def test_every_import_is_served(self):
        for path in MODULES:
            for target in re.findall(r'(?:from|import\()\s*"([^"]+)"', path.read_text("utf-8")):
                if target.startswith("/lib/"):
                    assert target in LIBRARIES, (path.name, target)
                else:
                    assert (path.parent / target).resolve() in MODULES, (path.name, target)

    def test_what_a_library_imports_is_served_too(self):
        for address, path in LIBRARIES.items():
            if path.suffix == ".js":
                for target in re.findall(r'from "(\./[^"]+)"', path.read_text("utf-8")):
                    folder = address.rpartition("/")[0]
                    assert f"{folder}/{target.removeprefix('./')}" in LIBRARIES, (address, target)


class TestDatum:
    # WGS-84 and the GCJ-02 that other implementations of the published series give for it.
    KNOWN = (
        ((39.915, 116.404), (39.91640428150164, 116.41024449916938)),
        ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),
        ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),
        ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),
    )

    @pytest.mark.parametrize(("wgs", "gcj"), KNOWN)
    def test_against_known_values(self, wgs, gcj):
        told = run(
            f"import {{toGcj02, toWgs84}} from {js('datum.js')};"
            f"const there = toGcj02({{lat: {wgs[0]}, lon: {wgs[1]}}});"
            "console.log(JSON.stringify([there, toWgs84(there)]))"
        )
        assert (told[0]["lat"], told[0]["lon"]) == pytest.approx(gcj, abs=1e-9)
        assert (told[1]["lat"], told[1]["lon"]) == pytest.approx(wgs, abs=1e-8)

    def test_outside_china_nothing_is_shifted(self):
        told = run(
            f"import {{toGcj02, toWgs84}} from {js('datum.js')};"
            "const p = {lat: 51.5, lon: -0.1};"
            "console.log(JSON.stringify([toGcj02(p), toWgs84(p)]))"
        )
        assert told == [{"lat": 51.5, "lon": -0.1}] * 2

    def test_the_shift_in_the_estuary_is_half_a_kilometre(self):
        metres = run(
            f"import {{toGcj02}} from {js('datum.js')}; import {{distance}} from {js('geo.js')};"
            "const p = {lat: 31.1, lon: 122.2}; console.log(distance(p, toGcj02(p)))"
        )
        assert 300 < metres < 700


class TestGeometry:
    @pytest.mark.parametrize(
        ("a", "b", "metres", "bearing"),
        [
            ((0, 0), (0, 1), 111_195, 90),
            ((31, 122), (32, 122), 111_195, 0),
            ((31.1, 122.2), (31.1, 122.2), 0, 0),
            # One minute of latitude to the south is a nautical mile, give or take the sphere.
            ((31.0, 122.0), (31.0 - 1 / 60, 122.0), 1853, 180),
            ((60, 10), (60, 9), 55_597, 270.4),
        ],
    )
    def test_distance_and_bearing(self, a, b, metres, bearing):
        told = run(
            f"import {{distance, bearing}} from {js('geo.js')};"
            f"const [a, b] = [{{lat: {a[0]}, lon: {a[1]}}}, {{lat: {b[0]}, lon: {b[1]}}}];"
            "console.log(JSON.stringify([distance(a, b), bearing(a, b)]))"
        )
        assert told[0] == pytest.approx(metres, rel=1e-3, abs=0.5)
        assert told[1] == pytest.approx(bearing, abs=0.1)

    def test_the_square_map(self):
        told = run(
            f"import {{mercator}} from {js('geo.js')};"
            "console.log(JSON.stringify([mercator(0, 0), mercator(85.0511287798, -180),"
            " mercator(-90, 180), mercator(31.1, 122.2)]))"
        )
        assert told[0] == [0.5, 0.5]
        assert told[1] == pytest.approx([0, 0], abs=1e-9)
        assert told[2] == pytest.approx([1, 1], abs=1e-9)
        y = 0.5 - math.log(math.tan(math.pi / 4 + math.radians(31.1) / 2)) / (2 * math.pi)
        assert told[3] == pytest.approx([122.2 / 360 + 0.5, y], abs=1e-12)


class TestFormats:
    @pytest.mark.parametrize(
        ("lat", "lon", "text"),
        [
            (31.101, 122.201, "31°06.060′N 122°12.060′E"),
            (-0.5, -9.99999999, "00°30.000′S 010°00.000′W"),
            (31.9999999, 122, "32°00.000′N 122°00.000′E"),
        ],
    )
    def test_a_position(self, lat, lon, text):
        told = run(
            f"import {{position}} from {js('format.js')};"
            f"console.log(JSON.stringify(position({{lat: {lat}, lon: {lon}}})))"
        )
        assert told == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0 秒"),
            (119, "119 秒"),
            (120, "2 分钟"),
            (7199, "119 分钟"),
            (7200, "2 小时"),
            (172_800, "2 天"),
        ],
    )
    def test_an_age(self, seconds, text):
        told = run(
            f"import {{age}} from {js('format.js')}; console.log(JSON.stringify(age({seconds})))"
        )
        assert told == text

    @pytest.mark.parametrize(
        ("field", "value", "unit", "text"),
        [
            ("beacon.batt_mv", "12.61", "V", ["12.61", "V"]),
            ("beacon.lit", "null", "flag", ["不明", ""]),
            ("beacon.lit", "false", "flag", ["否", ""]),
            ("beacon.batt_mv", "null", "V", ["—", ""]),
            ("meter.p_w", "8600", "W", ["8.6", "kW"]),
            ("birth.reset", '"watchdog"', "code", ["看门狗", ""]),
            ("birth.version", '"0.1.0"', "bytes", ["0.1.0", ""]),
            ("health.uptime_s", "7300", "s", ["2 小时", ""]),
            ("meter.status", "80", "bits", ["0x50", ""]),
            ("beacon.lat_e6", "31.101", "deg", ["31°06.060′N", ""]),
        ],
    )
    def test_a_reading(self, field, value, unit, text):
        told = run(
            f"import {{reading}} from {js('format.js')};"
            f"console.log(JSON.stringify(reading({{field: '{field}', value: {value}, unit: '{unit}'}})))"
        )
        assert told == text

    @pytest.mark.parametrize(
        ("light", "colour"),
        [
            ("Fl(2) R 6s", "#ff3b3b"),
            ("Fl(2+1)G", "#19c25a"),
            ("VQ", "#ffe27a"),
            ("VQ(6)+LFl 10s", "#ffe27a"),
            ("Mo(Q) Y 12s", "#ffc400"),
            ("Al.Bu.Y 3s", "#3f8cff"),
            ("Q R", "#ff3b3b"),
            ("F G", "#19c25a"),
            ("Iso W 4s", "#ffe27a"),
        ],
    )
    def test_the_colour_of_a_flare(self, light, colour):
        told = run(
            f"import {{flareColour}} from {js('map/marks.js')};"
            f"console.log(JSON.stringify(flareColour({json.dumps(light)})))"
        )
        assert told == colour

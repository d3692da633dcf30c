"""What `make run` shows by default: a light that fails at dusk, a buoy that drags, a ship that connects.

The very demo (config/demo), at the hour it happens to be: virtual boards on MicroPython, broker, gateway,
centre, page. Each has to be seen on the page within a minute; the estuary runs in real time. For the
buoy that is a minute after it has left its guard ring: until then it only swings.
"""

import time
import tomllib
from pathlib import Path

from playwright.sync_api import expect

from simulators.world.place import Place
from tests.chain.processes import wait_for

DEMO = Path(__file__).parents[2] / "config" / "demo"
WITHIN_S = 60
SLACK_S = 5  # between the estuary's start and its file's time stamp, and for a busy machine


def begins(what: str) -> float:
    """Return when a scenario of the demo happens, in seconds after the estuary's start."""
    plan = tomllib.loads((DEMO / "estuary.toml").read_text("utf-8"))
    return next(one["at_s"] for one in plan["scenario"] if one["what"] == what)


def off_sinker_m(site, asset: str) -> float:
    """Return how far an aid is from its station, by the position it reported last."""
    told = site.ask(f"/api/assets/{asset}")
    at, station = told["position"], told["station"]
    return abs(Place(station["lat"], station["lon"]).to(Place(at["lat"], at["lon"])))


def guard_m(site, asset: str) -> float:
    """Return the radius of an aid's guard ring, as its board reported it."""
    readings = site.ask(f"/api/assets/{asset}")["readings"]
    return next(r["value"] for r in readings if r["field"] == "station.guard_dm")


def plugs_in(device: str) -> float:
    """Return when a pile's first ship plugs in."""
    plan = tomllib.loads((DEMO / "estuary.toml").read_text("utf-8"))
    return next(one["first_plug_s"] for one in plan["pile"] if one["device"] == device)


def test_the_demo_shows_what_it_should(site, browser, capsys, tmp_path):
    one = site()
    one.wait_up()
    started = (one.data / "estuary.json").stat().st_mtime
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"http://127.0.0.1:{one.port}/?lang=zh")
    seen = {}

    def see(name, asset, words, happened_s):
        """Wait until an asset's row shows one of some words; note how long after it happened."""
        row = page.locator(f'.row[data-id="{asset}"]')
        left_s = started + happened_s + WITHIN_S + SLACK_S - time.time()
        wait_for(
            f"{name} on the page, within {WITHIN_S} s",
            lambda: any(word in row.inner_text() for word in words),
            max(left_s, 1),
        )
        seen[name] = time.time() - started - happened_s
        page.screenshot(path=tmp_path / f"{name}.png")

    expect(page.locator('.row[data-id="c4"]')).to_be_visible(timeout=30_000)
    see("unlit", "c4", ["灯光熄灭"], begins("lamp-fails"))
    see("session", "p2", ["会话中"], plugs_in("pile-2"))
    wait_for(
        "c2 to leave its ring",
        lambda: off_sinker_m(one, "c2") > guard_m(one, "c2"),
        started + begins("drags") + 120 - time.time(),
    )
    see("adrift", "c2", ["漂失", "移位"], time.time() - started)
    page.locator('.row[data-id="c2"]').click()
    expect(page.locator("#panel-alarms li").first).to_be_visible()
    page.locator('.row[data-id="p2"]').click()
    expect(page.locator('tr[data-field="session.what"]')).to_be_visible(timeout=10_000)
    page.screenshot(path=tmp_path / "panel.png")
    # Everything else is as it should be, and nothing was raised that should not be.
    # (A machine so busy that the simulated cables are late by a tenth of a second bends every rhythm.)
    late = "light-without-rhythm"
    told = {
        a["id"]: [alarm["what"] for alarm in a["alarms"] if alarm["what"] != late]
        for a in one.ask("/api/assets")
    }
    assert told.pop("c4") == ["light-unlit"]
    assert set(told.pop("c2")) <= {"adrift", "off-station"}
    assert all(not alarms for alarms in told.values()), told
    devices = one.ask("/api/devices")
    errors = {d["id"]: d["health"].get("health.part_errors") for d in devices}
    assert not any(errors.values()), errors
    with capsys.disabled():
        print("\nseen on the page:", ", ".join(f"{k} {v:.0f} s" for k, v in seen.items()))

"""What happens in the estuary: each kind does what it says, ends, and comes again when it is to."""

import asyncio
import json
import math
import random

import pyais
import pytest

from agent.hal.boards import virtual
from simulators.devices import Beacon
from simulators.scenarios import KINDS, SEA, requested
from tests.simulators.small_sea import (
    CONFIG,
    NIGHT,
    NOON,
    Clock,
    arrived,
    live,
    make,
    plug_in,
)
from toolkit.settings import SettingsError


class Listener(Beacon):
    """Hears AIS, and needs nothing else."""

    def second(self, t):
        """Say nothing."""


LONG = CONFIG.replace("session_s = [60, 90]", "session_s = [6000, 6000]")


def estuary(folder, start=NOON, scenarios="", config=LONG):
    """Return a sea whose boards' sensors say nothing, which is most of the work, and its clock."""
    clock = Clock(start)
    sea = make(folder, clock, config_text=config + scenarios)
    sea.devices.clear()
    return sea, clock


def pass_time(sea, clock, seconds):
    for _ in range(seconds):
        clock.now += 1
        sea.tick(clock.now)


def order(sea, what, **details):
    wanted = {"what": what, **details}
    why = sea.happen(requested(wanted))
    assert why == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('what = "rain"\nat_s = 1', "scenario[0].what is 'rain'; allowed: one of darkness, fog"),
        ('what = "fog"\nfor_s = 5', "scenario[0].at_s is missing; allowed: 0 to 2592000"),
        ('what = "fog"\nat_s = 5', "scenario[0].for_s is missing"),
        ('what = "dim"\nat_s = 5\nfor_s = 5', "scenario[0].asset is missing"),
        (
            'what = "fog"\nat_s = 5\nfor_s = 5\nasset = "c1"',
            "scenario[0].asset is not a known key",
        ),
        ('what = "fog"\nat_s = 5\nfor_s = 60\nevery_s = 60', "every_s is 60; allowed: 61.0 to"),
        ('what = "dim"\nasset = "c1"\nat_s = 5\nfor_s = 5\nstrength = 2', "allowed: 0.01 to 0.99"),
        ('what = "dim"\nasset = "c1"\nat_s = 5\nfor_s = 5\nwhen = "dusk"', "when is not a known"),
        ('what = "rhythm"\nasset = "c1"\nat_s = 5\nfor_s = 5\nlight = "Fl"', "cannot be shown"),
        (
            'what = "hatch"\nasset = "c9"\nat_s = 5\nfor_s = 5',
            "there is no navaid 'c9'; there are",
        ),
        ('what = "drags"\nasset = "c2"\nat_s = 5\nfor_s = 5', "c2 does not float"),
        (
            'what = "sag"\nasset = "c1"\nat_s = 5\nfor_s = 5',
            "there is no pile 'c1'; there are: p1",
        ),
    ],
)
def test_a_wrong_scenario_is_named(tmp_path, text, problem):
    with pytest.raises(SettingsError) as caught:
        estuary(tmp_path, scenarios=f"[[scenario]]\n{text}\n")
    assert problem in "\n".join(caught.value.problems)


def test_it_begins_ends_and_comes_again(tmp_path):
    script = '[[scenario]]\nwhat = "hatch"\nasset = "c1"\nat_s = 10\nfor_s = 20\nevery_s = 60\n'
    sea, clock = estuary(tmp_path, scenarios=script)
    opened = []
    for _ in range(200):
        pass_time(sea, clock, 1)
        opened.append(sea.aids["c1"].hatch_open)
    expected = [s >= 10 and (s - 10) % 60 < 20 for s in range(1, 201)]
    assert opened == expected


def test_what_was_slept_through_is_not_made_up_for(tmp_path):
    script = '[[scenario]]\nwhat = "hatch"\nasset = "c1"\nat_s = 10\nfor_s = 20\nevery_s = 60\n'
    sea, clock = estuary(tmp_path, scenarios=script)
    clock.now += 10_000
    pass_time(sea, clock, 1)
    begun = clock.now
    assert sea.aids["c1"].hatch_open
    pass_time(sea, clock, 20)
    assert not sea.aids["c1"].hatch_open
    assert begun + 20 == clock.now


def test_darkness_lights_every_lantern_at_noon_and_goes(tmp_path):
    sea, clock = estuary(tmp_path)
    pass_time(sea, clock, 2)
    assert not sea.aids["c1"].lit
    assert sea.aids["c1"].readings()["lux"] > 3000
    order(sea, "darkness", for_s=60)
    pass_time(sea, clock, 3)
    for aid in sea.aids.values():
        assert aid.readings()["lux"] < 50
        assert aid.lit
    pass_time(sea, clock, 60)
    assert not any(aid.lit for aid in sea.aids.values())


def test_a_lamp_fails_at_once_or_with_its_next_dusk(tmp_path):
    sea, clock = estuary(tmp_path, start=NIGHT)
    lamp = sea.aids["c1"].lamp
    assert lamp.shines
    order(sea, "lamp-fails", asset="c1", for_s=30)
    pass_time(sea, clock, 5)
    assert not lamp.shines
    assert lamp.current_ma(clock.now) == lamp.mean_ma == 0
    pass_time(sea, clock, 30)
    assert lamp.shines
    sea, clock = estuary(tmp_path, start=NOON)
    lamp = sea.aids["c1"].lamp
    order(sea, "lamp-fails", asset="c1", for_s=60, when="dusk")
    pass_time(sea, clock, 100)
    assert not lamp.failed
    order(sea, "darkness", for_s=300)
    pass_time(sea, clock, 10)
    assert lamp.failed
    assert lamp.switched_on
    pass_time(sea, clock, 65)
    assert lamp.shines


def test_a_lamp_sticks_shows_another_rhythm_and_is_dim(tmp_path):
    sea, clock = estuary(tmp_path, start=NOON)
    lamp = sea.aids["c1"].lamp
    order(sea, "lamp-stuck", asset="c1", for_s=30)
    pass_time(sea, clock, 1)
    assert {lamp.current_ma(clock.now + i / 7) for i in range(50)} == {350}
    pass_time(sea, clock, 31)
    assert lamp.current_ma(clock.now) == 0
    sea, clock = estuary(tmp_path, start=NIGHT)
    lamp = sea.aids["c1"].lamp
    order(sea, "rhythm", asset="c1", for_s=30, light="Iso 4s")
    order(sea, "dim", asset="c1", for_s=30, strength=0.5)
    seen = [lamp.current_ma(NIGHT + i / 10) for i in range(40)]
    assert max(seen) == pytest.approx(175)
    assert sum(ma > 100 for ma in seen) == pytest.approx(20, abs=1)
    pass_time(sea, clock, 31)
    seen = [lamp.current_ma(NIGHT + i / 10) for i in range(60)]
    assert max(seen) == pytest.approx(350)
    assert sum(ma > 200 for ma in seen) == pytest.approx(10, abs=1)  # Fl(2) 6s again


def test_a_buoy_drags_and_is_brought_back(tmp_path):
    sea, clock = estuary(tmp_path)
    buoy = sea.aids["c1"]
    pass_time(sea, clock, 100)
    lay = buoy.station.to(buoy.place)
    order(sea, "drags", asset="c1", for_s=400, metres=120, mps=0.6, towards_deg=90)
    pass_time(sea, clock, 100)
    assert buoy.velocity.real == pytest.approx(0.6, abs=0.1)
    pass_time(sea, clock, 150)
    assert (buoy.station.to(buoy.place) - lay).real == pytest.approx(120, abs=8)
    pass_time(sea, clock, 150 + 250)
    assert abs(buoy.station.to(buoy.place) - lay) < 10
    lay = buoy.station.to(buoy.place)
    order(sea, "drags", asset="c1", for_s=300)  # the way the chain pulls
    pass_time(sea, clock, 250)
    dragged = buoy.mooring.sinker
    assert abs(dragged) == pytest.approx(120)
    assert (dragged * lay.conjugate()).real == pytest.approx(120 * abs(lay), rel=0.02)


def test_a_buoy_breaks_free_and_is_brought_back(tmp_path):
    sea, clock = estuary(tmp_path)
    buoy = sea.aids["c1"]
    order(sea, "breaks-free", asset="c1", for_s=1000)
    pass_time(sea, clock, 990)
    assert abs(buoy.station.to(buoy.place)) > 200
    pass_time(sea, clock, 260)
    assert abs(buoy.station.to(buoy.place)) < 45


def test_hatch_and_leak_reach_the_pins(tmp_path):
    async def run():
        clock = Clock(NOON)
        sea = make(tmp_path, clock)
        await sea.open()
        reader, writer = await plug_in(sea.address_book()["devices"]["buoy-1"]["inputs"])
        await asyncio.sleep(0.05)
        order(sea, "hatch", asset="c1", for_s=10)
        order(sea, "leak", asset="c1", for_s=20)
        await live(sea, clock, 25, step=0.5)
        told = [json.loads(line).get("pin", {}) for line in (await arrived(reader)).splitlines()]
        writer.close()
        await sea.close()
        return told

    told = asyncio.run(run())
    for name in ("hatch", "water"):
        pin, active = virtual.DIGITALS[name]
        levels = [pins[str(pin)] for pins in told if str(pin) in pins]
        assert levels == [active, 1 - active]


def test_a_blow_and_a_capsized_hull_are_felt(tmp_path):
    async def run():
        clock = Clock(NOON)
        sea = make(tmp_path, clock)
        await sea.open()
        reader, writer = await plug_in(sea.address_book()["devices"]["buoy-1"]["inputs"])
        await asyncio.sleep(0.05)
        await live(sea, clock, 2, step=0.25)
        order(sea, "collision", asset="c1", peak_mg=6000, blow_ms=25)
        order(sea, "capsizes", asset="c1", for_s=3)
        await live(sea, clock, 2, step=0.25)
        before = await arrived(reader)
        await live(sea, clock, 4, step=0.25)
        after = await arrived(reader)
        writer.close()
        await sea.close()
        return [[json.loads(line) for line in data.splitlines()] for data in (before, after)]

    before, after = asyncio.run(run())
    (blow,) = [line["blow"] for line in before if "blow" in line]
    assert blow["ms"] == 25
    assert math.hypot(*blow["mg"]) == pytest.approx(6000, rel=0.15)
    first, over, last = (
        [line["motion"][2] for line in lines if "motion" in line][at]
        for lines, at in ((before, 0), (before, -1), (after, -1))
    )
    assert first > 800
    assert over < 500
    assert last > 800


def test_an_aids_ais_falls_silent(tmp_path):
    sea, clock = estuary(tmp_path)
    heard = []
    sea.devices["listener"] = listener = Listener("listener", sea.aids["c2"], random.Random(1))
    listener.hear = lambda one: heard.append(pyais.decode(*one.sentences))

    def aids(seconds):
        heard.clear()
        pass_time(sea, clock, seconds)
        return {one.mmsi for one in heard if one.msg_type == 21}

    c1, c2 = 994131001, 994131002
    assert aids(400) == {c1, c2}
    order(sea, "ais-silent", asset="c1", for_s=600)
    assert aids(599) == {c2}
    assert aids(400) == {c1, c2}


def test_fog_and_storm(tmp_path):
    sea, clock = estuary(tmp_path)
    order(sea, "fog", for_s=100, visibility_m=250)
    order(sea, "storm", for_s=100, mps=20)
    pass_time(sea, clock, 50)
    assert sea._sea.weather.visibility_m(clock.now) == 250
    assert sea._sea.wind.mean_mps(clock.now) > 20
    pass_time(sea, clock, 60)
    assert sea._sea.weather.visibility_m(clock.now) > 4000
    assert sea._sea.wind.storms == sea._sea.weather.fogs == []


def test_what_happens_at_a_pile(tmp_path):
    sea, clock = estuary(tmp_path)
    pile = sea._sites["p1"]
    pass_time(sea, clock, 60)
    assert pile.closed
    assert pile.loop_closed
    sound_ma, cool_c = pile.residual_ma, pile.plug_c(20.0)
    assert 2 < sound_ma < 15
    assert 20 < cool_c < 25
    order(sea, "residual", asset="p1", for_s=30, ma=80)
    order(sea, "hot-plug", asset="p1", for_s=3000, kelvin=100)
    order(sea, "sag", asset="p1", for_s=30, share=0.8)
    pass_time(sea, clock, 10)
    assert pile.residual_ma == pytest.approx(sound_ma + 80, abs=3)
    assert pile.quantities()["u_a_v"] == pytest.approx(176, abs=5)
    pass_time(sea, clock, 900)
    assert pile.residual_ma < 15
    assert pile.plug_c(20.0) > 100
    order(sea, "neutral-lost", asset="p1", for_s=30)
    volts = [pile.quantities()[f"u_{phase}_v"] for phase in "abc"]
    assert max(volts) > 270
    assert min(volts) < 190
    order(sea, "loop-opens", asset="p1", for_s=30)
    pass_time(sea, clock, 2)
    assert (pile.plugged, pile.loop_closed, pile.closed, pile.power_w) == (True, False, False, 0)
    pass_time(sea, clock, 40)
    assert pile.closed
    order(sea, "meter-swap", asset="p1", kwh=12.34)
    assert pile.import_kwh == pytest.approx(12.34)


def test_a_ship_that_lies_there_and_does_not_connect(tmp_path):
    config = CONFIG.replace("first_plug_s = 60", "first_plug_s = 30")
    sea, clock = estuary(tmp_path, config=config)
    pile = sea._sites["p2"]
    pass_time(sea, clock, 26)
    assert pile.ship is not None
    first = pile.ship
    order(sea, "late-ship", asset="p2", late_s=500)
    pass_time(sea, clock, 450)
    assert pile.ship is first
    assert not pile.plugged
    pass_time(sea, clock, 100)
    assert pile.plugged
    order(sea, "late-ship", asset="p2", late_s=700)  # this one is connected: the next one is late
    pass_time(sea, clock, 130)
    assert pile.ship is not first
    ships = set()
    for _ in range(600):
        pass_time(sea, clock, 1)
        ships.add(pile.ship)
        assert not pile.plugged
    assert len(ships - {None}) == 1


@pytest.mark.parametrize("what", sorted(KINDS))
def test_every_kind_has_its_defaults_and_can_happen(tmp_path, what):
    sea, clock = estuary(tmp_path)
    kind = KINDS[what]
    wanted = {} if kind.target == SEA else {"asset": "p1" if kind.target == "pile" else "c1"}
    if kind.lasts:
        wanted["for_s"] = 5
    if what == "rhythm":
        wanted["light"] = "Q R"
    order(sea, what, **wanted)
    pass_time(sea, clock, 10)
    assert sea._scenarios._going == {}


def test_the_control_port_lets_it_happen(tmp_path):
    async def run():
        clock = Clock(NIGHT)
        sea = make(tmp_path, clock)
        await sea.open()
        answers = []
        for line in (
            '{"happen": {"what": "lamp-fails", "asset": "c1", "for_s": 60}}',
            '{"happen": {"what": "lamp-fails", "asset": "c7", "for_s": 60}}',
            '{"happen": {"what": "snow"}}',
            '{"happen": 7}',
        ):
            reader, writer = await plug_in(sea.address_book()["control"])
            writer.write(line.encode() + b"\n")
            answers.append(json.loads(await asyncio.wait_for(reader.readline(), 5)))
            writer.close()
        failed = sea.aids["c1"].lamp.failed
        await sea.close()
        return answers, failed

    answers, failed = asyncio.run(run())
    assert failed
    assert answers[0] == {"happens": "lamp-fails"}
    assert answers[1]["error"] == "there is no navaid 'c7'; there are: c1, c2"
    assert answers[2]["error"].startswith("happen: what is 'snow'; allowed: one of darkness, fog")
    assert answers[2]["action"].startswith("what can happen: darkness, fog")
    assert answers[3]["error"].startswith("happen: what is missing")

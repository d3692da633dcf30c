"""Piles: calls in their order, and a register that is exactly the integral of the power."""

import itertools
import random

import pytest

from simulators.world.piles import WATT_MS_PER_COUNT, CallSettings, Pile
from simulators.world.traffic import Shipyard

START = 1_793_000_000
CALLS = CallSettings(first_plug_s=30, session_s=(100, 200), pause_s=(20, 40), load_kw=(4, 30))
FIRST = 1_000_000 * WATT_MS_PER_COUNT  # 10,000 kWh


def pile(rated_w=100_000, calls=CALLS, watt_ms=FIRST):
    return Pile(calls, rated_w, Shipyard(random.Random("y")), random.Random("p"), START, watt_ms)


def test_a_call_runs_in_order():
    one = pile()
    states = []
    for second in range(600):
        one.advance(START + second)
        states.append((one.ship is not None, one.plugged, one.closed, one.power_w > 0))
    order = [state for state, _ in itertools.groupby(states)]
    call = [
        (True, False, False, False),  # alongside
        (True, True, False, False),  # plugged in
        (True, True, True, True),  # breaker closed
        (True, True, False, False),
        (True, False, False, False),
    ]
    nobody = (False, False, False, False)
    assert order[: 2 * len(call) + 2] == [nobody, *call, nobody, *call]
    assert [plugged for _, plugged, _, _ in states].index(True) == 30


def test_each_call_is_another_ship():
    one = pile()
    ships = []
    for second in range(3600):
        one.advance(START + second)
        if one.ship and one.ship not in ships[-1:]:
            ships.append(one.ship)
    assert len(ships) >= 8
    assert len({ship.mmsi for ship in ships}) == len(ships)


def test_register_is_exactly_the_integral_of_power():
    one = pile()
    watt_ms = FIRST
    for second in range(1, 7200):
        one.advance(START + second)
        watt_ms += one.power_w * 1000
        assert one.import_watt_ms == watt_ms
        assert one.import_kwh == watt_ms // WATT_MS_PER_COUNT / 100
    assert one.import_kwh > 10_005


def test_long_absence_changes_nothing_in_the_sum():
    often, seldom = pile(), pile()
    for second in range(0, 5400, 1):
        often.advance(START + second)
    for second in (17, 400.3, 2000.9, 5399):
        seldom.advance(START + second)
    assert seldom.import_watt_ms == often.import_watt_ms
    assert seldom.quantities() == often.quantities()


def test_register_never_runs_backwards_when_the_clock_does():
    one = pile()
    one.advance(START + 100)
    register = one.import_watt_ms
    one.advance(START + 10)
    assert one.import_watt_ms == register
    one.advance(START + 101)
    assert one.import_watt_ms > register


def test_load_has_an_inrush_and_stays_within_its_rating():
    one = pile()
    powers = []
    for second in range(240):
        one.advance(START + second)
        if one.closed:
            powers.append(one.power_w)
    assert min(powers[:2]) > 1.3 * max(powers[5:15])
    assert all(4000 * 0.7 < power < 30_000 * 1.4 for power in powers[5:])
    assert len(set(powers)) > 0.9 * len(powers)  # noise
    small = pile(rated_w=5000)
    for second in range(240):
        small.advance(START + second)
        assert small.power_w <= 5000


def test_meter_shows_a_consistent_picture():
    one = pile()
    closed = idle = 0
    for second in range(1200):
        one.advance(START + second)
        shown = one.quantities()
        assert abs(shown["f_hz"] - 50) < 0.1
        assert all(205 < shown[f"u_{phase}_v"] < 230 for phase in "abc")
        currents = [shown[f"i_{phase}_a"] for phase in "abc"]
        if one.closed:
            closed += 1
            assert 0.85 <= shown["pf"] <= 0.95
            assert max(currents) < 1.15 * min(currents)
            assert len(set(currents)) == 3
            product = sum(shown[f"u_{p}_v"] * shown[f"i_{p}_a"] * shown["pf"] for p in "abc")
            assert product / 1000 == pytest.approx(shown["p_kw"])
        else:
            idle += 1
            assert currents == [0, 0, 0]
            assert shown["p_kw"] == 0
    assert closed > 100
    assert idle > 100


def test_a_tripped_relay_stays_open_until_a_hand_closes_it():
    one = pile()
    one.advance(START + 60)
    assert one.relay_closed
    assert one.power_w > 0
    one.trip()
    one.trip()
    assert (one.relay_closed, one.power_w, one.relay_moves) == (False, 0, 1)
    assert one.closed  # the breaker is another thing
    register = one.import_watt_ms
    shown = one.quantities()
    assert (shown["relay_closed"], shown["p_kw"], shown["i_a_a"]) == (0, 0, 0)
    one.advance(START + 90)
    assert one.import_watt_ms == register
    one.permit()
    assert not one.relay_closed
    one.advance(START + 94)
    assert not one.relay_closed
    one.advance(START + 96)
    assert one.relay_closed
    assert one.relay_moves == 2
    assert one.power_w > 0


def test_a_trip_after_the_permit_holds_and_a_permit_alone_does_nothing():
    one = pile()
    one.permit()
    one.advance(START + 60)
    assert one.relay_moves == 0
    one.trip()
    one.permit()
    one.advance(START + 62)
    one.trip()
    one.advance(START + 400)
    assert not one.relay_closed
    assert one.relay_moves == 1

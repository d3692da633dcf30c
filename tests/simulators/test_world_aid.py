"""An aid at sea: a month on its chain and on its battery."""

import itertools
import random
from datetime import datetime

import pytest

from simulators.world.aid import Aid, AidSettings
from simulators.world.light import phases
from simulators.world.mooring import Mooring, MooringSettings
from simulators.world.place import MPS_PER_KNOT, Place, towards
from simulators.world.power import Power, PowerSettings
from simulators.world.sea import Sea, SeaSettings
from simulators.world.sun import altitude_deg
from simulators.world.tide import Tide, TideSettings
from simulators.world.weather import WeatherSettings
from simulators.world.wind import WindSettings

START = datetime.fromisoformat("2026-11-01T00:00:00+00:00").timestamp()
MONTH_S = 30 * 86400
PLACE = Place(31.1, 122.2)


def sea(seed=1):
    return Sea(SeaSettings(TideSettings(), WindSettings(), WeatherSettings()), seed, PLACE.lon)


def aid(character="Fl(2) R 6s", *, floating=True, settings=None):
    return Aid(
        sea(),
        PLACE,
        settings or AidSettings(),
        random.Random("aid"),
        START,
        floating=floating,
        phases=phases(character) if character else (),
    )


def test_a_month_at_sea():
    buoy, tide = aid(), Tide(TideSettings())
    offsets, speeds, volts, charges, lit_wrongly = [], [], [], [], 0
    for minute in range(MONTH_S // 60):
        t = START + 60 * minute
        buoy.advance(t)
        offset = buoy.station.to(buoy.place)
        assert abs(offset) <= buoy.mooring.swing_radius_m(tide.level_m(t)) + 1e-6
        offsets.append(offset)
        speeds.append(abs(buoy.velocity))
        readings = buoy.readings()
        volts.append(readings["batt_mv"])
        charges.append(buoy._power.charge)
        altitude = altitude_deg(t, PLACE)
        assert readings["solar_mv"] == 0 or altitude > -18
        lit_wrongly += (altitude < -6 and not buoy.lit) or (altitude > 3 and buoy.lit)
    assert lit_wrongly == 0
    # It swings with flood and ebb.
    along = [(offset * towards(290).conjugate()).real for offset in offsets]
    assert max(along) > 15
    assert min(along) < -15
    assert max(map(abs, offsets)) > 20
    assert max(speeds) < 1.0
    # The battery lives through a grey November month and is full on the better days.
    assert min(charges) > 0.5
    assert max(charges) > 0.9
    assert min(volts) > 11_900
    assert max(volts) < 14_500


def test_motion_is_smooth_from_second_to_second():
    buoy = aid()
    places = []
    for second in range(7200):
        buoy.advance(START + second)
        places.append(buoy.station.to(buoy.place))
    steps = [abs(b - a) for a, b in itertools.pairwise(places)]
    assert max(steps) < 1.0 * MPS_PER_KNOT * 2
    turns = [abs(c - 2 * b + a) for a, b, c in zip(places, places[1:], places[2:], strict=False)]
    assert max(turns) < 0.05


def test_chain_reaches_what_the_catenary_says():
    settings = MooringSettings(depth_m=9, chain_m=30, chain_n_per_m=250)
    mooring = Mooring(settings)
    assert mooring.swing_radius_m(0) == pytest.approx((30**2 - 9**2) ** 0.5)
    assert mooring.swing_radius_m(4) < mooring.swing_radius_m(0)
    assert mooring.swing_radius_m(30) == 0  # deeper than the chain is long: no real root
    # More stream stretches the chain further; even four knots not quite to its length.
    reached = []
    for knots in (0.5, 2, 4):
        mooring = Mooring(settings)
        for _ in range(100):
            mooring.step(30, 0, knots * MPS_PER_KNOT * towards(90), 0j)
        assert mooring.offset.imag == pytest.approx(0, abs=1e-9)
        reached.append(mooring.offset.real)
    assert 30 - 9 < reached[0] < reached[1] < reached[2] < mooring.swing_radius_m(0)


def test_rising_water_pulls_the_buoy_in():
    mooring = Mooring(MooringSettings(depth_m=9, chain_m=15))
    for _ in range(100):
        mooring.step(30, 0, 2 * towards(0), 0j)
    out = abs(mooring.offset)
    mooring.step(1, 5, 2 * towards(0), 0j)
    assert abs(mooring.offset) == pytest.approx((15**2 - 14**2) ** 0.5)
    assert abs(mooring.offset) < out


def test_still_water_leaves_the_buoy_where_it_is():
    mooring = Mooring(MooringSettings())
    for _ in range(100):
        mooring.step(60, 0, 1 + 1j, 0j)
    lies = mooring.offset
    mooring.step(60, 0, 0j, 0j)
    assert abs(lies) > 10
    assert mooring.offset == pytest.approx(lies, abs=0.01)


def test_a_dragged_sinker_takes_its_buoy_along():
    mooring = Mooring(MooringSettings())
    for _ in range(100):
        mooring.step(30, 0, 1 + 0j, 0j)
    lay = mooring.offset
    mooring.drag(-90j, 150)
    mooring.step(50, 0, 1 + 0j, 0j)
    assert mooring.sinker == pytest.approx(-30j)
    assert mooring.velocity.imag == pytest.approx(-0.6, abs=0.01)
    for _ in range(100):
        mooring.step(30, 0, 1 + 0j, 0j)
    assert mooring.sinker == pytest.approx(-90j)
    assert mooring.offset == pytest.approx(lay - 90j, abs=0.1)
    mooring.moor()
    assert mooring.offset == 0


def test_a_free_buoy_goes_with_the_stream_and_a_little_with_the_wind():
    mooring = Mooring(MooringSettings())
    mooring.break_free()
    fine, coarse = 0j, 0j
    for _ in range(600):
        mooring.step(1, 0, 2 + 0j, 10j)
    fine, mooring = mooring.offset, Mooring(MooringSettings())
    mooring.break_free()
    for _ in range(10):
        mooring.step(60, 0, 2 + 0j, 10j)
    coarse = mooring.offset
    assert mooring.velocity == pytest.approx(2 + 0.3j, abs=0.01)
    assert fine == pytest.approx(coarse)  # however long the strides
    assert fine == pytest.approx((2 + 0.3j) * (600 - 60), abs=1)


def test_a_fixed_light_does_not_move():
    light = aid("LFl 10s", floating=False)
    for hour in range(0, 48, 3):
        light.advance(START + 3600 * hour)
        assert light.place == PLACE
        assert light.velocity == 0
        assert light.height_m == 0


def test_a_spare_has_no_lantern():
    spare = aid("", floating=False)
    night = START + 14 * 3600
    spare.advance(night)
    assert altitude_deg(night, PLACE) < -18
    assert not spare.lit
    assert spare.lamp_ma(night) == 0


def test_a_clock_that_went_back_is_waited_for():
    buoy = aid()
    buoy.advance(START + 100)
    place, readings = buoy.place, buoy.readings()
    buoy.advance(START + 50)
    assert (buoy.place, buoy.readings()) == (place, readings)


def test_battery_charges_by_day_and_tapers_when_full():
    power = Power(PowerSettings(), charge=0.5)
    power.step(60, lux=80_000, lamp_ma=0)
    assert power.battery_ma > 1000
    assert power.solar_v == pytest.approx(power.battery_v + 0.6)  # pulled down to the battery
    power.charge = 1.0
    power.step(60, lux=80_000, lamp_ma=0)
    assert 0 < power.battery_ma < 500
    assert power.battery_v == pytest.approx(14.4)
    assert 20 < power.solar_v < 22  # open


def test_battery_is_emptied_by_its_load_and_then_saved():
    power = Power(PowerSettings(battery_ah=1, electronics_ma=100), charge=1.0)
    power.step(3600, lux=0, lamp_ma=100)
    assert power.battery_ma == -200
    assert power.charge == pytest.approx(0.8)
    for _ in range(100):
        power.step(3600, lux=0, lamp_ma=100)
    assert power.charge == pytest.approx(
        0
    )  # the last step emptied it; the controller then cut the load off
    assert power.battery_ma == 0
    assert power.solar_v == 0


def test_charge_taken_in_is_charge_given_out_less_the_loss():
    settings = PowerSettings(battery_ah=10, electronics_ma=0)
    power = Power(settings, charge=0.5)
    taken = 0.0
    for _ in range(60):
        power.step(60, lux=20_000, lamp_ma=0)
        taken += power.battery_ma / 60_000
    assert (power.charge - 0.5) * 10 == pytest.approx(0.92 * taken)

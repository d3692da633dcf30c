"""Pins: what the simulator puts there, the board file reads back as the value."""

import pytest

from agent.hal.boards import virtual
from simulators.sensors.pins import analogue, digital


def read_back(channel, millivolts):
    _, numerator, denominator, offset = virtual.ADCS[channel]
    return round(millivolts) * numerator // denominator + offset


@pytest.mark.parametrize(
    ("channel", "value", "step"),
    [
        ("lamp_ma", 350, 1),
        ("lamp_ma", 0, 1),
        ("batt_mv", 12_830, 11),
        ("batt_ma", 1_250, 10),
        ("batt_ma", -640, 10),
        ("solar_mv", 20_900, 11),
        ("temp_dc", 231, 1),
        ("temp_dc", -85, 1),
    ],
)
def test_value_comes_back_within_one_step(channel, value, step):
    pin, millivolts = analogue(channel, value)
    assert pin == str(virtual.ADCS[channel][0])
    assert abs(read_back(channel, millivolts) - value) <= step


def test_a_pin_sees_no_more_than_its_supply():
    assert analogue("batt_mv", 60_000)[1] == 3300
    assert analogue("temp_dc", -9000)[1] == 0


@pytest.mark.parametrize("name", ["plug", "breaker"])
def test_contacts_have_their_active_level(name):
    pin, active_level = virtual.DIGITALS[name]
    assert digital(name, active=True) == (str(pin), active_level)
    assert digital(name, active=False) == (str(pin), 1 - active_level)

"""Which port is used: never a guess (regression 13 of reference/micropython.md)."""

import pytest

from toolkit.ports import Port, PortError, again, choose, listed

ESP = Port("/dev/ttyACM0", "ESP32-S3", "7CDFA1E2B3C4")
PICO = Port("/dev/ttyACM1", "Pico 2 W", "E66138")
NAMELESS = Port("/dev/ttyUSB0", "CH340", "")


def refused(found, **given):
    with pytest.raises(PortError) as caught:
        choose(found, **given)
    return caught.value


def test_the_only_board_is_taken():
    assert choose([ESP]) == ESP


def test_regression_13_two_boards_are_not_guessed_between():
    error = refused([ESP, PICO])
    assert "2 ports" in error.cause
    # Each can be told from the other, and what to type stands there.
    for port in (ESP, PICO):
        assert f"--serial {port.serial}" in error.action
        assert port.device in error.action
        assert port.description in error.action


def test_whichever_comes_first_makes_no_difference():
    assert refused([PICO, ESP]).cause == refused([ESP, PICO]).cause


def test_a_port_without_a_serial_number_is_offered_by_name():
    error = refused([ESP, NAMELESS])
    assert "--port /dev/ttyUSB0" in error.action
    assert "serial number none" in error.action


def test_a_serial_number_chooses():
    assert choose([ESP, PICO], serial="e66138") == PICO


def test_a_serial_number_that_is_not_there_is_not_replaced_by_another():
    error = refused([ESP], serial="E66138")
    assert "E66138" in error.cause
    assert "--serial 7CDFA1E2B3C4" in error.action


def test_two_interfaces_of_one_board_are_not_guessed_between():
    error = refused([PICO, PICO._replace(device="/dev/ttyACM2")], serial="E66138")
    assert "--port /dev/ttyACM1" in error.action
    assert "--port /dev/ttyACM2" in error.action
    assert "--serial" not in error.action


@pytest.mark.parametrize("name", ["socket://127.0.0.1:1", "rfc2217://quay:4000", "/dev/pts/3"])
def test_a_named_port_is_used_whatever_else_is_there(name):
    assert choose([ESP, PICO], named=name) == Port(name)
    assert choose([], named=name).device == name


def test_a_named_port_that_is_known_keeps_its_serial_number():
    assert choose([ESP, PICO], named=PICO.device) == PICO


def test_other_urls_are_refused():
    assert "socket://" in refused([], named="http://127.0.0.1").action


def test_no_board_at_all():
    assert "--port" in refused([]).action


def test_after_a_reset_a_board_is_found_by_its_number():
    moved = ESP._replace(device="/dev/ttyACM3")
    assert again(ESP, [PICO, moved]) == moved
    assert again(ESP, [ESP, PICO]) == ESP
    # Another board came where it was.
    assert again(ESP, [PICO._replace(device=ESP.device), moved]) == moved
    assert again(ESP, [PICO._replace(device=ESP.device)]) is None
    assert again(ESP, [PICO]) == ESP
    assert again(NAMELESS, [PICO]) == NAMELESS


def test_this_computers_ports_are_read():
    assert all(port.device for port in listed())

"""The virtual board's supply, sleep, calendar and output pins."""

import json
import signal
from pathlib import Path

import pytest

from simulators.board.process import wait_until
from tests.simulators.boards import Board, Peer

HELLO = len('{"board":"test-1"}\n')

# Tells how it was started, and what it remembers.
START = """
import machine, time
rtc = machine.RTC()
print('start', machine.reset_cause(), rtc.memory(), rtc.datetime()[0], time.ticks_ms() < 400)
"""


@pytest.fixture
def flash(tmp_path) -> Path:
    return tmp_path / "flash"


@pytest.fixture
def peer():
    with Peer() as peer:
        yield peer


# Starts and what they remember


def remember(then: str) -> str:
    """A program that remembers something at power-on, and then ends in some way."""
    return f"""
if machine.reset_cause() == machine.PWRON_RESET and not rtc.memory():
    rtc.memory(b'kept')
    rtc.datetime((2026, 11, 22, 0, 12, 0, 0, 0))
    time.sleep_ms(500)
    {then}
"""


@pytest.mark.parametrize(
    ("then", "cause"),
    [("machine.reset()", 2), ("machine.soft_reset()", 5), ("machine.deepsleep(300)", 4)],
)
def test_memory_and_calendar_survive_resets_and_sleep(flash, then, cause):
    with Board(flash, {"main.py": START + remember(then)}) as board:
        expected = f"start {cause} b'kept' 2026 {cause != 5}"  # a soft reset counts ticks on
        assert wait_until(lambda: expected in board.printed, 10), board.printed


def test_memory_and_calendar_survive_the_watchdog(flash):
    with Board(flash, {"main.py": START + remember("machine.WDT(timeout=100)")}) as board:
        assert board.process.wait(10) == -signal.SIGKILL
        assert board.process.watchdog_bit
        assert not board.process.brown_out
    with Board(flash, {"main.py": START}) as board:
        assert wait_until(lambda: "start 3 b'kept' 2026 True" in board.printed, 5)


def test_a_power_cut_takes_memory_and_calendar(flash):
    with Board(flash, {"main.py": START + remember("print('waits')")}) as board:
        assert wait_until(lambda: "waits" in board.printed, 5)
        board.kill()
    with Board(flash, {"main.py": START}) as board:
        assert wait_until(lambda: "start 1 b'' 2000 True" in board.printed, 5)


def test_a_brown_out_ends_a_board_that_is_busy_and_is_a_power_on(flash, peer):
    main = START + remember("while True: pass")
    with Board(flash, {"main.py": main}, inputs=peer.address) as board:
        assert peer.receive(HELLO)
        assert wait_until(lambda: "start 1" in board.printed, 5)
        peer.send_json(brown_out=True)
        assert board.process.wait(10) == -signal.SIGKILL
        assert board.process.brown_out
        assert not board.process.watchdog_bit
    with Board(flash, {"main.py": START}) as board:
        assert wait_until(lambda: "start 1 b'' 2000 True" in board.printed, 5)


def test_a_board_asleep_hears_nothing_and_can_be_switched_off(flash):
    main = START + "if machine.reset_cause() == 1: machine.deepsleep()\n"
    with Board(flash, {"main.py": main}) as board:
        assert wait_until(lambda: "start 1" in board.printed, 5)
        assert board.process.stop() == 0
        assert board.printed.count("start") == 1


# Outputs


def outs(peer: Peer) -> dict[str, int | None]:
    """The next line in which the board tells what it drives."""
    return json.loads(peer.receive_until(b"\n"))["out"]


def test_outputs_are_told_and_let_go_of(flash, peer):
    with Board(flash, {}, inputs=peer.address) as board:
        assert peer.receive(HELLO)
        board.exec("import machine\npin = machine.Pin(12, machine.Pin.OUT, value=1)")
        assert outs(peer) == {"12": 1}
        board.exec("pin.on(); pin.off()")  # the first changes nothing
        assert outs(peer) == {"12": 0}
        board.exec("pin(1)")
        assert outs(peer) == {"12": 1}
        board.exec("pin.init(machine.Pin.IN)")
        assert outs(peer) == {"12": None}
        board.exec("drain = machine.Pin(13, machine.Pin.OPEN_DRAIN, value=1); drain(0); drain(1)")
        assert [outs(peer), outs(peer)] == [{"13": 0}, {"13": None}]


@pytest.mark.parametrize("end", ["machine.reset()", "machine.deepsleep()"])
def test_a_reset_lets_go_of_all_outputs(flash, peer, end):
    main = f"""
import machine, time
if machine.reset_cause() == machine.PWRON_RESET:
    machine.Pin(12, machine.Pin.OUT, value=1)
    machine.Pin(13, machine.Pin.OUT)
    {end}
"""
    with Board(flash, {"main.py": main}, inputs=peer.address):
        assert peer.receive(HELLO)
        told = {}
        while told != {"12": None, "13": None}:
            told |= outs(peer)


def test_a_simulator_that_comes_late_is_told_what_is_driven(flash, peer):
    with Board(flash, {}, inputs=peer.address) as board:
        assert peer.receive(HELLO)
        board.exec("import machine\nmachine.Pin(12, machine.Pin.OUT, value=1)")
        assert outs(peer) == {"12": 1}
        peer.hang_up()
        assert peer.receive(HELLO)
        assert outs(peer) == {"12": 1}

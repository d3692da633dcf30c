"""`fairway board`: what a person at a terminal gets."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulators.board.command import BoardCommand
from tests.simulators.boards import LOOPBACK
from toolkit.cli import CommandError

# The command by itself, as `fairway` would call it.
RUN = """
import argparse, sys
from simulators.board.command import BoardCommand
from toolkit.cli import CommandError
command, parser = BoardCommand(), argparse.ArgumentParser(prog="fairway board")
command.add_arguments(parser)
sys.exit(command.run(parser.parse_args()))
"""


@contextmanager
def running(*arguments: str):
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


@pytest.fixture
def flash(tmp_path) -> Path:
    (tmp_path / "buoy").mkdir()
    return tmp_path / "buoy"


def line_with(process: subprocess.Popen, words: str) -> str:
    for line in process.stdout:
        if words in line:
            return line
    raise AssertionError(f"{words!r} was not printed")


def test_it_says_how_to_reach_the_board_and_stops_at_ctrl_c(flash):
    (flash / "main.py").write_text(
        "import _board\n"
        "left = None\n"
        "def step(now):\n"
        "    return 10 if left is None else -1\n"
        "def stop():\n"
        "    global left\n"
        "    left = 1\n"
        "    print('drains')\n"
        "_board.run(step, stop)\n"
        "print('runs')\n"
    )
    with running("buoy", "--flash", str(flash), "--console") as process:
        line = line_with(process, "mpremote connect")
        port = int(re.search(rf"socket://{LOOPBACK}:(\d+) fs ls", line)[1])
        with socket.create_connection((LOOPBACK, port), 5):
            pass
        line_with(process, "runs")
        process.send_signal(signal.SIGINT)
        line_with(process, "drains")
        assert process.wait(10) == 0


def test_it_starts_again_when_the_watchdog_bit(flash):
    (flash / "main.py").write_text(
        "import machine\n"
        "print('cause', machine.reset_cause())\n"
        "if machine.reset_cause() == machine.PWRON_RESET:\n"
        "    machine.WDT(timeout=200)\n"
    )
    with running("buoy", "--flash", str(flash), "--console") as process:
        line_with(process, "cause 1")
        line_with(process, "its watchdog bit")
        line_with(process, "cause 3")


def run(*arguments: str) -> int:
    import argparse

    command, parser = BoardCommand(), argparse.ArgumentParser(prog="fairway board")
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments))


def test_a_taken_port_is_said_so(flash):
    with socket.create_server((LOOPBACK, 0)) as other, pytest.raises(CommandError) as error:
        run("buoy", "--flash", str(flash), "--repl", str(other.getsockname()[1]))
    assert "the port is taken" in error.value.cause


def test_a_missing_flash_is_said_so(tmp_path):
    with pytest.raises(CommandError) as error:
        run("buoy", "--flash", str(tmp_path / "none"))
    assert "no flash directory" in error.value.cause
    assert "--flash" in error.value.action


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--uart", "1"), "'1' is not N=HOST:PORT"),
        (("--uart", "7=localhost:1"), "N from 0 to 2"),
        (("--uart", "1=localhost"), "is not HOST:PORT"),
        (("--inputs", "localhost:99999"), "is not HOST:PORT"),
    ],
)
def test_wrong_wiring_is_said_so(capsys, arguments, complaint):
    with pytest.raises(SystemExit):
        run("buoy", *arguments)
    assert complaint in capsys.readouterr().err


def test_its_flash_can_be_small_and_lose_power(flash, tmp_path):
    (flash / "main.py").write_text(
        "import os\nprint('blocks', os.statvfs('/')[2])\nopen('/x', 'w').close()\nprint('never')\n"
    )
    arguments = ["buoy", "--flash", str(flash), "--console", "--flash-kib", "64", "--cut", "1"]
    with running(*arguments, "--journal", str(tmp_path / "journal")) as process:
        line_with(process, "blocks 16")
        assert process.wait(10) != 0
        assert "never" not in process.stdout.read()
    assert '"op":"cut"' in (tmp_path / "journal").read_text()

"""Runs what the guard chose, on a board; whatever that raises ends in a reset.

import launch
launch.run()         all that /main.py does
"""

import os
import sys

import guard  # type: ignore[import-not-found]

try:
    import time

    import machine
except ImportError:
    pass  # CPython, where only `launch` is of use

_CRASH_MS = 5000  # between a crash and its reset: time for Ctrl-C, and no flash worn out
_START_MS = 120000  # a start that hangs longer is bitten; the agent sets its own limit then
_PEOPLE_MS = 3600000


def launch(chosen, board, start):
    """Run what was chosen, by start(folder); whatever it raises ends in a reset, never in silence.

    Unless people are at the prompt: after Ctrl-C, or when `start` says with False that it has nothing
    to run. They get an hour before the watchdog bites.
    """
    try:
        if chosen.pause_ms:
            board.pause(chosen.pause_ms)
        board.watch(_START_MS)
        if start(chosen.folder) is False:
            board.watch(_PEOPLE_MS)
    except Exception as error:  # noqa: BLE001  (a broken application may raise anything)
        board.crashed(error)
    except KeyboardInterrupt:
        board.watch(_PEOPLE_MS)
        raise


def run():
    """Choose, count, start."""
    board = Board()
    try:
        chosen = guard.Guard(board.stores(), board.exists)
        chosen.choose(board.innocent())
    except Exception as error:  # noqa: BLE001  (the table is there to start something, not to prevent it)
        print("guard:", error)
        chosen = guard.Guard((), board.exists)
        chosen.choose(True)
    guard.running = chosen
    launch(chosen, board, start)


def start(folder):
    """Run the agent that lies in `folder`."""
    sys.path.insert(0, folder)
    from agent import main

    return main.start()


class Board:
    """The little of a board that the guard needs."""

    def innocent(self):
        cause = machine.reset_cause()
        kinds = ("PWRON", "BROWNOUT", "DEEPSLEEP", "SOFT")
        return any(cause == getattr(machine, kind + "_RESET", None) for kind in kinds)

    def stores(self):
        try:
            os.mkdir("/data")
        except OSError:
            pass  # it is there
        try:
            from esp32 import NVS

            return _File("/data/guard-a"), _NVS(NVS("fairway"))
        except (ImportError, OSError):
            return _File("/data/guard-a"), _File("/data/guard-b")

    def exists(self, path):
        try:
            return bool(os.stat(path))
        except OSError:
            return False

    def watch(self, ms):
        # Other boards' watchdogs bite within seconds and can never be told a longer time.
        if sys.platform in ("esp32", "webassembly"):
            machine.WDT(timeout=ms)

    def pause(self, ms):
        machine.deepsleep(ms)

    def crashed(self, error):
        sys.print_exception(error)  # type: ignore[attr-defined]
        try:
            with open("/data/crash", "w") as file:  # the post-mortem of an agent that is dead
                sys.print_exception(error, file)  # type: ignore[attr-defined]
        except OSError:
            pass  # a full flash: the reset matters more
        time.sleep_ms(_CRASH_MS)
        machine.reset()


class _File:
    """As the agent's FileStore: beside, flush, rename."""

    def __init__(self, path):
        self._path = path

    def load(self):
        with open(self._path, "rb") as file:
            return file.read()

    def save(self, data):
        with open(self._path + ".new", "wb") as file:
            file.write(data)
            file.flush()
        os.rename(self._path + ".new", self._path)


class _NVS:
    def __init__(self, nvs):
        self._nvs = nvs

    def load(self):
        buf = bytearray(64)
        return buf[: self._nvs.get_blob("guard", buf)]

    def save(self, data):
        self._nvs.set_blob("guard", data)
        self._nvs.commit()

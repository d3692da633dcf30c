"""The guard as the first code of a virtual board, with applications that misbehave in its slots."""

import re
import sys
import time
from pathlib import Path

import pytest

from simulators.board.process import BoardOptions, BoardProcess
from simulators.site import flash
from toolkit import bundle

sys.path.append(str(bundle.DEVICE / "root"))

from guard import Guard

RUNNING = r"main\.py runs"
RUNS = """
import _board
import guard


def start():
    g = guard.running
    print("%s runs: mode %d, failed %d, update %d" % (__file__, g.mode, g.failed, g.update))
    _board.run(lambda now: 100, lambda: None)
"""
BROKEN = "def start(:\n"
HANGS = "while True:\n    pass\n"


class File:
    def __init__(self, path):
        self.path = path

    def load(self):
        return self.path.read_bytes() if self.path.exists() else None

    def save(self, data):
        self.path.write_bytes(data)


class Board:
    """A virtual board with the real start files, and an application in each slot."""

    def __init__(self, tmp_path, **slots):
        self.flash = tmp_path / "flash"
        self.printed = ""
        self.process = None
        for slot, program in slots.items():
            self.put(slot, program)
        (self.flash / "data").mkdir()
        root = bundle.DEVICE / "root"
        for name in ("boot.py", "main.py"):
            (self.flash / name).write_bytes((root / name).read_bytes())
        # The same file as on a board, but for two times a test does not want to wait for.
        text = (root / "launch.py").read_text("utf-8")
        text, n = re.subn(r"_CRASH_MS = \d+", "_CRASH_MS = 50", text)
        text, m = re.subn(r"_START_MS = \d+", "_START_MS = 1000", text)
        assert (n, m) == (1, 1)
        source = tmp_path / "launch.py"
        source.write_text(text, "utf-8")
        bundle.compile_to(source, self.flash / "launch.mpy", name="launch.py")
        bundle.compile_to(root / "guard.py", self.flash / "guard.mpy", name="guard.py")

    def put(self, slot, program):
        folder = self.flash / slot / "agent"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text("")
        (folder / "main.py").write_text(program)

    def guard(self):
        """Return the guard's table as the next start will find it."""
        return Guard(
            (File(self.flash / "data" / "guard-a"), File(self.flash / "data" / "guard-b")),
            lambda path: Path(str(self.flash) + path).exists(),
        )

    def start(self, until, timeout_s=15, **given):
        """Start the board, and again whenever its watchdog bit; return what it printed until then."""
        end_s = time.monotonic() + timeout_s
        options = BoardOptions(
            name="test-1", flash=self.flash, console=True, repl_port=None, **given
        )
        while True:
            self.process = BoardProcess(options, self._show)
            self.process.start()
            while self.process.returncode is None and not re.search(until, self.printed):
                assert time.monotonic() < end_s, self.printed
                time.sleep(0.02)
            if self.process.returncode is None:
                self.process.kill()
                return self.printed
            assert self.process.watchdog_bit, self.printed

    def _show(self, data):
        self.printed += data.decode()


def told(slot, mode=0, failed=0, update=0):
    return f"/{slot}/agent/main.py runs: mode {mode}, failed {failed}, update {update}"


def test_slot_a_runs_where_nothing_else_is_known(tmp_path):
    board = Board(tmp_path, a=RUNS, b=RUNS, safe=RUNS)
    assert told("a") in board.start(RUNNING)


def test_an_application_that_cannot_be_compiled_ends_in_the_previous_one(tmp_path):
    board = Board(tmp_path, a=BROKEN, b=RUNS, safe=RUNS)
    printed = board.start(RUNNING)
    # A power-on, which does not count, and three starts that do.
    assert printed.count("SyntaxError") == 4
    assert told("b", mode=1, failed=3) in printed
    assert "SyntaxError" in (board.flash / "data" / "crash").read_text()
    assert (board.flash / "a" / "agent" / "main.py").exists()
    # The supply fails: it stays there. (That start was never good, so it is the fourth.)
    board.printed = ""
    assert told("b", mode=1, failed=4) in board.start(RUNNING)


def test_a_start_that_hangs_is_bitten_and_counted(tmp_path):
    board = Board(tmp_path, a=HANGS, safe=RUNS)
    assert told("safe", mode=2, failed=3) in board.start(RUNNING, timeout_s=30)


def test_a_trial_that_crashes_goes_back_at_once(tmp_path):
    board = Board(tmp_path, a=RUNS, b="import nothing_there", safe=RUNS)
    guard = board.guard()
    guard.choose(innocent=True)
    assert guard.arm()
    # The second store of a virtual board is its NVS.
    (board.flash / "data" / "guard-b").unlink()
    printed = board.start(RUNNING)
    assert printed.count("ImportError") == 1
    assert told("a", update=7) in printed


@pytest.mark.parametrize("damage", ["gone", "garbage"])
def test_a_guard_that_cannot_be_read_still_starts_the_application(tmp_path, damage):
    board = Board(tmp_path, a="import sys\ndef start(): print(__file__, 'runs')\n")
    if damage == "gone":
        (board.flash / "guard.mpy").unlink()
    else:
        (board.flash / "guard.mpy").write_bytes(b"M\x06garbage")
    assert "/a/agent/main.py runs" in board.start(RUNNING)


def rom(tmp_path):
    """Return what a firmware of ours has frozen, with a safe agent that only says that it runs."""
    folder = tmp_path / "rom"
    (folder / "agent").mkdir(parents=True)
    (folder / "agent" / "__init__.py").write_text("")
    (folder / "agent" / "main.py").write_text(RUNS)
    for name in ("guard.py", "launch.py"):
        (folder / name).write_bytes((bundle.DEVICE / "root" / name).read_bytes())
    recovery = bundle.DEVICE / "boards" / "common" / "recovery.py"
    (folder / "recovery.py").write_bytes(recovery.read_bytes())
    # A board's own _boot.py, but with volumes as a virtual board has them: one flash, already there.
    (folder / "_boot.py").write_text("""
import os
import sys
sys.path.insert(0, "/rom")
import recovery

class Flash:
    def mount(self, path):
        os.listdir("/") and os.stat("/data")
        os.stat("/a")
    def blank(self):
        return False

class Nothing:
    def mount(self, path):
        pass
    format = lambda self: None

where = recovery.bring_up(Flash(), None, Nothing())
if where != recovery.MAIN:
    recovery.run(where, returns=True)
""")
    return folder


@pytest.mark.parametrize("corrupt", [True, False])
def test_a_corrupt_file_system_starts_the_safe_agent_of_the_firmware(tmp_path, corrupt):
    """Regression 12 of reference/micropython.md, on the virtual board (micropython#5337, #4408)."""
    board = Board(tmp_path, a=RUNS)
    before = {path: path.read_bytes() for path in board.flash.rglob("*") if path.is_file()}
    printed = board.start(RUNNING, corrupt=corrupt, rom=rom(tmp_path))
    if corrupt:
        assert "/rom/agent/main.py runs: mode 2" in printed
        assert before == {path: path.read_bytes() for path in before}
    else:
        assert told("a") in printed


AGENT = """
from agent.keep.boots import BootNumber
from agent.wire import codes

class Agent:
    def __init__(self, given):
        self.given = given
        hal = given.hal
        a, b = hal.boot_stores()
        self.boot = BootNumber(a, b, hal.random)
        rtc = hal.rtc()
        print("start: cause %d, intent %d, part %r, slept %r, t %r, boot %d, stores %d" % (
            hal.reset_cause(), given.memo.intent, given.memo.part,
            given.memo.resume(hal.reset_cause()), rtc.get(), self.boot.value, self.boot.good))
        if rtc.get() is None:
            rtc.set(230000000)
        self.ran = given.memo.intent

    def step(self, now_ms):
        given = self.given
        given.dog.feed()
        given.memo.running(5)
        if self.ran == codes.INTENT_NONE and given.memo.part is None:
            given.hal.reset(codes.INTENT_COMMAND)
        elif self.ran == codes.INTENT_COMMAND:
            given.memo.leave(codes.INTENT_SLEEP, self.boot.value, 77)
            given.hal.deep_sleep(200)
        elif self.ran == codes.INTENT_SLEEP:
            given.hal.watchdog(1000)
            while True:
                pass
        print("done: %s %s %d %s" % (given.identity.device, given.access["wifi"]["ssid"],
            given.config["report_s"], given.hal.files().names().sort()))
        return 100

    def stop(self):
        pass
"""


def test_a_commissioned_board_resets_sleeps_and_hangs_with_the_reason_kept(tmp_path):
    """The agent's own start and hardware layer, compiled, under an agent that only wants to stop."""
    folder = tmp_path / "flash"
    settings = {"report_s": 7, "watchdog_s": 10, "broker": {"port": 1884}}
    flash.commission(folder, "buoy-1", "secret", "beacon", settings)
    source = tmp_path / "agent.py"
    source.write_text(AGENT)
    bundle.compile_to(source, folder / "a" / "agent" / "agent.mpy", name="agent.py")
    board = Board.__new__(Board)
    board.flash, board.printed, board.process = folder, "", None
    printed = board.start("done", timeout_s=40)
    starts = re.findall("start: (.*?)\r?\n", printed)
    assert [re.sub(r"t \d{9}", "t set", line) for line in starts] == [
        "cause 1, intent 0, part None, slept None, t None, boot 1, stores 1",
        "cause 2, intent 1, part None, slept None, t set, boot 2, stores 3",
        "cause 4, intent 5, part None, slept (2, 77, 0), t set, boot 3, stores 3",
        "cause 3, intent 0, part 5, slept None, t set, boot 4, stores 3",
    ]
    assert "done: buoy-1 quay 7" in printed

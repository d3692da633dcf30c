"""A part that hangs is named after the reset: the agent's own watch and memo, on the virtual board."""

import shutil
import signal
from pathlib import Path

import pytest

from simulators.board.process import wait_until
from tests.simulators.boards import Board

AGENT = Path(__file__).parents[2] / "device" / "agent"

MAIN = """
import _board, machine
from agent.hal.life import RAMBackup
from agent.keep.memo import Memo
from agent.watch import Watch, name_of

memo = Memo(RAMBackup(machine.RTC().memory))
if machine.reset_cause() == machine.WDT_RESET:
    print("hung:", name_of(memo.part), "intent:", memo.intent)
else:
    watch = Watch(machine.WDT(timeout=1500), memo.running)
    parts = [watch.add(name) for name in (b"gnss", b"link", b"outbox")]
    steps = 0

    def step(now):
        global steps
        steps += 1
        for place in parts:
            watch.enter(place, now)
            while steps > 20 and place == parts[{hung}]:
                pass
        watch.end(now)
        return 100

    _board.run(step)
"""


@pytest.mark.parametrize(("hung", "name"), [(0, b"gnss"), (1, b"link")])
def test_a_part_that_never_returns_is_named_after_the_reset(tmp_path, hung, name):
    flash = tmp_path / "flash"
    flash.mkdir()
    shutil.copytree(AGENT, flash / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    main = MAIN.replace("{hung}", str(hung))
    with Board(flash, {"main.py": main}) as board:
        assert board.process.wait(15) == -signal.SIGKILL
        assert board.process.watchdog_bit
    with Board(flash, {"main.py": main}) as board:
        assert wait_until(lambda: "intent" in board.printed, 10)
        assert f"hung: {name} intent: 0" in board.printed

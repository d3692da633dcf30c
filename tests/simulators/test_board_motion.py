"""The virtual board's I2C and accelerometer, met by the device's own driver."""

import asyncio
import json
import math
import random
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from agent.wire.codes import ALARM_COLLISION
from simulators.board.process import node, wait_until
from simulators.lines import Inputs
from simulators.sensors.motion import Hull, acceleration
from tests.simulators.boards import Board, Peer

ROOT = Path(__file__).parents[2]
CHIP = ROOT / "simulators" / "board" / "lis3dh.mjs"

MAIN = """
import _board
from agent.alarms import Alarms
from agent.hal import open_board
from agent.sense.motion import Motion
alarms = Alarms()
motion = Motion(open_board("virtual").i2c("motion"), alarms)
told_ms = 0
def step(now):
    global told_ms
    wait_ms = motion.poll(now)
    alarm = alarms.next_alarm()
    if alarm:
        print("alarm", alarm)
    if now - told_ms >= 1000 or alarm:
        told_ms = now
        if motion.upright():
            print("values", list(motion.upright() + motion.values(now)))
    return wait_ms
_board.run(step)
"""


@pytest.fixture
def flash(tmp_path) -> Path:
    flash = tmp_path / "flash"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "device" / "agent", flash / "agent", ignore=ignore)
    return flash


@pytest.fixture
def peer():
    with Peer() as peer:
        yield peer


def printed(board: Board, word: str) -> str:
    """Return the first whole line that begins with a word, "" if there is none yet."""
    whole = board.printed.split("\n")[:-1]
    return next((line.rstrip("\r") for line in whole if line.startswith(word)), "")


def test_the_driver_sees_tilt_and_a_blow_shorter_than_the_cables_tick(flash, peer):
    with Board(flash, {"main.py": MAIN}, inputs=peer.address) as board:
        peer.send_json(motion=acceleration(30, 90))
        assert wait_until(lambda: board.printed.count("values") >= 3, 25)
        line = printed(board, "values").replace("None", "null")
        *upright, tilt_dd, _, _, _, shocks = json.loads(line[6:])
        assert all(abs(a - b) <= 30 for a, b in zip(upright, (0, 500, 866), strict=True))
        assert abs(tilt_dd - 300) <= 30
        assert shocks == 0
        peer.send_json(blow={"mg": [5000, 0, 0], "ms": 18})
        assert wait_until(lambda: printed(board, "alarm"), 10)
        what, active, peak_mg = printed(board, "alarm")[7:].split(", ")[:3]
        assert (int(what), active) == (ALARM_COLLISION, "1")
        assert 4000 <= int(peak_mg) <= 5300


def test_a_board_whose_simulator_says_nothing_has_no_chip(flash, peer):
    probe = """
import machine
i2c = machine.I2C(0, scl=machine.Pin(48), sda=machine.Pin(47), freq=400000)
print(i2c.scan(), machine.I2C(1).scan())
try:
    i2c.readfrom_mem(0x18, 0x0F, 1)
except OSError as error:
    print("error", error.errno)
"""
    with Board(flash, {}, inputs=peer.address) as board:
        assert board.exec(probe) == "[] []\nerror 19\n"
        peer.send_json(motion=[0, 0, 1000])
        assert wait_until(lambda: board.exec(probe).startswith("[24] []"), 5)
        ask = "print(i2c.readfrom_mem(0x18, 0x0F, 1), i2c.readfrom_mem(0x18, 0x8F, 2)[:1])"
        assert board.exec(probe + ask).splitlines()[1:] == ["b'3' b'3'"]
        peer.send_json(motion=None)
        assert wait_until(lambda: "error 19" in board.exec(probe), 5)
        peer.send_json(motion=[0, 1])
        peer.send_json(blow={"mg": [0, 0, 1], "ms": 0})
        assert board.exec("print(1)") == "1\n"


# The chip alone, at times of its own.

SCRIPT = """
import {LIS3DH} from %s;
let felt = [0, 0, 1000];
let blows = [];
const chip = new LIS3DH(() => felt, () => blows.splice(0));
const setup = [[0x23, 0xb0], [0x24, 0x40], [0x2e, 0], [0x2e, 0x80], [0x20, 0x67]];
setup.forEach(([register, value]) => chip.write(register, [value], 0));
function fifo(now) {
  const source = new Uint8Array(1);
  chip.read(0x2f, source, now);
  const view = new Uint8Array(6 * (source[0] & 0x1f));
  chip.read(0xa8, view, now);
  const data = new DataView(view.buffer);
  const out = [];
  for (let i = 0; i < view.length; i += 2) out.push(data.getInt16(i, true) * 3 / 4);
  return [source[0], out];
}
const result = [];
%s
console.log(JSON.stringify(result));
"""


def ask_chip(program: str) -> list:
    script = SCRIPT % (json.dumps(CHIP.as_uri()), program)
    done = subprocess.run(
        [node(), "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_two_hundred_samples_a_second_of_ten_bits():
    source, samples = ask_chip("felt = [100, -100, 1000]; result.push(...fifo(100));")
    assert source == 20
    assert len(samples) == 60
    assert samples[-3:] == [96, -96, 1008]


def test_an_overrun_keeps_the_newest_and_is_told_until_read():
    (first, samples), (second, _) = ask_chip(
        "fifo(20); felt = [4800, 0, 0]; result.push(fifo(1000), fifo(1001));"
    )
    assert first == 0x40 | 31
    assert samples[-3] == pytest.approx(4800, abs=48 * 2)
    assert second == 1


def test_a_blow_between_two_looks_lies_in_the_fifo_where_it_was():
    _, samples = ask_chip(
        "blows = [{ms: 40, forMs: 20, mg: [6000, 0, 0]}]; fifo(20); result.push(...fifo(100));"
    )
    x = samples[::3]
    assert max(x) == pytest.approx(6000, abs=48)
    assert [i for i, value in enumerate(x) if value > 48] == [4, 5, 6]  # from 25 ms on: 45, 50, 55


def test_a_blow_that_is_still_going_on_is_not_lost():
    (_, before), (_, after) = ask_chip(
        "blows = [{ms: 40, forMs: 40, mg: [0, 4000, 0]}]; result.push(fifo(60), fifo(120));"
    )
    assert max(before[1::3]) > 3500
    assert max(after[1::3][:3]) > 2500
    assert after[-2] == 0


def test_what_changes_slowly_is_drawn_out_not_stepped():
    ((_, samples),) = ask_chip("fifo(50); felt = [960, 0, 1000]; result.push(fifo(100));")
    steps = [b - a for a, b in pairwise(samples[::3])]
    assert max(steps) <= 144
    assert samples[-3] == 960


# What the simulated world sends


def test_inputs_tell_motion_when_it_changes_and_blows_at_once(peer):
    async def play() -> list[dict]:
        inputs = Inputs()
        await inputs.open(0)
        reader, writer = await asyncio.open_connection(*inputs.address.split(":"))
        writer.write(b'{"board": "test-1"}\n')
        await asyncio.sleep(0.05)
        inputs.tell()
        for mg in ((0, 0, 1000), (0, 0, 1000), (10, 0, 1000)):
            inputs.feel(mg)
            inputs.tell()
        inputs.strike((1, 2, 3), 20)
        lines = [json.loads(await reader.readline()) for _ in range(3)]
        writer.close()
        await inputs.close()
        return lines

    assert asyncio.run(play()) == [
        {"motion": [0, 0, 1000]},
        {"motion": [10, 0, 1000]},
        {"blow": {"mg": [1, 2, 3], "ms": 20}},
    ]


def test_a_hull_rolls_with_the_wind_and_never_knocks():
    hull = Hull(random.Random(3))
    calm = [hull.feels(t / 20, 1.0) for t in range(4000)]
    storm = [hull.feels(t / 20, 18.0) for t in range(4000)]

    def spread(samples: list[tuple[int, int, int]]) -> float:
        return math.sqrt(sum(x * x for x, _, _ in samples) / len(samples))

    assert spread(calm) < 60 < spread(storm)
    jumps = [math.dist(a, b) for a, b in pairwise(storm)]
    assert max(jumps) < 400
    hull.capsized_deg = 90.0
    assert all(abs(z) < 300 for _, _, z in (hull.feels(t / 20, 1.0) for t in range(400)))

"""The device's budgets: bytes on the wire, bytes of code, heap."""

import tempfile
from pathlib import Path

from agent.wire import document, schema
from agent.wire.vectors import written_record
from simulators.board.interpreter import run
from tests.bench.rows import row
from toolkit import bundle

_BEIDOU_FRAME = 1 + 1 + 8  # A4, kind, tag (DESIGN §2)

_HEAP = """
import gc, sys
sys.path.insert(0, "/tests")
from fakes import FakeBoard, FakeStore, FakeReader, FakeOutput, FakeLine
from agent.agent import Agent
from agent.keep.boots import pack
from commissioned import commission, given

SETTINGS = {"profile": "PROFILE", "report_s": 10, "detail_s": 3600, FITTINGS}

class Bus:
    def read(self, address, register, buf):
        for i in range(len(buf)):
            buf[i] = 0x33 if register == 0x0F else 0
    def write(self, address, register, value):
        pass

def fit():
    board = FakeBoard()
    commission(board.flash, SETTINGS, {"host": "broker", "password": "pw"})
    board.stores = (FakeStore(pack(0)), FakeStore(pack(0)))
    for c in ("lamp_ma", "batt_mv", "batt_ma", "solar_mv", "temp_dc", "lux", "residual_ma", "plug_dc"):
        board.adcs[c] = FakeReader(100)
    for c in ("plug", "breaker", "loop", "hatch", "water"):
        board.digitals[c] = FakeReader(1)
    for c in ("lantern", "lamp_test"):
        board.outputs[c] = FakeOutput()
    for c in ("gnss", "ais", "weather", "rs485"):
        board.lines[c] = FakeLine()
    board.buses["motion"] = Bus()
    return board

# Garbage is collected between two calls only. The first agent loads all modules: code lies in flash.
kept = []
def first():
    Agent(given(fit()))
def second():
    kept.append(fit())
def third():
    kept.append(gc.mem_alloc())
    kept.append(Agent(given(kept[0])))
def live():
    print("live", gc.mem_alloc() - kept[1])
def step():
    kept[0].ticks += 50
    kept[2].step(kept[0].ticks)
def hundred():
    before = gc.mem_alloc()
    for _ in range(100):
        step()
    print("step", (gc.mem_alloc() - before) // 100)
    return -1

work = [first, second, third, live] + [step] * 200 + [hundred]
import _exec
_exec.run(lambda: work.pop(0)() or 0)
"""

# Everything that a board can have, so that the figure is the largest.
_FITTINGS = {
    "beacon": """
    "light": {"character": "Q(6)+LFl 15s"},
    "station": {"lat_e6": 31100000, "lon_e6": 122200000, "chain_dm": 300, "depth_cm": 900},
    "motion": {"sensor": "lis3dh"},
    "weather": {"line": "own", "visibility_m": 1000, "low_cm": -100, "high_cm": 500},
    "ais": {"own_mmsi": 994131001, "neighbours": "994131002,994131003", "unit": "vdm"},
""",
    "shorepower": '"meter": {"address": "000000000001"}',
}


def sizes() -> list[dict[str, object]]:
    """bytes of records, all fields measured, boot <= 65,535, any seq."""
    rows = []
    for schema_row in schema.SCHEMAS[1:]:
        budget = "<= 45" if schema_row[0] == schema.BEACON else "<= 240"
        values = [document.widest(field) for field in schema_row[3]]
        record = written_record(
            schema_row[0], values, boot=65535, seq=schema.SEQ_MAX, t=schema.T_MAX
        )
        rows.append(row(schema_row[1], len(record), "bytes", budget))
        if schema_row[0] == schema.BEACON:
            beidou = len(record) + _BEIDOU_FRAME
            rows.append(row("beacon in a BeiDou message", beidou, "bytes", "<= 70"))
    return rows


def code() -> list[dict[str, object]]:
    """bytes of .mpy files for an ESP32."""
    rows = []
    every: dict[Path, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for profile in bundle.PROFILES:
            out = Path(folder) / profile
            written = bundle.write(
                out, profile, layer="esp32", board="esp32s3-devkitc", compiled=True
            )
            sizes = {path: (out / path).stat().st_size for path in written}
            every |= sizes
            rows.append(row(f"profile {profile}", sum(sizes.values()), "bytes", "<= 81,920"))
    rows.append(row("both profiles", sum(every.values()), "bytes", "<= 114,688"))
    return rows


def heap() -> list[dict[str, object]]:
    """live heap of the agent after start, and allocation per step (MicroPython, 32-bit objects)."""
    rows = []
    tests = Path(__file__).parents[1] / "device"
    for profile in bundle.PROFILES:
        script = _HEAP.replace("FITTINGS", _FITTINGS[profile]).replace("PROFILE", profile)
        mounts = {"/agent": bundle.DEVICE / "agent", "/tests": tests}
        done = run(script, mounts=mounts)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        told = dict(line.split() for line in done.stdout.splitlines())
        rows.append(
            row(f"{profile}: live heap after start", int(told["live"]), "bytes", "<= 49,152")
        )
        rows.append(row(f"{profile}: allocated per step", int(told["step"]), "bytes"))
    return rows

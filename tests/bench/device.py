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
from fakes import FakeBoard, FakeStore, FakeReader
from agent.agent import Agent
from agent.keep.boots import pack
from agent.main import profile_of
from commissioned import commission, given
profile_of("PROFILE")
board = FakeBoard()
settings = {"profile": "PROFILE", "report_s": 10, "detail_s": 3600}
commission(board.flash, settings, {"host": "broker", "password": "pw"})
gc.collect()
before = gc.mem_alloc()
board.stores = (FakeStore(pack(0)), FakeStore(pack(0)))
board.adcs = {c: FakeReader(100) for c in ("lamp_ma", "batt_mv", "batt_ma", "solar_mv", "temp_dc")}
gc.collect()
fakes = gc.mem_alloc() - before
agent = Agent(given(board))
gc.collect()
print("live", gc.mem_alloc() - before - fakes)
for _ in range(200):
    board.ticks += 50
    agent.step(board.ticks)
board.broker.published = []
gc.collect()
n = 100
before = gc.mem_alloc()
for _ in range(n):
    board.ticks += 50
    agent.step(board.ticks)
print("step", (gc.mem_alloc() - before) // n)
"""


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
        script = _HEAP.replace("PROFILE", profile)
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

"""What the tests in simulated time share: a commissioned board, a tape, what the gateway got."""

import json
from pathlib import Path

from simulators import plan, registry
from simulators.board import voyage
from simulators.site import flash as site
from tests.simulators.small_sea import write_files

TAPE_S = 120


def commissioned(folder: Path, **settings: object) -> Path:
    """Make a beacon's flash with the agent's files as they are now, compiled; return it."""
    flash = folder / "buoy-1"
    broker = {"host": "127.0.0.1", "port": 1883}
    site.commission(flash, "buoy-1", "password", "beacon", {"broker": broker, **settings})
    return flash


def tape(folder: Path) -> Path:
    """Record what the sensors of a small sea say."""
    registry_file, plan_file = write_files(folder)
    return voyage.record(
        folder / "tape.json",
        registry.read(registry_file),
        plan.read(plan_file),
        seconds=TAPE_S,
    )


def arrived(file: Path) -> dict[tuple[int, int], str]:
    """Return what the gateway got, identity -> bytes; one identity with two contents is a failure."""
    records: dict[tuple[int, int], str] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        one = json.loads(line)
        identity = one["boot"], one["seq"]
        assert records.setdefault(identity, one["hex"]) == one["hex"], f"{identity} used twice"
    return records


def holes(records: dict[tuple[int, int], str]) -> list[tuple[int, int]]:
    """Return the identities that are missing below each boot's last."""
    last: dict[int, int] = {}
    for boot, seq in records:
        last[boot] = max(last.get(boot, 0), seq)
    return [
        (boot, seq)
        for boot, end in last.items()
        for seq in range(end)
        if (boot, seq) not in records
    ]

"""Voyages: a virtual board in simulated time, with sensors and shore, a week in minutes.

    tape = record(folder / "tape.json", seconds=60)
    report = sail(Voyage(flash=folder / "buoy-1", tape=tape, hours=24))
    assert report is not None and report.conflicts == []

The board is the one of `simulators.board`, running the same files; its hardware and its clock are
others (hardware.mjs, clock.mjs), and broker and gateway are part of the same process (shore.mjs).
"""

import json
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from simulators.board.process import BoardError, node
from simulators.devices import Beacon
from simulators.estuary import Estuary
from simulators.lines import TalkerLine
from simulators.plan import Plan
from simulators.registers import Registers
from simulators.registry import Registry

HERE = Path(__file__).parent

# 2026-11-22 12:00 UTC, so that records look like those of the tests' other devices.
START = 1_795_348_800

_WARM_UP_S = 30  # until the receiver has its fix
_TICKS_PER_S = 20


@dataclass(frozen=True)
class Outage:
    """Something is away from `begin_s` to `end_s` after the start."""

    begin_s: float
    end_s: float
    what: Literal["broker", "gateway", "network"]


@dataclass(frozen=True, kw_only=True)
class Voyage:
    """What to sail; voyage/host.mjs says what each means."""

    flash: Path
    tape: Path
    hours: float
    start: int = START
    step_ms: int = 1000
    sensor_s: int = 10  # the receivers' interval; parsing what they say is most of the work
    stop_ms: int = 10_000
    rtt_ms: int = 100
    heap: int = 8 * 1024 * 1024
    outages: Sequence[Outage] = ()
    motion: tuple[int, int, int] | None = None
    records: Path | None = None
    journal: Path | None = None
    cut: int = 0
    corrupt: bool = False
    flash_bytes: int = 6 * 1024 * 1024
    adc: dict[int, float] = field(
        default_factory=lambda: {5: 1150.0, 6: 1500.0, 7: 1636.0, 8: 650.0}
    )


@dataclass(frozen=True)
class Report:
    """What came of it."""

    hours: float
    took_s: float
    heap: list[int]  # bytes in use after each hour, garbage collected
    records: int  # that reached the gateway
    again: int  # of those, how often one came once more
    conflicts: list[tuple[str, str, str]]  # identity, and the bytes of first and second
    connects: int
    bites: int  # of the watchdog
    programmed: int  # bytes of flash
    erased: int  # blocks
    overruns: list[int]  # bytes lost at the UARTs
    printed: str


@dataclass(frozen=True)
class Cut:
    """The power failed on the way, at the byte that was asked for."""

    printed: str


def sail(voyage: Voyage, timeout_s: float = 120) -> Report | Cut:
    """Sail it; return what came of it.

    Raises:
        BoardError: the process failed, or took longer than `timeout_s`.
    """
    options = voyage.flash.with_name(f"{voyage.flash.name}.voyage.json")
    options.write_text(_options(voyage), encoding="utf-8")
    try:
        done = subprocess.run(
            [node(), str(HERE / "host.mjs"), str(options)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        printed = (error.stdout or b"").decode(errors="replace")
        raise BoardError(f"the voyage took longer than {timeout_s:.0f} s\n{printed}") from error
    printed = done.stdout.decode(errors="replace")
    if voyage.cut and done.returncode == -signal.SIGKILL:
        return Cut(printed)
    if done.returncode != 0:
        raise BoardError(f"{printed}\n{done.stderr.decode(errors='replace')}".strip())
    printed, _, report = printed.rstrip("\n").rpartition("\n")
    return Report(**json.loads(report), printed=printed)


def record(file: Path, registry: Registry, plan: Plan, *, seconds: int, t: int = START) -> Path:
    """Write a tape of what the sensors of the estuary's first beacon say; return the file.

    Raises:
        BoardError: there is no beacon in the registry.
    """
    now = float(t)
    estuary = Estuary(registry, plan, Registers(file.with_suffix(".meters")), lambda: now)
    beacon = next((one for one in estuary.devices.values() if isinstance(one, Beacon)), None)
    if beacon is None:
        raise BoardError("the registry has no beacon")
    heard: dict[str, list[str]] = {"gnss": [], "ais": []}
    for name, sentences in heard.items():
        line = beacon.uarts[name]
        assert isinstance(line, TalkerLine)  # a beacon's are
        line.tap = sentences.extend
    tape: dict[str, list[list[str]]] = {name: [] for name in heard}
    for tick in range((_WARM_UP_S + seconds) * _TICKS_PER_S):
        now = t + tick / _TICKS_PER_S
        estuary.tick(now)
        if (tick + 1) % _TICKS_PER_S == 0:
            for name, sentences in heard.items():
                tape[name].append(list(sentences))
                sentences.clear()
    tape = {name: epochs[_WARM_UP_S:] for name, epochs in tape.items()}
    file.write_text(json.dumps(tape), encoding="utf-8")
    return file


def _options(voyage: Voyage) -> str:
    outages = [{"from": one.begin_s, "to": one.end_s, "what": one.what} for one in voyage.outages]
    return json.dumps(
        {
            "name": voyage.flash.name,
            "flash": str(voyage.flash.absolute()),
            "tape": str(voyage.tape.absolute()),
            "records": None if voyage.records is None else str(voyage.records.absolute()),
            "journal": None if voyage.journal is None else str(voyage.journal.absolute()),
            "hours": voyage.hours,
            "start": voyage.start,
            "step_ms": voyage.step_ms,
            "sensor_s": voyage.sensor_s,
            "stop_ms": voyage.stop_ms,
            "rtt_ms": voyage.rtt_ms,
            "heap": voyage.heap,
            "cut": voyage.cut,
            "corrupt": voyage.corrupt,
            "flash_bytes": voyage.flash_bytes,
            "console": True,
            "uarts": {"gnss": 1, "ais": 2},
            "adc": voyage.adc,
            "lamp": {"pin": 4, "millivolts": 350, "on_ms": 500, "period_ms": 4000},
            "outages": outages,
            "motion": voyage.motion,
        }
    )

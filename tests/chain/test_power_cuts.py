"""A virtual board whose power fails while it writes to flash, again and again.

Each life is a voyage in simulated time on the same flash: the broker is away for a while, so that
records have to be kept, and the power fails at a byte drawn from a seed. tests/flash takes every byte
on littlefs itself; here the whole board starts again, from the guard to the last record.
"""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.wire import decode
from simulators.board.voyage import START, Cut, Outage, Report, Voyage, sail
from tests.chain import voyages

SEED = 20261122
LIVES, LIVES_PROVED = 20, 150
HOURS = 0.35
AWAY = (Outage(120, 1100, "broker"),)
SENSOR_S = 20  # what is measured is not the matter here
STARTED = re.compile(r"^fairway: buoy-1, boot (\d+)", re.MULTILINE)

# What a power cut may cost: the time in which the outbox gathers, and a report that was due.
GATHER_S = 60
REPORT_S = 20
LOSS_S = GATHER_S + REPORT_S + 2

_2020 = 1_577_836_800


@dataclass(frozen=True)
class Life:
    """One start of the board, until `end_s` by its own clock."""

    boot: int | None  # None: it died before it said so
    end_s: float


class Ledger:
    """A board's lives: which boot number each had, when it died, what the gateway got."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tape = voyages.tape(folder)
        self.flash = voyages.commissioned(
            folder, report_s=REPORT_S, detail_s=300, gather_s=GATHER_S
        )
        self.lives: list[Life] = []

    def live(
        self, *, cut: int = 0, hours: float = HOURS, outages: Sequence[Outage] = AWAY
    ) -> Report | Cut:
        """Live once, and check that it starts with a number of its own."""
        journal = self.folder / f"journal-{len(self.lives)}"
        result = sail(
            Voyage(
                flash=self.flash,
                tape=self.tape,
                hours=hours,
                sensor_s=SENSOR_S,
                outages=outages,
                records=self.folder / "records",
                journal=journal,
                cut=cut,
            )
        )
        assert "Traceback" not in result.printed, result.printed
        started = [int(boot) for boot in STARTED.findall(result.printed)]
        assert len(started) <= 1, "it started again by itself"
        if isinstance(result, Report):
            assert started, result.printed
        used = max((life.boot for life in self.lives if life.boot is not None), default=0)
        assert all(boot > used for boot in started), f"a boot number up to {used} was used again"
        last = json.loads(journal.read_text().splitlines()[-1])
        end_s = last["ms"] / 1000 if isinstance(result, Cut) else hours * 3600
        self.lives.append(Life(started[0] if started else None, end_s))
        return result

    def check(self) -> dict[tuple[int, int], str]:
        """Check what has reached the gateway in all lives, and return it.

        All of a boot's records are there until the loss window before its end. In the window lanes
        are written one after the other, so that a hole may be left there.
        """
        records = voyages.arrived(self.folder / "records")
        made: dict[int, list[tuple[int, float]]] = {}  # boot -> seq, seconds after its start
        for (boot, seq), raw in sorted(records.items()):
            t = decode.one(bytes.fromhex(raw)).t
            made.setdefault(boot, []).append((seq, -1 - t if t < 0 else t - (START - _2020)))
        assert set(made) <= {life.boot for life in self.lives}
        for life in self.lives:
            if life.boot is None:
                continue
            expected = 0
            newest_s = 0.0
            for seq, made_s in made.get(life.boot, []):
                if seq != expected:
                    lost_s = life.end_s - newest_s
                    assert lost_s <= LOSS_S, f"boot {life.boot}: {expected} is missing, {life}"
                expected, newest_s = seq + 1, made_s
            lost_s = life.end_s - newest_s
            assert lost_s <= LOSS_S, f"boot {life.boot} lost its last {lost_s:.0f} s"
        return records


def cuts(rng: random.Random, start: int, whole: int, lives: int) -> list[int]:
    """Draw where the power fails: a third within a start, the others anywhere."""
    return [rng.randint(1, start if life % 3 == 0 else whole) for life in range(lives)]


def cut_often(folder: Path, lives: int) -> str:
    """Live many times; return what there is to tell."""
    rng = random.Random(SEED)
    ledger = Ledger(folder)
    whole, start = ledger.live(), ledger.live(hours=0.002)
    assert isinstance(whole, Report)
    assert isinstance(start, Report)
    for cut in cuts(rng, start.programmed, whole.programmed, lives):
        ledger.live(cut=cut)
    assert isinstance(ledger.live(outages=()), Report)  # in which everything gets through
    records = ledger.check()
    dead = sum(life.end_s < HOURS * 3600 for life in ledger.lives) - 1
    return (
        f"{lives} lives, {dead} power cuts within {whole.programmed} bytes of flash: "
        f"{len({boot for boot, _ in records})} boots, {len(records)} records, each identity once"
    )


def test_power_cuts_of_the_whole_board(tmp_path, capsys):
    said = cut_often(tmp_path, LIVES)
    with capsys.disabled():
        print(f"\n{said}")


@pytest.mark.prove
def test_many_power_cuts_of_the_whole_board(tmp_path, capsys):
    said = cut_often(tmp_path, LIVES_PROVED)
    with capsys.disabled():
        print(f"\n{said}")

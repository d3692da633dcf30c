"""The agent's own files in simulated time: after a week the heap is what it was after an hour.

The board is the virtual board's, the files are those of a device's flash, compiled; sensors talk,
broker, gateway and network go away and come back.
"""

from pathlib import Path

import pytest

from simulators.board.voyage import Outage, Report, Voyage, sail
from tests.chain import voyages

HOUR_S = 3600
WEEK_H = 7 * 24
TOLERANCE = 0.02
BASE_H = 1  # what the heap is compared with


def outages(hours: float) -> list[Outage]:
    """Everything fails once in three hours, from the second hour on."""
    found = []
    for hour in range(BASE_H, int(hours) - 2, 3):
        found += [
            Outage(hour * HOUR_S + 600, hour * HOUR_S + 2400, "broker"),
            Outage((hour + 1) * HOUR_S + 600, (hour + 1) * HOUR_S + 1200, "network"),
            Outage((hour + 2) * HOUR_S + 600, (hour + 2) * HOUR_S + 900, "gateway"),
        ]
    return found


def growth(report: Report) -> float:
    """Return by what part of it the heap has grown after its first hour."""
    return report.heap[-1] / report.heap[BASE_H - 1] - 1


def sailed(folder: Path, hours: float, timeout_s: float) -> Report:
    voyage = Voyage(
        flash=voyages.commissioned(folder),
        tape=voyages.tape(folder),
        hours=hours,
        outages=outages(hours),
        records=folder / "records",
    )
    report = sail(voyage, timeout_s)
    assert isinstance(report, Report)
    return report


def check(report: Report, folder: Path, hours: float) -> None:
    print(
        f"\n{hours:g} hours in {report.took_s:.0f} s: heap {report.heap[BASE_H - 1]} bytes after "
        f"the first hour, {report.heap[-1]} after the last, {max(report.heap)} at most; "
        f"{report.records} records, {report.again} of them again, {report.connects} connections; "
        f"flash: {report.programmed} bytes programmed, {report.erased} blocks erased"
    )
    assert len(report.heap) == int(hours)
    assert abs(growth(report)) <= TOLERANCE
    assert report.bites == 0
    assert report.overruns == [0, 0]
    assert report.connects > len(outages(hours)) / 3  # it was cut off, and came back
    records = voyages.arrived(folder / "records")
    assert len(records) == report.records
    assert {boot for boot, _ in records} == {1}, "it started again on the way"
    assert voyages.holes(records) == []
    assert len(records) > 20 * hours


def test_some_hours_at_sea(tmp_path, capsys):
    hours = 4.05  # an outage of each kind
    report = sailed(tmp_path, hours, timeout_s=180)
    with capsys.disabled():
        check(report, tmp_path, hours)


@pytest.mark.prove
def test_a_week_at_sea(tmp_path, capsys):
    hours = WEEK_H + 0.05
    report = sailed(tmp_path, hours, timeout_s=2 * 3600)
    with capsys.disabled():
        check(report, tmp_path, hours)


def test_a_leak_is_seen(tmp_path):
    """Ten bytes a second are too many: the proof can fail."""
    flash = tmp_path / "leaky"
    flash.mkdir()
    (flash / "main.py").write_text(
        "import _board\n"
        "ballast, kept = bytearray(140000), []\n"
        "def step(now):\n"
        "    kept.append(bytes(10))\n"
        "    return 1000\n"
        "_board.run(step, lambda: None)\n"
    )
    report = sail(
        Voyage(flash=flash, tape=voyages.tape(tmp_path), hours=2.05, step_ms=1000, stop_ms=10)
    )
    assert isinstance(report, Report)
    assert len(report.heap) == 2
    assert growth(report) > TOLERANCE

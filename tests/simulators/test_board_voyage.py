"""The virtual board in simulated time: its hardware, its shore, its clock."""

import json
import time
from pathlib import Path

import pytest

from simulators.board.process import BoardError
from simulators.board.voyage import Cut, Outage, Report, Voyage, sail

# A program that says what it meets, and sleeps as long as it may.
START = """
import _board, gc, machine, network, socket, time
print('start', machine.reset_cause(), machine.RTC().memory())
"""


@pytest.fixture
def tape(tmp_path) -> Path:
    file = tmp_path / "tape.json"
    zda = "$GNZDA,000000.00,01,01,2020,00,00*7E"
    file.write_text(json.dumps({"gnss": [[zda, "$GNVTG,,T*00"]], "ais": [["!AIVDM,1"], []]}))
    return file


def sailed(folder: Path, tape: Path, main: str, **options) -> Report | Cut:
    flash = folder / "flash"
    flash.mkdir(exist_ok=True)
    (flash / "main.py").write_text(START + main)
    return sail(Voyage(flash=flash, tape=tape, **{"hours": 0.1, "sensor_s": 1, **options}), 30)


def test_a_day_passes_in_a_moment_and_sleep_takes_its_time(tmp_path, tape):
    main = """
steps = 0
began = time.ticks_ms()
def step(now):
    global steps
    steps += 1
    if steps == 2:
        print('second step', now)
        time.sleep(1000)
        print('slept', time.ticks_ms() // 1000)
        while time.ticks_diff(time.ticks_ms(), now) < 1001000:
            pass
    return 60000
_board.run(step, lambda: print('steps', steps, gc.mem_free() > 0))
"""
    started = time.monotonic()
    report = sailed(tmp_path, tape, main, hours=24, step_ms=60000, stop_ms=10)
    assert isinstance(report, Report)
    assert time.monotonic() - started < 15
    assert "second step 60000" in report.printed
    assert "slept 1060" in report.printed
    steps = int(report.printed.split("steps ")[1].split()[0])
    assert steps == 1 + (24 * 3600 - 1001) // 60  # less the time in which it slept
    assert len(report.heap) == 24


def test_sensors_speak_with_the_time_of_now(tmp_path, tape):
    main = """
gnss, ais = machine.UART(1, 9600, rxbuf=4096), machine.UART(2, 38400, rxbuf=200)
def step(now):
    print(gnss.read(), ais.any(), _board.overruns(2))
    return 1000
_board.run(step)
"""
    report = sailed(tmp_path, tape, main, hours=0.02, step_ms=1000, stop_ms=10)
    assert isinstance(report, Report)
    lines = report.printed.splitlines()
    assert any("$GNZDA,120005.00,22,11,2026,00,00*78" in line for line in lines)
    assert lines[-1].endswith(f" 200 {report.overruns[1] - 10}")  # one came after that
    assert report.overruns[0] == 0
    assert 100 < report.overruns[1] < 200


def test_the_watchdog_bites_and_sleep_is_a_reset(tmp_path, tape):
    main = """
memory = machine.RTC().memory()
if not memory:
    machine.RTC().memory(b'1')
    machine.WDT(timeout=5000)
    _board.run(lambda now: 1000)
elif memory == b'1':
    machine.RTC().memory(b'2')
    machine.deepsleep(60000)
else:
    print('woke', time.ticks_ms() < 100)
"""
    report = sailed(tmp_path, tape, main, stop_ms=10)
    assert isinstance(report, Report)
    assert report.bites == 1
    starts = [line for line in report.printed.splitlines() if line.startswith("start")]
    assert starts == ["start 1 b''", "start 3 b'1'", "start 4 b'2'"]
    assert "woke True" in report.printed


def test_connections_meet_every_kind_of_outage(tmp_path, tape):
    """Each second it connects, says CONNECT and waits five seconds for an answer."""
    main = """
def step(now):
    s = socket.socket()
    s.settimeout(5)
    up = network.WLAN().isconnected()
    try:
        s.connect(('broker', 1883))
        s.write(b'\\x10\\x00')
        print(now // 10000, up, s.read(4))
    except OSError as e:
        print(now // 10000, up, e.errno)
    s.close()
    return 1000
_board.run(step)
"""
    outages = [Outage(35, 55, "broker"), Outage(75, 95, "network")]
    report = sailed(tmp_path, tape, main, hours=0.03, step_ms=10, outages=outages, stop_ms=10)
    assert isinstance(report, Report)
    seen: dict[str, str] = {}
    for line in report.printed.splitlines()[1:]:
        seen.setdefault(*line.split(" ", 1))
    answered = r"True b' \x02\x00\x00'"
    assert [seen[str(n)] for n in (1, 4, 5, 6)] == [answered, "True 111", "True 111", answered]
    assert seen["8"] == "False 113"
    assert seen["10"] == answered


def test_a_cut_ends_it_and_a_failure_is_told(tmp_path, tape):
    main = "open('/x', 'w').close()\nprint('never')\n"
    cut = sailed(tmp_path, tape, main, cut=1)
    assert isinstance(cut, Cut)
    assert "never" not in cut.printed
    (tmp_path / "tape.json").write_text("{}")
    with pytest.raises(BoardError, match="TypeError"):
        sailed(tmp_path, tape, main)

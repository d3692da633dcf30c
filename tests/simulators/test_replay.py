"""Replay: the pacing of recorded logs, the way through a running estuary and back, a serial port."""

import argparse
import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pynmea2
import pytest

from simulators.estuary_command import ReplayCommand
from simulators.replay import (
    EstuaryLine,
    Log,
    ReplayError,
    SerialLine,
    Sink,
    play,
    read_log,
    schedule,
)
from tests.simulators.small_sea import (
    NIGHT,
    Clock,
    Running,
    arrived,
    live,
    make,
    plug_in,
    until,
)
from toolkit.cli import CommandError

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="recorded logs are not there")

COMMAND = (
    "import argparse, sys; from simulators.estuary_command import ReplayCommand as C;"
    "c = C(); p = argparse.ArgumentParser(); c.add_arguments(p); sys.exit(c.run(p.parse_args()))"
)
FAST = 10_000_000  # a baud rate that never holds anything up


def epoch(clock, others=1):
    """Return the lines of one second of a small receiver."""
    lines = [str(pynmea2.GGA("GN", "GGA", (clock, "3106.0", "N", "12212.0", "E", "1", "08",
                                           "1.0", "5.0", "M", "11.0", "M", "", "")))]  # fmt: skip
    lines += [str(pynmea2.GSV("GP", "GSV", ("1", "1", "00")))] * others
    lines.append(str(pynmea2.GLL("GN", "GLL", ("3106.0", "N", "12212.0", "E", clock, "A", "A"))))
    return [line.encode() + b"\r\n" for line in lines]


def log_of(lines):
    return Log(lines, lines=True)


def times_of(lines, baud, **options):
    """Return when lines are due."""
    return [timed.at_s for timed in schedule(log_of(lines), baud, **options)]


class Collector(Sink):
    """Remembers what came, and when by the test's clock."""

    def __init__(self, baud=FAST):
        self.baud = baud
        self.now = 100.0
        self.got = []

    def send(self, data):
        self.got.append((self.now - 100.0, data))

    def close(self):
        pass

    def sleep(self, seconds):
        self.now += seconds


def played(lines, sink, **options):
    play(log_of(lines), sink, clock=lambda: sink.now, sleep=sink.sleep, **options)
    return [at for at, _ in sink.got]


def test_epochs_keep_their_times():
    lines = epoch("235958.00") + epoch("235959.00") + epoch("000001.50")
    times = times_of(lines, FAST)
    assert times == pytest.approx([0, 0, 0, 1, 1, 1, 3.5, 3.5, 3.5], abs=1e-3)


def test_lines_follow_each_other_as_the_line_carries_them():
    lines = epoch("120000.00", others=3) + epoch("120001.00")
    times = times_of(lines, 9600)
    lengths = [len(line) * 10 / 9600 for line in lines]
    assert times[:5] == pytest.approx([sum(lengths[:i]) for i in range(5)])
    assert times[5] == pytest.approx(1.0)


def test_what_was_recorded_on_a_faster_line_takes_longer():
    lines = [line for tenth in range(10) for line in epoch(f"120000.{tenth}0", others=6)]
    times = times_of(lines, 9600)
    spent = sum(map(len, lines)) * 10 / 9600
    assert times[-1] == pytest.approx(spent - len(lines[-1]) * 10 / 9600)
    assert spent > 2


def test_rate_shortens_the_waiting():
    lines = epoch("120000.00") + epoch("120002.00")
    assert times_of(lines, FAST, rate=4)[-1] == pytest.approx(0.5, abs=1e-3)


def test_holes_and_steps_back_are_not_waited_out():
    lines = epoch("120000.00") + epoch("150000.00") + epoch("145959.50") + epoch("100000.00")
    times = times_of(lines, FAST)[::3]
    assert times == pytest.approx([0, 10, 10, 20], abs=1e-3)


def test_times_of_ais_logs():
    line = b"!AIVDM,1,1,,B,13U4vF0P001d<UnEeSmQ>gv`04hd,0*4C\r\n"
    hours = [
        b"$PGHP,1,2010,6,11,11,46,11,390,231,45,992190934,1,2B*5B\r\n", line,
        b"$PGHP,1,2010,6,11,11,46,12,890,219,24,992190924,1,12*20\r\n", line,
    ]  # fmt: skip
    assert times_of(hours, FAST) == pytest.approx([0, 0, 1.5, 1.5], abs=1e-3)
    tags = [b"\\s:r003669945,c:1241544035*4A\\" + line, b"\\c:1241544037*00\\" + line]
    assert times_of(tags, FAST) == pytest.approx([0, 2], abs=1e-3)
    bare = [line] * 3
    each = len(line) * 10 / 38400
    assert times_of(bare, 38400) == pytest.approx([0, each, 2 * each])


def test_play_sends_when_due_and_again_in_a_loop():
    lines = epoch("120000.00") + epoch("120001.00")
    sink = Collector()
    assert played(lines, sink)[::3] == pytest.approx([0, 1], abs=1e-3)
    assert [data for _, data in sink.got] == lines

    class EnoughError(Exception):
        pass

    class Tired(Collector):
        def send(self, data):
            super().send(data)
            if len(self.got) == 15:
                raise EnoughError

    sink = Tired()
    with pytest.raises(EnoughError):
        played(lines, sink, loop=True)
    assert [data for _, data in sink.got] == (lines * 3)[:15]


def test_log_lines_are_sent_as_they_are_but_for_comments(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"# a comment\n$GPGGA,1\r\n\nnoise \xff\n!AIVDM\n")
    read = read_log(log)
    assert read == Log([b"$GPGGA,1\r\n", b"noise \xff\r\n", b"!AIVDM\r\n"], lines=True)
    assert read.size == "3 lines"


@pytest.mark.parametrize(
    "capture",
    [
        b"h\x16\n\r" * 30,
        bytes(range(256)) * 2,
        b"# what looks like a comment\r\n\n  and $GPGGA,120000.00 within \n",
        b"\x0a!\x0a\\\x0a$G\x0a$GP\xff\xff,",  # 0Ah and the signs by chance
    ],
)
def test_a_capture_without_sentences_keeps_every_byte(tmp_path, capture):
    file = tmp_path / "rs485.bin"
    file.write_bytes(capture)
    log = read_log(file)
    assert b"".join(log.pieces) == capture
    assert log.uart is None
    assert log.size == f"{len(capture)} bytes"
    for bits in (10, 11):
        for at_s, piece in schedule(log, 2400, bits=bits):
            before = capture[: round(at_s * 2400 / bits)]
            assert capture[len(before) :].startswith(piece)


@pytest.mark.parametrize(("content", "message"), [(None, "No such file"), (b"", "is empty")])
def test_a_log_that_cannot_be_used_is_named(tmp_path, content, message):
    log = tmp_path / "a.log"
    if content is not None:
        log.write_bytes(content)
    with pytest.raises(ReplayError, match=message) as caught:
        read_log(log)
    assert str(log) in caught.value.cause
    with pytest.raises(ReplayError, match="directory"):
        read_log(tmp_path)


def test_whose_log_it_is():
    gnss, ais = b"$BDGSV,1\r\n", b"!BSVDM,1\r\n"
    assert log_of([gnss] * 3 + [ais]).uart == "gnss"
    assert log_of([gnss] + [ais] * 3).uart == "ais"
    assert log_of([b"\\c:1*00\\" + ais]).uart == "ais"
    assert log_of([b"$PMTK,1\r\n"]).uart is None


@needs_data
@pytest.mark.parametrize(
    ("name", "uart"),
    [
        ("nmea/beidou-gb.log", "gnss"),
        ("nmea/quectel-l76k-nmea.log", "gnss"),
        ("nmea/bundg_zeus_9-head.log", "gnss"),
        ("ais/ais-raw-messages.log", "ais"),
        ("ais/aislib-stream_example.txt", "ais"),
        ("ais/gpsd-sample.aivdm", "ais"),
        ("ais/signalk-merrimac.log", "ais"),
    ],
)
def test_recorded_logs_are_paced_plausibly(name, uart):
    log = read_log(DATA / name)
    assert log.uart == uart
    baud = 38400 if uart == "ais" else 9600
    timed = list(schedule(log, baud))
    assert [one.piece for one in timed] == log.pieces
    assert all(b.at_s > a.at_s for a, b in itertools.pairwise(timed))
    fastest = sum(map(len, log.pieces)) * 10 / baud
    assert fastest * 0.9 < timed[-1].at_s < 600


@needs_data
def test_recorded_seconds_are_seconds():
    log = read_log(DATA / "nmea" / "beidou-gb.log")
    starts = [t.at_s for t in schedule(log, 9600) if t.piece.startswith(b"$GPGGA")]
    gaps = [b - a for a, b in itertools.pairwise(starts)]
    assert gaps == pytest.approx([1.0] * len(gaps), abs=0.05)


def arguments(*words):
    parser = argparse.ArgumentParser()
    command = ReplayCommand()
    command.add_arguments(parser)
    return command, parser.parse_args([str(word) for word in words])


def test_replay_takes_the_line_and_gives_it_back(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_bytes(b"".join(epoch("010203.00") + epoch("010204.00")))
    with Running(tmp_path) as sea, sea.listen() as board, sea.listen("buoy-2") as other:
        until(board, b"$GNGGA")
        command, args = arguments(log, "--device", "buoy-1", "--state", sea.state)
        assert command.run(args) == 0
        replayed = until(board, b"$GNGLL,3106.0,N,12212.0,E,010204.00")
        assert b"".join(epoch("010203.00")) in replayed
        # While it lasted the simulation was silent; now it speaks again.
        inside = replayed[replayed.index(epoch("010203.00")[0]) :]
        assert b"$GNZDA" not in inside[: inside.rindex(b"$GNGLL")]
        until(board, b"$GNZDA")
        assert b"010203.00" not in until(other, b"$GNZDA")  # the others notice nothing
    said = capsys.readouterr().out
    assert "gnss of buoy-1 now plays" in said
    assert "gnss of buoy-1 is the simulation's again" in said


def test_one_replay_at_a_time_and_errors_for_people(tmp_path):
    with Running(tmp_path) as sea:
        with EstuaryLine(sea.state, "buoy-1", "gnss") as line:
            assert line.baud == 9600
            with pytest.raises(ReplayError, match="replayed already"):
                EstuaryLine(sea.state, "buoy-1", "gnss")
            with EstuaryLine(sea.state, "buoy-1", "ais") as ais:
                assert ais.baud == 38400
        for device, uart, cause, action in (
            ("buoy-9", "gnss", "no device 'buoy-9'", "buoy-1, buoy-2, pile-1, pile-2, spare-1"),
            ("buoy-1", "rs485", "no line 'rs485'", "gnss, ais"),
            ("pile-1", "gnss", "no line 'gnss'", "rs485"),
        ):
            with pytest.raises(ReplayError, match=cause) as caught:
                EstuaryLine(sea.state, device, uart)
            assert action in caught.value.action
        # Given back, it can be taken again.
        deadline = time.monotonic() + 5
        while True:
            try:
                EstuaryLine(sea.state, "buoy-1", "gnss").close()
                break
            except ReplayError:
                assert time.monotonic() < deadline
        # What is no request gets an answer, too, and harms nobody.
        host, port = sea.book["control"].split(":")
        for bad in (b"hello\n", b"[]\n", b'{"take": 5}\n', b'{"take": {"device": "buoy-1"}}\n'):
            with socket.create_connection((host, int(port)), 5) as client:
                client.sendall(bad)
                assert b"not understood" in client.recv(4096)
        with socket.create_connection((host, int(port)), 5) as client:
            client.sendall(b"x" * 100_000)
        with sea.listen() as board:
            until(board, b"$GNZDA")


def test_estuary_that_is_not_there(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"$GNGGA,1\n")
    state = tmp_path / "estuary.json"
    command, args = arguments(log, "--device", "buoy-1", "--state", state)
    with pytest.raises(CommandError, match="no estuary is running") as caught:
        command.run(args)
    assert str(state) in caught.value.cause
    assert "fairway estuary" in caught.value.action
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        state.write_text(json.dumps({"control": f"127.0.0.1:{free.getsockname()[1]}"}))
    with pytest.raises(CommandError, match="no estuary answers"):
        command.run(args)
    state.write_text("[]")
    with pytest.raises(CommandError, match="not an estuary's address book"):
        command.run(args)


def test_estuary_that_goes_away(tmp_path):
    with Running(tmp_path) as sea:
        line = EstuaryLine(sea.state, "buoy-1", "gnss")
    with line, pytest.raises(ReplayError, match="went away"):
        for _ in range(100):
            line.send(b"$GNGGA,1\r\n")
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "where to"),
        (["--device", "buoy-1", "--port", "/dev/null"], "where to"),
    ],
)
def test_where_to_is_one_place(tmp_path, words, message):
    log = tmp_path / "a.log"
    log.write_bytes(b"$GNGGA,1\n")
    command, args = arguments(log, *words)
    with pytest.raises(CommandError, match=message):
        command.run(args)


def test_log_of_nobody_knows_what(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"hello\n")
    command, args = arguments(log, "--device", "buoy-1")
    with pytest.raises(CommandError, match="neither GNSS nor AIS") as caught:
        command.run(args)
    assert "--uart" in caught.value.action
    command, args = arguments(log, "--port", tmp_path / "ttyUSB0")
    with pytest.raises(CommandError, match="neither GNSS nor AIS") as caught:
        command.run(args)
    assert "--baud" in caught.value.action


@pytest.mark.parametrize("words", [["--rate", "0"], ["--rate", "nan"], ["--baud", "-1"]])
def test_rates_are_above_zero(words, capsys):
    with pytest.raises(SystemExit):
        arguments("a.log", *words)
    assert "above 0" in capsys.readouterr().err


def test_ctrl_c_gives_the_line_back(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"".join(line for i in range(60) for line in epoch(f"0102{i:02d}.00")))
    with Running(tmp_path) as sea, sea.listen() as board:
        words = [log, "--device", "buoy-1", "--state", sea.state, "--loop"]
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, words)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            until(board, b"010201.00", seconds=15)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=10)
        finally:
            process.kill()
            process.wait()
        assert "is the simulation's again" in said
        until(board, b"$GNZDA")


def test_serial_port_gets_the_log(tmp_path):
    log = tmp_path / "a.log"
    lines = epoch("010203.00") + epoch("010203.50")
    log.write_bytes(b"".join(lines))
    master, slave = os.openpty()
    try:
        command, args = arguments(log, "--port", os.ttyname(slave), "--baud", 115200)
        got = []
        reading = threading.Thread(
            target=lambda: [got.append(os.read(master, 65536)) for _ in iter(
                lambda: sum(map(len, got)) < sum(map(len, lines)), False)]
        )  # fmt: skip
        reading.start()
        began = time.monotonic()
        assert command.run(args) == 0
        assert 0.4 < time.monotonic() - began < 3
        reading.join(5)
        assert b"".join(got) == b"".join(lines)
    finally:
        os.close(master)
        os.close(slave)


def test_serial_port_that_is_not_there(tmp_path):
    with pytest.raises(ReplayError, match="cannot be opened"):
        SerialLine(str(tmp_path / "ttyUSB0"), 9600)


def test_board_that_is_away_loses_the_replay_too(tmp_path):
    async def run():
        clock = Clock(NIGHT)
        estuary = make(tmp_path, clock)
        await estuary.open()
        try:
            state = json.loads(json.dumps(estuary.address_book()))
            control, writer = await plug_in(state["control"])
            request = json.dumps({"take": {"device": "buoy-1", "uart": "gnss"}})
            writer.write(request.encode() + b"\n")
            assert json.loads(await control.readline()) == {"baud": 9600, "bits": 10}
            writer.write(b"$LOST,1\r\n")
            await asyncio.sleep(0.1)
            board, board_writer = await plug_in(state["devices"]["buoy-1"]["uarts"]["gnss"])
            await asyncio.sleep(0.1)
            writer.write(b"$KEPT,2\r\n")
            await asyncio.sleep(0.1)
            await live(estuary, clock, 3)
            assert await arrived(board) == b"$KEPT,2\r\n"
            writer.close()
            await asyncio.sleep(0.1)
            await live(estuary, clock, 3)
            assert b"$GNZDA" in await arrived(board)
            board_writer.close()
        finally:
            await estuary.close()

    asyncio.run(run())

"""Both receivers' lines at full rate, on the board's interpreter, and what that is on an ESP32-S3.

A board's time cannot be measured here. So loops whose time on a board is published run in turn with the
receivers, on the same interpreter; the receivers take as much of the board as they take of such a loop.
"""

import random
import tempfile
from pathlib import Path
from typing import NamedTuple

from pyais.encode import encode_dict

from simulators.board.interpreter import run
from simulators.sensors import ais, gnss
from simulators.world.place import Place
from tests.bench.rows import median, row
from toolkit import bundle

_ROUNDS = 15
_LINE_S = 10  # of line time in a round
_BITS = 10  # of a byte on the line: start, eight, stop
_T = 1_750_000_000
_PLACE = Place(31.1, 122.3)
_TIMEOUT_S = 240  # it takes 20 s of an idle machine

# Of a hundred messages in a busy port. At 38,400 Bd the line carries 70 of them a second; both AIS
# channels together have 75 slots a second (ITU-R M.1371-5, annex 2).
_MIX = {1: 62, 3: 8, 18: 12, 5: 6, 24: 4, 4: 4, 21: 4}
_SHIPS = 800  # a class A ship under way reports every ten seconds


class _Loop(NamedTuple):
    """A loop whose time on a board is published; `s` is the time of as much of it as runs here."""

    key: str
    board: str
    s: float


# Bubble sort of 2,000 numbers of ten bits, without an early end: the loop is that of
# blog.miguelgrinberg.com/post/benchmarking-micropython, the time, 19.119 s, that of an M5Stack AtomS3U
# (ESP32-S3 without PSRAM) with MicroPython 1.24.1, from a README, "Benchmarking MicroPython sorting",
# that answers it. Its clock is not told: generic S3 builds without PSRAM leave it at ESP-IDF's default,
# 160 MHz. 700 numbers are 244,650 comparisons instead of 1,999,000.
_SORT = _Loop("sort", "ESP32-S3 (bubble sort)", 19.119 * 244_650 / 1_999_000)

# A second opinion, of the S3's elder brother at 240 MHz: 1,000,000 integer additions,
# shaoziyang/micropython_benchmarks, 1.9.4-479. 3.37 s is its row with PSRAM, the slower one.
_ADD = _Loop("add", "ESP32, PSRAM (additions)", 3.37 / 8)

_SCRIPT = """
import _exec, gc, random, sys, time
sys.path.insert(0, "/")
from agent.sense.ais import AIS
from agent.sense.gnss import GNSS
from agent.sense.receiver import Receiver
from agent.sense.targets import Targets

RXBUF = 4096      # agent/hal/port.py
BUFFER = 256      # profiles/beacon.py
REPORTS = 8       # profiles/beacon.py, in one step
NAP_MS = 20
STALLS_MS = (67, 100)
STALL_EVERY_MS = 2000


class Line:
    # A UART: bytes come at the line's rate into a buffer; what does not fit is lost.
    def __init__(self, name, baud):
        with open("/data/" + name, "rb") as file:
            data = file.read()
        self.data = memoryview(data)
        self.bytes_s = baud // 10
        self.begin()

    def begin(self):
        self.at = self.come = self.lost = 0

    def wait(self, now_ms):
        self.come = min(now_ms * self.bytes_s // 1000, len(self.data))
        over = self.come - self.at - RXBUF
        if over > 0:
            self.lost += over
            self.at += over

    def readinto(self, buf):
        n = min(len(buf), self.come - self.at)
        buf[:n] = self.data[self.at : self.at + n]
        self.at += n
        return n


ais_line = Line("ais", 38400)
gnss_line = Line("gnss", 9600)


class Reader:
    # What is left of a receiver's time when it reads and does nothing: the model of the line.
    def __init__(self, line):
        self.line = line
        self.buffer = bytearray(BUFFER)

    def poll(self, now_ms):
        return 0 if self.line.readinto(self.buffer) == BUFFER else 50


def receive(name, parts=True, interval_s=None):
    ais_line.begin()
    gnss_line.begin()
    ais = AIS()
    gnss = GNSS()
    targets = None if interval_s is None else Targets(interval_s)
    if parts:
        ais_part = Receiver(ais_line, (ais,), bytearray(BUFFER))
        gnss_part = Receiver(gnss_line, (gnss,), bytearray(BUFFER))
    else:
        ais_part = Reader(ais_line)
        gnss_part = Reader(gnss_line)
    now_ms = stalls = 0
    before = gc.mem_alloc()
    begin = time.ticks_ms()
    while True:
        now_ms += NAP_MS
        if now_ms >= (stalls + 1) * STALL_EVERY_MS:
            now_ms += STALLS_MS[stalls % 2]
            stalls += 1
        ais_line.wait(now_ms)
        gnss_line.wait(now_ms)
        more = gnss_part.poll(now_ms) == 0
        more = ais_part.poll(now_ms) == 0 or more
        gnss.take_time()
        for _ in range(REPORTS):
            report = ais.next_report()
            if report is None:
                break
            if targets is not None:
                targets.wanted(report[0], report[1], now_ms)
        if not more and ais_line.at == len(ais_line.data) and gnss_line.at == len(gnss_line.data):
            break
    took_ms = time.ticks_diff(time.ticks_ms(), begin)
    print(name, took_ms)
    if name == "receive":
        print("churn", gc.mem_alloc() - before)
        print("lines", ais_part.assembler.lines + gnss_part.assembler.lines)
        print("messages", ais.ships + ais.statics + ais.bases + ais.atons)
        bad = ais_part.assembler.bad + gnss_part.assembler.bad + ais.bad + gnss.malformed
        bad += ais.torn + ais.dropped + ais_part.unknown + gnss_part.unknown
        print("bad", bad)
        print("lost", ais_line.lost + gnss_line.lost)
        print("stalls", stalls)


def sort(items):
    n = len(items)
    for i in range(n):
        for j in range(0, n - i - 1):
            if items[j] > items[j + 1]:
                items[j], items[j + 1] = items[j + 1], items[j]


def add(n, a, b):
    for i in range(n):
        c = a + b


def timed(name, function, *arguments):
    begin = time.ticks_ms()
    function(*arguments)
    print(name, time.ticks_diff(time.ticks_ms(), begin))


random.seed(1)
steps = 0


def step():
    # One thing at a time: this interpreter collects garbage only between two steps.
    global steps
    what = steps % 5
    steps += 1
    if what == 0:
        receive("line", False)
    elif what == 1:
        receive("receive")
    elif what == 2:
        timed("sort", sort, [random.getrandbits(10) for _ in range(700)])
    elif what == 3:
        receive("thin", True, 60)
    else:
        timed("add", add, 125000, 12345, 56789)
    return -1 if steps == 5 * ROUNDS else 1


_exec.run(step)
"""


def uart() -> list[dict[str, object]]:
    """AIS at 38,400 and GNSS at 9,600 Bd, full; a loop that naps 20 ms and stalls 67 or 100 ms."""
    ais_lines, messages = _ais()
    gnss_lines = _gnss()
    told = _measured(ais_lines, gnss_lines)
    sent = len(ais_lines) + len(gnss_lines)
    read, heard = told["lines"], told["messages"]
    if read != [sent] * len(read) or heard != [messages] * len(heard):
        raise RuntimeError(f"of {sent} sentences with {messages} messages came {read}, {heard}")
    rounds = range(1, _ROUNDS + 1)  # the first one is the host's compiler warming up
    faults = sum(told["bad"]) + sum(told["lost"])
    rows = [
        row(f"sentences of {_ROUNDS * _LINE_S} s, full lines", sent * _ROUNDS, "sentences"),
        row(f"lost, refused or torn, with {told['stalls'][0] * _ROUNDS} stalls", faults, "", "0"),
        median("here", [1000 * sent / told["receive"][i] for i in rounds], "sentences/s"),
        row("allocated", round(told["churn"][-1] / sent), "bytes per sentence"),
    ]
    for key, what in (("receive", "receivers"), ("thin", f"and {_SHIPS} ships thinned out")):
        for loop in (_SORT, _ADD):
            shares = [
                100 * loop.s * (told[key][i] - told["line"][i]) / told[loop.key][i] / _LINE_S
                for i in rounds
            ]
            shares = [round(share, 1) for share in shares]
            rows.append(median(f"{what}, of an {loop.board}", shares, "%", "< 25"))
    return rows


def _measured(ais_lines: list[bytes], gnss_lines: list[bytes]) -> dict[str, list[int]]:
    """Run a warm-up and the rounds; return what the interpreter said of each."""
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        (data / "ais").write_bytes(b"".join(ais_lines))
        (data / "gnss").write_bytes(b"".join(gnss_lines))
        done = run(
            _SCRIPT.replace("ROUNDS", str(_ROUNDS + 1)),
            mounts={"/agent": bundle.DEVICE / "agent", "/data": data},
            timeout_s=_TIMEOUT_S,
        )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    told: dict[str, list[int]] = {}
    for line in done.stdout.splitlines():
        key, value = line.split()
        told.setdefault(key, []).append(int(value))
    return told


def _ais() -> tuple[list[bytes], int]:
    """Return a round's sentences, and how many messages they are."""
    rng = random.Random(1)
    lines: list[bytes] = []
    size = messages = 0
    while size < ais.BAUD // _BITS * _LINE_S:
        kind = rng.choices(list(_MIX), list(_MIX.values()))[0]
        payload: ais.Payload = {
            "msg_type": kind,
            "mmsi": 412_000_000 + rng.randrange(_SHIPS),
            "lat": _PLACE.lat + rng.uniform(-0.2, 0.2),
            "lon": _PLACE.lon + rng.uniform(-0.2, 0.2),
            "speed": rng.uniform(0, 20),
            "course": rng.uniform(0, 359),
            "heading": rng.randrange(360),
            "shipname": f"XIN HAI TONG {rng.randrange(99)}",
            "name": f"WUSONG KOU {rng.randrange(99)}",
            "destination": "SHANGHAI",
            "partno": rng.randrange(2),
            "year": 2026,
            "month": 11,
            "day": 22,
        }
        sentences = encode_dict(
            payload, sentence_type="VDM", radio_channel="AB"[messages % 2], seq_id=messages % 10
        )
        messages += 1
        lines += [f"{sentence}\r\n".encode() for sentence in sentences]
        size += sum(len(sentence) + 2 for sentence in sentences)
    return lines, messages


def _gnss() -> list[bytes]:
    """Return the sentences of a receiver with a fix, its epochs one behind the other."""
    receiver = gnss.Receiver(random.Random(1))
    lines: list[bytes] = []
    size = 0
    t = _T
    while size < gnss.BAUD // _BITS * _LINE_S:
        sentences = receiver.epoch(t, _PLACE, 0.3 + 0.2j, 1.0)
        t += 1
        if t - _T > gnss.FIX_AFTER_S:
            lines += [f"{sentence}\r\n".encode() for sentence in sentences]
            size += sum(len(sentence) + 2 for sentence in sentences)
    return lines

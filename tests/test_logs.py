"""Recorded logs, read by the agent on both interpreters, against pynmea2 and pyais.

Each log is fed in chunks of 1, 7 and 4096 bytes to tests/device/replay.py, and what it reads is
compared with tests/log_models.py, message by message; docs/nmea-and-ais.md explains the differences.
Damaged logs must neither stop the agent nor cost a sentence that is still whole.
"""

import ast
import contextlib
import io
import random
import runpy
from collections import Counter
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

import pynmea2
import pytest

from agent.wire.schema import GNSS, SCHEMAS
from simulators.board.interpreter import run
from tests.log_models import DIFFERENCES, Expected, sentences

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
LOGS = tuple(
    f"{path.parent.name}/{path.name}"
    for kind in ("nmea", "ais")
    for path in sorted((DATA / kind).glob("*"))
)
NEEDS_LOGS = pytest.mark.skipif(not LOGS, reason="no recorded logs in ../shared/data")
CHUNKS = (1, 7, 4096)

# Message types of the counters ships, statics, bases and atons.
GROUPS = ((1, 2, 3, 18, 19, 27), (5, 24), (4,), (21,))

# Columns of a "gnss" row, in the order of the replay.
SKY = ("used_gps", "used_glonass", "used_galileo", "used_beidou",
       "view_gps", "view_glonass", "view_galileo", "view_beidou", "cn0_db")  # fmt: skip
COLUMNS = ("", "talker", "lat_e6", "lon_e6", "quality", "sats", "hdop_e2", "alt_dm", "sog_e2",
           "cog_cd", "mode", "utc_s2020", "utc_ms", *SKY, "malformed")  # fmt: skip


def on_cpython(path: Path, chunk: int) -> list[list[Any]]:
    """Replay a log on this interpreter; return the rows."""
    replay = runpy.run_path(str(ROOT / "tests" / "device" / "replay.py"))["replay"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        replay(str(path), chunk)
    return [ast.literal_eval(row) for row in out.getvalue().splitlines()]


def on_micropython(path: Path, chunk: int) -> list[list[Any]]:
    """Replay a log on MicroPython; return the rows."""
    script = (
        "import sys\nsys.path[:0] = ['/', '/tests/device']\n"
        f"from replay import replay\nreplay('/data/{path.name}', {chunk})\n"
    )
    mounts = {"/agent": ROOT / "device/agent", "/tests": ROOT / "tests", "/data": path.parent}
    result = run(script, mounts=mounts, timeout_s=300)
    assert result.returncode == 0, result.stderr
    return [ast.literal_eval(row) for row in result.stdout.splitlines()]


@pytest.fixture(scope="module", params=LOGS)
def log(request: pytest.FixtureRequest) -> tuple[Path, Expected]:
    path = DATA / request.param
    return path, Expected(path.read_bytes())


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("replay", [on_cpython, on_micropython])
def test_every_message_reads_as_others_read_it(log, replay, chunk):
    path, expected = log
    *rows, found, messages, refused, types = replay(path, chunk)
    for i, (ours, theirs) in enumerate(zip(rows, expected.rows, strict=False)):
        assert ours == theirs, f"row {i + 1}"
    assert len(rows) == len(expected.rows)
    ais = expected.ais
    assert found[1:3] == [len(expected.good), 0]
    groups = [sum(ais.types[kind] for kind in group) for group in GROUPS]
    assert messages[1:] == [*groups, ais.types.total() - sum(groups), ais.owns]
    assert refused[1] == ais.refused
    assert refused[2] <= ais.unfinished()
    assert refused[3] == 0
    assert types[1] == [ais.types[kind] for kind in range(28)]


@NEEDS_LOGS
def test_the_differences_are_those_documented(capsys):
    met: Counter[str] = Counter()
    report = []
    for name in LOGS:
        expected = Expected((DATA / name).read_bytes())
        met += expected.ais.differences
        report.append(
            (name, expected.kinds.total(), expected.ais.types.total() + expected.ais.owns)
        )
    assert set(met) == set(DIFFERENCES)
    text = " ".join((ROOT / "docs" / "nmea-and-ais.md").read_text("utf-8").split())
    for words in DIFFERENCES.values():
        assert words in text
    with capsys.disabled():
        print("\nlogs compared on CPython and MicroPython, in chunks of 1, 7 and 4096 bytes:")
        for name, gnss, ais in report:
            print(f"  {name}: {gnss} GNSS sentences with pynmea2, {ais} AIS messages with pyais")
        print(f"  documented differences: {dict(met)}")


@NEEDS_LOGS
@pytest.mark.parametrize(
    ("name", "talker"), [("quectel-l76k-nmea.log", "BD"), ("beidou-gb.log", "GB")]
)
def test_beidou_satellites_are_counted(name, talker):
    path = DATA / "nmea" / name
    in_view: list[set[str]] = []
    in_use: list[int] = []
    for raw in sentences(path.read_bytes()):
        if raw[1:6] == talker.encode() + b"GSV":
            message = pynmea2.parse(raw.decode())
            if message.msg_num == "1":
                in_view.append(set())
            in_view[-1] |= set(message.data[3:19:4]) - {"", "0"}
        elif raw[3:6] == b"GSA":
            message = pynmea2.parse(raw.decode())
            if message.data[17:] == ["4"] or len(message.sv_id01) == 3:
                in_use.append(sum(map(bool, message.data[2:14])))
    gnss = [dict(zip(COLUMNS, row, strict=True)) for row in on_cpython(path, 64)[:-4]]
    views = [row["view_beidou"] for row in gnss if row["talker"] == talker + "GSV"]
    assert set(views) - {None} == {len(seen) for seen in in_view}
    assert {row["used_beidou"] for row in gnss} - {None, 0} == set(in_use) - {0} != set()


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Flip bits, cut, double and insert, and lose line ends, about once in 250 bytes."""
    out = bytearray()
    at = 0
    while at < len(data):
        piece = data[at : at + rng.randrange(1, 400)]
        at += len(piece)
        match rng.randrange(6):
            case 0:
                out += piece[: rng.randrange(len(piece))]
            case 1:
                out += piece + piece[-rng.randrange(1, 40) :]
            case 2:
                hit = bytearray(piece)
                hit[rng.randrange(len(hit))] ^= 1 << rng.randrange(8)
                out += hit
            case 3:
                out += piece.replace(b"\n", b"").replace(b"\r", b"")
            case 4:
                out += piece + rng.randbytes(rng.randrange(1, 9))
            case _:
                out += piece
    return bytes(out)


def resealed(data: bytes, rng: random.Random) -> bytes:
    """Damage fields, and give each sentence the checksum of what it then says."""
    pieces = (b"", b",", b"-", b".", b"9", b"99999999999", b"w", b"@", b" ", b"N", b"0")
    out = bytearray()
    for raw in sentences(data):
        body = bytearray(raw[1:-3])
        for _ in range(rng.randrange(1, 4)):
            i = rng.randrange(len(body))
            body[i : i + rng.randrange(2)] = rng.choice(pieces)
        out += raw[:1] + body + b"*%02X\r\n" % reduce(xor, body)
    return bytes(out)


@NEEDS_LOGS
@pytest.mark.parametrize("damage", [damaged, resealed])
@pytest.mark.parametrize("name", LOGS)
def test_damage_never_stops_the_agent_nor_costs_a_whole_sentence(name, damage, tmp_path):
    data = (DATA / name).read_bytes()[:40_000]
    for seed in range(8):
        path = tmp_path / "damaged.log"
        path.write_bytes(damage(data, random.Random(seed)))
        good = len(sentences(path.read_bytes()))
        for replay in (on_cpython, on_micropython) if seed == 0 else (on_cpython,):
            rows = replay(path, 97)
            assert rows[-4][1] == good > 0
            for row in rows[:-4]:
                check_ranges(row)


def check_ranges(row: list[Any]) -> None:
    """Check that what was read may stand in a record."""
    if row[0] == "ais":
        fields = SCHEMAS[row[1]][3]
        values = dict(zip((field[0] for field in fields), row[3:], strict=True))
    else:
        # A speed or a height out of its range is left to the encoder, which sends null.
        fields = [field for field in SCHEMAS[GNSS][3] if field[0] in COLUMNS]
        fields = [field for field in fields if field[0] not in ("sog_e2", "alt_dm")]
        fields += [("lat_e6", "", -6, -90_000_000, 90_000_000), ("sats", "", 0, 0, 99)]
        fields += [("lon_e6", "", -6, -180_000_000, 180_000_000)]
        values = dict(zip(COLUMNS, row, strict=True))
    for name, unit, _, low, high in fields:
        if values[name] is not None:
            size = len(values[name]) if unit == "bytes" else values[name]
            assert low <= size <= high, (name, row)

"""Start numbers and records that the gateway makes itself."""

import subprocess
import sys
import threading
import time

import cbor2
import pytest

from agent.wire import body, schema
from agent.wire.series import EPOCH_2020
from gateway.inputs import starts as module
from gateway.inputs.records import Records
from gateway.inputs.starts import Numbers, Starts


def now_s():
    return int(time.time()) - EPOCH_2020


@pytest.fixture
def at(monkeypatch):
    """Set the clock that start numbers go by."""

    def set_to(s2020):
        monkeypatch.setattr(module.time, "time", lambda: float(s2020 + EPOCH_2020))

    return set_to


def test_a_number_is_never_given_twice(tmp_path, at):
    path = tmp_path / "starts"
    at(1000)
    assert [Starts(path).next() for _ in range(3)] == [1000, 1001, 1002]
    at(500)  # the clock is set back
    assert Starts(path).next() == 1003
    at(2000)
    assert Starts(path).next() == 2000


@pytest.mark.parametrize("content", ["", "x", "12x", "\xff", "99999999999", "-3"])
def test_a_damaged_file_begins_anew_above_what_was_given(tmp_path, at, content):
    path = tmp_path / "starts"
    at(1000)
    before = Starts(path).next()
    path.write_text(content, "latin-1")
    at(1001)
    assert Starts(path).next() > before


def test_without_file_and_clock_it_is_drawn(tmp_path, at):
    at(-EPOCH_2020)  # 1970
    numbers = {Starts(tmp_path / str(n)).next() for n in range(20)}
    assert len(numbers) == 20
    assert min(numbers) > 1 << 29


def test_a_clock_in_the_far_future_does_not_use_up_the_numbers(tmp_path, at):
    path = tmp_path / "starts"
    at(5)
    Starts(path).next()
    at(schema.BOOT_MAX + 5)
    assert Starts(path).next() == 6


def test_many_threads(tmp_path):
    path = tmp_path / "starts"
    out = []
    threads = [
        threading.Thread(target=lambda: out.extend(Starts(path).next() for _ in range(10)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(out)) == len(out) == 80


def test_what_was_seen_is_on_the_disk_when_it_is_killed(tmp_path):
    code = (
        "import sys; from pathlib import Path; from gateway.inputs.starts import Starts\n"
        "s = Starts(Path(sys.argv[1]))\n"
        "while True: print(s.next(), flush=True)"
    )
    seen = []
    for wait in (1, 40, 7):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "starts")],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path)},
        ) as child:
            seen += [int(child.stdout.readline()) for _ in range(wait)]
            child.kill()
            seen += [int(line) for line in child.stdout.read().split()]
    assert len(set(seen)) == len(seen)
    assert seen == sorted(seen)


def test_no_number_no_record(tmp_path):
    records = Records("vts", body.LINK_STATION, Starts(tmp_path / "none" / "starts"), b"station")
    with pytest.raises(OSError):
        records.add(schema.BEACON, [0], 0)
    assert records.take(0) == []


def test_a_new_start_when_the_seqs_are_used_up(tmp_path, monkeypatch):
    monkeypatch.setattr(module.schema, "SEQ_MAX", 2)
    numbers = Numbers(Starts(tmp_path / "starts"))
    found = [numbers.take() for _ in range(7)]
    assert [seq for _, seq in found] == [0, 1, 2, 0, 1, 2, 0]
    assert len({boot for boot, _ in found}) == 3


def test_records_are_packed_and_begin_with_a_birth(tmp_path):
    records = Records("vts", body.LINK_STATION, Starts(tmp_path / "starts"), b"station")
    at_ms = 1_790_000_000_000
    for n in range(400):
        records.add(schema.BEACON, [0, n, n], at_ms + 1000 * n)
    messages = records.take(at_ms)
    assert len(messages) > 1
    assert all(len(m.payload) <= schema.PAYLOAD_MAX for m in messages)
    raw = b"".join(m.payload for m in messages)
    rows = []
    while raw:
        row = cbor2.loads(raw)
        rows.append(row)
        raw = raw[len(cbor2.dumps(row, canonical=True)) :]
    assert rows[0][0] == schema.BIRTH
    assert rows[0][4:] == [None, None, None, b"station"]
    assert [row[2] for row in rows] == list(range(401))
    assert [row[3] for row in rows[1:]] == [at_ms // 1000 + n - EPOCH_2020 for n in range(400)]
    assert records.take(at_ms) == []


def test_a_clock_that_was_never_set_makes_undated_records(tmp_path):
    records = Records("vts", body.LINK_STATION, Starts(tmp_path / "starts"), b"station")
    records.add(schema.BEACON, [0], 1000)
    raw = records.take(1000)[0].payload
    assert cbor2.loads(raw)[3] == -1

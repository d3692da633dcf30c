"""What is acknowledged is on the disk: by the system calls of the real gateway.

`kill -9` leaves the page cache alive, so it proves nothing about power cuts. Here strace writes down
every write, sync and send of a gateway at work; tests/chain/trace.py says whether a sync had returned
before each acknowledgement left, and builds the journal's files as a power cut would leave them at
many moments, which are then opened like any journal.
"""

import os
import random
import signal
import sqlite3
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.journal.reading import JournalReader
from tests import peers
from tests.chain import checker, load, stores, trace
from tests.chain.processes import (
    GATEWAY_ENV,
    broker,
    free_port,
    gateway_command,
    gateway_config,
    process,
    wait_for,
)
from tests.chain.readiness import wait_ready, watch

SEED = 20261122
DEVICES = 20
HABITS = (
    "plain",
    "groups",
    "twice",
    "breaks",
)  # dated records only: the sinks' side sees them all
TORN = 2  # torn variants of each cut

# Runs the gateway with a database that says "committed" too early. Only for this test's own test.
WEAK = """
import sqlite3, sys
LEVEL = sys.argv.pop(1)
class Weak(sqlite3.Connection):
    def execute(self, sql, *rest):
        return super().execute(sql.replace("synchronous = FULL", "synchronous = " + LEVEL), *rest)
    def executescript(self, sql):
        return super().executescript(sql.replace("synchronous = FULL", "synchronous = " + LEVEL))
connect = sqlite3.connect
sqlite3.connect = lambda *a, **k: connect(*a, **{"factory": Weak} | k)
from toolkit.cli import main
sys.exit(main())
"""


class Traced:
    """A gateway's work under strace, its ledger and its trace."""

    def __init__(self, folder, seconds, rate, level=None):
        strace = peers.need("strace")
        data = folder / "gateway"
        with ExitStack() as stack:
            self.port, _ = stack.enter_context(broker("mosquitto", folder, load.names(DEVICES)))
            config = gateway_config(folder, self.port, f"sqlite:{folder / 'series.sqlite'}")
            ready = watch(config)
            command = gateway_command(config)
            if level is not None:
                weak = folder / "weak.py"
                weak.write_text(WEAK)
                command[1:3] = [str(weak), level]
            out = folder / "trace"
            log = folder / "gateway.log"
            gateway = stack.enter_context(
                process([strace, *trace.OPTIONS, "-o", str(out), *command], log, GATEWAY_ENV)
            )
            try:
                wait_ready(ready)
            except AssertionError:
                if b"ptrace" in log.read_bytes().lower():
                    peers.absent("strace may not trace here (ptrace is refused)")
                raise
            devices = stack.enter_context(
                load.Load(folder, self.port, rate=rate, devices=DEVICES, habits=HABITS)
            )
            devices.wait_made(rate * seconds, seconds * 10)
            devices.pause()
            devices.wait_acked(60)
            stop_traced(gateway)
        ledger = checker.read(devices.ledgers)
        self.raws = {
            (device, *key): raw
            for device, records in ledger.items()
            for key, raw in records.items()
        }
        self.prefix = data / "journal.sqlite"
        self.calls = trace.read(out, data)
        self.promised = trace.promises(self.calls, self.port)

    def early(self):
        return trace.early(self.calls, trace.Disk(self.prefix), self.promised, self.raws)


def stop_traced(tracer):
    """End what strace runs, by its name's owner: strace itself blocks signals."""
    pid = tracer._child.pid
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(child), signal.SIGTERM)
    wait_for("the gateway to end", lambda: not tracer.running, 30)


@pytest.mark.parametrize(
    ("seconds", "rate", "cuts", "restarts"),
    [
        pytest.param(1, 250, 30, 1, id="short"),
        pytest.param(10, 500, None, 12, id="long", marks=pytest.mark.prove),
    ],
)
def test_what_is_acknowledged_survives_a_power_cut(
    seconds, rate, cuts, restarts, tmp_path, capsys
):
    run = Traced(tmp_path, seconds, rate)
    kinds = Counter(promise.what for promise in run.promised)
    acked = {identity for promise in run.promised for identity in promise.records}
    assert kinds["PUBACK"] > seconds * rate / 20 and kinds["ack"]
    assert acked == run.raws.keys(), "the trace does not show every acknowledgement"
    assert run.early() == []
    rng = random.Random(SEED)
    moments = choose(run.calls, cuts, rng)
    disk = trace.Disk(run.prefix)
    promised = iter(run.promised)
    due = next(promised, None)
    owed, images, again = {}, 0, 0
    restart_at = set(rng.sample(sorted(moments), restarts))
    for call in trace.replay(run.calls, disk):
        while due is not None and due.at < call.ended:
            owed |= {identity: run.raws[identity] for identity in due.records}
            due = next(promised, None)
        if call.ended not in moments:
            continue
        for n in range(1 + TORN):
            image = disk.image(None if n == 0 else rng)
            images += 1
            folder = lay_out(tmp_path / f"cut-{call.ended}-{n}", image)
            assert_opens(folder, owed, call)
        if call.ended in restart_at:
            again += 1
            assert_restarts(tmp_path / f"again-{call.ended}", disk.image(rng), owed)
    whole = {path.name: path.read_bytes() for path in run.prefix.parent.glob("journal.sqlite*")}
    everything = {Path(name).name: live(file) for name, file in disk.names.items()}
    assert everything == whole, "the trace does not hold every write"
    syncs = sum(call.name in {"fdatasync", "fsync"} for call in run.calls)
    with capsys.disabled():
        print(
            f"\n{len(run.promised)} promises ({kinds['PUBACK']} PUBACKs, {kinds['ack']} acks) for"
            f" {len(run.raws)} records, {syncs} syncs: none left before its sync had returned;"
            f" {images} journals cut at {len(moments)} moments ({TORN} torn ways each) hold all"
            f" that was acknowledged, {again} gateways started on such a journal and went on"
        )


@pytest.mark.parametrize("level", ["NORMAL", pytest.param("OFF", marks=pytest.mark.prove)])
def test_a_database_that_promises_too_early_is_found_out(level, tmp_path):
    run = Traced(tmp_path, 1, 200, level)
    early = run.early()
    assert len(early) > 100
    assert {what for what, *_ in early} == {"PUBACK", "ack"}


def choose(calls, cuts, rng):
    """Return the lines to cut at: every sync, and as many points between; or `cuts` of them."""
    syncs = [call.ended for call in calls if call.name in {"fdatasync", "fsync"}]
    others = rng.sample([call.ended for call in calls], min(len(syncs), len(calls)))
    if cuts is not None:
        syncs = rng.sample(syncs, min(cuts // 2, len(syncs)))
        others = others[: cuts // 2]
    return {*syncs, *others}


def lay_out(folder, image):
    folder.mkdir()
    for name, data in image.items():
        (folder / name).write_bytes(data)
    return folder


def assert_opens(folder, owed, call):
    """Whatever was acknowledged is in the journal, and the journal is whole."""
    path = folder / "journal.sqlite"
    if owed or path.exists():
        db = sqlite3.connect(path)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)], call
        db.close()
    if owed:
        reader = JournalReader(path)
        kept = {(row.device, row.boot, row.seq): row.raw for row in reader.records(0, 1 << 30)}
        reader.close()
        missing = [identity for identity, raw in owed.items() if kept.get(identity) != raw]
        assert not missing, (call.name, call.ended, missing[:5])
    for file in folder.iterdir():
        file.unlink()


def assert_restarts(folder, image, owed):
    """A gateway starts on what is left and hands on all that was acknowledged."""
    folder.mkdir()
    lay_out(folder / "gateway", image)
    series = folder / "series.sqlite"
    config = gateway_config(folder, free_port(), f"sqlite:{series}")
    expected = {identity for identity, raw in owed.items() if checker.is_series(raw)}
    with process(gateway_command(config), folder / "gateway.log", GATEWAY_ENV) as gateway:
        wait_for(
            "the records of a cut journal",
            lambda: not expected or (series.exists() and expected <= handed_on(series)),
        )
        assert gateway.running, (folder / "gateway.log").read_text()


def handed_on(series):
    try:
        return stores.sqlite_series(series).keys()
    except sqlite3.Error:
        return set()  # being made


def live(file):
    """Return a file as the running program sees it."""
    file.safe = len(file.operations)
    return file.image()


# The reader itself, held against traces made by hand.

RAW = bytes.fromhex("8401020300")  # [1, 2, 3, 0]
TOPIC = b"fw/1/xx/dev/up/rec"
WAL = "/data/journal.sqlite-wal"
SOCKET = "TCP:[127.0.0.1:5->127.0.0.1:1883]"
PUBLISH = bytes((0x32, 2 + len(TOPIC) + 2 + len(RAW), 0, len(TOPIC))) + TOPIC + b"\0\x07" + RAW
HEARD = ("1", f"recvfrom(4<{SOCKET}>, {{}}, 99, 0, NULL, NULL) = {len(PUBLISH)}", PUBLISH)
OPENED = ("1", "openat(AT_FDCWD</>, {}, O_RDWR|O_CREAT, 0644) = 5<{}>", WAL.encode())
WRITTEN = ("2", "pwrite64(5<{1}>, {0}, 5, 32) = 5", RAW, WAL.encode())
SYNCED = ("2", "fdatasync(5<{}>) = 0", WAL.encode())
FAILED = ("2", "fdatasync(5<{}>) = -1 EIO (Input/output error)", WAL.encode())
ELSEWHERE = ("2", "fdatasync(6<{}>) = 0", b"/data/journal.sqlite")
ASKED = ("3", "fdatasync(5<{}> <unfinished ...>", WAL.encode())
ANSWERED = ("3", "<... fdatasync resumed>) = 0")
FOLDER = ("2", "fsync(6<{}>) = 0", b"/data")
PUBACK = ("1", f"sendto(4<{SOCKET}>, {{}}, 4, 0, NULL, 0) = 4", b"\x40\x02\x00\x07")
START = (HEARD, OPENED)


def forged(path, *lines):
    """Write a trace as strace would, and return its calls."""
    text = []
    for pid, form, *values in lines:
        printed = ["".join(f"\\x{byte:02x}" for byte in value) for value in values]
        quoted = [
            f'"{one}"' if f", {{{n}}}" in form or (n == 0 and ", {}" in form) else one
            for n, one in enumerate(printed)
        ]
        if form.count("{}") > len(quoted):
            quoted.append(printed[0])
        text.append(f"{pid}  {form.format(*quoted)}\n")
    path.write_text("".join(text))
    return trace.read(path, Path("/data"))


@pytest.mark.parametrize(
    ("lines", "is_early"),
    [
        ((*START, WRITTEN, SYNCED, PUBACK), False),
        ((*START, WRITTEN, ASKED, ANSWERED, PUBACK), False),
        ((*START, WRITTEN, ELSEWHERE, SYNCED, PUBACK), False),
        ((*START, WRITTEN, PUBACK, SYNCED), True),
        ((*START, WRITTEN, ASKED, PUBACK, ANSWERED), True),
        ((*START, ASKED, WRITTEN, ANSWERED, PUBACK), True),
        ((*START, SYNCED, WRITTEN, PUBACK), True),
        ((*START, WRITTEN, ELSEWHERE, PUBACK), True),
        ((*START, WRITTEN, FAILED, PUBACK), True),
        ((*START, SYNCED, PUBACK), True),
        ((*START, PUBACK), True),
    ],
)
def test_a_forged_trace_is_refused(lines, is_early, tmp_path):
    calls = forged(tmp_path / "trace", *lines)
    promised = trace.promises(calls, 1883)
    assert [promise.records for promise in promised] == [[("dev", 2, 3)]]
    early = trace.early(calls, trace.Disk("/data/journal.sqlite"), promised, {("dev", 2, 3): RAW})
    assert bool(early) is is_early


def test_a_power_cut_keeps_what_was_synced_and_any_part_of_the_rest(tmp_path):
    def images(*lines):
        disk = trace.Disk("/data/journal.sqlite")
        for _ in trace.replay(forged(tmp_path / "trace", *lines), disk):
            pass
        torn = [disk.image(random.Random(seed)) for seed in range(40)]
        return disk.image(), torn

    name, whole = "journal.sqlite-wal", bytes(32) + RAW
    assert images(*START, WRITTEN, SYNCED)[0] == {}  # nobody synced the folder: no such name
    assert images(*START, WRITTEN, FOLDER)[0] == {name: b""}
    assert images(*START, WRITTEN, SYNCED, FOLDER)[0] == {name: whole}
    safe, torn = images(*START, WRITTEN, FOLDER)
    assert {image[name] for image in torn} == {b"", whole}
    safe, torn = images(*START, WRITTEN)
    assert safe == {} and {} in torn and {name: whole} in torn

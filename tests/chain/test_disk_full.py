"""No room for the journal: nothing is acknowledged, nothing is lost, and it goes on by itself.

Once on a real file system that is full (a tmpfs of a few megabytes, where this user may mount one),
once by a limit on the size of the gateway's files, which SQLite sees as another error.
"""

import errno
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import time
from contextlib import ExitStack, contextmanager

import pytest

from tests.chain import checker, load
from tests.chain.processes import (
    GATEWAY_ENV,
    broker,
    gateway_command,
    gateway_config,
    process,
    wait_for,
)
from tests.chain.readiness import page, wait_ready, watch
from tests.chain.test_chaos import settle

SEED = 20261122
DEVICES = 20
RATE = 400
SIZE = 48 << 20  # of the small file system: the gateway takes a reserve of 8 MiB from 32 free ones
PAGE = 4096
QUIET_S = 1.0  # without one ack: the gateway has stopped


class FullDisk:
    """A file system of SIZE bytes for the gateway's data; `leave` fills all but some of it."""

    def __init__(self, folder, _gateway):
        self._ballast = folder / "ballast"
        self._reserve = folder / "journal.reserve"

    @property
    def reserve_left(self):
        """Whether the gateway still has room to give."""
        return self._reserve.exists()

    @staticmethod
    @contextmanager
    def around(folder):
        if shutil.which("mount") is None or os.geteuid() != 0:
            pytest.skip(
                "mounting a small file system needs root; `make prove` limits files instead"
            )
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"a small file system may not be mounted here: {done.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)

    def leave(self, room):
        """Fill the disk until at most `room` bytes are left."""
        with self._ballast.open("ab", buffering=0) as file:
            while (left := shutil.disk_usage(self._ballast).free - room) > 0:
                try:
                    file.write(bytes(min(left, 1 << 20)))
                except OSError as error:
                    assert error.errno == errno.ENOSPC
                    break

    def give(self, room):
        """Give some of it back."""
        os.truncate(self._ballast, max(0, self._ballast.stat().st_size - room))

    def free(self):
        self._ballast.unlink()


class FullFiles:
    """The same by RLIMIT_FSIZE of the gateway: no file grows beyond a size."""

    reserve_left = False  # whether it is there or not does not matter

    def __init__(self, folder, gateway):
        self._folder, self._gateway = folder, gateway

    @staticmethod
    @contextmanager
    def around(_folder):
        yield

    def leave(self, room):
        self._limit(room)

    def give(self, room):
        self._limit(PAGE * 2 + room)

    def free(self):
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size):
        pid = self._gateway._child.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


@contextmanager
def running(folder, how):
    """Run broker, gateway and devices; the gateway's data lie where room is short."""
    data = folder / "gateway"
    data.mkdir()
    with ExitStack() as stack:
        stack.enter_context(how.around(data))
        port, _ = stack.enter_context(broker("mosquitto", folder, load.names(DEVICES)))
        config = gateway_config(folder, port, f"sqlite:{folder / 'series.sqlite'}")
        ready = watch(config)
        log = folder / "gateway.log"
        gateway = stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
        wait_ready(ready)
        devices = stack.enter_context(
            load.Load(folder, port, rate=RATE, devices=DEVICES, resend_s=2.0)
        )
        devices.wait_made(RATE // 2, 20)
        yield gateway, devices, how(data, gateway), log, ready


def wait_quiet(devices, disk, room=0):
    """Keep the disk full until no acknowledgement comes any more; return how many there were.

    The gateway goes on for a while with its reserve, and with what its log has room for.
    """
    last, since = devices.status()["acked"], time.monotonic()
    while time.monotonic() - since < QUIET_S:
        disk.leave(room)
        time.sleep(0.05)
        if (now := devices.status()["acked"]) != last:
            last, since = now, time.monotonic()
    return last


def stop_for_good(devices, disk, ready):
    """Keep the disk full until the gateway says that it is, and still says so a while later."""

    def stopped():
        wait_quiet(devices, disk)
        return page(ready)[0] == 503 and not disk.reserve_left

    wait_for("the gateway to say that it has no room", stopped, 60)
    return wait_quiet(devices, disk)


def all_there(devices, folder, gateway):
    """Let the devices finish; hold the store against their ledger; return (verdict, said)."""
    time.sleep(0.5)
    devices.pause()
    devices.wait_acked(60)
    ledger = checker.read(devices.ledgers)
    verdict, _ = settle(ledger, folder / "series.sqlite", None, 30)
    said = devices.status()
    assert said["strange"] == 0
    assert gateway.stop() == 0
    return verdict, said


@pytest.mark.parametrize(
    "how", [pytest.param(FullDisk), pytest.param(FullFiles, marks=pytest.mark.prove)]
)
def test_no_room_no_ack_and_it_goes_on_by_itself(how, tmp_path, capsys):
    rng = random.Random(SEED)
    with running(tmp_path, how) as (gateway, devices, disk, log, ready):
        stopped = stop_for_good(devices, disk, ready)
        said = devices.status()
        assert said["waiting"] > RATE * QUIET_S / 2, "the devices still make records"
        assert gateway.running
        code, text = page(ready)
        assert code == 503 and "journal" in text, (code, text)
        assert devices.status()["acked"] == stopped
        if how is FullDisk:  # the other's log has no room either
            assert b"nothing is acknowledged" in log.read_bytes(), log.read_text()
        # A little room, again and again: it ends in the middle of a transaction.
        for _ in range(8):
            disk.give(PAGE * rng.randint(1, 12))
            time.sleep(0.1)
            disk.leave(0)
        assert gateway.running
        if how is FullDisk:
            # It dies, and comes back before there is room.
            gateway.kill()
            gateway.start()
            time.sleep(1)
        disk.free()
        if not gateway.running:  # it may refuse to start; the service manager starts it again
            assert b"full" in log.read_bytes(), log.read_text()
            gateway.start()
        wait_for("acknowledgements", lambda: devices.status()["acked"] > stopped + 100)
        wait_ready(ready)
        verdict, last = all_there(devices, tmp_path, gateway)
    with capsys.disabled():
        print(
            f"\n{how.__name__}: {said['waiting']} records waited at the devices while there was no"
            f" room, none acked; {last['made']} records in all, {last['resent']} sent again,"
            f" lost {verdict.lost}, doubled {verdict.doubled}, altered {verdict.altered}"
        )
    assert verdict.clean, (verdict, log.read_text()[-3000:])


@pytest.mark.prove
def test_a_reader_that_never_ends_fills_the_disk(tmp_path):
    """The journal's log cannot be emptied while somebody reads; then there is no room for it."""
    with running(tmp_path, FullDisk) as (gateway, devices, disk, log, _):
        reader = sqlite3.connect(
            f"file:{tmp_path / 'gateway' / 'journal.sqlite'}?mode=ro", uri=True
        )
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchall()
        disk.leave(PAGE * 200)
        stopped = wait_quiet(devices, disk, PAGE * 200)
        assert gateway.running
        assert (tmp_path / "gateway" / "journal.reserve").exists()
        reader.close()
        # Nobody makes room: it goes on with what it kept for this moment.
        wait_for("acknowledgements", lambda: devices.status()["acked"] > stopped + 100)
        disk.free()
        verdict, _ = all_there(devices, tmp_path, gateway)
    assert verdict.clean, (verdict, log.read_text()[-3000:])

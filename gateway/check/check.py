"""What `fairway gateway check` looks at: everything that can be seen without disturbing a gateway.

    for finding in check(config):
        print(finding)

Files, the broker (check_broker), its settings where they lie here (broker_settings), the stores
(check_stores), serial ports, the clock. It may run beside the gateway that it is about, and writes
nothing but one small file in the data folder, which it deletes.
"""

import ctypes
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import urllib3

from gateway.check import broker as check_broker
from gateway.check import stores as check_stores
from gateway.check.broker_settings import Settings, check_broker_settings
from gateway.check.findings import Finding, error, ok, warning
from gateway.config import Config
from gateway.down import keys

FREE_MIN: Final = 200_000_000  # bytes: below it nothing should be started
FREE_FEW: Final = 2_000_000_000
_SYNC_SLOW_S: Final = 0.2
_CHECK_S: Final = 10.0  # of a journal's integrity; the gateway itself checks all of it at start
_CHECK_STEPS: Final = 10_000  # of SQLite's machine between looks at the clock
_WAL_LARGE: Final = 1_000_000_000
_SHARED: Final = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.glusterfs", "ceph"}
_VOLATILE: Final = {"tmpfs", "ramfs"}
_TIMEX: Final = 512  # bytes: more than struct timex has anywhere
_UNSYNCHRONISED: Final = 5  # TIME_ERROR of adjtimex(2)
_EPOCH_S: Final = 1_577_836_800  # 2020, when the records' time begins


def check(config: Config) -> Iterator[Finding]:
    """Look at everything; a finding comes as soon as it is known."""
    yield from _data(config.data)
    yield from _journal(config.data / "journal.sqlite")
    yield _keys(config.keys)
    yield from _clock()
    works = False
    if config.operation.listen:
        finding, works = _pages(config.operation.listen)
        yield finding
    yield from _broker(config, works=works)
    yield from check_stores.series(config.series)
    if config.centre.url:
        yield from check_stores.centre(config.centre)
    if config.beidou.port:
        yield _port("beidou.port", config.beidou.port)
    for station in config.inputs.stations:
        yield _port(f"station {station.id}: address", station.address)


def _broker(config: Config, *, works: bool) -> Iterator[Finding]:
    """Look at the broker and its settings; `works`: a gateway with this configuration is connected."""
    path = config.broker.settings
    if works and path and Settings(path).is_true("use_username_as_clientid"):
        yield ok(
            "the gateway that runs is connected; the broker is not visited, because it would end"
            " that connection for a second (use_username_as_clientid)"
        )
    else:
        yield from check_broker.check(config.broker, config.name, config.batch)
    if path:
        faults = check_broker_settings(path, config.batch, config.broker.user)
        yield from (warning(fault, "") for fault in faults)
        if not faults:
            yield ok(f"{path} has what a gateway needs")


def _data(folder: Path) -> Iterator[Finding]:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield error(
            f"{folder}: the data folder cannot be written by this user", f"look at {there}"
        )
        return
    if there == folder:
        try:
            took_s = _sync(folder)
        except OSError as problem:
            yield error(f"{folder}: cannot be written: {problem.strerror}", "look at its disk")
            return
        if took_s > _SYNC_SLOW_S:
            yield warning(
                f"{folder}: a write takes {took_s * 1000:.0f} ms to be safe",
                "a faster disk or card; or commit.linger_ms = 100, so that a commit holds more",
            )
        else:
            yield ok(f"{folder}: can be written; a write is safe after {took_s * 1000:.1f} ms")
    else:
        yield ok(f"{folder}: is not there yet, and can be made")
    if os.geteuid() == 0:
        yield ok("this check runs as root: whether the gateway's own user may write is not seen")
    kind = _file_system(there)
    if kind in _SHARED:
        yield error(
            f"{folder} lies on a network file system ({kind}): the journal is not safe there",
            "set `data` to a folder on a disk of this machine",
        )
    elif kind in _VOLATILE:
        yield warning(
            f"{folder} lies in memory ({kind}): a restart of the machine empties it",
            "set `data` to a folder on a disk",
        )
    free = shutil.disk_usage(there).free
    room = f"{folder}: {free / 1e9:.1f} GB are free"
    if free < FREE_MIN:
        yield error(room, "make room: a gateway without room acknowledges nothing")
    elif free < FREE_FEW:
        yield warning(room, "make room: a store that is down for days needs it")
    else:
        yield ok(room)


def _sync(folder: Path) -> float:
    """Write and sync a small file; return the seconds that took."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".check-") as file:
        file.write(bytes(4096))
        file.flush()
        began_s = time.perf_counter()
        os.fsync(file.fileno())
        return time.perf_counter() - began_s


def _file_system(folder: Path) -> str:
    """Return the type of the file system that a folder lies on, "" where that cannot be known."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
        device = folder.stat().st_dev
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split()[2] == number:
            return after.split()[0]
    return ""


def _journal(path: Path) -> Iterator[Finding]:
    if not path.exists():
        yield ok(f"{path}: is not there yet")
        return
    end_s = time.monotonic() + _CHECK_S
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
    except sqlite3.Error as problem:
        yield error(f"{path}: cannot be opened: {problem}", "look at its owner and its mode")
        return
    try:
        db.set_progress_handler(lambda: time.monotonic() > end_s, _CHECK_STEPS)
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as problem:
        if time.monotonic() > end_s:
            yield ok(f"{path}: whole as far as {_CHECK_S:.0f} s of checking went")
        else:
            yield error(f"{path}: cannot be read: {problem}", "look at its owner and its mode")
    except sqlite3.DatabaseError as problem:
        yield _damaged(path, str(problem))
    else:
        size = path.stat().st_size / 1e6
        yield ok(f"{path}: whole, {size:.0f} MB") if verdict == "ok" else _damaged(path, verdict)
    finally:
        db.close()
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size > _WAL_LARGE:
        yield warning(
            f"{wal} has {wal.stat().st_size / 1e9:.1f} GB and should have some 0.1 GB",
            "a program reads the journal without an end: find it with lsof and end it",
        )


def _damaged(path: Path, how: str) -> Finding:
    return error(
        f"{path} is damaged: {how}",
        "stop the gateway, move the file away and keep it: it may hold data; then start again",
    )


def _keys(path: Path) -> Finding:
    if not path.exists():
        return ok(f"{path}: is not there; devices cannot be commanded without it")
    try:
        return ok(f"{path}: the keys of {len(keys.read(path))} devices")
    except keys.KeysError as problem:
        return error(str(problem), "docs/commands.md has its format")


def _clock() -> Iterator[Finding]:
    """See whether anybody keeps this machine's clock: devices are told its time."""
    if time.time() < _EPOCH_S:
        yield error("this machine's clock is before 2020", "set it: devices are told its time")
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX))
    except (OSError, AttributeError):  # no Linux
        return
    if state == _UNSYNCHRONISED:
        yield warning(
            "nobody keeps this machine's clock: devices without GNSS are told its time",
            "set up NTP (systemd-timesyncd or chrony), or a receiver",
        )
    elif state >= 0:
        yield ok("the clock is kept by NTP")


def _port(key: str, port: str) -> Finding:
    """Look at a serial port without opening it: opening may reset what is behind it."""
    if not port.startswith("/"):
        return ok(f"{key} {port}: is not tried, so as not to disturb what is there")
    path = Path(port)
    if not path.exists():
        return error(
            f"{key} {port}: is not there", "is it plugged in? /dev/serial/by-id lists all"
        )
    if not path.is_char_device():
        return error(f"{key} {port}: is no serial port", "/dev/serial/by-id lists all")
    if not os.access(path, os.R_OK | os.W_OK):
        return error(f"{key} {port}: this user may not use it", "add the user to group dialout")
    return ok(f"{key} {port}: is there")


def _pages(listen: str) -> tuple[Finding, bool]:
    """Ask the gateway that may run here how it is; return that, and whether it is connected."""
    host, _, port = listen.rpartition(":")
    if port == "0":
        return ok("metrics and health checks take a free port"), False
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    http = urllib3.PoolManager(timeout=3.0, retries=False)
    try:
        answer = http.request("GET", f"http://{host}:{port}/readyz")
    except urllib3.exceptions.HTTPError:
        return ok(f"nobody answers on {listen}: no gateway runs with this configuration"), False
    said = answer.data.decode("utf-8", "replace").split("\n")
    if not said[0].startswith(("ready", "not ready", "the committing")):
        todo = "set [operation] listen to a free address"
        return warning(f"somebody else answers on {listen}", todo), False
    text = f"the gateway that runs says: {'; '.join(filter(None, said))[:500]}"
    if answer.status == 200:
        return ok(text), True
    return warning(text, "see its log"), False

"""Installing over the real REPL of virtual boards, with the real mpremote, over lines that break."""

import contextlib
import json
import shutil
import socket
import sys
import threading
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo

from simulators.board.process import BoardOptions, BoardProcess, wait_until
from simulators.site.flash import commission
from toolkit import bundle, cli, install
from toolkit.install import Installation, InstallError
from toolkit.ports import Port
from toolkit.repl import Link, LinkError

sys.path.append(str(bundle.DEVICE / "root"))

from guard import Guard

LOOPBACK = "127.0.0.1"
WHAT = ("--profile", "beacon", "--layer", "virtual", "--board", "virtual")
SMALL = {
    "/a/agent/__init__.py": b"",
    "/a/agent/main.py": b"print('new')\n" * 300,  # three chunks
    "/boot.py": b"",
    "/main.py": b"import agent.main\n",
}


class Board:
    """A virtual board, its flash and what it printed."""

    def __init__(self, flash, files=(), **options):
        self.flash = flash
        flash.mkdir(exist_ok=True)
        for name, data in dict(files).items():
            path = flash / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.printed = ""
        options = BoardOptions(name="test-1", flash=flash, console=True, **options)
        self.process = BoardProcess(options, self._show)

    def _show(self, data):
        self.printed += data.decode(errors="replace")

    @property
    def port(self):
        return f"socket://{LOOPBACK}:{self.process.repl_port}"

    def files(self):
        return {
            "/" + path.relative_to(self.flash).as_posix(): path.read_bytes()
            for path in self.flash.rglob("*")
            if path.is_file()
        }

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *error):
        self.process.kill()


class Relay:
    """A line to a board that breaks for good when `when` is sent over it, or after so many bytes.

    `spoil` is a pair: what is sent, and what of it arrives.
    """

    def __init__(self, port, *, when=None, after=None, spoil=(b"", b"")):
        self.to = (LOOPBACK, int(port.rpartition(":")[2]))
        self.when, self.after, self.spoil = when, after, spoil
        self.broken = threading.Event()
        self.server = socket.create_server((LOOPBACK, 0))
        self.port = f"socket://{LOOPBACK}:{self.server.getsockname()[1]}"
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            far = socket.create_connection(self.to)
            for run, one, other in ((self.up, near, far), (self.down, far, near)):
                self.threads.append(threading.Thread(target=run, args=(one, other)))
                self.threads[-1].start()

    def up(self, near, far):
        seen = b""
        while data := self.received(near):
            seen += data
            if (self.when and self.when in seen) or (self.after and len(seen) > self.after):
                self.close()
                break
            far.sendall(data.replace(*self.spoil) if self.spoil[0] else data)
        self.end(near, far)

    def down(self, far, near):
        while data := self.received(far):
            try:
                near.sendall(data)
            except OSError:
                break
        self.end(near, far)

    def received(self, connection):
        try:
            return connection.recv(4096)
        except OSError:
            return b""

    def end(self, *connections):
        for connection in connections:
            with contextlib.suppress(OSError):  # the other thread did
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def close(self):
        self.broken.set()
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)  # else `accept` sleeps on
        self.server.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
        for thread in self.threads:
            thread.join(10)


def fairway(capsys, port, *words):
    """Run `fairway install --json`; return the exit status and the outcome."""
    status = cli.main(["install", *WHAT, "--port", port, "--json", *words])
    said = capsys.readouterr().out
    return status, json.loads(said)


def put(port, files=SMALL, layer="virtual", **how):
    with Link(port) as link:
        done = Installation(link, files, layer)
        done.run(**how)
    return done


def refused(port, files=SMALL, layer="virtual"):
    with pytest.raises(InstallError) as caught:
        put(port, files, layer)
    return caught.value


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What a board gets, as the bundle writes it."""
    folder = tmp_path_factory.mktemp("bundle")
    bundle.write(folder, "beacon", layer="virtual", board="virtual", compiled=True)
    return folder


@pytest.fixture(scope="module")
def commissioned(tmp_path_factory):
    """The flash of a board that has its agent, and who it is."""
    flash = tmp_path_factory.mktemp("boards") / "flash"
    commission(flash, "buoy-1", "secret", "beacon", {"broker": {"port": 1}})
    return flash


class Store:
    """The guard's table in a flash."""

    def __init__(self, flash):
        self.path = flash / "data" / "guard-a"

    def load(self):
        return self.path.read_bytes() if self.path.exists() else None

    def save(self, data):
        self.path.write_bytes(data)


def copy(commissioned, tmp_path):
    return shutil.copytree(commissioned, tmp_path / "flash")


# Whole, by the command


def test_an_application_is_written_verified_and_started(made, tmp_path, capsys):
    flash = tmp_path / "flash"
    shutil.copytree(made, flash)
    shutil.rmtree(flash / "a" / "agent" / "update")  # all of it takes three times as long
    for name in ("boot.py", "main.py", "guard.mpy", "launch.mpy"):
        (flash / name).unlink()
    with Board(flash, {"/data/log": b"kept", "/b/agent/main.mpy": b"kept"}) as board:
        status, said = fairway(capsys, board.port)
        assert wait_until(lambda: "fairway: identity:" in board.printed, 10)
    wanted = install.contents(made)
    assert (status, said["status"], said["runs"]) == (0, "done", "/a")
    gone = [path for path in wanted if path.startswith("/a/agent/update/")]
    assert said["written"] == len(gone) + 4 > 7
    there = board.files()
    assert there.pop("/data/log") == b"kept"
    assert there.pop("/b/agent/main.mpy") == b"kept"
    there = {path: data for path, data in there.items() if not path.startswith("/data/")}
    assert there == wanted


def test_a_second_time_nothing_is_written_and_what_is_damaged_is_mended(
    commissioned, tmp_path, capsys
):
    flash = copy(commissioned, tmp_path)
    with Board(flash) as board:
        assert wait_until(lambda: "fairway: buoy-1, boot" in board.printed, 10)
        good = board.files()
        stamps = {path: path.stat().st_mtime_ns for path in (flash / "a").rglob("*")}
        status, said = fairway(capsys, board.port)
        assert (status, said["written"], said["removed"]) == (0, 0, [])
        assert stamps == {path: path.stat().st_mtime_ns for path in (flash / "a").rglob("*")}
        # It was reset, looked at, and let go; then its agent ran on.
        assert wait_until(lambda: board.printed.count("fairway: buoy-1, boot") == 3, 10)

        broken = flash / "a" / "agent" / "clock.mpy"
        data = broken.read_bytes()
        broken.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
        (flash / "a" / "agent" / "agent.py").write_text("# loaded in place of agent.mpy")
        (flash / "guard.mpy.new").write_bytes(b"left over")
        status, said = fairway(capsys, board.port)
        assert (status, said["written"]) == (0, 1)
        assert sorted(said["removed"]) == ["/a/agent/agent.py", "/guard.mpy.new"]
    # Two installations are no failure of the application's: three would start the safe agent.
    guard = Guard([Store(flash)], lambda path: True)
    guard.choose(innocent=True)
    assert guard.failed == 0
    after = board.files()
    for path, data in good.items():
        if not path.startswith("/data/") or "identity" in path or "access" in path:
            assert after[path] == data, path


def test_regression_14_a_verified_write_and_a_failed_reset_are_done_with_warning(
    commissioned, tmp_path, capsys
):
    flash = copy(commissioned, tmp_path)
    broken = flash / "safe" / "agent" / "clock.mpy"
    good = broken.read_bytes()
    broken.write_bytes(b"")
    with Board(flash) as board, Relay(board.port, when=b"machine.reset()") as relay:
        status, said = fairway(capsys, relay.port, "--back", "0.5")
        assert relay.broken.is_set(), said
    assert (status, said["status"], said["verified"], said["written"]) == (3, "warning", True, 1)
    assert "did not come back" in said["cause"] or "reset could not be sent" in said["cause"]
    assert said["action"]
    assert broken.read_bytes() == good


def test_a_board_that_starts_something_else_is_a_warning_until_the_guard_begins_anew(
    commissioned, tmp_path, capsys
):
    flash = copy(commissioned, tmp_path)
    shutil.copytree(flash / "a", flash / "b")

    guard = Guard([Store(flash)], lambda path: True)
    guard.arm()
    guard.choose(innocent=True)
    guard.confirm()  # slot b is the application, by an update
    with Board(flash) as board:
        link = Link(board.port)
        link.open()
        done = install.restart(link, Port(board.port), back_s=5)
        assert (done.runs, "started /b" in done.warning) == ("/b", True)
        assert "--begin-anew" in done.action
        status, said = fairway(capsys, board.port, "--begin-anew")
        assert (status, said["runs"]) == (0, "/a")


# What cannot be begun


def test_two_boards_are_not_guessed_between(monkeypatch, capsys):
    ports = []
    for n, serial in enumerate(("7CDF", "E661")):
        ports.append(ListPortInfo(f"/dev/ttyACM{n}"))
        ports[n].vid, ports[n].description, ports[n].serial_number = 0x303A, "ESP32-S3", serial
    ports.append(ListPortInfo("/dev/ttyS0"))  # the computer's own: no board
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: ports)
    assert cli.main(["install", *WHAT]) == 1
    said = capsys.readouterr().err
    for words in ("failed at port: 2 ports", "--serial 7CDF", "--serial E661", "/dev/ttyACM1"):
        assert words in said
    assert cli.main(["install", *WHAT, "--serial", "1234", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["step"] == "port"


def test_nobody_at_the_port(capsys):
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
    status, said = fairway(capsys, f"socket://{LOOPBACK}:{port}")
    assert (status, said["status"], said["step"]) == (1, "failed", "connect")
    assert "nothing on the board was changed" in said["board"]


# The rest, with a few small files

OTHER_MPY = b"""
import builtins
import sys as _sys

class Other:
    platform = _sys.platform
    class implementation:
        _mpy = 0x2a05

_import = builtins.__import__
builtins.__import__ = lambda name, *rest: Other if name == "sys" else _import(name, *rest)
"""


def test_a_board_of_another_mpy_version_refuses_before_anything_is_written(made, tmp_path):
    before = {"/boot.py": OTHER_MPY, "/a/agent/main.py": b"old"}
    with Board(tmp_path / "flash", before) as board:
        error = refused(board.port, install.contents(made))
        assert error.step == "check"
        assert ".mpy version 6, it loads version 5" in error.cause
        assert error.board == "nothing on the board was changed"
        assert board.files() == before


def test_a_board_of_another_kind_refuses_before_anything_is_written(tmp_path):
    with Board(tmp_path / "flash") as board:
        error = refused(board.port, layer="esp32")
        assert (error.step, "webassembly" in error.cause) == ("check", True)
        assert board.files() == {}


def test_a_flash_without_room_refuses_before_anything_is_written(tmp_path):
    with Board(tmp_path / "flash", flash_bytes=32 * 1024) as board:
        error = refused(board.port, {**SMALL, "/a/agent/large.mpy": b"M\x06\x00\x1f" * 8192})
        assert "bytes free" in error.cause
        assert board.files() == {}


def test_what_was_cut_goes_on_where_it_was(tmp_path):
    with Board(tmp_path / "flash", {"/a/agent/main.py": b"old", "/boot.py": b""}) as board:
        line = Relay(board.port, when=b"/a/agent/main.py.new")
        with line:
            error = refused(line.port)
        assert error.step == "write"
        assert "1 files are new" in error.board
        assert "2 others are not written yet" in error.board
        # Replaced whole or not at all.
        assert board.files()["/a/agent/main.py"] == b"old"
        done = put(board.port)
        assert (done.same, done.written) == (2, ["/a/agent/main.py", "/main.py"])
        assert board.files() == SMALL


def test_what_arrives_damaged_replaces_nothing(tmp_path):
    spoil = (b"cHJpbn", b"cHJpbm")  # the first letters of main.py as they travel
    with Board(tmp_path / "flash", {"/a/agent/main.py": b"old"}) as board:
        with Relay(board.port, spoil=spoil) as line:
            error = refused(line.port)
        assert error.step == "write"
        assert "reads back differently" in error.cause
        assert board.files()["/a/agent/main.py"] == b"old"


def test_a_board_that_resets_all_the_time_is_caught(tmp_path):
    # Many sleeps: on a virtual board Ctrl-C ends one, and is raised a little after it.
    main = b"import machine, time\nfor _ in range(40): time.sleep_ms(5)\nmachine.reset()\n"
    with Board(tmp_path / "flash", {"/boot.py": b"", "/main.py": main}) as board:
        assert put(board.port).written
        assert board.files() == SMALL


def test_a_board_that_does_not_reset_is_a_warning(tmp_path):
    boot = b"import machine\nmachine.reset = lambda: None\n"
    with Board(tmp_path / "flash", {"/boot.py": boot}) as board:
        link = Link(board.port)
        link.open()
        done = install.restart(link, Port(board.port), back_s=5)
        assert "did not reset" in done.warning


def test_an_error_on_the_board_is_a_line_for_people(tmp_path, capsys):
    with Board(tmp_path / "flash") as board, Link(board.port) as link:
        with pytest.raises(LinkError, match="ZeroDivisionError: divide by zero"):
            link.run("1/0")
        assert link.values("print(repr((1,'a')))\nprint(2)") == [(1, "a"), 2]
        with pytest.raises(LinkError, match="cannot be read"):
            link.values("print('no value')")
    assert capsys.readouterr().out == ""


# Without a board


def test_the_order_of_writing(tmp_path):
    for name in (
        "main.py",
        "boot.py",
        "guard.mpy",
        "launch.mpy",
        "a/agent/x.mpy",
        "safe/agent/y.mpy",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert list(install.contents(tmp_path)) == [
        "/safe/agent/y.mpy",
        "/a/agent/x.mpy",
        "/guard.mpy",
        "/launch.mpy",
        "/boot.py",
        "/main.py",
    ]


@pytest.mark.parametrize(
    ("header", "mpy", "words"),
    [
        (b"M\x06\x00\x1f", 0x2B06, ""),
        (b"M\x06\x2b\x1f", 0x2B06, ""),  # xtensawin's machine code on an ESP32
        (b"M\x06\x13\x1f", 0x2B06, "architecture"),  # armv6m's
        (b"M\x06\x2a\x1f", 0x2B06, "architecture"),  # of an older sub-version
        (b"M\x05\x00\x1f", 0x2B06, "version 5, it loads version 6"),
        (b"M\x06\x00\x1f", 0, "no .mpy files"),
        (b"M\x06", 0x2B06, "no .mpy file"),
        (b"import agent", 0x2B06, "no .mpy file"),
    ],
)
def test_which_mpy_files_a_board_loads(header, mpy, words):
    found = install.mpy_refusal(header, mpy)
    assert words in found
    assert bool(found) == bool(words)


def test_a_port_that_is_no_port():
    with pytest.raises(LinkError, match="cannot be opened"):
        Link(str(Path("/dev/null"))).open()

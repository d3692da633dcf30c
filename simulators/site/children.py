"""Supervised child processes: started in order, started again when they end, stopped in order.

    children = Children(log_folder, say=print)
    children.start("gateway", [sys.executable, "-m", "toolkit", "gateway", …], env)
    children.watch()           # now and then
    children.stop("gateway")

Each child has its own session, so that Ctrl-C reaches us alone and the order of ending is ours; and
each is told to end by the kernel should we be killed.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_AGAIN_S: Final = 1.0
_AGAIN_MAX_S: Final = 30.0
_STABLE_S: Final = 30.0  # a child that ran this long starts anew with the short pause
_STOP_S: Final = 15.0
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class _Child:
    command: list[str]
    env: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    again_s: float = _AGAIN_S
    due_s: float | None = None
    restarts: int = 0


class Children:
    """The processes of a site. `say` gets a line for people when one ends by itself."""

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self._logs = logs
        self._say = say
        self._children: dict[str, _Child] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, command: list[str], env: Mapping[str, str] | None = None) -> None:
        """Start a child; its output goes to <logs>/<name>.log."""
        child = _Child(command, dict(os.environ) | dict(env or {}))
        self._children[name] = child
        self._spawn(name, child)

    def alive(self, name: str) -> bool:
        """Return whether a child runs now."""
        child = self._children.get(name)
        return child is not None and child.process is not None and child.process.poll() is None

    def restarts(self, name: str) -> int:
        """Return how often a child was started again."""
        return self._children[name].restarts

    def log(self, name: str) -> Path:
        """Return where a child's output is."""
        return self._logs / f"{name}.log"

    def watch(self) -> None:
        """Start again what has ended, with a pause that doubles."""
        now_s = time.monotonic()
        for name, child in self._children.items():
            if child.due_s is not None:
                if now_s >= child.due_s:
                    child.restarts += 1
                    self._spawn(name, child)
                continue
            if child.process is None or child.process.poll() is None:
                continue
            if now_s - child.started_s > _STABLE_S:
                child.again_s = _AGAIN_S
            self._say(
                f"{name} ended ({_why(child.process.returncode)}); starting it again in "
                f"{child.again_s:.0f} s; see {self.log(name)}"
            )
            child.due_s = now_s + child.again_s
            child.again_s = min(child.again_s * 2, _AGAIN_MAX_S)

    def stop(self, *names: str) -> None:
        """Ask children to end, all at once, and wait; kill what does not."""
        children = [self._children.pop(name) for name in names if name in self._children]
        running = [
            c.process for c in children if c.process is not None and c.process.poll() is None
        ]
        for process in running:
            process.terminate()
        end_s = time.monotonic() + _STOP_S
        for process in running:
            try:
                process.wait(max(0.0, end_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def names(self) -> list[str]:
        """Return the names of all children."""
        return list(self._children)

    def _spawn(self, name: str, child: _Child) -> None:
        child.due_s = None
        child.started_s = time.monotonic()
        with self.log(name).open("ab") as out:
            child.process = subprocess.Popen(
                child.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=child.env,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  (no threads here that it could upset)
            )


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _why(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"

"""Run a Python script on MicroPython, without a board.

    result = run("import agent; print(agent)", mounts={"/agent": Path("device/agent")})
    assert result.returncode == 0, result.stderr

The script's "/" is an empty directory of its own, gone afterwards; `mounts` lie in it, read only.
Directories may hold `.py` files or `.mpy` files made by mpy-cross.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simulators.board.process import HERE, node

# Garbage is collected only between two calls into the interpreter; a script without steps needs
# room for all of it.
DEFAULT_HEAP = 64 * 1024 * 1024


@dataclass(frozen=True)
class Result:
    """What a script left: its output, and how it ended."""

    stdout: str
    stderr: str
    returncode: int  # 0; 1: an uncaught exception; else what sys.exit was given
    timed_out: bool = False


def run(
    script: str,
    *,
    mounts: Mapping[str, Path],
    heap: int | None = None,
    timeout_s: float = 60,
    stdin: bytes = b"",
) -> Result:
    """Run Python source on MicroPython.

    Args:
        script: the source; tracebacks call it script.py.
        mounts: where host directories appear, as {"/agent": directory}.
        heap: bytes of Python heap.
        timeout_s: seconds after which the interpreter is killed.
        stdin: what sys.stdin holds.

    Raises:
        BoardError: there is no Node to run it.
    """
    with tempfile.TemporaryDirectory(prefix="fairway-micropython-") as name:
        directory = Path(name)
        scratch = directory / "scratch"
        scratch.mkdir()
        file = directory / "script.py"
        file.write_text(script, encoding="utf-8")
        options = directory / "options.json"
        options.write_text(
            json.dumps(
                {
                    "script": str(file),
                    "scratch": str(scratch),
                    "mounts": {mount: str(path.absolute()) for mount, path in mounts.items()},
                    "heap": heap or DEFAULT_HEAP,
                }
            ),
            encoding="utf-8",
        )
        try:
            done = subprocess.run(
                [node(), str(HERE / "exec.mjs"), str(options)],
                input=stdin,
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return Result(_text(error.stdout), _text(error.stderr), -9, timed_out=True)
        return Result(_text(done.stdout), _text(done.stderr), done.returncode)


def _text(data: bytes | None) -> str:
    return (data or b"").decode(errors="replace")

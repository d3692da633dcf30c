"""The house rules that a machine can hold: who imports whom, sizes, what device code may not do."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "agent": ROOT / "device" / "agent",
    "toolkit": ROOT / "device" / "toolkit",
    "gateway": ROOT / "gateway",
    "cloud": ROOT / "cloud",
    "simulators": ROOT / "simulators",
}
# DESIGN §1, and what of the toolkit everybody shares: how a command and a settings file look.
ALLOWED = {
    "agent": ("agent",),
    "toolkit": ("toolkit", "agent"),
    "gateway": ("gateway", "agent.wire", "agent.errors", "toolkit.cli", "toolkit.settings"),
    "cloud": ("cloud", "agent.wire", "agent.errors", "toolkit.cli", "toolkit.settings"),
    "simulators": ("simulators", "agent", "toolkit"),
}
HOST_ONLY = re.compile(
    r"agent/(wire/(body|decode|document|release|series|vectors)|hal/host(_tls)?)\.py$"
)
LIMIT_DEVICE, LIMIT_HOST = 330, 500  # lines; the schema table is data
TABLES = {ROOT / "device/agent/wire/schema.py"}


def files(package: str) -> list[Path]:
    return sorted(p for p in PACKAGES[package].rglob("*.py") if "node_modules" not in p.parts)


def module_of(path: Path) -> str:
    for name, folder in PACKAGES.items():
        if path.is_relative_to(folder):
            parts = [name, *path.relative_to(folder).with_suffix("").parts]
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    raise AssertionError(path)


def imports(path: Path, *, at_start: bool = False) -> Iterator[str]:
    """Yield what a file imports of ours; `at_start`: only what is imported when it is."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in tree.body if at_start else ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in PACKAGES)


ALL = [(package, path) for package in PACKAGES for path in files(package)]
IDS = [str(path.relative_to(ROOT)) for _, path in ALL]


@pytest.mark.parametrize(("package", "path"), ALL, ids=IDS)
def test_who_may_import_whom(package, path):
    for name in imports(path):
        assert any(name == ok or name.startswith(ok + ".") for ok in ALLOWED[package]), name


def test_no_relative_imports():
    for _, path in ALL:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


def test_no_circular_imports():
    known = {module_of(path) for _, path in ALL}
    graph = {}
    for _, path in ALL:
        targets = set()
        for name in imports(path, at_start=True):
            targets.add(name if name in known else name.rpartition(".")[0])
        graph[module_of(path)] = targets & known
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module in done:
            return
        for target in sorted(graph[module]):
            visit(target, (*trail, module))
        done.add(module)

    for module in sorted(graph):
        visit(module, ())


@pytest.mark.parametrize(("package", "path"), ALL, ids=IDS)
def test_files_stay_small(package, path):
    if path not in TABLES:
        lines = len(path.read_text("utf-8").splitlines())
        assert lines <= (LIMIT_DEVICE if path in DEVICE else LIMIT_HOST)


DEVICE = [path for path in files("agent") if not HOST_ONLY.search(str(path))]
DEVICE_IDS = [str(path.relative_to(ROOT)) for path in DEVICE]
ABSENT = {"typing", "dataclasses", "enum", "abc", "datetime", "contextlib", "pathlib", "logging"}
SANS_IO = {"machine", "network", "socket", "select", "asyncio", "time", "esp32"}


@pytest.mark.parametrize("path", DEVICE, ids=DEVICE_IDS)
def test_device_code_imports_what_a_board_has(path):
    tree = ast.parse(path.read_text("utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    assert not found & ABSENT
    if "hal" not in path.parts:
        assert not found & SANS_IO, "only agent/hal touches hardware, network and time"


@pytest.mark.parametrize("path", DEVICE, ids=DEVICE_IDS)
def test_device_code_uses_integers_only(path):
    """A board's floats are single precision: no literal, no true division."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), node.lineno
        assert not isinstance(node, ast.Div), "true division"
        assert not isinstance(node, ast.Assert), "asserts vanish with -O"


@pytest.mark.parametrize("path", DEVICE, ids=DEVICE_IDS)
def test_constants_are_defined_before_they_are_used(path):
    """MicroPython folds `_NAME = const(…)` while it reads; above that line the name is nothing."""
    tree = ast.parse(path.read_text("utf-8"))
    defined = {
        node.targets[0].id: node.lineno
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "const"
        and node.targets[0].id.startswith("_")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in defined:
            assert node.lineno > defined[node.id], f"{node.id} in line {node.lineno}"


@pytest.mark.parametrize("package", ["gateway", "cloud", "simulators", "toolkit"])
def test_services_do_not_print(package):
    """Commands talk to people by print; everything else logs."""
    for path in files(package):
        talks = "command" in path.name or path.parent.name == "cli"
        if talks or path.name in {"cli.py", "wire.py", "driver.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            assert not (called and node.func.id == "print"), f"{path}:{node.lineno}"


def test_nothing_is_left_for_later():
    found = subprocess.run(
        [
            "git",
            "grep",
            "-nIwE",
            "TO" + "DO|FIX" + "ME|XX" + "X",
            "--",
            "*.py",
            "*.mjs",
            "*.js",
            "*.md",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [
        line for line in found.stdout.splitlines() if "XXXX" not in line and "XX.X" not in line
    ]
    assert lines == []

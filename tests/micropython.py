"""A pytest plugin: every tests/device/test_*.py runs on MicroPython too.

Each test method of such a file becomes a second item, `test_x[micropython]`, beside pytest's own.
All selected tests of a file share one interpreter (simulators/board/exec.mjs). A thread runs file after
file from the session's start, beside what else is tested, and each test takes its result from there. A
test that CPython has and MicroPython has not, or the reverse, is a failure. The terminal summary counts
both.

tests/conftest.py loads it: `pytest_plugins = ["tests.micropython"]`.
"""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.board.interpreter import Result, run

ROOT = Path(__file__).parent.parent
DEVICE_TESTS = ROOT / "tests" / "device"
DATA = ROOT.parent / "shared" / "data"
DRIVER = ROOT / "simulators" / "board" / "driver.py"

MARK = "[micropython]"
RECORD = "\x1e"  # comes before what the driver reports

# For all of a file's tests together; the longest replays a day of AIS byte by byte.
TIMEOUT_S = 180


@dataclass(frozen=True)
class Outcome:
    """What became of one test on MicroPython."""

    outcome: str  # passed, failed or skipped
    text: str
    output: str = ""


class MicroPythonFailure(Exception):  # noqa: N818  (an outcome, not an error of ours)
    """A test failed on MicroPython; the text is its traceback there."""


class MicroPythonFile(pytest.File):
    """The MicroPython side of one device test file."""

    _outcomes: Future[dict[str, Outcome]]

    def collect(self) -> list[pytest.Collector]:
        """Mirror what CPython finds in the file."""
        module = pytest.Module.from_parent(self.parent, path=self.path)
        self._cases = [
            MicroPythonCase.from_parent(
                self, name=case.name, tests=[test.name for test in case.collect()]
            )
            for case in module.collect()
            if isinstance(case, pytest.Class)
        ]
        return self._cases

    def outcome(self, test: str) -> Outcome:
        """Wait for the file's interpreter; return what became of "Class.method"."""
        return self._outcomes.result()[test]

    def start(self, pool: Executor, selected: list[str]) -> None:
        """Run the selected tests in `pool`."""
        known = [f"{case.name}.{test}" for case in self._cases for test in case.tests]
        self._outcomes = pool.submit(lambda: outcomes(self._run(selected), known, selected))

    def _run(self, selected: list[str]) -> Result:
        mounts = {"/agent": ROOT / "device" / "agent", "/tests": ROOT / "tests"}
        mounts |= {f"/{name}": ROOT / "device" / name for name in ("root", "boards")}
        if DATA.is_dir():
            mounts["/shared/data"] = DATA
        return run(script(self.path.stem, selected), mounts=mounts, timeout_s=TIMEOUT_S)


class MicroPythonCase(pytest.Collector):
    """The tests of one class."""

    def __init__(self, *, tests: list[str], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.tests = tests

    def collect(self) -> Iterator[pytest.Item]:
        for test in self.tests:
            yield MicroPythonTest.from_parent(self, name=test + MARK)


class MicroPythonTest(pytest.Item):
    """One test method."""

    @property
    def file(self) -> MicroPythonFile:
        return self.getparent(MicroPythonFile)

    @property
    def test(self) -> str:
        return f"{self.parent.name}.{self.name.removesuffix(MARK)}"

    def runtest(self) -> None:
        outcome = self.file.outcome(self.test)
        if outcome.output:
            self.add_report_section("call", "stdout", outcome.output)
        if outcome.outcome == "skipped":
            pytest.skip(f"{outcome.text} (MicroPython)")
        if outcome.outcome != "passed":
            raise MicroPythonFailure(outcome.text)

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, MicroPythonFailure):
            return f"on MicroPython:\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, None, f"{self.test} on MicroPython"


def script(module: str, tests: list[str]) -> str:
    """Return what runs a module's tests on MicroPython."""
    return (
        f"MODULE = {module!r}\nTESTS = {tests!r}\n"
        "import sys\nsys.path.append('/tests/device')\n"
        f"{DRIVER.read_text(encoding='utf-8')}"
    )


def outcomes(result: Result, known: list[str], selected: list[str]) -> dict[str, Outcome]:
    """Read what the driver printed; every selected test gets an outcome.

    `known` are all tests CPython finds in the file: MicroPython must find the same.
    """
    found: dict[str, Outcome] = {}
    strangers: set[str] = set()
    output: list[str] = []
    for line in result.stdout.split("\n"):  # splitlines would split at record separators
        printed, mark, text = line.partition(RECORD)
        if printed:
            output.append(printed)
        if not mark:
            continue
        record = json.loads(text)
        if "tests" in record:
            strangers = set(record["tests"]) - set(known)
        else:
            found[record["test"]] = Outcome(record["outcome"], record["text"], "\n".join(output))
        output = []
    if strangers:
        text = f"CPython does not find what MicroPython finds: {', '.join(sorted(strangers))}"
        return dict.fromkeys(selected, Outcome("failed", text))
    ending = "did not end in time" if result.timed_out else f"ended with {result.returncode}"
    text = f"The interpreter {ending} before this test.\n{result.stderr}"
    return {test: found.get(test, Outcome("failed", text, "\n".join(output))) for test in selected}


# Hooks


def pytest_configure(config: pytest.Config) -> None:
    """Let device tests import their helpers by plain name, as on the board."""
    sys.path.append(str(DEVICE_TESTS))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.parent == DEVICE_TESTS and file_path.match("test_*.py"):
        return MicroPythonFile.from_parent(parent, path=file_path)
    return None


def pytest_runtestloop(session: pytest.Session) -> None:
    """Start to run the selected tests of all files on MicroPython, in their order."""
    if session.config.option.collectonly:
        return
    selected: dict[MicroPythonFile, list[str]] = {}
    for item in session.items:
        if isinstance(item, MicroPythonTest):
            selected.setdefault(item.file, []).append(item.test)
    pool = ThreadPoolExecutor(1, "micropython")
    session.config.add_cleanup(lambda: pool.shutdown(cancel_futures=True))
    for file, tests in selected.items():
        file.start(pool, tests)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many device tests ran on each interpreter."""
    ran = {"CPython": 0, "MicroPython": 0}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            if report.when == "call" and report.fspath.startswith("tests/device/"):
                ran["MicroPython" if report.nodeid.endswith(MARK) else "CPython"] += 1
    if any(ran.values()):
        counts = ", ".join(f"{count} on {name}" for name, count in ran.items())
        terminalreporter.write_line(f"device tests: {counts}")

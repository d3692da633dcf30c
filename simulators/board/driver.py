# mypy: ignore-errors
"""Runs one unittest file on MicroPython; tests/micropython.py puts `MODULE` and `TESTS` before it.

Each test is one step of the interpreter (exec.mjs), so that its garbage is collected before the
next begins. What happened is printed as lines of JSON that begin with a record separator:
{"tests": names the file has here}, then per test {"test", "outcome", "text", "ms"}.

Each test has an instance of its own, as on CPython (micropython-lib's own runner shares one).
"""

import io
import json
import sys
import time
import unittest

import _exec


def report(**what: object) -> None:
    """Print one line for the host."""
    print("\x1e" + json.dumps(what))


def test_classes(module: object) -> object:
    """Names and classes of a module's test cases."""
    for name in dir(module):
        value = getattr(module, name)
        if isinstance(value, type) and issubclass(value, unittest.TestCase):
            yield name, value


def test_names(module: object) -> object:
    """Every test of a module as "Class.method"."""
    for name, case in test_classes(module):
        for method in dir(case):
            if method.startswith("test"):
                yield name + "." + method


def traceback(error: Exception) -> str:
    """Return what an uncaught exception would print, without the frames of this file."""
    text = io.StringIO()
    sys.print_exception(error, text)
    lines = text.getvalue().split("\n")
    return "\n".join(line for line in lines if 'File "/.board/script/' not in line)


class Runner:
    """Runs tests one by one, with what their classes set up."""

    def __init__(self, module: object, names: list) -> None:
        self._module = module
        self._names = iter(names)
        self._case = None

    def step(self) -> int:
        """Run the next test; -1: there is none."""
        name = next(self._names, None)
        if name is None:
            self._change_class(None)
            return -1
        case_name, method = name.split(".")
        result = unittest.TestResult()
        started = time.ticks_ms()
        outcome, text = "passed", ""
        try:
            case = getattr(self._module, case_name)
            if not isinstance(case, type):
                case(None)  # a class under @unittest.skip became a function that says why
            self._change_class(case)
            self._run(case(), method, name, result)
        except unittest.SkipTest as skip:
            outcome, text = "skipped", str(skip)
        except Exception as error:  # noqa: BLE001  (whatever a test raises is its result)
            outcome, text = "failed", traceback(error)
        broken = [text for _, text in result.failures + result.errors]  # from subtests
        if broken:
            outcome, text = "failed", "\n".join(broken) + text
        report(test=name, outcome=outcome, text=text, ms=time.ticks_diff(time.ticks_ms(), started))
        return 0

    def _change_class(self, case: type) -> None:
        if case is not self._case:
            old, self._case = self._case, None
            if old is not None and hasattr(old, "tearDownClass"):
                old.tearDownClass()
            if case is not None and hasattr(case, "setUpClass"):
                case.setUpClass()
            self._case = case

    def _run(self, test: object, method: str, name: str, result: object) -> None:
        unittest.__test_result__ = result  # where subTest reports
        unittest.__current_test__ = (name,)
        try:
            if hasattr(test, "setUp"):
                test.setUp()
            try:
                getattr(test, method)()
            finally:
                if hasattr(test, "tearDown"):
                    test.tearDown()
        finally:
            test.doCleanups()


module = __import__(MODULE)  # noqa: F821  (put before this file)
for part in MODULE.split(".")[1:]:  # noqa: F821
    module = getattr(module, part)
report(tests=sorted(test_names(module)))
_exec.run(Runner(module, TESTS).step)  # noqa: F821

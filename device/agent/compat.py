"""What differs between CPython and MicroPython, in one place.

Every name here exists on both; its docstring says what differs.
"""

import sys

try:
    from micropython import const
except ImportError:

    def const(value):  # type: ignore[misc]
        """Give back the value; MicroPython's compiler folds such constants into the code."""
        return value


def print_exception(error):
    """Print an exception's traceback: CPython has no `sys.print_exception`."""
    if hasattr(sys, "print_exception"):
        sys.print_exception(error)
    else:
        sys.excepthook(type(error), error, error.__traceback__)


__all__ = ("const", "print_exception")

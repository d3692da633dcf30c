"""What differs between CPython and MicroPython, in one place.

Every name here exists on both; its docstring says what differs.
"""

import io
import sys

try:
    from micropython import const
except ImportError:

    def const(value):  # type: ignore[misc]
        """Give back the value; MicroPython's compiler folds such constants into the code."""
        return value


def traceback(error):
    """Return an exception's traceback as text: MicroPython prints it to a stream, CPython formats it."""
    if hasattr(sys, "print_exception"):
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue()
    from traceback import format_exception

    return "".join(format_exception(error))


def print_exception(error):
    """Print an exception's traceback."""
    print(traceback(error))


__all__ = ("const", "print_exception", "traceback")

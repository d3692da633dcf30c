"""What differs between CPython and MicroPython, in one place.

Every name here exists on both; its docstring says what differs.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        """Return `value`. The MicroPython compiler folds `_NAME = const(…)` into the code."""
        return value


__all__ = ("const",)

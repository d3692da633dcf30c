# mypy: ignore-errors
"""What a virtual board's standard modules lack, or do in a way that no board does.

Runs once in every new interpreter, before boot.py.
"""

import gc
import os
import sys
import time

import _board

_list = os.ilistdir


def _ilistdir(path="."):
    """As a board's: entries of files carry their size as fourth item."""
    for name, kind, node in _list(path):
        if kind == 0x8000:
            yield name, kind, node, os.stat(path + "/" + name)[6]
        else:
            yield name, kind, node, 0


def _urandom(count):
    """As a board's `os.urandom`, which this build does not have."""
    return bytes(_board.random() & 0xFF for _ in range(count))


def _sleep(seconds):
    _board.sleep_ms(int(seconds * 1000))


def _sleep_us(us):
    _board.sleep_ms(us // 1000)


class _GC:
    """`gc`, with the free memory of a board: this build counts what it could take from the host."""

    collect = gc.collect
    disable = gc.disable
    enable = gc.enable
    isenabled = gc.isenabled
    mem_alloc = gc.mem_alloc
    threshold = gc.threshold

    @staticmethod
    def mem_free():
        return max(0, _board.heap - gc.mem_alloc())


sys.modules["gc"] = _GC
os.ilistdir = _ilistdir
os.urandom = _urandom
# The build's own sleep computes until the time is over; ours lets the processor rest, and Ctrl-C
# ends it.
time.sleep = _sleep
time.sleep_ms = _board.sleep_ms
time.sleep_us = _sleep_us

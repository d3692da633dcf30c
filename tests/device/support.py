"""Helpers of device tests that differ between the two interpreters."""

import os
import sys
import unittest

ON_MICROPYTHON = sys.implementation.name == "micropython"


def data_path(name):
    """Return the path of a recorded log, as "nmea/quectel-l76k-nmea.log".

    The logs lie outside the repository, in ../shared/data; the runner mounts them at /shared/data.
    Raises unittest.SkipTest where they are absent.
    """
    if ON_MICROPYTHON:
        path = "/shared/data/" + name
    else:
        path = os.path.join(os.path.dirname(__file__), "../../../shared/data", name)
    try:
        os.stat(path)
    except OSError:
        raise unittest.SkipTest("no recorded log " + name)
    return path

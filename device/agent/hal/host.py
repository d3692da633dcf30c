"""A board on CPython: for fleets of thousands, and wherever an agent runs without hardware.

    board = HostBoard(folder, uarts={"gnss": ("127.0.0.1", 7001)}, adcs={"batt_mv": read_battery})

Serial lines are TCP connections, analogue and digital inputs are functions that give the value at the
sensor, stores are files in `folder`. `board.clock` may be replaced to run in simulated time.
"""

import os
import time

from agent.hal.files import FileStore
from agent.hal.sockets import TCPStream
from agent.wire import codes

_TICKS = 1 << 30


class HostBoard:
    """A board made of files, functions and loopback connections."""

    name = "host"

    def __init__(self, folder, uarts=None, adcs=None, digitals=None):
        self.clock = time.monotonic
        self._folder = folder
        self._uarts = uarts or {}
        self._adcs = adcs or {}
        self._digitals = digitals or {}

    def ticks_ms(self):
        return int(self.clock() * 1000) % _TICKS

    @staticmethod
    def ticks_diff(a, b):
        return (a - b + _TICKS // 2) % _TICKS - _TICKS // 2

    @staticmethod
    def random(n):
        return os.urandom(n)

    def uart(self, port, baud, parity):
        host, tcp_port = self._uarts[port]
        return TCPLine(host, tcp_port)

    def adc(self, channel):
        return Reading(self._adcs[channel]) if channel in self._adcs else None

    def digital(self, name):
        return Reading(self._digitals[name]) if name in self._digitals else None

    def connect(self, host, port):
        return TCPStream(host, port)

    def start_network(self, settings):
        """Do nothing: the host has a network."""

    @staticmethod
    def network_up():
        return True

    def boot_stores(self):
        a, b = (os.path.join(self._folder, "boot-" + which) for which in "ab")
        return FileStore(a), FileStore(b)

    @staticmethod
    def reset_cause():
        return codes.RESET_POWER_ON

    @staticmethod
    def heap_free():
        return None

    def run(self, step, stop):
        """Call `step` until it says that it is done (a negative wait)."""
        try:
            self._loop(step)
        finally:
            stop()
            self._loop(step)

    def _loop(self, step):
        while (wait_ms := step(self.ticks_ms())) >= 0:
            time.sleep(min(wait_ms, 20) / 1000)


class Reading:
    """An input whose value a function gives."""

    def __init__(self, function):
        self.read = function


class TCPLine:
    """A serial line at the end of a TCP connection that comes back when it was lost."""

    def __init__(self, host, port):
        self._address = (host, port)
        self._stream = TCPStream(host, port)

    def readinto(self, buf):
        if self._stream.state() < 0:
            self._stream = TCPStream(*self._address)
        return self._stream.readinto(memoryview(buf))

    def write(self, data):
        return self._stream.write(memoryview(data))

"""A board on CPython: for fleets of thousands, and wherever an agent runs without hardware.

    board = HostBoard(folder, uarts={"gnss": ("127.0.0.1", 7001)}, adcs={"batt_mv": read_battery})

Serial lines are TCP connections, analogue and digital inputs are functions that give the value at the
sensor, stores are files in `folder`. `board.clock` may be replaced to run in simulated time.
"""

import os
import time

from agent.hal.files import Files, FileStore
from agent.hal.host_tls import HostTLSStream
from agent.hal.life import NoGuard, RAMBackup
from agent.hal.slot import SlotFiles
from agent.hal.sockets import TCPStream
from agent.hal.udp import UDPStream
from agent.keep.memo import Memo
from agent.link.bearer import Nothing
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
        self.outputs = {}  # name: function that is given 1 and 0
        self.buses = {}  # name: object with `read` and `write`
        self.asleep_ms = None  # set by a reset (0) or a deep sleep; `run` returns then
        self._memory = b""
        self._guard = NoGuard()

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

    def fitted(self, line):
        return line in self._uarts

    def adc(self, channel):
        return Reading(self._adcs[channel]) if channel in self._adcs else None

    def digital(self, name):
        return Reading(self._digitals[name]) if name in self._digitals else None

    def output(self, name):
        return Asking(self.outputs[name]) if name in self.outputs else None

    def i2c(self, name):
        return self.buses.get(name)

    def connect(self, host, port, trust=None):
        return TCPStream(host, port) if trust is None else HostTLSStream(host, port, trust)

    def udp(self, host, port):
        return UDPStream(host, port)

    def network(self, access):
        return HostNetwork(self)

    @staticmethod
    def network_up():
        return True

    def boot_stores(self):
        a, b = (os.path.join(self._folder, "boot-" + which) for which in "ab")
        return FileStore(a), FileStore(b)

    def files(self):
        return Files(self._folder)

    def slot(self, folder):
        return SlotFiles(self._folder + folder)

    def spare(self):
        """None: a host has one file system."""

    def backup(self):
        return RAMBackup(self._remember)

    def guard(self):
        return self._guard

    def rtc(self):
        """None: the host's clock is not the board's."""

    @staticmethod
    def watchdog(timeout_ms):
        return NoWatchdog()

    def reset(self, intent):
        """End `run`: whoever called it starts the agent again."""
        Memo(self.backup()).leave(intent)
        self.asleep_ms = 0

    def deep_sleep(self, ms):
        """End `run`: whoever called it starts the agent again after `ms`."""
        self.asleep_ms = ms

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
        while (wait_ms := step(self.ticks_ms())) >= 0 and self.asleep_ms is None:
            time.sleep(min(wait_ms, 20) / 1000)

    def _remember(self, data=None):
        if data is not None:
            self._memory = bytes(data)
        return self._memory


class Reading:
    """An input whose value a function gives."""

    def __init__(self, function):
        self.read = function


class Asking:
    """An output that a function is told of."""

    def __init__(self, function):
        self.write = function


class NoWatchdog:
    """A watchdog that never bites: the host has none."""

    def feed(self):
        """Do nothing."""


class HostNetwork(Nothing):
    """The host's network; it is up while `board.network_up()` says so, and stays for the others."""

    kind = codes.LINK_HOST
    error = "the host is told to have no network"

    def __init__(self, board):
        self._board = board

    def up(self, now_ms):
        return self._board.network_up()


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

"""What MicroPython's ports have in common; each port's own file has the rest."""

import gc
import os
import time

import machine

from agent.compat import const
from agent.hal.files import FileStore
from agent.hal.sockets import TCPStream
from agent.wire import codes

# 256 bytes, the default, are 67 ms at 38,400 Bd; a flash erase takes longer (reference B5).
_RXBUF = const(4096)

# How long the loop sleeps at most: lines and connections are looked at this often.
_NAP_MS = const(20)


class Port:
    """A board under MicroPython. `pins` is its board file."""

    def __init__(self, pins):
        self.name = pins.NAME
        self._pins = pins
        self._network = None

    ticks_ms = staticmethod(time.ticks_ms)
    ticks_diff = staticmethod(time.ticks_diff)

    def random(self, n):
        return os.urandom(n)

    def uart(self, port, baud, parity):
        number, tx, rx, direction = self._pins.UARTS[port]
        uart = self._open_uart(number, tx, rx, baud, parity)
        if direction is None:
            return Line(uart)
        return HalfDuplexLine(uart, machine.Pin(direction, machine.Pin.OUT, value=0), baud)

    def adc(self, channel):
        if channel not in self._pins.ADCS:
            return None
        pin, numerator, denominator, offset = self._pins.ADCS[channel]
        return Analogue(self._open_adc(pin), numerator, denominator, offset)

    def digital(self, name):
        if name not in self._pins.DIGITALS:
            return None
        pin, active = self._pins.DIGITALS[name]
        pull = machine.Pin.PULL_DOWN if active else machine.Pin.PULL_UP
        return Digital(machine.Pin(pin, machine.Pin.IN, pull), active)

    def connect(self, host, port):
        return TCPStream(host, port)

    def network_up(self):
        return self._network is not None and self._network.isconnected()

    def boot_stores(self):
        """Two files; a port with a better second store has its own."""
        return FileStore("/boot-a"), FileStore("/boot-b")

    def reset_cause(self):
        cause = machine.reset_cause()
        for name, code in (
            ("SOFT_RESET", codes.RESET_SOFT),
            ("WDT_RESET", codes.RESET_WATCHDOG),
            ("DEEPSLEEP_RESET", codes.RESET_DEEP_SLEEP),
            ("HARD_RESET", codes.RESET_HARD),
        ):
            if cause == getattr(machine, name, None):
                return code
        return codes.RESET_POWER_ON

    def heap_free(self):
        return gc.mem_free()

    def run(self, step, stop):
        """Call `step` for ever; Ctrl-C stops the agent in order and leaves the REPL."""
        try:
            _loop(step)
        finally:
            stop()
            _loop(step)

    def _open_uart(self, number, tx, rx, baud, parity):
        return machine.UART(
            number, baudrate=baud, parity=parity, tx=tx, rx=rx, rxbuf=_RXBUF, timeout=0
        )

    def _open_adc(self, pin):
        return machine.ADC(machine.Pin(pin))


def _loop(step):
    while True:
        wait_ms = step(time.ticks_ms())
        if wait_ms < 0:
            return
        time.sleep_ms(min(wait_ms, _NAP_MS))


class Line:
    """A serial line that listens all the time."""

    def __init__(self, uart):
        self._uart = uart

    def readinto(self, buf):
        return self._uart.readinto(buf) or 0

    def write(self, data):
        return self._uart.write(data) or 0


class HalfDuplexLine(Line):
    """An RS-485 line: the driver is on only while our own bytes leave, then the line is the other's."""

    def __init__(self, uart, direction, baud):
        super().__init__(uart)
        self._direction = direction
        self._baud = baud

    def write(self, data):
        self._direction.value(1)
        n = self._uart.write(data) or 0
        self._uart.flush()
        self._direction.value(0)
        return n


class Analogue:
    """An analogue input; `read()` gives the sensor's value by the board file's ratio."""

    def __init__(self, adc, numerator, denominator, offset):
        self._adc = adc
        self._numerator = numerator
        self._per_millivolt = denominator * 1000
        self._offset = offset

    def read(self):
        return self._adc.read_uv() * self._numerator // self._per_millivolt + self._offset


class Digital:
    """A digital input; `read()` gives 1 when it is at its active level."""

    def __init__(self, pin, active):
        self._pin = pin
        self._active = active

    def read(self):
        return int(self._pin.value() == self._active)

"""What MicroPython's ports have in common; each port's own file has the rest."""

import gc
import os
import sys
import time

import machine

from agent.compat import const
from agent.errors import RemoteError
from agent.hal.files import Files, FileStore
from agent.hal.life import RTC, FileBackup, NoGuard
from agent.hal.net import Ethernet, Nothing, WiFi, choose
from agent.hal.slot import SlotFiles
from agent.hal.sockets import TCPStream
from agent.keep.memo import Memo
from agent.version import BUILT
from agent.wire import codes

# 256 bytes, the default, are 67 ms at 38,400 Bd; a flash erase takes longer (reference B5).
_RXBUF = const(4096)

# How long the loop sleeps at most: lines and connections are looked at this often.
_NAP_MS = const(20)

# What the TLS library's clock may be off by.
_RTC_OFF_S = const(60)

# Fast mode, which every sensor of ours can. 32 samples of motion take 4.4 ms.
_I2C_HZ = const(400000)

# Modems find out the speed by themselves; 115,200 is what all of them can.
_MODEM_BAUD = const(115200)


class Port:
    """A board under MicroPython. `pins` is its board file."""

    def __init__(self, pins):
        self.name = pins.NAME
        self._pins = pins

    _watchdog_max_ms = 3600000

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

    def fitted(self, line):
        return line in self._pins.UARTS

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

    def output(self, name):
        if name not in self._pins.OUTPUTS:
            return None
        pin, active = self._pins.OUTPUTS[name]
        return Output(machine.Pin(pin, machine.Pin.IN), active)

    def i2c(self, name):
        if name not in self._pins.I2C:
            return None
        number, scl, sda = self._pins.I2C[name]
        return Bus(machine.I2C(number, scl=machine.Pin(scl), sda=machine.Pin(sda), freq=_I2C_HZ))

    def connect(self, host, port, trust=None):
        if trust is None:
            return TCPStream(host, port)
        # Only loaded where it is used: not every port has TLS.
        try:
            from agent.hal.tls import TLSStream
        except ImportError:
            raise RemoteError("tls", "this firmware has none")
        # The library takes the time from here; what TLS sets is no time for the agent's clock.
        rtc = self.rtc()
        if abs((rtc.get() or 0) - trust.t) > _RTC_OFF_S:
            rtc.set(trust.t)
        return TLSStream(host, port, trust)

    def udp(self, host, port):
        from agent.hal.udp import UDPStream

        return UDPStream(host, port)

    def network(self, access):
        name = choose(access, self._pins.NETWORK)
        if name == "wifi":
            return WiFi(access["wifi"])
        if name == "ethernet":
            return Ethernet(self._open_ethernet(self._pins.NETWORK[name]))
        if name == "ppp":
            return self._open_ppp(access["apn"], *self._pins.NETWORK[name])
        return Nothing()

    def files(self):
        return Files("/data")

    def slot(self, folder):
        return SlotFiles(folder)

    def spare(self):
        try:
            os.stat("/spare")
            return Files("/spare/data")
        except OSError:
            return None

    def boot_stores(self):
        """Two files; a port with a better second store has its own."""
        return FileStore("/data/boot-a"), FileStore("/data/boot-b")

    def backup(self):
        """Return a file; a port with backup RAM has that."""
        return FileBackup(FileStore("/data/memo"))

    def guard(self):
        guard = sys.modules.get("guard")
        return getattr(guard, "running", None) or NoGuard()

    def rtc(self):
        return RTC(machine.RTC().datetime, BUILT)

    def watchdog(self, timeout_ms):
        return machine.WDT(timeout=min(timeout_ms, self._watchdog_max_ms))

    def reset(self, intent):
        Memo(self.backup()).leave(intent)
        machine.reset()

    def deep_sleep(self, ms):
        machine.deepsleep(ms)

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

    def _open_ethernet(self, wiring):
        raise RemoteError("access", "this port has no Ethernet")

    def _open_ppp(self, apn, line, key, active, key_ms):
        # Named, not imported: only a board file with a modem brings the module into a bundle.
        PPP = __import__("agent.hal.ppp", None, None, ("PPP",)).PPP  # noqa: N806
        number, tx, rx, _ = self._pins.UARTS[line]
        uart = self._open_uart(number, tx, rx, _MODEM_BAUD, None)
        if key is None:
            return PPP(uart, apn, None, 0)
        pin = machine.Pin(key, machine.Pin.OUT, value=1 - active)
        return PPP(uart, apn, lambda on: pin.value(active if on else 1 - active), key_ms)


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


class Bus:
    """An I2C bus."""

    def __init__(self, i2c):
        self.read = i2c.readfrom_mem_into
        self._i2c = i2c

    def write(self, address, register, value):
        self._i2c.writeto_mem(address, register, bytes((value,)))


class Output:
    """A line that is driven while it asks, and let go of otherwise: a reset leaves it that way too."""

    def __init__(self, pin, active):
        self._pin = pin
        self._active = active

    def write(self, on):
        if on:
            self._pin.init(machine.Pin.OUT, value=self._active)
        else:
            self._pin.init(machine.Pin.IN)

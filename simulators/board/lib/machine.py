# mypy: ignore-errors
"""The virtual board's `machine`, with the names and numbers of MicroPython's ESP32 port.

`UART`, `Pin`, `ADC`, `I2C`, `RTC`, `WDT`, the resets and deep sleep. What it lacks, a program meets
as AttributeError: timers, interrupts, SPI and PWM are not simulated.
"""

import sys
import time

import _board
import micropython

from _stream import Stream, open_device

PWRON_RESET = micropython.const(1)
HARD_RESET = micropython.const(2)
WDT_RESET = micropython.const(3)
DEEPSLEEP_RESET = micropython.const(4)
SOFT_RESET = micropython.const(5)

_ENODEV = micropython.const(19)
_STREAM_POLL = micropython.const(3)
_POLL_IN = micropython.const(1)
_POLL_OUT = micropython.const(4)

reset_cause = _board.reset_cause


def reset():
    """Reset the board as its button does."""
    _board.reset(HARD_RESET)
    sys.exit()


def soft_reset():
    """Start a new interpreter, with boot.py and main.py."""
    _board.reset(SOFT_RESET)
    sys.exit()


def deepsleep(time_ms=-1):
    """Sleep; then start as after a reset, with DEEPSLEEP_RESET. Without a time, sleep for ever."""
    _board.deep_sleep(time_ms)
    sys.exit()


def lightsleep(time_ms=0):
    """Let time pass."""
    _board.sleep_ms(time_ms)


def unique_id():
    """Return the six bytes of the board's MAC address."""
    return bytes.fromhex(_board.mac)


def freq():
    """Return the processor's frequency in hertz: an ESP32-S3's, for programs that print it."""
    return 240_000_000


def idle():
    """Let a millisecond pass."""
    _board.sleep_ms(1)


class UART(Stream):
    """A serial port, wired to a TCP connection of the simulator.

    Received bytes arrive at the baud rate in a buffer of `rxbuf` bytes; what finds it full is lost.
    """

    def __init__(self, number, *args, **options):
        if number not in (0, 1, 2):
            raise ValueError(f"UART({number}) doesn't exist")
        self._number = number
        self._rxbuf = 256
        self._timeout = 0
        self._format = (115200, 8, None, 1)
        self._opened = False
        self.init(*args, **options)

    def init(
        self,
        baudrate=None,
        bits=None,
        parity=-1,
        stop=None,
        *,
        tx=None,
        rx=None,
        rts=None,
        cts=None,
        txbuf=None,
        rxbuf=None,
        timeout=None,
        timeout_char=None,
        invert=0,
        flow=0,
    ):
        """Change what is given, and start with empty buffers."""
        old = self._format
        self._format = (
            old[0] if baudrate is None else baudrate,
            old[1] if bits is None else bits,
            old[2] if parity == -1 else parity,
            old[3] if stop is None else stop,
        )
        if rxbuf is not None:
            self._rxbuf = max(rxbuf, 129)  # the least the ESP32's driver gives: its FIFO and one
        if timeout is not None:
            self._timeout = timeout
        bits_on_line = 1 + self._format[1] + (self._format[2] is not None) + self._format[3]
        _board.uart_open(self._number, bits_on_line * 1_000_000 // self._format[0], self._rxbuf)
        self._open(f"uart{self._number}")
        self._opened = True

    def deinit(self):
        """Stop receiving."""
        self._opened = False
        self._file.close()
        _board.uart_close(self._number)

    def any(self):
        """Return how many bytes wait."""
        return _board.uart_any(self._number)

    def write(self, buf):
        """Send; return the bytes taken."""
        return self._file.write(buf)

    def txdone(self):
        """Tell whether everything written has left the line."""
        return _board.uart_sending_ms(self._number) == 0

    def flush(self):
        """Wait until everything written has left the line."""
        _board.sleep_ms(_board.uart_sending_ms(self._number))

    def ioctl(self, request, argument):
        """Answer `select.poll`."""
        if request == _STREAM_POLL:
            return argument & ((_POLL_IN if self.any() else 0) | _POLL_OUT)
        return 0

    def _timeout_ms(self):
        return self._timeout

    def _wait_input(self, ms):
        return _board.uart_wait(self._number, ms)

    def __repr__(self):
        baudrate, bits, parity, stop = self._format
        return f"UART({self._number}, {baudrate}, {bits}, {parity}, {stop}, rxbuf={self._rxbuf})"


class Pin:
    """A digital pin: as input, what the simulator drives it to, else its pull.

    The simulator is told what outputs do; a reset lets go of all of them.
    """

    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2

    def __init__(self, number, mode=-1, pull=-1, *, value=None):
        self.number = number
        self._mode = self.IN
        self._pull = None
        self._output = 0
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None):
        """Change what is given."""
        if value is not None:
            self._output = 1 if value else 0
        if mode != -1:
            self._mode = mode
        if pull != -1:
            self._pull = pull
        if mode != -1 or value is not None:
            self._drive()

    def value(self, *value):
        """Read the pin, or set the output."""
        if value:
            self._output = 1 if value[0] else 0
            self._drive()
            return None
        if self._mode == self.OUT or (self._mode == self.OPEN_DRAIN and not self._output):
            return self._output
        level = _board.level(self.number)
        if level < 0:
            level = 1 if self._pull == self.PULL_UP else 0
        return level

    __call__ = value

    def on(self):
        """Set the output to 1."""
        self.value(1)

    def off(self):
        """Set the output to 0."""
        self.value(0)

    def _drive(self):
        """Let the board drive the pin, or let go of it."""
        driven = self._mode == self.OUT or (self._mode == self.OPEN_DRAIN and not self._output)
        _board.output(self.number, self._output if driven else -1)

    def __repr__(self):
        return f"Pin({self.number})"


class ADC:
    """An analogue input: the voltage the simulator puts on it, 0 where nothing is connected."""

    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3

    # The highest voltage each attenuation reads on an ESP32-S3, in microvolts (datasheet 5.5).
    _FULL_SCALE_UV = (950_000, 1_250_000, 1_750_000, 3_100_000)

    def __init__(self, pin, *, atten=ATTN_0DB):
        self._number = pin.number if isinstance(pin, Pin) else pin
        self._atten = atten

    def atten(self, atten):
        """Set the attenuation."""
        self._atten = atten

    def read_uv(self):
        """Return microvolts at the pin, cut off where the converter's range ends."""
        return min(_board.adc_uv(self._number), self._FULL_SCALE_UV[self._atten])

    def read_u16(self):
        """Return the reading as a part of the range, 0 to 65535."""
        return self.read_uv() * 65535 // self._FULL_SCALE_UV[self._atten]


class I2C:
    """An I2C bus; on the first one is an accelerometer, while the simulator says how it moves."""

    def __init__(self, id=0, *, scl=None, sda=None, freq=400_000, timeout=50_000):
        if id not in (0, 1):
            raise ValueError(f"I2C({id}) doesn't exist")
        self._id = id
        self._file = open_device("i2c")

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        """Fill `buf` from a register on. Raises OSError when nobody answers."""
        self._select(addr, memaddr)
        self._file.readinto(buf)

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        """Return `nbytes` from a register on."""
        buf = bytearray(nbytes)
        self.readfrom_mem_into(addr, memaddr, buf)
        return bytes(buf)

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        """Write from a register on."""
        self._select(addr, memaddr)
        self._file.write(buf)

    def scan(self):
        """Return the addresses that answer."""
        if self._id:
            return []
        return [addr for addr in range(0x08, 0x78) if not _board.i2c_select(addr, 0)]

    def _select(self, addr, memaddr):
        error = _board.i2c_select(addr, memaddr) if self._id == 0 else _ENODEV
        if error:
            raise OSError(error)


class RTC:
    """The calendar, which starts unset at 2000-01-01, and the memory that survives resets."""

    def datetime(self, *when):
        """Return or set (year, month, day, weekday, hours, minutes, seconds, microseconds)."""
        if when:
            year, month, day, _, hour, minute, second, _ = when[0]
            _board.set_calendar(float(time.mktime((year, month, day, hour, minute, second, 0, 0))))
            return None
        now = time.gmtime()
        return (now[0], now[1], now[2], now[6], now[3], now[4], now[5], 0)

    def memory(self, *data):
        """Return or set up to 2048 bytes, lost only when the board is switched off."""
        if data:
            if len(data[0]) > 2048:
                raise ValueError("buffer too long")
            with open_device("rtc") as file:
                file.write(data[0])
            return None
        with open_device("rtc") as file:
            return file.read()


class WDT:
    """The watchdog; once started it cannot be stopped, and it looks even while Python hangs."""

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError(f"WDT({id}) doesn't exist")
        _board.watchdog(timeout)

    def feed(self):
        """Tell it that all is well."""
        _board.feed()

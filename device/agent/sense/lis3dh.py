"""LIS3DH accelerometer on I2C: samples of three axes, taken from its FIFO.

    chip = LIS3DH(hal.i2c("motion"))
    chip.start()                raises OSError when nobody answers, or somebody else
    while chip.take():          `CHUNK` more samples are in `data`
        chip.data               x, y, z, x, … as 16 bits, little-endian, left-justified

Registers: ST DocID17530 rev. 2, chapter 8. The chip runs at 200 Hz and ±16 g in normal mode, ten bits
and half the rate as bandwidth. High resolution would give nothing: the FIFO keeps ten bits, and its
filter, a ninth of the rate, would flatten a blow of 10 ms. Its FIFO holds 160 ms; what an agent that
was away for longer has lost is counted by `overruns`.
"""

from agent.compat import const

CHUNK = 8  # samples of a burst: 40 ms
CHUNK_MS = 40
_ADDRESS = const(0x18)  # SA0 low; 0x19 with SA0 high
_WHO_AM_I = const(0x0F)
_IDENTITY = const(0x33)
_FIFO_SRC = const(0x2F)
_OUT = const(0xA8)  # OUT_X_L with auto-increment: past OUT_Z_H it goes on with the next sample
_OVERRUN = const(0x40)
_LEVEL = const(0x1F)

# CTRL_REG2: no high-pass. CTRL_REG4: BDU, ±16 g. CTRL_REG5: FIFO on. FIFO_CTRL_REG: bypass, which
# empties it, then stream. CTRL_REG1 last: 200 Hz, three axes.
_SETUP = b"\x21\x00\x23\xb0\x24\x40\x2e\x00\x2e\x80\x20\x67"


class LIS3DH:
    """The chip on `bus` (hal.i2c). `overruns` counts how often its FIFO was full."""

    def __init__(self, bus):
        self.data = bytearray(6 * CHUNK)
        self.overrun = False  # samples are missing before those in `data`
        self.overruns = 0
        self._bus = bus
        self._address = _ADDRESS
        self._byte = bytearray(1)

    def start(self):
        """Find the chip and set it up. Raises OSError."""
        try:
            identity = self._read(_WHO_AM_I)
        except OSError:
            self._address ^= 1  # next time at the other one
            raise
        if identity != _IDENTITY:
            raise OSError("not a LIS3DH")
        for i in range(0, len(_SETUP), 2):
            self._bus.write(self._address, _SETUP[i], _SETUP[i + 1])
        if self._read(_SETUP[-2]) != _SETUP[-1]:
            raise OSError("LIS3DH does not take its settings")

    def take(self):
        """Read the next samples into `data`; return whether there were enough. Raises OSError."""
        source = self._read(_FIFO_SRC)
        if source & _LEVEL < CHUNK and not source & _OVERRUN:
            return False
        self.overrun = source & _OVERRUN > 0
        self.overruns += self.overrun
        self._bus.read(self._address, _OUT, self.data)
        return True

    def _read(self, register):
        self._bus.read(self._address, register, self._byte)
        return self._byte[0]

"""A LIS3DH on a bus, as far as the driver uses it, in a world that a test gives: both interpreters."""

import errno


class FakeLIS3DH:
    """`world(ms)` gives the acceleration (x, y, z) in mg; at rest it is the tuple itself.

    `ms` is the bus's time, set by the test.

    A test may set `absent` (nobody answers), `hung` (the bus does not), `asleep` (it answers and
    measures nothing) or `address`, or call `reset()`: the supply dipped, and all registers are lost.
    """

    def __init__(self, world, address=0x18):
        self.world = world
        self.address = address
        self.absent = self.hung = self.asleep = False
        self.reads = 0
        self.reset()
        self.ms = 0

    def reset(self):
        self.registers = bytearray(64)
        self.registers[0x0F] = 0x33
        self.registers[0x20] = 0x07
        self.fifo = []
        self.overrun = False
        self.next_ms = None

    def write(self, address, register, value):
        self._select(address)
        self.registers[register] = value
        if register == 0x2E and value & 0xC0 == 0:
            self.fifo = []
            self.overrun = False

    def read(self, address, register, buf):
        self._select(address)
        self.reads += 1
        if register == 0x2F:
            self.registers[0x2F] = min(len(self.fifo), 31) | self.overrun << 6
        increment = register & 0x80
        register &= 0x7F
        sample = b""
        for i in range(len(buf)):
            if increment and 0x28 <= register <= 0x2D:
                if register == 0x28:
                    sample = self.fifo.pop(0) if self.fifo else bytes(6)
                    self.overrun = False
                buf[i] = sample[register - 0x28]
                register = 0x28 if register == 0x2D else register + 1
            else:
                buf[i] = self.registers[register]
                register += increment > 0

    def _select(self, address):
        if self.hung:
            raise OSError(errno.ETIMEDOUT)
        if self.absent or address != self.address:
            raise OSError(errno.ENODEV)
        self._measure()

    def _measure(self):
        """Let the samples fall due: 200 Hz, stream mode."""
        r = self.registers
        ready = r[0x20] == 0x67 and r[0x23] & 0x30 == 0x30 and r[0x24] & 0x40 and r[0x2E] >> 6 == 2
        if not ready or self.asleep:
            self.next_ms = None
            return
        if self.next_ms is None:
            self.next_ms = self.ms + 5
        resting = encoded(self.world) if isinstance(self.world, tuple) else None
        while self.next_ms <= self.ms:
            self.fifo.append(resting or encoded(self.world(self.next_ms)))
            if len(self.fifo) > 32:
                self.fifo.pop(0)
            self.overrun = len(self.fifo) == 32
            self.next_ms += 5


def encoded(world):
    """Return a sample as the chip has it: ten bits of 48 mg, left-justified."""
    sample = b""
    for mg in world:
        digit = max(-512, min(511, (int(mg) + 24) // 48)) << 6
        sample += bytes((digit & 255, digit >> 8 & 255))
    return sample

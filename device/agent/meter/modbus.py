"""Modbus RTU: the reading master, and registers as integers.

    master = Master(unit)
    line.write(master.read(READ_INPUT, 0x0034, 2))
    if master.feed(chunk, n) == ANSWER:
        milliwatts = value(master.rx, master.at, F32, 3)

    request   unit function register(2) count(2) CRC(2)
    answer    unit function bytes registers(2 × count) CRC(2)
    refusal   unit function+80h code CRC(2)

Numbers are big-endian, the CRC (polynomial A001h, start FFFFh) is low byte first. An answer does
not say which registers it holds. So one that comes too late is told apart by its length alone, and
not at all if it has the same: `reader` asks only after the line has been silent, and the maps give
no two requests of one meter the same length.
"""

from agent.compat import const
from agent.errors import LocalError
from agent.meter.master import (
    ANSWER,
    BAD_SUM,
    ECHO,
    ERROR,
    ERROR_ANSWER,
    INCOMPLETE,
    LATE,
    NOISE,
    LineMaster,
)

READ_HOLDING = const(3)
READ_INPUT = const(4)

REGISTERS_MAX = const(80)  # of one read: 40 parameters of two, what SDM meters allow
UNIT_MAX = const(247)  # above it addresses are reserved, 0 is the broadcast that nobody answers
REQUEST = const(8)  # bytes of a request
OVERHEAD = const(5)  # bytes of an answer besides its registers

# How registers hold a number, and how many it takes.
U16 = const(0)
I16 = const(1)
I32 = const(2)
F32 = const(3)  # IEEE 754 single precision
WIDTH = b"\1\1\2\2"

_REFUSED_BIT = const(0x80)
_SHIFT_MAX = const(8)  # a 24-bit mantissa shifted further: 2**32 or more, infinity or NaN
_VALUE_MAX = const(0xFFFFFFFF)

# The CRC of each half byte.
_CRC = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def crc16(buf, start, end):
    """CRC of `buf[start:end]`."""
    crc = 0xFFFF
    for i in range(start, end):
        crc ^= buf[i]
        crc = (crc >> 4) ^ _CRC[crc & 0x0F]
        crc = (crc >> 4) ^ _CRC[crc & 0x0F]
    return crc


def value(buf, pos, kind, places=0, low_first=False):
    """Give the number at `buf[pos]`, times 10**places, as an integer; None if there is none.

    `places` >= 0. `low_first`: of two registers the first holds the low word.
    """
    high = buf[pos] << 8 | buf[pos + 1]
    low = 0
    if WIDTH[kind] == 2:
        low = buf[pos + 2] << 8 | buf[pos + 3]
        if low_first:
            high, low = low, high
    if kind == F32:
        return _float32(high, low, places)
    if kind != U16 and high >= 0x8000:
        high -= 0x10000
    if kind == I32:
        high = high * 0x10000 + low
    return high * 10**places


def _float32(high, low, places):
    """Scale the float with these halves: rounded half away from zero, no float on the way.

    None for NaN, infinities and what does not fit 32 bits.
    """
    exponent = high >> 7 & 0xFF
    mantissa = (high & 0x7F) << 16 | low
    if exponent:  # without it a subnormal, which rounds to nought
        mantissa |= 0x800000
    shift = exponent - 150  # value = mantissa × 2**shift
    if shift > _SHIFT_MAX:
        return None
    scaled = mantissa * 10**places
    if shift >= 0:
        scaled <<= shift
    else:
        scaled = (scaled + (1 << (-shift - 1))) >> -shift
    if scaled > _VALUE_MAX:
        return None
    return -scaled if high & 0x8000 else scaled


class Master(LineMaster):
    """Reads registers of one unit, up to 80 at a time."""

    def __init__(self, unit):
        super().__init__(REQUEST, OVERHEAD + 2 * REGISTERS_MAX)
        self.unit = unit

    def read(self, function, register, count):
        """Request `count` registers from `register` on; they will lie at `rx[at]`.

        Raises LocalError for more registers than one answer may hold, and for the few requests
        whose echo cannot be told from the answer (`echo_is_plain`).
        """
        if not 0 < count <= REGISTERS_MAX:
            raise LocalError("%d registers in one read" % count)
        if not echo_is_plain(register, count):
            raise LocalError("echo of a read of %d registers at %d" % (count, register))
        tx = self._tx
        tx[0] = self.unit
        tx[1] = function
        tx[2] = register >> 8
        tx[3] = register & 0xFF
        tx[4] = 0
        tx[5] = count
        crc = crc16(tx, 0, 6)
        tx[6] = crc & 0xFF
        tx[7] = crc >> 8
        return self._begin(REQUEST)

    def _frame(self, pos):
        rx = self.rx
        tx = self._tx
        there = self._have - pos
        if rx[pos] != self.unit:
            return ~NOISE
        if there < 3:
            return INCOMPLETE
        if rx[pos + 1] == tx[1] | _REFUSED_BIT:
            size = OVERHEAD
        elif rx[pos + 1] != tx[1]:
            return ~NOISE
        elif rx[pos + 2] == 2 * tx[5]:
            size = OVERHEAD + 2 * tx[5]
        elif rx[pos + 2] == tx[2]:
            size = REQUEST
        else:
            return ~LATE
        if there < size:
            return INCOMPLETE
        crc = crc16(rx, pos, pos + size - 2)
        if rx[pos + size - 2] != crc & 0xFF or rx[pos + size - 1] != crc >> 8:
            return ~BAD_SUM
        return size

    def _judge(self, pos, size):
        rx = self.rx
        if rx[pos + 1] & _REFUSED_BIT:
            self.error = rx[pos + 2]
            self._refuse(ERROR_ANSWER)
            return ERROR
        if rx[pos + 2] != 2 * self._tx[5]:
            return self._refuse(ECHO)
        self.at = pos + 3
        self.size = size - OVERHEAD
        return ANSWER


def echo_is_plain(register, count):
    """Whether the third byte tells the request's echo from its answer."""
    return register >> 8 != 2 * count

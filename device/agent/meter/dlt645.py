"""DL/T 645-2007, the protocol of China's electricity meters: frames, numbers and a master.

    master = Master(address("202410010001"))
    line.write(master.read(0x02010100, 2))
    if master.feed(chunk, n) == ANSWER:
        decivolts = number(master.rx, master.at, 2, False)
        if master.more:
            line.write(master.read_next(1))

    68 A0 A1 A2 A3 A4 A5 68 C L DATA … CS 16

The address is twelve BCD digits, the lowest pair first; AAh in a request stands for any pair.
Every DATA byte travels with 33h added. CS is the sum of all bytes from the first 68h to the last
DATA byte, modulo 256. FEh bytes before a frame wake the receiver: we send up to four, and skip any
number. In C, D7 marks an answer, D6 a refusal, D5 that more follows, D4 to D0 are the function. A
refusal's DATA is one byte of bits: 01 other, 02 no such data, 04 not authorised, 08 baud rate
fixed, 10, 20 and 40 too many seasons, day periods and tariffs. What does not fit one answer is read
on with a sequence number, which the answer repeats behind its data.

68h occurs inside addresses and data, so a frame is what has both 68h, a possible length, a right
CS and 16h; after anything else the search goes on one byte later.
"""

from agent.compat import const
from agent.meter.master import (
    ANSWER,
    BAD_END,
    BAD_LENGTH,
    BAD_SUM,
    ECHO,
    ERROR,
    ERROR_ANSWER,
    INCOMPLETE,
    LATE,
    NOISE,
    OTHER_ADDRESS,
    OTHER_FUNCTION,
    WAKEUP,
    LineMaster,
)

START = const(0x68)
END = const(0x16)
WAKE = const(0xFE)

READ = const(0x11)
READ_NEXT = const(0x12)
READ_ADDRESS = const(0x13)
SWITCH = const(0x1C)
SET_TIME = const(0x08)

NO_DATA = const(0x02)  # a bit of `error`

OVERHEAD = const(12)  # bytes of a frame besides DATA
DATA_MAX = const(200)  # bytes of DATA in an answer to a read
WAKEUPS_MAX = const(4)  # FEh bytes a master may send first

_OFFSET = const(0x33)
_ANY = const(0xAA)
_ALL = const(0x99)  # six of them: every meter on the line; none answers
_ORDER = const(16)  # bytes of DATA in a request to switch
# Orders to the relay. There is a third, which closes it at once; it is not here on purpose: from afar
# a plug is never energised that somebody may be holding. After the permit a hand closes at the meter.
_TRIP = const(0x1A)
_PERMIT = const(0x1B)
# The order is good until 2099-12-31 23:59:59: the command that it comes from has an expiry of its own,
# and a pile that does not know the time must trip all the same.
_FOR_EVER = b"\x59\x59\x23\x31\x12\x99"
_HEAD = const(10)  # bytes before DATA
_DI = const(4)  # bytes of a data identifier
_ADDRESS = const(6)
_ANSWER_BIT = const(0x80)
_REFUSED_BIT = const(0x40)
_MORE_BIT = const(0x20)
_FUNCTION = const(0x1F)


def encode(buf, pos, address, control, data):
    """Write a frame at `pos`; return the position behind it."""
    start = pos
    buf[pos] = START
    buf[pos + 1 : pos + 7] = address
    buf[pos + 7] = START
    buf[pos + 8] = control
    buf[pos + 9] = len(data)
    pos += _HEAD
    for byte in data:
        buf[pos] = (byte + _OFFSET) & 0xFF
        pos += 1
    buf[pos] = _sum(buf, start, pos)
    buf[pos + 1] = END
    return pos + 2


def frame_at(buf, pos, end):
    """Size of the frame that starts at `buf[pos]`, of which bytes up to `end` are there.

    INCOMPLETE if it may become one; `~reason` if none starts here.
    """
    if buf[pos] == WAKE:
        return ~WAKEUP
    if buf[pos] != START or (pos + 7 < end and buf[pos + 7] != START):
        return ~NOISE
    if pos + 9 >= end:
        return INCOMPLETE
    length = buf[pos + 9]
    if length > DATA_MAX:
        return ~BAD_LENGTH
    size = OVERHEAD + length
    if pos + size > end:
        return INCOMPLETE
    if buf[pos + size - 1] != END:
        return ~BAD_END
    if buf[pos + size - 2] != _sum(buf, pos, pos + size - 2):
        return ~BAD_SUM
    return size


def decode(buf, pos, size):
    """Take the 33h off `size` bytes of DATA, in place."""
    for i in range(pos, pos + size):
        buf[i] = (buf[i] - _OFFSET) & 0xFF


def number(buf, pos, size, signed):
    """Integer of `size` BCD bytes, the lowest first; None if a digit is none ("no value").

    `signed`: the top bit of the highest byte is the sign.
    """
    value = 0
    negative = False
    for i in range(pos + size - 1, pos - 1, -1):
        byte = buf[i]
        if signed and i == pos + size - 1:
            negative = byte >= 0x80
            byte &= 0x7F
        if byte >= 0xA0 or (byte & 0x0F) > 9:
            return None
        value = value * 100 + (byte >> 4) * 10 + (byte & 0x0F)
    return -value if negative else value


def word(buf, pos):
    """16 binary bits, the low byte first; None if all are set, as meters send what they lack."""
    value = buf[pos] | buf[pos + 1] << 8
    return None if value == 0xFFFF else value


def address(digits):
    """Six bytes, as they travel, of a meter's twelve digits.

    Raises ValueError for anything else.
    """
    if (
        not isinstance(digits, str)
        or len(digits) != 12
        or not all(c in "0123456789" for c in digits)
    ):
        raise ValueError("address: %r is not twelve digits" % (digits,))
    return bytes([int(digits[i : i + 2], 16) for i in range(10, -1, -2)])


def digits(address):
    """Twelve ASCII digits of an address as it travels; None if it is not BCD."""
    text = bytearray(12)
    for i in range(_ADDRESS):
        byte = address[_ADDRESS - 1 - i]
        if byte >= 0xA0 or (byte & 0x0F) > 9:
            return None
        text[2 * i] = 0x30 + (byte >> 4)
        text[2 * i + 1] = 0x30 + (byte & 0x0F)
    return bytes(text)


def _sum(buf, start, end):
    total = 0
    for i in range(start, end):
        total += buf[i]
    return total & 0xFF


class Master(LineMaster):
    """Reads one datum or block at a time from the meter at `address` (six bytes as they travel).

    A refusal carries no data identifier: one that comes too late counts as the present request's.
    """

    _INSIDE = True  # FEh noise can look like the head of a long frame around the good one

    def __init__(self, address, wakeups=WAKEUPS_MAX):
        super().__init__(WAKEUPS_MAX + OVERHEAD + _ORDER, OVERHEAD + DATA_MAX)
        self.address = address
        self.more = False  # the answer says that more frames follow
        self._wakeups = wakeups
        self._data = bytearray(_DI + 1)  # of a reading request: data identifier, sequence number
        self._function = 0
        self._expected = 0
        self._item = 0

    def read(self, di, size, item=0):
        """Request the datum `di`, whose value has `size` bytes; they will lie at `rx[at]`.

        With `item` it is a list as long as the meter has it, of items of so many bytes.
        """
        for i in range(_DI):
            self._data[i] = di & 0xFF
            di >>= 8
        self._item = item
        return self._request(self.address, READ, memoryview(self._data)[:_DI], size)

    def read_next(self, number):
        """Request what follows: frame `number` of the datum asked for last, from 1 to 255."""
        self._data[_DI] = number
        return self._request(self.address, READ_NEXT, self._data, 0)

    def read_address(self):
        """Request the address of the only meter on the line; six bytes will lie at `rx[at]`."""
        self._item = 0
        return self._request(bytes([_ANY] * _ADDRESS), READ_ADDRESS, b"", _ADDRESS)

    def switch(self, permit, password, operator):
        """Order the relay to open, or permit a hand to close it; the answer has no bytes.

        `password` is its level and three bytes, `operator` four, both as they travel.
        """
        order = password + operator + bytes((_PERMIT if permit else _TRIP, 0)) + _FOR_EVER
        self._item = 0
        return self._request(self.address, SWITCH, order, 0)

    def set_time(self, digits):
        """Tell all meters the time: seconds, minutes, hours, day, month, year in BCD, six bytes."""
        return self._request(bytes([_ALL] * _ADDRESS), SET_TIME, digits, 0)

    def _request(self, address, function, data, expected):
        self._function = function
        self._expected = expected
        for i in range(self._wakeups):
            self._tx[i] = WAKE
        return self._begin(encode(self._tx, self._wakeups, address, function, data))

    def _frame(self, pos):
        return frame_at(self.rx, pos, self._have)

    def _judge(self, pos, size):
        rx = self.rx
        control = rx[pos + 8]
        if self._is_echo(pos, size):
            return self._refuse(ECHO)
        for i in range(_ADDRESS):
            asked = self._tx[self._wakeups + 1 + i]
            if asked not in (_ANY, rx[pos + 1 + i]):
                return self._refuse(OTHER_ADDRESS)
        if not control & _ANSWER_BIT or control & _FUNCTION != self._function:
            return self._refuse(OTHER_FUNCTION)
        at = pos + _HEAD
        length = size - OVERHEAD
        decode(rx, at, length)
        if control & _REFUSED_BIT:
            self.error = rx[at] if length else 0
            self._refuse(ERROR_ANSWER)
            return ERROR
        reading = self._function in (READ, READ_NEXT)
        if reading:
            for i in range(_DI):
                if i >= length or rx[at + i] != self._data[i]:
                    return self._refuse(LATE)
            at += _DI
            length -= _DI
            if self._function == READ_NEXT:
                length -= 1
                if length > 0 and rx[at + length] != self._data[_DI]:
                    return self._refuse(LATE)
        self.more = reading and bool(control & _MORE_BIT)
        if not self._fits(length):
            return self._refuse(BAD_LENGTH)
        self.at = at
        self.size = length
        return ANSWER

    def _fits(self, length):
        if self.more or self._function == READ_NEXT:
            return length > 0
        if self._item:
            return length > 0 and length % self._item == 0
        return length == self._expected

    def _is_echo(self, pos, size):
        if size != self._sent - self._wakeups:
            return False
        for i in range(size):
            if self.rx[pos + i] != self._tx[self._wakeups + i]:
                return False
        return True

"""What a DL/T 645 meter is asked: blocks, or one datum after the other where it has no blocks."""

from agent.compat import const
from agent.meter import dlt645, maps
from agent.meter.maps.dlt645 import BITS, MODULUS, ROWS, SIGNED
from agent.meter.master import NOISE
from agent.meter.questions import AGAIN, LATER, MORE, OVER

_ASK_CHARACTERS = const(48)  # besides the data: two frames with wake-up bytes, identifiers, number
_BLOCK = const(0xFF00)
_ITEM = const(0x100)
_FOLLOWS_MAX = const(5)  # frames that a block may be split into, of a number each at worst
_RENEW = const(0xFF)  # readings, less one, after which blocks and lacking data are tried again


class DLT645Questions:
    """See `questions`. A step is a quantity; a block is read with the first of its quantities.

    Without an address the only meter on the line is asked for it first, and again whenever it does
    not answer any more: it may have been replaced. Two answers must agree, and nothing like a third
    may come in the time between: two meters on the line are none.

    `unblocked` counts blocks that the meter refused or is mute about.
    """

    weak = True
    status = 0  # status word 3 is the first row
    modulus = MODULUS
    steps = maps.QUANTITIES
    floats = False

    def __init__(self, digits, wakeups, password, operator):
        self.unblocked = 0
        self._password = password
        self._operator = operator
        self._find = not digits
        self._known = not self._find
        self._found = None  # an address that was answered once
        self._noise = 0  # bytes of noise when it was asked for
        address = dlt645.address(digits) if digits else b""
        self.master = dlt645.Master(address, wakeups)
        self.meter_id = dlt645.digits(address) if digits else None
        self._number = 0  # of the follow-up frame to ask for
        self._data = b""  # of a datum that did not fit one frame, so far
        self._readings = 0
        self._singly = 0  # a bit for each row that is not read as a block
        self._doubted = 0  # a bit for each step that was refused last time: no such data
        self._lacking = 0  # and twice running

    def wanted(self, step, energy):
        row, i = _row(step)
        if i and not self._singly >> row & 1:
            return False
        if self._lacking >> step & 1:
            return False
        return energy or ROWS[row][1][0] < maps.IMPORT

    def characters(self, step):
        row = ROWS[_row(step)[0]]
        return _ASK_CHARACTERS + len(row[1]) * row[2]

    def request(self, step):
        master = self.master
        if not self._known:
            if self._found is None:
                self._noise = master.counts[NOISE]
            return master.read_address()
        if self._number:
            return master.read_next(self._number)
        self._data = b""
        row, i = _row(step)
        di, quantities, size, _kind, _exponent = ROWS[row]
        if quantities[i] == maps.IMPORT:
            self._readings += 1
            if not self._readings & _RENEW:
                self._lacking = self._singly = 0
        if len(quantities) == 1 or self._singly >> row & 1:
            return master.read(di + i * _ITEM, size)
        # A meter lists as many tariffs as it has.
        item = size if quantities[0] == maps.IMPORT else 0
        return master.read(di | _BLOCK, len(quantities) * size, item)

    def take(self, step, readings, now_ms):
        if not self._known:
            return self._identify(readings)
        master = self.master
        rx = master.rx
        at = master.at
        row, i = _row(step)
        _di, quantities, size, kind, exponent = ROWS[row]
        n = 1
        if not self._singly >> row & 1:
            n = len(quantities)
        have = master.size
        if self._number or master.more:
            self._data += bytes(rx[at : at + have])
            rx = bytearray(self._data)
            at = 0
            have = len(rx)
            if have % size:
                return self.refused(step, 0)  # a number in two frames may be of two moments
            if master.more and have < n * size and self._number < _FOLLOWS_MAX:
                self._number += 1
                return MORE
            self._number = 0
            if have < n * size and quantities[0] != maps.IMPORT:
                return self.refused(step, 0)
        self._doubted &= ~(1 << step)
        result = OVER
        for j in range(n):
            quantity = quantities[i + j]
            value = None
            if (j + 1) * size <= have:
                if kind == BITS:
                    value = dlt645.word(rx, at)
                else:
                    value = dlt645.number(rx, at, size, kind == SIGNED)
                    if value is not None:
                        value *= 10 ** (maps.PLACES[quantity] + exponent)
            if not readings.put(quantity, value, now_ms):
                result = AGAIN
            at += size
        return result

    def refused(self, step, error):
        """Go on without what was refused; `error` 0: the meter is mute about it."""
        self._found = None
        if not self._known:
            return OVER
        row, i = _row(step)
        quantities = ROWS[row][1]
        bit = 1 << row
        self._number = 0
        if len(quantities) > 1 and not self._singly & bit:
            self._singly |= bit
            self.unblocked += 1
            return MORE
        # A refusal does not say what it refuses, and may be a late one: only the second counts.
        if error & dlt645.NO_DATA and quantities[i] != maps.IMPORT:
            bit = 1 << step
            self._lacking |= self._doubted & bit
            self._doubted |= bit
        return OVER

    def lost(self):
        self._number = 0
        self._singly = self._doubted = self._lacking = 0
        if self._find:
            self._known = False
            self._found = None

    def switches(self):
        return self._known and bool(self._password)

    def switch(self, permit):
        self._number = 0
        return self.master.switch(permit, self._password, self._operator)

    def set_time(self, parts):
        return self.master.set_time(
            bytes([parts[5 - i] % 100 // 10 << 4 | parts[5 - i] % 10 for i in range(6)])
        )

    def _identify(self, readings):
        """Take an address that was answered; it counts when the next answer is the same."""
        master = self.master
        address = bytes(master.rx[master.at : master.at + master.size])
        meter_id = dlt645.digits(address)
        first, self._found = self._found, None
        if meter_id is None:
            return OVER
        if first is None:
            self._found = address
            return LATER
        if first != address or master.counts[NOISE] - self._noise >= dlt645.OVERHEAD:
            return OVER  # asked again at the next step
        readings.identify(meter_id)
        master.address = address
        self._known = True
        return MORE


def _row(step):
    """Give a step's row, and which of the row's quantities it is."""
    row = 0
    while step >= len(ROWS[row][1]):
        step -= len(ROWS[row][1])
        row += 1
    return row, step

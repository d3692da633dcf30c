"""What a meter is asked, step by step: both protocols behind one interface for the reader.

master              finds the answer to the present request
steps               requests of one full reading
exponents           of each quantity's integers, as in `maps`; 0 where the meter has none
meter_id            the meter's own number in ASCII, None until it is known
is_energy(step)     whether the step reads energy registers
characters(step)    longest request and answer together, for the time they take
request(step)       bytes to send
take(…)             store the answer; False if the step must be asked (again)
lost()              the meter does not answer
switches()          whether the meter's relay can be switched now
switch(permit)      an order to it
status              the step that tells how the relay stands
"""

import binascii

from agent.meter import dlt645, maps, modbus

_ASK_CHARACTERS = 2 * (dlt645.WAKEUPS_MAX + dlt645.OVERHEAD)  # besides what is asked for


class DLT645Questions:
    """One datum after the other, from the meter with these twelve digits.

    Without an address the only meter on the line is asked for it first, and again whenever it does
    not answer any more: it may have been replaced.
    """

    status = 0  # status word 3 is the first row

    def __init__(self, digits, wakeups, password, operator):
        self._password = password
        self._operator = operator
        self._find = not digits
        self._known = not self._find
        address = dlt645.address(digits) if digits else b""
        self.master = dlt645.Master(address, wakeups)
        self.steps = len(maps.DLT645)
        self.exponents = [0] * maps.QUANTITIES
        for row in maps.DLT645:
            self.exponents[row[0]] = row[4]
        self.meter_id = dlt645.digits(address) if digits else None

    def is_energy(self, step):
        return maps.DLT645[step][0] >= maps.IMPORT

    def characters(self, step):
        return _ASK_CHARACTERS + 8 + maps.DLT645[step][2]  # the data identifier goes both ways

    def request(self, step):
        if not self._known:
            return self.master.read_address()
        row = maps.DLT645[step]
        return self.master.read(row[1], row[2])

    def take(self, step, readings, now_ms):
        master = self.master
        rx = master.rx
        at = master.at
        if not self._known:
            address = bytes(rx[at : at + 6])
            meter_id = dlt645.digits(address)
            if meter_id is None:
                return True  # asked again at the next step
            readings.identify(meter_id)
            master.address = address
            self._known = True
            return False
        quantity, _di, size, kind, _exponent = maps.DLT645[step]
        if kind == maps.BITS:
            value = dlt645.word(rx, at)
        else:
            value = dlt645.number(rx, at, size, kind == maps.SIGNED)
        readings.put(quantity, value, now_ms)
        return True

    def lost(self):
        if self._find:
            self._known = False

    def switches(self):
        return self._known and bool(self._password)

    def switch(self, permit):
        return self.master.switch(permit, self._password, self._operator)


class ModbusQuestions:
    """One span of registers after the other; `table` is a map of `maps.MODBUS`."""

    def __init__(self, table, unit):
        self._function, self._spans = table
        self.master = modbus.Master(unit)
        self.steps = len(self._spans)
        self.exponents = [0] * maps.QUANTITIES
        for span in self._spans:
            for row in span[2]:
                self.exponents[row[0]] = row[3]
        self.meter_id = str(unit).encode()

    def is_energy(self, step):
        return self._spans[step][2][0][0] >= maps.IMPORT

    def characters(self, step):
        return modbus.REQUEST + modbus.OVERHEAD + 2 * self._spans[step][1]

    def request(self, step):
        register, count, _rows = self._spans[step]
        return self.master.read(self._function, register, count)

    def take(self, step, readings, now_ms):
        register, _count, rows = self._spans[step]
        for quantity, first, kind, exponent in rows:
            at = self.master.at + 2 * (first - register)
            places = -exponent if kind == modbus.F32 else 0
            readings.put(quantity, modbus.value(self.master.rx, at, kind, places), now_ms)
        return True

    def lost(self):
        pass

    def switches(self):
        return False


def questions_for(protocol, address, unit, wakeups, password, operator):
    """Return the questions of a meter; raise ValueError for a setting that is not allowed."""
    if protocol == "dlt645":
        check("wakeups", wakeups, 0, dlt645.WAKEUPS_MAX)
        # The level goes first and the password as it is written; the operator lowest pair first.
        password = password and _eight("password", password)
        operator = _eight("operator", operator)
        return DLT645Questions(
            address, wakeups, password, bytes([operator[3 - i] for i in range(4)])
        )
    if protocol in maps.MODBUS:
        check("unit", unit, 1, modbus.UNIT_MAX)
        return ModbusQuestions(maps.MODBUS[protocol], unit)
    known = ", ".join(["dlt645"] + sorted(maps.MODBUS))
    raise ValueError("protocol: %r is none of %s" % (protocol, known))


def _eight(key, digits):
    if len(digits) != 8 or not all(c in "0123456789" for c in digits):
        raise ValueError("%s: not eight digits" % key)
    return binascii.unhexlify(digits)


def check(key, value, low, high):
    """Raise ValueError, with what is allowed, unless `value` is a whole number within the limits."""
    if not isinstance(value, int) or not low <= value <= high:
        raise ValueError("%s: %r is not a whole number from %d to %d" % (key, value, low, high))

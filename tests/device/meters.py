"""Scripted meters on a line that can be told to misbehave; they answer by their own means."""

import struct

PILE = "202410010001"
START = 5000  # the clock does not begin at nought

# Data of a DL/T 645 meter as they travel, lowest byte first, without the 33h.
DATA = {
    0x04000503: "0000",
    0x02010100: "9822",  # 229.8 V
    0x02010200: "0123",
    0x02010300: "8922",
    0x02020100: "453401",  # 13.445 A
    0x02020200: "012001",
    0x02020300: "500280",  # -0.250 A
    0x02030000: "252158",  # 58.2125 kW
    0x02030100: "000030",
    0x02030200: "252129",
    0x02030300: "000081",  # -1 kW
    0x02040000: "001081",  # -1.1 kvar
    0x02050000: "000059",
    0x02060000: "0105",
    0x02080100: "1002",  # 2.10 %
    0x02080200: "0000",
    0x02080300: "9901",
    0x02800002: "0250",
    0x00010000: "97999999",
    0x00010100: "00000010",
    0x00010200: "00000020",
    0x00010300: "97999969",
    0x00010400: "00000000",
    0x00020000: "26000000",
}
BLOCKS = {
    0x0201FF00: (0x02010100, 0x02010200, 0x02010300),
    0x0202FF00: (0x02020100, 0x02020200, 0x02020300),
    0x0203FF00: (0x02030000, 0x02030100, 0x02030200, 0x02030300),
    0x0208FF00: (0x02080100, 0x02080200, 0x02080300),
    0x0001FF00: (0x00010000, 0x00010100, 0x00010200, 0x00010300, 0x00010400),
}
# What a reading asks for, in this order.
ORDER = [
    0x04000503,
    0x0201FF00,
    0x0202FF00,
    0x0203FF00,
    0x02060000,
    0x02800002,
    0x0001FF00,
    0x00020000,
    0x02040000,
    0x02050000,
    0x0208FF00,
]

# An SDM630's registers as floats; power in watts.
FLOATS = {
    0x00: 230.2,
    0x02: 229.9,
    0x04: 231.1,
    0x06: 10.5,
    0x08: 0.0,
    0x0A: -3.25,
    0x0C: 1000.5,
    0x0E: 0.0,
    0x10: -2235.0,
    0x34: -1234.5,
    0x38: 2420.25,
    0x3C: -77.0,
    0x3E: 0.5,
    0x46: 49.75,
    0x48: 12345.67,
    0x4A: 0.5,
    0xEA: 1.25,
    0xEC: 2.5,
    0xEE: 0.75,
}


class Chance:
    """Numbers that are the same on both interpreters: a multiplicative generator of 31 bits."""

    def __init__(self, seed):
        self._state = 2 * seed + 1

    def randrange(self, low, high=None):
        if high is None:
            low, high = 0, low
        self._state = self._state * 48271 % 0x7FFFFFFF
        return low + (self._state >> 4) % (high - low)


class DLT645:
    """`mute` and `refused` data are not told; `item_max` is how many bytes of a value fit a frame."""

    def __init__(self, number=PILE):
        self.address = bytes([int(number[i : i + 2], 16) for i in range(10, -1, -2)])
        self.data = dict(DATA)
        self.blocks = True
        self.item_max = 200
        self.mute = set()
        self.refused = set()
        self.times = []  # what was broadcast

    def asked(self, request):
        """What a request is for: a data identifier, (identifier, number), "address" or "time"."""
        head = request.index(b"\x68")
        control = request[head + 8]
        if control in (0x13, 0x08):
            return "address" if control == 0x13 else "time"
        raw = [(byte - 0x33) % 256 for byte in request[head + 10 : -2]]
        di = raw[0] | raw[1] << 8 | raw[2] << 16 | raw[3] << 24
        return (di, raw[4]) if control == 0x12 else di

    def answer(self, request):
        what = self.asked(request)
        head = request.index(b"\x68")
        if what in self.mute:
            return b""
        if what == "time":
            self.times.append(bytes([(byte - 0x33) % 256 for byte in request[head + 10 : -2]]))
            return b""
        if what == "address":
            return self.frame(0x93, self.address)
        if request[head + 1 : head + 7] != self.address:
            return b""
        di, number = what if isinstance(what, tuple) else (what, 0)
        value = self.value(di)
        if what in self.refused or value is None:
            return self.frame(0xD1, b"\x02")
        identifier = bytes([di >> shift & 0xFF for shift in (0, 8, 16, 24)])
        part = value[number * self.item_max : (number + 1) * self.item_max]
        more = 0x20 if len(value) > (number + 1) * self.item_max else 0
        if number:
            return self.frame(0x92 | more, identifier + part + bytes([number]))
        return self.frame(0x91 | more, identifier + part)

    def value(self, di):
        if di in self.data:
            return bytes.fromhex(self.data[di])
        if di in BLOCKS and self.blocks:
            return b"".join([bytes.fromhex(self.data[one]) for one in BLOCKS[di]])
        return None

    def frame(self, control, payload):
        body = b"\x68" + self.address + b"\x68" + bytes([control, len(payload)])
        body += bytes([(byte + 0x33) % 256 for byte in payload])
        return body + bytes([sum(body) % 256, 0x16])


class Modbus:
    """A meter with these `registers`; those not named hold nought. A `mute` first register is not told."""

    def __init__(self, unit=1, function=4):
        self.unit = unit
        self.function = function
        self.registers = {}
        self.mute = set()
        self.refused = set()

    def put_float(self, register, value):
        self.registers[register], self.registers[register + 1] = struct.unpack(
            ">HH", struct.pack(">f", value)
        )

    def put_int(self, register, value):
        self.registers[register] = value >> 16 & 0xFFFF
        self.registers[register + 1] = value & 0xFFFF

    def asked(self, request):
        return request[2] << 8 | request[3]

    def answer(self, request):
        first = self.asked(request)
        if request[0] != self.unit or first in self.mute:
            return b""
        if request[1] != self.function or first in self.refused:
            frame = bytes([self.unit, request[1] | 0x80, 2])
            return frame + crc(frame)
        count = request[5]
        frame = bytes([self.unit, self.function, 2 * count])
        for register in range(first, first + count):
            frame += struct.pack(">H", self.registers.get(register, 0))
        return frame + crc(frame)


class SDM630(Modbus):
    """A Modbus meter of floats."""

    def __init__(self, unit=1):
        super().__init__(unit)
        for register, value in FLOATS.items():
            self.put_float(register, value)


def crc(frame):
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return bytes([value & 0xFF, value >> 8])


class Line:
    """A half-duplex line with a meter at the other end.

    `delay_ms` is the meter's; `alter(bytes)` may spoil its answers; `echo` gives back what is
    sent; `room` is how much a write takes at once.
    """

    def __init__(self, meter):
        self.meter = meter
        self.now = START
        self.delay_ms = 60
        self.alter = None
        self.echo = False
        self.room = 100
        self.requests = []  # (time, what was asked)
        self.last_byte_ms = -1000
        self.silence_ms = []  # before each request
        self._sending = b""
        self._coming = []  # (time, bytes)

    def say(self, delay_ms, data):
        at = len(self._coming)
        while at and self._coming[at - 1][0] > self.now + delay_ms:
            at -= 1
        self._coming.insert(at, (self.now + delay_ms, data))

    def write(self, data):
        taken = bytes(data[: self.room])
        if taken and not self._sending:
            self.silence_ms.append(self.now - self.last_byte_ms)
        self._sending += taken
        if taken and len(taken) == len(data):
            request = self._sending
            self._sending = b""
            self.requests.append((self.now, self.meter.asked(request)))
            if self.echo:
                self.say(1, request)
            answer = self.meter.answer(request)
            if self.alter:
                answer = self.alter(answer)
            if answer:
                self.say(self.delay_ms, answer)
        return len(taken)

    def readinto(self, buf):
        come = b""
        while self._coming and self._coming[0][0] <= self.now:
            come += self._coming.pop(0)[1]
            self.last_byte_ms = self.now
        n = min(len(buf), len(come))
        buf[:n] = come[:n]
        if n < len(come):
            self._coming.insert(0, (self.now, come[n:]))
        return n

    def asked(self):
        """What was asked for, and forget it."""
        asked = [what for _time, what in self.requests]
        self.requests.clear()
        return asked


def run(reader, line, until_ms):
    """Poll as often as the reader wants to be, up to this time."""
    while line.now < until_ms:
        wait_ms = reader.poll(line.now)
        if wait_ms <= 0:
            raise AssertionError("poll wants %r" % wait_ms)
        line.now = min(line.now + wait_ms, until_ms)

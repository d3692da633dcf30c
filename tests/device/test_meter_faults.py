"""Thousands of exchanges on a bad line: the right value or none, never a wrong one.

The meter's values move as a ship's load does, and a checker that knows them at every moment looks at
everything the reader gives out. Each exchange may be spoilt: bytes before, inside and after a frame,
echo, halves, answers that come late by parts of a second or by a whole reading, another meter's
answers, silence.
"""

import unittest

from meters import DLT645, PILE, START, Chance, Line, Modbus, run
from support import ON_MICROPYTHON

from agent.meter.maps import adw300, dtsd1352, dtsu666, sdm630
from agent.meter.reader import MeterReader

PERIOD = 10000
OLDEST_MS = 3 * PERIOD + 1000  # two of its life, and one that an answer may be late
READINGS = 8 if ON_MICROPYTHON else 60  # tests/simulators/test_meter_soak.py reads more

NASTY = b"\x68\xfe\xfe\xfe\xfe\xfe\xfe"


class Load:
    """What a meter sees at each moment, as integers: 0.1 V, mA, 0.1 W and counts of 0.01 kWh."""

    def __init__(self, rng, base):
        self._rng = rng
        self._ms = 0
        self._mws = base  # 0.01 kWh are 36,000,000 mWs
        self.log = []  # (ms, volts, milliamperes, deciwatts, counts), each true from then on
        self._next(0)

    def at(self, ms):
        while ms >= self._ms + 700:
            self._next(self._ms + 700)
        return self.log[-1]

    def _next(self, ms):
        rng = self._rng
        w = 0 if ms // 40000 % 5 == 4 else 200 + ms // 40000 % 7 * 900 + 20 * rng.randrange(5)
        self._mws += w * 700
        self._ms = ms
        volts = 2250 + rng.randrange(100)
        self.log.append((ms, volts, w * 5, w * 10, self._mws // 36000))
        while self.log[0][0] < ms - 2 * OLDEST_MS:
            self.log.pop(0)

    def was(self, column, value, since_ms):
        """Whether this was true at any time since."""
        self.log = [
            row
            for i, row in enumerate(self.log)
            if i + 1 == len(self.log) or self.log[i + 1][0] >= since_ms
        ]
        return any(row[column] == value for row in self.log)


def bcd(value, size):
    text = "%0*d" % (2 * size, value)
    return "".join([text[i : i + 2] for i in range(2 * size - 2, -1, -2)])


def show_dlt645(meter, row):
    _ms, volts, amps, watts, counts = row
    for phase in range(3):
        meter.data[0x02010100 + 0x100 * phase] = bcd(volts, 2)
        meter.data[0x02020100 + 0x100 * phase] = bcd(amps, 3)
    meter.data[0x02030000] = bcd(watts, 3)
    meter.data[0x00010000] = bcd(counts % 100000000, 4)
    meter.data[0x00010300] = bcd(counts % 100000000, 4)


def show_modbus(table):
    """Write the values of a Modbus map with struct only."""
    scales = {0: (1, -1), 3: (2, -3), 6: (3, -1), 18: (4, -2)}  # quantity: column, its exponent

    def show(meter, row):
        for _first, _count, rows in table.SPANS:
            for quantity, register, kind, exponent in rows:
                near = 0 if quantity < 3 else 3 if quantity < 6 else quantity
                if near not in scales:
                    continue
                column, own = scales[near]
                value = row[column] * 10 ** (own - exponent)
                if kind == 3:
                    meter.put_float(register, value)
                elif kind == 2:
                    meter.put_int(register, int(value))
                else:
                    meter.registers[register] = int(value)

    return show


class Faults:
    """Spoils the answers of a meter on a Line, one in `rarity` in each way."""

    def __init__(self, rng, line, load, show, other, rarity):
        self._rng = rng
        self._line = line
        self._load = load
        self._show = show
        self._rarity = rarity
        self._other = other  # an answer of another meter on the line, to the same question
        self._request = b""
        answer = line.meter.answer

        def answered(request):
            self._request = request
            show(line.meter, load.at(line.now))
            return answer(request)

        line.meter.answer = answered
        line.alter = self.alter

    def noise(self, n=12):
        return bytes([self._rng.randrange(256) for _ in range(self._rng.randrange(n))])

    def alter(self, answer):
        rng = self._rng
        line = self._line
        line.delay_ms = rng.randrange(20, 300)
        line.echo = rng.randrange(8) == 0
        if rng.randrange(self._rarity):
            return answer
        what = rng.randrange(13)
        if what == 0:
            return b""
        if what == 1:
            return self.noise() + answer
        if what == 2:
            return answer + self.noise()
        if what == 3:
            return NASTY + answer
        if what == 4:
            return b"\xfe" * rng.randrange(30) + answer
        if what == 5:
            return answer[: rng.randrange(len(answer) + 1)]
        if what == 6:
            line.delay_ms = rng.randrange(300, 2500)
        if what == 7:
            line.delay_ms = PERIOD + rng.randrange(-200, 400)
        if what == 8:
            return self._other(line.meter, self._request) + answer
        if what == 9:
            return self.noise(200)
        if what >= 10 and answer:
            answer = bytearray(answer)
            if rng.randrange(2):  # a burst
                at = rng.randrange(len(answer))
                for i in range(at, min(len(answer), at + rng.randrange(1, 9))):
                    answer[i] = rng.randrange(256)
            else:
                for _ in range(rng.randrange(1, 5)):
                    answer[rng.randrange(len(answer))] ^= 1 << rng.randrange(8)
        return bytes(answer)


def other_dlt645(meter, request):
    """The same question, answered by the meter with the next number."""
    own = meter.address
    meter.address = bytes([own[0] + 1]) + own[1:]
    head = request.index(b"\x68")
    asked = request[: head + 1] + meter.address + request[head + 7 :]
    answer = DLT645.answer(meter, asked)
    meter.address = own
    return answer


def other_modbus(meter, request):
    meter.unit += 1
    answer = Modbus.answer(meter, bytes([meter.unit]) + request[1:])
    meter.unit -= 1
    return answer


def rounded(value, unit):
    return (value + unit // 2) // unit


class Soak(unittest.TestCase):
    def soak(self, seed, protocol, meter, show, other, rarity=3, readings=READINGS):
        rng = Chance(seed)
        load = Load(rng, 12345 * 36000000)
        line = Line(meter)
        Faults(rng, line, load, show, other, rarity)
        reader = MeterReader(line, protocol=protocol, address=PILE, period_ms=PERIOD)
        out = [None] * 11
        given = 0
        highest = 0
        while line.now < START + readings * PERIOD:
            run(reader, line, line.now + 500)
            load.at(line.now)
            since_ms = line.now - OLDEST_MS
            reader.meter_values(line.now, out)
            where = (seed, line.now)
            for i in range(7):
                if out[i] is None:
                    continue
                given += 1
                if i < 3:
                    self.assertTrue(load.was(1, out[i], since_ms), (where, i, out[i]))
                elif i < 6:
                    self.assertTrue(load.was(2, out[i], since_ms), (where, i, out[i]))
                else:
                    self.assertTrue(load.was(3, out[i] * 10, since_ms), (where, i, out[i]))
            counts = reader.energy(line.now)
            if counts is not None and counts[0] is not None:
                given += 1
                self.assertTrue(load.was(4, counts[0], since_ms), (where, counts[0]))
                self.assertTrue(counts[0] >= highest, (where, counts[0], highest))
                highest = counts[0]
        self.assertTrue(given > readings * 15, (given, readings))
        self.assertTrue(reader.bad + reader.noise > readings)
        return reader

    def test_dlt645(self):
        self.soak(1, "dlt645", DLT645(), show_dlt645, other_dlt645)

    def test_dlt645_without_blocks(self):
        meter = DLT645()
        meter.blocks = False
        self.soak(2, "dlt645", meter, show_dlt645, other_dlt645)

    def test_dlt645_with_follow_up_frames(self):
        meter = DLT645()
        meter.item_max = 8
        self.soak(3, "dlt645", meter, show_dlt645, other_dlt645)

    def test_modbus(self):
        for seed, protocol, table in (
            (4, "sdm630", sdm630),
            (5, "dtsd1352", dtsd1352),
            (6, "adw300", adw300),
            (7, "dtsu666", dtsu666),
        ):
            meter = Modbus(1, table.FUNCTION)
            self.soak(seed, protocol, meter, show_modbus(table), other_modbus)


if __name__ == "__main__":
    unittest.main()

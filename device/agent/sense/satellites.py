"""Which satellites a receiver uses (GSA) and sees (GSV), each satellite counted once.

Constellations are in the order GPS, GLONASS, Galileo, BeiDou; SBAS, QZSS and NavIC are not counted.

A satellite's constellation follows from the talker, from the system id (field 18 of GSA since NMEA
4.10) and, where these leave it open (talkers GP and GN of older receivers), from its number. Numbers
differ by maker: BeiDou satellites appear as 1-63, 141 and up, 201-263 or 401-463, Galileo as 1-36,
101-136 or 301-336, GLONASS as 65-99 or 1-32. Only the count matters here, so a satellite's place is
its number modulo 64: each of these ranges keeps its satellites apart.

GSA comes once per epoch, in one or several sentences and in any place among the others: what was
collected between two changes of the time of day is one set. GSV comes in cycles of its own, one per
talker, sometimes slower than the fix and with a round of sentences for each signal: a cycle ends
when a signal comes up again, and counts if no sentence of it was lost.
"""

from agent.compat import const

GPS = const(0)
GLONASS = const(1)
GALILEO = const(2)
BEIDOU = const(3)
_SYSTEMS = const(4)
_NONE = const(-1)  # a satellite that is not counted

# Without sentences for so long, nothing is known: twice the slowest usual GSV cycle (5 s).
STALE_MS = const(10000)

_CN0_MAX = const(99)  # two digits
_ROW = const(8)  # bytes of one constellation's bits

# Talkers, as `Sentence.talker`.
_GN = const(0x474E)
_GP = const(0x4750)
_GL = const(0x474C)
_GA = const(0x4741)
_GB = const(0x4742)
_BD = const(0x4244)
_PQ = const(0x5051)  # modem modules: BeiDou and QZSS, told apart by the system id

# System ids of NMEA 4.11; 1 also stands for "by its number".
_BY_NUMBER = const(1)
_QZSS = const(5)


class Satellites:
    """Counts satellites; see the module's text.

    `used`, `view`: lists of four counts; `mode`: 1 no fix, 2 two-dimensional, 3 three-dimensional;
    `cn0_db`: the strongest signal in dB-Hz. Each is None while it is not known.
    """

    def __init__(self):
        self.used = [None] * _SYSTEMS
        self.view = [None] * _SYSTEMS
        self.mode = None
        self._used_bits = bytearray(_SYSTEMS * _ROW)
        self._used_mode = 0  # best of this epoch; 0: no GSA yet
        self._used_ms = 0
        self._gsa_ms = 0
        self._view_bits = bytearray(_SYSTEMS * _ROW)
        self._view_ms = [0] * _SYSTEMS
        self._cycles = [_Cycle(1 << i) for i in range(_SYSTEMS)]

    @property
    def cn0_db(self):
        best = None
        for i in range(_SYSTEMS):
            cn0 = self._cycles[i].cn0
            if self.view[i] is not None and cn0 is not None and (best is None or cn0 > best):
                best = cn0
        return best

    def take_gsa(self, sentence, now_ms):
        """Read a GSA sentence; raises FieldError."""
        mode = sentence.char(2) - 0x30
        if not 1 <= mode <= 3:
            raise sentence.error("value", 2)
        system = _system(sentence.talker)
        if system == _BY_NUMBER and sentence.fields == 18:
            # SiRF puts a fourth dilution of precision here, with a decimal point.
            if sentence.end(18) - sentence.start(18) == 1:
                system = sentence.hexadecimal(18)
        elif sentence.talker == _PQ:
            system = sentence.hexadecimal(18)
        for i in range(3, 15):
            number = sentence.integer(i)
            if number and number > 0:
                _mark(self._used_bits, _constellation(system, number), number)
        self._used_mode = max(self._used_mode, mode)
        self._gsa_ms = now_ms

    def epoch(self, now_ms):
        """Close the epoch: the satellites of its GSA sentences, if there were any, are those used."""
        if not self._used_mode:
            return
        fresh = now_ms - self._gsa_ms <= STALE_MS
        if fresh:
            self.mode = self._used_mode
            self._used_ms = now_ms
        self._used_mode = 0
        for i in range(_SYSTEMS):
            count = _take_count(self._used_bits, i)
            if fresh:
                self.used[i] = count

    def take_gsv(self, sentence, now_ms):
        """Read a GSV sentence; raises FieldError."""
        total = sentence.integer(1)
        number = sentence.integer(2)
        # Behind the groups of four may stand a signal id, and on modem modules the system id.
        extra = (sentence.fields - 3) % 4
        if not total or not number or not 1 <= number <= total or extra > 2:
            raise sentence.error("value", 2)
        last = sentence.fields - extra
        signal = sentence.hexadecimal(last + 1) or 0 if extra else 0
        if signal > 15:
            raise sentence.error("value", last + 1)
        system = _system(sentence.talker)
        if sentence.talker == _PQ:
            system = sentence.hexadecimal(last + 2)
        if not system or not _BY_NUMBER <= system < _QZSS:
            return
        cycle = self._cycles[system - 1]
        if number == 1:
            if cycle.signals == 0 or cycle.signals & 1 << signal:
                self._close(cycle, now_ms)
            cycle.begin(signal, total, now_ms)
        elif not cycle.goes_on(signal, number, total):
            cycle.torn = True
        for i in range(4, last - 2, 4):
            satellite = sentence.integer(i)
            cn0 = sentence.integer(i + 3)
            if cn0 is not None and not 0 <= cn0 <= _CN0_MAX:
                raise sentence.error("value", i + 3)
            where = _constellation(system, satellite) if satellite and satellite > 0 else _NONE
            if where != _NONE:
                _mark(self._view_bits, where, satellite)
                cycle.reach |= 1 << where
                if cn0 and (cycle.best is None or cn0 > cycle.best):
                    cycle.best = cn0
        cycle.last = number

    def poll(self, now_ms):
        """Forget what is older than STALE_MS."""
        if now_ms - self._used_ms > STALE_MS:
            self.mode = None
            for i in range(_SYSTEMS):
                self.used[i] = None
        for i in range(_SYSTEMS):
            if now_ms - self._view_ms[i] > STALE_MS:
                self.view[i] = None

    def _close(self, cycle, now_ms):
        good = cycle.signals and cycle.is_whole() and now_ms - cycle.since_ms <= STALE_MS
        for i in range(_SYSTEMS):
            if cycle.reach & 1 << i:
                count = _take_count(self._view_bits, i)
                if good:
                    self.view[i] = count
                    self._view_ms[i] = now_ms
        if good:
            cycle.cn0 = cycle.best
        cycle.restart()


class _Cycle:
    """One talker's GSV cycle: a round of sentences for each signal.

    `reach` has the bit of each constellation that the talker speaks of, `signals` of each signal
    that had its round, `best` is the strongest signal; `cn0` that of the last whole cycle.
    """

    def __init__(self, own):
        self.own = own
        self.cn0 = None
        self.restart()

    def restart(self):
        self.best = None
        self.reach = self.own
        self.signals = 0
        self.torn = False
        self.since_ms = 0
        self.last = 0  # sentence of the round that was read last, of …
        self.total = 0
        self.signal = 0

    def begin(self, signal, total, now_ms):
        self.torn = not self.is_whole()
        if not self.signals:
            self.since_ms = now_ms
        self.signals |= 1 << signal
        self.signal = signal
        self.last = 0
        self.total = total

    def goes_on(self, signal, number, total):
        return signal == self.signal and number == self.last + 1 and total == self.total

    def is_whole(self):
        return not self.torn and self.last == self.total


def _system(talker):
    if talker == _GL:
        return GLONASS + 1
    if talker == _GA:
        return GALILEO + 1
    if talker in (_GB, _BD):
        return BEIDOU + 1
    if talker in (_GP, _GN):
        return _BY_NUMBER
    return _QZSS


def _constellation(system, number):
    # The satellite's constellation; what lies between the ranges is SBAS, QZSS or unknown.
    if system == BEIDOU + 1:
        return BEIDOU
    if system == GALILEO + 1:
        return GALILEO
    if system == GLONASS + 1:
        return _NONE if 33 <= number <= 64 else GLONASS
    if system != _BY_NUMBER:
        return _NONE
    if number <= 32:
        return GPS
    if 65 <= number <= 99:
        return GLONASS
    if 101 <= number <= 136 or 301 <= number <= 336:
        return GALILEO
    if 141 <= number <= 192 or 201 <= number <= 263 or 401 <= number <= 463:
        return BEIDOU
    return _NONE


def _mark(bits, constellation, number):
    if constellation != _NONE:
        bits[constellation * _ROW + (number >> 3 & 7)] |= 1 << (number & 7)


def _take_count(bits, constellation):
    # The satellites marked; the marks are wiped.
    count = 0
    for i in range(constellation * _ROW, (constellation + 1) * _ROW):
        row = bits[i]
        bits[i] = 0
        while row:
            row &= row - 1
            count += 1
    return count

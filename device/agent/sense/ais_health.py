"""Whether the AIS receiver hears: rates, stations, and silence told apart from a quiet channel.

    health = Health(ais, line, alarms)
    health.heard(mmsi)              of each report fetched
    health.poll(now_ms)
    health.verdict                  codes.AIS_HEARS, …
    health.values(now_ms)           `rx`, from ais_health to ais_others_pm

A channel is quiet where few ships pass, at night, and under a low antenna. Two things are learnt
since the start: the longest silence that is normal here (slowly forgotten), and whether the receiver
sends sentences of its own (VDO, VSI, TXT, ALR …). A receiver that goes on with those may be quiet for
four times the normal silence, one that never sent any for twice; one that sent some and stopped is
deaf. Silence on a low antenna stays ambiguous all the same.
"""

from array import array

from agent.compat import const
from agent.wire import codes

_POLL_MS = const(10000)
_ROWS = const(5)  # of counters, each _ROW_S apart: together ten minutes
_ROW_S = const(120)
_HOUR = const(30)  # so many
_COLUMNS = const(7)  # five classes of messages, good lines, bad ones

_HEARS_S = const(600)  # a message within: it hears
_DEAF_S = const(900)  # no silence shorter than this is deafness
_NORMAL_S = const(1800)  # longest normal silence, as long as nothing is known
_NORMAL_MAX_S = const(21600)
_FORGET = const(7)  # 1/128 of it an hour, about a sixth in a day: nights are quieter
_BEATS = const(5)  # own sentences at so many polls: it sends them regularly,
_BEAT_S = const(3600)  # and does no more when there was none for so long

_BAD_LINES_MIN = const(20)
_BAD_SHARE = const(5)  # one of so many lines bad: garbled

# Stations are estimated by the bits that they set; each new one counts for as many as its chance was
# small. Right to about 5 % up to 1,000.
_BITS = const(512)


class Health:
    """A part; `ais` and `line` are the AIS reader and the Receiver whose counters are looked at."""

    def __init__(self, ais, line, alarms):
        self.verdict = codes.AIS_UNKNOWN
        self.alive = False  # it sent sentences of its own within a quarter of an hour
        self._ais = ais
        self._line = line
        self._alarms = alarms
        self._rows = array("H", bytes(2 * _ROWS * _COLUMNS))
        self._start_s = None  # uptime goes on over a deep sleep, this does not
        self._ticks = 0
        self._heard = 0
        self._heard_s = 0
        self._normal_s = _NORMAL_S
        self._own = 0
        self._own_s = 0
        self._beats = 0
        self._set = bytearray(_BITS // 8)
        self._unset = _BITS
        self._estimate = 0  # in 1/16
        self._stations = None

    def heard(self, mmsi):
        """Take the sender of a report."""
        i = (mmsi ^ mmsi >> 9 ^ mmsi >> 18) % _BITS
        if not self._set[i >> 3] >> (i & 7) & 1:
            self._set[i >> 3] |= 1 << (i & 7)
            self._estimate += 16 * _BITS // self._unset
            self._unset -= 1

    def poll(self, now_ms):
        if self._start_s is None:
            self._start_s = now_ms // 1000
        now_s = now_ms // 1000 - self._start_s
        counters = self._counters()
        heard = sum(counters[:5])
        if heard != self._heard:
            # Little is learnt at once: the silence may have been a fault that was repaired.
            most_s = min(max(2 * self._normal_s, _DEAF_S), _NORMAL_MAX_S)
            self._normal_s = max(self._normal_s, min(now_s - self._heard_s, most_s))
            self._heard = heard
            self._heard_s = now_s
        own = self._ais.owns + self._line.unknown
        if own != self._own:
            self._own = own
            self._own_s = now_s
            self._beats += 1
        while self._ticks < now_s // _ROW_S:
            self._tick(counters)
        self._judge(now_s, counters)
        return _POLL_MS

    def values(self, now_ms):
        """Return (health, stations, ships, statics, bases, atons and others a minute)."""
        stations = self._stations
        if stations is None:
            stations = (self._estimate + 8) >> 4
        if not self._ticks:
            return self.verdict, stations, None, None, None, None, None
        now_s = now_ms // 1000 - self._start_s
        span_s = now_s - _ROW_S * max(0, self._ticks - _ROWS + 1)  # since the oldest row
        rates = [(60 * n + span_s // 2) // span_s for n in self._since(self._counters())]
        return (self.verdict, stations) + tuple(rates[:5])

    def _judge(self, now_s, counters):
        good, bad = self._since(counters)[5:]
        silent_s = now_s - self._heard_s
        own_s = now_s - self._own_s
        self.alive = self._beats > 0 and own_s <= _DEAF_S
        allowed_s = max(_DEAF_S, self._normal_s * (4 if self.alive else 2))
        if self._beats >= _BEATS and own_s > _BEAT_S:
            allowed_s = _DEAF_S
        verdict = codes.AIS_QUIET if self._heard else codes.AIS_UNKNOWN
        if good + bad >= _BAD_LINES_MIN and bad * _BAD_SHARE > good + bad:
            verdict = codes.AIS_GARBLED
        elif self._heard and silent_s <= _HEARS_S:
            verdict = codes.AIS_HEARS
        elif silent_s > allowed_s:
            verdict = codes.AIS_DEAF
        self.verdict = verdict
        if silent_s > allowed_s:
            self._alarms.set(codes.ALARM_AIS_DEAF, codes.LEVEL_WARNING, silent_s, allowed_s)
        elif verdict in (codes.AIS_HEARS, codes.AIS_QUIET):
            self._alarms.set(codes.ALARM_AIS_DEAF, 0)

    def _counters(self):
        ais = self._ais
        lines = self._line.assembler
        bad = lines.bad + ais.bad
        return (ais.ships, ais.statics, ais.bases, ais.atons, ais.others, lines.lines, bad)

    def _since(self, counters):
        # What they grew by since the oldest row; a line gives less than 65,536 in that time.
        at = self._ticks % _ROWS * _COLUMNS
        return [(counters[i] - self._rows[at + i]) & 0xFFFF for i in range(_COLUMNS)]

    def _tick(self, counters):
        at = self._ticks % _ROWS * _COLUMNS
        for i in range(_COLUMNS):
            self._rows[at + i] = counters[i] & 0xFFFF
        self._ticks += 1
        if self._ticks % _ROWS == 0:
            self._stations = (self._estimate + 8) >> 4
            self._estimate = 0
            self._unset = _BITS
            self._set = bytearray(_BITS // 8)
        if self._ticks % _HOUR == 0:
            self._normal_s -= self._normal_s >> _FORGET

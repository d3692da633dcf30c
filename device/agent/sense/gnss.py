"""Position, quality, speed and time from a GNSS receiver's sentences.

    gnss = GNSS()
    gnss.take(sentence, now_ms)   # True: it was one of these
    gnss.poll(now_ms)             # forgets what has become stale
    gnss.lat_e6, gnss.sats, gnss.used[BEIDOU], gnss.take_time()

Reads GGA, RMC, GNS, GLL, VTG, ZDA, GSA and GSV (IEC 61162-1) of the talkers of GPS, GLONASS, Galileo,
BeiDou (GB and the BD of BD 410004-2015), QZSS and of combined receivers. A sentence that says
"invalid" takes the fix away at once; a sentence that stays away lets its values lapse after
`STALE_MS`. A sentence that is refused (`malformed`) changes nothing.
"""

from agent.compat import const
from agent.sense.satellites import STALE_MS, Satellites
from agent.sense.sentence import FieldError
from agent.sense.utc import seconds_since_2020

# Sentences, as `Sentence.type`.
_GGA = const(0x474741)
_GLL = const(0x474C4C)
_GNS = const(0x474E53)
_GSA = const(0x475341)
_GSV = const(0x475356)
_RMC = const(0x524D43)
_VTG = const(0x565447)
_ZDA = const(0x5A4441)

# GP GN GL GA GB BD GQ QZ PQ; `$PGRMC` of a plotter is no RMC.
_TALKERS = (0x4750, 0x474E, 0x474C, 0x4741, 0x4742, 0x4244, 0x4751, 0x515A, 0x5051)

_A = const(0x41)
_N = const(0x4E)
_T = const(0x54)
_V = const(0x56)

_QUALITY_MAX = const(8)
_SATS_MAX = const(99)
_TURN = const(36000)  # hundredths of a degree

# GNS gives a letter per constellation; the best one, latest here, is the fix's quality in GGA's
# numbers.
_MODES = b"NSMEADPFR"
_QUALITIES = b"\x00\x08\x07\x06\x01\x02\x03\x05\x04"

# Receivers without a dilution of precision send 0, 99.0 or 99.99.
_HDOP_NONE = const(9900)

# Sentences of one epoch come within it, and no receiver here is slower than this.
_EPOCH_MS = const(2000)


class GNSS:
    """What the receiver says now; None where it says nothing.

    `lat_e6`, `lon_e6` (degrees·10⁶), `fix_ms` (when), `quality` (GGA, 0 to 8), `sats` (used, all
    constellations), `hdop_e2`, `alt_dm`, `sog_e2` (knots·100), `cog_cd` (degrees·100), and of the
    satellites `mode`, `used`, `view`, `cn0_db` (see Satellites).

    `utc_s2020` and `utc_ms` are the last time given, `utc_at_ms` when its epoch's first sentence
    came, `utc_valid` whether it came with a fix. Counters: `malformed` (sentences refused),
    `old_dates` (times with a fix, but before 2020 or beyond the records' range: the receiver's week
    number has rolled over).
    """

    def __init__(self):
        self.lat_e6 = None
        self.lon_e6 = None
        self.fix_ms = None
        self.quality = None
        self.sats = None
        self.hdop_e2 = None
        self.alt_dm = None
        self.sog_e2 = None
        self.cog_cd = None
        self.utc_s2020 = None
        self.utc_ms = None
        self.utc_at_ms = None
        self.utc_valid = False
        self.malformed = 0
        self.old_dates = 0
        self._satellites = Satellites()
        self.used = self._satellites.used
        self.view = self._satellites.view
        self._quality_ms = 0
        self._speed_ms = 0
        self._time_new = False
        self._day_ms = None  # time of day of this epoch, and when its first sentence came
        self._day_at_ms = 0

    @property
    def mode(self):
        return self._satellites.mode

    @property
    def cn0_db(self):
        return self._satellites.cn0_db

    def fix_age_ms(self, now_ms):
        """Return the time since the last valid position, None if there was none."""
        return None if self.fix_ms is None else now_ms - self.fix_ms

    def take_time(self):
        """Return `(seconds since 2020, milliseconds, when it came)` once per valid time, else None."""
        if not self._time_new:
            return None
        self._time_new = False
        return self.utc_s2020, self.utc_ms, self.utc_at_ms

    def poll(self, now_ms):
        """Forget what is older than STALE_MS."""
        if self.fix_ms is not None and now_ms - self.fix_ms > STALE_MS:
            self._lose_fix()
        if now_ms - self._quality_ms > STALE_MS:
            self.quality = self.sats = self.hdop_e2 = self.alt_dm = None
        if now_ms - self._speed_ms > STALE_MS:
            self.sog_e2 = self.cog_cd = None
        self._satellites.poll(now_ms)

    def take(self, sentence, now_ms):
        """Read `sentence` if it is one of ours; tell whether it is."""
        if sentence.talker not in _TALKERS:
            return False
        kind = sentence.type
        try:
            if kind == _GSV:
                self._satellites.take_gsv(sentence, now_ms)
            elif kind == _GSA:
                self._satellites.take_gsa(sentence, now_ms)
            elif kind == _GGA:
                self._take_gga(sentence, now_ms)
            elif kind == _RMC:
                self._take_rmc(sentence, now_ms)
            elif kind == _GNS:
                self._take_gns(sentence, now_ms)
            elif kind == _GLL:
                self._take_gll(sentence, now_ms)
            elif kind == _VTG:
                self._take_vtg(sentence, now_ms)
            elif kind == _ZDA:
                self._take_zda(sentence, now_ms)
            else:
                return False
        except FieldError:
            self.malformed += 1
        return True

    def _take_gga(self, s, now_ms):
        quality = s.integer(6) or 0
        if not 0 <= quality <= _QUALITY_MAX:
            raise s.error("value", 6)
        self._take_fix(s, quality, now_ms)

    def _take_gns(self, s, now_ms):
        best = 0
        for at in range(s.start(6), s.end(6)):
            rank = 0
            while rank < len(_MODES) and _MODES[rank] != s.buffer[at]:
                rank += 1
            if rank == len(_MODES):
                raise s.error("value", 6)
            best = max(best, rank)
        self._take_fix(s, _QUALITIES[best], now_ms)

    def _take_fix(self, s, quality, now_ms):
        # GGA and GNS, whose fields are the same except for the quality.
        day_ms = s.time_of_day_ms(1)
        sats = s.integer(7)
        if sats is not None and not 0 <= sats <= _SATS_MAX:
            raise s.error("value", 7)
        hdop = alt = lat = lon = None
        if quality:
            lat = s.latitude_e6(2)
            lon = s.longitude_e6(4)
            hdop = s.decimal(8, 2)
            alt = s.decimal(9, 1)
            if hdop is not None and not 0 < hdop < _HDOP_NONE:
                hdop = None
        self._begin_epoch(day_ms, now_ms)
        self._set_fix(lat, lon, now_ms)
        self.quality = quality
        self.sats = sats
        self.hdop_e2 = hdop
        self.alt_dm = alt
        self._quality_ms = now_ms

    def _take_rmc(self, s, now_ms):
        day_ms = s.time_of_day_ms(1)
        date = s.integer(9)
        valid = _status(s, 2, 12)
        lat = lon = sog = cog = None
        if valid:
            lat = s.latitude_e6(3)
            lon = s.longitude_e6(5)
            sog = _speed(s, 7)
            cog = _course(s, 8)
        at = None
        if date is not None and day_ms is not None:
            # Two digits of the year: 80-99 are 1980-1999, from the first day of GPS on.
            year = date % 100
            year += 1900 if year >= 80 else 2000
            at = seconds_since_2020(year, date // 100 % 100, date // 10000, day_ms // 1000)
            if at is None and valid:
                raise s.error("value", 9)
        self._begin_epoch(day_ms, now_ms)
        self._set_fix(lat, lon, now_ms)
        self._set_speed(sog, cog, now_ms)
        if at is not None:
            self._set_time(at, day_ms, valid, now_ms)

    def _take_gll(self, s, now_ms):
        day_ms = s.time_of_day_ms(5)
        lat = lon = None
        if _status(s, 6, 7):
            lat = s.latitude_e6(1)
            lon = s.longitude_e6(3)
        self._begin_epoch(day_ms, now_ms)
        self._set_fix(lat, lon, now_ms)

    def _take_vtg(self, s, now_ms):
        sog = cog = None
        if self.lat_e6 is not None and s.char(9) != _N:
            if s.char(2) != _T or s.char(6) != _N:
                raise s.error("value", 2)
            sog = _speed(s, 5)
            cog = _course(s, 1)
        self._set_speed(sog, cog, now_ms)

    def _take_zda(self, s, now_ms):
        day_ms = s.time_of_day_ms(1)
        if day_ms is None or s.is_empty(4):
            return
        # Day, month and year are UTC's; the local zone behind them is for displays.
        at = seconds_since_2020(s.integer(4), s.integer(3) or 0, s.integer(2) or 0, day_ms // 1000)
        if at is None:
            raise s.error("value", 2)
        self._set_time(at, day_ms, self.lat_e6 is not None, now_ms)

    def _begin_epoch(self, day_ms, now_ms):
        if day_ms is not None and day_ms != self._day_ms:
            self._day_ms = day_ms
            self._day_at_ms = now_ms
            self._satellites.epoch(now_ms)

    def _set_fix(self, lat, lon, now_ms):
        if lat is None:
            self._lose_fix()
        else:
            self.lat_e6 = lat
            self.lon_e6 = lon
            self.fix_ms = now_ms

    def _lose_fix(self):
        self.lat_e6 = self.lon_e6 = self.hdop_e2 = self.alt_dm = None
        self.sog_e2 = self.cog_cd = None

    def _set_speed(self, sog, cog, now_ms):
        self.sog_e2 = sog
        self.cog_cd = cog
        self._speed_ms = now_ms

    def _set_time(self, at, day_ms, valid, now_ms):
        if valid and not 0 <= at <= 0x3FFFFFFF:
            self.old_dates += 1
            valid = False
        first = day_ms == self._day_ms and now_ms - self._day_at_ms <= _EPOCH_MS
        self.utc_s2020 = at
        self.utc_ms = day_ms % 1000
        self.utc_at_ms = self._day_at_ms if first else now_ms
        self.utc_valid = valid
        self._time_new = valid


def _status(s, i, mode):
    # Status A or V in field i and, since NMEA 2.3, the positioning mode, where N is invalid too.
    status = s.char(i)
    if status not in (_A, _V, 0):
        raise s.error("value", i)
    return status == _A and s.char(mode) != _N


def _speed(s, i):
    value = s.decimal(i, 2)
    if value is not None and value < 0:
        raise s.error("value", i)
    return value


def _course(s, i):
    value = s.decimal(i, 2)
    if value is None:
        return None
    if not 0 <= value <= _TURN:
        raise s.error("value", i)
    return value % _TURN

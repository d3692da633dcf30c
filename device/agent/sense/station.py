"""Is a moored aid where it belongs: against its sinker, its chain, the water, and GNSS's errors.

    station = Station(gnss, alarms, (lat_e6, lon_e6), 300, 900, 50, level_cm, day)
    station.poll(now_ms)          # every second or so
    station.off                   # True, False, None: not known
    station.values(now_ms)        # of a `station` record

A *look* is one good fix every ten seconds; the last seven are judged together (`sense.looks`), so that
a bad fix is outvoted. What a minute of false fixes can look like waits for `delay_ms`; what only a free
buoy does, a steady way outwards, does not. What moves it within its ring, a dragging sinker, is seen by
`sense.swing`. docs/station.md has the reasons.
"""

from agent.compat import const
from agent.sense.looks import Looks
from agent.sense.plane import bearing_dd, length
from agent.sense.swing import Swing
from agent.wire import codes

_LOOK_MS = const(10000)
_AGAIN_MS = const(1000)  # after one that was refused; a receiver says each position thrice
_N = const(5)  # of seven
_FIRST_N = const(3)  # looks that all lie inside are enough to say so
_FRESH_S = const(120)  # what is shown of the looks is not shown for longer

_GUARD_MIN_DM = const(150)  # nearer than this one receiver cannot tell
_FAR = const(3)  # guards
_FAR_LOOKS = const(8)  # longer than a reflection: two minutes with the looks before
_DRIFT_DMPS = const(5)
_DRIFT_LOOKS = const(3)
_CLEAR_MS = const(120000)
_TIDE_MS = const(46800000)  # 13 h

_LOST_MS = const(1800000)
_FIRST_MS = const(90000)  # a wake waits so long for its first verdict

# Where a look lies against the guard ring.
_WELL_INSIDE = const(0)
_INSIDE = const(1)
_OUTSIDE = const(2)
_AFAR = const(3)

# codes.STATION_*, folded; a test holds them equal.
_UNKNOWN = const(0)
_ON = const(1)
_SUSPECTED = const(2)
_OFF = const(3)
_ADRIFT = const(4)
_SINKER_MOVED = const(5)
_CHAIN_SHORT = const(6)


class Station:
    """Watches one aid.

    `gnss` has lat_e6, lon_e6, fix_ms, hdop_e2, sats and quality, each may be None; `sinker` is
    (lat_e6, lon_e6). `chain_dm` 0 is an aid that stands. `depth_cm` is the depth at the level 0,
    `error_dm` how well the sinker's place is known, `level_cm()` the water level or None,
    `day(now_ms)` a number that changes at 00:00 UTC, or None. `river`: the current goes one way.
    `kept` is what `kept()` gave before a deep sleep.

    `fixes` counts positions judged, `refused` those not good enough.
    """

    def __init__(
        self,
        gnss,
        alarms,
        sinker,
        chain_dm,
        depth_cm,
        error_dm,
        level_cm,
        day,
        delay_ms=600000,
        river=False,
        kept=None,
    ):
        self.fixes = 0
        self.refused = 0
        self._gnss = gnss
        self._alarms = alarms
        self._error_dm = error_dm
        self._day = day
        self._delay_ms = delay_ms
        self._looks = Looks(sinker)
        self._swing = Swing(alarms, chain_dm, depth_cm, error_dm, level_cm, river, kept)
        self._guard_dm = None
        self._due_ms = 0  # of the next look
        self._judged_ms = None
        self._silent_ms = 0
        self._since_ms = 0  # the suspicion, or the last time it was not well inside
        self._far = self._steady = 0  # looks in a row
        self._known = False
        # What was so before a sleep is so until looks say otherwise.
        self._verdict = _ON
        if alarms.level(codes.ALARM_ADRIFT):
            self._verdict = _ADRIFT
        elif alarms.level(codes.ALARM_OFF_STATION):
            self._verdict = _OFF

    def kept(self):
        """Return 24 bytes that a wake from deep sleep goes on with."""
        return self._swing.kept(self._known)

    @property
    def state(self):
        """One of codes.STATION_*."""
        if not self._known:
            return _UNKNOWN
        if self._verdict != _ON:
            return self._verdict
        if self._swing.short:
            return _CHAIN_SHORT
        return _SINKER_MOVED if self._moved() else _ON

    @property
    def off(self):
        """Whether it is off station; None while that is not known."""
        return self._verdict >= _OFF if self._known else None

    @property
    def hurry(self):
        """Whether faster reports are wanted: suspected, off or adrift."""
        return self._verdict != _ON

    @property
    def busy(self):
        """Whether a verdict is on its way, so that a board must not sleep."""
        if not self._known:
            return self._silent_ms < _FIRST_MS
        if self._verdict == _SUSPECTED:
            return True
        # Looks outside of one that is on station, or well inside of one that is not.
        for i in range(self._looks.n):
            side = self._looks.sides[i]
            if side == _WELL_INSIDE if self._verdict >= _OFF else side >= _OUTSIDE:
                return True
        return False

    def poll(self, now_ms):
        """Look at a new fix; return the milliseconds until the next poll."""
        if self._judged_ms is None:
            self._judged_ms = now_ms
        gnss = self._gnss
        fix_ms = gnss.fix_ms
        if gnss.lat_e6 is not None and fix_ms is not None and fix_ms >= self._due_ms:
            self._due_ms = fix_ms + _AGAIN_MS
            if self._looks.take(gnss, fix_ms // 1000):
                self._due_ms = fix_ms + _LOOK_MS
                self.fixes += 1
                self._judge(now_ms)
            else:
                self.refused += 1
        self._silent_ms = silent_ms = now_ms - self._judged_ms
        lost = silent_ms >= _LOST_MS
        if not self._known and silent_ms >= _FIRST_MS and self._swing.lost:
            lost = True
        if lost:
            self._known = False
        if lost or self._known:
            self._alarms.set(
                codes.ALARM_NO_POSITION,
                codes.LEVEL_WARNING if lost else 0,
                silent_ms // 1000,
                _LOST_MS // 1000,
            )
        return 1000

    def values(self, now_ms):
        """Return the values of a `station` record."""
        looks = self._looks
        swing = self._swing
        distance = bearing = drift = drift_dd = None
        if looks.n and looks.age_s(now_ms) <= _FRESH_S:
            east, north = looks.middle(0, looks.n)
            distance = length(east, north)
            bearing = bearing_dd(east, north)
            drift, drift_dd = looks.drift()
        return (
            self.state,
            distance,
            bearing,
            self._guard_dm,
            None if swing.short or self._guard_dm is None else swing.reach_dm,
            swing.mean_dm(0),
            swing.mean_dm(1),
            drift,
            drift_dd,
            swing.level,
            self.fixes,
            self.refused,
        )

    def _moved(self):
        return self._alarms.level(codes.ALARM_SINKER_MOVED) > 0

    def _side(self):
        # Of the newest look, by the ring as it is now.
        looks = self._looks
        distance = looks.distance(0, 1)
        belongs = self._swing.reach_dm + self._error_dm
        # Twice the receiver's error: 2.5 m at an HDOP of 1.
        self._guard_dm = guard = max(belongs + looks.hdop // 2, _GUARD_MIN_DM)
        if distance > guard:
            return _AFAR if distance > guard * _FAR else _OUTSIDE
        # On a river it lies at the end of its chain, which may be beyond 0.8 guards.
        return _INSIDE if distance > max(guard * 4 // 5, belongs) else _WELL_INSIDE

    def _judge(self, now_ms):
        looks = self._looks
        self._swing.measure()
        looks.sides[0] = self._side()
        n = looks.n
        outs = fars = wells = 0
        for i in range(n):
            side = looks.sides[i]
            outs += side >= _OUTSIDE
            fars += side == _AFAR
            wells += side == _WELL_INSIDE
        if n >= _N or (n >= _FIRST_N and not outs):
            self._known = True
            self._judged_ms = now_ms
        self._far = self._far + 1 if fars >= _N else 0
        self._steady = self._steady + 1 if looks.leaves(_DRIFT_DMPS) else 0
        verdict = self._verdict
        if self._steady >= _DRIFT_LOOKS or self._far >= _FAR_LOOKS:
            verdict = _ADRIFT
        elif verdict >= _OFF:
            if wells < _N:
                self._since_ms = now_ms
            # A buoy whose sinker was dragged comes back within the ring with every tide.
            elif now_ms - self._since_ms >= (_TIDE_MS if self._moved() else _CLEAR_MS):
                verdict = _ON
        elif outs >= _N:
            if verdict == _ON:
                verdict = _SUSPECTED
                self._since_ms = now_ms
            if now_ms - self._since_ms >= self._delay_ms:
                verdict = _OFF
        elif n - outs >= _N:
            verdict = _ON
        self._verdict = verdict
        if self._known:
            self._tell(verdict)
            if verdict != _ADRIFT:
                self._swing.follow(looks.middle(0, n), self._day(now_ms), now_ms)

    def _tell(self, verdict):
        alarms = self._alarms
        looks = self._looks
        if verdict == _ADRIFT:
            speed = looks.drift()[0]
            alarms.set(codes.ALARM_ADRIFT, codes.LEVEL_AT_ONCE, speed, _DRIFT_DMPS * 10)
            return
        off = codes.LEVEL_ALARM if verdict == _OFF else 0
        alarms.set(codes.ALARM_OFF_STATION, off, looks.distance(0, looks.n), self._guard_dm)
        if not off:
            alarms.set(codes.ALARM_ADRIFT, 0)

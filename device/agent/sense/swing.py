"""How far its chain lets a buoy go, and whether the middle of its swing has moved.

    swing = Swing(alarms, chain_dm, depth_cm, error_dm, level_cm, river, kept)
    swing.measure()
    swing.follow((east_dm, north_dm), today, now_ms)

A *track* follows the buoy so slowly that a minute of false fixes hardly moves it, and yet crosses a
swing within an hour. It tells two things: at any time, whether the buoy is farther out than its chain
lets it; and at the end of a day, where the middle of its swing was, which neither the tide's asymmetry
nor a flood moves (docs/station.md). All of it is one array of 24 bytes that a wake from deep sleep goes
on with.
"""

from array import array

from agent.compat import const
from agent.sense.plane import length
from agent.wire import codes

# The array: the day's number; slots, wakes without a verdict and marks; the track (dm); the day's
# mean (cm); the last whole day's (cm); west, south, east and north edge of the track (dm), or on a
# river the mean place of weeks (dm).
_DAY = const(0)
_COUNT = const(1)
_TRACK = const(2)
_MEAN = const(4)
_LAST = const(6)
_BOX = const(8)
_SIZE = const(12)
_NONE = const(-32768)
_MOST_DM = const(3200)  # in cm it fits 16 bits

_DEEP_LOOKS = const(3)  # so many in a row, in case a level is wrong
_SLACK_DM = const(5)  # so much shallower than the chain is long before "short" is over

_SLOTS = const(0xFF)
_WAKE = const(0x100)
_WAKES = const(0x300)
_DOUBT = const(0x400)  # the last day's swing was elsewhere
_OUT = const(0x800)  # the track was beyond the chain today

_SLOT_MS = const(600000)
_DAY_SLOTS = const(18)  # three hours with a turn of the tide in them, or most hours of a sleeper
_STEP_DM = const(2)  # of the track at each look
_WAKE_DM = const(120)  # and at the first one of a wake
_EDGE_DM = const(40)  # beyond the chain: less than the guard ring has for errors
_DAY_DM = const(70)  # of a day's middle: wind on springs, slow errors of GNSS
_WEEKS = const(8)  # weight of a day in the mean of weeks, as a divisor


class Swing:
    """The arguments are Station's.

    `level` is the water level in cm that the rest was worked out for, or None; `reach_dm` how far a
    taut chain lets the buoy go; `short`: the water is deeper than the chain is long.
    """

    def __init__(self, alarms, chain_dm, depth_cm, error_dm, level_cm, river, kept):
        self.level = None
        self.reach_dm = 0
        self.short = alarms.level(codes.ALARM_CHAIN_SHORT) > 0
        self._alarms = alarms
        self._chain_dm = chain_dm
        self._depth_cm = depth_cm
        self._error_dm = error_dm
        self._level_cm = level_cm
        self._hang_dm = (
            0  # as far as it goes when the chain lies straight and then hangs straight down
        )
        self._river = river
        self._slot_ms = self._deep = 0
        self._waked = kept is not None and len(kept) == 2 * _SIZE
        self._days = array("h", kept if self._waked else b"\x00\x80" * _SIZE)
        if not self._waked:
            # The track begins at the sinker, not at a first fix that may be false.
            self._days[_COUNT] = self._days[_TRACK] = self._days[_TRACK + 1] = 0

    @property
    def lost(self):
        """Whether the last three wakes ended without knowing where it is."""
        return self._days[_COUNT] & _WAKES == _WAKES

    def kept(self, known):
        """Return what a wake goes on with; `known`: whether this one knows where it is."""
        kept = array("h", self._days)
        if known:
            kept[_COUNT] &= ~_WAKES
        elif not self.lost:
            kept[_COUNT] += _WAKE
        return bytes(kept)

    def mean_dm(self, axis):
        """Return the mean place of the last whole day, east (0) or north (1), or None."""
        cm = self._days[_LAST + axis]
        return None if cm == _NONE else cm // 10

    def measure(self):
        """Work out how far the chain lets it go at the level of now; not known is the lowest."""
        self.level = level = self._level_cm()
        chain = self._chain_dm
        depth = max(0, (self._depth_cm + (level or 0)) // 10)
        self._deep = self._deep + 1 if chain and depth >= chain else 0
        if self._deep >= _DEEP_LOOKS:
            self.short = True
        elif level is not None and depth < chain - _SLACK_DM:
            self.short = False
        self._alarms.set(codes.ALARM_CHAIN_SHORT, int(self.short), depth, chain)
        # Without a root it is the chain's length: a sinker that is lifted may go anywhere.
        self.reach_dm = length(chain, depth, -1) if depth < chain else chain
        self._hang_dm = max(0, chain - depth)

    def follow(self, place, today, now_ms):
        """Take a place (east, north), and the day or None."""
        days = self._days
        step = _WAKE_DM if self._waked else _STEP_DM
        self._waked = False
        new = False
        if today is not None and today & 0x7FFF != days[_DAY]:
            new = True
            if days[_DAY] != _NONE and days[_COUNT] & _SLOTS >= _DAY_SLOTS:
                self._end_day()
            days[_DAY] = today & 0x7FFF
            days[_COUNT] &= ~(_SLOTS | _OUT)
            self._slot_ms = now_ms
        slot = now_ms >= self._slot_ms and days[_COUNT] & _SLOTS != _SLOTS
        if slot:
            self._slot_ms = now_ms + _SLOT_MS
            days[_COUNT] += 1
        n = days[_COUNT] & _SLOTS
        for i in (0, 1):
            at = max(-_MOST_DM, min(place[i], _MOST_DM))
            if slot:
                was = days[_MEAN + i] if n > 1 else 10 * at
                days[_MEAN + i] = was + (2 * (10 * at - was) + n) // (2 * n)
            was = days[_TRACK + i]
            at = max(was - step, min(at, was + step))
            days[_TRACK + i] = at
            if not self._river:
                if new or at < days[_BOX + i]:
                    days[_BOX + i] = at
                if new or at > days[_BOX + 2 + i]:
                    days[_BOX + 2 + i] = at
        beyond = length(days[_TRACK], days[_TRACK + 1]) - self.reach_dm
        if beyond > self._error_dm + _EDGE_DM:
            days[_COUNT] |= _OUT
            self._moved(beyond, self._error_dm + _EDGE_DM)

    def _end_day(self):
        days = self._days
        days[_LAST] = days[_MEAN]
        days[_LAST + 1] = days[_MEAN + 1]
        limit = length(self._error_dm, _DAY_DM)
        west, south, east, north = days[_BOX:_SIZE]
        if self._river:
            # A flood moves the buoy along the line from the sinker to the mean of weeks, not across.
            at_east = days[_LAST] // 10
            at_north = days[_LAST + 1] // 10
            if west == _NONE:
                days[_BOX] = west = at_east
                days[_BOX + 1] = south = at_north
            moved = abs(west * at_north - south * at_east) // max(length(west, south), 1)
        else:
            # Between two ends of a swing, h from its middle, that middle is sqrt(r² − h²) from the
            # sinker at most. r is the usual reach: between a chain that is taut and one that hangs.
            moved = length(west + east, south + north) // 2
            r = (2 * self.reach_dm + self._hang_dm) // 3
            h = length(east - west, north - south) // 2
            if h < r:
                limit += length(r, h, -1)
        if moved > limit:
            if days[_COUNT] & _DOUBT:
                self._moved(moved, limit)
            days[_COUNT] |= _DOUBT
            return
        days[_COUNT] &= ~_DOUBT
        if self._river:
            days[_BOX] += (at_east - west) // _WEEKS
            days[_BOX + 1] += (at_north - south) // _WEEKS
        if not days[_COUNT] & _OUT and moved * 5 < limit * 4:
            self._alarms.set(codes.ALARM_SINKER_MOVED, 0)

    def _moved(self, dm, limit_dm):
        self._alarms.set(codes.ALARM_SINKER_MOVED, codes.LEVEL_WARNING, dm, limit_dm)

"""The last minute of a moored aid: seven good fixes, and what they say together.

looks = Looks(sinker)
if looks.take(gnss, at_s):
    looks.sides[0] = OUTSIDE if … else INSIDE
looks.middle(0, looks.n)      # medians (east_dm, north_dm) of all, the newest first
looks.distance(0, 3)          # from the sinker, of the newest three
"""

from array import array

from agent.compat import const
from agent.sense.plane import bearing_dd, length, local_dm

# What makes a fix good enough.
_HDOP_MAX = const(400)
_HDOP_UNKNOWN = const(300)  # taken where a receiver does not say
_SATS_MIN = const(5)
_QUALITY_MAX = const(5)  # GGA: above are dead reckoning, by hand and simulated
_JUMP_DMPS = const(100)  # no stream carries a buoy as fast
_JUMP_DM = const(300)  # besides what noise does
_JUMPS = const(3)  # so many in a row are believed

_M = const(7)
_E = const(7)  # where the columns of east and north begin
_NORTH = const(14)
_OLD_S = const(300)  # looks older than this are not judged with the new

_OUTSIDE = const(2)


class Looks:
    """`n` of them; `hdop` is that of the newest, times 100.

    `sides` has a place for each to say where it lies against the guard ring: 0 well inside, 1 inside,
    2 outside, 3 far outside.
    """

    def __init__(self, sinker):
        self.n = 0
        self.hdop = _HDOP_UNKNOWN
        self.sides = bytearray(_M)
        self._sinker = sinker
        self._rows = array("i", bytes(12 * _M))  # seconds, east, north; the newest first
        self._jumps = 0

    def take(self, gnss, at_s):
        """Have a fix among the looks; tell whether it was good enough."""
        hdop = gnss.hdop_e2
        if hdop is None:
            hdop = _HDOP_UNKNOWN
        sats = gnss.sats
        quality = gnss.quality
        if (
            hdop > _HDOP_MAX
            or (sats is not None and sats < _SATS_MIN)
            or (quality is not None and not 0 < quality <= _QUALITY_MAX)
        ):
            return False
        east, north = local_dm(gnss.lat_e6, gnss.lon_e6, self._sinker)
        rows = self._rows
        while self.n and at_s - rows[self.n - 1] > _OLD_S:
            self.n -= 1
        if self.n:
            was_east, was_north = self.middle(0, min(self.n, 3))
            way = length(east - was_east, north - was_north)
            if way > _JUMP_DM + _JUMP_DMPS * (at_s - rows[0]):
                # If they go on so they are true, or those before were not, as after a cold start.
                self._jumps += 1
                if self._jumps < _JUMPS:
                    return False
                self.n = 0
        self._jumps = 0
        self.hdop = hdop
        for i in range(_M - 1, 0, -1):
            self.sides[i] = self.sides[i - 1]
        for i in range(_NORTH + _M - 1, 0, -1):
            rows[i] = rows[i - 1]
        rows[0] = at_s
        rows[_E] = east
        rows[_NORTH] = north
        self.n = min(self.n + 1, _M)
        return True

    def age_s(self, now_ms):
        """Return the age of the newest in seconds, None if there is none."""
        return now_ms // 1000 - self._rows[0] if self.n else None

    def middle(self, first, n):
        """Return the medians, east and north, of `n` looks from the `first` newest on."""
        return _median(self._rows, first + _E, n), _median(self._rows, first + _NORTH, n)

    def distance(self, first, n):
        """Return how far `middle` is from the sinker."""
        east, north = self.middle(first, n)
        return length(east, north)

    def leaves(self, least_dmps):
        """Tell whether it goes outwards steadily, at so many dm/s at least.

        That is outside the ring, and as much in the first half of the minute as in the second: a
        jump, and a burst of reflections is one, is all in one half.
        """
        sides = self.sides
        if self.n < _M or min(sides[0], sides[1], sides[2]) < _OUTSIDE:
            return False
        new = self.distance(0, 3)
        middle = self.distance(2, 3)
        old = self.distance(4, 3)
        gain = new - old
        enough = gain >= least_dmps * (self._rows[1] - self._rows[5])
        return enough and 4 * min(new - middle, middle - old) >= gain

    def drift(self):
        """Return its way during the last minute in cm/s, and whereto in tenths of a degree, or None."""
        if self.n < _M:
            return None, None
        east, north = self.middle(0, 3)
        was_east, was_north = self.middle(4, 3)
        east -= was_east
        north -= was_north
        span_s = max(1, self._rows[1] - self._rows[5])
        return length(east, north) * 10 // span_s, bearing_dd(east, north)


def _median(values, first, n):
    # The one with as many above as below it, found without a copy.
    for i in range(first, first + n):
        below = same = 0
        for j in range(first, first + n):
            below += values[j] < values[i]
            same += values[j] == values[i]
        if below <= n // 2 < below + same:
            break
    return values[i]

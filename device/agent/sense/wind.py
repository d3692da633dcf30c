"""Wind from one record to the next: mean speed, where it comes from, the strongest gust.

    wind.add(speed_dmps, direction_dd, now_s)
    wind.take()         (mean, direction, gust), each None if nothing was measured

The direction is that of the mean vector. A gust is the mean of three seconds (WMO-No. 8); of a slow
sensor, which gives means itself, it is the highest value.
"""

from array import array

from agent.compat import const

_SUM = const(0)
_COUNT = const(1)
_EAST = const(2)
_NORTH = const(3)
_GUST = const(4)  # and 1, so that 0 is none
_LAST = const(5)  # second of the last value
_RING = const(6)  # sums of three seconds, then their counts
_SIZE = const(12)

_SAMPLES_MAX = const(2000)  # then the sums are halved, to stay below 2³¹; half an hour at 1 Hz
_PAUSE_S = const(60)
_UNIT = const(512)  # length of a direction's vector


class Wind:
    """Sums since the last record; nothing is allocated by `add`."""

    def __init__(self):
        self._n = array("i", bytes(4 * _SIZE))

    def add(self, speed, direction, now_s):
        """Take a speed of up to 2000 (tenths of m/s) and a direction in tenths of a degree or None."""
        n = self._n
        if n[_COUNT] >= _SAMPLES_MAX:
            for k in range(_GUST):
                n[k] //= 2
        n[_SUM] += speed
        n[_COUNT] += 1
        if direction is not None:
            n[_EAST] += speed * _sine(direction)
            n[_NORTH] += speed * _sine(direction + 900)
        gap = now_s - n[_LAST]
        n[_LAST] = now_s
        for k in range(min(gap, 3)):
            at = _RING + (now_s - k) % 3
            n[at] = n[at + 3] = 0
        at = _RING + now_s % 3
        n[at] += speed
        n[at + 3] += 1
        # Three seconds are full when the oldest of them has something.
        if n[_RING + 3 + (now_s + 1) % 3] or 3 <= gap < _PAUSE_S:
            count = n[_RING + 3] + n[_RING + 4] + n[_RING + 5]
            gust = (n[_RING] + n[_RING + 1] + n[_RING + 2] + count // 2) // count
            n[_GUST] = max(n[_GUST], gust + 1)

    def take(self):
        """Return mean and gust in tenths of m/s and the direction between them; begin anew."""
        n = self._n
        count = n[_COUNT]
        found = (
            (n[_SUM] + count // 2) // count if count else None,
            _direction(n[_EAST], n[_NORTH]),
            n[_GUST] - 1 if n[_GUST] else None,
        )
        for k in range(_LAST):
            n[k] = 0
        return found


def _sine(angle):
    # Bhaskara's, 512-fold, good to 0.2 %; `_direction` turns it round to 0.2°.
    x = angle % 1800
    x = x * (1800 - x) // 2  # halved, and what goes with it: the product below stays under 2³⁰
    value = (4 * _UNIT * x + 1012500) // (2025000 - x)
    return value if angle % 3600 < 1800 else -value


def _direction(east, north):
    # Where a vector points, in tenths of a degree; None if it has no length.
    if not east and not north:
        return None
    x = abs(east)
    y = abs(north)
    found = 0
    step = 512
    while step:
        angle = found + step
        # The nearer axis keeps what lies on it: due north is 0 and not the tenth beside it.
        if angle <= 900 and _sine(angle) * y < _sine(angle + 900) * x + (x > y):
            found = angle
        step >>= 1
    if north < 0:
        found = 1800 - found
    return (3600 - found if east < 0 else found) % 3600

"""Wind from one record to the next: mean speed, where it comes from, the strongest gust.

    wind.add(speed_dmps, direction_dd, now_s)
    wind.take()         (mean, direction, gust), each None if nothing was measured

The direction is that of the mean vector. A gust is the mean of three seconds (WMO-No. 8); of a slow
sensor, which gives means itself, it is the highest value. As the device does it (sense/wind).
"""

import math
from typing import Final

_GUST_S: Final = 3
_PAUSE_S: Final = 60  # after it a sensor begins anew


class Wind:
    """Sums since the last record; speeds in tenths of m/s, directions in tenths of a degree."""

    def __init__(self) -> None:
        self._gust: int | None = None
        self._last_s = -_PAUSE_S
        self._seconds: dict[int, tuple[int, int]] = {}  # of the last three: sum, count
        self._begin()

    def add(self, speed: int, direction: int | None, now_s: int) -> None:
        """Take a speed, and where it comes from if that is known."""
        self._sum += speed
        self._count += 1
        if direction is not None:
            angle = math.radians(direction / 10)
            self._east += speed * math.sin(angle)
            self._north += speed * math.cos(angle)
        gap_s = now_s - self._last_s
        self._last_s = now_s
        total, count = self._seconds.get(now_s, (0, 0))
        self._seconds[now_s] = (total + speed, count + 1)
        self._seconds = {s: n for s, n in self._seconds.items() if now_s - _GUST_S < s <= now_s}
        # Three seconds are full when the oldest of them has something.
        if now_s - _GUST_S + 1 in self._seconds or _GUST_S <= gap_s < _PAUSE_S:
            total = sum(n for n, _ in self._seconds.values())
            count = sum(n for _, n in self._seconds.values())
            gust = (total + count // 2) // count
            self._gust = gust if self._gust is None else max(self._gust, gust)

    def take(self) -> tuple[int | None, int | None, int | None]:
        """Return mean, direction and gust; begin anew."""
        mean = (self._sum + self._count // 2) // self._count if self._count else None
        direction = None
        if math.hypot(self._east, self._north) > 0.5:
            direction = round(math.degrees(math.atan2(self._east, self._north)) * 10) % 3600
        found = (mean, direction, self._gust)
        self._begin()
        return found

    def _begin(self) -> None:
        self._sum = self._count = 0
        self._east = self._north = 0.0
        self._gust = None

"""Sets of sequence numbers as ranges: what was committed, per device and boot.

    seen = Ranges()
    seen.add(7)         True: it is new
    7 in seen           True
    list(seen)          [(7, 7)]

A device sends mostly in order, so a boot is one range, or a few while there are gaps.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """A set of integers, kept as disjoint ranges [first, last] in rising order."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in sorted(ranges):
            self._firsts.append(first)
            self._lasts.append(last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)

    def __contains__(self, n: int) -> bool:
        i = bisect_right(self._firsts, n) - 1
        return i >= 0 and n <= self._lasts[i]

    def add(self, n: int) -> bool:
        """Add one number; return whether it was new."""
        firsts, lasts = self._firsts, self._lasts
        i = bisect_right(firsts, n) - 1
        if i >= 0 and n <= lasts[i]:
            return False
        joins_left = i >= 0 and lasts[i] == n - 1
        joins_right = i + 1 < len(firsts) and firsts[i + 1] == n + 1
        if joins_left and joins_right:
            lasts[i] = lasts.pop(i + 1)
            firsts.pop(i + 1)
        elif joins_left:
            lasts[i] = n
        elif joins_right:
            firsts[i + 1] = n
        else:
            firsts.insert(i + 1, n)
            lasts.insert(i + 1, n)
        return True

    def missing(self) -> int:
        """Return how many numbers are absent below the highest; sequence numbers start at 0."""
        if not self._lasts:
            return 0
        held = sum(last - first + 1 for first, last in self)
        return self._lasts[-1] + 1 - held


def spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the ranges that exactly these numbers make."""
    out = Ranges()
    for n in numbers:
        out.add(n)
    return list(out)

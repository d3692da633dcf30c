"""Sets of sequence numbers as ranges: what was committed, per device and boot.

    seen = Ranges()
    seen.add(7)         True: it is new
    7 in seen           True
    list(seen)          [(7, 7)]

A device sends mostly in order, so a boot is one range, or a few while there are gaps. What lies below the
lowest is no gap: a gateway that took another's place in the middle of a boot never saw its beginning.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """A set of integers, kept as disjoint ranges [first, last] in rising order.

    It remembers which ranges changed, by their first numbers, so that a table of them can follow
    (`take_changes`).
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in sorted(ranges):
            self._firsts.append(first)
            self._lasts.append(last)
        self._changed: set[int] = set()
        self._gone: set[int] = set()

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)

    def __contains__(self, n: int) -> bool:
        i = bisect_right(self._firsts, n) - 1
        return i >= 0 and n <= self._lasts[i]

    def __len__(self) -> int:
        """Return how many numbers are in it."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    @property
    def highest(self) -> int:
        """The highest number, or -1."""
        return self._lasts[-1] if self._lasts else -1

    @property
    def pieces(self) -> int:
        """How many ranges there are."""
        return len(self._firsts)

    @property
    def whole(self) -> bool:
        """Whether nothing is absent between the lowest and the highest."""
        return len(self._firsts) <= 1

    def add(self, n: int) -> bool:
        """Add one number; return whether it was new."""
        firsts, lasts = self._firsts, self._lasts
        if lasts and lasts[-1] == n - 1:  # nearly always
            lasts[-1] = n
            self._changed.add(firsts[-1])
            return True
        i = bisect_right(firsts, n) - 1
        if i >= 0 and n <= lasts[i]:
            return False
        if i >= 0 and lasts[i] == n - 1:
            lasts[i] = n
            if i + 1 < len(firsts) and firsts[i + 1] == n + 1:
                lasts[i] = lasts.pop(i + 1)
                self._leave(firsts.pop(i + 1))
            self._changed.add(firsts[i])
        elif i + 1 < len(firsts) and firsts[i + 1] == n + 1:
            self._leave(firsts[i + 1])
            firsts[i + 1] = n
            self._changed.add(n)
        else:
            firsts.insert(i + 1, n)
            lasts.insert(i + 1, n)
            self._changed.add(n)
        return True

    def _leave(self, first: int) -> None:
        self._changed.discard(first)
        self._gone.add(first)

    def take_changes(self) -> tuple[list[int], list[tuple[int, int]]]:
        """Return (firsts of ranges that are no more, ranges that are new or longer) since last asked."""
        changed = []
        for first in self._changed:
            i = bisect_right(self._firsts, first) - 1
            changed.append((first, self._lasts[i]))
        gone = list(self._gone - self._changed) if self._gone else []
        self._changed.clear()
        self._gone.clear()
        return gone, changed

    def gaps(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges that are absent between the lowest and the highest."""
        for last, first in zip(self._lasts, self._firsts[1:], strict=False):
            yield last + 1, first - 1

    def missing(self) -> int:
        """Return how many numbers are absent between the lowest and the highest."""
        return self._lasts[-1] + 1 - self._firsts[0] - len(self) if self._lasts else 0


def spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the ranges that exactly these numbers make."""
    out: list[tuple[int, int]] = []
    first = last = -2
    for n in sorted(numbers):
        if n > last + 1:
            if last >= 0:
                out.append((first, last))
            first = n
        last = n
    if last >= 0:
        out.append((first, last))
    return out

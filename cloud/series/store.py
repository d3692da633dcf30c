"""What a time-series store must be able to tell, whichever it is.

    store = open_store("sqlite:data/series")
    buckets = store.buckets(row, fields()["beacon.batt_mv"], "buoy-1", Period(…))

A store that does not exist yet, or has no such table, has no data: the gateway makes it with the
first record. Undated records lie there with the time of their arrival; they are never given out.
"""

from typing import NamedTuple, Protocol

from agent.wire.series import Row
from cloud.values import Field


class SeriesError(Exception):
    """The store does not answer, or not as it should; says where and why."""


class Period(NamedTuple):
    """start ≤ time < end, cut into buckets of `width` that begin at `origin`; Unix milliseconds."""

    start: int
    end: int
    origin: int
    width: int


class Bucket(NamedTuple):
    """The values of one bucket put together: wire integers, or 0 and 1 of a flag.

    `first` and `last` are the times of the first and last value in it, Unix milliseconds; `values`
    says how many there are.
    """

    first: int
    last: int
    low: int
    high: int
    total: int
    values: int
    final: int


class Buckets:
    """A period's buckets while they are put together from pieces that come in any order."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self._found: dict[int, Bucket] = {}

    def add(self, piece: Bucket | None) -> None:
        """Add values that lie in one bucket."""
        if piece is not None:
            n = (piece.first - self.period.origin) // self.period.width
            there = self._found.get(n)
            self._found[n] = piece if there is None else joined(there, piece)

    def in_order(self) -> list[Bucket]:
        """Return the buckets that have values, in order of time."""
        return [self._found[n] for n in sorted(self._found)]


def joined(a: Bucket, b: Bucket) -> Bucket:
    """Return the values of both; of two last ones at the same time the greater is the final."""
    return Bucket(
        min(a.first, b.first),
        max(a.last, b.last),
        min(a.low, b.low),
        max(a.high, b.high),
        a.total + b.total,
        a.values + b.values,
        max((a.last, a.final), (b.last, b.final))[1],
    )


class Sample(NamedTuple):
    """One whole record as the store has it, `values` by field."""

    boot: int
    seq: int
    time_ms: int
    values: dict[str, int | bytes]


class SeriesStore(Protocol):
    """A store for reading. Both methods raise SeriesError."""

    def buckets(self, row: Row, kind: Field, device: str, period: Period) -> list[Bucket]:
        """Return what was measured, in order of time; a bucket without values is left out."""
        ...

    def newest(
        self, row: Row, device: str, start_ms: int, end_ms: int, count: int
    ) -> list[Sample]:
        """Return up to `count` records, the newest in start ≤ time < end, in order of time."""
        ...


def open_store(address: str) -> SeriesStore:
    """Return the store at `sqlite:FOLDER` or `http://…`; nothing is opened before it is asked."""
    from cloud.series.sqlite import SQLiteSeries
    from cloud.series.victoria import VictoriaSeries

    scheme, _, path = address.partition(":")
    return SQLiteSeries(path) if scheme == "sqlite" else VictoriaSeries(address)

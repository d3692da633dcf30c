"""What a time-series store must be able to tell, whichever it is.

    store = open_store("sqlite:data/series.sqlite")
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
    """Return the store at `sqlite:PATH` or `http://…`; nothing is opened before it is asked."""
    from cloud.series.sqlite import SQLiteSeries
    from cloud.series.victoria import VictoriaSeries

    scheme, _, path = address.partition(":")
    return SQLiteSeries(path) if scheme == "sqlite" else VictoriaSeries(address)

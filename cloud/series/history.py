"""A field's history, boiled down to what a chart can show.

    read_history(store, row, fields()["beacon.batt_mv"], spans, start_ms, end_ms, points=500)

Time is cut into `points` buckets, of each of which min, max, mean, last and count are kept. Where
reports are missing there is a null, so that a chart shows a gap and not a line across it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Final

from agent.wire.series import ROLLUPS, Row
from cloud.registry import Span
from cloud.series.store import Bucket, Period, SeriesStore
from cloud.times import ms_of_t
from cloud.values import Field, scale

POINTS_MAX: Final = 2000  # wider than any screen
_GAP_INTERVALS: Final = 2.5  # as for "overdue": one lost report is no gap yet
_MEAN_DIGITS: Final = 2  # beyond the field's own: a mean is finer than what it is made of

Number = float | int | None


@dataclass(slots=True)
class History:
    """Columns of equal length; `t` in Unix seconds, values in the field's unit.

    A gap is a null in every column but `t` and `count`, at a time between its neighbours.
    `interval_s` is the time between reports as it was seen, null if there are fewer than two.
    """

    t: list[float] = field(default_factory=list)
    min: list[Number] = field(default_factory=list)
    max: list[Number] = field(default_factory=list)
    mean: list[Number] = field(default_factory=list)
    last: list[Number] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    interval_s: float | None = None


def read_history(
    store: SeriesStore,
    row: Row,
    kind: Field,
    spans: Iterable[Span],
    start_ms: int,
    end_ms: int,
    points: int,
) -> History:
    """Read a field over some devices' spans, which are in order of time.

    Raises:
        SeriesError: the store does not answer.
    """
    origin, width = _raster(start_ms, end_ms, points)
    buckets: list[Bucket] = []
    for device, since, until in spans:
        low, high = max(start_ms, ms_of_t(since)), min(end_ms, ms_of_t(until))
        if low < high:
            buckets += store.buckets(row, kind, device, Period(low, high, origin, width))
    out = History()
    interval_ms = _interval(buckets)
    out.interval_s = None if interval_ms is None else interval_ms / 1000
    gap_ms = _GAP_INTERVALS * (interval_ms or 0)
    last_ms = None
    for bucket in buckets:
        if last_ms is not None and bucket.first - last_ms > gap_ms:
            _add_gap(out, (bucket.first + last_ms) / 2000)
        _add(out, bucket, kind.exponent)
        last_ms = bucket.last
    return out


def _raster(start_ms: int, end_ms: int, points: int) -> tuple[int, int]:
    """Return where buckets begin, and their width, so that there are at most `points`.

    From half an hour on they are whole hours, from six hours on whole half days (UTC): those a store
    may have put together already.
    """
    width = -(-(end_ms - start_ms) // points)
    for step in ROLLUPS.values():
        if 2 * width >= step:
            origin = start_ms // step * step
            return origin, -(-(end_ms - origin) // (points * step)) * step
    return start_ms, width


def _interval(buckets: Sequence[Bucket]) -> float | None:
    """Return the usual time between two values, in milliseconds."""
    within = [(b.last - b.first) / (b.values - 1) for b in buckets if b.values > 1]
    between = [float(later.first - earlier.last) for earlier, later in pairwise(buckets)]
    return median(within + between) if within or between else None


def _add(out: History, bucket: Bucket, exponent: int) -> None:
    out.t.append((bucket.first + bucket.last) / 2000)
    out.min.append(scale(bucket.low, exponent))
    out.max.append(scale(bucket.high, exponent))
    mean = bucket.total / bucket.values * 10.0**exponent
    out.mean.append(round(mean, max(-exponent, 0) + _MEAN_DIGITS))
    out.last.append(scale(bucket.final, exponent))
    out.count.append(bucket.values)


def _add_gap(out: History, t: float) -> None:
    out.t.append(t)
    out.count.append(0)
    for column in (out.min, out.max, out.mean, out.last):
        column.append(None)

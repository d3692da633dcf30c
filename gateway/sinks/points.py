"""What of a journal row goes to a time series: its time, its values, and whether it may go at all."""

from collections.abc import Callable
from typing import Final, NamedTuple

from agent.wire import decode, schema, series
from gateway.journal.reading import Row

_DAY_MS: Final = 86_400_000
_SET_MS: Final = (
    series.EPOCH_2020 * 1000
)  # before that a gateway's own clock was not set: no judge
_SERIES: Final = frozenset(row[0] for row in series.rows())

Values = list[int | bytes | None]
Point = tuple[Row, int]  # with its time, Unix milliseconds


def point_ms(row: Row) -> int:
    """Return the time of a row's point; of one that will never be dated, when it came."""
    return row.received_ms if row.time is None else series.point_ms(row.time, row.seq)


def checked(row: Row) -> Values:
    """Return a row's values, those outside their fields' ranges as None."""
    record = decode.one(row.raw)
    names = [field[0] for field in schema.SCHEMAS[row.schema][3]]
    values = record.values
    for fault in decode.check(record):
        values[names.index(fault.field)] = None
    return values


class Limits(NamedTuple):
    """How far a point's time may lie from when it was received.

    A store drops what is too far from now without a word (VictoriaMetrics: two days ahead), and a
    wrong clock would spoil every chart: so what is beyond is set aside, where it can be seen.
    """

    future_s: int
    past_days: int

    def points(self, rows: list[Row], refuse: Callable[[Row, str, str], None]) -> list[Point]:
        """Return the rows that go to a time series, each with its time; refuse what is odd."""
        out = []
        ahead_ms, past_ms = self.future_s * 1000, self.past_days * _DAY_MS
        for row in rows:
            if row.schema in _SERIES:
                ts, received_ms = point_ms(row), row.received_ms
                if -past_ms <= ts - received_ms <= ahead_ms or received_ms < _SET_MS:
                    out.append((row, ts))
                else:
                    refuse(row, *self._why(ts - received_ms))
        return out

    def _why(self, ahead_ms: int) -> tuple[str, str]:
        if ahead_ms > 0:
            detail = f"{ahead_ms // 1000} s after it was received, allowed {self.future_s}"
            return "time-ahead", detail
        detail = f"{-ahead_ms // _DAY_MS} days before it was received, allowed {self.past_days}"
        return "time-ancient", detail

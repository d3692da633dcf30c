"""How old is too old: told by the interval at which an asset's reports were seen to come.

    live      as expected
    overdue   a report or two did not come
    silent    it stopped, and what it last said proves nothing any more
    never     nothing was ever heard

An old value never looks like a new one: the API gives the two ages with every asset, so that the
page can judge by the second, without asking.
"""

from typing import Final, Literal, NamedTuple

State = Literal["live", "overdue", "silent", "never"]

WORST_FIRST: Final[tuple[State, ...]] = ("silent", "never", "overdue", "live")

_UNKNOWN_INTERVAL_S: Final = 600.0  # until two reports were seen: what a buoy's agent does
_OVERDUE_INTERVALS: Final = 2.5  # one lost report, and the next one late
_OVERDUE_LEAST_S: Final = 60.0  # below it a slow network would look like a fault
_SILENT_INTERVALS: Final = 10.0
_SILENT_LEAST_S: Final = 600.0

# A single gap counts for at most this factor: three days of outage say nothing about the interval.
_GAP_FACTOR_MAX: Final = 4.0
_FIRST_GAP_MAX_S: Final = 3600.0  # neither may the very first gap, which has nothing before it
_WEIGHT: Final = 0.25  # of the newest gap


class Freshness(NamedTuple):
    """The judgement, and the ages in seconds at which it becomes "overdue" and "silent"."""

    state: State
    overdue_s: float
    silent_s: float


def judge(t: int | None, interval_s: float | None, now_t: int) -> Freshness:
    """Judge a report made at t by the time now_t."""
    interval = interval_s or _UNKNOWN_INTERVAL_S
    overdue_s = max(_OVERDUE_INTERVALS * interval, _OVERDUE_LEAST_S)
    silent_s = max(_SILENT_INTERVALS * interval, _SILENT_LEAST_S)
    if t is None:
        return Freshness("never", overdue_s, silent_s)
    age = now_t - t
    state: State = "live" if age <= overdue_s else "overdue" if age <= silent_s else "silent"
    return Freshness(state, overdue_s, silent_s)


def interval_after(interval_s: float | None, gap_s: float) -> float | None:
    """Return the interval as it is seen to be after one more gap between two reports."""
    if gap_s <= 0:  # two records of one second
        return interval_s
    if interval_s is None:
        return min(float(gap_s), _FIRST_GAP_MAX_S)
    bounded = min(max(gap_s, interval_s / _GAP_FACTOR_MAX), interval_s * _GAP_FACTOR_MAX)
    return interval_s + _WEIGHT * (bounded - interval_s)

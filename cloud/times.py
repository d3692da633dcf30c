"""Time as the centre counts it.

Records carry `t`, whole seconds since 2020-01-01 UTC (docs/wire.md); arrivals are Unix
milliseconds, named `…_ms`; the API shows aware UTC datetimes.
"""

import time
from datetime import UTC, datetime

from agent.wire.series import EPOCH_2020


def now_ms() -> int:
    """Return the present moment in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def t_of_ms(ms: int) -> int:
    """Return Unix milliseconds as `t`."""
    return ms // 1000 - EPOCH_2020


def ms_of_t(t: int) -> int:
    """Return `t` as Unix milliseconds."""
    return (t + EPOCH_2020) * 1000


def t_of(moment: datetime) -> int:
    """Return an aware datetime as `t`."""
    return int(moment.timestamp()) - EPOCH_2020


def moment_of_t(t: int) -> datetime:
    """Return `t` as a UTC datetime."""
    return datetime.fromtimestamp(t + EPOCH_2020, UTC)


def moment_of_ms(ms: int) -> datetime:
    """Return Unix milliseconds as a UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)

"""How records lie in a time series, for whoever writes it and whoever reads it. Host only.

One table (SQLite) or measurement (InfluxDB, VictoriaMetrics) per schema of class SERIES, one column
or field per schema field, plus

    device   whose it is (a tag; in SQLite `dev`, a number of the table `devices`)
    boot, seq   with the device, the record's identity
    ts       the point's time, see `point_ms`
    dated    how the time is known, `body.DATED`

Values are the wire's integers; `NULL` or no field at all where nothing was measured. Byte strings
are kept in SQLite only: a time-series store has no use for text.

In SQLite a month (UTC, by the point's time) is a file of its own, `2026-11.sqlite`, in one folder.
Beside a schema's table lie its rollups, `beacon_hour` and `beacon_halfday`: what an hour or half a day of a
device comes to, for each that holds at least ROLL_MIN records. docs/time-series.md has the reasons.
"""

import re
from datetime import UTC, datetime
from typing import Final

from agent.wire import codes, schema

EPOCH_2020: Final = 1_577_836_800  # 2020-01-01 UTC in Unix seconds

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
ROLLUPS: Final = {"halfday": 12 * HOUR_MS, "hour": HOUR_MS}  # widths in ms, the widest first
ROLL_MIN: Final = 24  # records from which on a rollup is worth its bytes
# How many were measured, the least, the greatest, their sum, the time of the first, the last.
TOLD: Final = ("n", "low", "high", "total", "first", "last")
STATE_TOLD: Final = ("n", "total", "first", "last")
# Times in a rollup are milliseconds of its day, UTC. `last` is one number, (time << LAST_SHIFT) +
# value + LAST_ZERO: the greatest is the latest, and of two at the same time the greater value.
# 27 bits of time, 33 of value.
LAST_SHIFT: Final = 33
LAST_ZERO: Final = 1 << 32
_STATES: Final = 8  # two-bit states in `flags`
_MONTH: Final = re.compile(r"(2\d{3})-(0[1-9]|1[0-2])\.sqlite")

Field = tuple[str, str, int, int, int]
Row = tuple[int, str, int, tuple[Field, ...]]


def point_ms(t: int, seq: int) -> int:
    """Return a point's time in Unix milliseconds.

    `t` (seconds since 2020) has whole seconds; seq mod 1000 in the place of the milliseconds keeps
    two records of one second apart and makes writing twice the same point.
    """
    return (t + EPOCH_2020) * 1000 + seq % 1000


def rows() -> list[Row]:
    """Return the schemas that go to the time series."""
    return [row for row in schema.SCHEMAS[1:] if row[2] == schema.SERIES]


def measurement(row: Row) -> str:
    """Return the name of a schema's table or measurement."""
    return row[1].replace("-", "_")


def numbers(row: Row) -> list[str]:
    """Return the names of a schema's numeric fields, in order."""
    return [field[0] for field in row[3] if field[1] != "bytes"]


def month_file(ts: int) -> str:
    """Return the name of the file that a point of this time (Unix ms, after 2000) lies in."""
    return f"{datetime.fromtimestamp(ts // 1000, UTC):%Y-%m}.sqlite"


def month_span(name: str) -> tuple[int, int] | None:
    """Return start ≤ time < end of a month's file in Unix ms; None: the name is not one."""
    found = _MONTH.fullmatch(name)
    if found is None:
        return None
    year, month = int(found[1]), int(found[2])
    start = datetime(year, month, 1, tzinfo=UTC)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return round(start.timestamp() * 1000), round(end.timestamp() * 1000)


DEVICES: Final = "CREATE TABLE IF NOT EXISTS devices (dev INTEGER PRIMARY KEY, name TEXT UNIQUE)"


def create_table(row: Row) -> str:
    """Return the SQL that makes a schema's table; safe to run again.

    Its order is that of reading: a device's stretch of time lies together, and needs no index. A
    record's time is a matter of its identity and never changes, so the key holds each only once.
    """
    columns = ", ".join(f'"{field[0]}"' for field in row[3])
    return f"""CREATE TABLE IF NOT EXISTS "{measurement(row)}" (
        dev INTEGER NOT NULL, ts INTEGER NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
        dated INTEGER NOT NULL, {columns}, newer BLOB,
        PRIMARY KEY (dev, ts, boot, seq)) WITHOUT ROWID"""


def create_rollup(row: Row, level: str) -> str:
    """Return the SQL that makes a schema's rollup; safe to run again. `at` is time // its width."""
    columns = ", ".join(f'"{column}"' for column in rollup_columns(row))
    return f"""CREATE TABLE IF NOT EXISTS "{measurement(row)}_{level}" (
        dev INTEGER NOT NULL, at INTEGER NOT NULL, {columns},
        PRIMARY KEY (dev, at)) WITHOUT ROWID"""


def missing_columns(table: str, wanted: list[str], present: set[str]) -> list[str]:
    """Return the SQL that adds the columns which a table made by an older version lacks."""
    return [
        f'ALTER TABLE "{table}" ADD COLUMN "{column}"'
        for column in wanted
        if column not in present
    ]


def parts(row: Row) -> dict[str, str]:
    """Return what a rollup tells of: a name each, and the SQL of its value.

    Every numeric field; of `flags` each state by itself, 0 or 1 where it was measured.
    """
    out = {}
    for name in numbers(row):
        if name == "flags":
            out |= {state(bit): state_sql(bit) for bit in range(_STATES)}
        else:
            out[name] = f'"{name}"'
    return out


def state(bit: int) -> str:
    """Return how a rollup calls a state of `flags`."""
    return f"flags_{bit}"


def state_sql(bit: int) -> str:
    """Return the SQL of one state of `flags`: 0, 1, or NULL where it was not measured."""
    return f"CASE WHEN flags >> {bit + codes.KNOWN_SHIFT} & 1 THEN flags >> {bit} & 1 END"


def told(part: str) -> tuple[str, ...]:
    """Return what a rollup tells of one of `parts`; of a state, `n` and `total` say the rest."""
    return STATE_TOLD if part.startswith("flags_") else TOLD


def rollup_columns(row: Row) -> list[str]:
    """Return a rollup's columns besides its key."""
    return [f"{what}_{part}" for part in parts(row) for what in told(part)]

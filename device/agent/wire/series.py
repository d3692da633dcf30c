"""How records lie in a time series, for whoever writes it and whoever reads it. Host only.

One table (SQLite) or measurement (InfluxDB, VictoriaMetrics) per schema of class SERIES, one column
or field per schema field, plus

    device   whose it is (a tag)
    boot, seq   with the device, the record's identity
    ts       the point's time, see `point_ms`
    dated    how the time is known, `body.DATED`

Values are the wire's integers; `NULL` or no field at all where nothing was measured. Byte strings
are kept in SQLite only: a time-series store has no use for text.
"""

from typing import Final

from agent.wire import schema

EPOCH_2020: Final = 1_577_836_800  # 2020-01-01 UTC in Unix seconds

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


def create_table(row: Row) -> list[str]:
    """Return the SQL that makes a schema's SQLite table; safe to run again.

    A schema grows at its end, and so does its table: `missing_columns` tells what to add.
    """
    columns = ", ".join(f'"{field[0]}"' for field in row[3])
    name = measurement(row)
    return [
        f"""CREATE TABLE IF NOT EXISTS "{name}" (
            device TEXT NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
            ts INTEGER NOT NULL, dated INTEGER NOT NULL, {columns}, newer BLOB,
            PRIMARY KEY (device, boot, seq)) WITHOUT ROWID""",
        f'CREATE INDEX IF NOT EXISTS "{name}_by_time" ON "{name}" (device, ts)',
    ]


def missing_columns(row: Row, present: set[str]) -> list[str]:
    """Return the SQL that adds the columns which a table made by an older version lacks."""
    name = measurement(row)
    return [
        f'ALTER TABLE "{name}" ADD COLUMN "{field[0]}"'
        for field in row[3]
        if field[0] not in present
    ]

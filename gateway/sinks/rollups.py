"""The SQL that keeps a month's rollups: what the records of an hour or half a day come to.

`steps` runs in the transaction that adds records, over those that are new: they are put together
by hours once, and these join the rollups that are there. A rollup that is not there yet is made
from all its records, as soon as there are enough of them.
"""

from typing import Final

from agent.wire.body import UNDATED
from agent.wire.series import (
    DAY_MS,
    HOUR_MS,
    LAST_SHIFT,
    LAST_ZERO,
    ROLL_MIN,
    ROLLUPS,
    Row,
    measurement,
    parts,
    rollup_columns,
    told,
)

# Of a value `{e}` at `ts`. What has a NULL in it is NULL, and aggregates pass over it.
_OF_RECORDS: Final = {
    "n": "count({e})",
    "low": "min({e})",
    "high": "max({e})",
    "total": "sum({e})",
    "first": f"min(ts % {DAY_MS} + 0 * ({{e}}))",
    "last": f"max((ts % {DAY_MS} << {LAST_SHIFT}) + ({{e}}) + {LAST_ZERO})",
}
_OF_HOURS: Final = {
    "n": "sum",
    "low": "min",
    "high": "max",
    "total": "sum",
    "first": "min",
    "last": "max",
}
_JOIN: Final = {
    "n": "coalesce({c}, 0) + excluded.{c}",
    "low": "coalesce(min({c}, excluded.{c}), {c}, excluded.{c})",
    "high": "coalesce(max({c}, excluded.{c}), {c}, excluded.{c})",
    "total": "coalesce({c} + excluded.{c}, {c}, excluded.{c})",
    "first": "coalesce(min({c}, excluded.{c}), {c}, excluded.{c})",
    "last": "coalesce(max({c}, excluded.{c}), {c}, excluded.{c})",
}


def tables(row: Row) -> list[str]:
    """Return the SQL that makes the temporary tables of `steps`."""
    columns = ", ".join(["dev", "at", *rollup_columns(row), "PRIMARY KEY (dev, at)"])
    return [
        f"CREATE TABLE temp.hours_{measurement(row)} ({columns}) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS temp.due (dev, at, PRIMARY KEY (dev, at)) WITHOUT ROWID",
    ]


def steps(row: Row, fresh: str) -> list[str]:
    """Return the SQL that carries the records in table `fresh` into the rollups of a schema.

    They must be in the schema's own table, too, and new there.
    """
    hours = f"temp.hours_{measurement(row)}"
    out = [f"INSERT INTO {hours} {_put_together(row, HOUR_MS, fresh)}"]
    for level in ROLLUPS:
        out += _level(row, level, hours)
    return [*out, f"DELETE FROM {hours}"]  # noqa: S608


def _level(row: Row, level: str, hours: str) -> list[str]:
    name, width = measurement(row), ROLLUPS[level]
    rollup, columns = f'"{name}_{level}"', rollup_columns(row)
    listed = ", ".join(columns)
    folded = ", ".join(f"{_OF_HOURS[c.partition('_')[0]]}({c})" for c in columns)
    joined = ", ".join(f"{c} = {_JOIN[c.partition('_')[0]].format(c=c)}" for c in columns)
    at = f"at / {width // HOUR_MS}"
    touched = f"(SELECT DISTINCT dev, {at} AS at FROM {hours}) AS t"  # noqa: S608
    there = f"EXISTS (SELECT 1 FROM {rollup} AS r WHERE r.dev = t.dev AND r.at = t.at)"  # noqa: S608
    its = f"b.dev = t.dev AND b.ts >= t.at * {width} AND b.ts < (t.at + 1) * {width}"
    some = f'SELECT 1 FROM "{name}" AS b WHERE {its} LIMIT {ROLL_MIN}'  # noqa: S608
    records = f'(SELECT b.* FROM temp.due AS t CROSS JOIN "{name}" AS b ON {its})'  # noqa: S608
    return [
        f"INSERT INTO temp.due SELECT dev, at FROM {touched} WHERE {there}",  # noqa: S608
        f"""INSERT INTO {rollup} (dev, at, {listed})
            SELECT dev, {at}, {folded} FROM {hours}
            WHERE (dev, {at}) IN (SELECT dev, at FROM temp.due) GROUP BY 1, 2
            ON CONFLICT (dev, at) DO UPDATE SET {joined}""",  # noqa: S608
        "DELETE FROM temp.due",
        f"""INSERT INTO temp.due SELECT dev, at FROM {touched}
            WHERE NOT {there} AND (SELECT count(*) FROM ({some})) = {ROLL_MIN}""",  # noqa: S608
        f"INSERT INTO {rollup} (dev, at, {listed}) {_put_together(row, width, records)}",
        "DELETE FROM temp.due",
    ]


def _put_together(row: Row, width: int, source: str) -> str:
    """Return the SQL of what the dated records of a source come to, by device and width."""
    values = [
        _OF_RECORDS[what].format(e=expression)
        for part, expression in parts(row).items()
        for what in told(part)
    ]
    return f"""SELECT dev, ts / {width}, {", ".join(values)} FROM {source}
        WHERE dated <> {UNDATED} GROUP BY 1, 2"""  # noqa: S608

"""Line protocol, made from a record's bytes.

    line = line_of(row, point_ms(row))

A schema has a template for each pattern of what was measured; there are few of them, and a line is
one formatting. Integers stay integers; byte strings stay at home: a store would make 0 of them.
"""

from functools import lru_cache
from typing import Final

import cbor2

from agent.wire import schema, series
from gateway.journal.reading import Row
from gateway.sinks.points import checked

_PATTERNS_MAX: Final = 4096  # of all schemas together; what comes often stays


def line_of(row: Row, ts: int) -> str:
    """Return a SERIES row as one line (influx line protocol), at `ts` in Unix milliseconds."""
    _, device, boot, seq, kind, _, dated, _, _, raw, flawed = row
    values = checked(row) if flawed else cbor2.loads(raw)[schema.HEAD_ITEMS :]
    if None in values or len(values) > _NUMBERS.get(kind, -1):
        template = _template(kind, dated, tuple(map(type, values)))
        values = [value for value in values if type(value) is int]
    else:
        template = _whole(kind, dated, len(values))
    return template % (device, boot, seq, *values, ts)


@lru_cache(maxsize=_PATTERNS_MAX)
def _whole(schema_id: int, dated: int, count: int) -> str:
    """Return the template for so many values, all of them numbers."""
    return _template(schema_id, dated, (int,) * count)


@lru_cache(maxsize=_PATTERNS_MAX)
def _template(schema_id: int, dated: int, types: tuple[type, ...]) -> str:
    """Return the template for records with values of these types.

    Values beyond the known fields belong to a newer version of the schema: `x13` is item 13 of the
    record. How it is dated is written where it is not by the device itself, which it mostly is.
    """
    row = schema.SCHEMAS[schema_id]
    names = [field[0] for field in row[3]]
    at = schema.HEAD_ITEMS + len(names)
    names += [f"x{n}" for n in range(at, schema.HEAD_ITEMS + len(types))]
    told = f",dated={dated}i" if dated else ""
    told += "".join(
        f",{name}=%di" for name, kind in zip(names, types, strict=False) if kind is int
    )
    return f"{series.measurement(row)},device=%s boot=%di,seq=%di{told} %d"


# How many fields a schema has that has numbers only; what a newer version has beyond may be anything.
_NUMBERS: Final = {
    row[0]: len(row[3]) for row in series.rows() if all(field[1] != "bytes" for field in row[3])
}

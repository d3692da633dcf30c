"""Line protocol, made from a record's bytes.

    line = line_of(row, point_ms(row))

A schema has a template for each pattern of what was measured; there are few of them, and a line is
one formatting. Integers stay integers; byte strings stay at home: a store would make 0 of them.
"""

from functools import lru_cache
from typing import Final

import cbor2

from agent.wire import schema, series
from gateway.reading import Row
from gateway.sinks.points import checked

_PATTERNS_MAX: Final = 4096  # of all schemas together; what comes often stays


def line_of(row: Row, ts: int) -> str:
    """Return a SERIES row as one line (influx line protocol), at `ts` in Unix milliseconds."""
    values = checked(row) if row.flawed else cbor2.loads(row.raw)[schema.HEAD_ITEMS :]
    template, whole = _template(row.schema, tuple(map(type, values)))
    if not whole:
        values = [value for value in values if type(value) is int]
    return template % (row.device, row.boot, row.seq, row.dated, *values, ts)


@lru_cache(maxsize=_PATTERNS_MAX)
def _template(schema_id: int, types: tuple[type, ...]) -> tuple[str, bool]:
    """Return the template for records with values of these types, and whether all are numbers.

    Values beyond the known fields belong to a newer version of the schema: `x13` is item 13 of the
    record.
    """
    row = schema.SCHEMAS[schema_id]
    names = [field[0] for field in row[3]]
    at = schema.HEAD_ITEMS + len(names)
    names += [f"x{n}" for n in range(at, schema.HEAD_ITEMS + len(types))]
    fields = [name for name, kind in zip(names, types, strict=False) if kind is int]
    told = "".join(f",{name}=%di" for name in fields)
    template = f"{series.measurement(row)},device=%s boot=%di,seq=%di,dated=%di{told} %d"
    return template, len(fields) == len(types)

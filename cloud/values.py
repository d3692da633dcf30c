"""Turns records into what people read: natural units, decoded codes and flags.

    read(record)  ->  {"beacon.lit": True, "beacon.batt_mv": 12.61, "beacon.temp_dc": None, …}

A key is `schema.field`; a flag is a key of its own, and None while its upper bit says that it was
not measured: unknown is neither healthy nor failed. Counts of an energy register also come as kWh.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

import cbor2

from agent.wire import codes, schema, words
from agent.wire.series import Row

Value = bool | int | float | str | None

# Byte strings that are not text; all others are ASCII by the schema table.
_HEX: Final = {"birth.config_hash", "ais-static.vendor"}
_CACHE: Final = 16_384  # records; a live view of 5,000 aids shows about as many

KWH_IMPORTED: Final = "energy-count.imported_kwh"
KWH_EXPORTED: Final = "energy-count.exported_kwh"


class Field(NamedTuple):
    """One kind of value.

    `exponent` scales the wire's integer; `bit` is set for a flag, which is one bit of the column
    `column`. `series` says whether its history is in the time-series store.
    """

    key: str
    unit: str
    exponent: int
    column: str
    bit: int | None
    series: bool


@cache
def fields() -> Mapping[str, Field]:
    """Return every kind of value that `read` gives, by key, in the order of the schema table."""
    table = {}
    for row in schema.SCHEMAS[1:]:
        for field in _fields_of(row):
            table[field.key] = field
    return MappingProxyType(table)


def _fields_of(row: Row) -> list[Field]:
    name, series = row[1], row[2] == schema.SERIES
    out = []
    for column, unit, exponent, _, _ in row[3]:
        if column == "flags":
            out += [
                Field(f"{name}.{flag}", "flag", 0, column, bit, series)
                for bit, flag in enumerate(words.FLAGS[name])
            ]
        else:
            out.append(Field(f"{name}.{column}", unit, exponent, column, None, series))
    if row[0] == schema.ENERGY_COUNT:
        for key in (KWH_IMPORTED, KWH_EXPORTED):
            out.append(Field(key, "kWh", 0, "", None, series=False))
    return out


def scale(number: int, exponent: int) -> float:
    """Return number × 10**exponent as the nearest float there is; whole numbers stay whole."""
    factor = int(10 ** abs(exponent))
    return number / factor if exponent < 0 else number * factor


def flag(bits: int | None, bit: int) -> bool | None:
    """Return a state's bit, or None where its upper bit does not say that it was measured."""
    if bits is None or not bits >> (bit + codes.KNOWN_SHIFT) & 1:
        return None
    return bool(bits >> bit & 1)


@lru_cache(maxsize=_CACHE)
def read(record: bytes) -> dict[str, Value]:
    """Return the values of a record that was decoded before, by key; not to be changed.

    A value outside its field's range counts as not measured, as everywhere (docs/wire.md). The
    record of a schema that this version does not know has none.
    """
    items = cbor2.loads(record)
    if items[0] >= len(schema.SCHEMAS):
        return {}
    row = schema.SCHEMAS[items[0]]
    raw = items[schema.HEAD_ITEMS :]
    raw += [None] * (len(row[3]) - len(raw))
    values: dict[str, Value] = {}
    for (column, unit, exponent, low, high), item in zip(row[3], raw, strict=False):
        number = _within(item, unit, low, high)
        key = f"{row[1]}.{column}"
        if column == "flags":
            for bit, name in enumerate(words.FLAGS[row[1]]):
                values[f"{row[1]}.{name}"] = flag(number, bit)
        elif isinstance(item, bytes):
            values[key] = _text(key, item) if unit == "bytes" else None
        elif number is None:
            values[key] = None
        elif key in words.FIELDS:
            values[key] = words.FIELDS[key].get(number, number)
        else:
            values[key] = scale(number, exponent)
    if row[0] == schema.ENERGY_COUNT:
        for key, column in ((KWH_IMPORTED, "imported"), (KWH_EXPORTED, "exported")):
            values[key] = _kwh(values, column)
    return values


def _within(item: object, unit: str, low: int, high: int) -> int | None:
    return item if type(item) is int and unit != "bytes" and low <= item <= high else None


def _text(key: str, item: bytes) -> str:
    printable = key not in _HEX and all(0x20 <= byte < 0x7F for byte in item)
    return item.decode("ascii") if printable else item.hex()


def _kwh(values: Mapping[str, Value], column: str) -> float | None:
    """Return an energy register as primary kWh: counts × 10**count_e × PT × CT."""
    count, exponent, pt, ct = (
        values[f"energy-count.{name}"] for name in (column, "count_e", "pt", "ct")
    )
    if type(count) is not int or type(exponent) is not int:
        return None
    ratio = (pt if type(pt) is int else 1) * (ct if type(ct) is int else 1)
    return scale(count * ratio, exponent)

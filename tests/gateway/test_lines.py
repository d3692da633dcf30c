"""Line protocol: against a slow plain way of making it, byte for byte."""

import random

import cbor2

from agent.wire import body, decode, schema, series
from gateway.sinks.lines import line_of
from gateway.sinks.points import Limits, point_ms
from tests.series import row

T = 217_400_000
SEED = 20261122


def plain_line(row):
    """Return a row's line, made field by field from what decode says of it."""
    record = decode.one(row.raw)
    name, fields = schema.SCHEMAS[row.schema][1], schema.SCHEMAS[row.schema][3]
    bad = {fault.field for fault in decode.check(record)}
    parts = [f"boot={row.boot}i", f"seq={row.seq}i"]
    if row.dated:
        parts.append(f"dated={row.dated}i")
    for n, value in enumerate(record.values):
        field = fields[n][0] if n < len(fields) else f"x{n + 4}"
        if isinstance(value, int) and field not in bad:
            parts.append(f"{field}={value}i")
    ms = row.received_ms if row.time is None else series.point_ms(row.time, row.seq)
    return f"{name.replace('-', '_')},device={row.device} {','.join(parts)} {ms}"


def test_a_line():
    made = line_of(*at(row("buoy-1", 1003, T, [257, None, 122], boot=7)))
    ms = (T + 1_577_836_800) * 1000 + 3
    assert made == f"beacon,device=buoy-1 boot=7i,seq=1003i,flags=257i,lon_e6=122i {ms}"


def test_every_schema_and_pattern_as_the_plain_way():
    rng = random.Random(SEED)
    for kind in series.rows():
        for n in range(300):
            values = []
            for _, unit, _, low, high in kind[3]:
                if rng.random() < 0.2:
                    values.append(None)
                elif unit == "bytes":
                    values.append(b"x" * rng.randint(low, high))
                else:
                    values.append(rng.randint(low, high))
            values += [rng.choice((None, 5, b"new", -1))] * rng.choice((0, 0, 0, 3))
            del values[rng.choice((len(values), rng.randrange(len(values) + 1))) :]
            undated = rng.random() < 0.1
            made = row(f"dev-{n}", n, T + n, values, kind=kind[0], dated=2 if undated else 0)
            assert line_of(*at(made)) == plain_line(made)


def test_values_outside_their_fields_are_left_out_when_the_row_says_so():
    values = [257, 95_000_000, b"text", 12]
    made = row("a", 0, T, values)._replace(flawed=True)
    assert line_of(*at(made)) == plain_line(made)
    assert ",flags=257i,sats=12i " in line_of(*at(made))


def test_text_is_never_sent_as_a_number():
    values = [5, None, -2, 1, 40, b"202410010001"]
    assert "meter_id" not in line_of(*at(row("a", 0, T, values, kind=schema.ENERGY_COUNT)))
    birth = row("a", 0, T, [1, 1, b"0.1.0"], kind=schema.BIRTH)
    assert Limits(600, 400).points([birth], print) == []


def test_an_undated_point_lies_where_it_was_received():
    made = row("a", 0, T, [1], dated=body.UNDATED, received_ms=5)
    assert line_of(*at(made)).endswith(" 5")


def test_a_record_without_values_is_a_line_still():
    assert cbor2.loads(row("a", 0, T, []).raw)[4:] == []
    assert line_of(*at(row("a", 0, T, []))) == plain_line(row("a", 0, T, []))


def at(row):
    return row, point_ms(row)

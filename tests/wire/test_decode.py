"""The strict decoder, held against cbor2 and against the encoder."""

import random

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.wire import decode, schema, vectors
from agent.wire.decode import Bad, DecodeError, Record
from agent.wire.encode import Encoder

ROWS = schema.SCHEMAS[1:]


def field_value(field: vectors.Field) -> st.SearchStrategy[int | bytes | None]:
    _, unit, _, low, high = field
    if unit == "bytes":
        return st.none() | st.binary(min_size=low, max_size=high)
    return st.none() | st.integers(low, high)


@st.composite
def records(draw):
    row = draw(st.sampled_from(ROWS))
    values = [draw(field_value(field)) for field in row[3]]
    boot = draw(st.integers(0, schema.BOOT_MAX))
    seq = draw(st.integers(0, schema.SEQ_MAX))
    t = draw(st.integers(schema.T_MIN, schema.T_MAX))
    return row[0], boot, seq, t, values


@given(records())
def test_what_is_encoded_is_what_cbor2_reads(record):
    schema_id, boot, seq, t, values = record
    encoder = Encoder()
    raw = bytes(encoder.buf[: encoder.record(schema_id, boot, seq, t, values)])
    while values and values[-1] is None:
        values.pop()
    assert encoder.refused == 0
    assert cbor2.loads(raw) == [schema_id, boot, seq, t, *values]
    assert cbor2.dumps([schema_id, boot, seq, t, *values], canonical=True) == raw
    decoded = decode.one(raw)
    assert decoded == Record(raw, schema_id, boot, seq, t, [schema_id, boot, seq, t, *values])
    assert decode.check(decoded) == []


@given(st.lists(records(), min_size=1, max_size=8))
def test_a_sequence_comes_apart_where_it_was_put_together(batch):
    raws = [vectors.written_record(i, v, boot=b, seq=s, t=t) for i, b, s, t, v in batch]
    assert [item.raw for item in decode.sequence(b"".join(raws))] == raws


@pytest.mark.parametrize("code", vectors.REFUSED)
def test_each_refusal_has_its_name(code):
    (first, *_) = decode.sequence(vectors.REFUSED[code])
    assert isinstance(first, Bad)
    assert first.error.code == code
    with pytest.raises(DecodeError) as caught:
        decode.one(vectors.REFUSED[code])
    assert caught.value.code == code


def test_every_code_is_either_in_the_vectors_or_needs_a_schema():
    by_schema = {"unknown-schema", "field-range", "field-type", "trailing-bytes"}
    assert set(decode.CODES) == set(vectors.REFUSED) | by_schema


GOOD = vectors.written_record(schema.CLOCK, [42, 1, 500], boot=12, seq=1)


@pytest.mark.parametrize(
    "code", sorted(set(vectors.REFUSED) - {"empty", "payload-too-long", "truncated"})
)
def test_good_records_beside_a_refused_one_are_kept(code):
    items = decode.sequence(GOOD + vectors.REFUSED[code] + GOOD)
    assert items[0].raw == GOOD
    assert isinstance(items[1], Bad)
    assert b"".join(item.raw for item in items) == GOOD + vectors.REFUSED[code] + GOOD
    ended = code in {"malformed", "indefinite-length"}  # where such an item ends, nobody knows
    assert isinstance(items[-1], Bad if ended else Record)


def test_the_identity_of_a_refused_record_is_read_where_it_can_be():
    assert decode.sequence(bytes.fromhex("8501020304f97e00"))[0].identity == (2, 3)
    assert decode.sequence(bytes.fromhex("05"))[0].identity is None


def test_trailing_bytes():
    with pytest.raises(DecodeError) as caught:
        decode.one(GOOD + b"\x00")
    assert caught.value.code == "trailing-bytes"


def test_newer_fields_at_the_end_of_a_known_schema_are_kept():
    raw = cbor2.dumps([schema.CLOCK, 1, 2, 3, 42, 1, 500, 0, 99, b"new", None, 7])
    record = decode.one(raw)
    assert decode.check(record) == []
    assert record.values[4:] == [99, b"new", None, 7]


@given(st.randoms())
def test_sound_is_the_same_as_nothing_found(rng):
    for schema_id, _, _, fields in schema.SCHEMAS[1:]:
        values = []
        for _, unit, _, low, high in fields:
            good = bytes(rng.randint(low, high)) if unit == "bytes" else rng.randint(low, high)
            odd = [None, low - 1, low, high, high + 1, b"", bytes(rng.randint(0, 64))]
            values.append(good if rng.random() < 0.8 else rng.choice(odd))
        length = rng.choice([len(values)] * 4 + [rng.randint(0, len(values))])
        items = [schema_id, 7, 1, 5, *values[:length], *[9] * rng.choice([0, 0, 1])]
        record = Record(b"", schema_id, 7, 1, 5, items)
        assert decode.sound(record) == (not decode.check(record)), items
    assert not decode.sound(Record(b"", 999, 7, 1, 5, [999, 7, 1, 5]))


def test_an_unknown_schema_is_a_record_that_cannot_be_checked():
    record = decode.one(cbor2.dumps([999, 1, 2, 3, 4]))
    with pytest.raises(DecodeError) as caught:
        decode.check(record)
    assert caught.value.code == "unknown-schema"


def test_values_outside_their_field_are_named():
    record = decode.one(cbor2.dumps([schema.BEACON, 1, 2, 3, 70000, 31000000, b"x", 5]))
    assert [(f.field, f.error.code) for f in decode.check(record)] == [
        ("flags", "field-range"),
        ("lon_e6", "field-type"),
    ]


def by_the_book(payload: bytes) -> list[object] | None:
    """Another way to say what one record is: cbor2 reads it, cbor2 writes the very same bytes."""
    try:
        items = cbor2.loads(payload)
        same = cbor2.dumps(items, canonical=True) == payload
    except Exception:  # noqa: BLE001  (whatever cbor2 raises, it is not a record)
        return None
    if not same or type(items) is not list or not 4 <= len(items) <= 48 or len(payload) > 240:
        return None
    for item in items:
        if type(item) is int:
            if not -(2**32) <= item < 2**32:
                return None
        elif not (item is None or (type(item) is bytes and len(item) <= 32)):
            return None
    schema_id, boot, seq, t = items[:4]
    if not all(type(x) is int for x in items[:4]):
        return None
    limit = 2**30
    if not (0 < schema_id < 65536 and 0 <= boot < limit and 0 <= seq < limit):
        return None
    return items if -limit <= t < limit else None


def agrees(payload: bytes) -> None:
    items = decode.sequence(payload)
    assert b"".join(item.raw for item in items) == payload
    expected = by_the_book(payload)
    if expected is None:
        assert len(items) != 1 or isinstance(items[0], Bad)
    else:
        assert items[0].items == expected
    for item in items:
        if isinstance(item, Bad):
            assert item.error.code in decode.CODES
            assert by_the_book(item.raw) is None


@given(st.binary(min_size=1, max_size=64))
@example(bytes.fromhex("84010203c24105"))
@example(bytes.fromhex("84c2410501020304"))
@example(b"\x84\x01\x02\x03\xd8\x1c\x81\xd8\x1d\x00")
@example(b"\x00" * 40)
def test_any_bytes_are_read_as_the_book_says(payload):
    agrees(payload)


@given(records(), st.randoms(use_true_random=False))
def test_any_broken_record_is_read_as_the_book_says(record, rng: random.Random):
    schema_id, boot, seq, t, values = record
    payload = bytearray(vectors.written_record(schema_id, values, boot=boot, seq=seq, t=t))
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(payload))
        rng.choice(
            [
                lambda i=i: payload.__setitem__(i, rng.randrange(256)),
                lambda i=i: payload.insert(i, rng.randrange(256)),
                lambda i=i: payload.pop(i) if len(payload) > 1 else None,
            ]
        )()
    agrees(bytes(payload))

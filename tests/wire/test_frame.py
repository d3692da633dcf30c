"""The BeiDou frame against CPython's own hmac, and that a tag covers everything it should."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import LocalError
from agent.wire import frame, schema
from agent.wire.messages import DEVICE_MAX, valid_device
from agent.wire.vectors import written_record

KEY = bytes(range(32))
DEVICES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=DEVICE_MAX)
KINDS = st.integers(1, frame.KIND_MAX)
BODIES = st.binary(min_size=1, max_size=frame.BODY_MAX)
DIRECTIONS = st.sampled_from([frame.UP, frame.DOWN])


def put(body, key=KEY, direction=frame.UP, device="buoy-1", kind=frame.RECORDS):
    buf = bytearray(frame.FRAME_MAX)
    n = frame.put_frame(buf, key, direction, device, kind, bytearray(body), len(body))
    return bytes(buf[:n])


@given(st.binary(max_size=100), DIRECTIONS, DEVICES, KINDS, BODIES)
def test_the_tag_is_hmac_sha_256(key, direction, device, kind, body):
    content = put(body, key, direction, device, kind)
    text = b"fw1" + direction + device.encode() + bytes([kind]) + body
    assert content == (
        bytes([0xA4, kind]) + body + hmac.new(key, text, hashlib.sha256).digest()[:8]
    )
    assert len(content) <= 70
    assert frame.read_frame(content, key, direction, device) == (kind, body)


@given(DIRECTIONS, DEVICES, KINDS, BODIES, DIRECTIONS, DEVICES)
def test_a_frame_is_good_for_one_device_and_one_direction(
    direction, device, kind, body, other_direction, other
):
    content = put(body, KEY, direction, device, kind)
    if (direction, device) != (other_direction, other):
        with pytest.raises(frame.FrameError) as caught:
            frame.read_frame(content, KEY, other_direction, other)
        assert caught.value.code == "tag"


@given(DEVICES, KINDS, BODIES)
def test_no_byte_moves_between_device_kind_and_body(device, kind, body):
    """The tag's input is one string: a kind is no letter, so an id ends in one place only."""
    text = device.encode() + bytes([kind]) + body
    ends = [n for n in range(1, len(text)) if valid_device(text[:n].decode("latin-1"))]
    assert [n for n in ends if 0 < text[n] <= frame.KIND_MAX] == [len(device)]


@given(st.binary(max_size=100))
def test_noise_is_refused(content):
    with pytest.raises(frame.FrameError):
        frame.read_frame(content, KEY, frame.UP, "buoy-1")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "length"),
        (bytes(71), "length"),
        (b"\xa4\x01" + bytes(8), "length"),
        (put(b"x")[:-1] + b"\xff", "tag"),
        (b"\xa5" + put(b"x")[1:], "mark"),
        (b"\xa4\xa4" + put(b"x")[1:], "tag"),
    ],
)
def test_why_it_is_refused(content, code):
    with pytest.raises(frame.FrameError) as caught:
        frame.read_frame(content, KEY, frame.UP, "buoy-1")
    assert caught.value.code == code


@pytest.mark.parametrize(("n", "kind"), [(0, 1), (61, 1), (1, 0), (1, 32)])
def test_what_does_not_fit_is_our_own_mistake(n, kind):
    with pytest.raises(LocalError):
        frame.put_frame(bytearray(99), KEY, frame.UP, "buoy-1", kind, bytearray(99), n)


def test_budget_of_design_8():
    """A `beacon` record with every field measured, frame and tag included, is at most 70 bytes."""
    longest = [row[4] for row in schema.SCHEMAS[schema.BEACON][3]]
    lowest = [row[3] for row in schema.SCHEMAS[schema.BEACON][3]]
    for values in (longest, lowest):
        record = written_record(
            schema.BEACON, values, boot=65_535, seq=schema.SEQ_MAX, t=schema.T_MAX
        )
        assert len(put(record)) <= 70
    # With an alarm before it, as the outbox packs them, a level 3 card still carries both.
    alarm = written_record(
        schema.ALARM, [1, 1, 11_400, 11_500], boot=300, seq=9_999, t=217_400_000
    )
    usual = [0x0303, 31_000_000, 122_000_000, 12, 600, 12_600, -120, 100, 251]
    beacon = written_record(schema.BEACON, usual, boot=300, seq=9_998, t=217_400_000)
    assert len(alarm) + len(beacon) <= frame.BODY_MAX, (len(alarm), len(beacon))
    # And a level 2 card of 51 bytes, or 45 encrypted, carries any alarm.
    worst = written_record(
        schema.ALARM, [255, 1, -0x3FFFFFFF, -0x3FFFFFFF], boot=1 << 29, seq=1 << 29, t=1 << 29
    )
    assert len(put(worst)) <= 45

"""JT/T 808: frames whole, cut everywhere, torn and false; what a location becomes."""

import random
from functools import reduce
from operator import xor

import pytest

from agent.wire import codes, schema
from agent.wire.encode import Encoder
from gateway.inputs.adapter.jt808 import FRAME_MAX, JT808
from tests.gateway.jt808_terminal import Terminal, frame, location, messages

NOW = 300_000_000
# As a maker of 808 software publishes them, with the meaning that it gives: 2019 heads.
PUBLISHED = bytes.fromhex(
    "7e02004026010000000001391234432900000000006f0000001601dc9a0707456246007b00420003250129223344"
    "0202006401040000000c417e"
)
PUBLISHED_MANY = bytes.fromhex(
    "7e0704403f01000000000139123443290000000200001c000000010000000101d907f2073d336c029a0021005924"
    "1029213903001c000000010000000101d907f3073d336d03090043005a241029213903f87e"
)
PUBLISHED_ANSWER = bytes.fromhex("7e8001400501000000000139123443290000006f020000dc7e")


def feed(data, size=None, adapter=None):
    adapter = adapter or JT808()
    step = size or max(len(data), 1)
    said = [s for at in range(0, len(data), step) for s in adapter.feed(data[at : at + step], NOW)]
    return said, adapter


def test_published_frames():
    (one,), adapter = feed(PUBLISHED)
    assert (one.terminal, one.refused) == ("13912344329", None)
    (report,) = one.reports
    assert report.t == 160_324_424  # 2025-01-29 22:33:44, UTC+8
    (_, beacon), (_, gnss) = report.records
    # Status 16h: located, and south; the publisher's own text passes over that.
    assert beacon == [0, -31_234_567, 121_987_654, None, None, None]
    assert gnss == [1, None, None, 1230, 356, 300]
    assert adapter.counts == {}
    (many,), _ = feed(PUBLISHED_MANY)
    assert [r.records[0][1][1:3] for r in many.reports] == [[None, None]] * 2  # not located
    assert len({r.mark for r in many.reports}) == 2


def test_an_answer_is_as_published():
    (one,), _ = feed(PUBLISHED)
    got, expected = messages(one.answer)[0], messages(PUBLISHED_ANSWER)[0]
    assert got[0] == expected[0] == 0x8001
    assert got[1] == expected[1]  # terminal and version
    assert (got[2], got[3]) == (0, bytes.fromhex("0000020000"))


@pytest.mark.parametrize("size", [1, 2, 3, 11, 4096])
@pytest.mark.parametrize("newer", [False, True])
def test_frames_cut_anywhere(size, newer):
    terminal = Terminal("13800138000", newer=newer)
    data = b"\x00noise" + b"".join(
        [
            terminal.send(0x0100, bytes(37)),
            terminal.send(0x0102, b"fairway"),
            terminal.send(0x0002),
            terminal.send(0x0200, location(lat=0x7E7D7E, lon=0x7D017E02, t=NOW)),
            b"\x7e\x7e",
            terminal.send(0x0704, b"\0\2\1" + 2 * (b"\0\x1c" + location(t=NOW - 50))),
            terminal.send(0x0900, b"\x41passed through"),
        ]
    )
    said, adapter = feed(data, size)
    assert [len(one.reports) for one in said] == [0, 0, 0, 1, 2, 0]
    assert {one.terminal for one in said} == {"13800138000"}
    assert all(one.refused is None for one in said)
    answers = [messages(one.answer)[0] for one in said]
    assert [a[0] for a in answers] == [0x8100] + 5 * [0x8001]
    assert [a[2] for a in answers] == list(range(0, 12, 2)), "two are numbered: one is sent"
    assert [a[3][-1] for a in answers[1:]] == [0, 0, 0, 0, 3]
    denied = [messages(one.denied)[0][3] for one in said]
    assert denied[0] == b"\0\0\4"
    assert [d[-1] for d in denied[1:]] == [1] * 5
    assert adapter.counts == {"noise": 1, "unsupported": 1}
    assert said[3].reports[0].records[0][1][1:3] == [0x7E7D7E, 0x7D017E02]


def head(number=0x0200, body=b"", properties=None, terminal="013800138000"):
    properties = len(body) if properties is None else properties
    return number.to_bytes(2, "big") + properties.to_bytes(2, "big") + bytes.fromhex(terminal)


@pytest.mark.parametrize(
    ("message", "count"),
    [
        (b"\x02\x00", "short"),
        (head(properties=0x4000) + b"\0\0", "short"),
        (head(terminal="01380013800a") + b"\0\0", "number"),
    ],
)
def test_frames_that_name_nobody_are_counted(message, count):
    good = Terminal("1").send(0x0002)
    said, adapter = feed(frame(message) + good)
    assert len(said) == 1
    assert adapter.counts == {count: 1}


@pytest.mark.parametrize(
    ("damaged", "count"),
    [
        (lambda f: f[:-2] + bytes([f[-2] ^ 1]) + f[-1:], "checksum"),
        (lambda f: f[:10] + b"\x7d\x03" + f[10:], "escape"),
        (lambda f: b"\x7e" + b"x" * (FRAME_MAX + 1) + b"\x7e", "overlong"),
    ],
)
def test_damaged_frames_are_counted_and_the_next_is_read(damaged, count):
    terminal = Terminal("1")
    bad, good = damaged(terminal.send(0x0200, location(t=NOW))), terminal.send(0x0002)
    for size in (1, 100, None):
        said, adapter = feed(terminal.send(0x0002) + bad + good, size)
        assert len(said) == 2
        assert adapter.counts == {count: 1}


@pytest.mark.parametrize(
    ("message", "reason", "result"),
    [
        (head(0x0200, location()[:27]) + b"\0\7" + location()[:27], "jt808-location", 2),
        (head(0x0200, location(), 27) + b"\0\7" + location(), "jt808-length", 2),
        (head(0x0200, location(), 0x041C) + b"\0\7" + location(), "jt808-encrypted", 3),
        (head(0x0801, location(), 0x201C) + b"\0\7\0\2\0\1" + location(), "jt808-in-parts", 3),
        (head(0x0704, location(), 0x201C) + b"\0\7\0\x09\0\1" + location(), "jt808-in-parts", 3),
        (head(0x0704, location(), 0x201C) + b"\0\7\0\2\0\3" + location(), "jt808-in-parts", 3),
        (head(0x0704, location(), 0x201C) + b"\0\7\0\2\0\0" + location(), "jt808-in-parts", 3),
        (head(0x0704, b"\0\1\0\0\x1dxx") + b"\0\7" + b"\0\1\0\0\x1dxx", "jt808-location", 2),
        (head(0x0704, b"\0\1\0") + b"\0\7" + b"\0\1\0", "jt808-location", 2),
    ],
)
def test_messages_that_cannot_be_read_are_kept_and_answered(message, reason, result):
    (said,), _ = feed(frame(message))
    assert said.refused[0] == reason
    assert said.raw == message
    assert list(said.reports) == []
    assert messages(said.answer)[0][3] == b"\0\7" + message[:2] + bytes([result])


def only(body, **settings):
    (said,), _ = feed(Terminal("1").send(0x0200, body), adapter=JT808(**settings))
    return said.reports[0]


def test_what_a_location_becomes():
    report = only(
        location(
            lat=31_200_000, lon=122_500_000, status=0x40002, alt=0xFFFB, speed=37, course=271, t=NOW,
            items=b"\x01\4\0\0\0\0" + b"\x30\1\x1f" + b"\x31\1\x0b" + b"\x61\2\x05\x0f",
        ),
        voltage_item=0x61,
    )  # fmt: skip
    assert report.records[0] == (schema.BEACON, [0, 31_200_000, 122_500_000, 11, None, 12_950])
    assert report.records[1] == (schema.GNSS, [1, None, None, -50, 200, 27_100])
    assert report.t == NOW
    assert set(report.alarms.values()) == {0}


@pytest.mark.parametrize(
    ("status", "place"),
    [
        (2, (5, 7)),
        (6, (-5, 7)),
        (10, (5, -7)),
        (14, (-5, -7)),
        (0, (None, None)),
        (12, (None, None)),
    ],
)
def test_hemispheres_and_no_fix(status, place):
    report = only(location(lat=5, lon=7, status=status, t=NOW))
    assert tuple(report.records[0][1][1:3]) == place
    assert report.records[1][1][0] == int(place[0] is not None)


def test_items_that_are_cut_or_strange_take_nothing_along():
    for items in (b"\x31", b"\x31\1", b"\x31\2\1\1", b"\x61\1\1", b"\xff\xff\xff", b"\0\0\0"):
        values = only(location(t=NOW, items=items), voltage_item=0x61).records[0][1]
        assert values[3] is None and values[5] is None
        assert values[1] is not None
    assert only(location(t=NOW, items=b"\x61\2\5\x0f")).records[0][1][5] is None


@pytest.mark.parametrize(
    ("bits", "alarms"),
    [
        (1 << 7, {codes.ALARM_BATTERY_LOW: codes.LEVEL_WARNING}),
        (1 << 8 | 1 << 7, {codes.ALARM_BATTERY_LOW: codes.LEVEL_ALARM}),
        (1 << 5, {codes.ALARM_NO_POSITION: codes.LEVEL_ALARM}),
        (1 << 29 | 1 << 30, {codes.ALARM_COLLISION: 2, codes.ALARM_TILT: 2}),
        (1 << 0 | 1 << 1 | 1 << 20, {}),  # of a vehicle
    ],
)
def test_alarm_bits(bits, alarms):
    found = only(location(alarm=bits, t=NOW)).alarms
    assert {what: level for what, level in found.items() if level} == alarms


@pytest.mark.parametrize("bcd", ["000000000000", "991301000000", "26091512000a", "190101000000"])
def test_a_time_that_is_none(bcd):
    report = only(location()[:22] + bytes.fromhex(bcd) + b"")
    assert report.t is None


def many(count):
    bodies = [location(t=NOW - n, items=b"\x30\1" + bytes([n % 256])) for n in range(count)]
    whole = count.to_bytes(2, "big") + b"\1"
    return whole + b"".join(len(b).to_bytes(2, "big") + b for b in bodies)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 0, 2, 1), (1, 1, 0, 2, 2, 3)])
def test_a_message_in_parts_is_answered_when_it_is_whole(order):
    terminal = Terminal("13800138000", newer=True)
    terminal.serial = 0xFFFE  # and begins anew in the middle
    frames = terminal.send_parts(0x0704, many(100), 900)
    assert len(frames) == 4
    said, adapter = feed(b"".join(frames[n] for n in order) + terminal.send(0x0002))
    assert [len(one.reports) for one in said] == [100, 0]
    answers = messages(said[0].answer)
    assert [a[3] for a in answers] == [
        serial.to_bytes(2, "big") + b"\x07\x04\0" for serial in (0xFFFE, 0xFFFF, 0, 1)
    ]
    assert [r.t for r in said[0].reports] == [NOW - n for n in range(100)]
    assert adapter.counts == {}


def test_parts_that_are_never_whole_are_given_up():
    terminal = Terminal("1")
    adapter = JT808()
    for _ in range(5):
        said, _ = feed(b"".join(terminal.send_parts(0x0704, many(40), 900)[:-1]), adapter=adapter)
        assert said == []
    assert adapter.counts == {"parts-lost": 4}
    said, _ = feed(b"".join(terminal.send_parts(0x0704, many(40), 900)), adapter=adapter)
    assert len(said[0].reports) == 40


def test_a_bad_location_among_good_ones_takes_none_along():
    good = location(t=NOW)
    body = b"\0\3\1" + b"\0\x1c" + good + b"\0\x05short" + b"\0\x1c" + location(t=NOW - 1)
    (said,), _ = feed(Terminal("1").send(0x0704, body))
    assert [r.t for r in said.reports] == [NOW, NOW - 1]
    assert said.refused[0] == "jt808-location"
    assert messages(said.answer)[0][3][-1] == 0


def test_the_same_report_is_known_again_however_it_comes():
    terminal = Terminal("1")
    body, other = location(t=NOW), location(t=NOW - 1)
    adapter = JT808()
    many = b"\0\2\1" + b"".join(len(b).to_bytes(2, "big") + b for b in (other, body))
    data = terminal.send(0x0200, body) + terminal.send(0x0200, body) + terminal.send(0x0704, many)
    first, again, late = feed(data, adapter=adapter)[0]
    marks = [r.mark for r in (*first.reports, *again.reports, *late.reports)]
    assert marks[0] == marks[1] == marks[3] != marks[2]
    # Without a clock two alike are two, unless they have the same number: then one was sent again.
    blind = location(status=0, t=None)
    resent = terminal.send(0x0200, blind)
    a, b, c = feed(resent + resent + terminal.send(0x0200, blind), adapter=adapter)[0]
    assert a.reports[0].mark == b.reports[0].mark != c.reports[0].mark


@pytest.mark.parametrize("seed", range(3))
def test_damaged_streams_never_raise_and_keep_little(seed):
    rng = random.Random(seed)
    terminal = Terminal("13800138000")
    adapter = JT808(0x61)
    encoder = Encoder()
    good = 0
    for n in range(1500):
        body = location(t=NOW - n, items=rng.randbytes(rng.randrange(40)))
        data = terminal.send(rng.choice((0x0200, 0x0200, 0x0704, 0x0100, 0x0002)), body)
        what = rng.random()
        if what < 0.5:
            cut = bytearray(data)
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(cut))
                cut[at] = rng.randrange(256)
            if rng.random() < 0.5 and len(cut) > 20:  # with a right check
                inner = bytes(cut[1:-2]).replace(b"\x7e", b"").replace(b"\x7d", b"")
                cut = bytearray(frame(inner))
            data = bytes(cut)
        elif what < 0.6:
            data = rng.randbytes(rng.randrange(6000))
        for said in adapter.feed(data, NOW):
            good += said.refused is None
            for report in said.reports:
                for schema_id, values in report.records:
                    encoder.record(schema_id, 1, 1, 1, list(values))
        assert len(adapter._rest) <= FRAME_MAX
    assert good > 500
    assert adapter.counts["checksum"] > 50


def test_the_check_is_an_xor():
    assert reduce(xor, frame(b"abc")[1:-1]) == 0

r"""Sentences, TAG blocks and datagrams: whole, cut everywhere, torn, with noise around them."""

import random
from functools import reduce
from operator import xor

import pytest

from gateway.inputs.counts import Counts
from gateway.inputs.station import sentences as module
from gateway.inputs.station.sentences import GROUPS_MAX, LINE_MAX, SentenceReader
from gateway.inputs.station.tag_blocks import Group, Tag, TagError, datagram, parse

NOW = 1_790_000_000_000
QUOTED = rb"\g:1-2-73874,n:157036,s:r003669945,c:1241544035*4A\!AIVDM,1,1,,B,15N4cJ`005Jrek0H@9n`DW5608EP,0*13"
VDM = b"!AIVDM,1,1,,B,15N4cJ`005Jrek0H@9n`DW5608EP,0*13"


def sentence(text, start=b"$"):
    return start + text + b"*%02X" % reduce(xor, text, 0)


def block(text):
    return b"\\" + text + b"*%02X\\" % reduce(xor, text, 0)


def read(data, sizes=(None,), now_ms=NOW):
    """Return (raw, source, seconds since NOW) of each sentence, the same however the bytes are cut."""
    found = []
    for size in sizes:
        counts = Counts("")
        reader = SentenceReader(counts)
        step = size or len(data)
        out = [
            (s.raw, s.source, (s.at_ms - now_ms) / 1000)
            for at in range(0, len(data), step)
            for s in reader.feed(data[at : at + step], now_ms)
        ]
        found.append((out, counts.take()))
    assert all(one == found[0] for one in found), found
    return found[0]


def test_the_published_block():
    text = QUOTED[1 : QUOTED.index(b"\\", 1)]
    assert parse(text) == Tag("r003669945", 1241544035000, Group(1, 2, 73874))


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        (b"s:VTS01", Tag("VTS01")),
        (b"c:1790000000", Tag(at_ms=NOW)),
        (b"c:1790000000123", Tag(at_ms=NOW + 123)),
        (b"c:179000000", Tag()),  # nine digits: no Unix time of ours
        (b"c:now", Tag()),
        (b"s:" + b"a" * 16, Tag()),
        (b"g:2-3-77", Tag(group=Group(2, 3, 77))),
        (b"g:3-2-77", Tag()),
        (b"g:0-2-77", Tag()),
        (b"d:x,i:<O>AISrx</O>,n:1,r:2,t:free text,x:?,s:A", TagError("tag-malformed")),
        (b"d:x,n:1,r:2,t:free-text,x:?,s:A", Tag("A")),
        (b"", TagError("tag-malformed")),
        (b"s", TagError("tag-malformed")),
        (b"S:A", TagError("tag-malformed")),
        (b"s:A,", TagError("tag-malformed")),
        (b"n:" + b"1" * 300, TagError("tag-malformed")),
    ],
)
def test_fields_of_a_block(text, tag):
    whole = text + b"*%02X" % reduce(xor, text, 0)
    if isinstance(tag, TagError):
        with pytest.raises(TagError, match=tag.code):
            parse(whole)
        return
    assert parse(whole) == tag
    with pytest.raises(TagError, match="tag-checksum"):
        parse(text + b"*%02X" % (reduce(xor, text, 0) ^ 1))
    with pytest.raises(TagError, match="tag-malformed"):
        parse(text)


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b"\r\r\n\n"])
def test_lines_cut_anywhere(end):
    lines = [
        VDM,
        sentence(b"GPGGA,,,,,,0,,,,,,,,"),
        block(b"s:A,c:1790000003") + VDM,
        block(b"s:B") + block(b"c:1789999990") + VDM,
        b"12:00:01 " + VDM + b" trailing",
        VDM + VDM,
    ]
    data = end.join([*lines, b""])
    out, counts = read(data, (1, 2, 7, 64, None))
    assert [(source, at) for _, source, at in out] == [
        ("", 0), ("", 0), ("A", 3), ("B", -10), ("", 0), ("", 0), ("", 0),
    ]  # fmt: skip
    assert counts == {"lines": 7}


@pytest.mark.parametrize(
    ("line", "good", "reasons"),
    [
        (VDM[:-1] + b"4", 0, {"checksum": 1}),
        (VDM[:-3], 0, {"malformed": 1}),
        (VDM[:20] + VDM, 1, {"malformed": 1}),
        (VDM[:20] + b"\x00" + VDM[20:], 0, {"malformed": 1}),
        (sentence(b",1,2"), 0, {"malformed": 1}),
        (sentence(b"GPXDR" + b"," * 65), 0, {"malformed": 1}),
        (sentence(b"GPXDR" + b"," * 64), 1, {}),
        (sentence(b"A" * 257), 0, {"malformed": 1}),
        (sentence(b"A" * 256), 1, {}),
        (b"x" * (LINE_MAX + 9), 0, {"overlong": 1}),
        (b"x" * LINE_MAX + VDM, 1, {"overlong": 1}),
        (b"\\s:A*00\\" + VDM, 1, {"tag-checksum": 1}),
        (b"\\s:A\\" + VDM, 1, {"tag-malformed": 1}),
        (b"\\s:A*" + VDM, 1, {"tag-malformed": 1}),
        (block(b"c:1790000061") + VDM, 1, {"tag-time": 1}),
        (block(b"c:1241544035") + VDM, 1, {"tag-time": 1}),
        (block(b"s:A") * 6 + VDM, 1, {}),
        (b"garbage without a start", 0, {}),
    ],
)
def test_what_is_refused_is_counted_and_takes_nothing_else_along(line, good, reasons):
    out, counts = read(line + b"\r\n" + VDM + b"\r\n", (None,))
    assert len(out) == good + 1
    assert counts == reasons | {"lines": good + 1}
    assert all(source in {"", "A"} and abs(at) <= 60 for _, source, at in out)


def test_a_source_is_not_believed_from_a_bad_block():
    out, _ = read(b"\\s:A*00\\" + VDM + b"\n")
    assert out[0][1] == ""


def test_a_group_has_its_first_lines_source_and_time():
    lines = [
        block(b"g:1-3-7,s:A,c:1789999990") + VDM,
        block(b"g:1-2-8,s:B,c:1789999980") + VDM,
        block(b"g:2-3-7") + VDM,
        block(b"g:2-2-8,s:B") + VDM,
        block(b"g:3-3-7,s:A") + VDM,
        block(b"g:2-3-9,s:C") + VDM,  # its beginning was lost
        block(b"g:1-2-7,s:D,c:1789999970") + VDM,
        block(b"g:2-2-7,s:E") + VDM,  # another talker uses the same number
    ]
    out, _ = read(b"\n".join([*lines, b""]), (1, 50, None))
    assert [(source, at) for _, source, at in out] == [
        ("A", -10), ("B", -20), ("A", -10), ("B", -20), ("A", -10), ("C", 0), ("D", -30), ("E", 0),
    ]  # fmt: skip


def test_groups_are_bounded_in_number_and_time():
    reader = SentenceReader(counts := Counts(""))
    for n in range(GROUPS_MAX + 5):
        reader.feed(block(b"g:1-2-%d,s:A" % n) + VDM + b"\n", NOW)
    assert len(reader._groups) == GROUPS_MAX
    assert counts.take()["groups-dropped"] == 5
    late = reader.feed(block(b"g:2-2-%d" % n) + VDM + b"\n", NOW + 2001)
    assert late[0].source == ""
    assert len(reader._groups) == 0


def test_datagrams():
    assert datagram(b"UdPbC\0" + VDM) == VDM
    assert datagram(VDM) == VDM
    assert datagram(b"RaUdP\0" + VDM) is None
    reader = SentenceReader(counts := Counts(""))
    data = (
        b"UdPbC\0"
        + block(b"s:AI0001,n:1")
        + VDM
        + b"\r\n"
        + block(b"s:AI0001,n:2")
        + VDM
        + b"\r\n"
    )
    assert [s.source for s in reader.feed_datagram(data, NOW)] == ["AI0001", "AI0001"]
    assert len(reader.feed_datagram(VDM, NOW)) == 1  # no line end
    assert reader.feed_datagram(VDM[:20], NOW) == []
    assert len(reader.feed_datagram(VDM, NOW)) == 1  # nothing goes on in the next one
    assert reader.feed_datagram(b"RrUdP\0\x01\x02", NOW) == []
    assert reader.feed_datagram(b"", NOW) == []
    assert counts.take() == {"lines": 4, "malformed": 1, "datagram": 1}


def test_a_stream_that_is_garbage_keeps_little_and_good_lines_come_through():
    rng = random.Random(3)
    reader = SentenceReader(counts := Counts(""))
    good = 0
    for _ in range(300):
        junk = bytes(rng.choice(b"$!*\\,:\r\n\0\xffabcgs019") for _ in range(rng.randrange(400)))
        if rng.random() < 0.1:
            junk = junk.replace(b"\n", b"").replace(b"\r", b"") * 20
        found = reader.feed(junk + b"\r\n" + VDM + b"\r\n", NOW)
        good += any(s.raw == VDM for s in found)
        assert len(reader._rest) <= LINE_MAX
        assert len(reader._groups) <= GROUPS_MAX
    assert good == 300
    assert sum(counts.take().values()) > 300


def test_the_limits_are_the_devices():
    from agent.sense import nmea
    from agent.sense import sentence as on_device

    assert module.SENTENCE_MAX == nmea.SENTENCE_MAX
    assert module.FIELDS_MAX == on_device.FIELDS_MAX

"""Sentences out of what a station's line or datagrams bring, with what their TAG blocks say.

    reader = SentenceReader(counts)
    for sentence in reader.feed(data, now_ms): …            a stream, cut anywhere
    for sentence in reader.feed_datagram(data, now_ms): …   nothing goes on in the next one

A sentence begins with `$` or `!` and ends with its checksum, which must be there and right, as on the
device (docs/nmea-and-ais.md); what stands around it is left. A block that is wrong takes only itself
along: the sentence behind it has a checksum of its own.
"""

import re
from functools import reduce
from operator import xor
from typing import Final, NamedTuple

from gateway.inputs.counts import Counts
from gateway.inputs.station import tag_blocks
from gateway.inputs.station.tag_blocks import Tag

SENTENCE_MAX: Final = 256  # characters between `$` and `*`, as on the device
FIELDS_MAX: Final = 64
LINE_MAX: Final = 2048  # four blocks and a sentence, with room to spare
GROUPS_MAX: Final = 64  # open at once
_GROUP_MS: Final = 2000
_CLOCK_MS: Final = 60_000  # a TAG time farther from ours than this is not believed

_SENTENCE: Final = re.compile(rb"[$!]([^\x00-\x1f\x7f-\xff$!*]{1,256})\*([0-9A-Fa-f]{2})")
_STARTS: Final = re.compile(rb"[$!]")
_ENDS: Final = re.compile(rb"[\r\n]+")


class Sentence(NamedTuple):
    """One good sentence, from its `$` or `!` to its checksum.

    `source` is who sent it by its TAG block, "" if that does not say; `at_ms` its time in Unix
    milliseconds by the block, else by our clock.
    """

    raw: bytes
    source: str
    at_ms: int


class SentenceReader:
    """Finds sentences. Counts lines, checksum, malformed, overlong, datagram, tag-… in `counts`."""

    def __init__(self, counts: Counts) -> None:
        self.lines = 0
        self.bad = 0
        self._counts = counts
        self._rest = b""
        self._groups: dict[tuple[int, int], tuple[Tag, int]] = {}

    def feed(self, data: bytes, now_ms: int) -> list[Sentence]:
        """Take a piece of a stream."""
        *lines, rest = _ENDS.split(self._rest + data)
        found: list[Sentence] = []
        for line in lines:
            self._line(self._cut(line, now_ms, found), now_ms, found)
        self._rest = self._cut(rest, now_ms, found)
        return found

    def feed_datagram(self, data: bytes, now_ms: int) -> list[Sentence]:
        """Take a datagram."""
        found: list[Sentence] = []
        lines = tag_blocks.datagram(data)
        if lines is None:
            self._refuse("datagram")
            return found
        for line in _ENDS.split(lines):
            self._line(self._cut(line, now_ms, found), now_ms, found)
        return found

    def forget(self) -> None:
        """Forget a line that has begun: the stream is another one now."""
        self._rest = b""

    def _cut(self, line: bytes, now_ms: int, found: list[Sentence]) -> bytes:
        """Read what is longer than a line in pieces, and return the last one."""
        while len(line) > LINE_MAX:
            self._refuse("overlong")
            self._line(line[:LINE_MAX], now_ms, found)
            line = line[LINE_MAX:]
        return line

    def _line(self, line: bytes, now_ms: int, found: list[Sentence]) -> None:
        line = line.lstrip(b" \t\0")
        if not line:
            return
        tag = Tag()
        if line[:1] == b"\\":
            line, tag = self._tags(line, now_ms)
        at_ms = now_ms if tag.at_ms is None else tag.at_ms
        matched = 0
        for match in _SENTENCE.finditer(line):
            matched += 1
            text = match[1]
            if reduce(xor, text) != int(match[2], 16):
                self._refuse("checksum")
            elif text[:1] == b"," or text.count(b",") > FIELDS_MAX:
                self._refuse("malformed")
            else:
                self.lines += 1
                self._counts.add("lines")
                found.append(Sentence(match[0], tag.source, at_ms))
        torn = len(_STARTS.findall(line)) - matched
        if torn > 0:
            self._refuse("malformed", torn)

    def _tags(self, line: bytes, now_ms: int) -> tuple[bytes, Tag]:
        """Return the line behind its blocks, and what they say."""
        tag = Tag()
        for _ in range(tag_blocks.BLOCKS_MAX):
            if line[:1] != b"\\":
                break
            end = line.find(b"\\", 1)
            if end < 0:
                self._refuse("tag-malformed")
                break
            block, line = line[1:end], line[end + 1 :].lstrip(b" ")
            try:
                new = tag_blocks.parse(block)
            except tag_blocks.TagError as error:
                self._refuse(error.code)
                continue
            at_ms = tag.at_ms if new.at_ms is None else new.at_ms
            tag = Tag(new.source or tag.source, at_ms, new.group or tag.group)
        if tag.at_ms is not None and abs(tag.at_ms - now_ms) > _CLOCK_MS:
            self._counts.add("tag-time")
            tag = tag._replace(at_ms=None)
        return line, self._grouped(tag, now_ms) if tag.group else tag

    def _grouped(self, tag: Tag, now_ms: int) -> Tag:
        """Return a line's tag with what the first line of its group said."""
        if tag.group is None:
            return tag
        key = (tag.group.id, tag.group.total)
        for old in [k for k, (_, ms) in self._groups.items() if abs(now_ms - ms) > _GROUP_MS]:
            del self._groups[old]
        if tag.group.number == 1:
            if len(self._groups) >= GROUPS_MAX:
                del self._groups[next(iter(self._groups))]
                self._counts.add("groups-dropped")
            self._groups[key] = (tag, now_ms)
            return tag
        first, _ = self._groups.get(key, (tag, now_ms))
        if tag.source and first.source and tag.source != first.source:
            return tag  # another talker's group of the same number
        if tag.group.number == tag.group.total:
            self._groups.pop(key, None)
        at_ms = first.at_ms if tag.at_ms is None else tag.at_ms
        return Tag(tag.source or first.source, at_ms, tag.group)

    def _refuse(self, reason: str, n: int = 1) -> None:
        self.bad += n
        self._counts.add(reason, n)

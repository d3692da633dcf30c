"""Sentences of NMEA 0183 / IEC 61162-1, from bytes in any chunks.

    assembler = Assembler()
    assembler.feed(buf, n)
    while True:
        sentence = assembler.next_sentence()
        if sentence is None:
            break  # all n bytes are read: feed again
        if sentence.type == _GGA: sats = sentence.integer(7)

A sentence begins with `$` or `!` and is complete at the second digit of its checksum, which must be
there and right. What stands between sentences (line ends, TAG blocks, noise) is skipped. A sentence
that breaks off, by an unprintable byte, a line end or the next `$` or `!`, is counted and the next
one is found. Nothing is allocated after construction: there is one `Sentence`, over the assembler's
buffer, valid until the next call of `next_sentence`.
"""

from agent.compat import const
from agent.errors import LocalError
from agent.sense.sentence import FIELDS_MAX, Sentence, digit

# The standard allows 82 characters. GNS and GSV of four-system receivers go beyond it, and so does a
# BeiDou short message in hexadecimal: 77 bytes (card level 3) are 154 digits and 40 characters of
# head. Parts that expect more give their own limit.
SENTENCE_MAX = const(256)

_BANG = const(0x21)
_DOLLAR = const(0x24)
_STAR = const(0x2A)
_COMMA = const(0x2C)
_SPACE = const(0x20)
_DELETE = const(0x7F)


class Assembler:
    """Finds sentences in a stream of bytes; see the module's text.

    Counters, growing for ever: `lines` (good sentences), `bad_checksum`, `overlong` (more than
    `limit` characters, or too many fields), `malformed` (broken off, no checksum, no address).
    """

    def __init__(self, limit=SENTENCE_MAX):
        self.lines = 0
        self.bad_checksum = 0
        self.overlong = 0
        self.malformed = 0
        self._line = bytearray(limit)
        self._sentence = Sentence(self._line)
        self._source = b""
        self._at = 0
        self._end = 0
        self._size = -1  # characters of the open sentence; -1 between sentences
        self._fields = 0
        self._check = 0
        self._tail = 0  # characters of `*hh` seen
        self._given = 0  # the checksum's digits seen

    @property
    def bad(self):
        """Sentences refused, for whatever reason."""
        return self.bad_checksum + self.overlong + self.malformed

    def feed(self, buf, n):
        """Take the first `n` bytes of `buf`, which must stay as they are until they are read.

        Raises LocalError if the bytes of the last call are not all read.
        """
        if self._at < self._end:
            raise LocalError("feed: next_sentence has not returned None yet")
        self._source = buf
        self._at = 0
        self._end = n

    def next_sentence(self):
        """Return the next good sentence, or None when the bytes given are all read."""
        source = self._source
        end = self._end
        at = self._at
        line = self._line
        limit = len(line)
        starts = self._sentence.starts
        size = self._size
        fields = self._fields
        check = self._check
        tail = self._tail
        found = None
        room = limit if size >= 0 and not tail else -1  # for plain bytes
        while at < end:
            c = source[at]
            at += 1
            if _COMMA < c < _DELETE and size < room:  # most bytes are this
                line[size] = c
                size += 1
                check ^= c
            elif c in (_DOLLAR, _BANG):
                if size >= 0:
                    self.malformed += 1
                size = fields = check = tail = 0
                room = limit
            elif size < 0:
                continue
            elif tail:
                c = digit(c)
                if c < 0:
                    self.malformed += 1
                    size = -1
                elif tail == 1:
                    self._given = c
                    tail = 2
                else:
                    if self._given << 4 | c == check:
                        if self._complete(size, fields):
                            found = self._sentence
                    else:
                        self.bad_checksum += 1
                    size = -1
                    if found:
                        break
            elif c == _STAR:
                tail = 1
                room = -1
            elif c < _SPACE or c >= _DELETE:
                self.malformed += 1
                size = room = -1
            elif size == limit or (c == _COMMA and fields == FIELDS_MAX):
                self.overlong += 1
                size = room = -1
            else:
                line[size] = c
                size += 1
                check ^= c
                if c == _COMMA:
                    fields += 1
                    starts[fields] = size
        self._at = at
        self._size = size
        self._fields = fields
        self._check = check
        self._tail = tail
        return found

    def _complete(self, size, fields):
        sentence = self._sentence
        sentence.starts[fields + 1] = size + 1
        sentence.fields = fields
        length = sentence.end(0)
        if length == 0:
            self.malformed += 1
            return False
        line = self._line
        sentence.talker = sentence.type = 0
        if length == 5:
            sentence.talker = line[0] << 8 | line[1]
            sentence.type = line[2] << 16 | line[3] << 8 | line[4]
        self.lines += 1
        return True

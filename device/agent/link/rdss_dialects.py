"""What BeiDou terminals say and understand: two dialects of sentences and one of binary frames.

    2.1     $CCICA $CCTXA, answered by $BDICI $BDFKI $BDTXR       BDS-2
    3.0     $CCICR $CCTCQ, answered by $BDICP $BDFKI $BDTCI       BDS-3
    4.0     ICJC TXSQ, answered by ICXX FKXX TXXX                 binary

Readers tell a sink what they have read:

    sink.on_card(dialect, card, interval_s, level, encrypted)     card 0: there is none
    sink.on_feedback(reason, wait_s)                              a sending: OK, or why not
    sink.on_message(sender, content)                              bytes
    sink.on_time(t, ms)                                           UTC, seconds since 2020

The sentences' checksums, the meaning of fields and the example frames of the tests are from
reference/navaid.md §3 and §6. Field 1 of $BDFKI tells the two layouts apart: 3.0 begins with a time.
"""

import binascii

from agent.compat import const
from agent.sense.utc import seconds_since_2020

D21 = const(1)
D30 = const(2)
D40 = const(3)

# What became of a sending: 0 accepted, 1 the card's interval has not passed, 2 inhibited by the
# system, 3 set to radio silence, 4 no beam or too weak, 5 no card, 6 no right, 7 checksum, 8 battery,
# 9 encryption, 10 "no" and nothing else, 11 no answer. 12 is not about a sending: an inhibition is over.
OK = const(0)
INTERVAL = const(1)
FORBIDDEN = b"\x02\x03"
NO_CARD = const(5)
NO_ANSWER = const(11)
LIFTED = const(12)
_CHECKSUM = const(7)
_FAILED = const(10)

# Codes of $BDFKI and FKXX -> reason. 3.0 has 11 for a bad checksum, which is looked at apart. What
# 2.1's inhibit field means is not in our sources beyond 0 and "not 0"; it is read as 3.0's words are.
_FKI21 = b"\x0a\x02\x08\x03\x04"
_FKI30 = b"\x0a\x01\x02\x03\x04\x05\x06"
_FKXX = b"\x00\x0a\x04\x08\x01\x09\x07\x02\x0c"

# Sentence.talker and Sentence.type
_BD = const(0x4244)
_ICI = const(0x494349)
_ICP = const(0x494350)
_FKI = const(0x464B49)
_TXR = const(0x545852)
_TCI = const(0x544349)
_ZDA = const(0x5A4441)

_Y = const(0x59)
_E = const(0x45)
_DOLLAR = const(0x24)

_FRAME_HEAD = const(10)  # $XXXX, length, address
_FRAME_MIN = const(11)
_FRAME_MAX = const(256)  # 210 bytes of an encrypted card of level 4 and 20 around them


def take_sentence(sentence, sink):
    """Read a sentence if it is one of ours. Raises FieldError for a field that makes no sense."""
    kind = sentence.type
    if kind == _ZDA:
        _take_zda(sentence, sink)
    elif sentence.talker != _BD:
        return
    elif kind == _ICI:
        _take_card(sentence, D21, 5, 6, 7, 0, sink)
    elif kind == _ICP:
        _take_card(sentence, D30, 14, 15, 6, 5, sink)
    elif kind == _TXR:
        _take_content(sentence, 2, 5, sink)
    elif kind == _TCI:
        # With or without a field of 0 before it, the content is the last one.
        _take_content(sentence, 1, sentence.fields, sink)
    elif kind == _FKI:
        if sentence.equals(1, b"TXA"):
            _take_fki21(sentence, sink)
        elif sentence.equals(2, b"TCQ"):
            code = sentence.integer(4) or 0
            reason = _CHECKSUM if code == 11 else _reason(_FKI30, code)
            if sentence.char(3) == _Y:
                reason = OK
            sink.on_feedback(reason, sentence.integer(5) or 0)


def _take_card(sentence, dialect, interval, level, crypt, level_0, sink):
    number = sentence.integer
    sink.on_card(
        dialect,
        number(1) or 0,
        number(interval) or 0,
        number(level) or level_0,
        sentence.char(crypt) == _E,
    )


def _take_fki21(sentence, sink):
    wait = sentence.integer(5) or 0
    if sentence.char(2) == _Y:
        reason = OK
    elif sentence.char(3) != _Y:
        reason = INTERVAL
    else:
        reason = _reason(_FKI21, sentence.integer(4) or 0)
    sink.on_feedback(reason, wait // 100 * 60 + wait % 100)  # mmss


def _take_content(sentence, sender, content, sink):
    try:
        data = binascii.unhexlify(sentence.copy(content))
    except ValueError:
        data = b""  # text, or half bytes: nothing of ours
    sink.on_message(sentence.integer(sender) or 0, data)


def _take_zda(sentence, sink):
    day_ms = sentence.time_of_day_ms(1)
    day, month, year = (sentence.integer(i) or 0 for i in (2, 3, 4))
    if day_ms is not None:
        t = seconds_since_2020(year, month, day, day_ms // 1000)  # None: there is no day 0
        if t is not None:
            sink.on_time(t, day_ms % 1000)


def _reason(table, code):
    return table[code] if code < len(table) else _FAILED


class Frames:
    """Finds the frames of 4.0 in a stream of bytes. `bad` counts wrong checksums and lengths."""

    def __init__(self, sink):
        self.bad = 0
        self._sink = sink
        self._buf = bytearray(_FRAME_MAX)
        self._have = 0

    def feed(self, data, n):
        """Take the first `n` bytes of `data`, and hand on the frames that are complete."""
        taken = 0
        while taken < n:
            size = min(_FRAME_MAX - self._have, n - taken)
            self._buf[self._have : self._have + size] = data[taken : taken + size]
            self._have += size
            taken += size
            pos = 0
            while pos < self._have:
                size = self._frame(pos)
                if not size:
                    break
                pos += size
            self._have -= pos
            self._buf[: self._have] = self._buf[pos : pos + self._have]

    def _frame(self, pos):
        """Return the size of what begins at `pos`: a frame, read; 1: no frame; 0: bytes miss."""
        buf = self._buf
        if buf[pos] != _DOLLAR:
            return 1
        left = self._have - pos
        if left < _FRAME_HEAD:
            return 0
        word = bytes(buf[pos + 1 : pos + 5])
        if word not in (b"ICXX", b"FKXX", b"TXXX"):
            return 1
        size = _number(buf, pos + 5, pos + 7)
        if not _FRAME_MIN < size <= _FRAME_MAX:
            self.bad += 1
            return 1
        if left < size:
            return 0
        frame = bytes(buf[pos : pos + size])
        if _xor(frame):
            self.bad += 1
            return 1
        self._take(word, frame, frame[_FRAME_HEAD:-1])
        return size

    def _take(self, word, frame, body):
        sink = self._sink
        if word == b"ICXX" and len(body) >= 9:
            # Sources disagree on what the encryption flag says; the shorter messages fit both.
            card = _number(frame, 7, 10)
            sink.on_card(D40, 0 if card == 0xFFFFFF else card, _number(body, 5, 7), body[7], True)
        elif word == b"FKXX" and len(body) >= 5:
            reason = _reason(_FKXX, body[0])
            if reason not in (OK, _FAILED, _CHECKSUM) or body[1:5] == b"TXSQ":
                sink.on_feedback(reason, body[4] if reason == INTERVAL else 0)
        elif word == b"TXXX" and len(body) >= 9:
            sink.on_message(_number(body, 1, 4), body[8 : 8 + _number(body, 6, 8) // 8])


def ask_card(dialect):
    """Return the bytes that ask a terminal of this dialect for its card."""
    if dialect == D40:
        return b"$ICJC\x00\x0c\x00\x00\x00\x00\x2b"
    return _sentence("CCICR,0,00" if dialect == D30 else "CCICA,0,00")


def ask_time(dialect):
    """Return the bytes that switch on the time once a minute; 4.0's has no known time zone."""
    return b"" if dialect == D40 else _sentence("CCRMO,ZDA,2,60")


def message(dialect, to, data):
    """Return the bytes that send `data`, at most 255 bytes, to the card `to`."""
    if dialect == D40:
        size = _FRAME_MIN + 7 + len(data)
        frame = b"$TXSQ" + size.to_bytes(2, "big") + b"\x00\x00\x00\x46" + to.to_bytes(3, "big")
        frame += (len(data) * 8).to_bytes(2, "big") + b"\x00" + data
        return frame + bytes([_xor(frame)])
    content = str(binascii.hexlify(data), "ascii").upper()
    if dialect == D30:
        return _sentence("CCTCQ,%d,2,1,2,%s,0" % (to, content))
    return _sentence("CCTXA,%07d,1,2,%s" % (to, content))


def _sentence(text):
    return ("$%s*%02X\r\n" % (text, _xor(text.encode()))).encode()


def _xor(data):
    check = 0
    for c in data:
        check ^= c
    return check


def _number(data, start, end):
    return int.from_bytes(data[start:end], "big")

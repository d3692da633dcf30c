"""The gateway's BeiDou command terminal: three dialects, one card, no I/O.

    terminal = CommandTerminal()
    port.write(terminal.outgoing(now_s))           asks for the card when that is due
    for message in terminal.feed(port.read(), now_s): …
    if terminal.ready(now_s): port.write(terminal.send(card, content, now_s))

A reader of its own, apart from the device's: sentences of 2.1 and 3.0 and frames of 4.0 are found in
one stream, whatever comes (reference/navaid.md §3). Times are seconds of any clock that only rises.
"""

import re
from collections import Counter
from functools import reduce
from operator import xor
from typing import Final, NamedTuple

ROOM: Final = 70  # bytes; the contract's frame is no longer

_QUESTIONS: Final = {
    "3.0": b"$CCICR,0,00*68\r\n",
    "2.1": b"$CCICA,0,00*7B\r\n",
    "4.0": b"$ICJC\x00\x0c\x00\x00\x00\x00\x2b",
}
_ANSWER_S: Final = 2.0
_AGAIN_S: Final = 30.0  # after all were asked in vain
_ASK_AGAIN_S: Final = 3600.0
_FEEDBACK_S: Final = 15.0
_MARGIN_S: Final = 0.2  # between our clock and the terminal's
_FORBIDDEN_S: Final = 600.0
_WAIT_MAX_S: Final = 3600  # a terminal that says more is misread
_LEVEL_ROOM: Final = {
    0: 0,
    1: 0,
    2: 45,
    3: ROOM,
    4: ROOM,
}  # bytes; 45: an encrypted card's 360 bits

_SENTENCE: Final = re.compile(rb"\$([A-Z]{5}(?:,[ -#%-)+-~]*)?)\*([0-9A-Fa-f]{2})")
_SENTENCE_MAX: Final = 4096  # 1,750 bytes of a BDS-3 message are 3,500 digits
_WORDS: Final = (b"ICXX", b"FKXX", b"TXXX")
_FRAME_HEAD: Final = 10
_FRAME_MAX: Final = 2048

_NO_3_0: Final = {
    1: "interval", 2: "inhibited", 3: "silence", 4: "no-lock", 5: "no-card", 6: "no-right",
    11: "checksum",
}  # fmt: skip
_NO_2_1: Final = {1: "inhibited", 2: "battery", 3: "silence", 4: "no-lock"}
_NO_4_0: Final = {
    0: "accepted", 1: "failed", 2: "no-lock", 3: "battery", 4: "interval", 5: "crypto",
    6: "checksum", 7: "inhibited", 8: "lifted",
}  # fmt: skip
_FORBIDDEN: Final = ("inhibited", "silence")


class Message(NamedTuple):
    """What came from a card; `content` is empty when it was text or half bytes."""

    sender: int
    content: bytes


class CommandTerminal:
    """The terminal.

    Args:
        first: the dialect to try first, where one answered before.

    Attributes:
        dialect: "2.1", "3.0" or "4.0"; empty until it has answered.
        card: its card's number; 0: none.
        counts: messages received, sendings accepted, refusals by reason, bytes that were nothing.
        outcome: of the last sending: None while it is open, then whether it was accepted.
    """

    def __init__(self, first: str = "") -> None:
        self.dialect = ""
        self.card = 0
        self.interval_s = 0
        self.level = 0
        self.counts: Counter[str] = Counter()
        self.outcome: bool | None = None
        self._buffer = b""
        self._now_s = 0.0
        self._asking = sorted(_QUESTIONS, key=lambda name: name != first)
        self._ask_s = 0.0
        self._sent_s: float | None = None  # a sending is open since
        self._next_s = 0.0

    @property
    def room(self) -> int:
        """How many bytes a message may have; 0 without a card, or with one of level 1."""
        return _LEVEL_ROOM.get(self.level, ROOM) if self.card else 0

    def ready(self, now_s: float) -> bool:
        """Return whether a message may be sent now."""
        return self._sent_s is None and now_s >= self._next_s and self.room > 0

    def send(self, card: int, content: bytes, now_s: float) -> bytes:
        """Return the bytes that send `content` to a card; `ready` was asked before."""
        self._sent_s, self.outcome = now_s, None
        if self.dialect == "4.0":
            bits = len(content) * 8
            body = b"\x46" + card.to_bytes(3, "big") + bits.to_bytes(2, "big") + b"\0" + content
            size = _FRAME_HEAD + len(body) + 1
            frame = b"$TXSQ" + size.to_bytes(2, "big") + bytes(3) + body
            return frame + bytes([reduce(xor, frame)])
        digits = content.hex().upper()
        if self.dialect == "3.0":
            return _sentence(f"CCTCQ,{card},2,1,2,{digits},0")
        return _sentence(f"CCTXA,{card:07d},1,2,{digits}")

    def outgoing(self, now_s: float) -> bytes:
        """Return the question that is due, or nothing."""
        self._now_s = now_s
        if self._sent_s is not None:
            if now_s - self._sent_s < _FEEDBACK_S:
                return b""
            self._feedback("no-answer", 0)
        if now_s < self._ask_s:
            return b""
        if not self._asking:
            self._asking = list(_QUESTIONS)
            self.card = 0  # nobody answered
            self._ask_s = now_s + _AGAIN_S
            return b""
        self._ask_s = now_s + _ANSWER_S
        return _QUESTIONS[self._asking.pop(0)]

    def feed(self, data: bytes, now_s: float) -> list[Message]:
        """Take what the port gave; return the messages in it."""
        self._now_s = now_s
        self._buffer += data
        messages: list[Message] = []
        while True:
            start = self._buffer.find(b"$")
            if start < 0:
                self._buffer = b""
                return messages
            self._buffer = self._buffer[start:]
            size = self._next(messages)
            if not size:
                return messages
            self._buffer = self._buffer[size:]

    def _next(self, messages: list[Message]) -> int:
        """Read what begins the buffer; return its size, 1 for nothing, 0 when bytes are missing."""
        buffer = self._buffer
        if len(buffer) < _FRAME_HEAD:
            return 0
        if buffer[1:5] in _WORDS:
            size = int.from_bytes(buffer[5:7], "big")
            if not _FRAME_HEAD < size <= _FRAME_MAX:
                return self._bad()
            if len(buffer) < size:
                return 0
            if reduce(xor, buffer[:size]):
                return self._bad()
            self._take_frame(buffer[1:5], buffer[7:10], buffer[10 : size - 1], messages)
            return size
        match = _SENTENCE.match(buffer)
        if match:
            if reduce(xor, match[1]) != int(match[2], 16):
                return self._bad()
            try:
                self._take_sentence(match[1].decode().split(","), messages)
            except (ValueError, IndexError):
                return self._bad()
            return match.end()
        over = b"\n" in buffer or buffer.count(b"$") > 1 or len(buffer) > _SENTENCE_MAX
        return self._bad() if over else 0

    def _bad(self) -> int:
        self.counts["unreadable"] += 1
        return 1

    def _take_sentence(self, fields: list[str], messages: list[Message]) -> None:
        kind = fields[0]
        if kind == "BDICI":
            self._take_card("2.1", fields[1], fields[5], fields[6])
        elif kind == "BDICP":
            self._take_card("3.0", fields[1], fields[14], fields[15])
        elif kind == "BDTXR":
            messages.append(self._message(fields[2], fields[5]))
        elif kind == "BDTCI":
            messages.append(self._message(fields[1], fields[-1]))
        elif kind == "BDFKI" and fields[1].isdecimal():
            if fields[2] == "TCQ":
                accepted = fields[3] == "Y"
                reason = "accepted" if accepted else _NO_3_0.get(int(fields[4]), "failed")
                self._feedback(reason, int(fields[5] or 0))
        elif kind == "BDFKI" and fields[1] == "TXA":
            reason = _NO_2_1.get(int(fields[4] or 0), "failed")
            if fields[2] == "Y":
                reason = "accepted"
            elif fields[3] == "N":
                reason = "interval"
            minutes, seconds = divmod(int(fields[5] or 0), 100)
            self._feedback(reason, minutes * 60 + seconds)

    def _take_frame(
        self, word: bytes, address: bytes, body: bytes, messages: list[Message]
    ) -> None:
        if word == b"ICXX" and len(body) >= 8:
            number = int.from_bytes(address, "big")
            interval_s = int.from_bytes(body[5:7], "big")
            self._take_card("4.0", 0 if number == 0xFFFFFF else number, interval_s, body[7])
        elif word == b"FKXX" and len(body) >= 5:
            reason = _NO_4_0.get(body[0], "failed")
            if body[0] not in {0, 1, 6} or body[1:5] == b"TXSQ":
                self._feedback(reason, body[4] if reason == "interval" else 0)
        elif word == b"TXXX" and len(body) >= 9:
            size = int.from_bytes(body[6:8], "big") // 8
            self.counts["received"] += 1
            messages.append(Message(int.from_bytes(body[1:4], "big"), body[8 : 8 + size]))

    def _message(self, sender: str, digits: str) -> Message:
        self.counts["received"] += 1
        try:
            content = bytes.fromhex(digits)
        except ValueError:
            content = b""
        return Message(int(sender), content)

    def _take_card(
        self, dialect: str, number: str | int, interval_s: str | int, level: str | int
    ) -> None:
        self.dialect = dialect
        self.card = int(number)
        self.interval_s = int(interval_s)
        self.level = int(level)
        if dialect == "3.0" and not self.level:
            self.level = 5
        if self.card:
            self._asking = list(_QUESTIONS)
            self._ask_s = self._now_s + _ASK_AGAIN_S

    def _feedback(self, reason: str, wait_s: int) -> None:
        self.counts[reason if reason == "accepted" else f"refused.{reason}"] += 1
        if reason == "lifted":
            self._next_s = min(self._next_s, self._now_s)
        if self._sent_s is None or reason == "lifted":
            return
        next_s = self._sent_s + self.interval_s
        if reason == "interval":
            next_s = self._now_s + min(wait_s if wait_s > 0 else self.interval_s, _WAIT_MAX_S)
        elif reason in _FORBIDDEN:
            next_s = self._now_s + _FORBIDDEN_S
        elif reason in {"no-card", "no-answer"}:
            self.card = 0
            self._ask_s = self._now_s
        self._next_s = next_s + _MARGIN_S
        self._sent_s, self.outcome = None, reason == "accepted"


def _sentence(text: str) -> bytes:
    return f"${text}*{reduce(xor, text.encode()):02X}\r\n".encode()

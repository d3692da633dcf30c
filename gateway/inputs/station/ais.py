"""AIS messages from VDM and VDO sentences, whole and within bounds.

    reader = AISReader(counts)
    heard = reader.take(sentence, now_ms)    # None: parts are missing, or it was refused

pyais unpacks the bits. What it makes of sentences and fields is not used: it takes "1 " for 1 and a letter
for no fill bits, refuses a sentence without them, gives floats, stands for "not available" by numbers, and
reads some text and codes otherwise than the standard (docs/nmea-and-ais.md); see `ais_records`.
"""

import re
from typing import Any, Final, NamedTuple

from pyais.bit_vector import bit_vector

from gateway.inputs.counts import Counts
from gateway.inputs.station.sentences import Sentence

PARTS_MAX: Final = 9  # of one message
CHARS_MAX: Final = 178  # of a message that fills five slots
OPEN_MAX: Final = 64  # messages whose parts are missing, of all talkers of a station
EXPIRY_MS: Final = 2000

# The shortest length in bits of messages that are read here (ITU-R M.1371-5 Annex 8); as the device's.
BITS_MIN: Final = {
    1: 168, 2: 168, 3: 168, 4: 168, 5: 420, 18: 168, 19: 312, 21: 272, 24: 160, 27: 96,
}  # fmt: skip
_PART_B_BITS: Final = 168
_CHANNEL, _PAYLOAD, _FILL = 4, 5, 6  # fields of a sentence
_PART_MAX: Final = 255  # characters
_FILL_MAX: Final = 5
_SEQUENCE_MAX: Final = 9

_INTEGER: Final = re.compile(rb"[+-]?0*\d{1,9}")
_ARMOUR: Final = re.compile(rb"[0-W`-w]+")
_KINDS: Final = dict.fromkeys((1, 2, 3, 18, 19, 27), "ships") | {
    5: "statics", 24: "statics", 4: "bases", 21: "atons",
}  # fmt: skip


class Heard(NamedTuple):
    """A whole message: its type, its bits (pyais's vector), whether the station sent it itself."""

    kind: int
    bits: Any
    own: bool


class _RefusedError(Exception):
    """A sentence or message that is not what it should be."""


class _Open:
    """A message while parts of it are missing."""

    def __init__(self, since_ms: int) -> None:
        self.since_ms = since_ms
        self.fill = 0
        self.parts: dict[int, bytes] = {}


class AISReader:
    """Reads sentences of one station.

    Counts `ais-ships`, `ais-statics`, `ais-bases`, `ais-atons`, `ais-others`, `ais-own` (messages of the
    station itself, in none of the former), and what it refuses: `ais-malformed` (fields, armour, length)
    and `ais-torn` (messages given up). `totals` has them since the start.
    """

    def __init__(self, counts: Counts) -> None:
        self.totals: dict[str, int] = {}
        self._counts = counts
        self._open: dict[tuple[object, ...], _Open] = {}

    def take(self, sentence: Sentence, now_ms: int) -> Heard | None:
        """Read one sentence; return the message that it completes."""
        try:
            return self._take(sentence, now_ms)
        except _RefusedError:
            self._count("ais-malformed")
            return None

    def expire(self, now_ms: int) -> None:
        """Give up messages whose parts stayed away."""
        for key in [k for k, o in self._open.items() if now_ms - o.since_ms > EXPIRY_MS]:
            self._give_up(key)

    def _take(self, sentence: Sentence, now_ms: int) -> Heard | None:
        fields = sentence.raw.partition(b"*")[0].split(b",")
        if len(fields) <= _PAYLOAD or not _ARMOUR.fullmatch(fields[_PAYLOAD]):
            raise _RefusedError
        total, number, sequence = (_integer(field) for field in fields[1:4])
        # Left empty, or out, by some transponders.
        fill = (_integer(fields[_FILL]) if len(fields) > _FILL else 0) or 0
        if not total or not number or not 1 <= number <= total <= PARTS_MAX:
            raise _RefusedError
        if not 0 <= fill <= _FILL_MAX or (fill and number < total):
            raise _RefusedError
        if sequence is not None and not 0 <= sequence <= _SEQUENCE_MAX:
            raise _RefusedError
        own = sentence.raw[3:6] == b"VDO"
        payload = fields[_PAYLOAD]
        if total == 1:
            return self._whole(payload, fill, own)
        if len(fields[_CHANNEL]) > 1 or len(payload) > _PART_MAX:
            raise _RefusedError
        self.expire(now_ms)
        key = (sentence.source, fields[0], sequence, fields[_CHANNEL], total)
        message = self._open.get(key)
        if message and number in message.parts:
            if message.parts[number] == payload:
                return None  # the same sentence once more
            self._give_up(key)
            message = None
        if message is None:
            if len(self._open) >= OPEN_MAX:
                self._give_up(next(iter(self._open)))
            message = self._open[key] = _Open(now_ms)
        message.parts[number] = payload
        message.fill += fill
        if sum(map(len, message.parts.values())) > CHARS_MAX:
            self._give_up(key)
            return None
        if len(message.parts) < total:
            return None
        del self._open[key]
        whole = b"".join(message.parts[n] for n in range(1, total + 1))
        return self._whole(whole, message.fill, own)

    def _whole(self, payload: bytes, fill: int, own: bool) -> Heard:
        bits = bit_vector(payload, fill)
        kind = bits.get(0, 6)
        wanted = BITS_MIN.get(kind, 0)
        if kind == 0 or len(bits) < wanted:
            raise _RefusedError
        if kind == 24:
            part = bits.get(38, 2)
            if part > 1 or (part == 1 and len(bits) < _PART_B_BITS):
                raise _RefusedError
        self._count("ais-own" if own else "ais-" + _KINDS.get(kind, "others"))
        return Heard(kind, bits, own)

    def _give_up(self, key: tuple[object, ...]) -> None:
        del self._open[key]
        self._count("ais-torn")

    def _count(self, name: str) -> None:
        self.totals[name] = self.totals.get(name, 0) + 1
        self._counts.add(name)


def is_ais(sentence: Sentence) -> bool:
    """Return whether a sentence is VDM or VDO, of whatever talker."""
    return sentence.raw[3:7] in {b"VDM,", b"VDO,"} and b"," not in sentence.raw[1:3]


def _integer(field: bytes) -> int | None:
    if not field:
        return None
    if not _INTEGER.fullmatch(field):
        raise _RefusedError
    return int(field)

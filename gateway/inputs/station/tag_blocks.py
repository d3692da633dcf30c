r"""TAG blocks before sentences, and the datagrams of IEC 61162-450.

    \g:1-2-73874,n:157036,s:r003669945,c:1241544035*4A\!AIVDM,…

A block stands between two backslashes: fields `letter:value` with commas between, `*` and the XOR of
everything before it (NMEA 0183 4.10, IEC 61162-450 edition 1; from memory and from the block above,
which reference/navaid.md quotes). Read are `s` (who sends), `c` (when, Unix time) and `g` (which lines
belong together); other fields are passed over.
"""

import re
from functools import reduce
from operator import xor
from typing import Final, NamedTuple

BLOCKS_MAX: Final = 4  # before one sentence
BLOCK_MAX: Final = 256  # characters; the standard has 80

DATAGRAM_HEADS: Final = (b"UdPbC\0",)  # sentences; files and acknowledged transfers have others
_OTHER_HEADS: Final = re.compile(rb"(?:RaUdP|RrUdP|NkPgN|RpUdP)\0")

_FIELD: Final = re.compile(r"([a-z]):([\x21-\x7e]*)")
_SOURCE: Final = re.compile(r"[\x21-\x7e]{1,15}")
_GROUP: Final = re.compile(r"([1-9]\d{0,2})-([1-9]\d{0,2})-(\d{1,9})")
_TIME: Final = re.compile(r"\d{10}|\d{13}")


class Group(NamedTuple):
    """Line `number` of `total` that belong together under `id`."""

    number: int
    total: int
    id: int


class Tag(NamedTuple):
    """What blocks said: the source or "", Unix milliseconds or None, the group or None."""

    source: str = ""
    at_ms: int | None = None
    group: Group | None = None


class TagError(Exception):
    """A block that is none. `code`: tag-malformed, tag-checksum."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def parse(block: bytes) -> Tag:
    """Read a block, without its backslashes. A field whose value is wrong is left out.

    Raises:
        TagError: its form or checksum is wrong; nothing of it may be believed.
    """
    text, star, check = block.rpartition(b"*")
    if not star or len(block) > BLOCK_MAX or not re.fullmatch(rb"[0-9A-Fa-f]{2}", check):
        raise TagError("tag-malformed")
    if reduce(xor, text, 0) != int(check, 16):
        raise TagError("tag-checksum")
    source, at_ms, group = "", None, None
    for field in text.decode("latin-1").split(","):
        match = _FIELD.fullmatch(field)
        if match is None:
            raise TagError("tag-malformed")
        name, value = match[1], match[2]
        if name == "s" and _SOURCE.fullmatch(value):
            source = value
        elif name == "c" and _TIME.fullmatch(value):
            at_ms = int(value) * (1000 if len(value) == 10 else 1)
        elif name == "g" and (parts := _GROUP.fullmatch(value)):
            number, total, ident = (int(part) for part in parts.groups())
            group = Group(number, total, ident) if number <= total else None
    return Tag(source, at_ms, group)


def datagram(data: bytes) -> bytes | None:
    """Return the lines of a datagram: 61162-450's without its head, plain ones as they are.

    None for a datagram of 61162-450 that does not carry sentences.
    """
    for head in DATAGRAM_HEADS:
        if data.startswith(head):
            return data[len(head) :]
    return None if _OTHER_HEADS.match(data) else data

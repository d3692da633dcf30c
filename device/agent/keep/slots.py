"""A document in two slots: what is new is on trial until the gateway has answered, else the old counts.

    settings = Slots(files, "settings")
    settings.start()                        once: what is on trial is tried
    settings.body                           the bytes in use, None when neither slot is whole
    settings.stage(body)                    the next start tries it
    settings.apply(now_ms)                  or this one, from now on
    settings.poll(now_ms, heard_ms, confirm_ms)     True: it went back to the old one
    settings.state                          codes.SETTINGS_*, for the birth record

Each slot is one file, `<name>-a` and `<name>-b`: what it is, its generation, the document, a CRC. It is
replaced whole, and never the one that is confirmed, so that a power cut at any byte leaves one that
works. A trial may lose its start to a power cut, three times.
"""

import binascii

from agent.compat import const
from agent.wire.codes import (
    SETTINGS_CONFIRMED,
    SETTINGS_DAMAGED,
    SETTINGS_NONE,
    SETTINGS_TRIAL,
    SETTINGS_UNCONFIRMED,
)

BODY_MAX = const(6144)  # a chain, a certificate and a key are below 5 KiB as PEM
_TRIES = const(3)

# Magic, schema version, status, tries, generation (4 bytes) … CRC-32.
_MAGIC = const(0x53)
_HEAD = const(8)
_TAIL = const(4)

# Status of a slot.
_GOOD = const(1)
_NEW = const(2)
_REFUSED = const(3)


class Slots:
    """Two slots named `name` in `files`. `schema`: the newest version of the document we can read."""

    def __init__(self, files, name: str, schema: int = 1) -> None:
        self.state = SETTINGS_NONE
        self._files = files
        self._names = (name + "-a", name + "-b")
        self._schema = schema
        self._since_ms = -1
        self._heads: list = [None, None]
        bodies = [None, None]
        for slot in (0, 1):
            data = self._read(slot)
            self._heads[slot] = _head(data)
            if self._heads[slot] is not None:
                bodies[slot] = data[_HEAD:-_TAIL]
            elif data is not None:
                self.state = SETTINGS_DAMAGED
        self._good = self._best()  # the slot that nobody may write to
        self.body = bodies[self._good]

    def start(self):
        """Use what is on trial, if something is, and count the try."""
        new = self._heads[1 - self._good]
        if new is not None and new[1] != _GOOD:
            self.state = SETTINGS_UNCONFIRMED
            if new[2] < _TRIES:
                self.apply(0)
            elif new[1] == _NEW:
                self._mark(_REFUSED)
        elif self.state == SETTINGS_NONE and self._generation(self._good) > 1:
            self.state = SETTINGS_CONFIRMED

    def stage(self, body: bytes, confirmed: bool = False) -> None:
        """Write a new document beside the confirmed one; `start` or `apply` tries it.

        `confirmed` is for commissioning alone. Raises OSError when the flash refuses, ValueError when
        the document is too long; the old one stays in use then.
        """
        if not 0 < len(body) <= BODY_MAX:
            raise ValueError("a document of %d bytes, allowed: 1 to %d" % (len(body), BODY_MAX))
        slot = 1 - self._good
        generation = max(self._generation(0), self._generation(1)) + 1
        self._heads[slot] = None  # until it is written, nothing is known of it
        self._put(slot, (self._schema, _GOOD if confirmed else _NEW, 0, generation), body)

    def apply(self, now_ms):
        """Use what was staged from now on; return whether there was anything to try."""
        slot = 1 - self._good
        data = self._read(slot)
        head = _head(data)
        if head is None or head[1] != _NEW or head[0] > self._schema:
            return False
        self.body = data[_HEAD:-_TAIL]
        self.state = SETTINGS_TRIAL
        self._since_ms = now_ms
        self._heads[slot] = (head[0], _NEW, head[2] + 1, head[3])
        self._mark(_NEW)
        return True

    def poll(self, now_ms, heard_ms, confirm_ms):
        """Confirm what is on trial once the gateway has answered since; give up after `confirm_ms`.

        `heard_ms` is the uptime when it answered last, None before. Returns True when the
        old document counts again: `body` has it, and whoever applied the new one must undo that.
        """
        if self.state != SETTINGS_TRIAL:
            return False
        if heard_ms is not None and heard_ms > self._since_ms:
            self.confirm()
        elif now_ms - self._since_ms > confirm_ms:
            self.back()
            return True
        return False

    def confirm(self):
        """Make the document on trial the confirmed one."""
        if self._mark(_GOOD):
            self._good = 1 - self._good
        self.state = SETTINGS_CONFIRMED

    def back(self):
        """Refuse the document on trial; the confirmed one is in use again."""
        self._mark(_REFUSED)
        data = self._read(self._good)
        if _head(data) is not None:
            self.body = data[_HEAD:-_TAIL]
        self.state = SETTINGS_UNCONFIRMED

    def _mark(self, status):
        """Write the slot that is not confirmed again, with another status."""
        slot = 1 - self._good
        data = self._read(slot)
        head = self._heads[slot]
        try:
            self._put(slot, (head[0], status, head[2], head[3]), data[_HEAD:-_TAIL])
        except OSError:
            return False  # the next start finds it as it was, and tries are counted
        return True

    def _put(self, slot, head, body):
        data = bytearray(_HEAD + len(body) + _TAIL)
        data[:4] = bytes((_MAGIC,)) + bytes(head[:3])
        data[4:_HEAD] = head[3].to_bytes(4, "big")
        data[_HEAD:-_TAIL] = body
        data[-_TAIL:] = _crc(data)
        self._files.replace(self._names[slot], data)
        self._heads[slot] = head

    def _read(self, slot):
        try:
            return self._files.read(self._names[slot])
        except OSError:
            return b""  # a file that cannot be read is a damaged one

    def _best(self):
        """Return the slot to keep: confirmed before not, readable by this agent before not, newest."""
        ranks = []
        for head in self._heads:
            ranks.append(
                (-1,) if head is None else (head[1] == _GOOD, head[0] <= self._schema, head[3])
            )
        return 0 if ranks[0] > ranks[1] else 1

    def _generation(self, slot):
        head = self._heads[slot]
        return head[3] if head is not None else 0


def _head(data):
    """Return (schema, status, tries, generation) of a slot's bytes, None when they are not whole."""
    if not data or len(data) < _HEAD + _TAIL or data[0] != _MAGIC or data[-_TAIL:] != _crc(data):
        return None
    return (data[1], data[2], data[3], int.from_bytes(data[4:_HEAD], "big"))


def _crc(data):
    return binascii.crc32(memoryview(data)[:-_TAIL]).to_bytes(_TAIL, "big")

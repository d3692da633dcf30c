"""What lies in the outbox's files: records in frames, and which of them are done.

A frame is the CRC-32 of what follows, the record's ordinal in its file, its length, its bytes. What a
damaged one held is known by the ordinal that is missing.

`acks` has an entry for each segment that is done in part: its number, the boot and seq of its first
record, a bit for each record. Numbers are used again, identities are not: an old entry is never taken
for another segment's.
"""

import binascii
import struct

from agent.compat import const
from agent.errors import RemoteError
from agent.wire.read import Reader
from agent.wire.schema import HEAD_ITEMS, ITEMS_MAX, RECORD_MAX

FRAME = const(6)  # bytes before a record
COUNT_MAX = const(128)  # records of a file

_MAGIC = b"FWC1"
_ENTRY = "<III16s"
_ENTRY_SIZE = const(28)
_ENTRIES_MAX = const(16)  # usually one a lane


def crc(data):
    """Return the CRC-32 of some bytes, as four bytes."""
    return struct.pack("<I", binascii.crc32(data) & 0xFFFFFFFF)


def unpack_acks(data):
    """Return {number: (boot, seq, bits)} of a file's content; nothing of one that is damaged."""
    found = {}
    end = len(data) - 4
    if end > 0 and data[:4] == _MAGIC and crc(data[:end]) == data[end:]:
        for at in range(4, end, _ENTRY_SIZE):
            number, boot, seq, bits = struct.unpack_from(_ENTRY, data, at)
            found[number] = (boot, seq, bits)
    return found


def pack_acks(rows):
    """Return the content for rows of (number, boot, seq, bits), as many as there is room for."""
    data = _MAGIC
    for row in rows[:_ENTRIES_MAX]:
        data += struct.pack(_ENTRY, *row)
    return data + crc(data)


class Frames:
    """Reads frames, one after the other, into the one buffer there is; `errors` counts failures."""

    def __init__(self, files):
        self.errors = 0
        self.ordinal = self.boot = self.seq = 0  # of the frame that was read last
        self.end = 0  # where it ended
        self.failed = False
        buf = bytearray(FRAME + RECORD_MAX)
        self.record = memoryview(buf)[FRAME:]
        self._view = memoryview(buf)
        self._files = files
        self._reader = Reader(buf, 0, 0)
        self._input = None

    def read(self, name, size):
        """Read the good frames of a file of `size` bytes: give each record's length.

        An error of the flash ends the file, and is noted in `failed`.
        """
        self.failed = False
        self.end = at = 0
        try:
            self.close()
            self._input = file = self._files.open(name)
            while at + FRAME < size:
                file.seek(at)
                n = self._whole(file)
                if n:
                    at += FRAME + n
                    self.end = at
                    yield n
                else:
                    at += 1
            self.close()
        except OSError:
            self.errors += 1
            self.failed = True

    def close(self):
        """Close the file; needed where it was not read to its end."""
        if self._input:
            self._input.close()
            self._input = None

    def _whole(self, file):
        view = self._view
        if file.readinto(view[:FRAME]) < FRAME:
            return 0
        n = view[5]
        if n > RECORD_MAX or file.readinto(view[FRAME : FRAME + n]) < n:
            return 0
        self.ordinal = view[4]
        if self.ordinal >= COUNT_MAX or crc(view[4 : FRAME + n]) != view[:4]:
            return 0
        reader = self._reader
        reader.pos = FRAME
        reader.end = FRAME + n
        try:
            reader.array(HEAD_ITEMS, ITEMS_MAX)
            reader.uint()
            self.boot = reader.uint()
            self.seq = reader.uint()
        except RemoteError:
            return 0
        return n

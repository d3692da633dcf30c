"""An image on its way: chunks in the order they come, then the files of a slot.

    chunks = Chunks(files, size, chunk)
    yield from chunks.scan()                 what an earlier start has received
    chunks.put(index, data)                  True: it is new
    digest = yield from walk(chunks)         work it out, and check the names
    yield from walk(chunks, slot, True)      unpack
    digest = yield from walk(chunks, slot)   of what the slot holds now

The chunks lie behind one another in one file that only grows, each with its index before it: so a
power cut costs what was not flushed, and no map of them need be kept. An image that is longer than a
board's memory is never in it.
"""

import hashlib

from agent.compat import const
from agent.errors import RemoteError
from agent.wire.manifest import MAINS

NAME = "update-chunks"
_HEAD = const(2)  # bytes of the index before each chunk
_SYNC = const(8)  # chunks between two flushes: each costs an erase, and so many are lost in a cut
_PIECE = const(512)  # bytes copied or hashed in one slice
_NAME_MAX = const(64)
_EIO = const(5)
_LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789_/."


class Chunks:
    """The chunks of one image; `missing` is how many have not come. Methods raise OSError."""

    def __init__(self, files, size, chunk):
        self.size = size
        self.missing = self.count = (size + chunk - 1) // chunk
        self.have = bytearray((self.count + 7) // 8)
        self._files = files
        self._chunk = chunk
        self._place = bytearray(2 * self.count)  # which in the file each one is
        self._kept = 0
        self._out = None
        self._in = None
        self.view = memoryview(bytearray(_PIECE))

    def scan(self):
        """Find what the file holds, a slice at a time; a file that is not whole is begun anew."""
        entry = self._chunk + _HEAD
        length = self._files.size(NAME)
        if length % entry or length > self.count * entry:
            self.forget()
            return
        for n in range(length // entry):
            self._load(n * entry, 2)
            index = self.view[0] << 8 | self.view[1]
            if index >= self.count or not self._note(index):
                self.close()
                self.forget()
                return
            yield
        self.close()

    def put(self, index, data):
        """Keep a chunk; return whether it is new. Raises RemoteError where it cannot be one."""
        end = min((index + 1) * self._chunk, self.size)
        if index >= self.count or len(data) != end - index * self._chunk:
            raise RemoteError("chunk")
        if self.have[index >> 3] >> (index & 7) & 1:
            return False
        if self._out is None:
            self._out = self._files.append(NAME)
        self._out.write(bytes((index >> 8, index & 0xFF)))
        self._out.write(data)
        if len(data) < self._chunk:
            self._out.write(bytes(self._chunk - len(data)))
        self._note(index)
        if not self.missing or not self._kept % _SYNC:
            self._out.flush()
        return True

    def read(self, at, n):
        """Return a view of `n` bytes of the image from `at`, n <= 512; valid until the next."""
        done = 0
        while done < n:
            index, offset = divmod(at + done, self._chunk)
            place = self._place[2 * index] << 8 | self._place[2 * index + 1]
            part = min(n - done, self._chunk - offset)
            self._load(place * (self._chunk + _HEAD) + _HEAD + offset, part, done)
            done += part
        return self.view[:n]

    def close(self):
        """Close the file; what is not flushed yet is by this."""
        for handle in (self._out, self._in):
            if handle is not None:
                handle.close()
        self._out = self._in = None

    def forget(self):
        """Remove the file, and know of no chunk."""
        self.close()
        if self._files.size(NAME):
            self._files.remove(NAME)
        self.missing = self.count
        self._kept = 0
        for i in range(len(self.have)):
            self.have[i] = 0

    def _note(self, index):
        bit = 1 << (index & 7)
        if self.have[index >> 3] & bit:
            return False
        self.have[index >> 3] |= bit
        self._place[2 * index] = self._kept >> 8
        self._place[2 * index + 1] = self._kept & 0xFF
        self._kept += 1
        self.missing -= 1
        return True

    def _load(self, pos, n, to=0):
        if self._in is None:
            self._in = self._files.open(NAME)
        self._in.seek(pos)
        if self._in.readinto(self.view[to : to + n]) != n:
            raise OSError(_EIO)  # shorter than its chunks


def walk(chunks, slot=None, writing=False):
    """Go through an image's files, a slice at a time; return the SHA-256 of what was met.

    With a slot, `writing` puts the files there, and otherwise they are read from there. Raises
    RemoteError where the bytes are not an image.
    """
    sha = hashlib.sha256()
    at = 0
    while at < chunks.size:
        n = chunks.read(at, 1)[0]
        if not 0 < n <= _NAME_MAX or at + n + 4 > chunks.size:
            raise RemoteError("image")
        head = bytes(chunks.read(at, n + 4))
        name = head[1 : n + 1]
        left = head[n + 1] << 16 | head[n + 2] << 8 | head[n + 3]
        at += n + 4
        last = at + left == chunks.size
        if not _valid(name) or at + left > chunks.size or last != (name in MAINS):
            raise RemoteError("image")
        sha.update(head)
        file = name.decode()
        handle = slot and (slot.append(file) if writing else slot.open(file))
        try:
            while left:
                n = min(left, _PIECE)
                if handle and not writing:
                    view = chunks.view[:n]
                    if handle.readinto(view) != n:
                        raise OSError(_EIO)
                else:
                    view = chunks.read(at, n)
                    if handle:
                        handle.write(view)
                sha.update(view)
                at += n
                left -= n
                yield
        finally:
            if handle:
                handle.close()
    return sha.digest()


def _valid(name):
    return name[:6] == b"agent/" and b".." not in name and all(c in _LETTERS for c in name)

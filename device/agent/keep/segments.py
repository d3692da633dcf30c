"""An append-only log of records in files, one chain of segments for each lane.

    log = Segments(files, flash_bytes)
    for name in log.names(): log.scan(name, tell)     after a start: what earlier boots left
    if not log.ready(lane, n): log.begin(lane)
    log.add(buf, at, n, boot, seq);  log.sync()
    for n in log.read(slot): …                        log.frame has its ordinal, boot, seq, bytes

A segment is a file `q<lane>-<number>` of at most 4 KiB: one block of littlefs, so a bound on segments
is a bound on flash. A `slot` is a row of their table. RAM keeps one bit for each record: done, that is
acknowledged or given up; `acks`, a small file, keeps those bits over a restart, and without it records
are sent twice but none is lost. `away` counts a segment's records that are not done and not in the outbox's window.

Writing raises OSError; everything else counts the failures of the flash in `errors`, and goes on.
"""

import array

from agent.compat import const
from agent.keep.frames import COUNT_MAX, FRAME, Frames, crc, pack_acks, unpack_acks
from agent.keep.lanes import FREE, Lanes

# Of agent/wire/codes; here the compiler folds them.
_SESSION = const(1)
_NO_ROOM = const(1)
_UNREADABLE = const(3)

_ACKS = "acks"
_SEGMENT = const(4096)  # bytes of a file, and of a flash block
_BITS = const(16)  # bytes of a segment's bits: COUNT_MAX / 8
# littlefs that met ENOSPC in a commit may stumble over it later (littlefs#760): stop before. It needs
# blocks for the copy of a tail and for directory blocks; alarms and sessions may go further.
_RESERVE = const(16384)
_MIXED = const(0xFFFFFFFF)  # in place of the last seq: records of several boots

# What an access costs in erases, in 32nds, by how littlefs works (reference B6): an append copies the
# file's last block to a fresh one; every change is a commit to a directory block, which is written
# anew when it is full. tests/flash holds the sum against littlefs itself.
_ERASE = const(32)
_COMMIT = const(1)


class Segments(Lanes):
    """The log, in at most `flash_bytes` of `files`; 42 bytes of RAM for a segment."""

    def __init__(self, files, flash_bytes):
        super().__init__(flash_bytes // _SEGMENT)
        self.errors = 0
        self.stored_bytes = 0
        self.slot = -1  # the segment that is written to
        self.frame = Frames(files)
        self._files = files
        n = len(self.lane)
        self._count = bytearray(n)  # the next ordinal; COUNT_MAX: nothing more is written to it
        self._size = array.array("H", bytes(2 * n))
        self._boot = array.array("I", bytes(4 * n))  # of the first record
        self._first = array.array("I", bytes(4 * n))  # seq
        self._last = array.array("I", bytes(4 * n))
        self._bits = bytearray(_BITS * n)
        self._next_number = 1
        self._handle = None
        self._new = 0  # records that the handle took and has not synced
        self._synced = 0  # bytes of its segment that are
        self._cost = 0
        self._changed = False  # bits, since they were kept
        self._kept_bits = {}

    def erases(self):
        """Return how many blocks were erased since start, estimated."""
        return self._cost // _ERASE

    # After a start

    def names(self):
        """Return the names of what earlier boots left, oldest first; read what of it was done."""
        self._kept_bits = unpack_acks(self._files.read(_ACKS) or b"")
        found = [name for name in self._files.names() if _is_ours(name)]
        found.sort(key=_number)
        if found:
            self._next_number = _number(found[-1]) + 1
        return found

    def scan(self, name, tell):
        """Take a segment into the table; return (slot, bytes not done), slot -1 if none are.

        A torn end is no loss: it was never synced. What is missing before the end was: it is told.
        """
        size = min(self._files.size(name), 0xFFFF)
        slot = self._take(int(name[1]), _number(name))
        self._size[slot] = size
        frame = self.frame
        live_bytes = 0
        boot = seq = -1
        for n in self.read(slot):
            expected = self._count[slot]
            self._note(slot, expected == 0, frame.boot, frame.seq)
            if frame.ordinal == 0:
                kept = self._kept_bits.pop(self.number[slot], None)
                if kept and kept[0] == frame.boot and kept[1] == frame.seq:
                    self._bits[slot * _BITS : slot * _BITS + _BITS] = kept[2]
            lost = 0
            for missing in range(expected, frame.ordinal):
                if not self.is_done(slot, missing):
                    self._mark(slot, missing)
                    lost += 1
            if lost:
                first = seq + 1 if boot == frame.boot else max(frame.seq - lost, 0)
                last = max(frame.seq - 1, first)
                tell(frame.boot, first, last, lost, self.lane[slot], _UNREADABLE)
            boot, seq = frame.boot, frame.seq
            self._count[slot] = frame.ordinal + 1
            if not self.is_done(slot, frame.ordinal):
                self.live[slot] += 1
                live_bytes += n
        if frame.failed:
            self.lane[slot] = FREE  # the file stays; the next start tries again
            return -1, 0
        if frame.end < size:
            self._count[slot] = COUNT_MAX
        self.stored_bytes += size
        self.away[slot] = self.live[slot]
        if not live_bytes:
            self.remove(slot)
            return -1, 0
        return slot, live_bytes

    # Writing

    def ready(self, lane, n):
        """Open the lane's newest segment for a record of `n` bytes; False: that takes a new one."""
        slot = self.slot if self._handle else self.edge(lane, True, False)
        if slot < 0 or self._count[slot] == COUNT_MAX or self._size[slot] + FRAME + n > _SEGMENT:
            self.sync()
            return False
        self._open(slot)
        return True

    def full(self, lane):
        """Return whether the file system has no room for one more segment of a lane."""
        return self._files.free() < (_RESERVE if lane > _SESSION else _RESERVE // 2)

    def begin(self, lane):
        """Begin a new segment."""
        self._open(self._take(lane, self._next_number))
        self._next_number += 1

    def add(self, buf, at, n, boot, seq):
        """Write the frame at `buf[at:]`, whose record is there already."""
        slot = self.slot
        ordinal = self._count[slot]
        self._note(slot, ordinal == 0, boot, seq)
        buf[at + 4] = ordinal
        buf[at + 5] = n
        frame = memoryview(buf)[at : at + FRAME + n]
        buf[at : at + 4] = crc(frame[4:])
        self._handle.write(frame)  # type: ignore[union-attr]  # ready() or begin() opened it
        self._count[slot] = ordinal + 1
        self._size[slot] += FRAME + n
        self.live[slot] += 1
        self._new += 1

    def sync(self):
        """Make sure that everything added lies on flash, and close."""
        if self._handle:
            self._handle.flush()
            self._new = 0
            self.stored_bytes += self._size[self.slot] - self._synced
            self._cost += _ERASE + _COMMIT
            self._close()

    def abandon(self):
        """Give up what was added and not synced; return (slot, its first ordinal)."""
        slot = self.slot
        if not self._handle:
            return -1, 0
        first = self._count[slot] - self._new
        # Some of it may lie in the file all the same: no ordinal is used twice.
        self._count[slot] = COUNT_MAX
        self._size[slot] = self._synced
        self.live[slot] -= self._new
        try:
            self._close()
        except OSError:
            self.errors += 1
        self.tidy(slot)
        return slot, first

    def keep_bits(self):
        """Keep which records are done, if that has changed."""
        if not self._changed:
            return
        rows = []
        for slot in range(len(self.lane)):
            bits = bytes(self._bits[slot * _BITS : slot * _BITS + _BITS])
            if self.lane[slot] != FREE and any(bits):
                rows.append((self.number[slot], self._boot[slot], self._first[slot], bits))
        self._files.replace(_ACKS, pack_acks(rows))
        self._cost += _ERASE + 3 * _COMMIT
        self._changed = False

    # What becomes of records

    def done(self, slot, ordinal):
        """Note that a record of the window needs to be kept no longer."""
        self._mark(slot, ordinal)
        self.live[slot] -= 1
        self.tidy(slot)

    def ack(self, boot, first, last):
        """Note that records which are not in the window are done; return (how many, their bytes)."""
        frame = self.frame
        freed = freed_bytes = 0
        for slot in range(len(self.lane)):
            if self._may_hold(slot, boot, first, last):
                for n in self.read(slot):
                    if frame.boot == boot and first <= frame.seq <= last:
                        if not self.is_done(slot, frame.ordinal):
                            self._mark(slot, frame.ordinal)
                            self.live[slot] -= 1
                            self.away[slot] -= 1
                            freed += 1
                            freed_bytes += n
                self.tidy(slot)
        return freed, freed_bytes

    def may_hold(self, boot, first, last):
        """Return whether some of a range may lie here, and not in the window; without reading it."""
        return any(self._may_hold(i, boot, first, last) for i in range(len(self.lane)))

    def drop(self, slot, tell):
        """Give up a segment and tell what it held; return the bytes of that, as far as known."""
        lane = self.lane[slot]
        frame = self.frame
        lost = lost_bytes = 0
        for n in self.read(slot):
            if not self.is_done(slot, frame.ordinal):
                tell(frame.boot, frame.seq, frame.seq, 1, lane, _NO_ROOM)
                lost += 1
                lost_bytes += n
        if lost < self.live[slot]:
            first = self._first[slot]
            tell(self._boot[slot], first, first, self.live[slot] - lost, lane, _NO_ROOM)
        self.remove(slot)
        return lost_bytes

    def is_done(self, slot, ordinal):
        return self._bits[slot * _BITS + (ordinal >> 3)] >> (ordinal & 7) & 1

    def tidy(self, slot):
        """Remove a segment whose records are all done."""
        if not self.live[slot] and slot != self.slot:
            self.remove(slot)

    def remove(self, slot):
        """Forget a segment and remove its file."""
        name = self._name(slot)
        self.lane[slot] = FREE
        self.live[slot] = self.away[slot] = 0
        self.stored_bytes -= self._size[slot]
        self._cost += _COMMIT
        try:
            if self._files.size(name) or self._size[slot]:
                self._files.remove(name)
        except OSError:
            self.errors += 1

    def read(self, slot):
        """Read the records of a segment (see frames)."""
        return self.frame.read(self._name(slot), self._size[slot])

    # Inside

    def _name(self, slot):
        return "q%d-%d" % (self.lane[slot], self.number[slot])

    def _may_hold(self, slot, boot, first, last):
        if not self.away[slot] or self._last[slot] == _MIXED:
            return self.away[slot]
        return self._boot[slot] == boot and self._first[slot] <= last and self._last[slot] >= first

    def _take(self, lane, number):
        slot = self.lane.index(FREE)
        self.lane[slot] = lane
        self.number[slot] = number
        self.live[slot] = self.away[slot] = self._count[slot] = self._size[slot] = 0
        for i in range(slot * _BITS, slot * _BITS + _BITS):
            self._bits[i] = 0
        return slot

    def _note(self, slot, first, boot, seq):
        if first:
            self._boot[slot] = boot
            self._first[slot] = seq
        elif boot != self._boot[slot] or self._last[slot] == _MIXED:
            seq = _MIXED
        self._last[slot] = seq

    def _open(self, slot):
        if not self._handle:
            self._handle = self._files.append(self._name(slot))
            self.slot = slot
            self._new = 0
            self._synced = self._size[slot]

    def _close(self):
        handle = self._handle
        self._handle = None
        self.slot = -1
        if handle:
            handle.close()

    def _mark(self, slot, ordinal):
        self._bits[slot * _BITS + (ordinal >> 3)] |= 1 << (ordinal & 7)
        self._changed = True


def _is_ours(name):
    if len(name) > 12 or name[:1] != "q" or name[2:3] != "-":
        return False
    return name[1] in "0123" and name[3:].isdigit()


def _number(name):
    return int(name[3:])

"""Records that wait for the gateway's acknowledgement: a window in RAM over a log on flash.

    outbox = Outbox(8192, random, files)
    outbox.put(encoder.buf, n, boot, seq, lane)
    outbox.poll(now_ms)                           writes what has waited for long enough
    n = outbox.fill(payload, now_s, message_id)   what is due, as one CBOR sequence
    outbox.arrived(message_id)                    PUBACK: the broker has it
    outbox.broken(now_s)                          the connection is gone
    outbox.ack(boot, first, last)                 the gateway has committed these
    outbox.want(boot, first, last, now_s, True)   it misses these, of this very boot
    gap = outbox.take_gap()                       records that will never come, or None

New records go into the window, and to flash when `gather_s` has passed, when many have gathered, or,
alarms and sessions, at once. What is acknowledged before never touches the flash. A full window lets
go of what lies on flash; a drained one is filled from there again: newest alarms first, then
sessions, status and bulk, oldest first. Without `files`, or when the flash fails, the window is all
there is, and the lowest lane's oldest records are dropped.

An unacknowledged record is sent again after 30 s, doubling to an hour, with jitter; one that is still
not acknowledged after five sendings while later ones were goes to the quarantine. Every record that
is given up is counted, and told as a gap.
"""

from agent.compat import const
from agent.keep.segments import Segments
from agent.keep.window import ALL, FRAME_AT, HEAD, ORDINAL, UNSAVED, N, Window
from agent.wire.schema import RECORD_MAX

# Of agent/wire/codes; here the compiler folds them.
_ALARM = const(0)
_SESSION = const(1)
_STATUS = const(2)
_BULK = const(3)
_NO_ROOM = const(1)

_ENOSPC = const(28)  # MicroPython's errno has no name for it
_ROOM_SHARE = const(8)  # a full window makes room for more than one record: moving costs time
_TRIES_MAX = const(4)  # segments given up for one write while the flash is full
_ALARM_MAX = const(64)  # bytes of an alarm and its head


class Outbox(Window):
    """`size` bytes of window; `files` as hal.files(), of which `flash_bytes` are the log's.

    `errors` counts failures of the flash.
    """

    def __init__(self, size, random, files=None, flash_bytes=262144, gather_s=60):
        super().__init__(size, random)
        self.dropped = 0
        self._gather_ms = gather_s * 500
        self._since_ms = 0
        self._mark = self._newest = -1  # seq
        self._ill = False  # the last write failed: the next is in no hurry
        self._errors = 0
        self._log = self._load(files, flash_bytes)

    @property
    def errors(self):
        """Failures of the flash since start."""
        log = self._log
        return self._errors + (log.errors + log.frame.errors if log else 0)

    @property
    def stored_bytes(self):
        """Bytes of the log on flash."""
        return self._log.stored_bytes if self._log else 0

    @property
    def erases(self):
        """Flash blocks erased since start, estimated."""
        return self._log.erases() if self._log else 0

    def put(self, record, n, boot, seq, lane):
        """Keep `record[:n]`; an alarm or a session lies on flash when this returns."""
        self.kept += 1
        self.kept_bytes += n
        if not self._room(HEAD + n, lane):
            self._lose(boot, seq, n, lane)
            return
        self._add(record, n, boot, seq, lane)
        self._newest = seq
        if lane <= _SESSION:
            self._save(lane)

    def poll(self, now_ms):
        """Write what has gathered when it is time; return the milliseconds until it wants to again."""
        if self._unsaved * 2 > len(self._buf) and not self._ill:
            self.sync()
        elif now_ms - self._since_ms >= self._gather_ms:
            # Twice in the time of the loss window: what was there the last time is written now.
            self._since_ms = now_ms
            if self._unsaved and self._oldest_unsaved() <= self._mark:
                self.sync()
            self._mark = self._newest
        return 1000

    def sync(self):
        """Write what is not acknowledged to flash now, and which records on it are."""
        for lane in range(_BULK + 1):
            self._save(lane)
        if self._log:
            try:
                self._log.keep_bits()
            except OSError:
                self._log.errors += 1

    def due(self, now_s):
        """Return whether there is anything to send now."""
        if self._unsent or (self._used and now_s >= self._due_s):
            return True
        return self._log is not None and any(self._log.away) and self._used * 2 <= len(self._buf)

    def fill(self, payload, now_s, message_id):
        """Copy what is due into `payload`; return its length, 0 if nothing is due.

        The records count as sent, carried by the message `message_id` until that arrives or breaks.
        """
        if not self.due(now_s):
            return 0
        self._refill()
        return self._fill(payload, now_s, message_id)

    def short(self, buf, room, now_s, lane=_STATUS):
        """Fill `buf[:room]` for a short message; return its length.

        Due alarms, oldest first, then the newest status record, then older ones; nothing beyond
        `lane`. They count as sent.
        """
        self._refill()
        return self._fill_short(buf, room, now_s, lane)

    def ack(self, boot, first, last):
        """Free the records of `boot` from `first` to `last`; return how many there were."""
        freed = 0
        for pos in self._of(ALL):
            its_boot, seq = self._identity(pos)
            if its_boot == boot and first <= seq <= last:
                self._free(pos)
                freed += 1
        if self._log and freed <= last - first:
            n, size = self._log.ack(boot, first, last)
            self.kept -= n
            self.kept_bytes -= size
            freed += n
        if freed:
            self._last = max(self._last, (boot, last))
        return freed

    def want(self, boot, first, last, now_s, current):
        """Send what is kept of a range now, and tell what is not; nothing of what is not made yet."""
        last = min(last, self._newest) if current else last
        held = self._log and self._log.may_hold(boot, first, last)  # that comes by itself
        self._want(boot, first, last, now_s, not held)

    # What is given up

    def _free(self, pos):
        slot = self._slot(pos)
        super()._free(pos)
        if slot != UNSAVED:
            self._log.done(slot, self._buf[pos + ORDINAL])

    def _lose(self, boot, seq, n, lane):
        self.kept -= 1
        self.kept_bytes -= n
        self.dropped += 1
        self._tell(boot, seq, seq, 1, lane, _NO_ROOM)

    def _give_up(self, slot):
        """Drop a segment, the oldest of its lane."""
        log = self._log
        lane = log.lane[slot]
        for pos in self._of(lane):
            if self._slot(pos) == slot:
                self._clear(pos)
        self.kept -= log.live[slot]
        self.dropped += log.live[slot]
        self.kept_bytes -= log.drop(slot, self._tell)

    # Room in the window

    def _room(self, size, lane):
        """Make room for `size` bytes at the end of the window; return whether there is."""
        total = len(self._buf)
        if self._end + size <= total:
            return True
        if self._used + size > total:
            need = max(size, total // _ROOM_SHARE) - (total - self._used)
            need = self._evict(need, -1, False)
            if need > 0:
                self.sync()
                need = self._evict(need, -1, True)
            # Only what lies in RAM alone is left.
            for victim in range(_BULK, lane - 1, -1):
                for pos in self._of(victim):
                    if need > 0:
                        boot, seq = self._identity(pos)
                        need -= self._clear(pos)
                        self._lose(boot, seq, self._buf[pos + N], victim)
        self._compact()
        return self._end + size <= total

    def _evict(self, need, above, flying):
        """Let go of records on flash, of lanes below `above`; return the bytes that are still needed.

        A lane's newest go first: the oldest are the next to be sent. But the newest status stays,
        it is what a short message is for. `flying`: also what is under way, if it must be.
        """
        for lane in range(_BULK, above, -1):
            found = [pos for pos in self._of(lane) if self._slot(pos) != UNSAVED]
            if found and lane == _STATUS and not flying:
                found.pop()
            while found and need > 0:
                pos = found.pop()
                if flying or not self._flies(pos):
                    self._log.away[self._slot(pos)] += 1
                    need -= self._clear(pos)
        return need

    # To flash and back

    def _oldest_unsaved(self):
        return min(self._identity(pos)[1] for pos in self._of(ALL) if self._slot(pos) == UNSAVED)

    def _load(self, files, flash_bytes):
        """Find what earlier boots left; return the log."""
        if files is None:
            return None
        self._log = log = Segments(files, flash_bytes)
        try:
            names = log.names()
        except OSError:
            # A number might be used twice: this boot goes on in RAM, the next one tries again.
            self._errors = 1
            return None
        for name in names:
            try:
                slot, live_bytes = log.scan(name, self._tell)
            except OSError:
                self._errors += 1
                continue
            if slot >= 0:
                self.kept += log.live[slot]
                self.kept_bytes += live_bytes
                self._make_room(log.lane[slot], 0, False)
        return log

    def _make_room(self, lane, more, full):
        """Give up a segment if that must be for `lane` to have `more`; return whether it may."""
        slot = self._log.victim(lane, more, full)
        if slot >= 0:
            self._give_up(slot)
        return slot > -2

    def _save(self, lane):
        """Write a lane's records that are not on flash yet."""
        if not self._log or not self._unsaved:
            return
        log = self._log
        for _ in range(_TRIES_MAX):
            try:
                self._write(lane)
            except OSError as error:
                log.errors += 1
                self._ill = True
                slot, first = log.abandon()
                for pos in self._of(lane):
                    if self._slot(pos) == slot and self._buf[pos + ORDINAL] >= first:
                        self._bind(pos, UNSAVED)
                if error.errno != _ENOSPC or not self._make_room(lane, 1, True):
                    return
            else:
                self._ill = False
                return

    def _write(self, lane):
        log = self._log
        for pos in self._of(lane):
            if self._slot(pos) == UNSAVED:
                n = self._buf[pos + N]
                if not log.ready(lane, n):
                    if not self._make_room(lane, 1, log.full(lane)):
                        break
                    log.begin(lane)
                boot, seq = self._identity(pos)
                log.add(self._buf, pos + FRAME_AT, n, boot, seq)
                self._bind(pos, log.slot)
        log.sync()

    def _refill(self):
        """Fill a drained window from flash, up to three quarters: the rest is for new records."""
        log = self._log
        slot = log.first_away() if log else -1
        if slot < 0:
            return
        total = len(self._buf)
        if self._used * 2 > total:
            if log.lane[slot] > _SESSION:
                return
            self._evict(self._used - total // 2, log.lane[slot], False)
        self._compact()
        high = total * 3 // 4
        while slot >= 0 and self._used + HEAD + RECORD_MAX <= high:
            self._take(slot, high)
            slot = log.first_away()

    def _take(self, slot, high):
        """Take records of a segment into the window, up to `high`."""
        log = self._log
        lane = log.lane[slot]
        here = [self._buf[pos + ORDINAL] for pos in self._of(lane) if self._slot(pos) == slot]
        # The newest alarms go first.
        skip = log.away[slot] - (high - self._used) // _ALARM_MAX if lane == _ALARM else 0
        left = max(skip, 0)
        taken = 0
        for n in log.read(slot):
            if self._used + HEAD + n > high:
                log.away[slot] -= taken
                log.frame.close()
                return
            if not log.is_done(slot, log.frame.ordinal) and log.frame.ordinal not in here:
                skip -= 1
                if skip < 0:
                    pos = self._add(log.frame.record, n, log.frame.boot, log.frame.seq, lane)
                    self._buf[pos + ORDINAL] = log.frame.ordinal
                    self._bind(pos, slot)
                    taken += 1
        # What cannot be read now is looked for again by the next start.
        log.away[slot] = left if taken else 0

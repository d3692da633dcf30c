"""Records in play, in RAM: what is sent, what carries it, when it is due again.

One buffer, records behind one another, each behind a head of fixed size; the space of those that are
gone is won back by moving the others down. keep/outbox decides what comes and goes, and keeps it on
flash.
"""

import struct

from agent.compat import const

# Of agent/wire/codes; here the compiler folds them.
_ALARM = const(0)
_STATUS = const(2)
_LANES = const(4)
_QUARANTINE = const(2)
_NOT_HERE = const(4)

# Head of a record: lane, sendings so far, message id that carries it or 0, segment of the log, boot,
# seq, when it is due (seconds of uptime); and the head of its frame in the log, so that a frame is
# written from where it lies (segments.FRAME: CRC, ordinal, length).
_FORMAT = "<BBHHIII"
_SENDINGS = const(1)
_CARRIER = const(2)
_SLOT = const(4)
_BOOT = const(6)
_DUE = const(14)
FRAME_AT = const(18)
ORDINAL = const(22)
N = const(23)
HEAD = const(24)

_GONE = const(0xFF)  # in place of the lane
UNSAVED = const(0xFFFF)  # in place of the segment
ALL = const(-1)

_RESEND_S = const(30)
_RESEND_MAX_S = const(3600)
_SENDINGS_MAX = const(5)
_QUARANTINE_MAX = const(8)  # records set aside for inspection; older ones make room
_GAPS_MAX = const(8)  # that wait to be told; one for each boot, lane and cause
_WANTED_MAX = const(4)  # as many for what was asked for; the others are told first


class Window:
    """`size` bytes of records; `random(n)` gives n random bytes, for the jitter."""

    def __init__(self, size, random):
        self.kept = 0
        self.kept_bytes = 0
        self.resent = 0
        self.quarantined = 0
        self.quarantine = []
        self._buf = bytearray(size)
        self._random = random
        self._end = 0
        self._used = 0  # bytes of living records and their heads
        self._unsent = 0
        self._unsaved = 0  # bytes of what is not in the log
        self._due_s = 0  # no record that was sent is due before
        self._gaps = []
        self._last = (-1, -1)  # the highest (boot, seq) acknowledged

    def arrived(self, message_id):
        """Note that the broker has this message: its records are at rest until they are due."""
        self._carried(message_id, None)

    def broken(self, now_s):
        """Note that the connection is gone: what it had not delivered is due at once."""
        self._carried(0, now_s)

    def take_gap(self):
        """Return (boot, first, last, lost, lane, cause) of records that will never come, or None."""
        return tuple(self._gaps.pop(0)) if self._gaps else None

    def _want(self, boot, first, last, now_s, tell):
        """Make what is here of a range due now; with `tell`, say of the rest that it is gone.

        A few gaps at a time, each of them exact: the gateway asks again for what stays open.
        """
        buf = self._buf
        found = []
        for pos in self._of(ALL):
            its_boot, seq = self._identity(pos)
            if its_boot == boot and first <= seq <= last:
                found.append(seq)
                if buf[pos + _SENDINGS] and not self._flies(pos):
                    # Who is asked for by name is not set aside for having been sent too often.
                    buf[pos + _SENDINGS] = 1
                    struct.pack_into("<I", buf, pos + _DUE, now_s)
                    self._due_s = min(self._due_s, now_s)
        if tell:
            found.sort()
            found.append(last + 1)
            for seq in found:
                if first < seq and len(self._gaps) < _WANTED_MAX:
                    self._gaps.append([boot, first, seq - 1, seq - first, None, _NOT_HERE])
                first = seq + 1

    def _tell(self, boot, first, last, lost, lane, cause):
        for gap in self._gaps:
            if gap[0] == boot and gap[4] == lane and gap[5] == cause:
                gap[1] = min(gap[1], first)
                gap[2] = max(gap[2], last)
                gap[3] += lost
                return
        if len(self._gaps) < _GAPS_MAX:
            self._gaps.append([boot, first, last, lost, lane, cause])

    def _fill(self, payload, now_s, message_id):
        """Copy what is due into `payload`, newest alarms first, then lane by lane; return its length."""
        at = 0
        room = len(payload)
        self._due_s = now_s + _RESEND_MAX_S * 2
        for lane in range(_LANES):
            picked = self._due(lane, now_s)
            if lane == _ALARM:
                picked.sort(key=self._identity, reverse=True)
            for pos in picked:
                if at + self._buf[pos + N] > room:
                    self._due_s = now_s
                    return at
                at = self._copy(pos, payload, at, message_id, now_s)
        return at

    def _fill_short(self, buf, room, now_s, last):
        """Copy due alarms, oldest first, then status, newest first; return the length."""
        at = 0
        for lane in (_ALARM, _STATUS):
            if lane > last:
                break
            picked = self._due(lane, now_s)
            picked.sort(key=self._identity, reverse=lane == _STATUS)
            for pos in picked:
                if at + self._buf[pos + N] <= room:
                    at = self._copy(pos, buf, at, 0, now_s)
        self._due_s = now_s
        return at

    def _of(self, lane):
        """Return where the records of a lane lie, or of all."""
        found = []
        buf = self._buf
        pos = 0
        while pos < self._end:
            if buf[pos] == lane or (lane == ALL and buf[pos] != _GONE):
                found.append(pos)
            pos += HEAD + buf[pos + N]
        return found

    def _due(self, lane, now_s):
        """Return where a lane's due records lie; note when the next one will be."""
        due = []
        for pos in self._of(lane):
            sendings = self._buf[pos + _SENDINGS]
            due_s = struct.unpack_from("<I", self._buf, pos + _DUE)[0]
            if sendings and now_s < due_s:
                self._due_s = min(self._due_s, due_s)
            elif sendings >= _SENDINGS_MAX and self._identity(pos) < self._last:
                self._set_aside(pos)
            else:
                due.append(pos)
        return due

    def _set_aside(self, pos):
        boot, seq = self._identity(pos)
        if len(self.quarantine) == _QUARANTINE_MAX:
            self.quarantine.pop(0)
        self.quarantine.append(bytes(self._buf[pos + HEAD : pos + HEAD + self._buf[pos + N]]))
        self.quarantined += 1
        self._tell(boot, seq, seq, 1, self._buf[pos], _QUARANTINE)
        self._free(pos)

    def _copy(self, pos, payload, at, message_id, now_s):
        """Copy a record to `payload[at:]`, note that it is sent; return where the next one begins."""
        buf = self._buf
        end = at + buf[pos + N]
        payload[at:end] = memoryview(buf)[pos + HEAD : pos + HEAD + end - at]
        sendings = buf[pos + _SENDINGS]
        if sendings:
            self.resent += 1
        else:
            self._unsent -= 1
        wait_s = min(_RESEND_S << min(sendings, 7), _RESEND_MAX_S)
        wait_s += wait_s * self._random(1)[0] // 1024  # up to a quarter more
        struct.pack_into("<BH", buf, pos + _SENDINGS, min(sendings + 1, 0xFF), message_id)
        struct.pack_into("<I", buf, pos + _DUE, now_s + wait_s)
        self._due_s = min(self._due_s, now_s + wait_s)
        return end

    def _carried(self, message_id, now_s):
        """Clear the message id of its records (0: of all), and make them due at `now_s` if given."""
        buf = self._buf
        for pos in self._of(ALL):
            carrier = self._number(pos + _CARRIER)
            if carrier and message_id in (0, carrier):
                struct.pack_into("<H", buf, pos + _CARRIER, 0)
                if now_s is not None:
                    struct.pack_into("<I", buf, pos + _DUE, now_s)
                    self._due_s = min(self._due_s, now_s)

    def _identity(self, pos):
        return struct.unpack_from("<II", self._buf, pos + _BOOT)

    def _number(self, at):
        return self._buf[at] | self._buf[at + 1] << 8

    def _slot(self, pos):
        return self._number(pos + _SLOT)

    def _flies(self, pos):
        return self._number(pos + _CARRIER) != 0

    def _bind(self, pos, slot):
        """Note in which segment a record lies, or that it lies in none."""
        size = HEAD + self._buf[pos + N]
        self._unsaved += size if slot == UNSAVED else -size
        struct.pack_into("<H", self._buf, pos + _SLOT, slot)

    def _add(self, record, n, boot, seq, lane):
        """Put `record[:n]` at the end, not sent and not saved; return where it lies."""
        pos = self._end
        struct.pack_into(_FORMAT, self._buf, pos, lane, 0, 0, UNSAVED, boot, seq, 0)
        self._buf[pos + N] = n
        self._end = pos + HEAD + n
        self._buf[pos + HEAD : self._end] = memoryview(record)[:n]
        self._used += HEAD + n
        self._unsaved += HEAD + n
        self._unsent += 1
        return pos

    def _free(self, pos):
        """Forget a record for good."""
        self.kept -= 1
        self.kept_bytes -= self._buf[pos + N]
        self._clear(pos)

    def _clear(self, pos):
        """Let go of a record; return how many bytes that gave."""
        size = HEAD + self._buf[pos + N]
        self._buf[pos] = _GONE
        self._used -= size
        if self._slot(pos) == UNSAVED:
            self._unsaved -= size
        if not self._buf[pos + _SENDINGS]:
            self._unsent -= 1
        if not self._used:
            self._end = 0
        return size

    def _compact(self):
        """Move the living records down over the others."""
        buf = self._buf
        pos = to = 0
        while pos < self._end:
            size = HEAD + buf[pos + N]
            if buf[pos] != _GONE:
                if to < pos:
                    buf[to : to + size] = buf[pos : pos + size]
                to += size
            pos += size
        self._end = to

"""Records that wait for the gateway's acknowledgement, in RAM.

    outbox.put(encoder.buf, n, seq)
    n = outbox.fill(payload, now_s, message_id)   what is due, as one CBOR sequence
    outbox.arrived(message_id)                    PUBACK: the broker has it
    outbox.broken(now_s)                          the connection is gone
    outbox.ack(first, last)                       the gateway has committed these

One buffer, records behind one another in the order of `seq`, each behind a head of fixed size; the
space of acknowledged ones is won back by moving the others down. An unacknowledged record is sent
again after 30 s, doubling to an hour, with jitter; one that is still not acknowledged after five
sendings while later ones were goes to the quarantine. When the buffer is full the oldest records are
dropped. Every drop and every quarantined record is counted.
"""

import struct

from agent.compat import const

# Head of a record: its length, sendings so far, message id that carries it or 0, seq, when it is due
# (seconds of uptime).
_FORMAT = "<BBHII"
_HEAD = const(12)
_SENDINGS_AT = const(1)
_GONE = const(0xFF)  # in place of the sendings: acknowledged, quarantined or dropped

_RESEND_S = const(30)
_RESEND_MAX_S = const(3600)
_SENDINGS_MAX = const(5)
_QUARANTINE_MAX = const(8)  # records set aside for inspection; older ones make room
_ROOM_SHARE = const(8)  # a full buffer drops until a share of 1/8 is free: moving costs time


class Outbox:
    """`size` bytes of records; `random(n)` gives n random bytes, for the jitter."""

    def __init__(self, size, random):
        self.kept = 0
        self.kept_bytes = 0
        self.dropped = 0
        self.resent = 0
        self.quarantined = 0
        self.quarantine = []
        self._buf = bytearray(size)
        self._random = random
        self._end = 0
        self._fresh = 0  # the first record that was never sent
        self._due_s = 0  # no record that was sent is due before
        self._highest = -1  # highest acknowledged seq

    def put(self, record, n, seq):
        """Keep `record[:n]`; make room by dropping the oldest records if there is none."""
        size = _HEAD + n
        if self._end + size > len(self._buf):
            self._compact()
        if self._end + size > len(self._buf):
            self._drop(max(size, len(self._buf) // _ROOM_SHARE))
        if self._end + size > len(self._buf):
            self.dropped += 1
            return
        pos = self._end
        struct.pack_into(_FORMAT, self._buf, pos, n, 0, 0, seq, 0)
        pos += _HEAD
        self._end = pos + n
        self._buf[pos : self._end] = memoryview(record)[:n]
        self.kept += 1
        self.kept_bytes += n

    def due(self, now_s):
        """Return whether there is anything to send now."""
        return self._fresh < self._end or (self.kept > 0 and now_s >= self._due_s)

    def fill(self, payload, now_s, message_id):
        """Copy what is due into `payload`, oldest first; return its length, 0 if nothing is due.

        The records count as sent, carried by the message `message_id` until that arrives or breaks.
        """
        room = len(payload)
        at = 0
        whole = True  # every record was looked at
        due_s = now_s + _RESEND_MAX_S * 2
        again = now_s >= self._due_s
        pos = 0 if again else self._fresh
        buf = self._buf
        while pos < self._end:
            n, sendings, _, seq, record_due_s = struct.unpack_from(_FORMAT, buf, pos)
            after = pos + _HEAD + n
            if sendings != _GONE:
                if sendings and now_s < record_due_s:
                    due_s = min(due_s, record_due_s)
                elif self._is_poison(sendings, seq):
                    self._set_aside(pos, n)
                elif at + n > room:
                    whole = False
                    break
                else:
                    payload[at : at + n] = memoryview(buf)[pos + _HEAD : after]
                    at += n
                    record_due_s = self._mark_sent(pos, sendings, message_id, now_s)
                    due_s = min(due_s, record_due_s)
            pos = after
        self._fresh = max(self._fresh, pos)
        self._due_s = due_s if again and whole else min(self._due_s, due_s)
        return at

    def arrived(self, message_id):
        """Note that the broker has this message: its records are at rest until they are due."""
        self._carried(message_id, None)

    def broken(self, now_s):
        """Note that the connection is gone: what it had not delivered is due at once."""
        self._carried(0, now_s)

    def ack(self, first, last):
        """Free the records from `first` to `last`; return how many there were."""
        freed = 0
        pos = 0
        while pos < self._end:
            n, sendings, _, seq, _ = struct.unpack_from(_FORMAT, self._buf, pos)
            if seq > last:
                break
            if seq >= first and sendings != _GONE:
                self._free(pos, n)
                freed += 1
            pos += _HEAD + n
        if freed and last > self._highest:
            self._highest = last
        if not self.kept:
            self._end = self._fresh = 0
        return freed

    def _is_poison(self, sendings, seq):
        return sendings >= _SENDINGS_MAX and seq < self._highest

    def _mark_sent(self, pos, sendings, message_id, now_s):
        if sendings:
            self.resent += 1
        wait_s = min(_RESEND_S << min(sendings, 7), _RESEND_MAX_S)
        wait_s += wait_s * self._random(1)[0] // 1024  # up to a quarter more
        sendings = min(sendings + 1, _GONE - 1)
        struct.pack_into("<BH", self._buf, pos + _SENDINGS_AT, sendings, message_id)
        struct.pack_into("<I", self._buf, pos + 8, now_s + wait_s)
        return now_s + wait_s

    def _set_aside(self, pos, n):
        if len(self.quarantine) == _QUARANTINE_MAX:
            self.quarantine.pop(0)
        self.quarantine.append(bytes(self._buf[pos + _HEAD : pos + _HEAD + n]))
        self.quarantined += 1
        self._free(pos, n)

    def _free(self, pos, n):
        self._buf[pos + _SENDINGS_AT] = _GONE
        self.kept -= 1
        self.kept_bytes -= n

    def _carried(self, message_id, now_s):
        """Clear the message id of its records (0: of all), and make them due at `now_s` if given."""
        pos = 0
        while pos < self._end:
            n, sendings, carrier, _, _ = struct.unpack_from(_FORMAT, self._buf, pos)
            if carrier and sendings != _GONE and message_id in (0, carrier):
                struct.pack_into("<BH", self._buf, pos + _SENDINGS_AT, sendings, 0)
                if now_s is not None:
                    struct.pack_into("<I", self._buf, pos + 8, now_s)
                    self._due_s = min(self._due_s, now_s)
            pos += _HEAD + n

    def _drop(self, room):
        """Drop the oldest records until `room` bytes are free."""
        pos = 0
        free = len(self._buf) - self._end
        while pos < self._end and free < room:
            n = self._buf[pos]
            if self._buf[pos + _SENDINGS_AT] != _GONE:
                self._free(pos, n)
                self.dropped += 1
            pos += _HEAD + n
            free += _HEAD + n
        self._compact()

    def _compact(self):
        """Move the living records down over the others."""
        buf = self._buf
        pos = to = 0
        fresh = None
        while pos < self._end:
            size = _HEAD + buf[pos]
            if fresh is None and pos >= self._fresh:
                fresh = to
            if buf[pos + _SENDINGS_AT] != _GONE:
                if to < pos:
                    buf[to : to + size] = buf[pos : pos + size]
                to += size
            pos += size
        self._fresh = to if fresh is None else fresh
        self._end = to

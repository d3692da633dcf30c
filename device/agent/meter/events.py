"""The events of shore-power sessions: on flash before they are given out, whole, numbered without gaps.

Each event carries all that is known: the meter, its ratios, every register, the ship. So the last one is
the state to go on with after a restart. What was not given out before the power went is given out then,
without `uptime_s`: it is of an earlier boot.
"""

from agent.compat import const
from agent.errors import RemoteError
from agent.keep import journal
from agent.meter.believed import Believed
from agent.wire.encode import put_array, put_int
from agent.wire.read import MessageError, Reader

_SHIP_MS = const(3600000)  # how long it is known beforehand which ship will come
_FILE = "session"

# Of agent/wire and agent/meter/session; here the compiler folds them.
_SCHEMA = const(20)
_ENDED = const(3)
_DONE = const(0)
_IDLE = const(0)
_RUNNING = const(1)
_RESUMING = const(3)

# Values of a `session` record, and which values of `energy-count` follow its `read_age_s`.
_BOOT = const(1)
_EVENT = const(3)
_UPTIME = const(4)
_BOUND = const(8)
_COUNTS = const(10)
_CERTIFIED = const(22)
_SHIP = const(23)
_VALUES = const(27)
_FROM = b"\x00\x01\x06\x07\x08\x09\x02\x0a\x0b\x03\x04\x05"

# Whether the last event was given out.
_WAITING = const(1)
_TAKEN = const(2)


class Events(Believed):
    """What `session.Session` tells; see there for the arguments."""

    def __init__(self, files, boot, clock, rated_w, certified_t, interval_ms):
        super().__init__(rated_w)
        self.unsaved = 0
        self.state = _IDLE
        self._files = files
        self._boot = boot
        self._clock = clock
        self._certified_t = certified_t
        self._interval_ms = interval_ms
        self._values: list = [None] * _VALUES  # of the last event
        self._pending = 0
        self._t = -1  # when the last event was kept; negative: nobody knows
        self._due_ms = 0
        self._ship = None
        self._ship_ms = 0
        self._load()

    def next_record(self):
        """Return the values of the next `session` record, or None."""
        if self._pending != _WAITING:
            return None
        self._pending = _TAKEN
        if self._values[_UPTIME] is None:
            self._values[_BOUND] = self._gap_s()
        return tuple(self._values)

    def release(self):
        """Before a reset of our own: only from now on nobody watches."""
        if self.state == _RUNNING and not self._pending:
            self._t = self._clock.t()
            self._save(1)

    def ship(self, arguments, now_ms):
        """Carry out the command [mmsi or null, id, by, operator].

        Answered with [begun_boot, number] of the session, or nulls: kept for the next one.
        """
        reader = Reader(arguments, 0, len(arguments))
        reader.array(4, 4)
        mmsi = None if reader.null() else reader.uint(999999999)
        name = reader.byte_string(20)
        by = reader.uint(3)
        teller = reader.byte_string(16)
        reader.finish()
        if not by or (mmsi is None and not name):
            raise MessageError("range", "no ship")
        self._ship = (mmsi, name or None, by, teller or None)
        self._ship_ms = now_ms
        return self._shipped

    def _shipped(self, now_ms):
        """Return None until it is on flash, then (result, detail)."""
        pair: list = [None, None]
        if self.state != _IDLE:
            if self._ship is not None:
                return None
            pair = self._values[_BOOT:_EVENT]
        buf = bytearray(12)
        pos = put_int(buf, put_array(buf, 0, 2), pair[0])
        return _DONE, bytes(buf[: put_int(buf, pos, pair[1])])

    def _event(self, what, reason, bound_s, now_ms):
        """Keep an event on flash, and have it given out."""
        values = self._values
        read_ms = self.read_ms
        age_s = None if read_ms is None else (now_ms - read_ms) // 1000
        values[0] = what
        values[_EVENT] += 1
        values[_UPTIME : _UPTIME + 2] = (now_ms // 1000, reason)
        values[_BOUND:_COUNTS] = (bound_s, age_s)
        for i in range(len(_FROM)):
            values[_COUNTS + i] = None if read_ms is None else self.last[_FROM[i]]
        values[_CERTIFIED] = self._certified_t
        if self.state != _RESUMING:  # there the time before the gap is still asked for
            self._t = self._clock.t()
        self._due_ms = now_ms + self._interval_ms
        self._pending = _WAITING
        self._save(0)

    def _take_ship(self, now_ms):
        if self._ship is not None and now_ms - self._ship_ms <= _SHIP_MS:
            self._values[_SHIP:] = self._ship
        self._ship = None

    def _gap_s(self):
        """Return the seconds since the last event was kept, None when nobody knows."""
        t = self._clock.t()
        return t - self._t if t >= self._t >= 0 else None

    def _save(self, told):
        try:
            journal.save(self._files, _FILE, _SCHEMA, told, self._t, self._values)
        except OSError:
            self.unsaved += 1

    def _load(self):
        try:
            kept = journal.load(self._files, _FILE, _SCHEMA)
        except (OSError, RemoteError):
            self.unsaved += 1
            kept = None
        if kept is None:
            return
        told, self._t, values = kept
        self._values = values
        if not told:
            values[_UPTIME] = None
            self._pending = _WAITING
        if values[0] != _ENDED:
            self.state = _RESUMING
        if values[_COUNTS] is not None:
            last: list = [None] * len(_FROM)
            for i in range(len(_FROM)):
                last[_FROM[i]] = values[_COUNTS + i]
            self.last = tuple(last)

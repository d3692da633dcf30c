"""Shore-power sessions by raw counts: what a ship is billed by, whatever happens to the pile.

    session = Session(files, boot.value, clock, alarms, rated_w=100000)
    session.look(plug, closed, in_use, counts, read_ms, now_ms)
    values = session.next_record()          a `session` record to make, or None
    actions = {messages.SHIP: session.ship}

Nothing that is not known begins a session or ends one.
"""

from agent.compat import const
from agent.meter.events import Events

# The states of the pile:
#   IDLE      nobody is connected; a contact that closes, or a load                  -> RUNNING
#   RUNNING   the contact opens, breaker or load rest for long, or it is told        -> ENDING
#   ENDING    until the meter was read once more, or the time for that is up         -> IDLE
#   RESUMING  a start found the session open; contact and meter say how it goes on   -> RUNNING, IDLE
IDLE = const(0)
_RUNNING = const(1)
_ENDING = const(2)
_RESUMING = const(3)

_DEBOUNCE_MS = const(2000)  # a plug is slower, a chattering contact quicker
_SETTLE_MS = const(
    2000
)  # a register follows the load, and `in_use` the register, in a second or so
_RESUME_MS = const(90000)  # for a ship to take load again after the pile's power came back
_IDLE_MS = const(300000)  # age of a reading at rest that a load's session may begin with
_REST_SHARE = const(6)  # without contacts, rest must last longer than behind an open breaker
_SEGMENT_MAX = const(255)

# Of agent/wire; here the compiler folds them.
_STARTED = const(1)
_GOING_ON = const(2)
_ENDED = const(3)
_RESUMED = const(4)
_NEW_SEGMENT = const(5)
_IDENTIFIED = const(6)
_PLUG = const(1)
_BREAKER = const(2)
_LOAD = const(3)
_POWER_LOSS = const(4)
_COMMAND = const(5)
_REPLACED = const(7)
_NO_BASELINE = const(0x01)
_COUNT_BACK = const(0x04)
_GAP = const(0x10)
_NO_END = const(0x20)
_OF_METER = const(0x42)  # another meter, other ratios
_ALARM_METER_CHANGED = const(56)
_ALARM_COUNT_BACK = const(57)
_ALARM_CERTIFIED = const(58)
_LEVEL_ALARM = const(2)

# Values of a `session` record.
_BOOT = const(1)
_NUMBER = const(2)
_EVENT = const(3)
_SEGMENT = const(6)
_FLAWS = const(7)
_COUNTS = const(10)
_SHIP = const(23)

# The last event was not given out.
_WAITING = const(1)


class Session(Events):
    """The sessions of one pile.

    files        hal.files()
    boot         this boot's number
    clock        its `t()` tells how long the pile was without power
    alarms       Alarms
    rated_w      what the pile can deliver
    certified_t  the meter's certificate is good until, seconds since 2020, or None
    interval_s   between events while nothing happens
    rest_s       so long register and load rest behind an open breaker before the session ends
    wait_s       how long the meter is waited for, and how old a reading may be at a start; at least two
                 of the meter's periods

    `unsaved` counts what the flash did not take or had lost; the session goes on in RAM then. `state` is
    IDLE while there is no session.
    """

    def __init__(
        self,
        files,
        boot,
        clock,
        alarms,
        rated_w,
        certified_t=None,
        interval_s=900,
        rest_s=600,
        wait_s=30,
    ):
        super().__init__(files, boot, clock, rated_w, certified_t, interval_s * 1000)
        self._alarms = alarms
        self._pause_ms = rest_s * 1000
        self._wait_ms = wait_s * 1000
        self._number = -1
        self._expired = False
        self._jump = 0  # flaw of a segment that is to be told
        self._idle: tuple = ()  # counts while nothing was taken
        self._idle_ms = None
        self._contact = None  # plug, or where none is fitted breaker; debounced
        self._turned_ms = None
        self._open_ms = None  # since when it is seen open without a break
        self._was_open = False
        self._calm = True
        self._rest_ms = 0  # since when nothing is taken
        self._why = 0
        self._end_ms = 0

    def look(self, plug, closed, in_use, counts, read_ms, now_ms):
        """Take the inputs as they are now; None is not known, a `plug` of None not fitted.

        `closed` is breaker or relay, `counts` the values of `energy-count` read at `read_ms`, or None.
        """
        self._debounce(closed if plug is None else plug, now_ms)
        idle = in_use is not None and not in_use
        if not idle:
            self._rest_ms = now_ms
        t = self._clock.t()  # negative while it is not known
        if self._certified_t is not None and (t > self._certified_t) != self._expired:
            self._expired = not self._expired
            self._alarms.set(_ALARM_CERTIFIED, _LEVEL_ALARM if self._expired else 0)
        if self._pending == _WAITING:
            return
        if self._pending:
            self._pending = 0
            self._save(1)
        if self._jump:
            self._segment(now_ms)
            return
        flaw = self.take(counts, read_ms, self._gap_s())
        if flaw:
            self._turn(flaw, now_ms)
        elif self.state == IDLE:
            self._stand(plug, in_use, idle, now_ms)
        elif self.state == _RESUMING:
            if self._contact is not None or (plug is None and closed is None):
                self._resume(in_use, now_ms)
        elif self._ship is not None:
            self._take_ship(now_ms)
            self._event(_IDENTIFIED, 0, None, now_ms)
        elif self.state == _RUNNING:
            self._run(plug, closed, now_ms)
        else:
            self._finish(now_ms)

    def end(self):
        """End the running session."""
        if self.state == _RUNNING:
            self._why = _COMMAND

    def _debounce(self, contact, now_ms):
        if contact is None or contact:
            self._open_ms = None
        elif self._open_ms is None:
            self._open_ms = now_ms
        if contact is None or contact == self._contact:
            self._turned_ms = None
        elif self._turned_ms is None:
            self._turned_ms = now_ms
        elif now_ms - self._turned_ms >= _DEBOUNCE_MS:
            self._contact = contact
            self._turned_ms = None
            if not contact:
                self._was_open = True

    def _stand(self, plug, in_use, idle, now_ms):
        contact = self._contact
        read_ms = self.read_ms
        if idle:
            self._calm = True
        if plug is not None and (self._was_open or not contact):
            # A plug takes power before it is believed, and longer before that if its contact chatters.
            open_ms = self._open_ms
            idle = open_ms is not None and now_ms - open_ms >= _DEBOUNCE_MS
            idle = idle and read_ms is not None and read_ms >= open_ms
        # Only when `in_use` has had its time to see that the register moved.
        if idle and read_ms is not None and now_ms - read_ms >= _SETTLE_MS:
            self._idle = self.last
            self._idle_ms = self.read_ms
        if contact and self._was_open:
            self._begin(_BREAKER if plug is None else _PLUG, 0, now_ms)
        elif in_use and self._calm and (contact or plug is None):
            # A plug that was in when the pile started may have been in, and used, before.
            self._begin(_LOAD, 0 if plug is None or self._number >= 0 else _GAP, now_ms)

    def _begin(self, reason, flaws, now_ms):
        """Begin with what the meter said at rest: load and plug are there before they are believed."""
        old_ms = _IDLE_MS if reason == _LOAD else self._wait_ms
        if self._idle_ms is not None and now_ms - self._idle_ms <= old_ms:
            self.last = self._idle
            self.read_ms = self._idle_ms
            self._seen_ms = None  # what was read since comes again
        elif reason == _LOAD or (self.read_ms is not None and now_ms - self.read_ms > old_ms):
            self.read_ms = None
        elif self._number < 0 and self._idle_ms is None and self.read_ms is not None:
            if now_ms - self.read_ms < _DEBOUNCE_MS + _SETTLE_MS:
                # The first reading since the start, of a time when the plug may have been in already.
                self.read_ms = None
                flaws |= _GAP
        bound_s = None
        if reason == _LOAD and self.read_ms is not None:
            bound_s = (now_ms - self.read_ms) // 1000
        self._alarms.set(_ALARM_METER_CHANGED, 0)
        self._alarms.set(_ALARM_COUNT_BACK, 0)
        self.state = _RUNNING
        self._was_open = False
        self._why = 0
        self._rest_ms = now_ms
        self._number += 1
        values = self._values
        values[_BOOT] = self._boot
        values[_NUMBER] = self._number
        values[_EVENT] = -1
        values[_SEGMENT] = 0
        values[_FLAWS] = flaws | (_NO_BASELINE if self.read_ms is None else 0)
        values[_SHIP:] = (None, None, None, None)
        self._take_ship(now_ms)
        self._event(_STARTED, reason, bound_s, now_ms)

    def _run(self, plug, closed, now_ms):
        rest_ms = now_ms - self._rest_ms
        self._end_ms = now_ms
        if plug is not None and self._contact is not None and not self._contact:
            self._why = _PLUG
        elif not self._why and rest_ms >= self._pause_ms:
            self._end_ms = self._rest_ms
            if closed is not None and not closed:
                self._why = _BREAKER
            elif plug is None and rest_ms >= _REST_SHARE * self._pause_ms:
                self._why = _LOAD
        if self._why:
            self.state = _ENDING
        elif now_ms >= self._due_ms or (
            self._values[_COUNTS] is None and self.read_ms is not None
        ):
            self._event(_GOING_ON, 0, None, now_ms)

    def _finish(self, now_ms):
        """End when the meter was read after the end: its last value comes late (evcc #29350)."""
        read_ms = -1 if self.read_ms is None else self.read_ms
        over_ms = now_ms - self._end_ms
        if read_ms >= self._end_ms + _SETTLE_MS or over_ms >= self._wait_ms:
            if read_ms < self._end_ms:
                self._values[_FLAWS] |= _NO_END
            self._close(self._why, over_ms // 1000, now_ms)

    def _resume(self, in_use, now_ms):
        read = self.read_ms is not None
        late = now_ms >= _RESUME_MS
        gap_s = self._gap_s()
        values = self._values
        if self._contact is None or self._contact:
            goes_on = in_use or (read and self.last[0] != values[_COUNTS])
            if (goes_on and read) or (late and (in_use is None or not read)):
                self.state = _RUNNING
                values[_FLAWS] |= _GAP
                self._event(_RESUMED, _POWER_LOSS, gap_s, now_ms)
                return
        elif read:
            late = True
        if late:
            values[_FLAWS] |= _GAP if read else _GAP | _NO_END
            self._close(_POWER_LOSS, gap_s, now_ms)

    def _close(self, reason, bound_s, now_ms):
        self.state = IDLE
        self._calm = False
        self._idle_ms = None
        self._event(_ENDED, reason, bound_s, now_ms)

    def _turn(self, flaw, now_ms):
        """Tell how far the meter had come, then, with the next look, that it counts anew."""
        if self.state != IDLE:
            self._jump = flaw
            if self.read_ms is not None:
                self._event(_GOING_ON, 0, None, now_ms)
        back = self.turn()
        self._idle_ms = None
        if flaw == _COUNT_BACK:
            self._alarms.set(_ALARM_COUNT_BACK, _LEVEL_ALARM, back)
        else:
            self._alarms.set(_ALARM_METER_CHANGED, _LEVEL_ALARM)

    def _segment(self, now_ms):
        values = self._values
        flaw = self._jump
        self._jump = 0
        values[_SEGMENT] = min(values[_SEGMENT] + 1, _SEGMENT_MAX)
        values[_FLAWS] |= flaw
        reason = _REPLACED if flaw & _OF_METER else _REPLACED + flaw // _COUNT_BACK
        self._event(_NEW_SEGMENT, reason, None, now_ms)

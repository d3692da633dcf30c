"""The watchdog is fed only when every part has been polled, and none took longer than it may.

    watch = Watch(hal.watchdog(120000), memo.running)
    place = watch.add(b"link", 60000)
    watch.enter(place, ms); part.poll(now_ms)
    watch.end(ms)                           after each step

    name_of(code)                           for the birth after a watchdog reset: who was running

A part that never returns cannot say so afterwards, and no timer reaches into a blocked socket: so who
runs is noted in backup RAM before each poll, whatever it is about to do (docs/power.md has what that
costs). A part that returns too late, or is not polled any more, stays noted until it is in time again
or the watchdog bites.
"""

from agent.compat import const

# Who can hang. A code is a place in this table and outlives updates and roll-backs: it only grows.
NAMES = (
    b"loop",  # between two steps
    b"profile",
    b"gnss",
    b"ais",
    b"lamp",
    b"inputs",
    b"meter",
    b"clock",
    b"power",
    b"outbox",
    b"link",
    b"downlink",
    b"update",
    b"ntp",
    b"beidou",
    b"budget",
    b"slots",
    b"commands",
    b"lantern",
    b"proof",
    b"light",
    b"station",
    b"energy",
    b"motion",
    b"weather",
    b"session",
    b"supply",
)

_LOOK_MS = const(1000)  # the shortest hardware watchdog, the RP2's, waits for eight seconds
LIMIT_MS = 10000  # for a part that names none; one poll takes milliseconds


class Watch:
    """`dog.feed()` feeds the watchdog; `note(code)` keeps who runs where a reset leaves it.

    Times are milliseconds since start, read anew for every call.
    """

    def __init__(self, dog, note):
        self.unfed = 0  # looks that found somebody late
        self._dog = dog
        self._note = note
        self._codes = []
        self._limits_ms = []
        self._entered_ms = []
        self._place = self.add(NAMES[0])
        self._ended_ms = 0  # the step before
        self._look_ms = 0
        self._late = (
            0  # code of a part that was late since the last look; the loop's, 0, is nobody
        )
        self._held = 0  # before that: the watchdog was not fed

    def add(self, name, limit_ms=LIMIT_MS):
        """Return the place of a part, by which it is entered."""
        self._codes.append(NAMES.index(name) if name in NAMES else 1)
        self._limits_ms.append(limit_ms)
        self._entered_ms.append(0)
        return len(self._codes) - 1

    def enter(self, place, ms):
        """Note that this part runs now, and that the one before has returned."""
        last = self._place
        if ms - self._entered_ms[last] > self._limits_ms[last]:
            self._late = self._codes[last]
        self._place = place
        self._entered_ms[place] = ms
        if not self._held:
            self._note(self._codes[place])

    def end(self, ms):
        """End a step; once a second feed the watchdog, if nobody was late."""
        self.enter(0, ms)
        if ms >= self._look_ms:
            self._look_ms = ms + _LOOK_MS
            for place in range(len(self._codes)):
                if self._ended_ms - self._entered_ms[place] > self._limits_ms[place]:
                    self._late = self._codes[place]
            self._held, self._late = self._late, 0
            if self._held:
                self.unfed += 1
                self._note(self._held)
            else:
                self._dog.feed()
        self._ended_ms = ms


def name_of(code):
    """Return a part's name for `birth.hung`, or None."""
    return NAMES[code] if code is not None and code < len(NAMES) else None

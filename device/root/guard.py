"""The boot guard: decides what a start runs. First code of all, and no update ever touches it.

    guard = Guard(stores, exists)
    guard.choose(innocent)          then launch.py runs what is in `guard.folder`

One state table, kept twice (the newer whole copy counts), decides which start runs what:

    rung   mode       what runs                       left after three starts that came to nothing
    0      normal     the application, slot a or b
    1      previous   the other slot, if confirmed
    2      safe       /safe: identity, link, update   never; pauses of a minute to an hour in between

A start is counted before anything of the application is imported, and the count goes back when the
agent says `good`. Power-on, brown-out, deep-sleep wakes and a prompt's soft reset are nobody's failure
and do not count. Where the safe agent fails too, every fourth try is the application's: what broke it
may be over.

An application on trial that crashed goes back at once; one that lost its power three times too. Without
a whole copy of the table the ladder is slot a, slot b, safe. Nothing here erases anything.
"""

import binascii

try:
    from micropython import const
except ImportError:
    # As agent.compat; the guard leans on nothing of the agent.
    def const(value):  # type: ignore[misc]
        """Give back the value."""
        return value


# The agent's codes (wire/codes.py), again: it may be what is broken.
_NORMAL = const(0)
_PREVIOUS = const(1)
_SAFE = const(2)
_ARMED = const(4)
_TRIAL = const(5)
_CONFIRMED = const(6)
_ROLLED_BACK = const(7)

_FAILURES = const(3)  # starts a rung is given
_TRIALS = const(3)  # starts a trial may lose to power cuts
_PAUSE_MS = const(60000)  # before the safe agent's second try; doubles
_PAUSE_MAX_MS = const(3600000)
_FAILED_MAX = const(200)  # the count stops; pauses have long been at their longest
_AGAIN = const(4)  # so many tries of the safe agent, the last of which is the application's


_SLOTS = ("/a", "/b")
_SAFE_FOLDER = "/safe"
# Magic, generation (4 bytes), application, previous, trial, failed, update, paused, CRC-32.
_MAGIC = b"G"
_SIZE = const(15)

running = None  # the guard of this start, for hal.guard(); launch.py puts it here


class Guard:
    """The state table. `stores` are two of load() -> bytes | None and save(data).

    For the agent (hal.guard()): `mode`; `failed`, the counted starts before this one; `update`, what
    became of the last update; `trial`, whether this start is one.
    """

    def __init__(self, stores, exists):
        self.mode = _NORMAL
        self.failed = 0
        self.trial = False
        self.folder = ""
        self.pause_ms = 0  # sleep so long first
        self._stores = stores
        self._exists = exists
        self._generation = 0
        # Until something else is known, both slots are believed.
        self._app = self._trial = self._failed = self.update = self._paused = 0
        self._previous = 1
        for store in stores:
            self._read(store)
        self._kept = self._row()

    def choose(self, innocent):
        """Decide what this start runs, and write it down. `innocent`: the reset was no failure."""
        if self._trial:
            if self._trial <= (_TRIALS if innocent else 1) and self._there(1 - self._app):
                self._trial += 1
                self.update = _TRIAL
                self.trial = True
                self.folder = _SLOTS[1 - self._app]
            else:
                self._trial = 0
                self.update = _ROLLED_BACK
                innocent = True  # the trial's failure is not the application's
        if not self.trial:
            self._climb(innocent)
        self._save()

    def other(self):
        """Return the folder that an update may be written to, once it is claimed."""
        return _SLOTS[self._app if self.trial or self.mode == _PREVIOUS else 1 - self._app]

    def claim(self):
        """Give up what lies in `other()`: from here on it is nobody's previous application.

        Nothing happens on trial: there `other()` is what the device goes back to.
        """
        if not self.trial:
            self._app ^= self.mode == _PREVIOUS
            self.mode &= _SAFE
            self._previous = 0
            self.good()

    def arm(self):
        """Let the next start try what lies in `other()`; return whether it will."""
        self.claim()
        if self.trial or not self._there(1 - self._app):
            return False
        self._trial = 1
        self.update = _ARMED
        return self._save()

    def good(self):
        """Take the count back: this start works well."""
        if not self.trial:
            # A start of a lower rung says nothing for the rungs above it.
            self._failed = self._safe_at() if self.mode == _SAFE else self.mode * _FAILURES
        self._save()

    def excuse(self):
        """Take this start's count back: a person reset the board."""
        if not self.trial:
            self._failed = self.failed
            self._save()

    def confirm(self):
        """Make the application on trial the application."""
        if self.trial:
            self._app = 1 - self._app
            # What crashed before the update is nothing to go back to.
            self._previous = int(self._failed < _FAILURES)
            self._trial = self._failed = 0
            self.trial = False
            self.update = _CONFIRMED
            self._save()

    def roll_back(self, result):
        """End the trial with `result` (codes.UPDATE_*) to report; the next start is the old one's."""
        self._trial = 0
        self.update = result
        self._save()

    def retry(self):
        """Let the next start be the application's once more, though it failed before."""
        if self.mode != _NORMAL:
            self._failed = _FAILURES - 1
            self._save()

    def _climb(self, innocent):
        self.failed = self._failed
        tries = self._failed - self._safe_at()
        self.mode = _SAFE if tries >= 0 else self._failed // _FAILURES
        if tries > 0 and tries % _AGAIN == _AGAIN - 1:
            self.mode = _NORMAL
        if tries > 0 and not innocent and not self._paused:
            self._paused = 1
            self.pause_ms = min(_PAUSE_MS << min(tries - 1, 6), _PAUSE_MAX_MS)
        else:
            # The start that ends a pause is the one that counts, whatever ended it.
            if self._paused or not innocent:
                self._failed = min(self._failed + 1, _FAILED_MAX)
            self._paused = 0
        self.folder = _SAFE_FOLDER if self.mode == _SAFE else _SLOTS[self._app ^ self.mode]

    def _safe_at(self):
        """Return the count at which the safe agent's turn comes."""
        return _FAILURES * (1 + (self._previous and self._there(1 - self._app)))

    def _there(self, slot):
        return self._exists(_SLOTS[slot] + "/agent")

    def _row(self):
        slots = (self._app, self._previous, self._trial)
        return bytes(slots + (self._failed, self.update, self._paused))

    def _read(self, store):
        """Take a store's copy if it is whole and newer."""
        try:
            data = store.load()
        except OSError:
            return
        if data and len(data) == _SIZE and data[-4:] == _crc(data[:-4]):
            generation = int.from_bytes(data[1:5], "little")
            if data[:1] == _MAGIC and generation > self._generation:
                self._generation = generation
                self._app, self._previous, self._trial, self._failed = data[5:9]
                self.update, self._paused = data[9:11]

    def _save(self):
        """Write both copies if anything changed; return whether one at least is there."""
        row = self._row()
        kept = row == self._kept
        if not kept:
            self._generation += 1
            data = _MAGIC + self._generation.to_bytes(4, "little") + row
            data += _crc(data)
            for store in self._stores:
                try:
                    store.save(data)
                    self._kept = row
                    kept = True
                except OSError:
                    pass  # the other store is there for this
        return kept


def _crc(data):
    return binascii.crc32(data).to_bytes(4, "little")

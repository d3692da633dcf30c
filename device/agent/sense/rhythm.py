"""A light's rhythm: its turns to light and to dark, folded into periods and held against a character.

    rhythm = Rhythm(character.read("Fl(2) R 6s"))
    rhythm.turn(at_ms, True, slack_ms)       GOOD, BAD or UNSURE at the end of a period, else None
    rhythm.period_ms, rhythm.flashes, rhythm.deviation_ms      of the period that ended

A period may begin with any of its lights: the turns tell no more than an observer sees who opens his
eyes. Lengths that were given are met within 100 ms or 5 %, what is larger. A character without
lengths binds its class (IALA R0110), its group and its period within 5 %: flashes that are equal are
equal, a dash is twice a dot, eclipses within a group are shorter than those between groups. A quick
light without a group has a rate instead of a period. `slack_ms`, how far sampling may have misplaced
a turn, is added to all of them.
"""

from array import array

from agent.compat import const

GOOD = const(1)
BAD = const(2)
UNSURE = const(3)  # not watched all the time, or not known where in its character it began

FIXED_MS = const(10000)  # what counts as a period of a light that is never dark
_UNIT_MS = const(1000)  # shorter periods are judged together
_LONGEST_MS = const(65535)
_OFF_MS = const(100)
_FAR = const(1 << 20)
_ALL = const(1 << 20)  # missed: it began to look somewhere in the period

# From QUICK: shortest and longest from flash to flash, 5 % beyond R0110's 50-79, 80-159, 160-300.
_FASTEST = (0, 720, 356, 190)
_SLOWEST = (0, 1260, 788, 394)
_APART_MS = const(1140)  # flashes of a flashing light: less than 50 a minute, less 5 %
_LONG_MS = const(1900)  # a long flash has 2 s, less 5 %

# Kinds of sense.character, which a board forgets when it has read the character.
_FLASHING = const(1)
_LONG = const(2)
_QUICK = const(3)
_ULTRA_QUICK = const(5)
_ISO = const(6)
_OCCULTING = const(7)
_MORSE = const(8)
_ALTERNATING = const(9)

# What a phase is in its character. An occulting light's eclipses are its marks, lights its spaces.
_MARK = const(0)
_DASH = const(1)  # a mark that is longer than others
_SPACE = const(2)
_BREAK = const(3)  # a space that is longer than others


class Rhythm:
    """Judges periods against `character`; None: every light is as good as another.

    `span_ms` is the time of one judgement, `repeat_ms` the character's period, `shortest_ms` its
    shortest phase, both 0 for a light without eclipses.
    """

    def __init__(self, character):
        phases = character.phases if character else b""
        self._kind = character.kind if character else None
        self._phases = phases
        self._n = n = len(phases)
        self.repeat_ms = character.period_ms if n else 0
        times = -(-_UNIT_MS // self.repeat_ms) if n else 1
        self.span_ms = span_ms = self.repeat_ms * times or FIXED_MS
        off_ms = max(span_ms // 20, _OFF_MS)
        self._low_ms = span_ms - off_ms
        self._high_ms = span_ms + off_ms
        self._rate = 0
        self._kinds = b""
        if n and not character.exact:
            self._kinds = _kinds(phases, character.kind == _OCCULTING)
            if _QUICK <= character.kind <= _ULTRA_QUICK:
                self._rate = 1 + character.kind - _QUICK
                if n == 2:
                    self._low_ms = 0
                    self._high_ms = _SLOWEST[self._rate] * times
        self._got = array("H", bytes(2 * n * times))
        self.shortest_ms = min(phases) if n else 0
        # What a flash that is still to come takes at least.
        self._pair_ms = min([phases[i] + phases[i + 1] for i in range(0, n, 2)] or (0,)) * 7 // 10
        self.restart()

    def restart(self):
        """Forget what was seen. The next period is only learned from, should it not fit."""
        self.period_ms = None
        self.flashes = None
        self.deviation_ms = None
        self.begun_ms = 0  # when the character began in the last good period
        self.took_ms = 0
        self.slack_ms = 0
        self._count = -1
        self._start_ms = self._at_ms = 0
        self._missed = _ALL
        self._begun = None  # with which phase the last period began, if it fitted

    def hole(self, gap_ms):
        """Say that nobody looked for so long: a light or an eclipse may have been missed."""
        if self._n:
            self._missed += 2 + gap_ms // self.shortest_ms

    def late_ms(self, now_ms):
        """Return how long the present period has lasted, 0 while that is not too long."""
        ms = now_ms - self._start_ms
        if (
            self._count < 0
            or not self._n
            or ms <= self._high_ms + self.slack_ms
            or self._unsure(ms)
        ):
            return 0
        return ms

    def turn(self, at_ms, lit, slack_ms):
        """Take a turn to light or to dark; return GOOD, BAD, UNSURE, or None within a period."""
        count = self._count
        self.slack_ms = max(self.slack_ms, slack_ms)
        if count >= 0:
            if count < len(self._got):
                self._got[count] = min(at_ms - self._at_ms, _LONGEST_MS)
            self._count = count = count + 1
        self._at_ms = at_ms
        if not lit:
            return None
        verdict = None
        if count >= 0:
            verdict = self._judge(at_ms - self._start_ms)
            if not verdict:
                return None
            self._missed = 0
        self._count = 0
        self._start_ms = at_ms
        self.slack_ms = slack_ms
        return verdict

    def _judge(self, ms):
        slack_ms = self.slack_ms
        missing = len(self._got) - self._count
        if self._n:
            if ms < self._low_ms - slack_ms:
                return None
            if missing > 0 and ms + missing // 2 * self._pair_ms <= self._high_ms + slack_ms:
                return None
        self.took_ms = ms if self._n else FIXED_MS
        self.deviation_ms = None
        self.flashes = self._count * self.repeat_ms // (2 * self.span_ms)
        self.period_ms = ms * self.repeat_ms // self.span_ms
        known = self._begun
        self._begun = None
        if self._n and not missing and ms <= self._high_ms + slack_ms:
            verdict = self._fits(ms, known)
            if verdict:
                return verdict
        if self._kind is None:
            return GOOD
        if not self._unsure(ms):
            return BAD
        self.period_ms = self.flashes = self.deviation_ms = None
        return UNSURE

    def _unsure(self, ms):
        """Return whether the lights that are missing may have been missed."""
        lacking = -(-len(self._got) * ms // (2 * self.span_ms)) - self._count // 2
        return self._n > 0 and (self._missed >= _ALL or 0 < lacking <= self._missed)

    def _fits(self, ms, known):
        """Return GOOD if the phases fit, beginning with the same as those before; UNSURE if unknown.

        Five flashes instead of six would fit too, with one of the next group, but each time from
        another one on.
        """
        best = _FAR
        if known is not None:
            begun = known
            best = self._differ(known)
        if best > 0:
            for first in range(0, self._n, 2):
                beyond = self._differ(first)
                if beyond < best:
                    best = beyond
                    begun = first
            self._differ(begun)
        if self._kinds and not (self._rate and self._n == 2):
            self.deviation_ms = max(self.deviation_ms, abs(ms - self.span_ms))
        if best > 0:
            return None
        self._begun = begun
        self.begun_ms = self._start_ms + sum(self._got[: (self._n - begun) % self._n])
        if known == begun or self._n == 2:
            return GOOD
        return UNSURE if known is None else None

    def _differ(self, first):
        return self._alike(first) if self._kinds else self._same(first)

    def _same(self, first):
        """Return by how much a phase is beyond its tolerance when the first one is `first`."""
        want = self._phases
        beyond = -_FAR
        worst = 0
        for ms in self._got:
            off = abs(ms - want[first])
            worst = max(worst, off)
            beyond = max(beyond, off - max(want[first] // 20, _OFF_MS))
            first = (first + 1) % self._n
        self.deviation_ms = worst
        return beyond - self.slack_ms

    def _alike(self, first):
        """Return by how much the structure differs, 0 or less if it does not."""
        low = [_LONGEST_MS] * 4
        high = [0] * 4
        light = dark = 0
        for ms in self._got:
            what = self._kinds[first]
            low[what] = min(low[what], ms)
            high[what] = max(high[what], ms)
            if first & 1:
                dark += ms
            else:
                light += ms
            first = (first + 1) % self._n
        slack_ms = self.slack_ms
        both_ms = 2 * slack_ms  # a difference of two lengths may be wrong by as much
        worst = 0
        beyond = -_FAR
        for what in range(3):
            if high[what]:
                spread = high[what] - low[what]
                worst = max(worst, spread)
                beyond = max(beyond, spread - high[what] // 10 - both_ms)
        self.deviation_ms = worst
        kind = self._kind
        mark = high[_MARK]
        if high[_BREAK]:
            beyond = max(beyond, high[_SPACE] * 5 // 4 - low[_BREAK] - slack_ms)
        if high[_DASH]:
            long_ms = 2 * mark - slack_ms
            if kind != _MORSE:
                long_ms = max(_LONG_MS, mark * 3 // 2)
            beyond = max(beyond, long_ms - low[_DASH] - slack_ms)
        elif kind == _MORSE and high[_BREAK]:
            # All dots, or all dashes: only the spaces between them, a dot long, tell which.
            if self._phases[0] > 2 * self._phases[1]:
                beyond = max(beyond, high[_SPACE] * 7 // 4 - low[_MARK])
            else:
                beyond = max(
                    beyond, mark - low[_SPACE] * 7 // 4, high[_SPACE] * 5 // 8 - low[_MARK]
                )
        apart = low[_MARK] + low[_SPACE] + slack_ms
        if self._rate:
            beyond = max(beyond, _FASTEST[self._rate] - apart)
            beyond = max(beyond, mark + high[_SPACE] - slack_ms - _SLOWEST[self._rate])
        elif kind == _FLASHING:
            wanted = self._phases
            beyond = max(beyond, min(_APART_MS, (wanted[0] + wanted[1]) * 19 // 20) - apart)
            beyond = max(beyond, mark - _LONG_MS)
            if high[_BREAK]:
                beyond = max(beyond, mark - low[_SPACE] * 9 // 8 - both_ms)
        elif kind == _LONG:
            beyond = max(beyond, _LONG_MS - low[_MARK] - slack_ms)
        if kind == _ALTERNATING:  # by the current it flashes, or is occulting
            kind = _FLASHING if self._phases[0] < self._phases[1] else _OCCULTING
        if kind == _ISO:
            beyond = max(beyond, abs(light - dark) - (light + dark) // 20 - both_ms)
        elif kind == _OCCULTING:
            beyond = max(beyond, dark - light * 17 // 20)
        elif kind in (_FLASHING, _LONG):
            beyond = max(beyond, light - dark * 17 // 20)
        return beyond


def _kinds(phases, dark_marks):
    """Return what each phase is, as bytes of _MARK to _BREAK."""
    found = bytearray(len(phases))
    for parity in range(2):
        shortest = min([phases[i] for i in range(parity, len(phases), 2)])
        space = parity ^ dark_marks
        for i in range(parity, len(phases), 2):
            longer = phases[i] * 4 > shortest * 5
            found[i] = 2 * space + longer
    return found

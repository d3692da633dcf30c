"""Which reading of a meter's registers is believed.

    believed = Believed(rated_w)
    flaw = believed.take(counts, read_ms, gap_s)     0, or why the counting has to begin anew:
    believed.turn()                                  it does; until then `last` is the old stretch's end

`counts` are the values of `energy-count`. A register is believed when it has moved no further than the
pile can deliver in that time. Any other reading, and the first of a start, must be confirmed by a second
one: a zero, or garbage that had a good checksum, is seen once.
"""

from agent.compat import const

_METER_REPLACED = const(0x02)  # codes.FLAW_*, folded
_COUNT_BACK = const(0x04)
_IMPLAUSIBLE = const(0x08)
_RATIO_CHANGED = const(0x40)

_SLACK_S = const(7200)  # by so much the clock may have been stepped while the pile was off
_UNKNOWN_MS = const(1 << 31)  # 25 days: the longest that a pile without a clock was without power
_SLACK_COUNTS = const(2)  # a count at either end that was not full yet

# Values of `energy-count`.
_COUNT_E = const(2)
_PT = const(3)
_CT = const(4)
_MODULUS = const(10)
_STEP = const(11)
_REGISTERS = b"\x00\x01\x06\x07\x08\x09"
_SAME = b"\x05\x02\x0a"  # meter, exponent, modulus: of another meter when one of them differs


class Believed:
    """The counts of a pile that can deliver `rated_w`, and 1.2 times that for a while."""

    def __init__(self, rated_w):
        self.last: tuple = ()  # counts that are believed; none yet
        self.read_ms = None  # when they were read; None: before this start, or too long ago
        self._rated_w = rated_w
        self._doubt: tuple = ()
        self._doubt_ms = 0
        self._seen_ms = None

    @property
    def imported(self):
        """The import register as it is believed, or None."""
        return None if self.read_ms is None else self.last[0]

    def take(self, counts, read_ms, gap_s):
        """Take a reading. `gap_s`: since `last` was read, when `read_ms` is None; None: not known."""
        if counts is None or counts[0] is None or read_ms == self._seen_ms:
            return 0
        self._seen_ms = read_ms
        flaw = 0
        confirms = self._doubt and not self._wrong(self._doubt, counts, read_ms - self._doubt_ms)
        if self.last:
            if self.read_ms is not None:
                gap_ms = read_ms - self.read_ms
            else:
                gap_ms = None if gap_s is None else (gap_s + _SLACK_S) * 1000
            flaw = self._wrong(self.last, counts, gap_ms)
            if not flaw and (confirms or self.read_ms is not None):
                self._doubt = ()
                self.last = counts
                self.read_ms = read_ms
                return 0
        if confirms:
            if not flaw:
                self.turn()
            return flaw
        self._doubt = counts
        self._doubt_ms = read_ms
        return 0

    def turn(self):
        """Count on from the reading that was confirmed; return how far behind the old one it is."""
        old = self.last
        self.last = self._doubt
        self.read_ms = self._doubt_ms
        self._doubt = ()
        self._seen_ms = None  # the reading that confirmed it comes again
        return old[0] - self.last[0] if old else 0

    def _wrong(self, old, new, gap_ms):
        """Return 0 when `new` can follow `old` after `gap_ms`, else why not (codes.FLAW_*)."""
        for i in _SAME:
            if old[i] != new[i]:
                return _METER_REPLACED
        if old[_PT] != new[_PT] or old[_CT] != new[_CT]:
            return _RATIO_CHANGED
        modulus = new[_MODULUS]
        if modulus == 0:
            modulus = 1 << 32
        if gap_ms is None:
            gap_ms = _UNKNOWN_MS
        # A count is 10**(count_e + 3) Wh before the ratios; 3,600,000 ms an hour, over 1.2.
        unit = 3000000 * new[_PT] * new[_CT]
        power = new[_COUNT_E] + 3
        if power < 0:
            gap_ms *= 10**-power
        else:
            unit *= 10**power
        most = self._rated_w * gap_ms // unit + _SLACK_COUNTS * (new[_STEP] or 1)
        # What looks like more than half of a register is one that went back.
        most = min(most, (modulus or 1 << 32) // 2)
        for i in _REGISTERS:
            before = old[i]
            after = new[i]
            if before is not None and after is not None:
                moved = after - before
                if moved < 0 and modulus is not None:
                    moved += modulus
                if not 0 <= moved <= most:
                    return _COUNT_BACK if after < before else _IMPLAUSIBLE
        return 0

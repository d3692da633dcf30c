"""The lamp's current, folded into turns to light and to dark.

current = Current(hal.adc("lamp_ma"), 20, False)
if current.sample(now_ms, gap_ms):
    rhythm.turn(current.turn_ms, current.on, current.slack_ms)
"""

from agent.compat import const

_READS = const(8)  # in a row, for a lamp that is dimmed by switching it very fast
_READS_CONTACT = const(2)
_TURNED = const(2)  # samples that agree before a turn is believed; it happened at the first
_HOLD_MS = const(50)  # darkness that is shorter is dimming, or a contact that bounces


class Current:
    """Whether current flows: `reader` gives mA, or 0 and 1 if it is a `contact`.

    Lit is more than half of what its last flashes had, so that a slow start and a slow end shift both
    turns alike; at first, and after a long darkness, more than `on_ma`.
    """

    def __init__(self, reader, on_ma, contact):
        self.reader = reader
        self._on_ma = 1 if contact else on_ma
        self._contact = contact
        self._reads = _READS_CONTACT if contact else _READS
        self.on = False
        self.turn_ms = 0  # of the last turn, or of one that is not sure yet
        self.slack_ms = 0
        self._peak_ma = None
        self._usual_ma = 0
        self._top_ma = 0  # highest in this light
        self._against = 0  # samples that say it turned
        self._seen_ms = 0
        self._sum = self._n = 0

    @property
    def turning(self):
        """Whether it is lit, or may be."""
        return self.on or self._against > 0

    def sample(self, now_ms, gap_ms):
        """Take a sample, `gap_ms` after the last; return whether it turned, as `turn_ms` says when."""
        peak = total = 0
        reader = self.reader
        for _ in range(self._reads):
            ma = reader.read()
            if ma > 0:
                total += ma
                peak = max(peak, ma)
        if self._peak_ma is None or peak > self._peak_ma:
            self._peak_ma = peak
        half = self._usual_ma >> 1
        if self.on:
            self._sum += total // self._reads
            self._n += 1
            if peak >= max(self._on_ma, half - (half >> 3)):
                self._top_ma = max(self._top_ma, peak)
                self._seen_ms = now_ms
                self._against = 0
                return False
        elif peak < max(self._on_ma, half + (half >> 3)):
            if self._against and now_ms - self._seen_ms > _HOLD_MS:
                self._against = 0  # it was a flicker
            return False
        if not self._against:
            self.turn_ms = now_ms - (gap_ms >> 1)
            self.slack_ms = gap_ms
        self._against += 1
        if self.on:
            if self._against < _TURNED or now_ms - self._seen_ms <= _HOLD_MS:
                return False
            self._n -= self._against
            more_ma = self._top_ma - self._usual_ma
            self._usual_ma += more_ma >> 1 if self._usual_ma else more_ma
            self._top_ma = 0
        else:
            self._seen_ms = now_ms
            self._top_ma = max(self._top_ma, peak)
            if self._against < _TURNED:
                return False
        self._against = 0
        self.on = not self.on
        return True

    def forget(self):
        """Forget how strong the light usually is."""
        self._usual_ma = 0

    def take_mean_ma(self):
        """Return the mean while lit since the last call, or None."""
        mean_ma = self._sum // self._n if self._n > 0 and not self._contact else None
        self._sum = self._n = 0
        return mean_ma

    def take_peak_ma(self):
        """Return the highest current since the last call, or None."""
        peak_ma, self._peak_ma = self._peak_ma, None
        return None if self._contact else peak_ma

"""The lantern seen from outside: is current flowing, and did it lately.

The lantern flashes by itself. This part samples its current often enough to see the shortest flash
(0.3 s of a quick light), keeps the highest value since the last report, and says "lit" while a flash
was seen within `dark_s`, which is longer than the darkness of any character.
"""

from agent.compat import const

_SAMPLE_MS = const(50)


class Lamp:
    """`reader` gives the lamp current in mA, or is None when it is not fitted."""

    def __init__(self, reader, on_ma, dark_s):
        self._reader = reader
        self._on_ma = on_ma
        self._dark_ms = dark_s * 1000
        self._peak_ma = None
        self._start_ms = None
        self._seen_ms = None

    def poll(self, now_ms):
        """Take a sample; return the milliseconds until the next."""
        if self._reader is None:
            return 1000
        ma = max(self._reader.read(), 0)
        if self._start_ms is None:
            self._start_ms = now_ms
        if self._peak_ma is None or ma > self._peak_ma:
            self._peak_ma = ma
        if ma >= self._on_ma:
            self._seen_ms = now_ms
        return _SAMPLE_MS

    def lit(self, now_ms):
        """Return True, False, or None while it has not been watched for long enough."""
        if self._seen_ms is not None and now_ms - self._seen_ms <= self._dark_ms:
            return True
        if self._start_ms is None or now_ms - self._start_ms <= self._dark_ms:
            return None
        return False

    def take_peak_ma(self):
        """Return the highest current since the last call, or None."""
        peak_ma, self._peak_ma = self._peak_ma, None
        return peak_ma

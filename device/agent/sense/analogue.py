"""Slow analogue values: sampled once a second, given out as the mean since the last report."""

from agent.compat import const

_SAMPLE_MS = const(1000)
_SAMPLES_MAX = const(3600)  # then the mean starts anew; the sum stays a small integer


class Analogue:
    """`reader` gives an integer, or is None when the channel is not fitted."""

    def __init__(self, reader):
        self._reader = reader
        self._sum = 0
        self._count = 0
        self._next_ms = 0

    def poll(self, now_ms):
        """Take a sample when it is due; return the milliseconds until the next."""
        if self._reader is None:
            return _SAMPLE_MS
        if now_ms >= self._next_ms:
            if self._count >= _SAMPLES_MAX:
                self._sum = self._count = 0
            self._sum += self._reader.read()
            self._count += 1
            self._next_ms = now_ms + _SAMPLE_MS
        return self._next_ms - now_ms

    def take_mean(self):
        """Return the mean since the last call, or None when nothing was read."""
        if not self._count:
            return None
        mean = (abs(self._sum) + self._count // 2) // self._count
        if self._sum < 0:
            mean = -mean
        self._sum = self._count = 0
        return mean

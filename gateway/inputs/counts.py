"""What an input counts, on its way to the journal's counters."""

import threading
from collections import Counter


class Counts:
    """Counters of one input, for any thread. `prefix` goes before every name, as in "station.vts."."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._lock = threading.Lock()
        self._new: Counter[str] = Counter()

    def add(self, name: str, n: int = 1) -> None:
        """Count `n` more."""
        if n:
            with self._lock:
                self._new[name] += n

    def take(self) -> dict[str, int]:
        """Return what was counted since the last call."""
        with self._lock:
            new, self._new = self._new, Counter()
        return {f"{self._prefix}{name}": n for name, n in new.items()}

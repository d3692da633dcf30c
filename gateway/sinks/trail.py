"""Where a sink was some time ago, so that it can go back when its store forgot what it took.

VictoriaMetrics answers before it has written, and loses its last seconds when it is killed. What
must be sent again is what was *sent* of late, which is not what was received of late: a sink that
works off a backlog sends what is old. And it is counted back from the last sending, not from now: a
power cut may last for days. So the place to go back to is kept on disk, as a cursor of its own.
"""

from collections import deque
from typing import Final

from gateway.sinks.cursors import Cursor, Cursors

AGAIN_S: Final = 600  # so far back it goes; the most that was ever seen lost are 8 s
_STEP_S: Final = 10  # between two marks


class Trail:
    """A sink's marks. `back` is the place to go back to; pruning must not go beyond it."""

    def __init__(self, sink: str, cursors: Cursors, now_s: float) -> None:
        self.name = f"{sink}.again"
        self._cursors = cursors
        self.back = cursors.get(self.name)
        self._marks: deque[tuple[float, Cursor]] = deque([(now_s, self.back)])

    def note(self, cursor: Cursor, now_s: float) -> None:
        """Note that the store has taken everything up to here; `now_s` never goes backwards."""
        if now_s - self._marks[-1][0] >= _STEP_S and cursor != self._marks[-1][1]:
            self._marks.append((now_s, cursor))
        while len(self._marks) > 1 and self._marks[1][0] <= now_s - AGAIN_S:
            self._marks.popleft()
        if self._marks[0][1] != self.back:
            self.back = self._marks[0][1]
            self._cursors.set(self.name, self.back)

    def restart(self, now_s: float) -> Cursor:
        """Return the place to go back to; all that was sent since is sent anew."""
        self._marks = deque([(now_s, self.back)])
        return self.back

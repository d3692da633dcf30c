"""The last lines of what happened, for people who cannot come on board.

    log = Log(files, clock)
    log.note("link: timeout in state tls")
    log.save()                    before a deliberate reset, and when somebody wants to read it
    actions = {messages.LOG: actions.fetch(files, "log", log.save)}

A line is the record time and the text, `217400000 link: …`. Lines lie in RAM and go to flash only
when `save` is called, because flash wears; what broke the agent is the guard's to keep.
"""

from agent.compat import const

_NAME = "log"
_SIZE = const(1024)  # bytes of lines; some twenty of them
_LINE_MAX = const(160)
_NEWLINE = const(10)


class Log:
    """Keeps lines; the oldest make room. `clock` as agent.clock."""

    def __init__(self, files, clock):
        self._files = files
        self._clock = clock
        self._buf = bytearray(_SIZE)
        self._end = 0
        self._saved = True
        try:
            kept = files.read(_NAME) or b""
        except OSError:
            kept = b""
        self._end = min(len(kept), _SIZE)
        self._buf[: self._end] = kept[len(kept) - self._end :]

    def note(self, text):
        """Add a line; a long one is cut."""
        text = "%d %s" % (self._clock.t(), text)
        line = text.replace("\n", " ").encode()[: _LINE_MAX - 1] + b"\n"
        if self._end + len(line) > _SIZE:
            self._drop(len(line))
        self._buf[self._end : self._end + len(line)] = line
        self._end += len(line)
        self._saved = False

    def save(self):
        """Write the lines to flash if there are new ones; raise OSError when it refuses."""
        if not self._saved:
            self._files.replace(_NAME, memoryview(self._buf)[: self._end])
            self._saved = True

    def _drop(self, room):
        """Drop whole lines until there are `room` bytes."""
        start = self._end + room - _SIZE
        while start < self._end and self._buf[start - 1] != _NEWLINE:
            start += 1
        self._end -= start
        self._buf[: self._end] = self._buf[start : start + self._end]

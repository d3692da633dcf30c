"""A half-duplex line with a meter on it: bytes in and out, and how long they take."""

from agent.compat import const
from agent.meter.master import NOISE, WAITING

_CHUNK = const(64)  # bytes taken from the line at once
_CHUNKS_MAX = const(8)  # of them in one poll: 512 bytes, more than any answer
_BITS = const(11)  # bits of a character: start, eight, parity or second stop, stop
_BAUDS = (600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)


class Talk:
    """What a master says on a line (`readinto(buf) -> int`, `write(data) -> int`) and hears there.

    Raises ValueError for a baud rate that no meter has.
    """

    def __init__(self, line, master, baud):
        if baud not in _BAUDS:
            raise ValueError("baud: %r is none of %s" % (baud, ", ".join(map(str, _BAUDS))))
        self._line = line
        self._master = master
        self._baud = baud
        self._chunk = bytearray(_CHUNK)
        self._request = b""

    def say(self, request):
        """Begin to send; return whether the line has taken it all."""
        self._request = request
        return self.go_on()

    def go_on(self):
        """Send what the line has not taken yet; return whether it now has."""
        taken = self._line.write(self._request)
        if taken < len(self._request):
            self._request = self._request[taken:]
            return False
        return True

    def hear(self):
        """Give the master what has come; return what it makes of it."""
        result = WAITING
        for _ in range(_CHUNKS_MAX):
            n = self._line.readinto(self._chunk)
            result = self._master.feed(self._chunk, n)
            if result != WAITING or n < _CHUNK:
                break
        return result

    def drain(self):
        """Throw away what has come unasked; return how many bytes."""
        dropped = 0
        for _ in range(_CHUNKS_MAX):
            n = self._line.readinto(self._chunk)
            dropped += n
            if n < _CHUNK:
                break
        self._master.counts[NOISE] += dropped
        return dropped

    def ms(self, characters):
        """Time that so many characters take."""
        return (characters * _BITS * 1000 + self._baud - 1) // self._baud

# mypy: ignore-errors
"""What UARTs and sockets share: a device file of the host, read without blocking."""

import io

_LINE_CHUNK = 64


def open_device(name):
    """Open a file of the host's devices.mjs."""
    return open("/.board/dev/" + name, "r+b")


class Stream(io.IOBase):
    """A device's bytes.

    A subclass says how to wait: `_wait_input(ms) -> bool` and `_timeout_ms()`, -1 for no limit.
    """

    def _open(self, name):
        self._file = open_device(name)

    def _ready(self):
        """Wait for input as long as the stream's own timeout says; False: nothing came."""
        timeout = self._timeout_ms()
        return timeout != 0 and self._wait_input(0x3FFFFFFF if timeout < 0 else timeout)

    def readinto(self, buf, nbytes=-1):
        """Read into `buf`; None: nothing came in time."""
        if nbytes >= 0:
            buf = memoryview(buf)[:nbytes]
        count = self._file.readinto(buf)
        if count is None and self._ready():
            count = self._file.readinto(buf)
        return count

    def read(self, nbytes=-1):
        """Read `nbytes`, or whatever is there; None: nothing came in time."""
        return self._collect(nbytes, False)

    def readline(self, nbytes=-1):
        """Read up to and with the end of a line; None: nothing came in time."""
        return self._collect(nbytes, True)

    def _collect(self, nbytes, line):
        chunk = bytearray(1 if line else _LINE_CHUNK)
        data = bytearray()
        while nbytes < 0 or len(data) < nbytes:
            room = len(chunk) if nbytes < 0 else min(len(chunk), nbytes - len(data))
            count = self.readinto(chunk, room)
            if not count:
                return bytes(data) if data or count == 0 else None
            data.extend(memoryview(chunk)[:count])
            if line and chunk[0] == 10:
                break
        return bytes(data)

# mypy: ignore-errors
"""The virtual board's `socket`: TCP clients and UDP, as MicroPython's lwIP ports behave.

Names are looked up, and connections made, by the computer the board runs on.
"""

import errno

import _board
import micropython

from _stream import Stream

AF_INET = micropython.const(2)
SOCK_STREAM = micropython.const(1)
SOCK_DGRAM = micropython.const(2)
SOL_SOCKET = micropython.const(0xFFF)
SO_REUSEADDR = micropython.const(4)
SO_KEEPALIVE = micropython.const(8)
IPPROTO_TCP = micropython.const(6)
TCP_NODELAY = micropython.const(1)

_CREATED = micropython.const(1)
_CONNECTING = micropython.const(2)
_OPEN = micropython.const(3)
_FAILED = micropython.const(4)

_STREAM_POLL = micropython.const(3)
_STREAM_CLOSE = micropython.const(4)
_POLL_IN = micropython.const(1)
_POLL_OUT = micropython.const(4)
_POLL_ERRORS = micropython.const(0x18)
_POLL_INVALID = micropython.const(32)

_EAI_FAIL = micropython.const(-202)  # lwIP: the name is not known, or there is no network


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    """Return [(family, type, protocol, name, (address, port))]; blocks while the name is looked up."""
    address = _board.resolve(host) if _board.network() else None
    if address is None:
        raise OSError(_EAI_FAIL)
    return [(AF_INET, SOCK_STREAM, 0, "", (address, port))]


class socket(Stream):
    """A TCP client, or a UDP socket that is connected to its peer.

    As on a board: a few of them, with small buffers; close what you open.
    """

    def __init__(self, af=AF_INET, type=SOCK_STREAM, proto=0):
        if af != AF_INET or type not in (SOCK_STREAM, SOCK_DGRAM):
            raise OSError(errno.EOPNOTSUPP)
        self._number = _board.tcp_create(1 if type == SOCK_DGRAM else 0)
        if self._number < 0:
            raise OSError(errno.ENOMEM)
        self._timeout = -1
        self._open(f"tcp{self._number}")

    def settimeout(self, seconds):
        """Set the limit of a call: None for ever, 0 not at all."""
        self._timeout = -1 if seconds is None else int(seconds * 1000)

    def setblocking(self, flag):
        """Let calls wait for ever, or not at all."""
        self._timeout = -1 if flag else 0

    def setsockopt(self, level, option, value):
        """Accept the options that programs set; the host's connection has them already."""

    def connect(self, address):
        """Connect to (host, port); EINPROGRESS: poll for writing, or try again."""
        number = self._number
        self._check()
        if _board.tcp_state(number) == _CREATED:
            if not _board.network():
                raise OSError(errno.EHOSTUNREACH)
            _board.tcp_connect(number, address[0], address[1])
            if self._timeout == 0:
                raise OSError(errno.EINPROGRESS)
        self._wait(_POLL_OUT)
        state = _board.tcp_state(number)
        if state == _FAILED:
            raise OSError(_board.tcp_error(number))
        if state == _CONNECTING:
            raise OSError(errno.EALREADY if self._timeout == 0 else errno.ETIMEDOUT)

    def send(self, data):
        """Send what fits; return how many bytes that were."""
        self._check()
        count = self._file.write(data)
        if count is None and self._timeout != 0:
            self._wait(_POLL_OUT)
            count = self._file.write(data)
        if count is None:
            raise OSError(errno.EAGAIN if self._timeout == 0 else errno.ETIMEDOUT)
        return count

    def write(self, data):
        """Send; None: a socket that does not block has no room."""
        try:
            if self._timeout == 0:
                return self.send(data)
            self.sendall(data)
            return len(data)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return None
            raise

    def sendall(self, data):
        """Send everything."""
        rest = memoryview(data)
        while len(rest):
            rest = rest[self.send(rest) :]

    def recv(self, nbytes):
        """Return up to `nbytes`; b"": the peer has closed."""
        self._check()
        buffer = bytearray(nbytes)
        count = Stream.readinto(self, buffer)
        if count is None:
            raise OSError(errno.EAGAIN if self._timeout == 0 else errno.ETIMEDOUT)
        return bytes(memoryview(buffer)[:count])

    def readinto(self, buf, nbytes=-1):
        """Read into `buf`; 0: the peer has closed; None: a socket that does not block has nothing."""
        self._check()
        count = Stream.readinto(self, buf, nbytes)
        if count is None and self._timeout != 0:
            raise OSError(errno.ETIMEDOUT)
        return count

    def close(self):
        """Send what was written, and close."""
        if self._number >= 0:
            self._file.close()
            _board.tcp_close(self._number)
            self._number = -1

    def makefile(self, mode="rb", buffering=0):
        """Return the socket itself: it is a stream."""
        return self

    def fileno(self):
        """Return the socket's number; -1: it is closed."""
        return self._number

    def ioctl(self, request, argument):
        """Answer `select.poll`, and close."""
        if request == _STREAM_POLL:
            if self._number < 0:
                return _POLL_INVALID
            return _board.tcp_poll(self._number) & (argument | _POLL_ERRORS)
        if request == _STREAM_CLOSE:
            self.close()
        return 0

    def _check(self):
        if self._number < 0:
            raise OSError(errno.EBADF)

    def _wait(self, events):
        if self._timeout != 0:
            limit = 0x3FFFFFFF if self._timeout < 0 else self._timeout
            return _board.tcp_wait(self._number, events | _POLL_ERRORS, limit)
        return 0

    def _timeout_ms(self):
        return self._timeout

    def _wait_input(self, ms):
        return _board.tcp_wait(self._number, _POLL_IN | _POLL_ERRORS, ms) != 0

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.close()

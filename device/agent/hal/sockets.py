"""A TCP stream over the `socket` module of MicroPython's ports and of CPython.

Non-blocking throughout, except for the name lookup: `getaddrinfo` blocks on every port (reference
B4), which is why it is only asked when the network is up.
"""

import errno
import select
import socket

_OPENING = 0
_OPEN = 1
_CLOSED = -1

# "Not now": the connection is being made, or nothing has come yet.
_AGAIN = (errno.EAGAIN, getattr(errno, "EINPROGRESS", 115), getattr(errno, "EALREADY", 114))


class TCPStream:
    """One connection. `error` says why it is closed."""

    def __init__(self, host, port):
        self.error = ""
        self._state = _OPENING
        self._socket = None
        try:
            address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0][-1]
            self._socket = socket.socket()
            self._socket.setblocking(False)
            self._poll = select.poll()
            self._poll.register(self._socket, select.POLLOUT)
            self._socket.connect(address)
        except OSError as error:
            if error.errno not in _AGAIN:
                self._break(error)

    def state(self):
        """Return 0 while opening, 1 when open, -1 when closed."""
        if self._state == _OPENING:
            for _, flags in self._poll.poll(0):
                if flags & (select.POLLERR | select.POLLHUP):
                    self._break_pending()
                elif flags & select.POLLOUT:
                    self._state = _OPEN
        return self._state

    def readinto(self, view):
        """Read what has come; return how many bytes, 0 if none. A close is seen in `state()`."""
        if self._state != _OPEN:
            return 0
        try:
            n = _read(self._socket, view)
        except OSError as error:
            if error.errno not in _AGAIN:
                self._break(error)
            return 0
        if n == 0 and len(view):
            self._break(OSError(errno.ECONNRESET))
        return n or 0

    def write(self, view):
        """Write what the connection takes now; return how many bytes."""
        if self._state != _OPEN:
            return 0
        try:
            return _write(self._socket, view) or 0
        except OSError as error:
            if error.errno not in _AGAIN:
                self._break(error)
            return 0

    def close(self):
        """Close it; nothing happens the second time."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._state = _CLOSED

    def _break_pending(self):
        """Close after a connection that was not made; reading tells why."""
        try:
            _read(self._socket, bytearray(1))
            self._break(OSError(errno.ECONNREFUSED))
        except OSError as error:
            self._break(error)

    def _break(self, error):
        code = error.errno
        self.error = errno.errorcode.get(code, str(code))
        self.close()


def _read(sock, view):
    if hasattr(sock, "readinto"):
        return sock.readinto(view)
    return sock.recv_into(view)


def _write(sock, view):
    if hasattr(sock, "readinto"):
        return sock.write(view)
    return sock.send(view)

"""A TCP stream over the `socket` module of MicroPython's ports and of CPython.

Non-blocking throughout, except for the name lookup: `getaddrinfo` blocks on every port (reference
B4), which is why it is only asked when the network is up.
"""

import errno
import select
import socket

from agent.compat import const

OPENING = const(0)
OPEN = const(1)
SECURING = const(2)  # TCP is open, TLS not yet; what is written drives the handshake
CLOSED = const(-1)

# "Not now": the connection is being made, or nothing has come yet.
_AGAIN = (errno.EAGAIN, getattr(errno, "EINPROGRESS", 115), getattr(errno, "EALREADY", 114))


class TCPStream:
    """One connection. `error` says why it is closed."""

    def __init__(self, host, port):
        self.error = ""
        self._state = OPENING
        self._socket = None
        try:
            found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
            address = found[0][-1]
        except (OSError, ValueError) as error:  # CPython: a name that cannot be one
            self.error = "no address for %s (%s)" % (host, getattr(error, "errno", error))
            self._state = CLOSED
            return
        try:
            self._socket = socket.socket()
            self._socket.setblocking(False)
            self._poll = select.poll()
            self._poll.register(self._socket, select.POLLOUT)
            self._socket.connect(address)
        except OSError as error:
            if error.errno not in _AGAIN:
                self._break(error)

    def state(self):
        """Return OPENING, SECURING, OPEN or CLOSED."""
        if self._state == OPENING:
            for _, flags in self._poll.poll(0):
                if flags & (select.POLLERR | select.POLLHUP):
                    self._break_pending()
                elif flags & select.POLLOUT:
                    self._state = OPEN
                    self._opened()
        return self._state

    def readinto(self, view):
        """Read what has come; return how many bytes, 0 if none. A close is seen in `state()`."""
        if self._state <= OPENING:
            return 0
        try:
            n = _read(self._socket, view)
        except (OSError, ValueError) as error:
            if not self._later(error):
                self._break(error)
            return 0
        if n == 0 and len(view):
            self._break(OSError(errno.ECONNRESET, "end of stream"))
        return n or 0

    def write(self, view):
        """Write what the connection takes now; return how many bytes."""
        if self._state <= OPENING:
            return 0
        try:
            return _write(self._socket, view) or 0
        except (OSError, ValueError) as error:
            if not self._later(error):
                self._break(error)
            return 0

    def close(self):
        """Close it; nothing happens the second time."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._state = CLOSED

    def _opened(self):
        """Do nothing: TLS begins here."""

    def _later(self, error):
        """Return whether the error only says "not now"."""
        return error.errno in _AGAIN

    def _break_pending(self):
        """Close after a connection that was not made; reading tells why."""
        try:
            _read(self._socket, bytearray(1))
            self._break(OSError(errno.ECONNREFUSED, "refused"))
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

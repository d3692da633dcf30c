"""Datagrams to and from one address, over the `socket` module of MicroPython's ports and of CPython."""

import errno
import socket


class UDPStream:
    """One peer. The name lookup blocks, as on every port (reference B4); raises OSError."""

    def __init__(self, host, port):
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(found[0][-1])

    def readinto(self, buf):
        """Take one datagram; return its bytes, 0 when none came. Raises OSError, as when refused."""
        try:
            data = self._socket.recv(len(buf))
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return 0
            raise
        buf[: len(data)] = data
        return len(data)

    def write(self, data):
        """Send one datagram; return the bytes sent. Raises OSError."""
        return self._socket.send(data)

    def close(self):
        self._socket.close()

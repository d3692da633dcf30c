"""Where a station's bytes come from: serial line, TCP server, UDP datagrams, multicast groups.

with open_port("udp://239.192.0.1:60001", interface="192.0.2.7") as port:
    while True:
        data = port.read()

/dev/ttyUSB0, COM3, socket://HOST:PORT, …   pyserial's
tcp://HOST:PORT                             connect
udp://HOST:PORT                             listen; HOST is ours, or a multicast group to join
"""

import contextlib
import ipaddress
import re
import socket
import struct
from collections.abc import Iterator
from typing import Any, Final, Protocol

import serial

READ_S: Final = 0.2  # a read waits so long: then whoever reads looks at what else there is to do
_READ_MAX: Final = 4096
_DATAGRAM_MAX: Final = 65_535
_CONNECT_S: Final = 5.0
_BUFFER: Final = 1 << 20  # of the socket: some seconds of datagrams while the journal is busy

_ADDRESS: Final = re.compile(r"(tcp|udp)://(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):(\d{1,5})")


class Port(Protocol):
    """An open port. `datagrams`: what `read` returns is whole, and nothing goes on in the next."""

    datagrams: bool

    def read(self) -> bytes:
        """Return what came within READ_S, or nothing.

        Raises:
            OSError: the port is lost.
        """


class _Serial:
    datagrams = False

    def __init__(self, port: Any) -> None:
        self._port = port

    def read(self) -> bytes:
        return bytes(self._port.read(_READ_MAX))


class _Stream:
    datagrams = False

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self) -> bytes:
        try:
            data = self._connection.recv(_READ_MAX)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionResetError("closed by the other side")
        return data


class _Datagrams:
    datagrams = True

    def __init__(self, bound: socket.socket) -> None:
        self._bound = bound

    def read(self) -> bytes:
        try:
            return self._bound.recv(_DATAGRAM_MAX)
        except TimeoutError:
            return b""


@contextlib.contextmanager
def open_port(address: str, baud: int = 38_400, interface: str = "") -> Iterator[Port]:
    """Open a port; `interface` is the address of ours by which a multicast group is joined.

    Raises:
        OSError: it cannot be opened.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        # serial.SerialException is an OSError.
        with serial.serial_for_url(address, baudrate=baud, timeout=READ_S) as port:
            yield _Serial(port)
        return
    host, number = match[2].strip("[]"), int(match[3])
    if match[1] == "tcp":
        with socket.create_connection((host, number), timeout=_CONNECT_S) as connection:
            connection.settimeout(READ_S)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            yield _Stream(connection)
        return
    with _listen(host, number, interface) as bound:
        yield _Datagrams(bound)


def _listen(host: str, number: int, interface: str) -> socket.socket:
    found = socket.getaddrinfo(host, number, type=socket.SOCK_DGRAM)[0]
    family, place = found[0], found[4]
    group = ipaddress.ip_address(str(place[0]))
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.settimeout(READ_S)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        if group.is_multicast:
            # Several programs of one machine may listen to a group; to an address of ours, one.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
        if group.is_multicast and family == socket.AF_INET:
            ours = socket.inet_aton(interface or "0.0.0.0")
            member = socket.inet_aton(str(group)) + ours
            bound.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        elif group.is_multicast:
            index = socket.if_nametoindex(interface) if interface else 0
            member = socket.inet_pton(family, str(group)) + struct.pack("@I", index)
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
    except BaseException:
        bound.close()
        raise
    return bound

"""A very small HTTP server for a few pages: one thread, bounded in everything, loopback by default.

    server = Answering("127.0.0.1:9108", {"/metrics": metrics})
    while …: server.turn(1.0)        in the one thread it lives in

A page is a function that returns an `Answer`; nobody can post, and nothing is kept open. Slow, silent
and endless clients each hold one place of CONNECTIONS_MAX for at most LIFE_S; when all are taken, the
oldest gives way, so whoever asks properly is answered.
"""

import logging
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

log = logging.getLogger(__name__)

CONNECTIONS_MAX: Final = 32
REQUEST_MAX: Final = 8192  # bytes of a request's head
LIFE_S: Final = 5.0  # from its arrival until it has its answer
_BACKLOG: Final = 64
_CHUNK: Final = 65536
_PAUSE_S: Final = 0.05
_AGAIN_S: Final = 30.0  # between attempts at an address that is in use
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
PLAIN: Final = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """What a page says: HTTP status, body, and what the body is."""

    code: int
    body: bytes
    kind: str = PLAIN


class _Connection:
    """One client: what it asked so far, and what is left to send it."""

    def __init__(self, sock: socket.socket, now_s: float) -> None:
        self.sock = sock
        self.until_s = now_s + LIFE_S
        self.asked = bytearray()
        self.left = memoryview(b"")


class Answering:
    """The server. `port` is 0 while it does not listen.

    Args:
        listen: HOST:PORT; port 0 takes a free one, "" never listens.
        pages: path -> what answers it; called in the thread of `turn`.
    """

    def __init__(self, listen: str, pages: Mapping[str, Callable[[], Answer]]) -> None:
        self._listen = listen
        self._pages = pages
        self._selector = selectors.DefaultSelector()
        self._listening: socket.socket | None = None
        self._connections: dict[socket.socket, _Connection] = {}  # in the order of arrival
        self._again_s = 0.0

    @property
    def port(self) -> int:
        """The port it listens on, or 0."""
        return 0 if self._listening is None else int(self._listening.getsockname()[1])

    def open(self) -> None:
        """Listen; an address that cannot be had is told once in a while, and tried again later."""
        host, _, port = self._listen.rpartition(":")
        if not port or self._listening is not None:
            return
        self._again_s = time.monotonic() + _AGAIN_S
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, int(port)))
            listening.listen(_BACKLOG)
        except OSError as error:
            listening.close()
            log.warning(
                "no metrics and health checks on %s: %s; set [operation] listen to a free address",
                self._listen,
                error.strerror or error,
            )
            return
        listening.setblocking(False)
        self._listening = listening
        self._selector.register(listening, selectors.EVENT_READ)

    def turn(self, wait_s: float) -> None:
        """Do what is due, and wait for at most `wait_s` for something to do."""
        now_s = time.monotonic()
        if self._listening is None and now_s >= self._again_s:
            self.open()
        if self._connections:
            wait_s = min(wait_s, max(0.0, next(iter(self._connections.values())).until_s - now_s))
        if not self._selector.get_map():
            time.sleep(wait_s)
            return
        for key, _ in self._selector.select(wait_s):
            if key.fileobj is self._listening:
                self._accept()
            elif (connection := self._connections.get(key.fileobj)) is not None:  # type: ignore[call-overload]
                self._serve(connection)
        now_s = time.monotonic()
        for connection in list(self._connections.values()):
            if connection.until_s > now_s:
                break
            self._drop(connection)

    def close(self) -> None:
        """Close everything."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        self._selector.close()

    def _accept(self) -> None:
        if self._listening is None:
            return
        try:
            sock, _ = self._listening.accept()
        except OSError:  # gone again, or no descriptor is left: do not spin
            time.sleep(_PAUSE_S)
            return
        sock.setblocking(False)
        if len(self._connections) >= CONNECTIONS_MAX:
            self._drop(next(iter(self._connections.values())))
        self._connections[sock] = _Connection(sock, time.monotonic())
        self._selector.register(sock, selectors.EVENT_READ)

    def _serve(self, connection: _Connection) -> None:
        try:
            if connection.left:
                self._send(connection)
                return
            data = connection.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)
            return
        connection.asked += data
        ended = b"\r\n\r\n" in connection.asked or b"\n\n" in connection.asked
        if not data:
            self._drop(connection)
        elif ended or len(connection.asked) > REQUEST_MAX:
            answer, bodiless = (
                self._answer(bytes(connection.asked)) if ended else (_TOO_LONG, False)
            )
            connection.left = memoryview(_head(answer) + (b"" if bodiless else answer.body))
            self._selector.modify(connection.sock, selectors.EVENT_WRITE)

    def _send(self, connection: _Connection) -> None:
        sent = connection.sock.send(connection.left[:_CHUNK])
        connection.left = connection.left[sent:]
        if not connection.left:
            self._drop(connection)

    def _answer(self, asked: bytes) -> tuple[Answer, bool]:
        """Return the answer to a request, and whether only its head was asked for."""
        words = asked.split(b"\n", 1)[0].split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return Answer(400, b"not HTTP\n"), False
        if words[0] not in {b"GET", b"HEAD"}:
            return Answer(405, b"GET or HEAD only\n"), False
        page = self._pages.get(words[1].split(b"?", 1)[0].decode("latin-1"))
        if page is None:
            there = "\n".join(self._pages)
            return Answer(404, f"not here; there are:\n{there}\n".encode()), False
        try:
            answer = page()
        except Exception:
            log.exception("%s cannot be answered", words[1].decode("latin-1"))
            answer = Answer(500, b"it failed; the gateway's log says why\n")
        return answer, words[0] == b"HEAD"

    def _drop(self, connection: _Connection) -> None:
        self._selector.unregister(connection.sock)
        del self._connections[connection.sock]
        connection.sock.close()


def _head(answer: Answer) -> bytes:
    return (
        f"HTTP/1.1 {answer.code} {_REASONS[answer.code]}\r\n"
        f"Content-Type: {answer.kind}\r\nContent-Length: {len(answer.body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    ).encode()


_TOO_LONG: Final = Answer(431, f"more than {REQUEST_MAX} bytes\n".encode())

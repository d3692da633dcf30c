"""What the tests of the virtual board share: boards with a program, and mpremote's own transport."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mpremote.transport_serial import SerialTransport

from simulators.board.process import BoardOptions, BoardProcess

LOOPBACK = "127.0.0.1"


class Board:
    """A running board: its process, its flash and what it printed."""

    def __init__(self, flash: Path, files: dict[str, str], **options) -> None:
        flash.mkdir(exist_ok=True)
        for name, text in files.items():
            (flash / name).write_text(text)
        self.flash = flash
        self.printed = ""
        self._transport: SerialTransport | None = None
        self.process = BoardProcess(
            BoardOptions(name="test-1", flash=flash, console=True, **options), self._show
        )

    def _show(self, data: bytes) -> None:
        self.printed += data.decode()

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *error) -> None:
        self.disconnect()
        self.process.__exit__(*error)

    @contextmanager
    def raw_repl(self, *, soft_reset: bool = False) -> Iterator[SerialTransport]:
        """The board in raw mode, as mpremote drives it; its program is stopped."""
        if self._transport is None:
            self._transport = SerialTransport(f"socket://{LOOPBACK}:{self.process.repl_port}")
            # Else each small write waits 40 ms for the acknowledgement of the one before.
            connection = self._transport.serial._socket
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport.enter_raw_repl(soft_reset=soft_reset)
        yield self._transport
        self._transport.exit_raw_repl()

    def disconnect(self) -> None:
        """Leave the REPL to another client."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def kill(self) -> int:
        """Cut the power; return the process's code."""
        self.disconnect()
        return self.process.kill()

    def exec(self, source: str) -> str:
        """Run code on the board; return what it printed."""
        with self.raw_repl() as repl:
            return repl.exec(source).decode().replace("\r\n", "\n")


class Peer:
    """One end of a TCP connection of which the board is the other: listens, then speaks."""

    def __init__(self) -> None:
        self._server = socket.create_server((LOOPBACK, 0))
        self._server.settimeout(10)
        self.host_port = self._server.getsockname()
        self.address = f"{LOOPBACK}:{self.host_port[1]}"
        self._connection: socket.socket | None = None

    @property
    def connection(self) -> socket.socket:
        """The board's connection, once it came."""
        if self._connection is None:
            self._connection, _ = self._server.accept()
            self._connection.settimeout(10)
        return self._connection

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def send_json(self, **what) -> None:
        self.send(json.dumps(what).encode() + b"\n")

    def receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (chunk := self.connection.recv(count - len(data))):
            data += chunk
        return data

    def receive_until(self, ending: bytes) -> bytes:
        data = b""
        while not data.endswith(ending) and (chunk := self.connection.recv(1)):
            data += chunk
        return data

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self.hang_up()
        self._server.close()

"""A board's REPL at a serial port, by mpremote's own transport, with errors for people.

    with Link("/dev/ttyACM0") as link:
        link.run("import os")
        link.values("print(repr(os.listdir('/')))")      [["boot.py", "main.py", …]]

What mpremote prints is swallowed, what it and pyserial raise becomes a LinkError of one line.
"""

import ast
import contextlib
import io
import socket
import struct
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

_TIMEOUT_S: Final = 10.0  # a board that says nothing for so long is gone
_PATIENCE_S: Final = 10.0  # to reach a prompt
_ANSWER_S: Final = 2.0  # to one request for it
_INTERRUPTS: Final = 30
_INTERRUPT_S: Final = 0.05


class LinkError(Exception):
    """The board, or the way to it, did not do what it was asked; one line for people."""


class Link:
    """A board's raw REPL at a port; stops the program that runs. Not before `open` (or `with`)."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._transport: Any = None
        self._socket: socket.socket | None = None  # where the port is one over a network

    def open(self, *, fresh: bool = True, patience_s: float = _PATIENCE_S) -> None:
        """Open the port and interrupt what runs; `fresh`: with an empty memory (a soft reset).

        Raises:
            LinkError: the port cannot be opened, or nobody answers as MicroPython does.
        """
        from mpremote.transport_serial import SerialTransport

        with _for_people(f"{self.device} cannot be opened"):
            self._transport = SerialTransport(self.device, timeout=_TIMEOUT_S)
        serial = self._transport.serial
        serial.write_timeout = _TIMEOUT_S
        connection = getattr(serial, "_socket", None)
        self._socket = connection if isinstance(connection, socket.socket) else None
        if self._socket is not None:
            # Else each small write waits for the acknowledgement of the one before.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end_s = time.monotonic() + patience_s
        while True:
            try:
                with _for_people(f"{self.device}: no MicroPython answers there"):
                    self._transport.enter_raw_repl(soft_reset=fresh, timeout_overall=_ANSWER_S)
            except LinkError:
                # A board that starts, or crashes at each start, does not hear every Ctrl-C.
                if time.monotonic() > end_s:
                    self.close()
                    raise
                self._interrupt()
            else:
                return

    def _interrupt(self) -> None:
        """Say Ctrl-C for longer than a board takes to start, until one is heard."""
        with contextlib.suppress(LinkError), _for_people(self.device):
            for _ in range(_INTERRUPTS):
                self._transport.serial.write(b"\x03")
                time.sleep(_INTERRUPT_S)

    def run(self, code: str) -> str:
        """Run code on the board; return what it printed.

        Raises:
            LinkError: it raised there (the text ends with that), or does not answer any more.
        """
        with _for_people(f"{self.device}"):
            printed: bytes = self._transport.exec(code)
        return printed.decode(errors="replace")

    def values(self, code: str) -> list[Any]:
        """Run code that prints one `repr` a line; return the values.

        Raises:
            LinkError: as `run`, or what came is no such line.
        """
        lines = [line for line in self.run(code).splitlines() if line.strip()]
        try:
            return [ast.literal_eval(line) for line in lines]
        except (ValueError, SyntaxError) as error:
            raise LinkError(f"{self.device}: the board's answer cannot be read") from error

    def start(self, code: str) -> None:
        """Run code that gives no answer.

        Raises:
            LinkError: it could not be sent.
        """
        with _for_people(self.device):
            self._transport.exec_raw_no_follow(code)

    def let_go(self) -> bool:
        """Let the board start its program (a soft reset); return whether it said that it does."""
        with contextlib.suppress(LinkError), _for_people(self.device):
            self._transport.exit_raw_repl()
            self._transport.serial.write(b"\x04")
            said: bytes = self._transport.read_until(1, b"soft reboot\r\n", timeout=_ANSWER_S)
            return said.endswith(b"soft reboot\r\n")
        return False

    def close(self) -> None:
        """Close the port."""
        if self._transport is not None:
            with contextlib.suppress(LinkError), _for_people(self.device):
                self._transport.close()
            self._transport = None
        if self._socket is not None:
            self._socket.close()  # pyserial forgets to where the other side went first

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@contextlib.contextmanager
def _for_people(what: str) -> Iterator[None]:
    """Turn whatever mpremote and pyserial raise into a LinkError; swallow what mpremote prints."""
    from mpremote.transport import TransportError, TransportExecError

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except TransportExecError as error:
        lines = error.error_output.strip().splitlines()
        raise LinkError(f"{what}: on the board: {lines[-1] if lines else 'an error'}") from error
    except (TransportError, OSError, ValueError, struct.error) as error:
        raise LinkError(f"{what}: {error}") from error

"""The RS-485 line between a board and its meter.

The meter is a TCP server that others wrote, on a port that only this line knows. Bytes go both ways
as they come. What a board says while no meter listens is lost, as on a pair of wires; the next
question finds the meter if it is there again.
"""

import asyncio
import contextlib
from collections.abc import Callable

from simulators.lines import BACKLOG, CHUNK, LOOPBACK, UART
from simulators.sensors.meters import Meter

_CONNECT_S = 1.0  # a server on this machine accepts at once, or it hangs
_ANSWER_S = 1.0  # DL/T 645 gives a meter 0.5 s to begin its answer


class MeterLine(UART):
    """A board's UART with a meter at its other end; while a replay has it the meter is cut off.

    Args:
        meter: who answers; it may start, stop and start again at any time.
    """

    def __init__(self, meter: Meter) -> None:
        super().__init__(meter.baud, meter.bits)
        self._meter = meter
        self._far_end: _FarEnd | None = None

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Pass on the board's questions; each board has a connection to the meter of its own."""
        self._far_end = far_end = _FarEnd(self._answer)
        try:
            while question := await reader.read(CHUNK):
                if not self.taken:
                    await far_end.ask(question, self._meter.port)
        finally:
            far_end.hang_up()

    def take(self) -> None:
        """Cut the meter off; an answer that is under way is lost."""
        super().take()
        if self._far_end is not None:
            self._far_end.hang_up()

    def _answer(self, data: bytes) -> None:
        if not self.taken:
            self._send(data)


class _FarEnd(asyncio.Protocol):
    """A connection to the meter, made whenever there is something to ask and none is open.

    One that has been silent for too long is given up: its server may be gone without a word.
    """

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        self._answer = answer
        self._transport: asyncio.Transport | None = None
        self._asked_s: float | None = None  # since when a question waits for its answer

    async def ask(self, question: bytes, port: int) -> None:
        """Send to the meter on `port`; if there is none, the question is lost."""
        loop = asyncio.get_running_loop()
        if self._asked_s is not None and loop.time() - self._asked_s > _ANSWER_S:
            self.hang_up()
        if self._transport is None or self._transport.is_closing():
            self.hang_up()
            with contextlib.suppress(OSError):
                async with asyncio.timeout(_CONNECT_S):
                    self._transport, _ = await loop.create_connection(lambda: self, LOOPBACK, port)
        if self._transport is None or self._transport.get_write_buffer_size() > BACKLOG:
            return
        self._transport.write(question)
        if self._asked_s is None:
            self._asked_s = loop.time()

    def hang_up(self) -> None:
        """End the connection if there is one, and wait for nothing more."""
        if self._transport is not None:
            self._transport.abort()
        self._transport = self._asked_s = None

    def data_received(self, data: bytes) -> None:
        """Pass on an answer."""
        self._asked_s = None
        self._answer(data)

"""The board's end of every cable: TCP ports on loopback.

A cable keeps nothing: bytes sent while nobody is connected are lost, and so are bytes that a board
does not take for so long that the backlog is full. Whoever connects last has the cable.
"""

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable

LOOPBACK = "127.0.0.1"

BACKLOG = 16_384  # bytes; seventeen seconds of GNSS, four of AIS
CHUNK = 4096


class Port(ABC):
    """A listening port on loopback; its connections end with it."""

    def __init__(self) -> None:
        self.address = ""
        self._server: asyncio.Server | None = None
        self._ends: dict[asyncio.StreamWriter, asyncio.Task[object] | None] = {}

    async def open(self, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            OSError: the port is taken.
        """
        self._server = await asyncio.start_server(self._accept, LOOPBACK, port)
        self.address = "{}:{}".format(*self._server.sockets[0].getsockname())

    async def close(self) -> None:
        """Stop listening and hang up."""
        if self._server is None:
            return
        self._server.close()
        serving = [task for task in self._ends.values() if task]
        for writer in self._ends:
            writer.transport.abort()
        await asyncio.gather(*serving)
        await self._server.wait_closed()

    @abstractmethod
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends; an OSError ends it, too."""

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends[writer] = asyncio.current_task()
        try:
            with contextlib.suppress(OSError):
                await self.serve(reader, writer)
        finally:
            del self._ends[writer]
            writer.close()


class Cable(Port):
    """A port with at most one end plugged in."""

    def __init__(self) -> None:
        super().__init__()
        self._writer: asyncio.StreamWriter | None = None

    def plugged_in(self) -> None:
        """React to a new end."""

    def unplugged(self) -> None:
        """React to an end that is gone."""

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Hear what a board says until its end is pulled; most of what is simulated is deaf."""
        while await reader.read(CHUNK):
            pass

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take the cable from whoever had it, until this end is pulled."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._writer = writer
        self.plugged_in()
        try:
            await self.listen(reader)
        finally:
            if self._writer is writer:
                self._writer = None
                self.unplugged()

    def _send(self, data: bytes) -> bool:
        """Send if there is an end that keeps up; tell whether it was sent."""
        writer = self._writer
        if writer is None or writer.transport.get_write_buffer_size() > BACKLOG:
            return False
        writer.write(data)
        return True


class UART(Cable):
    """A board's UART. A replay may take it: then the board hears the log and nothing else.

    Args:
        baud: the line's rate, for those who replay.
        bits: how many of them a byte takes: start, data, parity and stop.

    Attributes:
        taken: whether a replay has it.
    """

    def __init__(self, baud: int, bits: int = 10) -> None:
        super().__init__()
        self.baud = baud
        self.bits = bits
        self.taken = False

    def take(self) -> None:
        """Let a replay have it."""
        self.taken = True

    def release(self) -> None:
        """Give it back to the simulation."""
        self.taken = False

    def replay(self, data: bytes) -> None:
        """Send bytes of a log."""
        self._send(data)


class TalkerLine(UART):
    """The line of a sensor that talks by itself, as NMEA 0183 calls it.

    Args:
        baud: the line's rate.
        powered_up: called when a board is plugged in: board and sensor start together.

    Attributes:
        tap: called with the simulation's sentences as well, whoever has the line.
    """

    def __init__(self, baud: int, powered_up: Callable[[], None] | None = None) -> None:
        super().__init__(baud)
        self._powered_up = powered_up
        self.tap: Callable[[list[str]], None] | None = None

    def plugged_in(self) -> None:
        """Start the sensor."""
        if self._powered_up is not None:
            self._powered_up()

    def send(self, sentences: list[str]) -> None:
        """Send sentences of the simulation; while a replay has the line they are lost."""
        if self.tap is not None:
            self.tap(sentences)
        if not self.taken:
            self._send("".join(f"{sentence}\r\n" for sentence in sentences).encode("ascii"))


class Inputs(Cable):
    """The pins of a board: millivolts at analogue pins, levels at digital ones, and its outputs.

    Beside them its accelerometer: it is there once `feel` has said what it feels.

    What the other end has not been told yet is sent as lines of JSON, all of it after connecting. It
    tells what it drives; a board that is gone drives nothing.

    Args:
        driven: called with pin and level, None: let go of, when that changes.
    """

    def __init__(self, driven: Callable[[int, int | None], None] | None = None) -> None:
        super().__init__()
        self._driven = driven
        self._outputs: dict[int, int] = {}
        self._state: dict[str, dict[str, float]] = {"adc": {}, "pin": {}}
        self._told: dict[str, dict[str, float]] = {"adc": {}, "pin": {}}
        self._felt: tuple[int, int, int] | None = None
        self._felt_told: tuple[int, int, int] | None = None

    def plugged_in(self) -> None:
        """Tell everything anew."""
        self.unplugged()
        self._told = {"adc": {}, "pin": {}}
        self._felt_told = None
        self.tell()

    def unplugged(self) -> None:
        """Know that nobody drives anything."""
        for pin in list(self._outputs):
            self._drive(pin, None)

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Hear what the board does with its pins."""
        # Whoever talks otherwise is no board.
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            while line := await reader.readline():
                for pin, level in json.loads(line).get("out", {}).items():
                    self._drive(int(pin), level)

    def _drive(self, pin: int, level: int | None) -> None:
        if level is None:
            self._outputs.pop(pin, None)
        else:
            self._outputs[pin] = level
        if self._driven is not None:
            self._driven(pin, level)

    def put(self, kind: str, pin: str, value: float) -> None:
        """Put a value on a pin; `kind` is adc or pin."""
        self._state[kind][pin] = value

    def feel(self, mg: tuple[int, int, int]) -> None:
        """Have the accelerometer feel this, x, y, z in mg, gravity included."""
        self._felt = mg

    def strike(self, mg: tuple[int, int, int], ms: float) -> None:
        """Strike now: half a sine of `ms` milliseconds, up to 10,000, with x, y, z at its height.

        A blow is shorter than the time between two `tell`; a board that is not there misses it.
        """
        self._send(json.dumps({"blow": {"mg": mg, "ms": ms}}).encode() + b"\n")

    def tell(self) -> None:
        """Send what has changed."""
        motion = json.dumps({"motion": self._felt}).encode() + b"\n"
        if self._felt != self._felt_told and self._send(motion):
            self._felt_told = self._felt
        news = {
            kind: {pin: value for pin, value in pins.items() if self._told[kind].get(pin) != value}
            for kind, pins in self._state.items()
        }
        news = {kind: pins for kind, pins in news.items() if pins}
        if news and self._send(json.dumps(news).encode() + b"\n"):
            for kind, pins in news.items():
                self._told[kind].update(pins)

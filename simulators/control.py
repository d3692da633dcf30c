"""The estuary's control port: a recorded log takes the place of a simulated sensor or meter.

    {"take": {"device": "buoy-1", "uart": "gnss"}}      one line of JSON from the client
    {"baud": 9600, "bits": 10}                          the answer, or {"error": …, "action": …}

The answer tells the line's rate and how many bits a byte takes. After it, every byte of the
connection goes to the board. When the connection ends, the line is the simulation's again.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping

from simulators.devices import Surroundings
from simulators.lines import CHUNK, UART, Port

_REQUEST_S = 10.0  # in which a client must say what it wants
_USAGE = 'send one line: {"take": {"device": "buoy-1", "uart": "gnss"}}'


class _RefusedError(Exception):
    """A request that cannot be met."""

    def __init__(self, cause: str, action: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.action = action


class Control(Port):
    """The control port.

    Args:
        devices: whose lines can be taken, by id.
    """

    def __init__(self, devices: Mapping[str, Surroundings]) -> None:
        super().__init__()
        self._devices = devices

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        # One that says nothing or far too much has no use for an answer.
        with contextlib.suppress(TimeoutError, ValueError):
            await self._replay(reader, writer)

    async def _replay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), _REQUEST_S)
            uart = self._requested(line)
        except _RefusedError as error:
            writer.write(
                json.dumps({"error": error.cause, "action": error.action}).encode() + b"\n"
            )
            return
        uart.take()
        try:
            writer.write(json.dumps({"baud": uart.baud, "bits": uart.bits}).encode() + b"\n")
            while data := await reader.read(CHUNK):
                uart.replay(data)
        finally:
            uart.release()

    def _requested(self, line: bytes) -> UART:
        try:
            wanted = json.loads(line)["take"]
            device, name = str(wanted["device"]), str(wanted["uart"])
        except (ValueError, KeyError, TypeError) as error:
            raise _RefusedError("the request is not understood", _USAGE) from error
        if device not in self._devices:
            raise _RefusedError(
                f"there is no device {device!r}", "devices here: " + ", ".join(self._devices)
            )
        uarts = self._devices[device].uarts
        if name not in uarts:
            raise _RefusedError(
                f"{device} has no line {name!r}", f"lines of {device}: " + ", ".join(uarts)
            )
        if uarts[name].taken:
            raise _RefusedError(
                f"{name} of {device} is being replayed already", "stop the other replay first"
            )
        return uarts[name]

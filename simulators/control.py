"""The estuary's control port: recorded logs in place of sensors, and things that happen now.

    {"take": {"device": "buoy-1", "uart": "gnss"}}      one line of JSON from the client
    {"baud": 9600, "bits": 10}                          the answer, or {"error": …, "action": …}

The answer tells the line's rate and how many bits a byte takes. After it, every byte of the
connection goes to the board. When the connection ends, the line is the simulation's again.

    {"happen": {"what": "lamp-fails", "asset": "c4", "for_s": 120}}
    {"happens": "lamp-fails"}                           the answer, or {"error": …, "action": …}

What can happen is `simulators.scenarios.KINDS`; several may follow each other on one connection.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping

from simulators.devices import Surroundings
from simulators.lines import CHUNK, UART, Port
from simulators.scenarios import KINDS, Scenario, requested
from toolkit.settings import SettingsError

_REQUEST_S = 10.0  # in which a client must say what it wants
_USAGE = (
    'send one line: {"take": {"device": "buoy-1", "uart": "gnss"}} or '
    '{"happen": {"what": "lamp-fails", "asset": "c4", "for_s": 120}}'
)


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
        happen: lets something happen now; returns why it cannot, "" if it has begun.
    """

    def __init__(
        self, devices: Mapping[str, Surroundings], happen: Callable[[Scenario], str]
    ) -> None:
        super().__init__()
        self._devices = devices
        self._happen = happen

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        # One that says nothing or far too much has no use for an answer.
        with contextlib.suppress(TimeoutError, ValueError):
            await self._replay(reader, writer)

    async def _replay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                line = await asyncio.wait_for(reader.readline(), _REQUEST_S)
                if not line:
                    return
                what = self._ordered(line)
                if what is None:
                    break
                writer.write(json.dumps({"happens": what}).encode() + b"\n")
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

    def _ordered(self, line: bytes) -> str | None:
        """Let happen what a line orders; return what it was, None if it is no such order."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            wanted = json.loads(line)["happen"]
            try:
                one = requested(wanted)
            except SettingsError as error:
                kinds = "what can happen: " + ", ".join(KINDS)
                raise _RefusedError("; ".join(error.problems), kinds) from error
            if why := self._happen(one):
                raise _RefusedError(why, "see the registry and docs/simulators.md")
            return one.what
        return None

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

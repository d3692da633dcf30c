"""Simulated electricity meters, served by packages that are not ours.

    meter = SDM630Meter(unit=1)
    await meter.start()
    meter.set({"u_a_v": 230.2, "import_kwh": 1234.56})
    … connect a board's RS-485 line to ("127.0.0.1", meter.port) …
    await meter.stop()

The bytes come from the `dlt645` package's slave and from a pymodbus server, so our own encoder
never talks to our own decoder. Both serve the line's bare bytes over TCP, in the running loop.

What `dlt645` does differently from a meter on a quay: it answers a request to another address with
a refusal (a meter stays silent), sends four FEh before every answer, has no follow-up reads and no
relay control (that is ours, behind its framing), holds the power factor below 1 and energy below 800,000 kWh, and takes about a
second to set up its tables (`start` does it in a thread). It logs nothing unless told to.
"""

import asyncio
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from dlt645.aio import AsyncMeterServerService
from dlt645.protocol.protocol import DLT645Protocol
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

LOOPBACK = "127.0.0.1"

# Seconds after which `dlt645` drops half a frame, and notices that it was stopped. The standard
# allows 500 ms between two characters.
_DLT645_TIMEOUT = 0.5
_DLT645_PF_MAX = 0.999

# Data identifiers of DL/T 645-2007 annex A. A relay's state is in bits of status word 3.
_DATA_IDENTIFIERS = {
    "u_a_v": 0x02010100,
    "u_b_v": 0x02010200,
    "u_c_v": 0x02010300,
    "i_a_a": 0x02020100,
    "i_b_a": 0x02020200,
    "i_c_a": 0x02020300,
    "p_kw": 0x02030000,
    "pf": 0x02060000,
    "f_hz": 0x02800002,
    "import_kwh": 0x00010000,
    "export_kwh": 0x00020000,
}
_STATUS_WORD_3 = 0x04000503
_RELAY_CLOSED = "0000"
_RELAY_OPEN = "0010"  # bit 4

# Orders to the relay: function 1Ch, its answer and its refusal; who gives one names a password.
_ORDER = 0x1C
_OBEYED = 0x9C
_REFUSED = 0xDC
_NOT_AUTHORISED = b"\x04"
_OTHER_ERROR = b"\x01"
_ORDER_BYTES = 16
PASSWORD = "02000000"  # noqa: S105  (of a simulated meter: level 2, as delivered)
TRIP = 0x1A
PERMIT = 0x1B

# Input registers of the SDM630, each a float32 in two of them; power in watts.
_REGISTERS = {
    "u_a_v": 0x0000,
    "u_b_v": 0x0002,
    "u_c_v": 0x0004,
    "i_a_a": 0x0006,
    "i_b_a": 0x0008,
    "i_c_a": 0x000A,
    "p_kw": 0x0034,
    "pf": 0x003E,
    "f_hz": 0x0046,
    "import_kwh": 0x0048,
    "export_kwh": 0x004A,
}
_READ_INPUT_REGISTERS = 4
_REGISTERS_END = 0x0158  # behind total active energy

QUANTITIES = (*_DATA_IDENTIFIERS, "relay_closed")


class Meter(ABC):
    """A meter that shows what it is told.

    Quantities, all optional: phase voltages `u_a_v` `u_b_v` `u_c_v`, phase currents `i_a_a`
    `i_b_a` `i_c_a`, total active power `p_kw` (positive: import), total power factor `pf`,
    frequency `f_hz`, energy registers `import_kwh` and `export_kwh`, `relay_closed` (1 or 0).

    Attributes:
        port: Where it listens, once it has started.
        baud: The rate of its RS-485 line as it leaves the factory.
        bits: How many of them a byte takes there: start, data, parity and stop.
    """

    port: int
    baud: int
    bits: int

    def set(self, quantities: dict[str, float]) -> None:
        """Show these values from now on; the others stay as they are.

        Raises:
            ValueError: a name is not a quantity's, or the meter cannot show the value.
        """
        for name, value in quantities.items():
            if name not in QUANTITIES:
                raise ValueError(f"{name!r} is none of {', '.join(QUANTITIES)}")
            self._show(name, value)

    @abstractmethod
    async def start(self) -> None:
        """Serve; on the same port again after `stop`.

        Raises:
            OSError: the port is taken.
        """

    @abstractmethod
    async def stop(self) -> None:
        """Close the port and its connections."""

    @abstractmethod
    def _show(self, name: str, value: float) -> None: ...


class DLT645Meter(Meter):
    """A DL/T 645-2007 meter by the `dlt645` package.

    Args:
        address: Its twelve digits.
        host: Where it listens.
        port: 0 takes a free one; read `port` after `start`.
        obey: Is given each order to the relay that has the right password, TRIP, PERMIT or another;
            returns whether it is obeyed. Without it the meter has no relay to order about.
    """

    baud = 2400
    bits = 11  # even parity

    def __init__(
        self,
        address: str,
        host: str = LOOPBACK,
        port: int = 0,
        obey: Callable[[int], bool] | None = None,
    ) -> None:
        self.port = port
        self._obey = obey
        self._host = host
        self._address = bytes.fromhex(address)[::-1]  # as it travels
        self._service: Any = None
        self._shown: dict[str, float] = {"relay_closed": 1}  # before the service exists

    async def start(self) -> None:
        """Serve; on the same port again after `stop`."""
        if self._service is None:
            make = AsyncMeterServerService.new_tcp_server
            self._service = await asyncio.to_thread(make, self._host, self.port, _DLT645_TIMEOUT)
            self._service.set_address(self._address)
            others = self._service.handle_request
            self._service.handle_request = lambda frame: (
                self._ordered(frame) if frame.ctrl_code == _ORDER else others(frame)
            )
            self.set(self._shown)
        if not await self._service.start():
            raise OSError(f"DL/T 645 meter: cannot listen on {self._host}:{self.port}")
        self.port = self._service.server.port

    async def stop(self) -> None:
        """Close the port and its connections."""
        if self._service is not None:
            await self._service.stop()

    def _ordered(self, frame: Any) -> object:
        """Answer an order to the relay."""
        if bytes(frame.addr) != self._address:
            return None
        data = bytes(frame.data)
        if self._obey is None or len(data) != _ORDER_BYTES:
            error = _OTHER_ERROR
        elif data[:4] != bytes.fromhex(PASSWORD):
            error = _NOT_AUTHORISED
        elif self._obey(data[8]):
            return DLT645Protocol.build_frame(frame.addr, _OBEYED, b"")
        else:
            error = _OTHER_ERROR
        return DLT645Protocol.build_frame(frame.addr, _REFUSED, error)

    def _show(self, name: str, value: float) -> None:
        service = self._service
        if service is None:
            self._shown[name] = value
            return
        if name == "relay_closed":
            shown = service.set_04(_STATUS_WORD_3, _RELAY_CLOSED if value else _RELAY_OPEN)
        elif name.endswith("_kwh"):
            shown = service.set_00(_DATA_IDENTIFIERS[name], value)
        else:
            if name == "pf":
                value = max(-_DLT645_PF_MAX, min(_DLT645_PF_MAX, value))
            shown = service.set_02(_DATA_IDENTIFIERS[name], value)
        if not shown:
            raise ValueError(f"{name}: a DL/T 645 meter cannot show {value}")


class SDM630Meter(Meter):
    """An SDM630's input registers by a pymodbus server, RTU frames over TCP; it has no relay.

    Args:
        unit: Its Modbus address; it stays silent to others.
        host: Where it listens.
        port: 0 takes a free one; read `port` after `start`.
    """

    baud = 9600
    bits = 10

    def __init__(self, unit: int, host: str = LOOPBACK, port: int = 0) -> None:
        self.port = port
        self._host = host
        self._unit = unit
        self._server: ModbusTcpServer | None = None
        self._registers = [0] * _REGISTERS_END

    async def start(self) -> None:
        """Serve; on the same port again after `stop`."""
        registers = SimData(0, count=_REGISTERS_END, datatype=DataType.REGISTERS)
        meter = SimDevice(self._unit, simdata=registers, action=self._refresh)
        # pymodbus 3.16 answers requests to units it lacks with a failure; 0 stands for them all.
        others = SimDevice(0, simdata=registers, action=_stay_silent)
        server = ModbusTcpServer(
            [meter, others],
            framer=FramerType.RTU,
            address=(self._host, self.port),
            ignore_missing_devices=True,
        )
        try:
            await server.serve_forever(background=True)
        except RuntimeError as error:
            raise OSError(f"SDM630: cannot listen on {self._host}:{self.port}") from error
        self._server = server
        listener = server.transport
        if isinstance(listener, asyncio.Server):
            self.port = listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and its connections."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus's lack
            self._server = None

    def _show(self, name: str, value: float) -> None:
        if name == "relay_closed":
            return
        if name == "p_kw":
            value *= 1000
        first = _REGISTERS[name]
        self._registers[first : first + 2] = struct.unpack(">2H", struct.pack(">f", value))

    async def _refresh(
        self,
        function: int,
        _start: int,
        _address: int,
        _count: int,
        registers: list[int],
        _values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Bring pymodbus's copy of the registers up to date before it answers a request."""
        if function != _READ_INPUT_REGISTERS:
            return ExcCodes.ILLEGAL_FUNCTION
        registers[:] = self._registers
        return None


async def _stay_silent(*_request: object) -> ExcCodes | None:
    raise NoSuchIdException

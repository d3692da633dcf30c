"""Simulated Modbus meters: the registers of four makes, served by pymodbus.

The bytes are pymodbus's, so our own encoder never talks to our own decoder. The registers are written
down here from the reference, apart from the device's maps.
"""

import asyncio
import struct
from typing import NamedTuple

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from simulators.sensors.meter import LOOPBACK, Meter


class Make(NamedTuple):
    """A make's registers: function, and rows of `name register struct-format units-per-1`."""

    function: int
    end: int  # behind the last register
    rows: str


# Power in kW, energy in kWh, so that an SDM630's watts are 1000 to the unit.
MAKES = {
    "sdm630": Make(
        4,
        0x0158,
        """
        u_a_v 0000 f 1      u_b_v 0002 f 1      u_c_v 0004 f 1
        i_a_a 0006 f 1      i_b_a 0008 f 1      i_c_a 000A f 1
        p_a_kw 000C f 1000  p_b_kw 000E f 1000  p_c_kw 0010 f 1000
        p_kw 0034 f 1000    s_kva 0038 f 1000   q_kvar 003C f 1000
        pf 003E f 1         f_hz 0046 f 1
        import_kwh 0048 f 1 export_kwh 004A f 1
        thd_u_a_pc 00EA f 1 thd_u_b_pc 00EC f 1 thd_u_c_pc 00EE f 1
        """,
    ),
    "dtsd1352": Make(
        3,
        0x0200,
        """
        u_a_v 0061 H 10     u_b_v 0062 H 10     u_c_v 0063 H 10
        i_a_a 0064 H 100    i_b_a 0065 H 100    i_c_a 0066 H 100
        f_hz 0077 H 100
        p_a_kw 0164 i 1000  p_b_kw 0166 i 1000  p_c_kw 0168 i 1000
        p_kw 016A i 1000    q_kvar 0172 i 1000  s_kva 017A i 1000   pf 017F h 1000
        import_kwh 000A i 100                   export_kwh 0014 i 100
        """,
    ),
    "adw300": Make(
        3,
        0x0060,
        """
        u_a_v 0014 H 10     u_b_v 0015 H 10     u_c_v 0016 H 10
        i_a_a 001A H 100    i_b_a 001B H 100    i_c_a 001C H 100
        p_a_kw 001E i 1000  p_b_kw 0020 i 1000  p_c_kw 0022 i 1000  p_kw 0024 i 1000
        import_kwh 003E i 100                   export_kwh 0040 i 100
        """,
    ),
    "dtsu666": Make(
        3,
        0x2060,
        """
        u_a_v 2006 f 10     u_b_v 2008 f 10     u_c_v 200A f 10
        i_a_a 200C f 1000   i_b_a 200E f 1000   i_c_a 2010 f 1000
        p_kw 2012 f 10000   p_a_kw 2014 f 10000 p_b_kw 2016 f 10000 p_c_kw 2018 f 10000
        q_kvar 201A f 10000 pf 202A f 1000      f_hz 2044 f 100
        import_kwh 101E f 1 export_kwh 1028 f 1
        """,
    ),
}


class ModbusMeter(Meter):
    """A meter of one of `MAKES` by a pymodbus server, RTU frames over TCP; it has no relay.

    Args:
        unit: Its Modbus address; it stays silent to others.
        make: A key of `MAKES`.
        host: Where it listens.
        port: 0 takes a free one; read `port` after `start`.
    """

    baud = 9600
    bits = 10

    def __init__(
        self, unit: int, make: str = "sdm630", host: str = LOOPBACK, port: int = 0
    ) -> None:
        super().__init__()
        self.port = port
        self._host = host
        self._unit = unit
        self._make = MAKES[make]
        words = self._make.rows.split()
        self._rows = [words[i : i + 4] for i in range(0, len(words), 4)]
        self._server: ModbusTcpServer | None = None
        self._registers = [0] * self._make.end

    async def start(self) -> None:
        """Serve; on the same port again after `stop`."""
        registers = SimData(0, count=self._make.end, datatype=DataType.REGISTERS)
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
            raise OSError(f"Modbus meter: cannot listen on {self._host}:{self.port}") from error
        self._server = server
        listener = server.transport
        if isinstance(listener, asyncio.Server):
            self.port = listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and its connections."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus's lack
            self._server = None

    def _show(self, quantities: dict[str, float]) -> None:
        registers = list(self._registers)
        for name, register, kind, units in self._rows:
            value = quantities[name] * int(units)
            try:
                packed = struct.pack(f">{kind}", value if kind == "f" else round(value))
            except (struct.error, OverflowError) as error:
                raise ValueError(f"{name}: this meter cannot show {quantities[name]}") from error
            first = int(register, 16)
            registers[first : first + len(packed) // 2] = struct.unpack(
                f">{len(packed) // 2}H", packed
            )
        self._registers = registers

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
        if function != self._make.function:
            return ExcCodes.ILLEGAL_FUNCTION
        registers[:] = self._registers
        return None


class SDM630Meter(ModbusMeter):
    """An Eastron SDM630."""


async def _stay_silent(*_request: object) -> ExcCodes | None:
    raise NoSuchIdException

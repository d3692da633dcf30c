"""A DL/T 645 meter by the `dlt645` package: a peer that neither our master nor our meter was made with.

What it does differently from a meter on a quay: it answers a request to another address with a
refusal (a meter stays silent), sends four FEh before every answer, refuses blocks, has no follow-up
reads and no relay control (that is ours, behind its framing), holds the power factor below 1 and energy
below 800,000 kWh, and takes about a second to set up its tables (`start` does it in a thread).
"""

import asyncio

from dlt645.aio import AsyncMeterServerService
from dlt645.protocol.protocol import DLT645Protocol

from simulators.sensors.meter import LOOPBACK, Meter
from simulators.sensors.meters import PASSWORD

TIMEOUT_S = 0.5  # half a frame is dropped after it, and a stop is noticed
PF_MAX = 0.999
IDENTIFIERS = {
    "u_a_v": 0x02010100,
    "u_b_v": 0x02010200,
    "u_c_v": 0x02010300,
    "i_a_a": 0x02020100,
    "i_b_a": 0x02020200,
    "i_c_a": 0x02020300,
    "p_kw": 0x02030000,
    "p_a_kw": 0x02030100,
    "p_b_kw": 0x02030200,
    "p_c_kw": 0x02030300,
    "q_kvar": 0x02040000,
    "s_kva": 0x02050000,
    "pf": 0x02060000,
    "f_hz": 0x02800002,
    "thd_u_a_pc": 0x02080100,
    "thd_u_b_pc": 0x02080200,
    "thd_u_c_pc": 0x02080300,
    "import_kwh": 0x00010000,
    "import_t1_kwh": 0x00010100,
    "import_t2_kwh": 0x00010200,
    "import_t3_kwh": 0x00010300,
    "import_t4_kwh": 0x00010400,
    "export_kwh": 0x00020000,
}
STATUS_WORD_3 = 0x04000503
ORDER, OBEYED, REFUSED = 0x1C, 0x9C, 0xDC
NOT_AUTHORISED, OTHER_ERROR = b"\x04", b"\x01"


class PackageMeter(Meter):
    """Serves the bytes of a line over TCP; `obey` is given the orders to the relay."""

    baud = 2400
    bits = 11

    def __init__(self, address, port=0, obey=None):
        super().__init__()
        self.port = port
        self.obey = obey
        self._address = bytes.fromhex(address)[::-1]  # as it travels
        self._service = None

    async def start(self):
        if self._service is None:
            make = AsyncMeterServerService.new_tcp_server
            self._service = await asyncio.to_thread(make, LOOPBACK, self.port, TIMEOUT_S)
            self._service.set_address(self._address)
            others = self._service.handle_request
            self._service.handle_request = lambda frame: (
                self._ordered(frame) if frame.ctrl_code == ORDER else others(frame)
            )
            self.set({})
        if not await self._service.start():
            raise OSError(f"DL/T 645 meter: cannot listen on {LOOPBACK}:{self.port}")
        self.port = self._service.server.port

    async def stop(self):
        if self._service is not None:
            await self._service.stop()

    def _ordered(self, frame):
        if bytes(frame.addr) != self._address:
            return None
        data = bytes(frame.data)
        if self.obey is None or len(data) != 16:
            error = OTHER_ERROR
        elif data[:4] != bytes.fromhex(PASSWORD):
            error = NOT_AUTHORISED
        elif self.obey(data[8]):
            return DLT645Protocol.build_frame(frame.addr, OBEYED, b"")
        else:
            error = OTHER_ERROR
        return DLT645Protocol.build_frame(frame.addr, REFUSED, error)

    def _show(self, quantities):
        service = self._service
        if service is None:
            return
        # A status word must consist of decimal digits.
        status = "0000" if quantities["relay_closed"] else "0010"
        if not service.set_04(STATUS_WORD_3, status):
            raise ValueError("relay_closed")
        for name, identifier in IDENTIFIERS.items():
            value = quantities[name]
            if name == "pf":
                value = max(-PF_MAX, min(PF_MAX, value))
            put = service.set_00 if name.endswith("_kwh") else service.set_02
            if not put(identifier, value):
                raise ValueError(f"{name}: a DL/T 645 meter cannot show {value}")

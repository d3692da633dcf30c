"""A simulated DL/T 645-2007 meter of ours, for what the `dlt645` package's slave cannot do.

    meter = DLT645Meter("202410010001")
    await meter.start()
    meter.set({"u_a_v": 230.2, "import_kwh": 1234.56})

It answers reads of single data and of blocks, in several frames where one would be longer than
`item_max`, gives its address, takes the time by broadcast, and obeys orders to its relay that carry the
password and have not expired. It is silent for other addresses and for anything that is no frame. Its
frames are made and read here, not by the device's code; a test holds them against the frames of
reference/shore-power.md byte for byte.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntFlag

from simulators.sensors.meter import LOOPBACK, Meter

PASSWORD = "02000000"  # noqa: S105  (of a simulated meter: level 2, as delivered)
TRIP = 0x1A
PERMIT = 0x1B

_READ, _READ_NEXT, _READ_ADDRESS, _SET_TIME, _SWITCH = 0x11, 0x12, 0x13, 0x08, 0x1C
_ANSWER, _REFUSAL, _MORE = 0x80, 0xC0, 0x20
_ANY, _ALL = 0xAA, 0x99
_HEAD, _TAIL = 10, 2  # bytes before and behind DATA
_ORDER_BYTES = 16
_ITEM_MAX = 196  # bytes of a value in one answer: 200 with the data identifier
_LINE_MAX = 4096  # bytes without a frame in them, after which the line begins anew
_CHINA = timedelta(hours=8)

# Data identifier: (quantity, bytes, units per 1, signed). Annex A of the standard.
_DATA = {
    0x00010000: ("import_kwh", 4, 100, False),
    0x00010100: ("import_t1_kwh", 4, 100, False),
    0x00010200: ("import_t2_kwh", 4, 100, False),
    0x00010300: ("import_t3_kwh", 4, 100, False),
    0x00010400: ("import_t4_kwh", 4, 100, False),
    0x00020000: ("export_kwh", 4, 100, False),
    0x02010100: ("u_a_v", 2, 10, False),
    0x02010200: ("u_b_v", 2, 10, False),
    0x02010300: ("u_c_v", 2, 10, False),
    0x02020100: ("i_a_a", 3, 1000, True),
    0x02020200: ("i_b_a", 3, 1000, True),
    0x02020300: ("i_c_a", 3, 1000, True),
    0x02030000: ("p_kw", 3, 10_000, True),
    0x02030100: ("p_a_kw", 3, 10_000, True),
    0x02030200: ("p_b_kw", 3, 10_000, True),
    0x02030300: ("p_c_kw", 3, 10_000, True),
    0x02040000: ("q_kvar", 3, 10_000, True),
    0x02050000: ("s_kva", 3, 10_000, True),
    0x02060000: ("pf", 2, 1000, True),
    0x02080100: ("thd_u_a_pc", 2, 100, False),
    0x02080200: ("thd_u_b_pc", 2, 100, False),
    0x02080300: ("thd_u_c_pc", 2, 100, False),
    0x02800002: ("f_hz", 2, 100, False),
}
_STATUS_3 = 0x04000503
_RELAY_OPEN = 0x0050  # bit 4 the relay, bit 6 the order to it


class Error(IntFlag):
    """The bits of a refusal."""

    OTHER = 0x01
    NO_DATA = 0x02
    NOT_AUTHORISED = 0x04
    BAUD_FIXED = 0x08
    SEASONS = 0x10
    DAY_PERIODS = 0x20
    TARIFFS = 0x40


class DLT645Meter(Meter):
    """A meter on a TCP port that carries the line's bare bytes.

    Args:
        address: Its twelve digits.
        host: Where it listens.
        port: 0 takes a free one; read `port` after `start`.
        obey: Is given each order to the relay that has the right password and has not expired, TRIP,
            PERMIT or another; returns whether it is obeyed. Without it the meter has no relay.
        clock: What the meter's clock shows before somebody sets it.

    Attributes:
        blocks: Whether it answers reads of blocks.
        item_max: Bytes of a value in one answer, 1 to 196.
        wakeups: FEh bytes before an answer.
        times: What it was set to by broadcast.
    """

    baud = 2400
    bits = 11  # even parity

    def __init__(
        self,
        address: str,
        host: str = LOOPBACK,
        port: int = 0,
        obey: Callable[[int], bool] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC).replace(tzinfo=None) + _CHINA,
    ) -> None:
        super().__init__()
        self.port = port
        self.blocks = True
        self.item_max = _ITEM_MAX
        self.wakeups = 4
        self.times: list[datetime] = []
        self._obey = obey
        self._clock = clock
        self._ahead = timedelta()
        self._host = host
        self._address = bytes.fromhex(address)[::-1]  # as it travels
        self._values: dict[int, bytes] = {}
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.StreamWriter] = set()
        self._following: tuple[bytes, bytes] = (b"", b"")  # identifier and value read in frames
        self.set({})

    async def start(self) -> None:
        """Serve; on the same port again after `stop`."""
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self.port)
        except OSError as error:
            where = f"{self._host}:{self.port}"
            raise OSError(f"DL/T 645 meter: cannot listen on {where}") from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and its connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
            for writer in self._lines:
                writer.transport.abort()
            await asyncio.sleep(0)

    @property
    def clock(self) -> datetime:
        """What the meter's clock shows."""
        return self._clock() + self._ahead

    def answers(self, line: bytearray) -> bytes:
        """Take the frames off what came on the line, and return what the meter says to them."""
        said = b""
        while len(line) >= _HEAD + _TAIL:
            size = _HEAD + line[9] + _TAIL
            if line[0] != 0x68 or line[7] != 0x68:
                del line[0]
            elif len(line) < size:
                break
            elif line[size - 1] != 0x16 or sum(line[: size - 2]) & 0xFF != line[size - 2]:
                del line[0]
            else:
                frame = bytes(line[:size])
                del line[:size]
                data = bytes((byte - 0x33) & 0xFF for byte in frame[_HEAD:-_TAIL])
                said += self._answer(frame[1:7], frame[8], data)
        return said

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = bytearray()
        self._lines.add(writer)
        try:
            while data := await reader.read(1024):
                line += data
                writer.write(self.answers(line))
                if len(line) > _LINE_MAX:
                    line.clear()
        except ConnectionError:
            pass
        finally:
            self._lines.discard(writer)
            writer.transport.abort()

    def _answer(self, address: bytes, function: int, data: bytes) -> bytes:
        if function == _SET_TIME and address in (bytes([_ALL] * 6), self._address):
            self._set_time(data)
            return b""
        if any(a not in (_ANY, b) for a, b in zip(address, self._address, strict=True)):
            return b""
        if function == _READ_ADDRESS:
            return self._framed(function | _ANSWER, self._address)
        if function == _READ:
            return self._read(data)
        if function == _READ_NEXT:
            return self._read_next(data)
        if function == _SWITCH and address == self._address:
            return self._switch(data)
        if function & _ANSWER:
            return b""
        return self._refused(function, Error.OTHER)

    def _read(self, data: bytes) -> bytes:
        value = self._value(int.from_bytes(data, "little")) if len(data) == 4 else b""
        if not value:
            return self._refused(_READ, Error.NO_DATA)
        self._following = (data, value)
        return self._part(_READ, 0)

    def _read_next(self, data: bytes) -> bytes:
        identifier, value = self._following
        last = (len(value) - 1) // self.item_max
        if len(data) != 5 or data[:4] != identifier or not 1 <= data[4] <= last:
            return self._refused(_READ_NEXT, Error.NO_DATA)
        return self._part(_READ_NEXT, data[4])

    def _part(self, function: int, number: int) -> bytes:
        identifier, value = self._following
        end = (number + 1) * self.item_max
        data = identifier + value[end - self.item_max : end] + bytes([number] if number else [])
        return self._framed(function | _ANSWER | (_MORE if len(value) > end else 0), data)

    def _value(self, identifier: int) -> bytes:
        if identifier in self._values:
            return self._values[identifier]
        if not self.blocks or identifier & 0xFF00 != 0xFF00:
            return b""
        single = identifier & ~0xFF00
        parts = [self._values.get(single | i << 8, b"") for i in range(5)]
        return b"".join(parts)

    def _switch(self, data: bytes) -> bytes:
        if self._obey is None or len(data) != _ORDER_BYTES:
            return self._refused(_SWITCH, Error.OTHER)
        if data[:4] != bytes.fromhex(PASSWORD):
            return self._refused(_SWITCH, Error.NOT_AUTHORISED)
        until = _moment(data[10:16])
        if until is None or until < self.clock or not self._obey(data[8]):
            return self._refused(_SWITCH, Error.OTHER)
        return self._framed(_SWITCH | _ANSWER, b"")

    def _set_time(self, data: bytes) -> None:
        moment = _moment(data)
        if moment is not None:
            self.times.append(moment)
            self._ahead = moment - self._clock()

    def _refused(self, function: int, error: Error) -> bytes:
        return self._framed(function | _REFUSAL, bytes([error]))

    def _framed(self, control: int, data: bytes) -> bytes:
        body = b"\x68" + self._address + b"\x68" + bytes([control, len(data)])
        body += bytes((byte + 0x33) & 0xFF for byte in data)
        return b"\xfe" * self.wakeups + body + bytes([sum(body) & 0xFF, 0x16])

    def _show(self, quantities: dict[str, float]) -> None:
        values = {}
        for identifier, (name, size, units, signed) in _DATA.items():
            count = round(quantities[name] * units)
            if name.endswith("_kwh"):
                count %= 10**8  # a register begins anew at 1,000,000 kWh
            elif abs(count) >= (8 if signed else 10) * 10 ** (2 * size - 1) or (
                count < 0 and not signed
            ):
                raise ValueError(f"{name}: a DL/T 645 meter cannot show {quantities[name]}")
            value = bytearray(bytes.fromhex(f"{abs(count):0{2 * size}d}")[::-1])
            if count < 0:
                value[-1] |= 0x80
            values[identifier] = bytes(value)
        status = 0 if quantities["relay_closed"] else _RELAY_OPEN
        values[_STATUS_3] = status.to_bytes(2, "little")
        self._values = values


def _moment(data: bytes) -> datetime | None:
    """Read seconds, minutes, hours, day, month and year in BCD; None if there is no such time."""
    try:
        second, minute, hour, day, month, year = (int(data[i : i + 1].hex()) for i in range(6))
        return datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001  (it has no zone)
    except ValueError:
        return None

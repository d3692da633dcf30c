"""The device's meter reader against meters that others wrote, over TCP: `dlt645` and pymodbus."""

import asyncio
import socket

import pytest

from agent.meter.master import ANSWER, ERROR
from agent.meter.reader import MeterReader
from simulators.sensors.meters import (
    LOOPBACK,
    PASSWORD,
    PERMIT,
    TRIP,
    DLT645Meter,
    SDM630Meter,
)

PILE = "202410010001"
UNIT = 7
PERIOD_MS = 10_000
ANSWER_TIMEOUT = 10.0  # seconds a peer may take on a busy machine; the reader's clock stands still

SHOWN = {
    "u_a_v": 230.2,
    "u_b_v": 229.9,
    "u_c_v": 231.1,
    "i_a_a": 12.345,
    "i_b_a": 0.0,
    "i_c_a": -0.25,
    "p_kw": 8.6124,
    "pf": 0.957,
    "f_hz": 49.98,
    "import_kwh": 12345.67,
    "export_kwh": 0.26,
    "relay_closed": 1,
}
VALUES = [2302, 2299, 2311, 12345, 0, -250, 8612, 957, 4998]
NOTHING = [None] * 11


class Line:
    """A board's RS-485 line, bridged to TCP as the virtual board does it; nothing here blocks."""

    def __init__(self, port):
        self.port = port
        self.now_ms = 0
        self.expecting = False
        self._socket = None

    def readinto(self, buf):
        if self._socket is None:
            return 0
        try:
            n = self._socket.recv_into(buf)
        except BlockingIOError:
            return 0
        except OSError:
            n = 0
        if n == 0:
            self.close()
        self.expecting = False
        return n

    def write(self, data):
        if self._socket is None:
            try:
                self._socket = socket.create_connection((LOOPBACK, self.port), timeout=1)
            except OSError:
                return len(data)  # on a real line nobody hears it either
            self._socket.setblocking(False)
        try:
            self._socket.send(data)
        except OSError:
            self.close()
        self.expecting = True
        return len(data)

    def close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def readable(self):
        """Wait until something comes, in real time."""
        if self._socket is None:
            return
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, event.set)
        try:
            await asyncio.wait_for(event.wait(), ANSWER_TIMEOUT)
        finally:
            loop.remove_reader(self._socket)


async def run(reader, line, for_ms, *, answers=True):
    """Poll through this much of the reader's time; wait for the peer in real time."""
    until_ms = line.now_ms + for_ms
    while line.now_ms < until_ms:
        line.now_ms = min(line.now_ms + reader.poll(line.now_ms), until_ms)
        if answers and line.expecting:
            await line.readable()
        else:
            await asyncio.sleep(0)


def values(reader, line):
    out = [0] * 11
    reader.meter_values(line.now_ms, out)
    return out


# Both are started and stopped by every test: setting up the tables of `dlt645` takes a second.
METERS = {"dlt645": DLT645Meter(PILE), "sdm630": SDM630Meter(UNIT)}
SETTINGS = {
    "dlt645": {"protocol": "dlt645", "address": PILE},
    "sdm630": {"protocol": "sdm630", "unit": UNIT},
}
both = pytest.mark.parametrize("protocol", METERS)


def check(session, protocol, **settings):
    """Run a test's coroutine function with a meter that shows SHOWN, its reader and their line."""

    async def main():
        meter = METERS[protocol]
        await meter.start()
        line = Line(meter.port)
        try:
            meter.set(SHOWN)
            reader = MeterReader(line, period_ms=PERIOD_MS, **{**SETTINGS[protocol], **settings})
            await session(meter, reader, line)
        finally:
            line.close()
            await meter.stop()

    asyncio.run(main())


@both
def test_every_quantity(protocol):
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS - 1)
        assert values(reader, line)[:9] == VALUES
        assert reader.energy(line.now_ms)[:3] == (1234567, 26, -2)
        assert (reader.bad, reader.silent, reader.noise) == (0, 0, 0)
        meter.set({"u_a_v": 57.7, "p_kw": -3.0, "pf": -0.5, "import_kwh": 131072.25})
        await run(reader, line, PERIOD_MS)
        assert values(reader, line)[:9] == [577, *VALUES[1:6], -3000, -500, 4998]
        assert reader.energy(line.now_ms)[0] == 13107225

    check(session, protocol)


@both
def test_ratios(protocol):
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        expected = [23020, 22990, 23110, 493800, 0, -10000, 3444960, 957, 4998]
        assert values(reader, line)[:9] == expected
        meter_id = {"dlt645": PILE.encode(), "sdm630": b"7"}[protocol]
        assert reader.energy(line.now_ms) == (1234567, 26, -2, 10, 40, meter_id)

    check(session, protocol, pt=10, ct=40)


def test_relay_of_dlt645():
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        assert reader.relay_closed(line.now_ms) is True
        assert values(reader, line)[9] == 0
        meter.set({"relay_closed": 0})
        await run(reader, line, PERIOD_MS)
        assert reader.relay_closed(line.now_ms) is False
        assert values(reader, line)[9] == 0x10

    check(session, "dlt645")


def test_orders_to_the_relay_of_dlt645():
    """Through the package's framing: what our master sends is an order to others too."""
    orders = []

    def obey(order):
        orders.append(order)
        meter.set({"relay_closed": 0})
        return True

    async def order(reader, line, *, permit=False):
        assert reader.order(permit, line.now_ms)
        await run(reader, line, 3000)
        return reader.ordered

    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        meter._obey = obey
        assert await order(reader, line) == ANSWER
        assert reader.relay_closed(line.now_ms) is False
        assert await order(reader, line, permit=True) == ANSWER
        assert orders == [TRIP, PERMIT]
        meter._obey = lambda _: False
        assert await order(reader, line) == ERROR
        assert reader.error == 0x01
        meter._obey = None
        assert await order(reader, line) == ERROR

    async def stranger(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        meter._obey = obey
        assert await order(reader, line) == ERROR
        assert reader.error == 0x04
        meter._obey = None

    meter = METERS["dlt645"]
    check(session, "dlt645", password=PASSWORD)
    check(stranger, "dlt645", password="02999999")
    assert orders == [TRIP, PERMIT]


def test_sdm630_has_no_relay():
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        assert reader.relay_closed(line.now_ms) is None
        assert values(reader, line)[9] is None

    check(session, "sdm630")


def test_address_of_dlt645_is_found():
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        assert values(reader, line)[:9] == VALUES
        assert reader.energy(line.now_ms)[5] == PILE.encode()

    check(session, "dlt645", address="")


def test_another_address_of_dlt645():
    async def session(meter, reader, line):
        # A meter on a quay would stay silent; this one refuses, in the name of the address asked.
        await run(reader, line, PERIOD_MS - 1)
        assert values(reader, line) == NOTHING
        assert reader.energy(line.now_ms) is None
        assert (reader.frames, reader.bad, reader.error) == (0, 12, 0x01)

    check(session, "dlt645", address="202410010002")


def test_another_unit_of_sdm630():
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS - 1, answers=False)
        assert values(reader, line) == NOTHING
        assert (reader.frames, reader.bad, reader.silent) == (0, 0, 2)

    check(session, "sdm630", unit=UNIT + 1)


@both
def test_stopped_and_started_again(protocol):
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        port = meter.port
        await meter.stop()
        await run(reader, line, PERIOD_MS, answers=False)
        assert values(reader, line)[:9] == VALUES
        await run(reader, line, PERIOD_MS, answers=False)
        assert values(reader, line) == NOTHING
        assert reader.energy(line.now_ms) is None
        assert reader.silent > 0
        await meter.start()
        assert meter.port == port
        meter.set({"u_a_v": 220.0})
        await run(reader, line, 2 * PERIOD_MS)
        assert values(reader, line)[:9] == [2200, *VALUES[1:]]
        assert reader.energy(line.now_ms)[:2] == (1234567, 26)

    check(session, protocol)


@both
def test_what_no_meter_shows(protocol):
    with pytest.raises(ValueError, match="'u_a' is none of u_a_v"):
        METERS[protocol].set({"u_a": 230.0})


def test_what_dlt645_cannot_show():
    async def session(meter, reader, line):
        with pytest.raises(ValueError, match="import_kwh: a DL/T 645 meter cannot show 800000"):
            meter.set({"import_kwh": 800_000.0})
        meter.set({"pf": 1.0})
        await run(reader, line, PERIOD_MS)
        assert values(reader, line)[7] == 999
        assert reader.energy(line.now_ms)[0] == 1234567

    check(session, "dlt645")


@both
def test_port_taken(protocol):
    async def session(meter, reader, line):
        other = DLT645Meter(PILE) if protocol == "dlt645" else SDM630Meter(UNIT)
        other.port = meter.port
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{meter.port}"):
            await other.start()
        await other.stop()

    check(session, protocol)

"""The device's meter reader against meters over TCP: the `dlt645` package's, pymodbus's, and ours."""

import asyncio
import socket

import pytest

from agent.meter.master import ANSWER, ERROR
from agent.meter.reader import MeterReader
from simulators.sensors.meters import LOOPBACK, PASSWORD, PERMIT, TRIP, DLT645Meter, ModbusMeter
from tests.simulators.package_meter import PackageMeter

PILE = "202410010001"
UNIT = 7
PERIOD_MS = 10_000
ANSWER_TIMEOUT = 10.0  # seconds a peer may take on a busy machine; the reader's clock stands still

SHOWN = {
    "u_a_v": 230.2,
    "u_b_v": 229.9,
    "u_c_v": 231.1,
    "i_a_a": 12.34,
    "i_b_a": 0.0,
    "i_c_a": 0.25,
    "p_kw": 2.612,
    "p_a_kw": 2.5,
    "p_b_kw": 0.1,
    "p_c_kw": 0.012,
    "q_kvar": -0.3,
    "s_kva": 2.7,
    "pf": 0.957,
    "f_hz": 49.98,
    "thd_u_a_pc": 1.25,
    "thd_u_b_pc": 1.5,
    "thd_u_c_pc": 0.75,
    "import_kwh": 12345.67,
    "import_t1_kwh": 345.67,
    "import_t2_kwh": 2000.0,
    "import_t3_kwh": 9000.0,
    "import_t4_kwh": 1000.0,
    "export_kwh": 0.26,
    "relay_closed": 1,
}
VALUES = [2302, 2299, 2311, 12340, 0, 250, 2612, 957, 4998]
QUALITY = [2500, 100, 12, -300, 2700, 125, 150, 75]
TARIFFS = (34567, 200000, 900000, 100000)
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
        self.expecting = b"\x99" * 6 not in bytes(data)  # nobody answers a broadcast
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


# All are started and stopped by every test: setting up the tables of `dlt645` takes a second.
METERS = {
    "package": PackageMeter(PILE),
    "ours": DLT645Meter(PILE),
    "sdm630": ModbusMeter(UNIT),
    "dtsd1352": ModbusMeter(UNIT, "dtsd1352"),
    "adw300": ModbusMeter(UNIT, "adw300"),
    "dtsu666": ModbusMeter(UNIT, "dtsu666"),
}
DLT645 = {"protocol": "dlt645", "address": PILE}
SETTINGS = {
    name: DLT645 if name in ("package", "ours") else {"protocol": name, "unit": UNIT}
    for name in METERS
}
# Places in QUALITY that are not in the meter's map.
LACKING = {
    "package": [],
    "ours": [],
    "sdm630": [],
    "dtsd1352": [5, 6, 7],
    "adw300": [3, 4, 5, 6, 7],
    "dtsu666": [4, 5, 6, 7],
}
every = pytest.mark.parametrize("protocol", METERS)
dlt645 = pytest.mark.parametrize("protocol", ["package", "ours"])


def shown(protocol):
    """What the reader should give of SHOWN: the `meter` and `supply` values."""
    meter = list(VALUES)
    if protocol == "adw300":
        meter[7:] = [None, None]
    quality = [None if i in LACKING[protocol] else value for i, value in enumerate(QUALITY)]
    return meter, tuple(quality)


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


@every
def test_every_quantity(protocol):
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS - 1)
        expected, quality = shown(protocol)
        assert values(reader, line)[:9] == expected
        assert reader.quality(line.now_ms) == quality
        decimal = protocol in ("package", "ours")
        floats = protocol in ("sdm630", "dtsu666")
        counts = (1234567, 26, -2, 1, 1, PILE.encode() if decimal else b"7")
        counts += TARIFFS if decimal else (None,) * 4
        assert reader.energy(line.now_ms) == (*counts, 10**8 if decimal else None, 1)
        assert (reader.silent, reader.noise) == (0, 0)
        assert reader.bad == 0 or protocol == "package"
        meter.set({"u_a_v": 57.7, "p_kw": -3.0, "pf": -0.5, "import_kwh": 131072.25})
        await run(reader, line, 2 * PERIOD_MS)
        expected[0] = 577
        expected[6] = -3000
        expected[7] = None if protocol == "adw300" else -500
        assert values(reader, line)[:9] == expected
        counts = reader.energy(line.now_ms)
        assert (counts[0], counts[11]) == (13107225, 2 if floats else 1)

    check(session, protocol)


@every
def test_ratios(protocol):
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        expected = [23020, 22990, 23110, 493600, 0, 10000, 1044800]
        assert values(reader, line)[:7] == expected
        assert reader.quality(line.now_ms)[:3] == (1000000, 40000, 4800)
        assert reader.energy(line.now_ms)[:5] == (1234567, 26, -2, 10, 40)

    check(session, protocol, pt=10, ct=40)


@dlt645
def test_relay_of_dlt645(protocol):
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        assert reader.relay_closed(line.now_ms) is True
        assert values(reader, line)[9] == 0
        meter.set({"relay_closed": 0})
        await run(reader, line, PERIOD_MS)
        assert reader.relay_closed(line.now_ms) is False
        assert values(reader, line)[9] & 0x10

    check(session, protocol)


@dlt645
def test_orders_to_the_relay_of_dlt645(protocol):
    """Through others' framing too: what our master sends is an order to them."""
    orders = []
    meter = METERS[protocol]

    def give(obey):
        setattr(meter, "obey" if protocol == "package" else "_obey", obey)

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
        give(obey)
        assert await order(reader, line) == ANSWER
        assert reader.relay_closed(line.now_ms) is False
        assert await order(reader, line, permit=True) == ANSWER
        assert orders == [TRIP, PERMIT]
        give(lambda _: False)
        assert await order(reader, line) == ERROR
        assert reader.error == 0x01
        give(None)
        assert await order(reader, line) == ERROR

    async def stranger(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        give(obey)
        assert await order(reader, line) == ERROR
        assert reader.error == 0x04
        give(None)

    check(session, protocol, password=PASSWORD)
    check(stranger, protocol, password="02999999")
    assert orders == [TRIP, PERMIT]


def test_sdm630_has_no_relay():
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        assert reader.relay_closed(line.now_ms) is None
        assert values(reader, line)[9] is None

    check(session, "sdm630")


@dlt645
def test_address_of_dlt645_is_found(protocol):
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        assert values(reader, line)[:9] == VALUES
        assert reader.energy(line.now_ms)[5] == PILE.encode()

    check(session, protocol, address="")


def test_the_package_refuses_for_another_address():
    async def session(meter, reader, line):
        # A meter on a quay would stay silent; this one refuses, in the name of the address asked.
        await run(reader, line, PERIOD_MS - 1)
        assert values(reader, line) == NOTHING
        assert reader.energy(line.now_ms) is None
        assert (reader.frames, reader.error) == (0, 0x01)
        assert reader.bad > 10

    check(session, "package", address="202410010002")


@pytest.mark.parametrize("protocol", ["ours", "sdm630", "dtsd1352"])
def test_another_meter_is_silent(protocol):
    other = {"address": "202410010002"} if protocol == "ours" else {"unit": UNIT + 1}

    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS - 1, answers=False)
        assert values(reader, line) == NOTHING
        assert (reader.frames, reader.bad, reader.silent) == (0, 0, 2)

    check(session, protocol, **other)


@every
def test_a_meter_that_dies_shows_no_value_within_two_readings(protocol):
    async def session(meter, reader, line):
        await run(reader, line, PERIOD_MS)
        expected, _ = shown(protocol)
        port = meter.port
        await meter.stop()
        await run(reader, line, PERIOD_MS, answers=False)
        assert values(reader, line)[:9] == expected
        await run(reader, line, PERIOD_MS, answers=False)
        assert values(reader, line) == NOTHING
        assert reader.quality(line.now_ms) == (None,) * 8
        assert reader.energy(line.now_ms) is None
        assert reader.silent > 0
        assert reader.silent_ms(line.now_ms) > PERIOD_MS
        await meter.start()
        assert meter.port == port
        meter.set({"u_a_v": 220.0})
        await run(reader, line, 2 * PERIOD_MS)
        assert values(reader, line)[:9] == [2200, *expected[1:]]
        assert reader.energy(line.now_ms)[:2] == (1234567, 26)

    check(session, protocol)


@every
def test_what_no_meter_shows(protocol):
    with pytest.raises(ValueError, match="'u_a' is none of u_a_v"):
        METERS[protocol].set({"u_a": 230.0})


def test_what_the_package_cannot_show():
    async def session(meter, reader, line):
        with pytest.raises(ValueError, match="import_kwh: a DL/T 645 meter cannot show 800000"):
            meter.set({"import_kwh": 800_000.0})
        meter.set({"pf": 1.0})
        await run(reader, line, PERIOD_MS)
        assert values(reader, line)[7] == 999
        assert reader.energy(line.now_ms)[0] == 1234567

    check(session, "package")


@pytest.mark.parametrize("protocol", ["ours", "sdm630"])
def test_port_taken(protocol):
    async def session(meter, reader, line):
        others = {"ours": DLT645Meter, "sdm630": ModbusMeter}
        other = others[protocol](UNIT if protocol == "sdm630" else PILE)
        other.port = meter.port
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{meter.port}"):
            await other.start()
        await other.stop()

    check(session, protocol)


def test_ours_in_several_frames_and_without_blocks():
    async def session(meter, reader, line):
        for item_max, blocks in ((4, True), (8, True), (9, True), (196, False)):
            meter.item_max, meter.blocks = item_max, blocks
            await run(reader, line, 3 * PERIOD_MS)
            assert values(reader, line)[:9] == VALUES
            assert reader.quality(line.now_ms) == tuple(QUALITY)
            assert reader.energy(line.now_ms)[6:10] == TARIFFS
        meter.item_max, meter.blocks = 196, True

    check(session, "ours")


def test_ours_rolls_over():
    async def session(meter, reader, line):
        meter.set({"import_kwh": 999_999.99})
        await run(reader, line, PERIOD_MS)
        assert reader.energy(line.now_ms)[0] == 99_999_999
        meter.set({"import_kwh": 1_000_000.02})
        await run(reader, line, PERIOD_MS)
        assert reader.energy(line.now_ms)[0] == 2

    check(session, "ours")


def test_ours_is_told_the_time():
    async def session(meter, reader, line):
        before = meter.clock
        await run(reader, line, PERIOD_MS)
        line.now_ms += 3_600_000
        await run(reader, line, 2 * PERIOD_MS)
        assert [str(time) for time in meter.times] == ["2026-12-31 23:59:58"]
        assert abs((meter.clock - meter.times[0]).total_seconds()) < 60
        assert before != meter.clock

    check(session, "ours", time=lambda now_ms: (2026, 12, 31, 23, 59, 58))

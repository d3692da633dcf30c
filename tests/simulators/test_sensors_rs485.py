"""A pile's RS-485 line: between a board and meters that answer, are silent, go and come back."""

import asyncio
import contextlib
import json
import socket
import threading
import time

import pytest

from simulators.meter_line import _ANSWER_S, MeterLine
from simulators.sensors.meters import DLT645Meter, Meter, SDM630Meter
from tests.simulators.small_sea import (
    DLT645_CONFIG,
    NIGHT,
    Clock,
    Running,
    arrived,
    heard,
    live,
    make,
    plug_in,
    until,
)
from toolkit import cli

# DL/T 645-2007, read import energy (00010000): of meter 000000000001, which shows 123456.78 kWh,
# as two published tests have it; frames of meter 202410010001 were worked out by hand.
ENERGY = bytes.fromhex("68 01 00 00 00 00 00 68 11 04 33 33 34 33 B3 16")
KWH = bytes.fromhex("68 01 00 00 00 00 00 68 91 08 33 33 34 33 AB 89 67 45 17 16")
FREQUENCY = bytes.fromhex("68 01 00 01 10 24 20 68 11 04 35 33 B3 35 8B 16")
HERTZ = bytes.fromhex("68 01 00 01 10 24 20 68 91 06 35 33 B3 35 35 83 C5 16")  # 50.02
# Modbus RTU: read input registers 0048h-0049h of unit 1; the register holds the float32 1234.5.
MODBUS_ENERGY = bytes.fromhex("01 04 00 48 00 02 F1 DD")
MODBUS_KWH = bytes.fromhex("01 04 04 44 9A 50 00 F3 5B")


class OtherMeter(Meter):
    """A meter whose every connection a test serves itself."""

    baud = 2400
    bits = 11

    def __init__(self, serve):
        self.port = 0
        self.connections = 0
        self._serve = serve
        self._server = None

    async def start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()
        await asyncio.sleep(0.05)

    async def _accept(self, reader, writer):
        self.connections += 1
        try:
            with contextlib.suppress(OSError):
                await self._serve(self.connections, reader, writer)
        finally:
            writer.transport.abort()

    def _show(self, name, value):
        raise NotImplementedError


def with_line(meter, test):
    """Run `test(line, reader, writer)` as a board on the line of a started meter."""

    async def run():
        line = MeterLine(meter)
        await meter.start()
        await line.open(0)
        try:
            reader, writer = await plug_in(line.address)
            await test(line, reader, writer)
            writer.close()
        finally:
            await line.close()
            await meter.stop()

    asyncio.run(run())


async def ask(reader, writer, question, length):
    """Ask; return the answer, b"" after a second of silence, and how long it took."""
    began = time.perf_counter()
    writer.write(question)
    try:
        answer = await asyncio.wait_for(reader.readexactly(length), 1)
    except TimeoutError:
        answer = b""
    return answer, time.perf_counter() - began


def dlt645():
    meter = DLT645Meter("000000000001")
    meter.set({"import_kwh": 123456.78})
    return meter


def sdm630():
    meter = SDM630Meter(1)
    meter.set({"import_kwh": 1234.5})
    return meter


# The package sends four wake-up bytes before an answer.
BOTH = pytest.mark.parametrize(
    ("make_meter", "question", "answer"),
    [(dlt645, ENERGY, b"\xfe" * 4 + KWH), (sdm630, MODBUS_ENERGY, MODBUS_KWH)],
    ids=["dlt645", "sdm630"],
)


@BOTH
def test_answers_come_through_promptly(make_meter, question, answer):
    meter = make_meter()

    async def test(line, reader, writer):
        through, direct = [], []
        straight = await plug_in(f"127.0.0.1:{meter.port}")
        for _ in range(20):
            for way, times in ((straight, direct), ((reader, writer), through)):
                got, took = await ask(*way, question, len(answer))
                assert got == answer
                times.append(took)
        straight[1].close()
        assert sorted(through)[10] - sorted(direct)[10] < 0.003

    with_line(meter, test)


@BOTH
def test_a_meter_that_stops_is_silent_and_is_heard_when_it_is_back(make_meter, question, answer):
    meter = make_meter()

    async def test(line, reader, writer):
        for _ in range(2):
            assert (await ask(reader, writer, question, len(answer)))[0] == answer
            await meter.stop()
            for _ in range(3):
                writer.write(question)
                assert await arrived(reader, 0.1) == b""
            assert not reader.at_eof()  # the board's end stays plugged in
            await meter.start()
            assert await arrived(reader, 0.1) == b""  # what nobody heard is not answered now
        assert (await ask(reader, writer, question, len(answer)))[0] == answer

    with_line(meter, test)


def test_a_meter_that_is_gone_without_a_word_is_picked_up_again():
    async def serve(number, reader, writer):
        while question := await reader.read(100):
            if number > 1:  # the first connection is dead and does not know it
                writer.write(b"<" + question + b">")

    meter = OtherMeter(serve)

    async def test(line, reader, writer):
        for question in (b"one", b"two"):
            writer.write(question)
            assert await arrived(reader, 0.1) == b""
        assert meter.connections == 1  # it may yet answer
        await asyncio.sleep(_ANSWER_S)
        assert (await ask(reader, writer, b"three", 7))[0] == b"<three>"
        await asyncio.sleep(1.1 * _ANSWER_S)
        assert (await ask(reader, writer, b"four", 6))[0] == b"<four>"  # all is well, stay
        assert meter.connections == 2

    with_line(meter, test)


def test_a_meter_that_does_not_read_costs_no_memory():
    async def serve(number, reader, writer):
        await asyncio.sleep(30)

    meter = OtherMeter(serve)

    async def test(line, reader, writer):
        for _ in range(300):
            writer.write(b"x" * 65536)
            await writer.drain()  # the line goes on reading
        assert line._far_end._transport.get_write_buffer_size() < 32_768

    with_line(meter, test)


def test_a_question_in_parts_is_one_question():
    meter = dlt645()

    async def test(line, reader, writer):
        for byte in ENERGY[:-1]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.002)
        assert (await ask(reader, writer, ENERGY[-1:], 24))[0].endswith(KWH)

    with_line(meter, test)


def test_a_replay_cuts_the_meter_off():
    late = asyncio.Event()

    async def serve(number, reader, writer):
        await reader.read(100)
        await late.wait()
        writer.write(b"answer")
        await writer.drain()

    meter = OtherMeter(serve)

    async def test(line, reader, writer):
        writer.write(b"question")
        assert await arrived(reader, 0.1) == b""
        line.take()
        writer.write(b"nobody hears this")
        line.replay(b"log")
        assert await arrived(reader, 0.1) == b"log"
        line.release()
        late.set()  # what was asked before is not answered after
        assert await arrived(reader, 0.1) == b""
        assert meter.connections == 1
        assert (await ask(reader, writer, b"question", 6))[0] == b"answer"

    with_line(meter, test)


def test_a_replay_that_begins_while_the_meter_is_called():
    async def serve(number, reader, writer):
        writer.write(await reader.read(100))

    meter = OtherMeter(serve)

    async def test(line, reader, writer):
        await asyncio.sleep(0.05)
        calling = asyncio.create_task(line._far_end.ask(b"question", meter.port))
        await asyncio.sleep(0)
        line.take()
        await calling
        assert await arrived(reader, 0.1) == b""

    with_line(meter, test)


def test_each_board_has_a_connection_of_its_own():
    ended = []

    async def serve(number, reader, writer):
        while await reader.read(100):
            writer.write(b"to board %d" % number)
        ended.append(number)

    meter = OtherMeter(serve)

    async def test(line, reader, writer):
        assert (await ask(reader, writer, b"?", 10))[0] == b"to board 1"
        other, other_writer = await plug_in(line.address)
        assert (await ask(other, other_writer, b"?", 10))[0] == b"to board 2"
        assert await asyncio.wait_for(reader.read(), 1) == b""  # its cable was pulled
        await asyncio.sleep(0.05)
        assert ended == [1]
        other_writer.close()
        await asyncio.sleep(0.05)
        assert ended == [1, 2]

    with_line(meter, test)


def test_the_estuarys_meters_are_private_and_their_lines_are_not(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ports = f'[ports]\n"pile-1.rs485" = {port}\n'

    async def run():
        clock = Clock(NIGHT)
        estuary = make(tmp_path, clock, config_text=DLT645_CONFIG + ports)
        await estuary.open()
        try:
            lines = {
                name: device["uarts"]["rs485"]
                for name, device in json.loads(json.dumps(estuary.address_book()))[
                    "devices"
                ].items()
                if "rs485" in device["uarts"]
            }
            assert lines["pile-1"] == f"127.0.0.1:{port}"
            rates = [estuary.devices[name].uarts["rs485"] for name in ("pile-1", "pile-2")]
            assert [(line.baud, line.bits) for line in rates] == [(2400, 11), (9600, 10)]
            await live(estuary, clock, 3)
            reader, writer = await plug_in(lines["pile-1"])
            meter = estuary.devices["pile-1"]._meter
            assert meter.port != port
            for _ in range(2):
                answer, _ = await ask(reader, writer, FREQUENCY, 22)
                assert answer[4:].startswith(HERTZ[:14])
                counts = bytes(byte - 0x33 for byte in answer[18:20])[::-1].hex()
                assert 4990 <= int(counts) <= 5010
                await meter.stop()
                await meter.start()
            writer.close()
        finally:
            await estuary.close()

    asyncio.run(run())


def test_replay_takes_the_meters_place_and_gives_it_back(tmp_path, capsys):
    capture = tmp_path / "rs485.bin"
    capture.write_bytes(b"\n# \x00\xff \r\n\xfe\xfe" + HERTZ * 6)
    with (
        Running(tmp_path, config_text=DLT645_CONFIG) as sea,
        sea.listen("pile-1", "rs485") as board,
    ):
        board.sendall(FREQUENCY)
        frequency = until(board, b"\x16").lstrip(b"\xfe")
        assert frequency.startswith(HERTZ[:14])  # the meter's own value follows
        assert len(frequency) == len(HERTZ)

        words = ["replay", capture, "--device", "pile-1", "--uart", "rs485", "--state", sea.state]
        words += ["--baud", 600]  # 2 s for 118 bytes
        replaying = threading.Thread(target=cli.main, args=([str(word) for word in words],))
        replaying.start()
        replayed = until(board, b"\xff")
        for _ in range(10):
            board.sendall(FREQUENCY)
            time.sleep(0.03)
        assert replaying.is_alive()
        replaying.join(10)
        while piece := heard(board):
            replayed += piece
        assert replayed == capture.read_bytes()  # and no answer between or after

        deadline = time.monotonic() + 5
        while not (again := heard(board)):  # what was asked during the replay is not made up for
            assert time.monotonic() < deadline
            board.sendall(FREQUENCY)
        assert again.lstrip(b"\xfe").startswith(HERTZ[:14])
    said = capsys.readouterr().out
    assert f"rs485 of pile-1 now plays {capture}: 118 bytes" in said
    assert "rs485 of pile-1 is the simulation's again" in said

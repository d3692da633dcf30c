"""Draining a backlog over a link of 100 ms, against micropython-lib's umqtt on the same interpreter."""

import asyncio
import contextlib
import io
import select
import socket
import subprocess
import sys
import tarfile
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path

from agent.keep.outbox import Outbox
from agent.wire import codes
from tests.bench.rows import median, row
from tests.device.fakes import FakeFiles
from tests.device.records import record
from tests.flash.peers import REC, Device, Gateway

_ROUND_TRIP_S = 0.1
_RECORDS = 1000
_RECORD_BYTES = 45
_UMQTT_RECORDS = 100  # its rate does not change: each record waits for its answer, ten seconds do
_ARCHIVE = Path("build/umqtt")


class _Broker:
    """A broker and gateway on loopback whose every answer comes 100 ms later."""

    def __init__(self) -> None:
        self.gateways: list[Gateway] = []
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0)
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gateway = Gateway()
        self.gateways.append(gateway)
        with contextlib.suppress(ConnectionResetError):
            while data := await reader.read(65536):
                if answer := gateway.take(data):
                    self._loop.call_later(_ROUND_TRIP_S, writer.write, answer)
        writer.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        # The clients are gone; their last answers are still on their way.
        self._loop.run_until_complete(asyncio.sleep(2 * _ROUND_TRIP_S))
        self._loop.close()


@contextlib.contextmanager
def _broker() -> Iterator[_Broker]:
    broker = _Broker()
    try:
        yield broker
    finally:
        broker.close()


def _connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _ours(port: int) -> float:
    """Drain the agent's outbox, from flash, until the gateway has acknowledged everything."""
    outbox = Outbox(8192, bytes, FakeFiles())
    for seq in range(_RECORDS):
        data = record(1, seq, _RECORD_BYTES)
        outbox.put(data, len(data), 1, seq, codes.LANE_STATUS)
    outbox.sync()
    sock = _connect(port)
    sock.setblocking(False)
    begin = time.perf_counter()

    def now_ms() -> int:
        return int((time.perf_counter() - begin) * 1000)

    device = Device(outbox)
    while outbox.kept:
        if data := device.talk(now_ms()):
            sock.sendall(data)  # loopback takes eight messages at once
        if select.select([sock], [], [], 0.02)[0]:
            device.feed(sock.recv(4096), now_ms())
    took = time.perf_counter() - begin
    sock.close()
    return _RECORDS / took


def _umqtt() -> types.ModuleType:
    """Fetch umqtt.simple's source archive and load it; pip refuses it, it is not copied here."""
    if not list(_ARCHIVE.glob("*.tar.gz")):
        _ARCHIVE.mkdir(parents=True, exist_ok=True)
        command = ["-m", "unearth", "micropython-umqtt.simple", "--download", str(_ARCHIVE)]
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
    with tarfile.open(next(_ARCHIVE.glob("*.tar.gz"))) as archive:
        name = next(n for n in archive.getnames() if n.endswith("umqtt/simple.py"))
        source = archive.extractfile(name)
        assert isinstance(source, io.BufferedReader)
        code = source.read().decode()
    module = types.ModuleType("umqtt_simple")
    for old in ("socket", "struct", "binascii"):
        sys.modules.setdefault("u" + old, __import__(old))
    exec(compile(code, name, "exec"), module.__dict__)
    module.__dict__["socket"] = types.SimpleNamespace(
        socket=_MicroPythonSocket, getaddrinfo=socket.getaddrinfo
    )
    return module


class _MicroPythonSocket:
    """A socket with a stream's `read` and `write`, as MicroPython's have."""

    def __init__(self) -> None:
        self._sock = socket.socket()
        self.setblocking = self._sock.setblocking
        self.close = self._sock.close

    def connect(self, address: tuple[str, int]) -> None:
        self._sock.connect(address)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes, n: int | None = None) -> None:
        self._sock.sendall(data[:n])

    def read(self, n: int) -> bytes:
        return self._sock.recv(n, socket.MSG_WAITALL)


def _theirs(module: types.ModuleType, port: int) -> float:
    client = module.MQTTClient(b"buoy-1", "127.0.0.1", port)
    client.set_callback(lambda topic, message: None)  # the gateway's acks
    client.connect()
    begin = time.perf_counter()
    for seq in range(_UMQTT_RECORDS):
        client.publish(REC, record(1, seq, _RECORD_BYTES), qos=1)
    took = time.perf_counter() - begin
    client.sock.close()
    return _UMQTT_RECORDS / took


def drain() -> list[dict[str, object]]:
    """1,000 stored records of 45 bytes over a round trip of 100 ms; CPython, a broker on loopback."""
    module = _umqtt()
    with _broker() as broker:
        theirs = _theirs(module, broker.port)
        ours = []
        for _ in range(3):
            ours.append(_ours(broker.port))
            got = broker.gateways[-1].records
            if sorted(got) != [(1, seq) for seq in range(_RECORDS)]:
                raise RuntimeError(f"{len(got)} records came, not each of {_RECORDS} once")
    return [
        median("the agent, outbox on flash to gateway's ack", ours, "records/s"),
        row(f"umqtt.simple, QoS 1 ({_UMQTT_RECORDS} records)", round(theirs, 1), "records/s"),
        row("ratio", round(sorted(ours)[1] / theirs), "times", ">= 20"),
    ]

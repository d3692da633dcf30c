"""The gateway's rates, with real mosquitto, everything on this machine together."""

import socket
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

from agent.link import mqtt as m
from agent.wire import decode, messages, schema
from agent.wire.vectors import written_record
from tests.bench.rows import median
from tests.chain.processes import (
    GATEWAY_ENV,
    broker,
    gateway_command,
    gateway_config,
    process,
    wait_for,
)

_RUNS = 3
_SENDERS = 4
_WINDOW = 200  # messages of a sender that the broker has not acknowledged


def decoding() -> list[dict[str, object]]:
    """records decoded and checked by one Python process."""
    values = [0xFFFF, 31000000, -122000000, 12, 3000, 12000, -3000, 18000, -200]
    record = written_record(schema.BEACON, values)
    rows = []
    for n in (1, 20):
        payload = record * n
        rates = []
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(20000 // n):
                for item in decode.sequence(payload):
                    decode.check(item)
            rates.append(20000 / (time.perf_counter() - start))
        rows.append(median(f"{n} a payload", rates, "records/s"))
    return rows


def throughput() -> list[dict[str, object]]:
    """QoS 1, durable commit before acknowledgement; broker, senders and gateway share the cores."""
    rows = []
    for per_message, count, budget in ((1, 40_000, ">= 20,000"), (20, 10_000, ">= 60,000")):
        rates = [_run(per_message, count) * per_message for _ in range(_RUNS)]
        unit = "messages/s" if per_message == 1 else "records/s"
        rows.append(median(f"{per_message} records a message, SQLite series", rates, unit, budget))
    return rows


def _run(per_message: int, count: int) -> float:
    """Return messages a second from the first sent to the last committed."""
    names = [f"load-{n}" for n in range(_SENDERS)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with broker("mosquitto", folder, names) as (port, _):
            config = gateway_config(folder, port, "sqlite:series.sqlite")
            log = folder / "gateway.log"
            with process(gateway_command(config), log, GATEWAY_ENV):
                wait_for("the gateway", lambda: b"connected" in log.read_bytes())
                each = count // _SENDERS
                threads = [
                    threading.Thread(target=_send, args=(port, name, each, per_message))
                    for name in names
                ]
                start = time.perf_counter()
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                journal = sqlite3.connect(folder / "gateway" / "journal.sqlite")
                wanted = each * _SENDERS * per_message
                query = "SELECT coalesce(sum(last - first + 1), 0) FROM ranges"
                wait_for("the last", lambda: journal.execute(query).fetchone()[0] >= wanted, 120)
                took_s = time.perf_counter() - start
                journal.close()
    return each * _SENDERS / took_s


def _send(port: int, name: str, count: int, per_message: int) -> None:
    """Publish records as fast as the broker acknowledges them."""
    topic = messages.topic(name, "up", "rec").encode()
    packets = []
    for n in range(count):
        body = b"".join(
            written_record(schema.BEACON, [1, 2, 3], boot=1, seq=n * per_message + i)
            for i in range(per_message)
        )
        mid = n % 65535 + 1
        packet = len(topic).to_bytes(2, "big") + topic + mid.to_bytes(2, "big") + body
        size = len(packet)
        length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
        packets.append(b"\x32" + length + packet)
    hello = m.MQTT()
    hello.connect(name.encode(), name.encode(), name[::-1].encode(), 60, topic, b"", 0)
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(bytes(hello.outgoing()))
        link.recv(4)
        sent = acknowledged = 0
        while acknowledged < count:
            while sent < count and sent - acknowledged < _WINDOW:
                burst = packets[sent : sent + 50]
                link.sendall(b"".join(burst))
                sent += len(burst)
            acknowledged += len(link.recv(65536)) // 4

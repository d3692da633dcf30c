"""The benchmarks' load: many devices' records over a few MQTT connections, prepared beforehand.

    python -m tests.bench.load PORT --messages 200000 --records 20

It connects, prepares its packets, prints "ready", waits for a line on its standard input, sends, and
prints one JSON object: what it sent, when, what it cost, and what the gateway acknowledged. Times are
CLOCK_MONOTONIC in nanoseconds, the same for every process of a machine.

A connection has at most `window` messages that the broker has not acknowledged. Device `n` belongs to
connection `n` modulo their number; each has boot 1 and seq from 0 on. Nothing is sent twice: whether a
consumer loses something is what the benchmark asks.
"""

import argparse
import bisect
import json
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator

import cbor2

from agent.link import mqtt
from agent.wire import messages, schema, series
from agent.wire.read import Reader

CONNECTIONS = 4
ACKS = "load-acks"  # the user that hears what the gateway acknowledges
BOOT = 1
_BURST = 50  # messages of one send; a window holds some of them
_VARIANTS = 509  # sets of values; a prime, so that they wander over the devices
_AGE_S = 2 * 86400  # the records are from the day before yesterday: no store calls them odd
_PACE_S = 0.02  # between the bursts of a load with a rate
_TICK_MS = 200  # between looks at whether the last acknowledgement has come
_GIVE_UP_S = 60  # without a sign of the broker or the gateway

_MESSAGE_ID = struct.Struct(">H")


def users() -> list[str]:
    """Return the users that the broker has to know."""
    return [f"load-{n}" for n in range(CONNECTIONS)] + [ACKS]


def device(n: int) -> str:
    """Return the name of a device."""
    return f"buoy-{n:05}"


def first_t() -> int:
    """Return the time of the first records, in the wire's seconds."""
    return int(time.time()) - series.EPOCH_2020 - _AGE_S


def values(rng: random.Random) -> list[int]:
    """Return what a buoy may say: all nine fields of a `beacon`, within their ranges."""
    lit = rng.random() < 0.5
    flags = 0xFF00 | lit | (not lit) << 1 | lit << 2
    return [
        flags,
        31_230_000 + rng.randrange(40_000),
        122_100_000 + rng.randrange(90_000),
        rng.randrange(6, 28),
        rng.randrange(300, 900) if lit else 0,
        rng.randrange(11_800, 14_400),
        -rng.randrange(200, 900) if lit else rng.randrange(0, 3_000),
        0 if lit else rng.randrange(9_000, 21_000),
        rng.randrange(-50, 350),
    ]


def _uint(n: int) -> bytes:
    if n < 24:
        return bytes((n,))
    if n < 0x100:
        return bytes((24, n))
    if n < 0x10000:
        return b"\x19" + n.to_bytes(2, "big")
    return b"\x1a" + n.to_bytes(4, "big")


class Packets:
    """The packets of one connection, in bursts."""

    def __init__(self, names: list[str], count: int, per_message: int, t: int, seed: int) -> None:
        self._names = names
        self._count = count
        self._per_message = per_message
        self._t = t
        rng = random.Random(seed)
        self._tails = [b"".join(map(cbor2.dumps, values(rng))) for _ in range(_VARIANTS)]
        items = schema.HEAD_ITEMS + len(schema.SCHEMAS[schema.BEACON][3])
        self._head = bytes((0x80 | items, schema.BEACON, BOOT))

    def bursts(self, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield (messages, their packets)."""
        topics = [messages.topic(name, "up", "rec").encode() for name in self._names]
        heads = [len(topic).to_bytes(2, "big") + topic for topic in topics]
        burst: list[bytes] = []
        for n in range(self._count):
            turn, which = divmod(n, len(heads))
            body = self._message(turn * self._per_message, which)
            variable = heads[which] + _MESSAGE_ID.pack(n % 65535 + 1)
            length = len(variable) + len(body)
            size_bytes = (
                bytes((length,)) if length < 128 else bytes((length & 127 | 128, length >> 7))
            )
            burst += (b"\x32", size_bytes, variable, body)
            if len(burst) == 4 * size:
                yield size, b"".join(burst)
                burst = []
        if burst:
            yield len(burst) // 4, b"".join(burst)

    def _message(self, seq: int, which: int) -> bytes:
        out = []
        for at in range(seq, seq + self._per_message):
            tail = self._tails[(at + 31 * which) % _VARIANTS]
            # A thousand records of a second would share their points' milliseconds.
            out += (self._head, _uint(at), _uint(self._t + at // 1000), tail)
        return b"".join(out)


class _Connection:
    """One user's way to the broker."""

    def __init__(self, port: int, user: str, topic: bytes | None = None) -> None:
        hello = mqtt.MQTT()
        hello.connect(user.encode(), user.encode(), user[::-1].encode(), 0, b"will", b"", 0)
        self.link = socket.create_connection(("127.0.0.1", port))
        self.link.settimeout(10)
        self.link.sendall(bytes(hello.outgoing()))
        answer = self.link.recv(4)
        if answer != b"\x20\x02\x00\x00":
            raise SystemExit(f"the broker does not let {user} in: {answer.hex()}")
        if topic is not None:
            body = b"\x00\x01" + len(topic).to_bytes(2, "big") + topic + b"\x00"
            self.link.sendall(b"\x82" + bytes((len(body),)) + body)
            if self.link.recv(5)[:2] != b"\x90\x03":
                raise SystemExit(f"the broker refuses the subscription of {user}")
        self.link.settimeout(None)
        self.left: Iterator[tuple[int, bytes]] = iter(())
        self.next: tuple[int, bytes] | None = None
        self.sent = 0
        self.bytes_in = 0
        self.times: list[tuple[int, int]] = []  # (messages sent before, when)

    @property
    def waiting(self) -> int:
        """How many messages the broker has not acknowledged: a PUBACK has four bytes."""
        return self.sent - self.bytes_in // 4

    def send(self, window: int) -> int:
        """Send the next burst if the window takes it; return its messages."""
        if self.next is None or self.waiting + self.next[0] > window:
            return 0
        count, data = self.next
        self.times.append((self.sent, time.monotonic_ns()))
        self.link.sendall(data)
        self.sent += count
        self.next = next(self.left, None)
        return count


class Acks:
    """What the gateway acknowledged: gathered while the clock runs, read afterwards."""

    def __init__(self) -> None:
        self.chunks: list[tuple[int, bytes]] = []
        self.heard = 0  # messages
        self.seen: dict[str, list[tuple[int, int, int]]] = {}  # (first, last, when) of a device
        self.records = 0
        self._tail = b""

    def read(self) -> None:
        """Read what was gathered."""
        for at_ns, chunk in self.chunks:
            data = self._tail + chunk
            pos = 0
            while (end := self._packet(data, pos, at_ns)) is not None:
                pos = end
            self._tail = data[pos:]
        self.chunks = []

    def _packet(self, data: bytes, pos: int, at_ns: int) -> int | None:
        """Read one PUBLISH; return where the next begins, or None while this one is not whole."""
        if len(data) < pos + 3:
            return None
        length, body = data[pos + 1], pos + 2
        if length & 128:
            length, body = length & 127 | data[pos + 2] << 7, pos + 3
        end = body + length
        if len(data) < end:
            return None
        payload = body + 2 + (data[body] << 8 | data[body + 1])
        name = data[body + 2 : payload].split(b"/")[3].decode()
        self.heard += 1
        reader = Reader(data, payload, end)
        while not reader.at_end():
            boot, first, last = messages.read_ack(reader)
            if boot == BOOT:
                self.records += last - first + 1
                self.seen.setdefault(name, []).append((first, last, at_ns))
        return end

    def distinct(self) -> int:
        """Return how many records were acknowledged, each counted once."""
        total = 0
        for ranges in self.seen.values():
            upto = -1
            for first, last, _ in sorted(ranges):
                total += max(0, last - max(first - 1, upto))
                upto = max(upto, last)
        return total

    def last_ns(self) -> int:
        """Return when the last one came."""
        return max((at for ranges in self.seen.values() for *_, at in ranges), default=0)


def _names(devices: int, connection: int) -> list[str]:
    return [device(n) for n in range(connection, devices, CONNECTIONS)]


def _latencies(senders: list[_Connection], acks: Acks, devices: int, per: int) -> list[float]:
    """Return the times from a record's sending to its acknowledgement, sorted, in milliseconds."""
    out = []
    for n in range(devices):
        sender = senders[n % CONNECTIONS]
        at = [messages for messages, _ in sender.times]
        mine = len(range(n % CONNECTIONS, devices, CONNECTIONS))
        for first, _, when in acks.seen.get(device(n), []):
            message = first // per * mine + n // CONNECTIONS
            sent = sender.times[bisect.bisect_right(at, message) - 1][1]
            out.append((when - sent) / 1e6)
    return sorted(out)


def run(args: argparse.Namespace) -> dict[str, float]:
    """Send the load; return what came of it."""
    if args.devices % CONNECTIONS or args.messages % args.devices:
        raise SystemExit(f"messages must be a multiple of devices, devices of {CONNECTIONS}")
    each = args.messages // CONNECTIONS
    t = first_t()
    senders = [_Connection(args.port, f"load-{n}") for n in range(CONNECTIONS)]
    listener = _Connection(args.port, ACKS, b"fw/1/+/+/dn/ack")
    poll = select.poll()
    by_fd = {}
    size = max(1, min(_BURST, args.window))
    if args.rate:
        size = max(1, int(args.rate * _PACE_S / CONNECTIONS))
    for n, sender in enumerate(senders):
        packets = Packets(_names(args.devices, n), each, args.records, t, n)
        sender.left = packets.bursts(size)
        if not args.rate:
            sender.left = iter(list(sender.left))
        sender.next = next(sender.left, None)
        by_fd[sender.link.fileno()] = sender
        poll.register(sender.link, select.POLLIN)
    poll.register(listener.link, select.POLLIN)
    print("ready", flush=True)
    sys.stdin.readline()

    acks = Acks()
    total, sent = each * CONNECTIONS, 0
    wanted = total * args.records if args.acks else 0
    cpu_s = time.process_time()
    began_ns = heard_ns = time.monotonic_ns()
    published_ns = 0
    while not published_ns or acks.records < wanted:
        late = True
        while late:
            late = False
            for sender in senders:
                if args.rate and sent >= args.rate * (time.monotonic_ns() - began_ns) / 1e9:
                    break
                went = sender.send(args.window)
                sent += went
                late = late or went > 0
        ready = poll.poll(_PACE_S * 1000 if sent < total else _TICK_MS)
        now_ns = time.monotonic_ns()
        for fd, _ in ready:
            if fd in by_fd:
                by_fd[fd].bytes_in += len(by_fd[fd].link.recv(65536))
            else:
                acks.chunks.append((now_ns, listener.link.recv(262144)))
        if ready:
            heard_ns = now_ns
        elif now_ns - heard_ns > _GIVE_UP_S * 1e9:
            break
        if not published_ns and sent == total and not any(s.waiting for s in senders):
            published_ns = now_ns
        if published_ns:
            spent = time.process_time()
            acks.read()
            cpu_s += time.process_time() - spent  # the reading is ours, not the load's
    cpu_s = time.process_time() - cpu_s
    acks.read()
    latencies = _latencies(senders, acks, args.devices, args.records) or [0.0]
    return {
        "messages": sent,
        "records": sent * args.records,
        "acked": acks.distinct(),
        "ack_messages": acks.heard,
        "began_ns": began_ns,
        "published_ns": published_ns,
        "acked_ns": acks.last_ns(),
        "cpu_s": cpu_s,
        "latency_p50_ms": latencies[len(latencies) // 2],
        "latency_p99_ms": latencies[len(latencies) * 99 // 100],
    }


def main() -> None:
    """Send a load as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=1, help="in a message")
    parser.add_argument("--devices", type=int, default=CONNECTIONS)
    parser.add_argument("--window", type=int, default=500, help="of a connection, in messages")
    parser.add_argument("--rate", type=float, default=0, help="messages a second; 0: all it can")
    parser.add_argument("--no-acks", dest="acks", action="store_false", help="none will come")
    print(json.dumps(run(parser.parse_args())), flush=True)


if __name__ == "__main__":
    main()

"""Malformed messages through the real gateway: no crash, no growth, each one accounted for.

Made by mutate.py, judged by oracle.py, sent over a real mosquitto to a real gateway process, whose
counters and journal must say what the oracle says. A second look, in process, holds the decoder
against the oracle on what hypothesis can think of.
"""

import re
import socket
import struct
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.wire import decode, messages
from agent.wire.read import Reader
from gateway.journal.reading import JournalReader
from tests.chain.processes import (
    GATEWAY_ENV,
    broker,
    gateway_command,
    gateway_config,
    process,
    wait_for,
)
from tests.chain.readiness import wait_ready, watch
from tests.gateway import oracle
from tests.gateway.mutate import Mutator

SEED = 20261122
DEVICES = ["fuzz-0", "fuzz-1", "fuzz-2", "FUZZ"]  # the last one's name is no device's
AHEAD = 20_000  # messages that may wait in the broker
LOOK = 2_000  # messages between looks at the gateway's counters
RSS_MAX_MB = 200
GREW_MAX_MB = 100  # a million messages leave some hundred thousand gaps to be remembered


class Sender:
    """A device that publishes whatever it is told, QoS 1."""

    def __init__(self, name, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        body = b"\x00\x04MQTT\x04\xc2\x00\x00"
        for text in (name, name, name[::-1]):
            body += struct.pack(">H", len(text)) + text.encode()
        own = messages.topic(name, "dn", "ack").encode()
        wish = b"\x00\x01" + struct.pack(">H", len(own)) + own + b"\x00"
        self.socket.sendall(bytes((0x10, len(body))) + body + bytes((0x82, len(wish))) + wish)
        wait_for("the broker", lambda: self.socket.recv(4) == b"\x20\x02\x00\x00")
        self.socket.setblocking(False)
        self.name = name
        self.acked = set()
        self._in = bytearray()
        self._out = bytearray()
        self._mid = 0

    def publish(self, topic, payload):
        self._mid = self._mid % 65535 + 1
        text = topic.encode()
        size = 4 + len(text) + len(payload)
        head = bytes((0x32, size)) if size < 128 else bytes((0x32, size & 127 | 128, size >> 7))
        self._out += head + struct.pack(">H", len(text)) + text + struct.pack(">H", self._mid)
        self._out += payload
        if len(self._out) > 4096:
            self.flush()

    def flush(self):
        """Send all of it, and hear what was answered."""
        while self._out:
            self.hear()
            try:
                del self._out[: self.socket.send(self._out)]
            except BlockingIOError:
                time.sleep(0.001)

    def hear(self):
        try:
            while data := self.socket.recv(65536):
                self._in += data
        except BlockingIOError:
            pass
        at = 0
        while at + 2 <= len(self._in):
            size, body = self._in[at + 1], at + 2
            if size > 127:
                if body == len(self._in):
                    break
                size, body = size & 127 | self._in[body] << 7, body + 1
            if body + size > len(self._in):
                break
            if self._in[at] >> 4 == 3:
                (length,) = struct.unpack_from(">H", self._in, body)
                reader = Reader(self._in, body + 2 + length, body + size)
                while not reader.at_end():
                    boot, first, last = messages.read_ack(reader)
                    self.acked.update((self.name, boot, seq) for seq in range(first, last + 1))
            at = body + size
        del self._in[:at]


@pytest.mark.parametrize(
    "malformed",
    [
        pytest.param(20_000, id="20000"),
        pytest.param(1_000_000, id="1000000", marks=pytest.mark.prove),
    ],
)
def test_every_malformed_message_is_accounted_for(malformed, tmp_path, capsys):
    mutator, judge = Mutator(SEED), oracle.Oracle()
    with ExitStack() as stack:
        port, _ = stack.enter_context(broker("mosquitto", tmp_path, DEVICES))
        config = gateway_config(tmp_path, port, f"sqlite:{tmp_path / 'series.sqlite'}")
        ready = watch(config)
        log = tmp_path / "gateway.log"
        gateway = stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
        wait_ready(ready)
        pid = gateway._child.pid
        before_mb = memory_mb(pid, "VmRSS")
        reader = stack.enter_context(
            closing(JournalReader(tmp_path / "gateway" / "journal.sqlite"))
        )
        senders = [Sender(name, port) for name in DEVICES]
        for sender in senders:
            stack.enter_context(closing(sender.socket))
        begun = time.monotonic()
        sent = taken = 0
        while judge.malformed < malformed:
            sender = senders[sent % len(senders) if sent % 50 == 0 else sent % 3]
            topic, payload = mutator.message(sender.name)
            judge.take(topic, payload)
            sender.publish(topic, payload)
            sent += 1
            while sent % LOOK == 0 and sent - taken > AHEAD:
                taken = reader.counters().get("messages", 0)
                time.sleep(0.01)
        for sender in senders:
            sender.flush()
        wait_for(
            "every message",
            lambda: reader.counters().get("messages", 0) >= sent,
            60 + sent / 2000,
        )
        lasted_s = time.monotonic() - begun
        time.sleep(0.3)
        for sender in senders:
            sender.hear()
        counters = reader.counters()
        kept = {(r.device, r.boot, r.seq): bytes(r.raw) for r in reader.records(0, 1 << 30)}
        assert gateway.running
        after_mb, peak_mb = memory_mb(pid, "VmRSS"), memory_mb(pid, "VmHWM")
        bytes_mb = sum(f.stat().st_size for f in (tmp_path / "gateway").iterdir()) / 1e6
        assert gateway.stop() == 0
    said = log.read_text()
    reasons = by_reason(counters)
    with capsys.disabled():
        print(
            f"\n{sent} messages in {lasted_s:.0f} s ({sent / lasted_s:.0f}/s):"
            f" {judge.whole} whole + {judge.malformed} malformed, {counters['dead_letters']} dead"
            f" letters, {counters['records']} good records kept;"
            f" RSS {before_mb:.0f} MB before, {after_mb:.0f} after, {peak_mb:.0f} at most;"
            f" {bytes_mb:.0f} MB on disk;"
            f" {', '.join(f'{name} {n}' for name, n in sorted(reasons.items()))}"
        )
    assert "Traceback" not in said, said[-3000:]
    assert sent == judge.whole + judge.malformed == counters["messages"]
    assert reasons == by_reason(judge.counts)
    assert sum(reasons.values()) == counters["dead_letters"]
    for name in ("records", "duplicates", "conflicts", "dead_letters"):
        assert counters.get(name, 0) == judge.counts[name], name
    assert kept == judge.visible(), "good records beside bad bytes"
    assert set().union(*(sender.acked for sender in senders)) <= judge.known, "a strange ack"
    assert peak_mb < RSS_MAX_MB
    assert after_mb - before_mb < GREW_MAX_MB


def by_reason(counters):
    """Return the dead letters by reason; those of the small payloads by their kind only."""
    out = Counter()
    for name, n in counters.items():
        if name.startswith("dead_letters."):
            reason = name.removeprefix("dead_letters.")
            out[re.sub(r"^(state|cmd|ota)-.*", r"\1-", reason)] += n
    return +out


def memory_mb(pid, what):
    """Return a figure of /proc/PID/status in megabytes."""
    found = re.search(
        rf"^{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE
    )
    return int(found[1]) / 1024


def number(n):
    """Encode an integer in its shortest form."""
    major, n = (0, n) if n >= 0 else (0x20, -1 - n)
    if n < 24:
        return bytes([major | n])
    size = next(size for size in (1, 2, 4, 8) if n < 1 << 8 * size)
    return bytes([major | 23 + size.bit_length()]) + n.to_bytes(size, "big")


HEADS = st.integers(0, 7).flatmap(
    lambda major: st.one_of(
        st.integers(0, 31).map(lambda info: bytes([major << 5 | info])),
        st.tuples(st.sampled_from((24, 25, 26, 27)), st.integers(0, 1 << 34)).map(
            lambda pair: (
                bytes([major << 5 | pair[0]])
                + (pair[1] % (1 << (8 << (pair[0] - 24)))).to_bytes(1 << (pair[0] - 24), "big")
            )
        ),
    )
)
ITEMS = st.one_of(
    st.integers(-(1 << 33), 1 << 33).map(number),
    st.binary(max_size=40).map(lambda text: bytes([0x58, len(text)]) + text),
    st.binary(max_size=23).map(lambda text: bytes([0x40 + len(text)]) + text),
    st.just(b"\xf6"),
    HEADS,
)
RECORDS = st.lists(ITEMS, max_size=52).map(
    lambda items: (
        (bytes([0x80 + len(items)]) if len(items) < 24 else bytes([0x98, len(items)]))
        + b"".join(items)
    )
)
PAYLOADS = st.lists(st.one_of(RECORDS, RECORDS, st.binary(max_size=20), HEADS), max_size=6).map(
    b"".join
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(PAYLOADS)
@example(b"\x84\x01\x02\x03\x04" * 10)
@example(b"\x84\x01\xc2\x41\x02\x03\x04")  # a bignum that decodes to a small integer
@example(b"\x84\x01\x02\x1a\x00\x01\x00\x00\x04\x84\x01\x02\x19\x01\x00\x04")
def test_the_decoder_says_what_the_contract_says(payload):
    records, letters = oracle.read(payload)
    items = decode.sequence(payload)
    good = [item for item in items if isinstance(item, decode.Record)]
    bad = [item for item in items if isinstance(item, decode.Bad)]
    assert [(item.raw, item.items) for item in good] == [(w.raw, w.items) for w in records]
    assert [(item.error.code, item.identity) for item in bad] == letters

"""The child process of load.py: many light devices that keep every record until it is acked.

What a device makes is written to its process's ledger before it is sent: "device boot seq hex". So a
ledger says what has to be in the stores, whatever happened on the way. MQTT is written here by hand,
without the agent's or the gateway's code; only acks are read with the contract's reader. Devices have
habits (`HABITS`), so that the stream holds duplicates, short connections, new boots, messages of
several records and records that are dated later.
"""

import contextlib
import errno
import json
import os
import random
import selectors
import socket
import struct
import sys
import time
from collections import deque
from pathlib import Path

import cbor2

from agent.wire import messages, schema
from agent.wire.read import Reader

EPOCH_2020 = 1_577_836_800
TICK_S = 0.05
STATUS_S = 0.2
CATCH_UP_S = 0.5  # of the rate that a busy machine made us miss
# A record without an ack is sent again on a live connection; the time doubles while none come.
RESEND_S = 5.0
RESEND_MAX_S = 40.0
FLYING_MAX = 400  # records of one device that are sent and not acked
KEEPALIVE_S = 30
EVENT_EVERY = 10  # every tenth record is an event, for the centre
UNDATED = 25  # records before the clock is set, of a device that starts without one
GROUP_MAX = 8  # records a message, of a device that gathers
BOOT_S = (1.0, 3.0)  # between new boots
REST_S = (1.0, 4.0)  # between breaks of the connection

HABITS = ("plain", "plain", "plain", "plain", "groups", "twice", "breaks", "boots", "undated")
HABITS += ("undated boots",)


class Ledger:
    """What was made, on disk before it leaves."""

    def __init__(self, path):
        self._file = path.open("ab", buffering=1 << 20)

    def note(self, device, boot, seq, raw):
        self._file.write(b"%s %d %d %s\n" % (device, boot, seq, raw.hex().encode()))

    def flush(self):
        self._file.flush()


class Device:
    """One device: what it has made and not yet got acked, and its connection."""

    def __init__(self, name, spec, habit, ledger, rng):
        self.name = name.encode()
        self._n = int(name.rpartition("-")[2])  # in every record: no two devices' bytes are equal
        self.habit = habit
        self.made = self.sent = self.resent = self.acked = self.strange = self.breaks = 0
        self.late_s = 0.0  # longest wait for an ack
        self.paused = False
        self._rng = rng
        self._ledger = ledger
        self._address = ("127.0.0.1", spec["port"])
        self._rate = spec["rate"] / spec["devices"]
        self._group = spec["group"]
        self._limit = spec["limit"]
        self._past_t = spec["past_t"]
        topic = messages.topic(name, "up", "rec").encode()
        self._topic = struct.pack(">H", len(topic)) + topic
        self._filter = messages.topic(name, "dn", "ack").encode()
        self._credit = rng.random()
        self._made_at = time.monotonic()
        self._unsent = deque()  # (boot, seq), made and not sent yet, or to be sent again
        self._kept = {}  # (boot, seq) -> bytes, until acked
        self._flying = {}  # (boot, seq) -> when it was sent, oldest first
        self._old = deque(maxlen=20)  # acked; a device that sends twice sends these, too
        self._boot, self._seq = spec["boot"], 0
        self._last_t = 0
        self._dated = "undated" not in habit
        self._started = int(time.time())
        self._boot_at = time.monotonic() + rng.uniform(*BOOT_S)
        self._break_at = time.monotonic() + rng.uniform(*REST_S)
        self.socket = None
        self._in = bytearray()
        self._out = bytearray()
        self._ready = False
        self._connect_at = time.monotonic() + rng.uniform(0, 0.3)
        self._ping_at = 0.0
        self._mid = 0
        self._resend_s = self._patience_s = spec["resend_s"]
        self._late_at = 0.0
        self._in_doubt = {}  # message id -> its records, until the broker's PUBACK

    @property
    def waiting(self):
        return len(self._kept)

    def make(self, now):
        """Make what is due, into the ledger; nothing is sent."""
        if self.paused:
            if not self._dated and self._seq:
                self._make_clock()
            return
        if "boots" in self.habit and self._started is not None and now > self._boot_at:
            if not self._dated:
                self._make_clock()
            self._boot += 1
            self._seq = 0
            self._dated = "undated" not in self.habit
            self._started = None  # it takes a second, so that no two boots share one
            self._boot_at = now + self._rng.uniform(*BOOT_S)
        if self._started is None:
            if int(time.time()) <= self._last_t:
                return
            self._started = int(time.time())
        self._credit += self._rate * min(now - self._made_at, CATCH_UP_S)
        self._made_at = now
        while self._credit >= 1:
            self._credit -= 1
            n = self._group or (self._rng.randint(2, GROUP_MAX) if self.habit == "groups" else 1)
            for _ in range(n):
                if self._limit is None or self.made < self._limit:
                    self._make_one()
            self._unsent.append(None)  # end of a message

    def _make_one(self):
        t = self._time()
        if not self._dated and self._seq >= UNDATED:
            self._make_clock()
        rng, n = self._rng, self.made
        if not self._dated:
            t = -1 - (t - (self._started - EPOCH_2020))
        if n % EVENT_EVERY == EVENT_EVERY - 1:
            values = [1, 412_000_000 + self._n, 31_000_000, 122_000_000, n % 1000]
            self._note(schema.AIS, t, values)
        else:
            lat, lon = 31_000_000 + self._n, 122_000_000 - rng.randrange(100_000)
            self._note(schema.BEACON, t, [257, lat, lon, 12, n % 1000, 12_600 + n % 7, None, 0])

    def _make_clock(self):
        t = self._time()
        self._dated = True
        self._note(schema.CLOCK, t, [t - (self._started - EPOCH_2020), 1, self._n])
        self._unsent.append(None)

    def _time(self):
        if self._past_t is not None:  # a queue of old records: their time is their own
            return self._past_t + self.made // 100
        self._last_t = int(time.time())
        return self._last_t - EPOCH_2020

    def _note(self, which, t, values):
        raw = cbor2.dumps([which, self._boot, self._seq, t, *values])
        self._ledger.note(self.name, self._boot, self._seq, raw)
        self._kept[self._boot, self._seq] = raw
        self._unsent.append((self._boot, self._seq))
        self._seq += 1
        self.made += 1

    def step(self, now, selector):
        """Connect, send, break: whatever is due."""
        if self.socket is None:
            if now >= self._connect_at:
                self._connect(now, selector)
            return
        if self._ready:
            if self.habit == "breaks" and now > self._break_at:
                self.breaks += 1
                self._break_at = now + self._rng.uniform(*REST_S)
                self.lost(now, selector)
                return
            self._send_due(now)
            if now > self._ping_at:
                self._out += b"\xc0\x00"
                self._ping_at = now + KEEPALIVE_S / 2
        self.flush(now, selector)

    def _send_due(self, now):
        flying, late = self._flying, False
        while flying:
            key = next(iter(flying))
            if now - flying[key] < self._patience_s:
                break
            self.late_s = max(self.late_s, now - flying.pop(key))
            self._unsent.appendleft(None)
            self._unsent.appendleft(key)
            self.resent += 1
            late = True
        if late and now - self._late_at > self._patience_s:
            self._late_at = now
            self._patience_s = min(2 * self._patience_s, RESEND_MAX_S)
        while self._unsent and len(flying) < FLYING_MAX:
            group, payload = [], b""
            while self._unsent:
                key = self._unsent.popleft()
                if key is None:
                    break
                raw = self._kept.get(key)
                if raw is None:  # acked since
                    continue
                group.append(key)
                payload += raw
                if len(payload) > schema.PAYLOAD_MAX - schema.RECORD_MAX:
                    break
            if not group:
                continue
            for key in group:
                flying[key] = now
            self._publish(payload)
            self._in_doubt[self._mid] = group
            if self.habit == "twice" and self._rng.random() < 0.1:
                self.resent += 1
                self._publish(self._rng.choice(self._old) if self._old else payload)

    def _publish(self, payload):
        self._mid = self._mid % 65535 + 1
        size = len(self._topic) + 2 + len(payload)
        head = bytes((0x32, size)) if size < 128 else bytes((0x32, size & 127 | 128, size >> 7))
        self._out += head + self._topic + struct.pack(">H", self._mid) + payload
        self.sent += 1

    def _connect(self, now, selector):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        code = self.socket.connect_ex(self._address)
        if code not in {0, errno.EINPROGRESS}:
            self.lost(now, selector)
            return
        selector.register(self.socket, selectors.EVENT_READ, self)
        name, word = self.name, self.name[::-1]
        body = b"\x00\x04MQTT\x04\xc2" + struct.pack(">H", KEEPALIVE_S)
        for text in (name, name, word):
            body += struct.pack(">H", len(text)) + text
        self._out += bytes((0x10, len(body))) + body
        body = b"\x00\x01" + struct.pack(">H", len(self._filter)) + self._filter + b"\x00"
        self._out += bytes((0x82, len(body))) + body
        self._ping_at = now + KEEPALIVE_S / 2

    def lost(self, now, selector):
        """The connection is gone: what the broker has not taken goes again on the next one."""
        if self.socket is not None:
            with contextlib.suppress(KeyError, ValueError):
                selector.unregister(self.socket)
            self.socket.close()
        self.socket = None
        self._ready = False
        self._in.clear()
        self._out.clear()
        self._connect_at = now + self._rng.uniform(0.1, 0.5)
        for group in reversed(self._in_doubt.values()):
            again = [key for key in group if self._flying.pop(key, None) is not None]
            self._unsent.extendleft([None, *reversed(again)])
            self.resent += len(again)
        self._in_doubt.clear()

    def flush(self, now, selector):
        """Give the socket what it takes."""
        if not self._out:
            return
        try:
            del self._out[: self.socket.send(self._out)]
        except BlockingIOError:
            pass
        except OSError:
            self.lost(now, selector)

    def readable(self, now, selector):
        """Take in what came."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.lost(now, selector)
            return
        self._in += data
        at = 0
        while (end := _packet_end(self._in, at)) is not None:
            self._packet(at, end, now)
            at = end
        del self._in[:at]

    def _packet(self, at, end, now):
        kind = self._in[at] >> 4
        if kind == 9:  # SUBACK
            assert self._in[end - 1] != 0x80, "the broker refuses the subscription"
            self._ready = True
        elif kind == 2:
            assert self._in[at + 3] == 0, "the broker refuses the connection"
        elif kind == 4:
            self._in_doubt.pop(struct.unpack_from(">H", self._in, at + 2)[0], None)
        elif kind == 3:
            body = at + (2 if self._in[at + 1] < 128 else 3)
            (length,) = struct.unpack_from(">H", self._in, body)
            self._take_acks(body + 2 + length, end, now)

    def _take_acks(self, at, end, now):
        reader = Reader(self._in, at, end)
        while not reader.at_end():
            boot, first, last = messages.read_ack(reader)
            for seq in range(first, last + 1):
                raw = self._kept.pop((boot, seq), None)
                sent = self._flying.pop((boot, seq), None)
                if sent is not None:
                    self.late_s = max(self.late_s, now - sent)
                if raw is not None:
                    self.acked += 1
                    self._patience_s = self._resend_s
                    if self.habit == "twice":
                        self._old.append(raw)
                elif boot > self._boot or (boot == self._boot and seq >= self._seq):
                    self.strange += 1  # never made


def _packet_end(buf, at):
    """Return where the packet that begins at `at` ends, or None while it is not whole."""
    size = shift = 0
    pos = at + 1
    while pos < len(buf):
        size |= (buf[pos] & 127) << shift
        shift += 7
        pos += 1
        if buf[pos - 1] < 128:
            return pos + size if pos + size <= len(buf) else None
    return None


class Crowd:
    """All devices of one process, and what its parent wants of it."""

    def __init__(self, spec):
        self._ledger = Ledger(Path(spec["ledger"]))
        self._status = Path(spec["status"])
        seed = random.Random(spec["seed"])
        habits = spec["habits"]
        self._devices = [
            Device(name, spec, habits[n % len(habits)], self._ledger, random.Random(seed.random()))
            for n, name in enumerate(spec["names"])
        ]
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
        self._stopping = False
        self._commands = 0

    def run(self):
        tick_at = status_at = time.monotonic()
        while not self._stopping:
            for key, _ in self._selector.select(max(0, tick_at - time.monotonic())):
                if key.data is None:
                    self._command(os.read(0, 4096).decode())
                elif key.data.socket is key.fileobj:
                    key.data.readable(time.monotonic(), self._selector)
            now = time.monotonic()
            if now < tick_at:
                continue
            tick_at = max(tick_at + TICK_S, now - 5 * TICK_S)
            for device in self._devices:
                device.make(now)
            self._ledger.flush()
            for device in self._devices:
                device.step(now, self._selector)
            if now >= status_at:
                status_at = now + STATUS_S
                self._tell()

    def _command(self, words):
        if not words:
            self._stopping = True  # the parent is gone
        for word in words.split():
            if word == "stop":
                self._stopping = True
            elif word == "mark":
                for device in self._devices:
                    device.late_s = 0.0
            else:
                for device in self._devices:
                    device.paused = word == "pause"
        # Only what comes after a command is told as its effect.
        now = time.monotonic()
        for device in self._devices:
            device.make(now)
        self._ledger.flush()
        self._commands += 1

    def _tell(self):
        names = ("made", "sent", "resent", "acked", "strange", "breaks", "waiting")
        out = {name: sum(getattr(device, name) for device in self._devices) for name in names}
        out["late_s"] = max(device.late_s for device in self._devices)
        out["cpu_s"] = time.process_time()
        out["commands"] = self._commands
        fresh = self._status.with_suffix(".new")
        fresh.write_text(json.dumps(out))
        fresh.replace(self._status)


if __name__ == "__main__":
    Crowd(json.loads(Path(sys.argv[1]).read_text())).run()

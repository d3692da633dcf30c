"""Fakes that can be told to misbehave: stores, streams, a broker, a board. Both interpreters."""

import errno


class FakeStore:
    """A boot store; `broken` refuses writes, `deaf` takes them without keeping them."""

    def __init__(self, data=None):
        self.data = data
        self.broken = False
        self.deaf = False

    def load(self):
        return self.data

    def save(self, data):
        if self.broken:
            raise OSError(errno.EIO)
        if not self.deaf:
            self.data = bytes(data)


class PowerCut(BaseException):
    """The supply is gone in the middle of a write. No `except Exception` may stop it."""


class FakeFiles:
    """The flash of `hal.files()` in RAM, with littlefs's promises and its failures.

    What was written through a handle is there after `flush()` or `close()` and not before; `replace`
    leaves the old content or the new. Every byte written, and every flush, rename and remove, is one
    step of `steps`. A test may set

        cut        the power goes at this step, which is not done: PowerCut is raised, and nothing
                   works until `restart()` (the next steps may be cut again)
        size       bytes that all files may have; more is refused with ENOSPC
        broken     every access raises EIO;  `read_only`: every write does

        for cut in range(1, 1000):
            files = FakeFiles()
            files.cut = cut
            try:
                work(files)
            except PowerCut:
                pass
            files.restart()
    """

    def __init__(self, size=1 << 20):
        self.files = {}  # name: bytes, as it would be found after a power cut
        self.size_max = size
        self.steps = 0
        self.cut = None
        self.broken = False
        self.read_only = False
        self.writes = 0  # flushes that had something to write, and replaces
        self._life = 0

    def restart(self):
        """Give the power back: open handles are void, and what they had not flushed is gone."""
        self._life += 1
        self.cut = None

    def used(self):
        return sum(len(data) for data in self.files.values())

    def names(self):
        self._check()
        return [name for name in self.files if not name.endswith(".new")]

    def size(self, name):
        self._check()
        return len(self.files.get(name, b""))

    def read(self, name):
        self._check()
        return self.files.get(name)

    def replace(self, name, data):
        beside = name + ".new"
        self.files.pop(beside, None)
        handle = self.append(beside)
        try:
            handle.write(data)
            handle.flush()
        finally:
            handle.close()
        self.rename(beside, name)

    def append(self, name):
        self._check(True)
        return _Appended(self, name)

    def open(self, name):
        self._check()
        if name not in self.files:
            raise OSError(errno.ENOENT, "ENOENT")
        return _Opened(self, self.files[name])

    def remove(self, name):
        self._check(True)
        if name not in self.files:
            raise OSError(errno.ENOENT, "ENOENT")
        self._step()
        del self.files[name]

    def rename(self, old, new):
        self._check(True)
        if old not in self.files:
            raise OSError(errno.ENOENT, "ENOENT")
        self._step()
        self.files[new] = self.files.pop(old)

    def free(self):
        self._check()
        return max(self.size_max - self.used(), 0)

    def _check(self, writing=False):
        if self.cut is not None and self.steps >= self.cut:
            raise PowerCut
        if self.broken or (writing and self.read_only):
            raise OSError(errno.EIO, "EIO")

    def _step(self, n=1):
        """Take `n` steps; stop at the one that is cut."""
        if self.cut is not None and self.steps + n >= self.cut:
            self.steps = self.cut
            raise PowerCut
        self.steps += n


class _Handle:
    def __init__(self, files):
        self._files = files
        self._life = files._life

    def _check(self, writing=False):
        if self._life != self._files._life:
            raise OSError(errno.EBADF, "EBADF")
        self._files._check(writing)


class _Appended(_Handle):
    def __init__(self, files, name):
        super().__init__(files)
        self._name = name
        self._new = b""
        self._failed = False  # as littlefs: after a write that failed, nothing of it is kept

    def write(self, buf):
        self._check(True)
        data = bytes(buf)
        if self._files.used() + len(self._new) + len(data) > self._files.size_max:
            self._failed = True
            raise OSError(28, "ENOSPC")  # MicroPython has no name for it
        self._files._step(len(data))
        self._new += data
        return len(data)

    def flush(self):
        self._check(True)
        files = self._files
        if self._failed or (not self._new and self._name in files.files):
            return
        files._step()
        files.files[self._name] = files.files.get(self._name, b"") + self._new
        files.writes += 1
        self._new = b""

    def close(self):
        # A handle is also closed on the way out after a cut; that must not hide the cut.
        if self._life == self._files._life:
            try:
                self.flush()
            finally:
                self._life = -1


class _Opened(_Handle):
    def __init__(self, files, data):
        super().__init__(files)
        self._data = data
        self._pos = 0

    def readinto(self, buf):
        self._check()
        n = min(len(buf), len(self._data) - self._pos)
        buf[:n] = self._data[self._pos : self._pos + n]
        self._pos += n
        return n

    def seek(self, pos):
        self._check()
        self._pos = pos
        return pos

    def close(self):
        self._life = -1


class FakeLine:
    """A serial line: what is in `incoming` is read, what is written goes to `written`."""

    def __init__(self):
        self.incoming = b""
        self.written = b""

    def readinto(self, buf):
        n = min(len(buf), len(self.incoming))
        buf[:n] = self.incoming[:n]
        self.incoming = self.incoming[n:]
        return n

    def write(self, data):
        self.written += bytes(data)
        return len(data)


class FakeReader:
    """An analogue or digital input."""

    def __init__(self, value=0):
        self.value = value

    def read(self):
        return self.value


class FakeOutput:
    """An output; `told` is all that it was told."""

    def __init__(self):
        self.told = []

    def write(self, on):
        self.told.append(on)

    @property
    def held(self):
        return bool(self.told) and self.told[-1] == 1


class FakeStream:
    """A connection to a FakeBroker, or to nobody. `step` bytes at most go through at a time."""

    def __init__(self, broker=None, state=1, step=65536):
        self.broker = broker
        self.error = ""
        self.step = step
        self._state = state

    def state(self):
        return self._state

    def readinto(self, view):
        if self._state != 1:
            return 0
        n = min(len(view), len(self.broker.down), self.step)
        view[:n] = self.broker.down[:n]
        self.broker.down = self.broker.down[n:]
        return n

    def write(self, view):
        if self._state != 1:
            return 0
        n = min(len(view), self.step)
        self.broker.take(bytes(view[:n]))
        return n

    def close(self):
        self._state = -1

    def break_off(self, error="ECONNRESET"):
        self.error = error
        self._state = -1


class FakeBroker:
    """Enough of an MQTT broker to answer; `silent` swallows everything, `refuse` is a CONNACK code.

    `published` holds (topic, payload, qos, retain), `packets` every packet's first byte.
    """

    def __init__(self):
        self.down = b""
        self.published = []
        self.packets = []
        self.connect_packet = b""
        self.silent = False
        self.refuse = 0
        self.puback = True
        self._up = b""

    def take(self, data):
        self._up += data
        while True:
            packet = self._next()
            if packet is None:
                return
            self.packets.append(packet[0])
            if not self.silent:
                self._answer(packet)

    def send(self, topic, payload, qos=0, message_id=1, retain=0):
        body = bytes([len(topic) >> 8, len(topic) & 0xFF]) + topic
        if qos:
            body += bytes([message_id >> 8, message_id & 0xFF])
        body += payload
        self.down += bytes([0x30 | qos << 1 | retain]) + length(len(body)) + body

    def _next(self):
        if len(self._up) < 2:
            return None
        n = shift = 0
        for i in range(1, 5):
            if i >= len(self._up):
                return None
            n |= (self._up[i] & 0x7F) << shift
            shift += 7
            if not self._up[i] & 0x80:
                break
        end = i + 1 + n
        if len(self._up) < end:
            return None
        packet = bytes([self._up[0]]) + self._up[i + 1 : end]
        self._up = self._up[end:]
        return packet

    def _answer(self, packet):
        kind = packet[0] & 0xF0
        if kind == 0x10:
            self.connect_packet = packet
            self.down += bytes([0x20, 2, 0, self.refuse])
        elif kind == 0x80:
            self.down += bytes([0x90, 3, packet[1], packet[2], 1])
        elif kind == 0x30:
            n = packet[1] << 8 | packet[2]
            at = 3 + n
            qos = packet[0] >> 1 & 3
            if qos:
                at += 2
                if self.puback:
                    self.down += bytes([0x40, 2, packet[at - 2], packet[at - 1]])
            self.published.append((packet[3 : 3 + n], packet[at:], qos, packet[0] & 1))
        elif kind == 0xC0:
            self.down += b"\xd0\x00"


def length(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


class FakeNetwork:
    """An interface that is up while its board's `up` is true; `calls` is what it was told."""

    kind = 1
    metered = False
    error = "no antenna"

    def __init__(self, board):
        self.calls = []
        self._board = board

    def start(self, now_ms):
        self.calls.append("start")

    def up(self, now_ms):
        return self._board.up

    def stop(self):
        self.calls.append("stop")

    def cycle(self, now_ms):
        self.calls.append("cycle")

    def signal(self):
        return None


class FakeDog:
    """A watchdog; `fed` counts."""

    timeout_ms = None
    fed = 0

    def feed(self):
        self.fed += 1


class FakeBackup:
    """Backup RAM of a FakeBoard."""

    wears = False

    def __init__(self, board):
        self._board = board

    def load(self):
        return self._board.memory or None

    def save(self, data):
        if len(self._board.memory) == len(data):
            self._board.memory[:] = data  # as RTC memory, without garbage
        else:
            self._board.memory = bytearray(data)


class FakeGuard:
    """The guard's face to the agent; `calls` is what it was told."""

    mode = 0
    failed = 0
    update = 0
    trial = False

    def __init__(self):
        self.calls = []

    def other(self):
        return "/b"

    def claim(self):
        self.calls.append("claim")

    def arm(self):
        self.calls.append("arm")
        return True

    def good(self):
        self.calls.append("good")

    def confirm(self):
        self.calls.append("confirm")

    def retry(self):
        self.calls.append("retry")

    def roll_back(self, result):
        self.calls.append(result)


class FakeBoard:
    """A board whose time, network and connections the test decides."""

    name = "fake"

    def __init__(self, broker=None):
        self.ticks = 0
        self.broker = broker or FakeBroker()
        self.streams = []
        self.up = True
        self.lines = {}
        self.adcs = {}
        self.digitals = {}
        self.outputs = {}
        self.buses = {}
        self.stores = (FakeStore(), FakeStore())
        self.refuse = False  # connections are refused
        self.flash = FakeFiles()
        self.memory = b""
        self.own_guard = FakeGuard()
        self.dog = FakeDog()
        self.cause = 1
        self.resets = []  # intents
        self.sleeps = []  # milliseconds

    def ticks_ms(self):
        return self.ticks

    def ticks_diff(self, a, b):
        return (a - b + (1 << 29)) % (1 << 30) - (1 << 29)

    def random(self, n):
        return bytes(range(n))

    def uart(self, port, baud, parity):
        return self.lines.setdefault(port, FakeLine())

    def adc(self, channel):
        return self.adcs.get(channel)

    def digital(self, name):
        return self.digitals.get(name)

    def output(self, name):
        return self.outputs.get(name)

    def i2c(self, name):
        return self.buses.get(name)

    def connect(self, host, port, trust=None):
        stream = FakeStream(self.broker, state=-1 if self.refuse else 1)
        if self.refuse:
            stream.error = "ECONNREFUSED"
        self.broker.down = b""
        self.broker._up = b""
        self.streams.append(stream)
        return stream

    def network(self, access):
        self.net = FakeNetwork(self)
        return self.net

    def boot_stores(self):
        return self.stores

    def fitted(self, line):
        return line in self.lines

    def files(self):
        return self.flash

    def slot(self, folder):
        return FakeFiles()

    def spare(self):
        return None

    def backup(self):
        return FakeBackup(self)

    def guard(self):
        return self.own_guard

    def rtc(self):
        return None

    def watchdog(self, timeout_ms):
        self.dog.timeout_ms = timeout_ms
        return self.dog

    def reset(self, intent):
        self.resets.append(intent)

    def deep_sleep(self, ms):
        self.sleeps.append(ms)

    def reset_cause(self):
        return self.cause

    def heap_free(self):
        return None

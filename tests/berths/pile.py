"""A pile whose truth is known: a load curve in whole watt-milliseconds drives a meter, and all goes wrong."""

import random
from dataclasses import dataclass, field

from agent.alarms import Alarms
from agent.meter.session import IDLE, Session
from agent.meter.use import Use
from agent.wire import decode, schema
from agent.wire.encode import Encoder
from cloud.berths.events import Event, event
from tests.device.fakes import FakeFiles, PowerCut

RATED_W = 100_000
STEP_MS = 1000
PERIOD_MS = 10_000
WMS_OF_COUNT = 10 * 3600 * 1000  # watt-milliseconds of 0.01 kWh
T0 = 200_000_000


class Meter:
    """A register in exact integers. `lost` counts vanished from it (a reset), but not from the truth."""

    def __init__(self, number, start, ct, modulus):
        self.number = number
        self.start = start
        self.ct = ct
        self.modulus = modulus
        self.lost = 0
        self.tariffs = [0, 0, 0, 0]  # W·ms
        self.count_wms = WMS_OF_COUNT * ct

    @property
    def wms(self):
        return sum(self.tariffs)

    def true_counts(self):
        return self.wms // self.count_wms

    def take(self, watts, ms, tariff):
        self.tariffs[tariff] += watts * ms

    def read(self):
        def register(base, wms):
            return (base + wms // self.count_wms - self.lost) % self.modulus

        tariffs = [register(self.start // 5, wms) for wms in self.tariffs]
        return (
            register(self.start, self.wms), 0, -2, 1, self.ct, self.number, *tariffs, self.modulus, 1,
        )  # fmt: skip


@dataclass
class Call:
    """A plug's stay, with the truth: 10**-6 kWh by every meter that there was."""

    micro: int = 0
    seen_s: int = 0  # while the agent ran
    sessions: set = field(default_factory=set)


class Pile:
    """The world of one pile, second by second; `trouble` names what may go wrong."""

    def __init__(self, seed, trouble):
        self.rng = random.Random(seed)
        self.trouble = trouble
        self.files = FakeFiles()
        self.encoder = Encoder()
        self.ms = 0
        self.boot = 0
        self.meters = 0
        self.events: list[Event] = []
        self.calls: list[Call] = []
        self.call = None
        self.plug = False
        self.watts = 0
        self.silent_s = 0
        self.glitch_ms = 0
        self.offset_s = 0
        self.clock_known = True
        self.bounced = False
        self.new_meter()
        self.restart()

    # The world.

    def new_meter(self):
        self.meters += 1
        modulus = 10**8 if self.rng.random() < 0.7 else 10**6
        near = "rollover" in self.trouble and self.rng.random() < 0.5
        start = modulus - self.rng.randrange(1, 300) if near else self.rng.randrange(modulus // 2)
        ct = self.rng.choice((1, 1, 10, 40))
        self.meter = Meter(b"%012d" % self.meters, start, ct, modulus)
        self.counted = 0

    def pass_time(self, ms):
        self.ms += ms
        tariff = self.ms // 3_600_000 % 4
        self.meter.take(self.watts if self.plug else 0, ms, tariff)
        counts = self.meter.true_counts()
        if self.call is not None:
            self.call.micro += (counts - self.counted) * 10_000 * self.meter.ct
        self.counted = counts

    def plug_in(self):
        self.plug = True
        self.call = Call()
        self.calls.append(self.call)
        self.load()

    def plug_out(self):
        self.watts = 0
        self.plug = False

    def load(self):
        self.watts = self.rng.choice((0, 800, 2600, 8600, 50_000, RATED_W))

    # The agent.

    def t(self):
        if not self.clock_known:
            return -1 - self.up_ms // 1000
        return T0 + self.ms // 1000 + self.offset_s

    def restart(self):
        self.boot += 1
        self.seq = 0
        self.up_ms = 0
        self.files.restart()
        self.read, self.read_ms = None, None
        self.clock_known = "clock" not in self.trouble or self.rng.random() < 0.7
        self.alarms = Alarms()
        self.session = Session(
            self.files, self.boot, self, self.alarms, RATED_W, interval_s=600, rest_s=100
        )
        self.use = Use(self.alarms, ct=self.meter.ct, start_pm=1)
        if "cut" in self.trouble and self.rng.random() < 0.5:
            self.files.cut = self.files.steps + self.rng.randrange(1, 2000)

    def step(self):
        self.pass_time(STEP_MS)
        self.up_ms += STEP_MS
        if self.plug and self.call is not None:
            self.call.seen_s += 1
        self.silent_s = max(self.silent_s - 1, 0)
        if self.up_ms % PERIOD_MS == 0 and not self.silent_s:
            self.read, self.read_ms = self.reading(), self.up_ms
        fresh = self.read_ms is not None and self.up_ms - self.read_ms <= 2 * PERIOD_MS
        watts = (self.watts if self.plug else 0) if fresh else None
        in_use = self.use.look(watts, None, None, None, self.session.imported, self.up_ms)
        plug = self.plug
        # Chatter; a contact that is open for two seconds is an unplugged one to anybody.
        self.bounced = "chatter" in self.trouble and not self.bounced and self.rng.random() < 0.05
        if self.bounced:
            plug = not plug
        if "contactless" in self.trouble:
            plug = None
        counts = self.read if fresh else None
        try:
            self.session.look(plug, None, in_use, counts, self.read_ms, self.up_ms)
            self.tell()
        except PowerCut:
            self.off()

    def tell(self):
        values = self.session.next_record()
        if values is None:
            return
        if "cut" in self.trouble and self.rng.random() < 0.02:
            raise PowerCut  # after the journal, before the outbox
        n = self.encoder.record(schema.SESSION, self.boot, self.seq, self.t(), values)
        record = decode.one(bytes(self.encoder.buf[:n]))
        assert not decode.check(record)
        told = event("pile-1", record.boot, record.seq, record.t, record.values)
        self.seq += 1
        self.events.append(told)
        if self.call is not None:
            self.call.sessions.add(told.session)

    def reading(self):
        counts = self.meter.read()
        glitch = "glitch" in self.trouble and self.rng.random() < 0.02
        # Two in a row may confirm each other; that is a segment, and somebody looks.
        if glitch and ("back" in self.trouble or self.ms - self.glitch_ms > 3 * PERIOD_MS):
            self.glitch_ms = self.ms
            return (self.rng.choice((0, self.rng.randrange(self.meter.modulus))), *counts[1:])
        return counts

    def off(self):
        """Be without power, or without the agent, for a while."""
        if self.rng.random() < 0.5:
            self.watts = 0
        gone_s = self.rng.choice((3, 60, 1200))
        leaves = self.plug and self.rng.random() < 0.15
        for second in range(gone_s):
            self.pass_time(1000)
            if leaves and second == gone_s // 2:
                self.plug_out()
        if self.plug and self.rng.random() < 0.8:
            self.load()
        if "swap" in self.trouble and self.rng.random() < 0.2:
            self.new_meter()
        self.restart()

    # What happens.

    def run(self, calls):
        """Let so many ships come and go; return the calls."""
        for _ in range(calls):
            self.for_s(self.rng.randrange(90, 400))
            self.plug_in()
            self.for_s(self.rng.randrange(300, 5000), busy=True)
            self.plug_out()
            self.for_s(60)
            while self.session.state != IDLE:  # the power went once more
                self.step()
            self.call = None
        self.files.cut = None
        self.for_s(30)
        return self.calls

    def for_s(self, seconds, *, busy=False):
        for _ in range(seconds):
            self.step()
            chance = self.rng.random()
            if not self.plug and busy:
                return
            if busy and chance < 0.004:
                self.load()
            elif chance < 0.0046 and "reboot" in self.trouble:
                self.off()
            elif chance < 0.005 and "clock" in self.trouble:
                self.offset_s += self.rng.choice((-3600, 3600))
                self.clock_known = True
            elif busy and chance < 0.0052 and "swap" in self.trouble:
                self.new_meter()
            elif busy and chance < 0.0054 and "back" in self.trouble:
                self.meter.lost += self.rng.randrange(200, 100_000)
            elif chance < 0.0058 and "silent" in self.trouble:
                self.silent_s = self.rng.randrange(15, 400)

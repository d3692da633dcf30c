"""An hour of an agent's work on flash, the same every time, and the ledger of what it may rely on.

The broker is away but for a few minutes; there are reports, ships, alarms, sessions, acknowledgements
in odd ranges, and three restarts, one of them in the middle of a gathering.
"""

from dataclasses import dataclass, field

from agent.keep.boots import BootNumber, pack
from agent.keep.outbox import Outbox
from agent.wire import codes
from tests.device.records import identities, record
from tests.flash.chip import Chip, LittleFiles, Store, mount

FLASH_BYTES = 65536
WINDOW = 2048  # small: what lies on flash comes and goes
_RESTARTS_S = (700, 1511, 2600)
_LINKED_S = ((1200, 1260), (3000, 3200))

Identity = tuple[int, int]


@dataclass
class Ledger:
    """For each record and boot: how many writes the chip had seen when it came to be so."""

    made: dict[Identity, int] = field(default_factory=dict)
    synced: dict[Identity, int] = field(default_factory=dict)
    acked: dict[Identity, int] = field(default_factory=dict)
    boots: dict[int, int] = field(default_factory=dict)


def steady(n: int) -> bytes:
    """No jitter."""
    return bytes(n)


def start(chip: Chip, window: int = WINDOW) -> tuple[BootNumber, Outbox]:
    """Start a board: mount, raise the boot number, find the records."""
    files = LittleFiles(mount(chip))
    boot = BootNumber(Store(files, "boot-a"), Store(files, "boot-b"), steady)
    return boot, Outbox(window, steady, files, FLASH_BYTES)


class Hour:
    """Runs the hour on a fresh chip; `chip.writes` and `ledger` are what it leaves."""

    def __init__(self) -> None:
        self.chip = Chip()
        files = LittleFiles(mount(self.chip, fresh=True))
        for name in ("boot-a", "boot-b"):
            Store(files, name).save(pack(0))
        self.before = bytes(self.chip.image)
        self.chip.writes = []
        self.ledger = Ledger()
        self.payload = bytearray(512)
        self.erases = 0  # as the outbox estimates them
        self.boot_erases = 0
        self._start()
        for now_s in range(3600):
            self._second(now_s)

    def _start(self) -> None:
        before = self.chip.erases
        self.boot, self.outbox = start(self.chip)
        self.boot_erases += self.chip.erases - before
        self.seq = 0

    def _second(self, now_s: int) -> None:
        if now_s in _RESTARTS_S:
            self.erases += self.outbox.erases
            self._start()
        if now_s % 60 == 7:
            self._put(codes.LANE_STATUS, 45)
        if now_s % 25 == 3 and now_s % 600 < 400:
            self._put(codes.LANE_BULK, 30)
        if now_s % 500 == 111:
            self._put(codes.LANE_ALARM, 24)
        if now_s % 900 in (200, 640):
            self._put(codes.LANE_SESSION, 60)
        if now_s == 3599:
            self.outbox.sync()  # before a deliberate reset
        self.outbox.poll(now_s * 1000)
        self._note_synced()
        for begin, end in _LINKED_S:
            if begin <= now_s < end:
                self._talk(now_s)

    def _put(self, lane: int, size: int) -> None:
        boot, seq = self.boot.value, self.seq
        data = record(boot, seq, size)
        self.ledger.made[boot, seq] = len(self.writes)
        self.ledger.boots.setdefault(boot, len(self.writes))
        self.outbox.put(data, len(data), boot, seq, lane)
        if lane <= codes.LANE_SESSION:
            self.ledger.synced[boot, seq] = len(self.writes)
        self.seq += 1

    def _note_synced(self) -> None:
        if self.outbox._unsaved == 0:
            for boot, seq in self.ledger.made:
                if boot == self.boot.value:
                    self.ledger.synced.setdefault((boot, seq), len(self.writes))

    def _talk(self, now_s: int) -> None:
        """Send one message; the gateway takes two of three of its records, in ranges."""
        n = self.outbox.fill(self.payload, now_s, 1 + now_s)
        self.outbox.arrived(1 + now_s)
        for boot, seq in identities(bytes(self.payload[:n])):
            if (seq + now_s) % 3:
                self.ledger.acked.setdefault((boot, seq), len(self.writes))
                self.outbox.ack(boot, seq, seq)

    @property
    def writes(self):
        return self.chip.writes

"""Agents on CPython that produce as fast as a test wants, and keep a ledger of what they produced."""

import threading
import time
from pathlib import Path
from types import MappingProxyType
from typing import Self

from agent import works
from agent.agent import Agent
from agent.hal.host import HostBoard
from agent.keep.outbox import Outbox
from agent.main import Start
from agent.wire import codes, schema
from tests.chain.processes import wait_for
from toolkit import commission


class Burst:
    """A profile that makes `rate` beacon records a second, and an event now and then."""

    code = codes.PROFILE_BEACON
    parts = ()
    stretch = 1
    hurry = False
    actions = MappingProxyType({})

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.paused = False
        self._made = 0
        self._start_ms = None

    def gather(self, agent, now_ms):
        if self._start_ms is None:
            self._start_ms = now_ms
        due = int((now_ms - self._start_ms) * self.rate / 1000)
        while self._made < due and not self.paused:
            self._made += 1
            n = self._made
            agent.emit(schema.BEACON, (257, 31_000_000 + n, 122_000_000 - n, 12, n % 1000, 12600))
            if n % 10 == 0:
                agent.emit(schema.AIS, (1, 412_000_000 + n, 31_000_000, 122_000_000, n % 1000))
        if self.paused:
            self._start_ms = now_ms
            self._made = 0

    def report(self, agent, now_ms):
        pass

    def detail(self, agent, now_ms):
        pass

    def kept(self):
        return b""

    def busy(self):
        return True

    def release(self):
        pass

    def refused(self):
        return 0


class Device:
    """One agent with its ledger: (boot, seq) -> the record's bytes."""

    def __init__(self, name: str, folder: Path, port: int, profile, report_s: int = 86400) -> None:
        self.name = name
        self.profile = profile
        self.ledger: dict[tuple[int, int], bytes] = {}
        folder.mkdir(parents=True, exist_ok=True)
        board = HostBoard(str(folder))
        files = board.files()
        if commission.identity_of(files) is None:
            commission.identify(files, name, key="11" * 32, release="02" + "00" * 31)
        wanted = {"outbox_ram_bytes": 4194304, "outbox_flash_bytes": 0, "report_s": report_s}
        commission.give(files, "settings", wanted)
        commission.give(files, "access", {"port": port, "password": name[::-1]})
        given = Start(files, lambda _: board)
        given.make_profile = lambda hal, config, errors, works: profile
        self.board = board
        ledger = self.ledger

        class Noted(Outbox):
            """Writes down what it is given, the birth record included."""

            def put(self, record, n, boot, seq, lane):
                ledger[boot, seq] = bytes(record[:n])
                super().put(record, n, boot, seq, lane)

        works.Outbox, kept = Noted, works.Outbox
        try:
            self.agent = Agent(given)
        finally:
            works.Outbox = kept

    def step(self) -> None:
        self.agent.step(self.board.ticks_ms())


class Fleet:
    """Several devices in one thread."""

    def __init__(self, devices: list[Device]) -> None:
        self.devices = devices
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._halt()
        for device in self.devices:
            device.agent.link.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            for device in self.devices:
                device.step()
            time.sleep(0.005)

    def _halt(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def settle(self, timeout_s: float) -> None:
        """Let no device make more records, and stand still once all are acknowledged."""
        for device in self.devices:
            device.profile.paused = True
        while True:
            wait_for("every record's acknowledgement", lambda: not self.waiting, timeout_s)
            self._halt()
            if not self.waiting:  # a health record may have come in between
                return
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    @property
    def waiting(self) -> int:
        """How many records wait for their acknowledgement."""
        return sum(device.agent.outbox.kept for device in self.devices)

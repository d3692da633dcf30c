"""Issue 3's acceptance of BeiDou: terminals of each dialect, refusals, lost messages, both ways.

The gateway is a process with its command terminal on a simulated line; the broker is mosquitto, which
the buoys cannot reach at first. The buoys are the agent's own parts (outbox, downlink, link, terminal, fallback, clock),
put together here as the agent does; their time, and the satellites', is faster than life.
"""

import random
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import Self

import pytest

from agent.clock import Clock
from agent.hal.host import HostBoard
from agent.identity import Identity
from agent.keep.outbox import Outbox
from agent.link.commands import Commands
from agent.link.downlink import Downlink
from agent.link.fallback import Fallback
from agent.link.rdss import Terminal
from agent.link.supervisor import Supervisor
from agent.version import BUILT
from agent.wire import body as contract
from agent.wire import codes, messages, schema
from agent.wire.encode import Encoder
from gateway.journal.reading import JournalReader
from simulators.sensors.rdss import DIALECTS, Card
from tests.chain.processes import (
    GATEWAY_ENV,
    broker,
    free_port,
    gateway_command,
    gateway_config,
    process,
    wait_for,
)
from tests.chain.sky import Sky

SHORE = 2_097_151
CARDS = {f"buoy-{n}": 4_207_730 + n for n in range(3)}
KEYS = {name: bytes([n]) * 32 for n, name in enumerate(CARDS)}
AFTER_S, ALARM_AFTER_S, STATUS_S = 30, 10, 20  # of the buoys' seconds
BOOT = 7


class Boot:
    value = BOOT

    def lost(self):
        return False


class Buoy:
    """A device; `ledger` has every record it made."""

    def __init__(self, name, folder, sky, terminal):
        folder.mkdir()
        host, _, line = terminal.address.rpartition(":")
        board = HostBoard(str(folder), uarts={"rdss": (host, int(line))})
        board.clock = lambda: time.monotonic() * sky.speed
        self.name = name
        self.ledger = {}
        self.clock = Clock(BUILT)
        self.outbox = Outbox(8192, board.random)
        self.done = []
        actions = {
            messages.REPORT: lambda _arguments, _now_ms: self._do(messages.REPORT),
            messages.REBOOT: lambda _arguments, _now_ms: self._do(messages.REBOOT),
        }
        commands = Commands(board.files(), name, KEYS[name], self.clock, board.random, actions)
        self.downlink = Downlink(Boot(), self.outbox, self.clock, commands)
        self.link = Supervisor(
            board,
            name,
            self._access(free_port()),
            3600,
            BOOT,
            self.outbox,
            self.downlink,
            self.clock,
        )
        self._line = board.uart("rdss", 115200, None)
        self.fallback = Fallback(
            Terminal(self._line),
            self.outbox,
            self.downlink,
            self.clock,
            Identity(name, KEYS[name], bytes(32)),
            SHORE,
            (AFTER_S, ALARM_AFTER_S, STATUS_S),
        )
        self._board = board
        self._encoder = Encoder()
        self._ticks = board.ticks_ms()
        self._to_make = []
        self._broker = None

    def make(self, schema_id, values, lane=codes.LANE_STATUS):
        """Let it make a record; from any thread."""
        self._to_make.append((schema_id, values, lane))

    def use_broker(self, port):
        """Let it find its broker at another port; from any thread."""
        self._broker = port

    def _access(self, port):
        return {"host": "127.0.0.1", "port": port, "password": self.name[::-1]}

    def step(self):
        if self._broker is not None:
            self.link.use(self._access(self._broker))
            self._broker = None
        ticks = self._board.ticks_ms()
        now_ms = self.clock.advance(self._board.ticks_diff(ticks, self._ticks))
        self._ticks = ticks
        for part in (self.downlink, self.link, self.fallback):
            part.poll(now_ms)
        if self.clock.changed:
            self._emit(schema.CLOCK, self.clock.take_change(), codes.LANE_STATUS)
        while self._to_make:
            self._emit(*self._to_make[0])
            self._to_make.pop(0)

    def _do(self, verb):
        self.done.append(verb)
        return messages.RESULT_DONE, b""

    def close(self):
        self.link.close()
        self._line._stream.close()

    def _emit(self, schema_id, values, lane):
        seq = len(self.ledger)
        n = self._encoder.record(schema_id, BOOT, seq, self.clock.t(), values)
        self.ledger[seq] = bytes(self._encoder.buf[:n])
        self.outbox.put(self._encoder.buf, n, BOOT, seq, lane)


class Flotilla:
    """The buoys, stepped in one thread."""

    def __init__(self, buoys):
        self.buoys = buoys
        self.failed = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        for buoy in self.buoys:
            buoy.close()

    def _run(self):
        try:
            while not self._stop.wait(0.005):
                for buoy in self.buoys:
                    buoy.step()
        except BaseException as error:  # noqa: BLE001  (told by the test)
            self.failed = error

    @property
    def waiting(self):
        if self.failed is not None:
            raise self.failed
        return sum(buoy.outbox.kept + len(buoy._to_make) for buoy in self.buoys)


class Journal:
    """An independent look into the gateway's journal."""

    def __init__(self, path):
        self._path = path

    def ask(self, query):
        if not self._path.exists():
            return []
        db = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    def rows(self):
        if not self._path.exists():
            return []
        reader = JournalReader(self._path)
        rows = reader.newest("", None, 1_000_000)[::-1]  # those that wait, too
        reader.close()
        return [(r.device, r.boot, r.seq, r.schema, r.link, r.raw) for r in rows]

    def counters(self):
        return dict(self.ask("SELECT name, value FROM counters"))

    def refused(self):
        return self.ask("SELECT reason, detail FROM dead_letters") + self.ask(
            "SELECT 'conflict', seq FROM conflicts"
        )


def beidou_config(folder, port, shore):
    path = gateway_config(folder, port, f"sqlite:{folder / 'series'}")
    cards = "".join(f'{card} = "{name}"\n' for name, card in CARDS.items())
    text = path.read_text().replace("[broker]", 'keys_file = "keys.toml"\n[broker]')
    text += f'[beidou]\nport = "socket://{shore.address}"\ngather_s = 0\n'
    path.write_text(text + f"[beidou.cards]\n{cards}")
    keys = folder / "keys.toml"
    keys.touch(0o600)
    keys.write_text("".join(f'{name} = "{key.hex()}"\n' for name, key in KEYS.items()))
    return path


def dialects(first):
    """Return the buoys' dialects, one each."""
    at = DIALECTS.index(first)
    return DIALECTS[at:] + DIALECTS[:at]


def beacon(n):
    return schema.BEACON, (257, 31_000_000 + n, 122_000_000 - n, 12, n, 12600)


def alarm(active):
    return schema.ALARM, (codes.ALARM_BATTERY_LOW, active, 11_400, 11_500), codes.LANE_ALARM


def has(journal, device, schema_id, link):
    return any(row[0] == device and row[3:5] == (schema_id, link) for row in journal.rows())


@pytest.mark.parametrize(
    "shore_dialect", ["2.1", *(pytest.param(d, marks=pytest.mark.prove) for d in ("3.0", "4.0"))]
)
def test_an_alarm_by_satellite_is_in_the_journal_once_though_it_came_by_mqtt_later(
    shore_dialect, tmp_path
):
    with ExitStack() as stack:
        port, _ = stack.enter_context(broker("mosquitto", tmp_path, list(CARDS)))
        sky = stack.enter_context(Sky(seed=20261122, speed=20))
        shore = sky.terminal(shore_dialect, Card(SHORE, 1, 4))
        terminals = {
            name: sky.terminal(dialect, Card(CARDS[name], 5, 3))
            for name, dialect in zip(CARDS, dialects(shore_dialect), strict=True)
        }
        for terminal in terminals.values():
            terminal.refusals = ["no lock", "interval", "silent", "unsaid"]
        shore.refusals = ["no lock", "interval"]
        # Nothing comes down, and of each buoy one message that its terminal accepted is lost.
        lost = Counter()

        def loses(sender, _to, _content):
            lost[sender] += 1
            return sender == SHORE or lost[sender] == 2

        sky.network.loses = loses
        config = beidou_config(tmp_path, port, shore)
        log = tmp_path / "gateway.log"
        stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
        journal = Journal(tmp_path / "gateway" / "journal.sqlite")
        buoys = [Buoy(name, tmp_path / name, sky, terminals[name]) for name in CARDS]
        flotilla = stack.enter_context(Flotilla(buoys))
        wait_for("the gateway's card", lambda: b"BeiDou terminal" in log.read_bytes())
        wait_for("the gateway at the broker", lambda: b"connected to" in log.read_bytes())
        for buoy in buoys:
            for n in range(4):
                buoy.make(*beacon(n))
            buoy.make(*alarm(1))

        # By satellite only: the buoys do not reach the broker.
        for name in CARDS:
            wait_for(f"the alarm of {name}", lambda n=name: has(journal, n, 12, 2), 60)
            wait_for(f"the status of {name}", lambda n=name: has(journal, n, 1, 2), 60)
        assert {row[4] for row in journal.rows()} == {contract.LINK_BEIDOU}
        assert all(len(content) <= 70 for _, _, content in sky.network.carried)
        for terminal in terminals.values():
            assert terminal.refused >= 3
        for buoy in buoys:
            # No acknowledgement came through: everything is still there, and will come again.
            assert buoy.outbox.kept == len(buoy.ledger)
            assert buoy.link.heard_ms is None

        # The link is back: the same records go by MQTT.
        for buoy in buoys:
            buoy.use_broker(port)
        wait_for("every acknowledgement", lambda: not flotilla.waiting, 60)
        check(journal, buoys, log)
        links = {(row[0], row[3]): row[4] for row in journal.rows()}
        for name in CARDS:
            assert links[name, schema.ALARM] == contract.LINK_BEIDOU
        counters = journal.counters()
        assert counters["duplicates"] >= 2 * len(CARDS)  # alarm and status, at least

        # The link goes again, and now acknowledgements come down by satellite.
        sky.network.loses = lambda *_: False
        for buoy in buoys:
            buoy.use_broker(free_port())
            buoy.make(*alarm(0))
        wait_for("acknowledgements by satellite", lambda: not flotilla.waiting, 60)
        check(journal, buoys, log)
        assert Counter(row[3:5] for row in journal.rows())[schema.ALARM, contract.LINK_BEIDOU] == 6


def check(journal, buoys, log):
    """Each record once, as it was made; nothing refused."""
    wanted = {(b.name, BOOT, seq): raw for b in buoys for seq, raw in b.ledger.items()}
    rows = journal.rows()
    assert {row[:3]: row[5] for row in rows} == wanted
    assert len(rows) == len(wanted)
    assert journal.refused() == []
    assert b"Traceback" not in log.read_bytes()


@pytest.mark.parametrize("alarms", [8, pytest.param(60, marks=pytest.mark.prove)])
def test_a_bad_sky_costs_time_and_no_alarm(alarms, tmp_path):
    """One message in five is lost, one sending in five refused, both ways; there is no broker."""
    rng = random.Random(alarms)
    with ExitStack() as stack:
        sky = stack.enter_context(Sky(seed=alarms, loss=0.2, speed=100))
        shore = sky.terminal("3.0", Card(SHORE, 0, 4), seed=99, refusal=0.2)
        terminals = {
            name: sky.terminal(dialect, Card(card, 5, 3), seed=card, refusal=0.2)
            for (name, card), dialect in zip(CARDS.items(), DIALECTS, strict=True)
        }
        config = beidou_config(tmp_path, free_port(), shore)
        log = tmp_path / "gateway.log"
        stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
        wait_for("the gateway's card", lambda: b"BeiDou terminal" in log.read_bytes())
        buoys = [Buoy(name, tmp_path / name, sky, terminals[name]) for name in CARDS]
        flotilla = stack.enter_context(Flotilla(buoys))
        for n in range(alarms):
            rng.choice(buoys).make(*alarm(n % 2))
            time.sleep(rng.uniform(0, 0.5))
        wait_for("every acknowledgement", lambda: not flotilla.waiting, 60 + 5 * alarms)
        check(Journal(tmp_path / "gateway" / "journal.sqlite"), buoys, log)


@pytest.mark.prove
@pytest.mark.parametrize(("dialect", "verb"), [("2.1", "report"), ("3.0", "reboot")])
def test_a_command_by_satellite_is_done_once_and_answered(dialect, verb, tmp_path):
    """`fairway gateway command`, the nonce where the verb needs one, the answer: all by satellite."""
    with ExitStack() as stack:
        sky = stack.enter_context(Sky(seed=5, speed=1))
        shore = sky.terminal("4.0", Card(SHORE, 1, 4))
        terminal = sky.terminal(dialect, Card(CARDS["buoy-1"], 1, 3))
        terminal.refusals = ["no lock"]
        config = beidou_config(tmp_path, free_port(), shore)
        log = tmp_path / "gateway.log"
        command = gateway_command(config)
        stack.enter_context(process(command, log, GATEWAY_ENV))
        wait_for("the gateway's card", lambda: b"BeiDou terminal" in log.read_bytes())
        buoy = Buoy("buoy-1", tmp_path / "buoy-1", sky, terminal)
        stack.enter_context(Flotilla([buoy]))
        wait_for("its clock", lambda: buoy.clock.source == codes.CLOCK_BEIDOU)
        order = [*command[:4], "command", verb, "--device", "buoy-1", *command[4:]]
        told = subprocess.run(order, capture_output=True, timeout=100, check=False, text=True)
        assert told.returncode == 0, told
        assert buoy.done == [getattr(messages, verb.upper())]
        assert sky.network.counts["accepted"] >= 2

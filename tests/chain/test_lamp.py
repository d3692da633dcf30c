"""The light first: whatever happens to a board, its lantern's trace is the one of an undisturbed lantern.

Two lanterns with the same character flash in one sea, in real time. One has a board that is killed at
seeded moments of its start, its work, a prompt, a crash, the safe mode; the other has no board at all.
"""

import importlib.util
import itertools
import json
import random
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest
from fakes import FakeBroker
from gatewayside import Gateway

from agent import identity
from agent.hal.files import Files, FileStore
from agent.wire import messages
from agent.wire.series import EPOCH_2020
from simulators.board.process import BoardOptions, BoardProcess, wait_until
from simulators.trace import LampTrace
from tests.chain import voyages
from tests.simulators import small_sea
from toolkit import commission

SEED = 20261122
KILLS = 2  # of each kind
EDGES = 6  # at least, before two traces are compared
ROOT = Path(__file__).parents[2]
LOOPBACK = "127.0.0.1"
NUMBERS = itertools.count(1)  # of commands; they only rise
CHARACTER = "Q R"  # lit 0.3 s of each second: many edges to compare
REGISTRY = small_sea.REGISTRY.replace("Fl(2) R 6s", CHARACTER).replace("LFl 10s", CHARACTER)
CONFIG = small_sea.CONFIG + "\n[aids]\nalways_lit = true\n"
DISTURBED, FREE = "buoy-1", "buoy-2"


class Sea:
    """A running estuary with its lanterns' trace, and one board in it."""

    def __init__(self, folder: Path, commissioned: Path) -> None:
        self.trace_file = folder / "trace"
        self.flash = folder / DISTURBED
        shutil.copytree(commissioned, self.flash)
        self._trace = LampTrace(self.trace_file)
        self._running = small_sea.Running(
            folder, registry_text=REGISTRY, config_text=CONFIG, trace=self._trace
        )

    def __enter__(self) -> Self:
        self._running.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(*error)

    def board(self, heard: list[str]) -> BoardProcess:
        """The disturbed lantern's board; what it prints is put into `heard`."""
        lines = self._running.book["devices"][DISTURBED]
        options = BoardOptions(
            name=DISTURBED,
            flash=self.flash,
            uarts={1: lines["uarts"]["gnss"], 2: lines["uarts"]["ais"]},
            inputs=lines["inputs"],
            console=True,
        )
        return BoardProcess(options, lambda data: heard.append(data.decode(errors="replace")))

    def trace(self, device: str) -> list[tuple[int, bool]]:
        """What a lantern did: (milliseconds, lit)."""
        lines = [json.loads(line) for line in self.trace_file.read_text().splitlines()]
        return [(line["ms"], line["lit"]) for line in lines if line["device"] == device]


@pytest.fixture(scope="module")
def commissioned(tmp_path_factory) -> Path:
    return voyages.commissioned(tmp_path_factory.mktemp("commissioned"), report_s=1)


@pytest.fixture
def sea(tmp_path, commissioned) -> Iterator[Sea]:
    with Sea(tmp_path, commissioned) as sea:
        yield sea


def running(heard: list[str]) -> None:
    assert wait_until(lambda: "fairway: buoy-1, boot" in "".join(heard), 10), "".join(heard)


class Shore:
    """A broker with a gateway behind it, in a thread of its own."""

    def __init__(self, sea: Sea) -> None:
        files = Files(str(sea.flash / "data"))
        self._broker = FakeBroker()
        self.gateway = Gateway(self._broker, DISTURBED, identity.read(files).key)
        self.gateway.time = lambda: int(time.time()) - EPOCH_2020
        self._server = socket.create_server((LOOPBACK, 0))
        self._server.settimeout(0.1)
        self._orders: list[Callable[[], None]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        port = self._server.getsockname()[1]
        wifi = {"ssid": "quay", "key": "virtual"}
        access = {"host": LOOPBACK, "port": port, "password": "password", "wifi": wifi}
        commission.give(files, "access", access)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(5)
        self._server.close()

    def order(self, what: Callable[[], None]) -> None:
        """Have it done in the thread that speaks to the board."""
        self._orders.append(what)

    def _serve(self) -> None:
        while not self._over.is_set():
            with suppress(OSError):
                connection, _ = self._server.accept()
                with connection:
                    self._broker.down = self._broker._up = b""
                    connection.settimeout(0.02)
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        while not self._over.is_set():
            try:
                data = connection.recv(4096)
            except TimeoutError:
                data = b""
            else:
                if not data:
                    return
            self._broker.take(data)
            while self._orders:
                self._orders.pop(0)()
            self.gateway.poll()
            connection.sendall(self._broker.down)
            self._broker.down = b""


# How a board is brought to where it is killed.


def starting(sea: Sea, rng: random.Random) -> None:
    """Die while the files are being loaded."""
    with sea.board([]) as board:
        time.sleep(rng.uniform(0.02, 0.5))
        board.kill()


def working(sea: Sea, rng: random.Random) -> None:
    """Die at work."""
    heard: list[str] = []
    with sea.board(heard) as board:
        running(heard)
        time.sleep(rng.uniform(0.1, 2.0))
        board.kill()


def at_the_prompt(sea: Sea, rng: random.Random) -> None:
    """Be interrupted by a technician, who pulls the plug."""
    heard: list[str] = []
    with sea.board(heard) as board:
        running(heard)
        with socket.create_connection((LOOPBACK, board.repl_port or 0), 5) as client:
            client.sendall(b"\x03")
            assert wait_until(lambda: ">>>" in "".join(heard), 5)
            time.sleep(rng.uniform(0.0, 0.5))
            board.kill()


def crashing(sea: Sea, rng: random.Random) -> None:
    """Crash while it is loaded, and die before the guard's reset."""
    good, broken = sea.flash / "a/agent/main.mpy", sea.flash / "a/agent/main.py"
    if good.exists():
        good.unlink()
        broken.write_text("raise MemoryError('as if')\n")
    heard: list[str] = []
    with sea.board(heard) as board:
        assert wait_until(lambda: "as if" in "".join(heard), 10), "".join(heard)
        time.sleep(rng.uniform(0.0, 1.0))
        board.kill()


def guard_of(sea: Sea):
    """Return the guard's table in the board's flash."""
    data, nvs = sea.flash / "data", sea.flash.with_name(sea.flash.name + ".nvs")
    nvs.mkdir(exist_ok=True)
    stores = FileStore(str(data / "guard-a")), FileStore(str(nvs / "fairway.guard"))
    spec = importlib.util.spec_from_file_location("guard", ROOT / "device/root/guard.py")
    guard = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guard)
    return guard.Guard(stores, lambda path: Path(f"{sea.flash}{path}").exists())


def in_safe_mode(sea: Sea, rng: random.Random) -> None:
    """Die as the safe agent, after starts that came to nothing."""
    for _ in range(3):
        guard_of(sea).choose(False)
    shutil.rmtree(sea.flash / "a", ignore_errors=True)  # it is the safe agent, or none
    heard: list[str] = []
    with sea.board(heard) as board:
        running(heard)
        time.sleep(rng.uniform(0.1, 1.0))
        board.kill()


def commanded(sea: Sea, rng: random.Random) -> None:
    """Die while a command is carried out: a restart, which is the one that leaves the most undone."""
    heard: list[str] = []
    with Shore(sea) as shore, sea.board(heard) as board:
        gateway = shore.gateway
        running(heard)
        assert wait_until(lambda: gateway.records, 15)
        shore.order(gateway.ask_nonce)
        assert wait_until(lambda: gateway.nonce, 5)
        until = int(time.time()) - EPOCH_2020 + 60
        number = next(NUMBERS)
        shore.order(lambda: gateway.command(number, messages.REBOOT, until, nonce=gateway.nonce))
        time.sleep(rng.uniform(0.0, 4.0))
        board.kill()


def updated(sea: Sea, rng: random.Random) -> None:
    """Die in an update's trial: the other slot runs, and has not proven itself."""
    if not (sea.flash / "b").exists():
        shutil.copytree(sea.flash / "a", sea.flash / "b")
    table = guard_of(sea)
    table.choose(True)
    assert table.trial or table.arm()
    heard: list[str] = []
    with sea.board(heard) as board:
        running(heard)
        time.sleep(rng.uniform(0.1, 1.0))
        board.kill()


@pytest.mark.parametrize(
    "kill", [starting, working, at_the_prompt, crashing, in_safe_mode, commanded, updated]
)
def test_kills_do_not_touch_the_light(sea: Sea, kill: Callable[[Sea, random.Random], None]):
    rng = random.Random(f"{SEED}/{kill.__name__}")
    for _ in range(KILLS):
        kill(sea, rng)
    assert wait_until(lambda: len(sea.trace(FREE)) > EDGES, 10)
    time.sleep(0.2)
    disturbed, free = sea.trace(DISTURBED), sea.trace(FREE)
    count = min(len(disturbed), len(free))
    assert count >= EDGES
    assert disturbed[:count] == free[:count]
    assert len(disturbed) - count <= 2 >= len(free) - count  # looked at between two lines


HOLD = """
import machine
machine.Pin(12, machine.Pin.OUT, value=1)
print('holds')
"""


def test_a_board_that_asks_for_darkness_gets_it_until_it_dies(sea: Sea):
    """That the other tests could fail: the control line is real, and a dead board lets go of it."""
    (sea.flash / "main.py").write_text(HOLD)
    heard: list[str] = []
    with sea.board(heard) as board:
        assert wait_until(lambda: "holds" in "".join(heard), 10)
        time.sleep(0.3)  # the estuary looks at its lanterns every 25 ms
        asked = 1000 * time.time()
        time.sleep(1.5)
        freed = 1000 * time.time()
        board.kill()
    time.sleep(2.2)
    trace = sea.trace(DISTURBED)
    assert [one for one in trace if asked < one[0] < freed] == []
    assert len([one for one in trace if one[0] > freed]) >= 3

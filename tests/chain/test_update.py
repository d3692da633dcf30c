"""Updates through a real broker and a real gateway to a real virtual board with the real guard.

The application in the slots is a small one (update_main.py): the parts that an update meets, and no
sensors. The board's own MicroPython verifies what `cryptography` signed.
"""

import hashlib
import json
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.wire import codes
from agent.wire.release import Facts, encode, make
from simulators.board.process import BoardOptions, BoardProcess
from simulators.site import flash
from tests.chain.processes import (
    GATEWAY_ENV,
    broker,
    gateway_command,
    gateway_config,
    process,
    wait_for,
)
from toolkit import bundle, release

KEY = bytes(range(32))
RELEASE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
MAIN = Path(__file__).with_name("update_main.py")
ENTRIES = ("agent.hal.virtual", "agent.hal.boards.virtual")


def modules():
    """Return every module of `agent` that the small application imports."""
    found = {}
    waiting = [*ENTRIES, *bundle._imports(MAIN)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = bundle._file_of(name)
            waiting.extend(bundle._imports(bundle.DEVICE / found[name]))
    return sorted(set(found.values()))


def compiled(source, name):
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "module.mpy"
        bundle.compile_to(source, target, name=name)
        return target.read_bytes()


@pytest.fixture(scope="module")
def application():
    """The files of a slot as a function of the version's name."""
    files = {
        source.with_suffix(".mpy").as_posix(): compiled(bundle.DEVICE / source, str(source))
        for source in modules()
    }
    files["agent/main.mpy"] = compiled(MAIN, "agent/main.py")

    def of(version: str, folder: Path):
        path = folder / "version.py"
        path.write_text(f'VERSION = b"{version}"\nBUILT = 217300000\n')
        return sorted((files | {"agent/version.mpy": compiled(path, "agent/version.py")}).items())

    return of


class Buoy:
    """A virtual board with a guard and one application in slot a."""

    def __init__(self, folder, port, files, confirm_ms):
        self.flash = folder / "buoy-1"
        self.printed = ""
        for name, content in files:
            path = self.flash / "a" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for path in (bundle.DEVICE / "root").glob("*.py"):
            (self.flash / path.name).write_bytes(path.read_bytes())
        (self.flash / "data").mkdir()
        who = {
            "device": "buoy-1",
            "key": KEY.hex(),
            "release": RELEASE_KEY.public_key().public_bytes_raw().hex(),
            "confirm_ms": confirm_ms,
            "access": {
                "host": "127.0.0.1",
                "port": port,
                "password": "1-youb",
                "wifi": {"ssid": "quay", "key": "virtual"},
            },
        }
        (self.flash / "data" / "who.json").write_text(json.dumps(who))
        self.process = BoardProcess(
            BoardOptions(name="buoy-1", flash=self.flash, console=True), self._show
        )

    def _show(self, data):
        self.printed += data.decode(errors="replace")

    @property
    def ran(self):
        """The versions that ran, in order."""
        return [
            line[14:-1] for line in self.printed.splitlines() if line.startswith("application")
        ]


class Site:
    """Broker, gateway and buoy."""

    def __init__(self, folder, config, buoy, application):
        self.folder = folder
        self.config = config
        self.keys = folder / "keys.toml"
        self.buoy = buoy
        self._application = application

    def release(self, version, counter, key=RELEASE_KEY):
        image = release.pack(self._application(version, self.folder))
        facts = Facts(
            version.encode(),
            counter,
            len(image),
            hashlib.sha256(image).digest(),
            codes.PROFILE_BEACON,
            b"virtual",
            2048,
            6,
        )
        path = self.folder / f"{version}.fwr"
        path.write_bytes(encode(release.sign(make(facts, image), key)))
        return path

    def fairway(self, *line):
        command = [sys.executable, "-m", "toolkit", "gateway", *map(str, line)]
        ended = subprocess.run(
            [*command, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=60,
            env=GATEWAY_ENV,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    def offer(self, path):
        """Offer it; return its number."""
        code, said = self.fairway("update", path, "--device", "buoy-1", "--who", "a.person")
        assert code == 0, said
        return int(said.split()[2])

    def rollout(self, image):
        db = sqlite3.connect(f"file:{self.folder}/gateway/updates.sqlite?mode=ro", uri=True)
        row = db.execute("SELECT state, result FROM rollouts WHERE image = ?", (image,)).fetchone()
        db.close()
        return row

    def until(self, image, what, timeout_s=40):
        wait_for(
            f"{what}\n{self.buoy and self.buoy.printed}",
            lambda: what in self.rollout(image),
            timeout_s,
        )


@contextmanager
def gateway_at(folder):
    """Run a broker and a gateway that has the buoy's key."""
    config = gateway_config(folder, 0, f"sqlite:{folder / 'series'}")
    (folder / "keys.toml").write_text(f'buoy-1 = "{KEY.hex()}"\n')
    (folder / "keys.toml").chmod(0o600)
    log = folder / "gateway.log"
    with broker("mosquitto", folder, ["buoy-1"]) as (port, _):
        text = config.read_text().replace("port = 0", f"port = {port}")
        config.write_text('keys_file = "keys.toml"\n' + text)
        with process(gateway_command(config), log, GATEWAY_ENV) as gateway:
            wait_for("the gateway", lambda: b"connected" in log.read_bytes())
            yield config, port, gateway


@pytest.fixture
def site(tmp_path, application):
    with gateway_at(tmp_path) as (config, port, gateway):
        buoy = Buoy(tmp_path, port, application("old", tmp_path), confirm_ms=5000)
        buoy.process.start()
        site = Site(tmp_path, config, buoy, application)
        site.gateway = gateway
        yield site
        buoy.process.kill()


def test_updates_end_in_a_running_application_and_a_named_result(site):
    buoy = site.buoy

    # An image that starts but never reaches the gateway (regression 5) goes back.
    image = site.offer(site.release("deaf", 1))
    site.until(image, codes.UPDATE_STAGED)
    assert buoy.ran == ["old"]  # nothing runs before its command
    code, said = site.fairway("command", "update", image, "--device", "buoy-1")
    assert code == 0, said
    site.until(image, "rolled-back")
    assert buoy.ran == ["old", "deaf", "old"]

    # One that crashes, too.
    image = site.offer(site.release("crashes", 1))
    site.until(image, codes.UPDATE_STAGED)
    assert site.fairway("command", "update", image, "--device", "buoy-1")[0] == 0
    site.until(image, "rolled-back")
    assert buoy.ran == ["old", "deaf", "old", "old"]

    # A good one: its gateway is killed, its power cut, on the way.
    image = site.offer(site.release("good", 2))
    site.until(image, codes.UPDATE_RECEIVING)
    site.gateway.kill()
    site.gateway.start()
    buoy.process.kill()
    buoy.process.start()
    site.until(image, codes.UPDATE_STAGED)
    # A wrong image's number, and a command that the device's key did not sign, move nothing.
    assert site.fairway("command", "update", image + 1, "--device", "buoy-1")[0] == 3
    site.keys.write_text(f'buoy-1 = "{bytes(32).hex()}"\n')
    code, said = site.fairway("command", "update", image, "--device", "buoy-1")
    assert (code, said) == (3, "buoy-1: bad-tag\n")
    site.keys.write_text(f'buoy-1 = "{KEY.hex()}"\n')
    assert site.rollout(image)[0] == codes.UPDATE_STAGED
    assert site.fairway("command", "update", image, "--device", "buoy-1")[0] == 0
    site.until(image, "confirmed")
    assert buoy.ran[-1] == "good"

    # Older, or not from us: it stays.
    image = site.offer(site.release("older", 1))
    site.until(image, "older")
    image = site.offer(site.release("thief", 3, Ed25519PrivateKey.generate()))
    site.until(image, "bad-signature")
    assert buoy.ran[-1] == "good"

    code, said = site.fairway("update", "audit", "--limit", "100")
    for what in (
        "a.person  offered good",
        "says: trial",
        "ended: confirmed",
        "ended: bad-signature",
    ):
        assert what in said
    code, said = site.fairway("update")
    assert [line.split()[-1] for line in said.splitlines()] == [
        "bad-signature",
        "older",
        "confirmed",
        "rolled-back",
        "rolled-back",
    ]


def test_a_whole_beacon_is_updated(tmp_path):
    """The same with all of the agent, as it comes out of `fairway release build`."""
    made = release.build("beacon", layer="virtual", board="virtual", counter=1, chunk=2048)
    file = tmp_path / "beacon.fwr"
    file.write_bytes(encode(release.sign(made, RELEASE_KEY)))
    with gateway_at(tmp_path) as (config, port, _):
        flash.commission(
            tmp_path / "buoy-1",
            "buoy-1",
            "1-youb",
            "beacon",
            {"broker": {"host": "127.0.0.1", "port": port}},
            key=KEY.hex(),
            release=RELEASE_KEY.public_key().public_bytes_raw().hex(),
        )
        board = BoardProcess(BoardOptions(name="buoy-1", flash=tmp_path / "buoy-1", console=True))
        site = Site(tmp_path, config, None, None)
        with board:
            wait_for("the buoy", lambda: "buoy-1  boot" in site.fairway("accounts")[1])
            image = site.offer(file)
            site.until(image, codes.UPDATE_STAGED)
            assert site.fairway("command", "update", image, "--device", "buoy-1")[0] == 0
            site.until(image, "confirmed")
        files = dict(release.unpack(made.image))
        assert {
            path.relative_to(tmp_path / "buoy-1" / "b").as_posix(): path.read_bytes()
            for path in (tmp_path / "buoy-1" / "b").rglob("*.mpy")
        } == files

"""The hardware layer's network on the virtual board: interface, TCP, and TLS that is not there."""

import shutil
from pathlib import Path

import pytest

from simulators.board.process import wait_until
from tests.simulators.boards import Board, Peer

ROOT = Path(__file__).parents[2]

MAIN = """
import sys, time
from agent.errors import RemoteError
from agent.hal import open_board
hal = open_board("virtual")
print("none", hal.network({}).kind)
net = hal.network({"wifi": {"ssid": "quay", "key": "k"}})
net.start(0)
print("wifi", net.kind, net.up(0), net.signal())
stream = hal.connect(%r, %d)
while stream.state() == 0:
    time.sleep_ms(10)
print("state", stream.state(), stream.write(memoryview(b"hello")))
buf = memoryview(bytearray(8))
n = 0
while not n:
    n = stream.readinto(buf)
    time.sleep_ms(10)
print("came", bytes(buf[:n]))
print("absent", hal.connect("no.such.host.invalid", 1).error)
try:
    hal.connect("x", 1, object())
except RemoteError as error:
    print("tls", error)
class Trust:
    t = 250000000
class Module:
    TLSStream = lambda *a: a
sys.modules["agent.hal.tls"] = Module
for t in (250000000, 300000000):
    Trust.t = t
    hal.connect("x", 1, Trust)
    print("rtc", hal.rtc().get() - t in (0, 1))
hal.rtc().set(300000030)
hal.connect("x", 1, Trust)
print("kept", hal.rtc().get() >= 300000030)
net.stop()
print("down", net.up(0))
"""


@pytest.fixture
def peer():
    with Peer() as peer:
        yield peer


@pytest.fixture
def flash(tmp_path) -> Path:
    flash = tmp_path / "flash"
    shutil.copytree(
        ROOT / "device" / "agent", flash / "agent", ignore=shutil.ignore_patterns("__pycache__")
    )
    return flash


def test_the_virtual_board_s_network(flash, peer):
    host, port = peer.host_port
    with Board(flash, {"main.py": MAIN % (host, port)}) as board:
        assert peer.receive(5) == b"hello"
        peer.send(b"there")
        assert wait_until(lambda: "down" in board.printed, 10), board.printed
        assert board.printed.splitlines()[:10] == [
            "none 0",
            "wifi 1 True -60",
            "state 1 5",
            "came b'there'",
            "absent no address for no.such.host.invalid (-202)",
            "tls tls: this firmware has none",
            "rtc True",
            "rtc True",
            "kept True",
            "down False",
        ]


QUAY = """
import agent.hal.ppp
from agent.hal.boards.esp32s3_devkitc import ADCS, DIGITALS, OUTPUTS, UARTS
NAME = "quay"
NETWORK = {"ppp": ("gnss", 21, 1, 1200)}
"""

DIAL = """
import time
from agent.hal import open_board
net = open_board("quay").network({"apn": {"name": "cmnet"}, "wifi": {"ssid": "quay"}})
print("ppp", net.kind, net.metered)
net.start(0)
for now_ms in range(0, 4000, 50):
    net.up(now_ms)
    time.sleep_ms(10)
print("end", net.error)
"""


def test_a_board_file_with_a_modem(flash, peer):
    (flash / "agent" / "hal" / "boards" / "quay.py").write_text(QUAY)
    with Board(flash, {"main.py": DIAL}, uarts={1: peer.address}) as board:
        assert peer.receive(3) == b"AT\r"
        peer.send(b"\r\nOK\r\n")
        assert peer.receive_until(b"ATE0\r").endswith(b"ATE0\r")
        assert wait_until(lambda: "end" in board.printed, 10), board.printed
        assert board.printed.splitlines()[:1] == ["ppp 3 True"]

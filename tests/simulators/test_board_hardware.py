"""The virtual board's hardware as its programs see it: UARTs, pins, sockets, Wi-Fi, NVS."""

import json
import socket
import struct
import time
from pathlib import Path

import pytest

from simulators.board.process import wait_until
from tests.simulators.boards import LOOPBACK, Board, Peer


@pytest.fixture
def flash(tmp_path) -> Path:
    return tmp_path / "flash"


@pytest.fixture
def peer():
    with Peer() as peer:
        yield peer


# UARTs

# A cable takes a moment to plug in, and what arrives before a UART is open is gone: so the board
# knocks until it is answered.
KNOCK = """
while not uart.any():
    uart.write(b"!")
    time.sleep_ms(10)
uart.read(1)
"""


def wired(flash: Path, peer: Peer, main: str, **options) -> Board:
    """A board with a program, whose UART 1 is wired to `peer`."""
    return Board(flash, {"main.py": main}, uarts={1: peer.address}, **options)


def answer(peer: Peer, data: bytes) -> None:
    assert peer.receive(1) == b"!"
    peer.send(b"?" + data)


def test_a_uart_carries_bytes_both_ways(flash, peer):
    main = f"""
import machine, time
uart = machine.UART(1, baudrate=115200, timeout=2000)
{KNOCK}
print("line", uart.readline())
print("rest", uart.read(4))
buffer = bytearray(8)
print("into", uart.readinto(buffer, 3), buffer)
uart.init(timeout=0)
print("none", uart.any(), uart.read(), uart.readline(), uart.readinto(buffer))
uart.write(bytes(range(256)))
"""
    with wired(flash, peer, main) as board:
        answer(peer, b"$PONG\r\n\x00\xff\x03\x04abc")
        assert wait_until(lambda: "none" in board.printed, 10)
        assert board.printed.splitlines()[:4] == [
            r"line b'$PONG\r\n'",
            r"rest b'\x00\xff\x03\x04'",
            r"into 3 bytearray(b'abc\x00\x00\x00\x00\x00')",
            "none 0 None None None",
        ]
        assert peer.receive_until(b"\xff").endswith(bytes(range(256)))


@pytest.mark.parametrize(
    ("rxbuf", "count", "loses"), [(256, 1500, True), (256, 240, False), (4096, 1500, False)]
)
def test_a_stall_overruns_a_small_receive_buffer(flash, peer, rxbuf, count, loses):
    """256 bytes are full after 67 ms at 38,400 baud; the program looks every 90 ms."""
    sent = bytes(i % 250 for i in range(count))
    main = f"""
import machine, time, _board
uart = machine.UART(1, 38400, rxbuf={rxbuf})
{KNOCK}
got = b""
while len(got) + _board.overruns(1) < {count}:
    time.sleep_ms(90)
    got += uart.read() or b""
print(len(got), _board.overruns(1), got[:200] == bytes(range(200)), "end")
"""
    with wired(flash, peer, main) as board:
        answer(peer, sent)
        assert wait_until(lambda: "end" in board.printed, 10)
        got, lost, start_is_whole = board.printed.split()[:3]
        assert start_is_whole == "True"
        assert int(got) + int(lost) == count
        assert (int(lost) > 0) == loses


PACE_MAIN = f"""
import machine, time, _board
uart = machine.UART(1, 9600, rxbuf=256)
{KNOCK}
start = time.ticks_ms()
count = 0
while count < 960:
    count += len(uart.read(64) or b"")
    time.sleep_ms(2)
print(time.ticks_diff(time.ticks_ms(), start), _board.overruns(1), "end")
"""


def test_a_burst_takes_the_time_of_its_line(flash, peer):
    with wired(flash, peer, PACE_MAIN) as board:
        answer(peer, bytes(960))
        assert wait_until(lambda: "end" in board.printed, 10)
        assert 900 < int(board.printed.split()[0]) < 1500


def test_an_unpaced_line_waits_for_room_and_loses_nothing(flash, peer):
    with wired(flash, peer, PACE_MAIN, pace=False) as board:
        answer(peer, bytes(960))
        assert wait_until(lambda: "end" in board.printed, 10)
        ms, lost = map(int, board.printed.split()[:2])
        assert ms < 700
        assert lost == 0


def test_a_uart_knows_when_its_bytes_have_left(flash):
    with Board(flash, {}) as board:
        before, ms, after = board.exec(
            "import machine, time\n"
            "uart = machine.UART(1, 9600, parity=0)\n"  # 11 bits a byte
            "start = time.ticks_ms()\n"
            "uart.write(bytes(96))\n"
            "before = uart.txdone()\n"
            "uart.flush()\n"
            "print(before, time.ticks_diff(time.ticks_ms(), start), uart.txdone())\n"
        ).split()
        # nothing is wired to it: whatever is written is taken, and lost
        write = "print(uart.write(bytes(5000)) + uart.write(bytes(5000)))"
        assert board.exec(write) == "10000\n"
    assert (before, after) == ("False", "True")
    assert 105 <= int(ms) < 250


# Echoes what it hears, and asks for more sleep than it ever gets.
ECHO_MAIN = """
import _board, machine
uart = machine.UART(1, 115200)
heard = False
def step(now):
    global heard
    data = uart.read()
    if data:
        heard = True
        uart.write(data)
    if heard:
        return 1000000
    uart.write(b"!")
    return 10
_board.run(step)
"""


def test_data_wakes_a_program_that_sleeps(flash, peer):
    with wired(flash, peer, ECHO_MAIN):
        answer(peer, b"")
        peer.receive_until(b"?")
        peer.connection.settimeout(0.5)  # unwoken, it would sleep for a second
        for byte in (b"a", b"b", b"c", b"d"):
            peer.send(byte)
            assert peer.receive(1) == byte


def test_a_flood_of_data_steps_a_program_every_2_ms_at_most(flash, peer):
    main = f"""
import _board, machine, time
uart = machine.UART(1, 115200)
{KNOCK}
times = []
def step(now):
    times.append(now)
    if b"." in (uart.read() or b""):
        print(len(times), times[-1] - times[0], "end")
    return 1000
_board.run(step)
"""
    with wired(flash, peer, main, pace=False) as board:
        answer(peer, b"")
        for _ in range(2000):
            peer.send(b"x")
            time.sleep(0.0001)
        peer.send(b".")
        assert wait_until(lambda: "end" in board.printed, 10)
        steps, ms = map(int, board.printed.split()[:2])
        assert 20 < steps <= ms / 2 + 2


def test_a_cable_that_was_pulled_comes_back(flash, peer):
    with wired(flash, peer, ECHO_MAIN):
        answer(peer, b"one")
        assert peer.receive_until(b"one")
        peer.hang_up()
        answer_by = peer.connection  # the board's next attempt
        assert answer_by.getpeername()[0] == LOOPBACK
        peer.send(b"two")
        assert peer.receive(3) == b"two"


# Pins, voltages, Wi-Fi


def test_inputs_come_from_the_simulator(flash, peer):
    with Board(flash, {}, inputs=peer.address) as board:
        assert json.loads(peer.receive(len('{"board":"test-1"}\n'))) == {"board": "test-1"}
        look = """
import machine, network
adc = machine.ADC(machine.Pin(4), atten=machine.ADC.ATTN_11DB)
plug = machine.Pin(10, machine.Pin.IN, machine.Pin.PULL_UP)
free = machine.Pin(11, machine.Pin.IN, machine.Pin.PULL_DOWN)
print(adc.read_uv(), plug.value(), free.value(), network.WLAN(network.STA_IF).isconnected())
"""
        assert board.exec(look) == "0 1 0 True\n"
        peer.send_json(adc={"4": 812.5}, pin={"10": 0, "11": 1}, network=False)
        assert wait_until(lambda: board.exec(look) == "812500 0 1 False\n", 5)
        peer.send(b'{"adc": {"99": 1}}\nnot json\n{"pin": {"10": 7}}\n')
        peer.send_json(adc={"4": 9000}, network=True)  # what is wrong harms nothing beside it
        assert wait_until(lambda: board.exec(look) == "3100000 0 1 True\n", 5)
        assert "no pin 99" in board.printed
        assert "not json" in board.printed


def test_an_output_pin_reads_back(flash):
    with Board(flash, {}) as board:
        assert (
            board.exec(
                "import machine\n"
                "pin = machine.Pin(14, machine.Pin.OUT, value=1)\n"
                "print(pin.value(), pin.off(), pin(), pin(1), pin())\n"
            )
            == "1 None 0 None 1\n"
        )


# Sockets


def test_a_socket_that_does_not_block(flash, peer):
    main = f"""
import errno, select, socket
s = socket.socket()
s.setblocking(False)
try:
    s.connect({peer.host_port})
except OSError as e:
    print("connect", e.errno == errno.EINPROGRESS)
poll = select.poll()
poll.register(s, select.POLLOUT)
print("poll", [event for _, event in poll.poll(5000)])
print("empty", s.read(8), s.readinto(bytearray(8)))
try:
    s.recv(8)
except OSError as e:
    print("recv", e.errno == errno.EAGAIN)
print("sent", s.send(b"hello"), s.write(b"there"))
poll.modify(s, select.POLLIN)
poll.poll(5000)
buffer = bytearray(8)
print("came", s.readinto(buffer), buffer[:3])
poll.poll(5000)
print("end", s.readinto(buffer), s.recv(8), s.read())
s.close()
"""
    with Board(flash, {"main.py": main}) as board:
        assert peer.receive(10) == b"hellothere"
        peer.send(b"abc")
        assert wait_until(lambda: "came" in board.printed, 5)
        peer.hang_up()
        assert wait_until(lambda: "end" in board.printed, 5)
        assert board.printed.splitlines()[:7] == [
            "connect True",
            "poll [4]",
            "empty None None",
            "recv True",
            "sent 5 5",
            "came 3 bytearray(b'abc')",
            "end 0 b'' b''",
        ]


def test_a_socket_that_blocks_moves_more_than_its_buffers_hold(flash, peer):
    main = f"""
import hashlib, socket
s = socket.socket()
s.connect(socket.getaddrinfo(*{peer.host_port})[0][-1])
s.sendall(bytes(range(256)) * 400)
digest = hashlib.sha256()
count = 0
while count < 102400:
    data = s.recv(2000)
    count += len(data)
    digest.update(data)
print("back", count, digest.digest() == hashlib.sha256(bytes(range(256)) * 400).digest())
s.settimeout(0.2)
try:
    s.recv(1)
except OSError as e:
    print("timeout", e.errno)
"""
    with Board(flash, {"main.py": main}) as board:
        data = peer.receive(102_400)
        assert data == bytes(range(256)) * 400
        peer.send(data)
        assert wait_until(lambda: "timeout 110" in board.printed, 10)
        assert "back 102400 True" in board.printed


def test_refused_and_reset_connections_say_so(flash, peer):
    with socket.create_server((LOOPBACK, 0)) as gone:
        refusing = gone.getsockname()
    main = f"""
import select, socket
s = socket.socket()
try:
    s.connect({refusing})
except OSError as e:
    print("refused", e.errno)
s.close()
s = socket.socket()
s.connect({peer.host_port})
s.write(b"!")
poll = select.poll()
poll.register(s, 0)
poll.poll(5000)
try:
    s.read(1)
except OSError as e:
    print("reset", e.errno)
"""
    with Board(flash, {"main.py": main}) as board:
        assert peer.receive(1) == b"!"
        no_lingering = struct.pack("ii", 1, 0)
        peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_lingering)
        peer.hang_up()
        assert wait_until(lambda: "reset" in board.printed, 5)
        assert board.printed.splitlines()[:2] == ["refused 111", "reset 104"]


def test_without_wifi_nothing_goes_out(flash):
    with Board(flash, {}, network=False) as board:
        assert (
            board.exec(
                "import socket\n"
                "for call in (lambda: socket.getaddrinfo('localhost', 80),\n"
                "             lambda: socket.socket().connect(('127.0.0.1', 80))):\n"
                "    try:\n"
                "        call()\n"
                "    except OSError as e:\n"
                "        print(e.errno)\n"
            )
            == "-202\n113\n"
        )


def test_a_connection_stands_still_while_the_wifi_is_away(flash, peer):
    with Peer() as inputs, Board(flash, {}, inputs=inputs.address) as board:
        board.exec(
            f"import socket\ns = socket.socket()\ns.connect({peer.host_port})\n"
            "s.setblocking(False)\n"
        )
        read = "print(s.read(8))"
        inputs.send_json(network=False)
        assert wait_until(lambda: board.exec("import _board;print(_board.network())")[0] == "F", 5)
        _ = peer.connection
        peer.send(b"late")
        board.exec("s.write(b'later')")
        assert board.exec(read) == "None\n"
        peer.connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.receive(1)
        inputs.send_json(network=True)
        peer.connection.settimeout(5)
        assert peer.receive(5) == b"later"
        assert wait_until(lambda: board.exec(read) == "b'late'\n", 5)


def test_sockets_are_few(flash):
    with Board(flash, {}) as board:
        assert (
            board.exec(
                "import socket\n"
                "held = []\n"
                "try:\n"
                "    while True:\n"
                "        held.append(socket.socket())\n"
                "except OSError as e:\n"
                "    print(len(held), e.errno)\n"
                "held.pop().close()\n"
                "import time; time.sleep(0.2)\n"
                "held.append(socket.socket())\n"
            )
            == "16 12\n"
        )


# The key-value store


def test_nvs_keeps_what_was_committed(flash):
    with Board(flash, {}) as board:
        board.exec(
            "from esp32 import NVS\n"
            "nvs = NVS('fairway')\n"
            "nvs.set_blob('boot', b'\\x00\\x01')\n"
            "nvs.set_i32('level', -5)\n"
            "nvs.commit()\n"
            "nvs.set_blob('boot', b'lost')\n"
        )
        board.kill()
    with Board(flash, {}) as board:
        assert (
            board.exec(
                "from esp32 import NVS\n"
                "nvs = NVS('fairway')\n"
                "buffer = bytearray(8)\n"
                "print(nvs.get_blob('boot', buffer), buffer[:2], nvs.get_i32('level'))\n"
                "nvs.erase_key('boot')\n"
                "nvs.commit()\n"
                "for other in (nvs, NVS('other')):\n"
                "    try:\n"
                "        other.get_blob('boot', buffer)\n"
                "    except OSError as e:\n"
                "        print(e.errno)\n"
            )
            == "2 bytearray(b'\\x00\\x01') -5\n-4354\n-4354\n"
        )
        assert board.exec("import os; print(os.listdir('/'))") == "[]\n"


def test_random_bytes_and_identity(flash):
    with Board(flash, {}) as board:
        assert (
            board.exec(
                "import machine, os\n"
                "print(len(os.urandom(32)), os.urandom(16) != os.urandom(16))\n"
                "print(len(machine.unique_id()), machine.unique_id() == machine.unique_id())\n"
            )
            == "32 True\n6 True\n"
        )


# Datagrams


def test_datagrams_keep_their_bounds_and_come_from_the_peer_alone(flash):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer, Board(flash, {}) as board:
        peer.bind((LOOPBACK, 0))
        peer.settimeout(10)
        board.exec(
            "import socket\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            f"s.connect(socket.getaddrinfo(*{peer.getsockname()})[0][-1])\n"
            "s.setblocking(False)\n"
            "print(s.send(b'one'), s.send(b'three'))\n"
        )
        assert peer.recv(100) == b"one"
        message, address = peer.recvfrom(100)
        assert message == b"three"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"false", address)
        for answer in (b"first", b"second"):
            peer.sendto(answer, address)
        receive = "try:\n    print(s.recv(4))\nexcept OSError as e:\n    print(e.errno)\n"
        assert wait_until(lambda: board.exec(receive) == "b'firs'\n", 5)
        assert wait_until(lambda: board.exec(receive) == "b'seco'\n", 5)
        assert board.exec(receive) == "11\n"
        assert board.exec("s.close()") == ""

"""Commands through a real broker and a real gateway to an agent whose meter counts.

The agent's parts are the real ones, on `hal.host`: link, downlink, commands, outbox, meter. The thief has
stolen the gateway's place at the broker and every command that was ever sent.
"""

import socketserver
import subprocess
import sys
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from relay_meter import CLOSED, OPEN, PERMIT, TRIP, RelayMeter

from agent.clock import Clock
from agent.hal.host import HostBoard
from agent.keep.boots import BootNumber
from agent.keep.outbox import Outbox
from agent.link.commands import Commands
from agent.link.downlink import Downlink
from agent.link.supervisor import Supervisor
from agent.meter.reader import MeterReader
from agent.meter.relay import Relay
from agent.version import BUILT
from agent.wire import messages as m
from agent.wire.series import EPOCH_2020
from gateway.down import orders as o
from gateway.down.commands import signed
from tests.chain.processes import (
    GATEWAY_ENV,
    PASSWORDS,
    broker,
    gateway_command,
    gateway_config,
    process,
    wait_for,
)

KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))
METER = "202410010001"


class MeterServer(socketserver.ThreadingTCPServer):
    """A RelayMeter behind a TCP line."""

    daemon_threads = True

    def __init__(self):
        self.meter = RelayMeter(METER)
        super().__init__(("127.0.0.1", 0), MeterConnection)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class MeterConnection(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(256):
            answer = self.server.meter.take(data)
            if answer:
                self.request.sendall(answer)


class Pile:
    """An agent of the parts that a command meets, in a thread of its own."""

    def __init__(self, folder, port, meter_address):
        folder.mkdir(exist_ok=True)
        board = HostBoard(str(folder), uarts={"rs485": meter_address})
        self.clock = Clock(BUILT)
        self._ticks = board.ticks_ms()
        self._board = board
        boot = BootNumber(*board.boot_stores(), board.random)
        self.outbox = Outbox(8192, board.random)
        self.meter = MeterReader(
            board.uart("rs485", 2400, 0), address=METER, password="02123456", period_ms=5000
        )
        relay = Relay(self.meter)
        actions = {m.RELAY_TRIP: relay.trip, m.RELAY_PERMIT: relay.permit}
        self.commands = Commands(board.files(), "pile-1", KEY, self.clock, board.random, actions)
        self.downlink = Downlink(boot, self.outbox, self.clock, self.commands)
        access = {"host": "127.0.0.1", "port": port, "password": "1-elip"}
        self.link = Supervisor(
            board, "pile-1", access, 30, boot.value, self.outbox, self.downlink, self.clock
        )
        self.failed = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._stop.is_set():
                ticks = self._board.ticks_ms()
                now_ms = self.clock.advance(self._board.ticks_diff(ticks, self._ticks))
                self._ticks = ticks
                for part in (self.meter, self.downlink, self.link):
                    part.poll(now_ms)
                time.sleep(0.005)
        except Exception as error:
            self.failed = error
            raise

    def kill(self):
        """Stop in the middle of things, without a goodbye."""
        self._stop.set()
        self._thread.join(5)
        self.link._session.stream.close()
        self.meter._talk._line._stream.close()
        assert self.failed is None


class Thief:
    """Whoever has the gateway's password: says and hears what the gateway would."""

    def __init__(self, port):
        self.answers = []
        self._ready = threading.Event()
        self.paho = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="gateway")
        self.paho.username_pw_set("gateway", PASSWORDS["gateway"])
        self.paho.on_subscribe = lambda *_: self._ready.set()
        self.paho.on_message = self._heard
        self.paho.connect("127.0.0.1", port, 20)
        self.paho.subscribe(m.topic("pile-1", "up", "cmd"), 1)
        self.paho.loop_start()
        assert self._ready.wait(5)

    def _heard(self, _client, _user, message):
        up = m.read_cmd_up(message.payload)
        if up[0] == m.DO:
            self.answers.append(up[1:])
        elif up[0] == m.CLOCK:
            # The device's link lives only while a gateway answers.
            now_s = int(time.time()) - EPOCH_2020
            n = m.put_clock_tell(buf := bytearray(32), up[1], now_s, 0, None)
            self.send(bytes(buf[:n]))

    def send(self, payload):
        self.paho.publish(m.topic("pile-1", "dn", "cmd"), payload)

    def try_(self, payload):
        """Send a command and return its answer."""
        before = len(self.answers)
        self.send(payload)
        wait_for("an answer", lambda: len(self.answers) > before)
        return self.answers[-1]

    def close(self):
        self.paho.disconnect()
        self.paho.loop_stop()


@pytest.fixture
def meter():
    with MeterServer() as server:
        yield server
        server.shutdown()


def fairway(config, *line):
    """Run `fairway gateway …`; return its code and what it said."""
    command = [sys.executable, "-m", "toolkit", "gateway", *line, "--config", str(config)]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=GATEWAY_ENV, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_stolen_commands_and_a_relay_that_moved_once(tmp_path, meter):
    counted = meter.meter
    config = gateway_config(tmp_path, 0, f"sqlite:{tmp_path / 'series'}")
    (tmp_path / "keys.toml").write_text(f'pile-1 = "{KEY.hex()}"\n')
    (tmp_path / "keys.toml").chmod(0o600)
    log = tmp_path / "gateway.log"
    with broker("mosquitto", tmp_path, ["pile-1"]) as (port, _):
        text = config.read_text().replace("port = 0", f"port = {port}")
        config.write_text('keys_file = "keys.toml"\n' + text)
        with process(gateway_command(config), log, GATEWAY_ENV) as gateway:
            wait_for("the gateway", lambda: b"connected" in log.read_bytes())
            pile = Pile(tmp_path / "pile", port, meter.server_address)
            wait_for("the link", lambda: pile.link.heard_ms is not None)
            wait_for("the meter", lambda: pile.meter.frames > 11)

            code, said = fairway(config, "command", "--device", "pile-1", "relay-trip")
            assert (code, said) == (0, "pile-1: done; the relay is open\n")
            assert (counted.moves, counted.status) == (1, OPEN)
            code, said = fairway(config, "command", "report", "--device", "pile-1")
            assert (code, said) == (3, "pile-1: unsupported\n")

            gateway.stop()
            orders = o.Orders(tmp_path / "gateway" / "commands.sqlite")
            stolen = orders.get(1).payload
            orders.close()
            thief = Thief(port)
            wait_for("the link, to the thief", lambda: pile.link._session.answered)
            now_s = int(time.time()) - EPOCH_2020
            first = thief.try_(stolen)
            assert first[1:] == (m.RESULT_DONE, b"\x82\x00\xf6")
            late = signed(KEY, "pile-1", now_s + 10, m.RELAY_TRIP, now_s - 5, None, b"")
            astray = signed(OTHER_KEY, "pile-2", now_s + 11, m.RELAY_TRIP, now_s + 60, None, b"")
            forged = stolen[:-1] + bytes([stolen[-1] ^ 1])
            fresh = signed(KEY, "pile-1", now_s + 12, m.RELAY_TRIP, now_s + 60, None, b"")
            assert thief.try_(late)[1] == m.RESULT_EXPIRED
            assert thief.try_(astray)[1] == m.RESULT_OTHER_DEVICE
            assert thief.try_(forged)[1] == m.RESULT_BAD_TAG
            assert thief.try_(fresh)[1] == m.RESULT_NONCE
            for _ in range(10):
                assert thief.try_(stolen) == first

            # After a restart it is remembered; when its memory is taken away, the nonce is dead.
            for remembers, result in ((True, m.RESULT_DONE), (False, m.RESULT_NONCE)):
                pile.kill()
                if not remembers:
                    (tmp_path / "pile" / "commands").unlink()
                pile = Pile(tmp_path / "pile", port, meter.server_address)
                wait_for("the link again", lambda p=pile: p.link.heard_ms is not None, 60)
                assert thief.try_(stolen)[1] == result
            assert (counted.moves, counted.orders) == (1, [TRIP])
            thief.close()

            # The gateway is back: a hand may close, nobody else.
            gateway.start()
            wait_for("the meter", lambda: pile.meter.frames > 11)
            code, said = fairway(config, "command", "--device", "pile-1", "relay-permit")
            assert (code, said) == (0, "pile-1: done; the relay is open\n")
            assert (counted.moves, counted.status) == (1, OPEN)
            counted.close_by_hand()
            assert (counted.moves, counted.status) == (2, CLOSED)
            assert counted.orders == [TRIP, PERMIT]

            pile.kill()
            code, said = fairway(
                config, "command", "--within", "2", "--device", "pile-1", "relay-trip"
            )
            assert (code, said) == (4, "pile-1: not reached; nothing was done\n")
            code, said = fairway(config, "audit", "--device", "pile-1", "--limit", "100")
            assert code == 0
            for what in (
                "ordered: relay-trip",
                "nonce asked",
                "sent: id",
                "answered: done",
                "unreached",
            ):
                assert what in said
            assert counted.orders == [TRIP, PERMIT]

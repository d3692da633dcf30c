"""The trial site: which processes, in which order, and what each is told."""

import json
import socket
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.hal.boards import virtual
from simulators import plan
from simulators.board.process import BoardOptions
from simulators.board.process import command as board_command
from simulators.registry import Registry, read
from simulators.site import brokers, flash
from simulators.site.children import Children
from simulators.site.secrets import Secrets
from simulators.site.settings import of_assets

_START_S: Final = 60.0
_MQTT_PORT: Final = 1883
_LOOK_S: Final = 0.2
_INGEST: Final = "ingest"  # the token's name among the secrets


class SiteError(Exception):
    """The site could not be started; `action` is what to do about it."""

    def __init__(self, cause: str, action: str = "") -> None:
        super().__init__(cause)
        self.action = action


@dataclass(frozen=True, slots=True)
class Options:
    """What may be chosen: folders, ports, the broker ("auto", "mosquitto", "amqtt"), the series."""

    config: Path
    data: Path
    port: int
    broker_port: int | None  # None: 1883, or any free one where that is taken
    broker: str
    series: str = ""


class Site:
    """A running site. `start` returns when everything is up; `watch` keeps it so; `stop` ends it."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._data = options.data.resolve()
        self._secrets = Secrets(self._data / "secrets.json")
        self._children = Children(self._data / "log", say)
        self._broker_port = options.broker_port or _free(_MQTT_PORT)
        self._registry: Registry = read(options.config / "registry.toml")
        self._settings = _device_settings(options.config / "devices.toml")

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self._options.port}/"

    def start(self) -> None:
        """Start everything in order.

        Raises:
            SiteError: a port is taken, or something does not come up.
        """
        for port, what in ((self._broker_port, "broker"), (self._options.port, "page")):
            _check_free(port, what)
        self._data.mkdir(parents=True, exist_ok=True)
        self._start_broker()
        self._start_centre()
        self._start_gateway()
        self._start_estuary()
        self._start_boards()

    def watch(self) -> None:
        """Start again whatever has ended."""
        self._children.watch()

    def stop(self) -> None:
        """End everything: boards first, so that what they hold still gets through."""
        names = self._children.names()
        boards = [name for name in names if name in self._registry.devices]
        for group in (boards, ["estuary"], ["gateway"], ["centre"], ["broker"]):
            self._children.stop(*group)

    def _start_broker(self) -> None:
        users = self._secrets.words([brokers.GATEWAY, *self._registry.devices])
        broker = brokers.prepare(
            self._data / "broker", self._options.broker, self._broker_port, users
        )
        self._children.start("broker", broker.command)
        self._wait("broker", lambda: _listens(self._broker_port))
        self._say(f"  broker    {broker.name} on 127.0.0.1:{self._broker_port}")

    def _start_centre(self) -> None:
        command = [
            *_fairway("centre"),
            *("--config", str(self._options.config / "centre.toml")),
            *("--data", str(self._data / "centre")),
            *("--listen", f"127.0.0.1:{self._options.port}"),
            *("--series", self._series()),
        ]
        token = self._secrets.word(_INGEST)
        self._children.start("centre", command, {"FAIRWAY_INGEST_TOKEN": token})
        self._wait("centre", lambda: _answers(self.address + "healthz"))
        self._say(f"  centre    {self.address}")

    def _write_keys(self) -> None:
        """Write the file that the gateway signs commands from."""
        path = self._data / "gateway" / "keys.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        lines = [f'{name} = "{self._secrets.key(name)}"\n' for name in self._registry.devices]
        path.write_text("".join(lines), "utf-8")

    def _start_gateway(self) -> None:
        self._write_keys()
        command = [
            *_fairway("gateway"),
            *("--config", str(self._options.config / "gateway.toml")),
            *("--data", str(self._data / "gateway")),
            *("--broker", f"127.0.0.1:{self._broker_port}"),
            *("--centre", self.address.rstrip("/")),
            *("--series", self._series()),
        ]
        env = {
            "FAIRWAY_BROKER_PASSWORD": self._secrets.word(brokers.GATEWAY),
            "FAIRWAY_INGEST_TOKEN": self._secrets.word(_INGEST),
        }
        self._children.start("gateway", command, env)
        log = self._children.log("gateway")
        size = log.stat().st_size if log.exists() else 0
        self._wait("gateway", lambda: b"connected to the broker" in log.read_bytes()[size:])
        self._say("  gateway   connected to the broker")

    def _start_estuary(self) -> None:
        self._book.unlink(missing_ok=True)
        command = [
            *_fairway("estuary"),
            *("--registry", str(self._options.config / "registry.toml")),
            *("--config", str(self._options.config / "estuary.toml")),
            *("--state", str(self._book)),
        ]
        self._children.start("estuary", command)
        self._wait("estuary", self._book.exists)
        self._say("  estuary   tide, wind, ships and sensors")

    def _start_boards(self) -> None:
        book = json.loads(self._book.read_text("utf-8"))["devices"]
        sea = plan.read(self._options.config / "estuary.toml")
        told = of_assets(self._registry, sea, time.time())
        for name, device in self._registry.devices.items():
            folder = self._data / "boards" / name
            settings = _merged(
                {"broker": {"host": "127.0.0.1", "port": self._broker_port}},
                self._settings.get(device.profile, {}),
                told.get(name, {}),
                self._settings.get(name, {}),
            )
            flash.commission(
                folder,
                name,
                self._secrets.word(name),
                device.profile,
                settings,
                key=self._secrets.key(name),
            )
            lines = book[name]["uarts"]
            options = BoardOptions(
                name=name,
                flash=folder,
                uarts={_UART_NUMBERS[port]: address for port, address in lines.items()},
                inputs=book[name]["inputs"],
                console=True,
            )
            self._children.start(name, board_command(options))
        self._say(f"  boards    {len(self._registry.devices)} virtual boards, running MicroPython")

    @property
    def _book(self) -> Path:
        return self._data / "estuary.json"

    def _series(self) -> str:
        return self._options.series or f"sqlite:{self._data / 'series'}"

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        end_s = time.monotonic() + _START_S
        while not ready():
            if not self._children.alive(name):
                raise SiteError(f"{name} ended while starting", self._last_words(name))
            if time.monotonic() > end_s:
                raise SiteError(
                    f"{name} did not come up in {_START_S:.0f} s", self._last_words(name)
                )
            time.sleep(_LOOK_S)

    def _last_words(self, name: str) -> str:
        log = self._children.log(name)
        lines = log.read_text("utf-8", "replace").splitlines()[-5:] if log.exists() else []
        return "\n  ".join([f"its log is {log}; the last lines:", *lines])


_UART_NUMBERS: Final = {name: uart[0] for name, uart in virtual.UARTS.items()}


def _fairway(command: str) -> list[str]:
    return [sys.executable, "-m", "toolkit", command]


def _device_settings(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SiteError(f"{path}: {error}") from error


def _merged(*layers: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(out.get(key), dict)
            out[key] = {**out[key], **value} if both else value
    return out


def _free(port: int) -> int:
    """Return `port`, or any free one if it is taken."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _check_free(port: int, what: str) -> None:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError as error:
            flag = {"broker": "--broker-port", "page": "--port"}[what]
            raise SiteError(
                f"port {port} for the {what} is taken ({error.strerror})",
                f"stop what uses it, or choose another: make run ARGS='{flag} {port + 1}'",
            ) from error


def _listens(port: int) -> bool:
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  (our own address)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False

"""`fairway centre`: runs the monitoring centre, or checks what it is configured with."""

import argparse
import asyncio
import logging
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolkit.cli import Command, CommandError

if TYPE_CHECKING:
    from cloud.centre import Centre
    from cloud.config import Config

_log = logging.getLogger(__name__)

_STOP_S: Final = 1  # what open requests get at the end; streams are told, and end by themselves
_BACKLOG: Final = 128
_PORT_MAX: Final = 65535
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_STALLED_MS: Final = 20_000  # a reader that takes nothing for so long has its connection closed


class CentreCommand(Command):
    """Run the monitoring centre."""

    name = "centre"
    help = "run the monitoring centre, or check its configuration and registry"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare check, --config and --data."""
        parser.add_argument(
            "action", nargs="?", choices=("run", "check"), default="run", help="default: run"
        )
        parser.add_argument("--config", required=True, type=Path, metavar="FILE")
        before = "goes before the file's"
        parser.add_argument("--data", type=Path, metavar="DIR", help=f"for databases; {before}")
        parser.add_argument("--listen", type=_address, metavar="HOST:PORT", help=before)
        parser.add_argument(
            "--series", type=_series, metavar="STORE", help=f"sqlite:FOLDER or http://…; {before}"
        )

    def run(self, args: argparse.Namespace) -> int:
        """Run until told to stop, or check and say what there is."""
        from cloud import config, registry
        from toolkit.settings import SettingsError

        try:
            overrides = config.Overrides(args.data, args.listen, args.series)
            settings = config.load(args.config, os.environ, overrides)
            if args.action == "check":
                known = registry.load(settings.registry)
                print(f"{args.config}: good")
                print(
                    f"{settings.registry}: good, {len(known.assets)} assets "
                    f"and {len(known.devices)} devices"
                )
                return 0
        except SettingsError as error:
            raise CommandError("\n  ".join(["bad configuration:", *error.problems])) from error
        return _serve(settings)


def _address(text: str) -> tuple[str, int]:
    """Read HOST:PORT; an IPv6 address stands in brackets."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _series(text: str) -> str:
    from cloud.config import SERIES, SERIES_ALLOWED

    if not re.fullmatch(SERIES, text):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: {SERIES_ALLOWED}")
    return text


def _serve(config: "Config") -> int:
    from cloud.app import LIBRARIES
    from cloud.centre import Centre
    from cloud.store.database import DatabaseError
    from toolkit.settings import SettingsError

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    missing = [str(path) for path in LIBRARIES.values() if not path.is_file()]
    if missing:
        raise CommandError(
            f"the page's libraries are not installed: {missing[0]} is missing",
            "run `npm ci --prefix cloud/web`, or `make run`, which does it",
        )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if config.host not in _LOOPBACK:
        _log.warning("listening on %s: whoever reaches it sees everything", config.host)
    try:
        centre = Centre.open(config)
    except SettingsError as error:
        raise CommandError("\n  ".join(["bad registry:", *error.problems])) from error
    except DatabaseError as error:
        raise CommandError(
            str(error), "check `database` and `data` in the configuration"
        ) from error
    with _listen(config.host, config.port) as listening:
        return asyncio.run(_run(centre, listening))


def _listen(host: str, port: int) -> socket.socket:
    """Open the listening socket, so that what is wrong with it is said before anything starts."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, proto)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections inherit it
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_MS)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        raise CommandError(
            f"cannot listen on {host} port {port}: {error.strerror}",
            "stop what uses it, or set another one: [listen] port in the configuration",
        ) from error
    return listening


async def _run(centre: "Centre", listening: socket.socket) -> int:
    import uvicorn

    from cloud.app import create_app

    loop = asyncio.get_running_loop()

    class Server(uvicorn.Server):
        """Says when it is ready, and ends at a signal: streams at once, requests when done."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                print(f"centre: {_url(listening)}", flush=True)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._end)
            yield

        def _end(self) -> None:
            self.force_exit = self.should_exit  # asked twice
            self.should_exit = True
            centre.hub.end()

    server = Server(
        uvicorn.Config(
            create_app(centre),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_STOP_S,
        )
    )
    await server.serve(sockets=[listening])
    return 0 if server.started else 1


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

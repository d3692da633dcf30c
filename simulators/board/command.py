"""`fairway board`: one virtual board in the foreground."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import Command, CommandError

if TYPE_CHECKING:
    from simulators.board.process import BoardOptions

_FLASH_ROOT = Path("data/boards")


class BoardCommand(Command):
    """Run what lies in a flash directory on MicroPython."""

    name = "board"
    help = "Start a virtual board in the foreground; mpremote can talk to it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the board's wiring."""
        parser.add_argument("board", metavar="NAME", help="the board's name")
        parser.add_argument(
            "--flash", type=Path, metavar="DIR", help=f"its flash (default: {_FLASH_ROOT}/NAME)"
        )
        parser.add_argument(
            "--repl", type=int, default=0, metavar="PORT", help="where its REPL listens (any)"
        )
        parser.add_argument(
            "--uart",
            type=_uart,
            action="append",
            default=[],
            metavar="N=HOST:PORT",
            help="wire UART N to a simulated sensor; may be given several times",
        )
        parser.add_argument(
            "--inputs", type=_address, metavar="HOST:PORT", help="who sets its pins and voltages"
        )
        parser.add_argument("--console", action="store_true", help="show what the board prints")
        parser.add_argument("--no-network", action="store_true", help="start with the Wi-Fi away")
        parser.add_argument(
            "--flash-kib", type=int, default=6144, metavar="N", help="what its flash holds (6144)"
        )
        parser.add_argument(
            "--cut", type=int, default=0, metavar="N", help="let its power fail at flash byte N"
        )
        parser.add_argument(
            "--corrupt", action="store_true", help="let its flash be one that cannot be mounted"
        )
        parser.add_argument(
            "--rom", type=Path, metavar="DIR", help="what its firmware has frozen; at /rom"
        )
        parser.add_argument(
            "--journal", type=Path, metavar="FILE", help="file to tell every change of flash"
        )

    def run(self, args: argparse.Namespace) -> int:
        """Run the board, and start it again whenever its watchdog bit or its supply fell.

        Raises:
            CommandError: it cannot start.
        """
        from simulators.board.process import BoardOptions

        return _run(
            BoardOptions(
                name=args.board,
                flash=args.flash or _FLASH_ROOT / args.board,
                repl_port=args.repl,
                uarts=dict(args.uart),
                inputs=args.inputs,
                network=not args.no_network,
                console=args.console,
                flash_bytes=args.flash_kib * 1024,
                cut=args.cut,
                corrupt=args.corrupt,
                rom=args.rom,
                journal=args.journal,
            )
        )


def _run(options: "BoardOptions") -> int:
    from simulators.board.process import BoardError, BoardProcess

    if not options.flash.is_dir():
        raise CommandError(
            f"there is no flash directory {options.flash}",
            "create it, or name another with --flash",
        )
    while True:
        board = BoardProcess(options, on_output=_show)
        try:
            board.start()
        except BoardError as error:
            raise CommandError(str(error), "see docs/virtual-board.md") from error
        repl = f"socket://127.0.0.1:{board.repl_port}"
        print(f"Board {options.name} runs from {options.flash}; Ctrl-C stops it.")
        print(f"  its files:  mpremote connect {repl} fs ls")
        print(f"  its prompt: python -m serial.tools.miniterm --raw --eol CR {repl}", flush=True)
        try:
            code = board.wait()
        except KeyboardInterrupt:
            board.stop()
            return 0
        if board.watchdog_bit:
            why = "its watchdog bit"
        elif board.brown_out:
            why = "its supply fell"
        else:
            return code
        print(f"Board {options.name}: {why}; it starts again.", flush=True)


def _show(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return text


def _uart(text: str) -> tuple[int, str]:
    number, separator, address = text.partition("=")
    if not separator or number not in {"0", "1", "2"}:
        raise argparse.ArgumentTypeError(f"{text!r} is not N=HOST:PORT with N from 0 to 2")
    return int(number), _address(address)

"""`fairway estuary` and `fairway replay`."""

import argparse
import asyncio
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import Command, CommandError

if TYPE_CHECKING:
    from simulators.estuary import Estuary
    from simulators.replay import Sink

_DEMO = Path("config/demo")
_STATE = Path("data/estuary.json")


class EstuaryCommand(Command):
    """Run the simulated estuary in the foreground."""

    name = "estuary"
    help = "run the simulated sea with its sensors and ships"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the files."""
        parser.add_argument(
            "--registry", type=Path, default=_DEMO / "registry.toml", metavar="FILE",
            help="what stands where, and which device serves it (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument(
            "--config", type=Path, default=_DEMO / "estuary.toml", metavar="FILE",
            help="tide, wind, ships, ports (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument(
            "--state", type=Path, default=_STATE, metavar="FILE",
            help="address book to write, for boards and replays (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument(
            "--trace", type=Path, metavar="FILE",
            help="file to write in which each light comes and goes, with milliseconds",
        )  # fmt: skip

    def run(self, args: argparse.Namespace) -> int:
        """Build the estuary and let it live until SIGTERM or SIGINT."""
        from simulators import plan, registry
        from simulators.estuary import Estuary
        from simulators.registers import Registers
        from simulators.trace import LampTrace
        from toolkit.settings import SettingsError

        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("pymodbus").setLevel(logging.WARNING)  # it greets at every start
        registers = Registers(args.state.with_suffix(".meters.json"))
        try:
            sea, settings = registry.read(args.registry), plan.read(args.config)
            trace = None if args.trace is None else LampTrace(args.trace)
            estuary = Estuary(sea, settings, registers, trace=trace)
        except SettingsError as error:
            raise CommandError(
                "the configuration cannot be used", "\n  ".join(error.problems)
            ) from error
        asyncio.run(_live(estuary, args.state))
        return 0


class ReplayCommand(Command):
    """Let a recorded log take the place of a simulated sensor or meter, or leave by a port."""

    name = "replay"
    help = "play a recorded log to a simulated device's line, or out of a serial port"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what goes where."""
        parser.add_argument("file", type=Path, help="the log: sentences, one a line, or bytes")
        parser.add_argument("--device", metavar="ID", help="device of a running estuary")
        parser.add_argument(
            "--uart", metavar="LINE",
            help="the device's line (default: gnss or ais, as the log's sentences say)",
        )  # fmt: skip
        parser.add_argument(
            "--state", type=Path, default=_STATE, metavar="FILE",
            help="the estuary's address book (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument("--port", metavar="PORT", help="a serial port, as /dev/ttyUSB0")
        parser.add_argument(
            "--baud", type=_positive, metavar="N",
            help="the line's rate (default: the line's own; of a serial port 9600, for AIS 38400)",
        )  # fmt: skip
        parser.add_argument(
            "--rate", type=_positive_number, default=1.0, metavar="N",
            help="times as fast as recorded, as far as the baud rate allows (default: 1)",
        )  # fmt: skip
        parser.add_argument("--loop", action="store_true", help="begin again at the end")

    def run(self, args: argparse.Namespace) -> int:
        """Play the log; Ctrl-C ends it and gives the line back."""
        from simulators import replay

        if (args.device is None) == (args.port is None):
            raise CommandError("where to? Name one of --device ID and --port PORT")
        try:
            log = replay.read_log(args.file)
            uart = args.uart or log.uart
            if uart is None and (args.device or not args.baud):
                raise CommandError(
                    f"{args.file} has neither GNSS nor AIS sentences",
                    "name the line with --uart" if args.device else "give the rate with --baud",
                )
            with _sink(args, uart or "") as sink:
                where = args.port or f"{uart} of {args.device}"
                print(f"{where} now plays {args.file}: {log.size}; Ctrl-C ends it")
                try:
                    replay.play(log, sink, rate=args.rate, loop=args.loop)
                finally:
                    if args.device:
                        print(f"{where} is the simulation's again")
        except replay.ReplayError as error:
            raise CommandError(error.cause, error.action) from error
        return 0


async def _live(estuary: "Estuary", state: Path) -> None:
    from simulators.files import remove, write_json

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        try:
            await estuary.open()
        except OSError as error:
            raise CommandError(
                f"the port for {error.filename} cannot be opened: {error.strerror}",
                "free it, or give another one in the configuration's [ports]",
            ) from error
        write_json(state, estuary.address_book())
        print(f"estuary: {len(estuary.devices)} devices, addresses in {state}", flush=True)
        try:
            await estuary.run(stop)
        finally:
            remove(state)
    finally:
        await estuary.close()


def _sink(args: argparse.Namespace, uart: str) -> "Sink":
    from simulators import replay
    from simulators.sensors import ais, gnss

    if args.port:
        return replay.SerialLine(
            args.port, args.baud or (ais.BAUD if uart == "ais" else gnss.BAUD)
        )
    return replay.EstuaryLine(args.state, args.device, uart, args.baud)


def _positive(text: str) -> int:
    value = int(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _positive_number(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value

"""`fairway run`: the whole trial site in the foreground."""

import argparse
import signal
import time
from pathlib import Path

from toolkit.cli import Command, CommandError

_ROOT = Path(__file__).parents[2]
_LOOK_S = 0.5


class RunCommand(Command):
    """Start broker, gateway, centre, estuary and virtual boards; stop them on Ctrl-C."""

    name = "run"
    help = "run a whole site with simulated buoys and shore power, until Ctrl-C"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare folders, ports and the choice of broker."""
        parser.add_argument(
            "--config", type=Path, default=_ROOT / "config" / "demo", metavar="DIR"
        )
        parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR")
        parser.add_argument("--port", type=int, default=8080, help="the page's (default: 8080)")
        parser.add_argument(
            "--broker-port", type=int, help="default: 1883, or a free one if that is taken"
        )
        parser.add_argument(
            "--broker",
            choices=("auto", "mosquitto", "amqtt"),
            default="auto",
            help="auto: mosquitto if it is installed, else amqtt (for trials only)",
        )
        parser.add_argument(
            "--series",
            default="",
            metavar="URL",
            help="time series: http://HOST:8428 of a VictoriaMetrics (default: SQLite)",
        )

    def run(self, args: argparse.Namespace) -> int:
        """Run until told to stop."""
        from simulators.site.site import Options, Site, SiteError
        from toolkit.bundle import BundleError
        from toolkit.settings import SettingsError

        options = Options(
            args.config, args.data, args.port, args.broker_port, args.broker, args.series
        )
        stopping: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _frame: _stop(stopping, number))
        try:
            site = Site(options, _say)
        except (SiteError, SettingsError) as error:
            raise CommandError(str(error)) from error
        _say("Fairway is starting:")
        try:
            site.start()
            _say(
                f"\nOpen {site.address} in a browser. Logs are in {args.data}/log; Ctrl-C stops it."
            )
            while True:
                site.watch()
                time.sleep(_LOOK_S)
        except _Stopped:
            return 0
        except SiteError as error:
            raise CommandError(str(error), error.action) from error
        except (BundleError, ValueError) as error:
            raise CommandError(str(error)) from error
        finally:
            _say("Stopping: the boards send what they still hold …")
            site.stop()
            _say("Stopped.")


class _Stopped(BaseException):
    """Raised by the first signal, wherever we are."""


def _stop(stopping: list[int], number: int) -> None:
    stopping.append(number)
    if len(stopping) == 1:
        raise _Stopped


def _say(line: str) -> None:
    print(line, flush=True)

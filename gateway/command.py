"""`fairway gateway`: run it, check its configuration, look into its journal, command devices."""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import Command, CommandError

if TYPE_CHECKING:
    from gateway.config import Config


class GatewayCommand(Command):
    """Run a gateway, or look at what it holds."""

    name = "gateway"
    help = "run the gateway, check its configuration, look into its journal, command devices"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the actions."""
        parser.add_argument(
            "action",
            nargs="?",
            choices=["run", "check", "accounts", "dead-letters", "command", "audit", "update"],
            default="run",
            help="run (default); check: read the configuration only; accounts: what came from each"
            " device and start; dead-letters: the latest refused messages; command: have a device"
            " do something (docs/commands.md); audit: what was commanded; update: offer devices a"
            " release (docs/update.md)",
        )
        parser.add_argument("words", nargs="*", metavar="VERB", help="command: what to do")
        # So that the verb may follow the device, too.
        parser.add_argument(
            "--device", nargs="+", metavar=("NAME", "VERB"), help="command: who, and what to do"
        )
        parser.add_argument(
            "--within", type=int, default=120, metavar="S", help="command: it expires then"
        )
        parser.add_argument("--who", metavar="NAME", help="command: for the audit; default: you")
        parser.add_argument("--config", type=Path, required=True, metavar="FILE")
        parser.add_argument(
            "--data", type=Path, metavar="DIR", help="instead of the file's `data`"
        )
        parser.add_argument("--broker", metavar="HOST:PORT", help="instead of the file's")
        parser.add_argument("--series", metavar="URL", help="instead of the file's series.url")
        parser.add_argument("--centre", metavar="URL", help="instead of the file's centre.url")
        parser.add_argument(
            "--limit", type=int, default=20, help="dead letters or audit rows to show"
        )

    def run(self, args: argparse.Namespace) -> int:
        """Do it."""
        from gateway import config as settings
        from toolkit.settings import SettingsError

        try:
            config = settings.load(args.config, os.environ, args.data)
        except SettingsError as error:
            raise CommandError(
                "the configuration cannot be used", "\n  ".join(error.problems)
            ) from error
        config = _chosen(config, args)
        if args.action == "check":
            print(f"{args.config} is good")
            return 0
        if args.action == "run":
            return _serve(config)
        if args.action in {"command", "audit"}:
            from gateway import command_orders

            if args.action == "audit":
                return command_orders.audit(config, args)
            return command_orders.order(config, args)
        if args.action == "update":
            from gateway.command_updates import update

            return update(config, args)
        return _look(config.data / "journal.sqlite", args)


def _chosen(config: "Config", args: argparse.Namespace) -> "Config":
    """Return the configuration with what the command line says instead."""
    from dataclasses import replace

    if args.broker:
        host, _, port = args.broker.rpartition(":")
        if not host or not port.isdecimal():
            raise CommandError(f"--broker {args.broker} is not HOST:PORT")
        config = replace(config, broker=replace(config.broker, host=host, port=int(port)))
    if args.series:
        config = replace(config, series=replace(config.series, url=args.series))
    if args.centre:
        config = replace(config, centre=replace(config.centre, url=args.centre))
    return config


def _serve(config: "Config") -> int:
    import logging

    from gateway.journal import JournalError
    from gateway.service import Service

    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        service = Service(config)
    except JournalError as error:
        raise CommandError(str(error)) from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    service.run()
    return 0


def _look(journal: Path, args: argparse.Namespace) -> int:
    from gateway.journal import JournalError, JournalReader

    try:
        reader = JournalReader(journal)
    except JournalError as error:
        raise CommandError(str(error), "has this gateway run yet?") from error
    if args.action == "accounts":
        for device, boot, first, last, missing in reader.accounts():
            print(f"{device}  boot {boot}  seq {first} to {last}  missing {missing}")
        for name, value in sorted(reader.counters().items()):
            print(f"{name}: {value}")
    else:
        for row in reader.dead_letters(args.limit):
            print(
                f"{row['id']}  {row['topic']}  {row['reason']}: {row['detail']}  {row['raw'].hex()}"
            )
    reader.close()
    return 0

"""`fairway gateway`: run it, check its configuration, look into its journal, command devices."""

import argparse
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolkit.cli import Command, CommandError

if TYPE_CHECKING:
    from gateway.config import Config


_ACTIONS: Final = {
    "run": "take records in and hand them on (the default)",
    "check": "look whether all that it needs is there",
    "accounts": "what came of each start of each device, and the counters",
    "journal": "the latest records",
    "dead-letters": "list, show [ID…], reasons, replay or purge what was refused",
    "conflicts": "list or purge: the same identity with other bytes",
    "drain": "hand on what the journal of a gateway that is dead still holds, and end",
    "command": "VERB: have a device do something (docs/commands.md)",
    "audit": "what was commanded",
    "update": "offer devices a release (docs/update.md)",
    "revoke": "DEVICE: keep it apart and take its credentials (docs/security.md)",
    "revoked": "who is kept apart; crl: write the revocation list anew",
}


class GatewayCommand(Command):
    """Run a gateway, or look at what it holds."""

    name = "gateway"
    help = "run the gateway, check its configuration, look into its journal, command devices"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the actions."""
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.epilog = "actions:\n" + "\n".join(
            f"  {name:14}{text}" for name, text in _ACTIONS.items()
        )
        parser.add_argument(
            "action",
            nargs="?",
            choices=_ACTIONS,
            default="run",
            metavar="ACTION",
            help="see below",
        )
        parser.add_argument("words", nargs="*", metavar="WORD", help="what the action is to do")
        # So that the words may follow the device, too.
        parser.add_argument(
            "--device", nargs="+", metavar=("NAME", "WORD"), help="which device; then the words"
        )
        parser.add_argument("--config", type=Path, required=True, metavar="FILE")
        parser.add_argument(
            "--data", type=Path, metavar="DIR", help="instead of the file's `data`"
        )
        parser.add_argument("--broker", metavar="HOST:PORT", help="instead of the file's")
        parser.add_argument("--series", metavar="URL", help="instead of the file's series.url")
        parser.add_argument("--centre", metavar="URL", help="instead of the file's centre.url")
        parser.add_argument("--limit", type=int, default=20, help="how many rows to show")
        parser.add_argument("--json", action="store_true", help="accounts, journal: a JSON a line")
        parser.add_argument("--boot", type=int, help="journal: of this start only")
        parser.add_argument(
            "--reason", default="", help="dead-letters: of this reason only; revoke: why"
        )
        parser.add_argument("--undo", action="store_true", help="revoke: take it in again")
        parser.add_argument(
            "--serial", action="append", metavar="HEX", help="revoke: a certificate's number"
        )
        parser.add_argument("--sink", default="", help="dead-letters: what this sink refused")
        parser.add_argument("--all", action="store_true", help="dead-letters: every one")
        parser.add_argument(
            "--within", type=int, default=120, metavar="S", help="command: it expires then"
        )
        parser.add_argument("--who", metavar="NAME", help="command: for the audit; default: you")

    def run(self, args: argparse.Namespace) -> int:
        """Do it."""
        from gateway import config as settings
        from toolkit.settings import SettingsError

        try:
            config = settings.load(args.config, os.environ, args.data)
        except SettingsError as error:
            raise CommandError(
                "the configuration cannot be used",
                "\n  ".join(error.problems),
                code=2 if args.action == "check" else 1,
            ) from error
        config = _chosen(config, args)
        if args.action == "check":
            from gateway.cli import check as command_check

            return command_check.look(config, args.config)
        if args.action == "run":
            return _serve(config)
        if args.action in {"command", "audit"}:
            from gateway.cli import orders as command_orders

            if args.action == "audit":
                return command_orders.audit(config, args)
            return command_orders.order(config, args)
        if args.action == "update":
            from gateway.cli.updates import update

            return update(config, args)
        if args.action in {"revoke", "revoked"}:
            from gateway.cli import revoke as command_revoke

            if args.action == "revoked":
                return command_revoke.show(config, args)
            return command_revoke.change(config, args)
        from gateway.cli.look import look

        return look(config, args)


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
    from gateway.access.revocation import RevocationError
    from gateway.access.tls import TLSError
    from gateway.journal.journal import JournalError
    from gateway.operation import heap, logs
    from gateway.service import Service

    logs.set_up(config.operation.log)
    try:
        service = Service(config)
    except (JournalError, RevocationError, TLSError) as error:
        raise CommandError(str(error)) from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    heap.settle()
    service.run()
    return 0

"""The `fairway` command.

Each package announces its subcommands as entry points of the group `fairway.commands`
(pyproject.toml); this module only finds them, so it imports none of them by name.

    class Hello(Command):
        name, help = "hello", "Greet."
        def add_arguments(self, parser): parser.add_argument("who")
        def run(self, args): print("hello", args.who); return 0
"""

import argparse
import sys
from abc import ABC, abstractmethod
from importlib.metadata import entry_points


class CommandError(Exception):
    """A failure to tell a person: one line of cause and one of what to do about it."""

    def __init__(self, cause: str, action: str = "", code: int = 1) -> None:
        super().__init__(cause)
        self.cause = cause
        self.action = action
        self.code = code


class Command(ABC):
    """One subcommand. Heavy imports belong inside `run`."""

    name: str
    help: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:  # noqa: B027  (optional hook)
        """Declare the subcommand's arguments."""

    @abstractmethod
    def run(self, args: argparse.Namespace) -> int:
        """Do it; return the exit code.

        Raises:
            CommandError: what went wrong, for people.
        """


def main(argv: list[str] | None = None) -> int:
    """Run `fairway` with `argv` (default: the process's own arguments); return the exit code."""
    parser = argparse.ArgumentParser(
        prog="fairway", description="Telemetry for smart buoys and shore power."
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    words = sys.argv[1:] if argv is None else argv
    points = {point.name: point for point in entry_points(group="fairway.commands")}
    # The one that is asked for, or all for the list of them: loading takes a moment each.
    chosen = words[:1] if words and words[0] in points else sorted(points)
    for name in chosen:
        command: Command = points[name].load()()
        sub = subparsers.add_parser(command.name, help=command.help, description=command.help)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    args = parser.parse_args(words)
    try:
        code: int = args.run(args)
    except CommandError as error:
        print(f"fairway {args.command}: {error.cause}", file=sys.stderr)
        if error.action:
            print(f"  {error.action}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130
    return code

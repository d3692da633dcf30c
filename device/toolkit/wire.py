"""`fairway wire`: writes the generated files of the wire contract, or checks that they are true."""

import argparse
from pathlib import Path

from agent.wire import document
from toolkit.cli import Command, CommandError

_ROOT = Path(__file__).parents[2]


class WireCommand(Command):
    """Generate config/wire.cddl, config/wire-vectors.json and the tables of docs/wire.md."""

    name = "wire"
    help = "write the wire contract's generated files, or check them"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --check."""
        parser.add_argument("--check", action="store_true", help="only compare, write nothing")

    def run(self, args: argparse.Namespace) -> int:
        """Write the files, or name the first that is not what the schema table says."""
        for path, text in document.files(_ROOT).items():
            now = path.read_text("utf-8") if path.exists() else ""
            if now == text:
                continue
            if args.check:
                raise CommandError(
                    f"{path.relative_to(_ROOT)} is not what the schema table says",
                    "run `make wire` and look at the difference",
                )
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(_ROOT)}")
        return 0

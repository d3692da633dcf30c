"""`fairway release`: makes keys and releases, signs them, shows what is in them."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import Command, CommandError

if TYPE_CHECKING:
    from toolkit.release import Release

_PASSPHRASE = "FAIRWAY_RELEASE_PASSPHRASE"  # noqa: S105  (the variable's name)


class ReleaseCommand(Command):
    """Make what devices are updated with."""

    name = "release"
    help = "make, sign and look at the releases that devices are updated with"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare key, build, sign and show."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        key = actions.add_parser("key", help=f"make a key; {_PASSPHRASE} protects it")
        key.add_argument("file", type=Path, metavar="KEY")
        build = actions.add_parser("build", help="compile a profile into an unsigned release")
        build.add_argument("file", type=Path, metavar="RELEASE")
        build.add_argument("--profile", required=True, choices=["beacon", "shorepower"])
        build.add_argument("--layer", required=True, choices=["esp32", "rp2", "stm32", "virtual"])
        build.add_argument("--board", required=True, help="as its file in agent/hal/boards")
        build.add_argument(
            "--counter", required=True, type=int, help="at least the one that devices have now"
        )
        build.add_argument("--version", help="instead of agent/version.py's")
        sign = actions.add_parser("sign", help="sign a release in place")
        sign.add_argument("file", type=Path, metavar="RELEASE")
        sign.add_argument("--key", required=True, type=Path)
        show = actions.add_parser("show", help="say what a release is")
        show.add_argument("file", type=Path, metavar="RELEASE")
        show.add_argument("--public", metavar="HEX", help="check the signature by this key")

    def run(self, args: argparse.Namespace) -> int:
        """Do it."""
        from agent.errors import RemoteError
        from toolkit.bundle import BundleError

        try:
            return int(
                {"key": _key, "build": _build, "sign": _sign, "show": _show}[args.action](args)
            )
        except (BundleError, RemoteError) as error:
            raise CommandError(str(error)) from error
        except FileExistsError as error:
            raise CommandError(
                f"{args.file} is there already", "keys are not written over"
            ) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error


def _key(args: argparse.Namespace) -> int:
    from toolkit import release

    public = release.make_key(args.file, os.environ.get(_PASSPHRASE, ""))
    print(f"wrote {args.file}; keep it offline, with a copy: who has it can update every device")
    print(f"public key, `release` of each device's identity: {public.hex()}")
    return 0


def _build(args: argparse.Namespace) -> int:
    from agent.version import VERSION
    from toolkit import release

    made = release.build(
        args.profile,
        layer=args.layer,
        board=args.board,
        counter=args.counter,
        version=args.version.encode() if args.version else VERSION,
    )
    args.file.write_bytes(release.encode(made))
    _print(made)
    return 0


def _sign(args: argparse.Namespace) -> int:
    from toolkit import release

    key = release.load_key(args.key, os.environ.get(_PASSPHRASE, ""))
    signed = release.sign(release.decode(args.file.read_bytes()), key)
    args.file.write_bytes(release.encode(signed))
    _print(signed)
    return 0


def _show(args: argparse.Namespace) -> int:
    from toolkit import release

    shown = release.decode(args.file.read_bytes())
    _print(shown)
    for name, content in release.unpack(shown.image):
        print(f"  {len(content):6}  {name}")
    if args.public is None:
        return 0
    try:
        public = bytes.fromhex(args.public)
    except ValueError as error:
        raise CommandError("--public is not hexadecimal", "64 digits, as `key` printed") from error
    good = release.genuine(shown, public)
    print("signature: genuine" if good else "signature: NOT of this key")
    return 0 if good else 1


def _print(release: "Release") -> None:
    from agent.wire import words

    facts = release.facts
    profile = words.FIELDS["birth.profile"][facts.profile]
    print(
        f"{facts.version.decode()}, counter {facts.counter}, {profile} for {facts.board.decode()}:"
        f" {facts.size} bytes in {len(release.chunks())} chunks,"
        f" {'signed' if release.signature else 'not signed'}"
    )

"""`fairway gateway update`: offer a release to devices, look how far they are, stop."""

import argparse
import getpass
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agent.wire import messages
from agent.wire.release import SIZE_MAX, Release, ReleaseError, decode
from gateway.access.revocation import RevocationError
from gateway.access.revocation import read as revoked
from gateway.config import Config
from gateway.down.rollouts import Rollout, Rollouts
from gateway.down.updates import STATES
from toolkit.cli import CommandError

FILE: Final = "updates.sqlite"

_USAGE: Final = (
    "update                            how far devices are\n"
    "  update RELEASE --device NAME …    offer a signed release to these devices\n"
    "  update stop IMAGE                 offer it no more\n"
    "  update audit                      what happened, the latest first"
)


def update(config: Config, args: argparse.Namespace) -> int:
    """Do what the command line says; return the exit code.

    Raises:
        CommandError: it cannot be done.
    """
    path = config.data / FILE
    try:
        rollouts = Rollouts(path)
        try:
            return _do(rollouts, args, set(revoked(config.data)))
        finally:
            rollouts.close()
    except (sqlite3.Error, OSError) as error:
        raise CommandError(f"{path}: {error}") from error
    except RevocationError as error:
        raise CommandError(str(error)) from error


def _do(rollouts: Rollouts, args: argparse.Namespace, apart: set[str]) -> int:
    who = args.who or getpass.getuser()
    match args.words:
        case []:
            for rollout in rollouts.all(args.limit):
                print(_line(rollout))
        case ["audit"]:
            for row in rollouts.audit(args.limit):
                print(f"{_time(row.at_ms)}  {row.image}  {row.device}  {row.who}  {row.what}")
        case ["stop", image] if image.isdecimal():
            try:
                rollout = rollouts.get(int(image))
            except KeyError as error:
                raise CommandError(f"there is no update {image}") from error
            rollouts.end(rollout, "stopped", _now_ms(), who)
            print(_line(rollouts.get(int(image))))
        case [_] if args.device and apart.intersection(args.device):
            names = ", ".join(sorted(apart.intersection(args.device)))
            raise CommandError(f"{names}: revoked", "fairway gateway revoked")
        case [name] if args.device:
            _offer(rollouts, _read(Path(name)), args.device, who)
        case _:
            raise CommandError("that is not how", _USAGE)
    return 0


def _offer(rollouts: Rollouts, release: Release, devices: list[str], who: str) -> None:
    for device in devices:
        if not messages.valid_device(device):
            raise CommandError(f"{device!r} is no device id")
    for device in devices:
        image = rollouts.add(device, release, who, _now_ms())
        print(f"{device}: update {image}")
        print(f"  once it is staged: fairway gateway command update {image} --device {device}")


def _read(path: Path) -> Release:
    try:
        with path.open("rb") as file:
            release = decode(file.read(SIZE_MAX + 1))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", _USAGE) from error
    except ReleaseError as error:
        raise CommandError(f"{path} is no release: {error}") from error
    if not release.signature:
        raise CommandError(f"{path} is not signed", "fairway release sign --key KEY RELEASE")
    return release


def _line(rollout: Rollout) -> str:
    state = STATES.get(rollout.state, str(rollout.state))
    if rollout.missing:
        state += f", {rollout.missing} chunks missing"
    if rollout.ended_ms is not None:
        state = f"ended {_time(rollout.ended_ms)}: {rollout.result}"
    return f"{rollout.image}  {rollout.device}  {_time(rollout.heard_ms)}  {state}"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""`fairway gateway command` and `fairway gateway audit`: orders through the running gateway."""

import argparse
import getpass
import sqlite3
import sys
import time
from datetime import UTC, datetime
from typing import Final

from agent.wire import messages, words
from gateway.access.revocation import RevocationError
from gateway.access.revocation import read as revoked
from gateway.config import Config
from gateway.down import orders as o
from gateway.down import verbs
from gateway.down.keys import KeysError, read
from toolkit.cli import CommandError

# Exit codes.
DONE: Final = 0
NOT_DONE: Final = 3  # the device answered, and it is not done
UNREACHED: Final = 4  # no answer, and nothing was sent: it is not done
UNANSWERED: Final = 5  # it was sent, and nobody knows

_LOOK_S: Final = 0.1
_WITHIN_MAX_S: Final = 7 * 86_400
_GATEWAY_S: Final = 5.0  # a running gateway has taken up an order by then


def order(config: Config, args: argparse.Namespace) -> int:
    """Order what the command line says, wait for the answer and tell it; return the exit code.

    Raises:
        CommandError: it cannot be ordered.
    """
    device, *line = args.device or [""]
    line = args.words + line
    if not device or not messages.valid_device(device):
        raise CommandError("no device: --device NAME", f"{device!r} is no device id")
    try:
        verb, arguments = verbs.parse(line)
    except verbs.VerbError as error:
        raise CommandError(str(error), "\n  ".join(verbs.USAGE.values())) from error
    if not 1 <= args.within <= _WITHIN_MAX_S:
        raise CommandError(f"--within {args.within}: allowed are 1 to {_WITHIN_MAX_S} seconds")
    _check_key(config, device)
    who = args.who or getpass.getuser()
    path = config.data / "commands.sqlite"
    if not path.exists():
        raise CommandError(f"{path} is not there", "has this gateway run yet?")
    try:
        orders = o.Orders(path)
        if verb in {messages.LOG, messages.POST_MORTEM}:
            return _read_file(orders, device, line, who, args.within)
        done = _wait(orders, _ordered(orders, device, verb, arguments, who, args.within))
        return _tell(done)
    except (sqlite3.Error, OSError) as error:
        raise CommandError(f"{path}: {error}") from error


def audit(config: Config, args: argparse.Namespace) -> int:
    """Print the latest rows of the audit."""
    path = config.data / "commands.sqlite"
    if not path.exists():
        raise CommandError(f"{path} is not there", "has this gateway run yet?")
    device = args.device[0] if args.device else None
    for row in o.Orders(path).audit(args.limit, device):
        at = datetime.fromtimestamp(row.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
        print(f"{at}  {row.number}  {row.device}  {row.who}  {row.what}: {row.detail}")
    return 0


def _check_key(config: Config, device: str) -> None:
    try:
        known = read(config.keys)
    except KeysError as error:
        raise CommandError(str(error), "docs/commands.md has the format of keys_file") from error
    if device not in known:
        raise CommandError(f"{config.keys} has no key of {device}")
    try:
        if device in revoked(config.data):
            raise CommandError(f"{device} is revoked", "fairway gateway revoked")
    except RevocationError as error:
        raise CommandError(str(error)) from error


def _ordered(
    orders: o.Orders, device: str, verb: int, arguments: bytes, who: str, within_s: int
) -> int:
    return orders.add(device, verb, arguments, who, within_s, time.time_ns() // 1_000_000)


def _wait(orders: o.Orders, number: int) -> o.Order:
    """Wait until an order has ended."""
    began = time.monotonic()
    while (order := orders.get(number)).state in o.OPEN:
        late = order.state == o.NEW and time.monotonic() - began > _GATEWAY_S
        if late and orders.withdraw(order, time.time_ns() // 1_000_000, "no gateway runs"):
            raise CommandError(
                "the gateway has not taken it up", "is it running, with this data folder?"
            )
        time.sleep(_LOOK_S)
    return order


def _tell(order: o.Order) -> int:
    """Print how an order ended; return the exit code."""
    if order.state == o.UNREACHED:
        print(f"{order.device}: not reached; nothing was done")
        return UNREACHED
    if order.state == o.UNANSWERED or order.result is None:
        print(f"{order.device}: sent, and not answered; it may or may not have been done")
        return UNANSWERED
    said = words.RESULTS.get(order.result, f"result {order.result}")
    detail = verbs.explain(order.verb, order.result, order.detail or b"")
    print(f"{order.device}: {said}" + (f"; {detail}" if detail else ""))
    return DONE if order.result == messages.RESULT_DONE else NOT_DONE


def _read_file(orders: o.Orders, device: str, line: list[str], who: str, within_s: int) -> int:
    """Fetch a file, one answer after the other, and write it to standard output."""
    verb, _ = verbs.parse(line)
    offset = int(line[1]) if line[1:] else 0
    while True:
        _, arguments = verbs.parse([line[0], str(offset)])
        done = _wait(orders, _ordered(orders, device, verb, arguments, who, within_s))
        if done.result != messages.RESULT_DONE:
            return _tell(done)
        try:
            size, data = verbs.chunk(done.detail or b"")
        except verbs.VerbError as error:
            raise CommandError(str(error)) from error
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        offset += len(data)
        if not data or offset >= size:
            return DONE

"""`fairway gateway revoke` and `fairway gateway revoked`: a stolen device, in one step.

The gateway's own refusal is the first step and stays in force whatever becomes of the others. Each step
may be done again: the whole command is repeated after what failed was mended.
"""

import argparse
import getpass
import hashlib
import os
import shlex
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agent.wire import messages
from gateway.access import credentials
from gateway.access.credentials import CredentialsError
from gateway.access.revocation import RevocationError, Revoked, read, readmit, revoke
from gateway.access.tls import explain
from gateway.check import revocation as check_revocation
from gateway.check.findings import OK
from gateway.cli.updates import FILE as UPDATES
from gateway.config import Config
from gateway.down import keys
from gateway.down import orders as o
from gateway.down.rollouts import Rollouts
from toolkit.cli import CommandError

FAILED: Final = 1
_COMMANDS: Final = "commands.sqlite"
_WHY: Final = "the device is revoked"
_TOLD_S: Final = 1.0  # a broker that was sent a signal has read its files by then
_MARK: Final = 16  # hexadecimal digits
_USAGE: Final = (
    "revoke DEVICE [--reason TEXT] [--serial HEX …]   keep a device apart, take its credentials\n"
    "  revoke DEVICE --undo                             take it in again\n"
    "  revoked                                          who is kept apart\n"
    "  revoked crl                                      write the revocation list anew"
)

_Step = tuple[str, Callable[[], str]]


class _ByHandError(Exception):
    """A step that is not configured; says what a person has to do."""


def change(config: Config, args: argparse.Namespace) -> int:
    """Revoke a device, or take that back; return 0, or 1 when a step failed.

    Raises:
        CommandError: the command line is wrong, or this is no gateway's data folder.
    """
    named = args.words + (args.device or [])
    if len(named) != 1 or not messages.valid_device(named[0]):
        raise CommandError("which device?", _USAGE)
    if named[0] == config.broker.user:
        raise CommandError(f"{named[0]} is this gateway's own name at the broker")
    if not config.data.is_dir():
        raise CommandError(f"{config.data} is not there", "has this gateway run yet?")
    who = args.who or getpass.getuser()
    try:
        if args.undo:
            return _carry_out(_readmission(config, named[0], who))
        work = _Revocation(config, named[0], who, args.reason, _numbers(args.serial or []))
        return _carry_out(work.steps(), work.outcomes)
    except RevocationError as error:
        raise CommandError(str(error)) from error


def show(config: Config, args: argparse.Namespace) -> int:
    """Print who is revoked; with the word `crl`, write the revocation list anew.

    Raises:
        CommandError: it cannot be done.
    """
    try:
        if args.words == ["crl"]:
            return _carry_out(iter([("certificates", lambda: _renew(config))]))
        if args.words:
            raise CommandError("that is not how", _USAGE)
        for entry in read(config.data).values():
            at = datetime.fromtimestamp(entry.at_s, UTC)
            print(f"{entry.device}  {at:%Y-%m-%d %H:%M:%S}Z  {entry.who}  {entry.reason}".rstrip())
    except RevocationError as error:
        raise CommandError(str(error)) from error
    for finding in check_revocation.check(config):
        if finding.level != OK:
            print(f"{finding.level}: {finding.what}; {finding.action}")
    return 0


class _Revocation:
    """The steps of one revocation, in the order in which they matter."""

    def __init__(
        self, config: Config, device: str, who: str, reason: str, serials: set[int]
    ) -> None:
        self._config = config
        self._where = config.revocation
        self._device = device
        self._who = who
        self._reason = reason
        self._serials = serials
        self.outcomes: list[tuple[str, str]] = []  # (step, done, failed or not configured)
        self._told = False
        self._ca: credentials.CA | None = None

    def steps(self) -> Iterator[_Step]:
        yield "gateway", self._gateway
        yield "commands", self._commands
        yield "updates", self._updates
        yield "password", self._password
        yield "certificate", self._certificate
        yield "broker", self._broker
        yield "connection", self._connection
        yield "audit", self._audit

    def _gateway(self) -> str:
        mark = _key_mark(self._config.keys, self._device)
        now_s = int(time.time())
        entry = Revoked(self._device, now_s, self._who, self._reason, mark)
        before = revoke(self._config.data, entry)
        if before is None:
            return "what comes from it is kept apart from now on"
        at = datetime.fromtimestamp(before.at_s, UTC)
        return f"kept apart already, since {at:%Y-%m-%d %H:%M:%S}Z, by {before.who}"

    def _commands(self) -> str:
        path = self._config.data / _COMMANDS
        if not path.exists():
            return "there are none"
        orders = o.Orders(path)
        try:
            mine = [order for order in orders.open() if order.device == self._device]
            for order in mine:
                state = o.UNANSWERED if order.state == o.SENT else o.UNREACHED
                orders.ended(order, state, _now_ms(), _WHY)
        finally:
            orders.close()
        return f"{len(mine)} withdrawn; new ones are refused"

    def _updates(self) -> str:
        path = self._config.data / UPDATES
        if not path.exists():
            return "there are none"
        rollouts = Rollouts(path)
        try:
            mine = [rollout for rollout in rollouts.open() if rollout.device == self._device]
            for rollout in mine:
                rollouts.end(rollout, _WHY, _now_ms(), self._who)
        finally:
            rollouts.close()
        return f"{len(mine)} stopped"

    def _password(self) -> str:
        path = self._where.password_file
        if path is None:
            raise _ByHandError("has it one? Then: mosquitto_passwd -D FILE " + self._device)
        try:
            found = credentials.forget_password(path, self._device)
        except OSError as error:
            raise CredentialsError(
                f"{path}: {error.strerror}; by hand: mosquitto_passwd -D {path} {self._device}"
            ) from error
        return f"taken out of {path}" if found else f"it has none in {path}"

    def _certificate(self) -> str:
        path, folder = self._where.crl_file, self._where.certificates
        if path is None:
            raise _ByHandError("has it one? Then add it to the broker's crlfile")
        if folder is not None:
            self._serials |= credentials.serials_of(folder, self._device)
        if not self._serials:
            if self._where.password_file is not None and folder is not None:
                return f"it has none in {folder}"
            raise CredentialsError(
                f"no certificate of it in {folder or 'revocation.certificates (not set)'};"
                " say its number: --serial HEX"
            )
        numbers = ", ".join(f"{serial:x}" for serial in sorted(self._serials))
        self._ca = _load_ca(self._config)
        if self._ca is None:
            raise _ByHandError(
                f"on the CA's machine: openssl ca -revoke its certificate {numbers}, openssl ca"
                f" -gencrl, bring the list to {path}, and tell the broker:"
                f" {self._where.reload or 'systemctl reload mosquitto'}"
            )
        n = credentials.revoke_certificates(path, self._ca, self._serials, datetime.now(UTC))
        return f"{numbers} on the list {path}, which has {n} now"

    def _broker(self) -> str:
        command = shlex.split(self._where.reload)
        if not command:
            raise _ByHandError("it reads its files again on: systemctl reload mosquitto")
        credentials.run(command)
        self._told = True
        return f"told: {self._where.reload}; it cuts whoever has no password any more"

    def _connection(self) -> str:
        if not self._serials:
            return "one by certificate does not exist"
        broker, trust = self._config.broker, self._where.ca_cert
        host, _, port = self._where.listener.rpartition(":")
        if broker.tls is not None:
            trust = broker.tls.ca
            host, port = (host, port) if host else (broker.host, str(broker.port))
        if self._ca is None or trust is None or not host:
            raise _ByHandError(
                "mosquitto leaves one that stands alone; restarting it ends all of them. What"
                " comes on it is kept apart in any case"
            )
        if not self._told:
            raise CredentialsError("not taken over: the broker has not been told, it would return")
        time.sleep(_TOLD_S)
        try:
            credentials.take_over(host, int(port), trust, self._ca, self._device)
        except OSError as error:
            raise CredentialsError(f"{host}:{port}: {explain(error)}") from error
        return "ended, and its session with it"

    def _audit(self) -> str:
        outcomes = ", ".join(f"{name} {state}" for name, state in self.outcomes)
        detail = f"{self._reason} ({outcomes})".strip()
        _note(self._config, self._device, self._who, "revoked", detail)
        return f"revoked by {self._who}"


def _readmission(config: Config, device: str, who: str) -> Iterator[_Step]:
    """Yield the steps that take a device in again."""
    was: list[Revoked] = []

    def gateway() -> str:
        before = readmit(config.data, device)
        if before is None:
            return "it was not revoked"
        was.append(before)
        return "what comes from it is taken in again from now on"

    def key() -> str:
        mark = _key_mark(config.keys, device)
        if was and was[0].mark and was[0].mark == mark:
            raise _ByHandError(
                "the same as when it was revoked: whoever had the device in hand may have read it,"
                " and could command it and speak as it. Unless it never was in other hands:"
                f" commission it anew, and put the new key into {config.keys}"
            )
        return "another than when it was revoked, or none"

    def password() -> str:
        raise _ByHandError(
            f"a new one, with mosquitto_passwd {config.revocation.password_file or 'FILE'} {device};"
            " or a new certificate: the old ones stay on the list"
        )

    def audit() -> str:
        _note(config, device, who, "taken in again", "")
        return f"taken in again by {who}"

    yield "gateway", gateway
    yield "key", key
    yield "credentials", password
    yield "audit", audit


def _carry_out(steps: Iterator[_Step], outcomes: list[tuple[str, str]] | None = None) -> int:
    """Do each step, whatever became of the one before; print a line for each."""
    code = 0
    outcomes = [] if outcomes is None else outcomes
    for name, step in steps:
        try:
            state, text = "done", step()
        except _ByHandError as error:
            state, text = "not configured", str(error)
        except (CredentialsError, RevocationError, OSError, sqlite3.Error) as error:
            state, text, code = "failed", str(error), FAILED
        outcomes.append((name, state))
        print(f"{name:<13}{state:<16}{text}", flush=True)
    return code


def _renew(config: Config) -> str:
    path = config.revocation.crl_file
    if path is None:
        raise _ByHandError("revocation.crl_file is not set")
    ca = _load_ca(config)
    if ca is None:
        raise _ByHandError(f"revocation.ca_key is not set; openssl ca -gencrl -out {path}")
    n = credentials.revoke_certificates(path, ca, (), datetime.now(UTC))
    return f"{path} has {n} and is good until {ca.certificate.not_valid_after_utc:%Y-%m-%d}"


def _load_ca(config: Config) -> credentials.CA | None:
    where = config.revocation
    if where.ca_cert is None or where.ca_key is None:
        return None
    phrase = os.environ.get("FAIRWAY_CA_PASSWORD", "")
    return credentials.load_ca(where.ca_cert, where.ca_key, phrase)


def _numbers(words: list[str]) -> set[int]:
    try:
        return {int(word.replace(":", ""), 16) for word in words}
    except ValueError as error:
        raise CommandError(f"--serial {' '.join(words)}: not hexadecimal", _USAGE) from error


def _key_mark(path: Path, device: str) -> str:
    """Return the beginning of the SHA-256 of a device's key, "" where there is none to be read."""
    try:
        key = keys.read(path).get(device)
    except keys.KeysError:
        return ""
    return hashlib.sha256(key).hexdigest()[:_MARK] if key else ""


def _note(config: Config, device: str, who: str, what: str, detail: str) -> None:
    orders = o.Orders(config.data / _COMMANDS)
    try:
        orders.note(device, who, what, detail, _now_ms())
    finally:
        orders.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

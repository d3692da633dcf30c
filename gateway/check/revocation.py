"""Whether `fairway gateway revoke` would work: better known before something is stolen.

What this user may not read is passed over: the command itself is given by root as a rule.
"""

import os
import shlex
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.access import credentials
from gateway.access.credentials import CredentialsError
from gateway.access.revocation import RevocationError, read
from gateway.access.tls import WARN_DAYS
from gateway.check.findings import Finding, error, ok, warning
from gateway.config import Config, Revocation

_SET = "set it, or know what to do by hand: docs/security.md"


def check(config: Config, now: datetime | None = None) -> Iterator[Finding]:
    """Look at the list of revoked devices, and at what a revocation needs."""
    try:
        revoked = read(config.data)
    except RevocationError as problem:
        yield error(str(problem), "the gateway does not start with it")
    else:
        if revoked:
            yield ok(f"kept apart: {', '.join(sorted(revoked))}")
    where = config.revocation
    if where.password_file is None and where.crl_file is None:
        yield warning("[revocation] says nothing of the broker's credentials", _SET)
        return
    findings = [
        *_passwords(where.password_file),
        *_list(where.crl_file, now or datetime.now(UTC)),
        *_authority(where),
        *_reload(where.reload),
    ]
    yield from findings
    if not findings:
        yield ok("a device's credentials can be revoked")


def _passwords(path: Path | None) -> Iterator[Finding]:
    if path is not None and not path.is_file():
        yield error(f"revocation.password_file: {path} is not there", "the broker's password_file")


def _list(path: Path | None, now: datetime) -> Iterator[Finding]:
    anew = "`fairway gateway revoked crl` writes it anew"
    if path is None or not _readable(path):
        return
    try:
        ends = credentials.crl_ends(path)
    except CredentialsError as problem:
        yield error(f"revocation.crl_file: {problem}", anew)
        return
    if ends is not None and ends - now <= timedelta(days=WARN_DAYS):
        say = warning if ends > now else error
        yield say(
            f"revocation.crl_file: {path} runs out on {ends:%Y-%m-%d}, and then the broker refuses"
            " every device",
            anew,
        )


def _authority(where: Revocation) -> Iterator[Finding]:
    if where.crl_file is None:
        return
    if where.certificates is not None and not where.certificates.is_dir():
        yield error(
            f"revocation.certificates: {where.certificates} is no folder",
            "put the devices' certificates there, or leave it out and use --serial",
        )
    if where.ca_cert is None or where.ca_key is None:
        yield warning(
            "revocation.ca_key is not set: the revocation list is written elsewhere, and a standing"
            " connection is not ended",
            _SET,
        )
    elif _readable(where.ca_cert) and _readable(where.ca_key):
        try:
            credentials.load_ca(
                where.ca_cert, where.ca_key, os.environ.get("FAIRWAY_CA_PASSWORD", "")
            )
        except CredentialsError as problem:
            yield error(f"revocation.ca_key: {problem}", "")


def _reload(command: str) -> Iterator[Finding]:
    words = shlex.split(command)
    if not words:
        yield warning("revocation.reload is not set: nobody tells the broker", _SET)
    elif shutil.which(words[0]) is None:
        yield error(f"revocation.reload: there is no {words[0]}", "a command on this machine")


def _readable(path: Path) -> bool:
    """Return False for what another user may read and this one may not."""
    return os.access(path, os.R_OK) or not path.exists()

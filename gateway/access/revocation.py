"""Which devices are kept apart: `revoked.toml` in the gateway's data folder.

    revocations = Revocations(config.data)     in the gateway; raises for a file that cannot be used
    revocations.look()                         before each batch: one stat, mostly
    revocations.revoked("buoy-1")              a set's lookup

    revoke(config.data, Revoked("buoy-1", now_s, "a.person", "stolen"))     in `fairway gateway revoke`

The file is replaced whole, and synced, so that a revocation holds over a power cut from the moment the
command has said so. A running gateway that cannot read it goes on with what it knew and says so; one
that starts does not start, as with a configuration that is wrong.
"""

import fcntl
import json
import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agent.wire.messages import valid_device
from gateway.access import durable

log = logging.getLogger(__name__)

REASON: Final = "revoked"  # of the dead letters
FILE: Final = "revoked.toml"
_LOCK: Final = "revoked.lock"
_TEXT_MAX: Final = 200  # characters of who and why
_HEAD: Final = """\
# Devices that this gateway keeps apart. Written by `fairway gateway revoke`; the running gateway looks
# at it before each batch. The key's mark is the beginning of its SHA-256.
"""


class RevocationError(Exception):
    """The file cannot be used; says which, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """One device: since when (Unix seconds), by whom and why; `mark` tells the key it had, or is ""."""

    device: str
    at_s: int
    who: str
    reason: str = ""
    mark: str = ""


class Revocations:
    """What a running gateway asks. One thread calls `look`; any may call `revoked`.

    Raises:
        RevocationError: at construction, when the file is there and cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._name = str(self._path)
        self._seen = _stamp(self._name)
        self._devices = frozenset(read(folder))
        self.fault = ""  # why the file is not followed, "" while it is

    def revoked(self, device: str) -> bool:
        """Return whether a device is kept apart."""
        return device in self._devices

    @property
    def devices(self) -> frozenset[str]:
        """All of them."""
        return self._devices

    def look(self) -> bool:
        """Read the file again if it has changed; return whether the devices have."""
        stamp = _stamp(self._name)
        if stamp == self._seen:
            return False
        self._seen = stamp
        if stamp is None:
            self._fail(f"{self._path} is gone; who was revoked stays so until the next start")
            return False
        try:
            devices = frozenset(read(self._path.parent))
        except RevocationError as error:
            self._fail(f"{error}; what was known before stays in force")
            return False
        before, self._devices = self._devices, devices
        self.fault = ""
        for device in sorted(devices - before):
            log.warning("%s is revoked: what comes from it is kept apart", device)
        for device in sorted(before - devices):
            log.warning("%s is revoked no more", device)
        return devices != before

    def _fail(self, fault: str) -> None:
        self.fault = fault
        log.error(fault)


def nobody(_device: str) -> bool:
    """Stand in where there are no revocations."""
    return False


def read(folder: Path) -> dict[str, Revoked]:
    """Return who is revoked; nobody, where there is no file.

    Raises:
        RevocationError: the file cannot be read or is not ours.
    """
    path = folder / FILE
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RevocationError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RevocationError(f"{path}: not TOML: {error}; mend it by hand") from error
    return {device: _entry(path, device, entry) for device, entry in table.items()}


def revoke(folder: Path, entry: Revoked) -> Revoked | None:
    """Revoke a device, durably; return the entry it had before, which then stays.

    Raises:
        RevocationError: the file cannot be used.
        OSError: it could not be written; nothing has changed.
    """
    with _alone(folder):
        entries = read(folder)
        before = entries.get(entry.device)
        if before is None:
            entries[entry.device] = entry
            _write(folder, entries)
        return before


def readmit(folder: Path, device: str) -> Revoked | None:
    """Take a revocation back; return what it was, None if there was none. Raises as `revoke`."""
    with _alone(folder):
        entries = read(folder)
        before = entries.pop(device, None)
        if before is not None:
            _write(folder, entries)
        return before


def _entry(path: Path, device: str, entry: object) -> Revoked:
    if not valid_device(device) or not isinstance(entry, dict):
        raise RevocationError(f"{path}: [{device}] is no device's table; mend it by hand")
    at, who, reason, mark = (entry.get(key, "") for key in ("at", "who", "reason", "key"))
    if isinstance(at, datetime) and isinstance(who, str) and isinstance(reason, str):
        return Revoked(device, int(at.timestamp()), who, reason, str(mark))
    raise RevocationError(f"{path}: [{device}] needs at, who and reason; mend it by hand")


def _write(folder: Path, entries: Mapping[str, Revoked]) -> None:
    parts = [_HEAD]
    for entry in entries.values():
        at = datetime.fromtimestamp(entry.at_s, UTC)
        parts.append(
            f"\n[{entry.device}]\nat = {at:%Y-%m-%dT%H:%M:%SZ}\nwho = {_text(entry.who)}\n"
            f"reason = {_text(entry.reason)}\nkey = {_text(entry.mark)}\n"
        )
    durable.replace(folder / FILE, "".join(parts).encode())


def _text(text: str) -> str:
    """Return a TOML string; JSON's escapes are TOML's, and what cannot be printed is left out."""
    return json.dumps("".join(c for c in text if c.isprintable())[:_TEXT_MAX], ensure_ascii=False)


def _stamp(path: Path | str) -> tuple[int, int, int] | None:
    """Return what changes whenever the file is replaced."""
    try:
        status = os.stat(path)  # noqa: PTH116  (before each batch: a third of what pathlib takes)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one command at a time change the file. The lock belongs to the folder's owner, as it does."""
    owner = folder.stat()
    number = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        made = os.fstat(number)
        if made.st_uid != owner.st_uid and os.geteuid() == 0:
            os.fchown(number, owner.st_uid, owner.st_gid)
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)

"""Commissions virtual boards: the files a real board gets, its identity, settings and stores."""

import json
import secrets
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from agent.hal.files import Files
from agent.keep.boots import pack, unpack
from toolkit import bundle
from toolkit import commission as toolkit

_BOARD: Final = "virtual"
_WIFI: Final = {"ssid": "quay", "key": "virtual"}
# A board whose owner has no release key believes no update; this is no point on the curve.
_NO_RELEASES: Final = "02" + 31 * "00"


def commission(
    flash: Path,
    device: str,
    password: str,
    profile: str,
    settings: Mapping[str, object],
    *,
    key: str | None = None,
    release: str | None = None,
) -> None:
    """Bring a board's flash up to date.

    The agent is written each time, settings and access when what they are made of has changed: what a
    command changed since stays. Identity and boot store are written once: a board that was commissioned
    keeps who it is, and never counts its starts from nothing again.

    Args:
        flash: the board's flash.
        device: its id.
        password: its password at the broker.
        profile: "beacon" or "shorepower".
        settings: as of the table in agent/config.py; a section "broker" (host, port) goes into access.
        key: the device's key, 64 hexadecimal digits; random if absent.
        release: public key of releases, 64 hexadecimal digits; none that is valid if absent.

    Raises:
        BundleError: the agent's files could not be made.
        CommissionError: a setting is not allowed.
    """
    flash.mkdir(parents=True, exist_ok=True)
    before = _digest(flash / "a")
    bundle.write(flash, profile, layer="virtual", board=_BOARD, compiled=True)
    if _digest(flash / "a") != before:
        _forget_slots(flash)
    files: toolkit.Files = Files(str(flash / "data"))  # type: ignore[no-untyped-call]
    _move_older_layout(flash)
    if toolkit.identity_of(files) is None:
        toolkit.identify(
            files, device, key=key or secrets.token_hex(32), release=release or _NO_RELEASES
        )
    if not any(path.exists() for path in _boot_stores(flash)):
        files.replace("boot-a", pack(0))
    rest = dict(settings)
    broker = rest.pop("broker", {})
    access = {**broker, "password": password, "wifi": _WIFI}  # type: ignore[dict-item]
    given: dict[str, Mapping[str, object]] = {
        "settings": {"profile": profile, "board": _BOARD, **rest},
        "access": access,
    }
    note = flash.with_name(flash.name + ".given")
    known = note.read_text("utf-8").split() if note.exists() else []
    digests = []
    for name, values in given.items():
        digests.append(sha256(json.dumps([name, values]).encode()).hexdigest())
        if digests[-1] not in known:
            toolkit.give(files, name, values)
    note.write_text("\n".join(digests), "utf-8")


def _digest(folder: Path) -> bytes:
    """Return a digest of all files in a folder."""
    total = sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            total.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return total.digest()


def _forget_slots(flash: Path) -> None:
    """Let the guard begin anew: slot a has a new application, by hand, as after flashing."""
    for path in (
        flash / "data" / "guard-a",
        flash.with_name(flash.name + ".nvs") / "fairway.guard",
    ):
        path.unlink(missing_ok=True)
    shutil.rmtree(flash / "b", ignore_errors=True)


def _move_older_layout(flash: Path) -> None:
    """Move what lay in the root before there were slots: a boot number is never used twice."""
    older = flash / "boot-a"
    if older.exists():
        numbers = [unpack(path.read_bytes()) for path in _boot_stores(flash) if path.exists()]
        good = [number for number in numbers if number is not None]
        if good:
            older.write_bytes(pack(max(good)))
        older.rename(flash / "data" / "boot-a")
    for name in ("identity.json", "config.json"):
        (flash / name).unlink(missing_ok=True)
    if (flash / "agent").exists():
        shutil.rmtree(flash / "agent")


def _boot_stores(flash: Path) -> tuple[Path, ...]:
    """Return where boot numbers may lie: before there were slots, now, and in the NVS."""
    nvs = flash.with_name(flash.name + ".nvs") / "fairway.boot"
    return flash / "boot-a", flash / "data" / "boot-a", nvs

"""The devices' keys: one TOML file, for its owner's eyes only.

    buoy-1 = "00112233…"      64 hexadecimal digits: the key of the device's identity

The same key signs commands and BeiDou frames; who has it can speak as the device.
"""

import stat
import tomllib
from pathlib import Path
from typing import Final

from agent.wire.messages import valid_device

KEY: Final = 32  # bytes


class KeysError(Exception):
    """A keys file that cannot be used; says which, what is wrong and what to do."""


def read(path: Path) -> dict[str, bytes]:
    """Return the key of each device.

    Raises:
        KeysError: it cannot be read, others may read it, or an entry is wrong. Says no key.
    """
    try:
        mode = path.stat().st_mode
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise KeysError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KeysError(f"{path}: not TOML: {error}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeysError(f"{path}: others may read it; chmod 600 {path}")
    return {device: _key(path, device, digits) for device, digits in table.items()}


def _key(path: Path, device: str, digits: object) -> bytes:
    if not valid_device(device):
        raise KeysError(f"{path}: {device!r} is no device id (a-z, 0-9 and -, 1 to 32 long)")
    try:
        key = bytes.fromhex(digits) if isinstance(digits, str) else b""
    except ValueError:
        key = b""
    if len(key) != KEY:
        raise KeysError(f"{path}: the key of {device} is not {2 * KEY} hexadecimal digits")
    return key

"""What a board is given once, at commissioning: who it is, its settings, its way to the broker.

    files = Files("/path/of/the/flash/data")
    identify(files, "buoy-1", key=secrets.token_hex(32), release=public_key_hex)
    give(files, "settings", {"profile": "beacon", "board": "esp32s3-devkitc"})
    give(files, "access", {"host": "broker.example", "port": 8883, "tls": True, …})

`Files` is the agent's own (agent/hal/files.py), so that the board reads exactly what was written.
"""

import json
from collections.abc import Mapping
from typing import Protocol

from agent.config import ACCESS, SETTINGS, refusals
from agent.config import load as load_settings
from agent.identity import NAMES, Identity, IdentityError, load, read, seal
from agent.keep.slots import Slots
from toolkit import plausible


class Files(Protocol):
    """What is needed of the agent's Files."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content, None if there is none."""

    def replace(self, name: str, data: bytes) -> None:
        """Write a file whole, or not at all."""


class CommissionError(Exception):
    """What was to be written is not allowed; says where and what is."""


def identify(files: Files, device: str, *, key: str, release: str) -> Identity:
    """Write a board's identity, both copies; it is written once.

    Args:
        files: the board's /data.
        device: id, `[a-z0-9-]{1,32}`.
        key: HMAC key of commands and BeiDou frames, 64 hexadecimal digits.
        release: Ed25519 public key of releases, 64 hexadecimal digits.

    Raises:
        CommissionError: there is an identity, whole or not, or a value is not allowed.
        OSError: the flash refuses.
    """
    for name in NAMES:
        if files.read(name) is not None:
            raise CommissionError(
                f"{name} is there already: an identity is written once; erase the whole flash to"
                " give the board another"
            )
    text = json.dumps({"device": device, "key": key, "release": release}).encode()
    try:
        identity = load(text)
    except IdentityError as error:
        raise CommissionError(f"identity: {error}") from error
    for name in NAMES:
        files.replace(name, seal(text))
    return identity


def identity_of(files: Files) -> Identity | None:
    """Return the identity a board has, None if it was never commissioned.

    Raises:
        CommissionError: it has one that cannot be read.
    """
    try:
        return read(files)
    except IdentityError as error:
        if error.code == "absent":
            return None
        raise CommissionError(f"identity: {error}") from error


def give(files: Files, name: str, values: Mapping[str, object]) -> bool:
    """Write a document into the slots `name` ("settings", "access") as confirmed.

    Returns whether it was another one than the board uses.

    Raises:
        CommissionError: a value is not allowed; says which and what is.
        OSError: the flash refuses.
    """
    text = json.dumps(values, indent=1).encode()
    wrong = refusals(name, text)
    if wrong:
        table = SETTINGS if name == "settings" else ACCESS
        raise CommissionError("; ".join(_explained(line, table) for line in wrong))
    if name == "settings" and (wrong := plausible.problems(load_settings(text)[0])):
        raise CommissionError("; ".join(wrong))
    slots = Slots(files, name)
    if slots.body is not None and bytes(slots.body) == text:
        return False
    try:
        slots.stage(text, confirmed=True)
    except ValueError as error:
        raise CommissionError(f"{name}: {error}") from error
    return True


def _explained(line: str, table: Mapping[str, tuple[type, object, object]]) -> str:
    """Add to a refusal of the agent's what would be allowed; its own are short, a board is small."""
    parts = line.split(": ")
    if len(parts) < 2 or parts[1] not in table:
        return line
    kind, allowed, default = table[parts[1]]
    if isinstance(allowed, list):
        words = " or ".join(allowed)
    elif isinstance(allowed, tuple):
        low, high = allowed
        words = f"a text of {low} to {high} characters" if kind is str else f"{low} to {high}"
    else:
        words = "true or false"
    return f"{parts[0]}: {parts[1]}: allowed: {words}; default {default!r}"

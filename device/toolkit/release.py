"""Releases: the image of a slot from the agent's sources, and the signature that devices ask for.

    release = build("beacon", layer="esp32", board="esp32s3-devkitc", counter=4)
    release = sign(release, load_key(path, passphrase))
    path.write_bytes(encode(release))

The release key is Ed25519 and stays offline; every device has its public half from commissioning on
(`release` in the identity). A new key means visiting the devices.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from agent.version import VERSION
from agent.wire import codes, manifest
from agent.wire.release import Facts, Release, ReleaseError, decode, encode, make
from toolkit import bundle

__all__ = ("Release", "ReleaseError", "build", "decode", "encode", "load_key", "make_key", "sign")

CHUNK: Final = 1024  # bytes; with its head well inside a payload, and 80 of them make a profile
_PROFILES: Final = {"beacon": codes.PROFILE_BEACON, "shorepower": codes.PROFILE_SHOREPOWER}
_NAME_MAX: Final = 64


def build(
    profile: str,
    *,
    layer: str,
    board: str,
    counter: int,
    version: bytes = VERSION,
    chunk: int = CHUNK,
    march: str | None = None,
) -> Release:
    """Compile a profile's files and return them as an unsigned release.

    Raises:
        BundleError: no such profile, layer or board, or mpy-cross refuses a file.
        ReleaseError: counter, version or chunk are out of range.
    """
    with tempfile.TemporaryDirectory(prefix="fairway-release-") as name:
        slot = Path(name)
        paths = bundle.slot(slot, profile, layer=layer, board=board, compiled=True, march=march)
        files = [(path.as_posix(), (slot / path).read_bytes()) for path in sorted(paths)]
    image = pack(files)
    facts = Facts(
        version=version,
        counter=counter,
        size=len(image),
        digest=hashlib.sha256(image).digest(),
        profile=_PROFILES[profile],
        board=board.encode(),
        chunk=chunk,
        abi=files[0][1][1],  # the second byte of an .mpy file
    )
    return make(facts, image)


def pack(files: list[tuple[str, bytes]]) -> bytes:
    """Return an image of (name, content), the file that a slot is started by as the last."""
    parts = []
    for name, content in sorted(files, key=lambda file: file[0].encode() in manifest.MAINS):
        if len(name) > _NAME_MAX:
            raise ReleaseError("size", f"{name}: names have {_NAME_MAX} letters at most")
        parts += [bytes([len(name)]), name.encode(), len(content).to_bytes(3, "big"), content]
    return b"".join(parts)


def unpack(image: bytes) -> list[tuple[str, bytes]]:
    """Return the files of an image."""
    files = []
    at = 0
    while at < len(image):
        end = at + 1 + image[at]
        size = int.from_bytes(image[end : end + 3], "big")
        files.append((image[at + 1 : end].decode(), image[end + 3 : end + 3 + size]))
        at = end + 3 + size
    return files


def make_key(path: Path, passphrase: str) -> bytes:
    """Write a new key for its owner's eyes only; return its public half, 32 bytes.

    Raises:
        OSError: the file is there already, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        protection = serialization.BestAvailableEncryption(passphrase.encode())
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(text)
    return key.public_key().public_bytes_raw()


def load_key(path: Path, passphrase: str) -> Ed25519PrivateKey:
    """Read a key.

    Raises:
        OSError: the file cannot be read.
        ReleaseError: it is no Ed25519 key, or the passphrase is wrong.
    """
    try:
        key = serialization.load_pem_private_key(
            path.read_bytes(), passphrase.encode() if passphrase else None
        )
    except (ValueError, TypeError) as error:
        raise ReleaseError("signature", f"{path}: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ReleaseError("signature", f"{path} is not an Ed25519 key")
    return key


def sign(release: Release, key: Ed25519PrivateKey) -> Release:
    """Return the release with its signature."""
    return release._replace(signature=key.sign(release.signed))


def genuine(release: Release, public: bytes) -> bool:
    """Return whether the signature is that of the key whose public half (32 bytes) is given."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(release.signature, release.signed)
    except (InvalidSignature, ValueError):
        return False
    return True

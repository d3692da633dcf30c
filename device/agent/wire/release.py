"""A release as a file: manifest, signature and image together. Host only.

    release = decode(path.read_bytes())
    release.facts.version, release.facts.counter
    release.chunks()

    release = [1, manifest, signature, image]     CBOR; an empty signature: not signed yet

The toolkit makes and signs it, the gateway sends it to devices; only devices judge the signature.
"""

import hashlib
from typing import Final, NamedTuple

import cbor2

from agent.errors import RemoteError
from agent.wire import manifest as m
from agent.wire import messages

_FORMAT: Final = 1
SIZE_MAX: Final = 1 << 20  # bytes of the file; devices take images of 256 KiB at most


class ReleaseError(RemoteError):
    """A file that is no release. `code`: malformed, manifest, size, digest, signature."""


class Facts(NamedTuple):
    """What a manifest says, as `agent.wire.manifest` describes it."""

    version: bytes
    counter: int
    size: int
    digest: bytes
    profile: int
    board: bytes
    chunk: int
    abi: int


class Release(NamedTuple):
    """One release; `facts` are read from the manifest."""

    manifest: bytes
    signature: bytes
    image: bytes
    facts: Facts

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is over."""
        return m.SIGNED + self.manifest

    def chunks(self) -> list[bytes]:
        """Return the image in chunks."""
        step = self.facts.chunk
        return [self.image[i : i + step] for i in range(0, len(self.image), step)]


def make(facts: Facts, image: bytes) -> Release:
    """Return an unsigned release.

    Raises:
        ReleaseError: the facts do not describe the image.
    """
    return _checked(manifest(facts), b"", image)


def manifest(facts: Facts) -> bytes:
    """Return the bytes of a manifest."""
    return cbor2.dumps([_FORMAT, *facts])


def encode(release: Release) -> bytes:
    """Return the file's bytes."""
    return cbor2.dumps([_FORMAT, release.manifest, release.signature, release.image])


def decode(raw: bytes) -> Release:
    """Read a file's bytes.

    Raises:
        ReleaseError: what is wrong.
    """
    if len(raw) > SIZE_MAX:
        raise ReleaseError("size", f"{len(raw)} bytes, at most {SIZE_MAX}")
    try:
        items = cbor2.loads(raw, max_depth=2, allow_indefinite=False)
    except (cbor2.CBORDecodeError, ValueError, OverflowError) as error:
        raise ReleaseError("malformed", str(error)) from error
    if not isinstance(items, list) or len(items) != 4 or items[0] != _FORMAT:
        raise ReleaseError("malformed", "not [1, manifest, signature, image]")
    _, said, signature, image = items
    if not all(isinstance(item, bytes) for item in (said, signature, image)):
        raise ReleaseError("malformed", "manifest, signature and image are byte strings")
    return _checked(said, signature, image)


def _checked(said: bytes, signature: bytes, image: bytes) -> Release:
    if len(said) > messages.MANIFEST_MAX:
        raise ReleaseError("manifest", f"{len(said)} bytes, at most {messages.MANIFEST_MAX}")
    if len(signature) not in {0, messages.SIGNATURE_MAX}:
        raise ReleaseError("signature", f"{len(signature)} bytes, not {messages.SIGNATURE_MAX}")
    try:
        facts = Facts(*m.read(said))
    except RemoteError as error:
        raise ReleaseError("manifest", str(error)) from error
    if facts.size != len(image):
        raise ReleaseError("size", f"{len(image)} bytes, the manifest says {facts.size}")
    if facts.digest != hashlib.sha256(image).digest():
        raise ReleaseError("digest", "the image's SHA-256 is not the manifest's")
    return Release(said, signature, image, facts)

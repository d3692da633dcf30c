"""What a release says about its image: the manifest, the bytes that the release key signs.

    manifest = [1, version, counter, size, digest, profile, board, chunk, abi]       CBOR, <= 512 bytes
    version, counter, size, digest, profile, board, chunk, abi = read(data)

`counter` rises with every release that must not be undone: a device refuses a lower one than it has
confirmed. `digest` is the image's SHA-256, `profile` a code of PROFILE_*, `board` the board file's
name, `chunk` the bytes of each chunk but the last, `abi` the version of its .mpy files (0: source). The
signature is over SIGNED followed by the manifest's bytes.

An image is the files of a slot, one behind the other: length of the name (1 byte), name, length of the
content (3 bytes, the highest first), content. The last one is the file that the slot is started by, so
that a slot that was not written to its end does not start.
"""

from agent.compat import const
from agent.wire.messages import BITMAP_MAX, DATA_MAX
from agent.wire.read import MessageError, Reader

SIGNED = b"fw1-release"  # no signature of ours over anything else begins like this
MAINS = (b"agent/main.mpy", b"agent/main.py")
_FORMAT = const(1)
_ITEMS = const(9)
_DIGEST = const(32)
_VERSION_MAX = const(16)
_BOARD_MAX = const(32)
_CHUNK_MIN = const(64)


def read(data: bytes) -> tuple:
    """Return the values; raise MessageError where the bytes are not a manifest's."""
    reader = Reader(data, 0, len(data))
    reader.array(_ITEMS, _ITEMS)
    if reader.uint() != _FORMAT:
        raise MessageError("unknown-kind", "manifest")
    version, counter, size = reader.byte_string(_VERSION_MAX), reader.uint(), reader.uint()
    digest, profile = reader.byte_string(_DIGEST), reader.uint()
    board, chunk, abi = reader.byte_string(_BOARD_MAX), reader.uint(DATA_MAX), reader.uint()
    reader.finish()
    if len(digest) != _DIGEST or chunk < _CHUNK_MIN or not 0 < size <= chunk * BITMAP_MAX * 8:
        raise MessageError("range", "digest, size or chunk")
    return version, counter, size, digest, profile, board, chunk, abi

"""A BeiDou short message (DESIGN §2): `A4 ‖ kind ‖ body (≤ 60 bytes) ‖ tag (8)`, at most 70 bytes.

    n = put_frame(buf, key, UP, "buoy-1", RECORDS, body, size)
    kind, body = read_frame(content, key, UP, "buoy-1")

The tag is the first 8 bytes of HMAC-SHA-256(device key, "fw1" ‖ direction ‖ device ‖ kind ‖ body): it
says which device meant it, which way, and that nobody changed it. It does not say that it is new:
records are known by their identity, acknowledgements may be repeated, commands carry an id, a time
limit and a nonce of their own. A4 is what BeiDou terminals put before mixed content; here it is part
of the message in every mode.
"""

from agent.compat import const
from agent.errors import LocalError, RemoteError
from agent.wire import sign

# What the body is. Kinds stay below every letter of a device id: the tag's input is one string, and
# so the id ends where the first such byte stands.
RECORDS = const(1)  # up: one or more records, as on `up/rec`
ACK = const(2)  # down: ranges, as on `dn/ack`
COMMAND = const(3)  # down a command, up its answer, as on `dn/cmd` and `up/cmd`
KIND_MAX = const(0x1F)

UP = b"u"
DOWN = b"d"

MARK = const(0xA4)
BODY_MAX = const(60)
HEAD = const(2)
TAG = const(8)
FRAME_MAX = const(70)

_PREFIX = b"fw1"


class FrameError(RemoteError):
    """Content of a short message that is no frame of this device.

    `code`: length, mark, tag.
    """


def tag_of(key: bytes, direction: bytes, device: str, kind: int, body: bytes | bytearray) -> bytes:
    """Return the 8 bytes of a frame's tag; `key` is the device's, 32 bytes."""
    head = _PREFIX + direction + device.encode() + bytes([kind])
    return sign.tag(key, head, body)[:TAG]


def put_frame(
    buf: bytearray, key: bytes, direction: bytes, device: str, kind: int, body: bytearray, n: int
) -> int:
    """Write a frame with the body `body[:n]` into `buf`; return its length.

    Raises LocalError for a body of more than BODY_MAX bytes or a kind out of range.
    """
    if not 0 < n <= BODY_MAX or not 0 < kind <= KIND_MAX:
        raise LocalError("frame")
    whole = bytes(body[:n])
    end = HEAD + n
    buf[0] = MARK
    buf[1] = kind
    buf[HEAD:end] = whole
    buf[end : end + TAG] = tag_of(key, direction, device, kind, whole)
    return end + TAG


def read_frame(content: bytes, key: bytes, direction: bytes, device: str) -> tuple:
    """Return (kind, body) of a short message's content.

    Raises FrameError when it is no frame, or not of this device and direction.
    """
    if not HEAD + TAG < len(content) <= FRAME_MAX:
        raise FrameError("length")
    if content[0] != MARK:
        raise FrameError("mark")
    kind = content[1]
    body = content[HEAD:-TAG]
    if kind > KIND_MAX or not sign.same(
        tag_of(key, direction, device, kind, body), content[-TAG:]
    ):
        raise FrameError("tag")
    return kind, body

"""Every topic's payload besides records: `state`, `ack`, `cmd` and `ota`, written and read.

    topic(device, "up", "rec")  ->  "fw/1/3f/buoy-1/up/rec"

    up/state   [boot, connection, up]                 retained, and the will with up = 0
    dn/ack     [boot, first, last] …                  a CBOR sequence, exactly the committed ranges
    up/cmd     [1, ask, uptime_s]                     what time is it, and is my boot number good?
    dn/cmd     [1, ask, t, ms, boot / null]           the gateway's answer
    dn/cmd     [2, id, to, verb, until, nonce / null, arguments, tag]   do this
    up/cmd     [2, id, result, detail]                what came of it
    dn/cmd     [3, ask]                               give me a nonce, for a command that needs one
    up/cmd     [3, ask, nonce, uptime_s]              here it is
    dn/cmd     [4, boot, first, last]                 send these again now, or tell that they are gone
    dn/ota     [1, image, size, manifest, signature]  an update is offered
    dn/ota     [2, image, index, data]                one chunk of it
    up/ota     [1, image, state, have]                how far it is; `have` is a bitmap of chunks

`t` and `until` are seconds since 2020-01-01 UTC, or, when negative, -1 - uptime in seconds, as in a
record. A command whose `until` is negative carries a nonce, because uptime means something within one
start only. `to` is `mark(device)`: a command that went astray is told from a forged one. `tag` is
`command_tag`, whole or cut to not less than TAG_MIN bytes.

Both sides use this module, so that nobody reads the contract differently.
"""

import hashlib

from agent.compat import const
from agent.wire import schema, sign
from agent.wire.encode import put_array, put_bytes, put_int
from agent.wire.read import MessageError, Reader

# First item of a `cmd` payload.
CLOCK = const(1)
DO = const(2)
NONCE = const(3)
WANT = const(4)

# Verbs of DO. Those that DANGEROUS holds need a nonce.
REPORT = const(1)
SETTINGS = const(2)
ACCESS = const(3)
LAMP_TEST = const(4)
LAMP_MODE = const(5)
RELAY_TRIP = const(6)
RELAY_PERMIT = const(7)
REBOOT = const(8)
LOG = const(9)
POST_MORTEM = const(10)
UPDATE = const(11)
SHIP = const(12)
DANGEROUS = (SETTINGS, ACCESS, LAMP_MODE, RELAY_TRIP, RELAY_PERMIT, REBOOT, UPDATE)

# First item of an `ota` payload.
OFFER = const(1)
CHUNK = const(2)

# Third item of an answer to DO.
RESULT_DONE = const(0)
RESULT_UNSUPPORTED = const(1)  # this device has no such verb
RESULT_REFUSED = const(2)  # by what was to do it: a meter, the settings' check
RESULT_FAILED = const(3)  # begun, and not brought to its end
RESULT_BAD_TAG = const(4)
RESULT_OTHER_DEVICE = const(5)
RESULT_EXPIRED = const(6)
RESULT_NO_CLOCK = const(7)  # `until` is a time of day, and the device does not know it
RESULT_NONCE = const(8)  # missing, wrong, used, or too old
RESULT_STALE = const(9)  # the id is not above the last one, and its answer is not kept any more
RESULT_ARGUMENTS = const(10)
RESULT_BUSY = const(11)  # with another command
RESULT_NO_STORAGE = const(12)  # the flash does not take the id, so it could happen twice
RESULT_INTERRUPTED = const(13)  # the device restarted before it could say what came of it

WANT_MAX = const(1000)  # records that one WANT asks for; the gateway asks in parts
ARGUMENTS_MAX = const(3072)  # bytes of a command's arguments; new credentials are the longest
DETAIL_MAX = const(1024)  # bytes of an answer's detail
MARK = const(4)
TAG_MIN = const(16)
TAG_MAX = const(32)
NONCE_MAX = const(16)
MANIFEST_MAX = const(512)
SIGNATURE_MAX = const(64)  # Ed25519
DATA_MAX = const(2048)  # one chunk; with its head well inside a payload
BITMAP_MAX = const(512)  # 4,096 chunks of 2 KiB are more than any board's flash

DEVICE_MAX = const(32)
_DEVICE_LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789-"


def _whole(reader: Reader, items: int, message: tuple) -> tuple:
    if items != len(message):
        raise MessageError("length", "%d items, not %d" % (items, len(message)))
    reader.finish()
    return message


def _put(buf: bytearray, *items: int | bytes | None) -> int:
    """Write an array of integers and byte strings; return its length."""
    pos = put_array(buf, 0, len(items))
    for item in items:
        if item is None or isinstance(item, int):
            pos = put_int(buf, pos, item)
        else:
            pos = put_bytes(buf, pos, item)
    return pos


def valid_device(device: str) -> bool:
    """Return whether `device` is an id as the contract has it: `[a-z0-9-]{1,32}`."""
    if not 0 < len(device) <= DEVICE_MAX:
        return False
    return all(c in _DEVICE_LETTERS for c in device.encode())


def shard(device: str) -> str:
    """Return the shard of a device: the first byte of SHA-256(device id) as two hex digits."""
    return "%02x" % hashlib.sha256(device.encode()).digest()[0]


def topic(device: str, direction: str, kind: str) -> str:
    """Return the topic of `kind` for `device`; `direction` is "up" or "dn"."""
    return "fw/1/" + shard(device) + "/" + device + "/" + direction + "/" + kind


def put_state(buf: bytearray, boot: int, connection: int, up: int) -> int:
    """Write a state payload; return its length."""
    return _put(buf, boot, connection, up)


def read_state(payload: bytes | bytearray) -> tuple:
    """Return (boot, connection, up)."""
    reader = Reader(payload, 0, len(payload))
    reader.array(3, 3)
    state = (reader.uint(schema.BOOT_MAX), reader.uint(schema.BOOT_MAX), reader.uint(1))
    reader.finish()
    return state


def put_ack(buf: bytearray, pos: int, boot: int, first: int, last: int) -> int:
    """Write one range of an ack payload at `pos`; return the next position."""
    pos = put_array(buf, pos, 3)
    pos = put_int(buf, pos, boot)
    pos = put_int(buf, pos, first)
    return put_int(buf, pos, last)


def read_ack(reader: Reader) -> tuple:
    """Read the next range of an ack payload from a Reader; return (boot, first, last)."""
    reader.array(3, 3)
    boot = reader.uint(schema.BOOT_MAX)
    first = reader.uint(schema.SEQ_MAX)
    last = reader.uint(schema.SEQ_MAX)
    if first > last:
        raise MessageError("range", "range %d to %d" % (first, last))
    return boot, first, last


def put_clock_ask(buf: bytearray, ask: int, uptime_s: int) -> int:
    """Write the device's question for the time; return its length."""
    return _put(buf, CLOCK, ask, uptime_s)


def put_clock_tell(buf: bytearray, ask: int, t: int, ms: int, boot: int | None) -> int:
    """Write the gateway's answer; `boot` is a fresh boot number, or None. Return its length."""
    return _put(buf, CLOCK, ask, t, ms, boot)


def mark(device: str) -> bytes:
    """Return what a command names its device by: the first bytes of SHA-256(device id)."""
    return hashlib.sha256(device.encode()).digest()[:MARK]


def command_tag(key: bytes, device: str, part: bytes | bytearray | memoryview) -> bytes:
    """Return a command's whole tag; `part` is its payload up to the tag (see `signed_end`)."""
    name = device.encode()
    return sign.tag(key, b"fw1-cmd", bytes([len(name)]), name, part)


def signed_end(end: int, tag: bytes) -> int:
    """Return where the signed part of a command ends that ends at `end`."""
    n = len(tag)
    return end - n - (1 if n < 24 else 2)


def put_do(
    buf: bytearray,
    command: int,
    to: bytes,
    verb: int,
    until: int,
    nonce: bytes | None,
    arguments: bytes,
    tag: bytes,
) -> int:
    """Write a command; return its length. `nonce` may be None."""
    return _put(buf, DO, command, to, verb, until, nonce, arguments, tag)


def put_done(buf: bytearray, command: int, result: int, detail: bytes) -> int:
    """Write the answer to a command; return its length."""
    return _put(buf, DO, command, result, detail)


def put_nonce_ask(buf: bytearray, ask: int) -> int:
    """Write the gateway's question for a nonce; return its length."""
    return _put(buf, NONCE, ask)


def put_nonce(buf: bytearray, ask: int, nonce: bytes, uptime_s: int) -> int:
    """Write the device's answer; return its length."""
    return _put(buf, NONCE, ask, nonce, uptime_s)


def put_want(buf: bytearray, boot: int, first: int, last: int) -> int:
    """Write the gateway's request for records that it misses; return its length."""
    return _put(buf, WANT, boot, first, last)


def read_cmd_up(payload: bytes | bytearray) -> tuple:
    """Return (CLOCK, ask, uptime_s), (DO, id, result, detail) or (NONCE, ask, nonce, uptime_s)."""
    reader = Reader(payload, 0, len(payload))
    items = reader.array(3, 4)
    kind = reader.uint()
    if kind == CLOCK:
        return _whole(reader, items, (kind, reader.uint(), reader.uint(schema.T_MAX)))
    if kind == DO:
        command, result = reader.uint(), reader.uint()
        detail = reader.byte_string(DETAIL_MAX)
        return _whole(reader, items, (kind, command, result, detail))
    if kind == NONCE:
        ask, nonce = reader.uint(), reader.byte_string(NONCE_MAX)
        return _whole(reader, items, (kind, ask, nonce, reader.uint(schema.T_MAX)))
    raise MessageError("unknown-kind", str(kind))


def read_cmd_down(buf: bytes | bytearray, start: int, end: int) -> tuple:
    """Read a command payload.

    Returns (CLOCK, ask, t, ms, boot), (DO, id, to, verb, until, nonce, arguments, tag), (NONCE, ask)
    or (WANT, boot, first, last).
    """
    reader = Reader(buf, start, end)
    items = reader.array(2, 8)
    kind = reader.uint()
    if kind == CLOCK:
        ask = reader.uint()
        t = reader.uint(schema.T_MAX)
        ms = reader.uint(999)
        boot = None if reader.null() else reader.uint(schema.BOOT_MAX)
        return _whole(reader, items, (kind, ask, t, ms, boot))
    if kind == DO:
        command, to, verb = reader.uint(), reader.byte_string(MARK), reader.uint()
        until = reader.integer()
        nonce = None if reader.null() else reader.byte_string(NONCE_MAX)
        arguments, tag = reader.byte_string(ARGUMENTS_MAX), reader.byte_string(TAG_MAX)
        return _whole(reader, items, (kind, command, to, verb, until, nonce, arguments, tag))
    if kind == NONCE:
        return _whole(reader, items, (kind, reader.uint()))
    if kind == WANT:
        boot = reader.uint(schema.BOOT_MAX)
        first, last = reader.uint(schema.SEQ_MAX), reader.uint(schema.SEQ_MAX)
        if not 0 <= last - first < WANT_MAX:
            raise MessageError("range", "range %d to %d" % (first, last))
        return _whole(reader, items, (kind, boot, first, last))
    raise MessageError("unknown-kind", str(kind))


def put_ota_offer(buf: bytearray, image: int, size: int, manifest: bytes, signature: bytes) -> int:
    """Write an update's offer; return its length."""
    return _put(buf, OFFER, image, size, manifest, signature)


def put_ota_chunk(buf: bytearray, image: int, index: int, data: bytes) -> int:
    """Write one chunk of an update; return its length."""
    return _put(buf, CHUNK, image, index, data)


def read_ota_down(buf: bytes | bytearray, start: int, end: int) -> tuple:
    """Return (OFFER, image, size, manifest, signature) or (CHUNK, image, index, data)."""
    reader = Reader(buf, start, end)
    items = reader.array(4, 5)
    kind = reader.uint()
    if kind == OFFER:
        image, size = reader.uint(), reader.uint()
        manifest, signature = reader.byte_string(MANIFEST_MAX), reader.byte_string(SIGNATURE_MAX)
        return _whole(reader, items, (kind, image, size, manifest, signature))
    if kind == CHUNK:
        image, index = reader.uint(), reader.uint()
        return _whole(reader, items, (kind, image, index, reader.byte_string(DATA_MAX)))
    raise MessageError("unknown-kind", str(kind))


def put_ota_report(buf: bytearray, image: int, state: int, have: bytes) -> int:
    """Write how far an update is; return its length.

    `state` is a code UPDATE_*, of which UPDATE_NONE asks for the offer again. `have` says which chunks
    have come, the first in the lowest bit, while any are missing; else it is empty.
    """
    return _put(buf, OFFER, image, state, have)


def read_ota_up(payload: bytes | bytearray) -> tuple:
    """Return (image, state, have)."""
    reader = Reader(payload, 0, len(payload))
    reader.array(4, 4)
    if reader.uint() != OFFER:
        raise MessageError("unknown-kind", "up/ota")
    report = (reader.uint(), reader.uint(), reader.byte_string(BITMAP_MAX))
    reader.finish()
    return report

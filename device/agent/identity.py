"""Who this device is: its id and its keys, apart from everything that can be changed.

    identity = read(hal.files())
    identity.device, identity.key, identity.release

Written once, by the toolkit at commissioning, in two copies: JSON, and a CRC-32 as eight hex digits in the
last line. A damaged copy is mended from the other; nothing else writes these files, and there is no
default: a device without an identity does not start.
"""

import binascii
import json

from agent.compat import const
from agent.errors import RemoteError
from agent.wire.messages import valid_device

NAMES = ("identity-a", "identity-b")
_CRC = const(9)  # a newline and eight digits
_KEY = const(32)


class IdentityError(RemoteError):
    """An identity that cannot be used. `code`: absent, damaged, device, key, release."""


class Identity:
    """The device's id, also its MQTT user name and client id, and two keys of 32 bytes.

    `key`: HMAC key of commands and BeiDou frames. `release`: Ed25519 public key of releases.
    """

    def __init__(self, device: str, key: bytes, release: bytes) -> None:
        self.device = device
        self.key = key
        self.release = release


def read(files) -> Identity:
    """Return the identity, and mend a copy that is not whole; raise IdentityError when none is."""
    texts = [_text(files, name) for name in NAMES]
    if not texts[0] and not texts[1]:
        if texts[0] is None and texts[1] is None:
            raise IdentityError("absent", "this board has not been commissioned")
        raise IdentityError("damaged", "neither copy is whole")
    text = texts[0] or texts[1]
    identity = load(text)
    for i in (0, 1):
        if not texts[i]:
            try:
                files.replace(NAMES[i], seal(text))
            except OSError:
                pass  # one copy is enough for today
    return identity


def load(text: bytes) -> Identity:
    """Read an identity's JSON; raise IdentityError, which says which key is wrong."""
    try:
        data = json.loads(text)
        device = data["device"]
    except (ValueError, KeyError, TypeError) as error:
        raise IdentityError("damaged", str(error))
    if not isinstance(device, str) or not valid_device(device):
        raise IdentityError(
            "device", "%r, allowed: a-z, 0-9 and -, 1 to 32 characters" % (device,)
        )
    return Identity(device, _key(data, "key"), _key(data, "release"))


def seal(text: bytes) -> bytes:
    """Return what a copy's file has: the text and its CRC."""
    return text + b"\n%08x" % binascii.crc32(text)


def _text(files, name):
    """Return a copy's text; None when there is no file, b"" when it is not whole."""
    try:
        data = files.read(name)
    except OSError:
        return b""
    if data is None:
        return None
    text = data[:-_CRC]
    return text if data == seal(text) else b""


def _key(data, name):
    try:
        key = binascii.unhexlify(data.get(name))
    except (ValueError, TypeError):
        key = b""
    if len(key) != _KEY:
        raise IdentityError(name, "missing, or not %d hexadecimal digits" % (2 * _KEY))
    return key

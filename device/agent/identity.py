"""Who this device is: its id and its credentials, apart from its configuration.

    identity = load(open("/identity.json").read())

Written once at commissioning. There is no default: a device without an identity does not start.
"""

import json

from agent.errors import RemoteError
from agent.wire.messages import valid_device


class IdentityError(RemoteError):
    """An identity file that cannot be used. `code`: json, device, password, wifi."""


class Identity:
    """`device` is also the MQTT user name and client id; `wifi` is {"ssid", "key"} or None."""

    def __init__(self, device, password, wifi):
        self.device = device
        self.password = password
        self.wifi = wifi


def load(text):
    """Read an identity; raise IdentityError, which says which key is wrong and what is allowed."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise IdentityError("json", str(error))
    if not isinstance(data, dict):
        raise IdentityError("json", "not an object")
    device = data.get("device")
    if not isinstance(device, str) or not valid_device(device):
        raise IdentityError(
            "device", "%r, allowed: a-z, 0-9 and -, 1 to 32 characters" % (device,)
        )
    password = data.get("password")
    if not isinstance(password, str) or not 1 <= len(password) <= 64:
        raise IdentityError("password", "missing, or not 1 to 64 characters")
    wifi = data.get("wifi")
    if wifi is not None and not (
        isinstance(wifi, dict)
        and isinstance(wifi.get("ssid"), str)
        and isinstance(wifi.get("key"), str)
    ):
        raise IdentityError("wifi", 'not {"ssid": text, "key": text}')
    return Identity(device, password, wifi)

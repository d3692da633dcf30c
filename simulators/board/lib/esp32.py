# mypy: ignore-errors
"""The virtual board's `esp32`: the key-value store NVS, kept in files beside the flash."""

import os

_STORE = "/.board/nvs/"

_NOT_FOUND = -0x1102  # ESP_ERR_NVS_NOT_FOUND
_NAME_MAX = 15  # of a namespace and of a key


class NVS:
    """One namespace. What was set lasts from the next `commit`."""

    def __init__(self, namespace):
        if not 0 < len(namespace) <= _NAME_MAX:
            raise OSError(-0x1106, "ESP_ERR_NVS_INVALID_NAME")
        self._namespace = namespace
        self._pending = {}

    def set_blob(self, key, value):
        """Set a key to bytes."""
        if not 0 < len(key) <= _NAME_MAX:
            raise OSError(-0x1109, "ESP_ERR_NVS_KEY_TOO_LONG")
        self._pending[key] = bytes(value)

    def get_blob(self, key, buffer):
        """Read a key's bytes into `buffer`; return their number."""
        value = self._value(key)
        if value is None:
            raise OSError(_NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
        if len(value) > len(buffer):
            raise OSError(-0x110C, "ESP_ERR_NVS_INVALID_LENGTH")
        buffer[: len(value)] = value
        return len(value)

    def set_i32(self, key, value):
        """Set a key to a 32-bit integer."""
        self.set_blob(key, value.to_bytes(4, "little"))

    def get_i32(self, key):
        """Return a 32-bit integer."""
        buffer = bytearray(4)
        self.get_blob(key, buffer)
        value = int.from_bytes(buffer, "little")
        return value - (1 << 32) if value >> 31 else value

    def erase_key(self, key):
        """Remove a key."""
        if self._value(key) is None:
            raise OSError(_NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
        self._pending[key] = None

    def commit(self):
        """Write what was set, each key whole or not at all."""
        for key, value in self._pending.items():
            path = self._path(key)
            if value is not None:
                with open(path + ".new", "wb") as file:
                    file.write(value)
                os.rename(path + ".new", path)
            elif self._stored(key) is not None:
                os.remove(path)
        self._pending.clear()

    def _path(self, key):
        return _STORE + self._namespace + "." + key

    def _value(self, key):
        return self._pending[key] if key in self._pending else self._stored(key)

    def _stored(self, key):
        try:
            with open(self._path(key), "rb") as file:
                return file.read()
        except OSError:
            return None

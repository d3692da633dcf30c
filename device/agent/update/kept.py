"""What an update keeps in flash besides its chunks: the offer with its state, and the counter.

The offer lies in one file that is replaced whole; the anti-rollback counter in one of its own, because
it is written once for every update that was confirmed and must outlive everything else here.
"""

import binascii

from agent.compat import const
from agent.errors import RemoteError
from agent.keep import numbers
from agent.wire import manifest

_FILE = "update"  # format, state, image (4 bytes), signature (64), manifest, CRC-32
_COUNTER = "update-counter"
_FORMAT = b"1"
_MANIFEST_AT = const(70)
_CRC = const(4)
_CRC_MASK = const(0xFFFFFFFF)
_EIO = const(5)


class Kept:
    """`state` is a code UPDATE_*, `image` the number of the offer, `counter` what was confirmed.

    `damaged` counts files that could not be read and writes that flash refused.
    """

    def __init__(self, files):
        self.state = 0
        self.image = 0
        self.damaged = 0
        self.manifest = self.signature = b""
        self._files = files
        counter = numbers.load(files, _COUNTER, 1)
        self.counter = counter[0] if counter else 0
        try:
            data = files.read(_FILE)
            if data is None:
                return
            crc = data[-_CRC:]
            data = data[:-_CRC]
            if _crc(data) != crc or data[:1] != _FORMAT:
                raise OSError(_EIO)
        except OSError:
            self.damaged += 1
            return
        self.state = data[1]
        self.image = int.from_bytes(data[2:6], "big")
        self.signature = data[6:_MANIFEST_AT]
        self.manifest = data[_MANIFEST_AT:]

    def keep(self):
        """Write the offer and its state."""
        data = _FORMAT + bytes((self.state,)) + self.image.to_bytes(4, "big")
        data += self.signature + self.manifest
        try:
            self._files.replace(_FILE, data + _crc(data))
        except OSError:
            self.damaged += 1

    def raise_counter(self):
        """Refuse from now on what is older than this offer."""
        try:
            self.counter = max(self.counter, manifest.read(self.manifest)[1])
            numbers.save(self._files, _COUNTER, (self.counter,))
        except (RemoteError, OSError):
            self.damaged += 1


def _crc(data):
    return (binascii.crc32(data) & _CRC_MASK).to_bytes(_CRC, "big")

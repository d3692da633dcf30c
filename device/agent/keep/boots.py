"""The boot number: counts starts, and is never used twice.

    number = BootNumber(store_a, store_b, random)
    number.value      this boot
    number.good       bit 0, 1: which store could be read at start

It lies in two independent stores, is raised and read back before the first record. When neither store
can be read, or neither keeps what was written, the number is 2**29 + 29 random bits, and the gateway
hands out a fresh one for the next start (DESIGN §2).
"""

import binascii
import struct

from agent.compat import const
from agent.wire.schema import BOOT_MAX

_RANDOM = const(0x20000000)
_MAGIC = b"FWB1"


def pack(number: int) -> bytes:
    """Return the twelve bytes a store keeps: magic, number, CRC-32."""
    head = _MAGIC + struct.pack("<I", number)
    return head + struct.pack("<I", binascii.crc32(head) & 0xFFFFFFFF)


def unpack(data: bytes | None) -> int | None:
    """Return the number in a store's bytes, or None when they are not whole."""
    if data is None or len(data) != 12 or bytes(data[:4]) != _MAGIC:
        return None
    number, crc = struct.unpack("<II", data[4:])
    if binascii.crc32(data[:8]) & 0xFFFFFFFF != crc or number > BOOT_MAX:
        return None
    return number


class BootNumber:
    """The number of this boot. `random(n)` gives n random bytes.

    `resumed`: the boot that a wake from deep sleep goes on with, if the stores know it as the last one.
    """

    def __init__(self, store_a, store_b, random, resumed=None):
        self._stores = (store_a, store_b)
        kept = (_load(store_a), _load(store_b))
        self.good = (kept[0] is not None) | (kept[1] is not None) << 1
        if self.good and resumed == max(n for n in kept if n is not None):
            self.value = resumed
            return
        if self.good:
            self.value = max(n for n in kept if n is not None) + 1
        else:
            self.value = _drawn(random)
        if self.value > BOOT_MAX or not self._keep(self.value):
            # Nothing would stop the next start from using the same number.
            self.value = _drawn(random)
            self._keep(self.value)

    def lost(self):
        """Return whether this boot had to draw its number."""
        return self.value >= _RANDOM

    def take_fresh(self, number):
        """Keep the number that the gateway handed out; the next start counts on from it."""
        if self.lost() and 0 < number < _RANDOM:
            return self._keep(number)
        return False

    def _keep(self, number):
        """Write to both stores, and say whether at least one holds the number now."""
        kept = False
        for store in self._stores:
            try:
                store.save(pack(number))
            except OSError:
                continue
            kept = _load(store) == number or kept
        return kept


def _load(store):
    try:
        return unpack(store.load())
    except OSError:
        return None


def _drawn(random):
    return _RANDOM | (struct.unpack("<I", random(4))[0] & (_RANDOM - 1))

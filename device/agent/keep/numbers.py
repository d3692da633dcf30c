"""A few numbers that outlive a restart, in one small file with a CRC.

    save(files, "clock", (t, 0))
    load(files, "clock", 2)  ->  (t, 0), or None when there is none or it is damaged

Numbers are 0 to 2**32 - 1. `files` is `hal.files()`: a replaced file holds the old numbers or the new.
"""

import binascii
import struct

from agent.compat import const

_CRC_MASK = const(0xFFFFFFFF)


def load(files, name, count):
    """Return `count` numbers as a tuple, or None when the file is absent, damaged or of another kind."""
    try:
        data = files.read(name)
    except OSError:
        return None
    if data is None or len(data) != 4 * count + 4:
        return None
    numbers = struct.unpack("<%dI" % (count + 1), data)
    if binascii.crc32(data[: 4 * count]) & _CRC_MASK != numbers[count]:
        return None
    return numbers[:count]


def save(files, name, numbers):
    """Replace the file. Raises OSError when the flash refuses: the old numbers stay."""
    data = struct.pack("<%dI" % len(numbers), *numbers)
    files.replace(name, data + struct.pack("<I", binascii.crc32(data) & _CRC_MASK))

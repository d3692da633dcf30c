"""The last event of something that must outlive a power cut, in one small file with a CRC.

    save(files, "session", schema.SESSION, told, t, values)
    load(files, "session", schema.SESSION)  ->  (told, t, values), or None

It is kept as the record it becomes, so it has the record's limits. `told` is a number of the caller's.
A replaced file holds the old event or the new.
"""

import binascii

from agent.wire.encode import Encoder
from agent.wire.read import Reader
from agent.wire.schema import HEAD_ITEMS, ITEMS_MAX, SCHEMAS


def save(files, name, schema_id, told, t, values):
    """Replace the file. Raises OSError when the flash refuses: the old event stays."""
    encoder = Encoder()
    data = bytes(memoryview(encoder.buf)[: encoder.record(schema_id, 0, told, t, values)])
    files.replace(name, _crc(data) + data)


def load(files, name, schema_id):
    """Return what was saved, None when there is nothing. Raises OSError or RemoteError for damage."""
    data = files.read(name)
    if data is None:
        return None
    if data[:4] != _crc(data[4:]):
        raise OSError("%s is damaged" % name)
    reader = Reader(data, 4, len(data))
    left = reader.array(HEAD_ITEMS, ITEMS_MAX) - HEAD_ITEMS
    reader.uint()
    reader.uint()
    told = reader.uint()
    t = reader.integer()
    values: list = []
    for field in SCHEMAS[schema_id][3]:
        if left <= 0 or reader.null():
            values.append(None)
        elif field[1] == "bytes":
            values.append(reader.byte_string(field[4]))
        else:
            values.append(reader.integer())
        left -= 1
    return told, t, values


def _crc(data):
    return (binascii.crc32(data) & 0xFFFFFFFF).to_bytes(4, "big")

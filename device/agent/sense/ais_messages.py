"""AIS messages to the values of target records (ITU-R M.1371-5, Annex 8).

A message is a bytearray of six-bit values, as the sentence's characters give them. Each function
fills `out`, a list as long as its schema's fields (`agent.wire.schema`), with integers, bytes, and
None where the message says "not available" or something the standard gives no meaning to (a latitude
of 95°, a course of 400°).

Text ends before the first `@`: unused characters are `@` and stand at the end (Annex 2, § 3.3.7). What
older transmitters leave behind it is not text. Trailing blanks are cut.
"""

from agent.compat import const
from agent.sense.utc import seconds_since_2020

# The longest message read here: 5, with 424 bits, and one character that pads it.
SIX_MAX = const(72)

_M = const(0x3FFFFFFF)

_LAT_MAX = const(54000000)  # 90° in 1/10,000 minute
_LON_MAX = const(108000000)
_LAT_MAX_27 = const(54000)  # in 1/10 minute, as message 27 has it
_LON_MAX_27 = const(108000)
_CRAFT = const(980000000)  # 98MIDxxxx: craft that belong to a mother ship
_CRAFT_END = const(990000000)

# The shortest length in bits that a message read here may have; 0: counted and left. A class A
# report is never shorter than its 168 bits. Message 5 comes without its last, unused bits and 21
# ends after as many characters as its name needs. Longer ones exist on the air (27 padded to a whole
# slot, 24 A padded to 168 bits or more): what is beyond the standard's fields is not read.
BITS_MIN = (
    0, 168, 168, 168, 168, 420, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 168, 312, 0, 272, 0, 0, 160,
    0, 0, 96,
)  # fmt: skip
PART_B_BITS = const(168)  # message 24 B


def unsigned(six, start, width):
    """Return the number in `width` bits (at most 30) from bit `start` on."""
    i = start // 6
    width -= 6 - start % 6
    value = six[i] & (0x3F >> start % 6)
    while width >= 6:
        i += 1
        width -= 6
        value = value << 6 | six[i]
    if width < 0:
        return value >> -width
    if width > 0:
        return value << width | six[i + 1] >> (6 - width)
    return value


def signed(six, start, width):
    """Return the two's complement number in `width` bits from bit `start` on."""
    value = unsigned(six, start, width)
    return value - (1 << width) if value >> (width - 1) else value


def text(six, start, length):
    """Return `length` six-bit characters as ASCII bytes, None if there is nothing in them."""
    out = bytearray(length)
    size = 0
    for i in range(length):
        c = unsigned(six, start + 6 * i, 6)
        if c == 0:
            break
        out[i] = c + 0x40 if c < 0x20 else c
        if c != 0x20:
            size = i + 1
    return bytes(out[:size]) if size else None


def position(kind, six, out):
    """Fill `out` (schema `ais`) from message 1, 2, 3, 4, 18, 19 or 27."""
    _clear(out)
    out[0] = kind
    out[1] = unsigned(six, 8, 30)
    if kind == 4:
        _base_station(six, out)
    elif kind == 27:
        _long_range(six, out)
    elif kind < 4:
        out[7] = unsigned(six, 38, 4)
        out[8] = signed(six, 42, 8)
        _motion(six, 50, out)
        out[11] = unsigned(six, 148, 1)
    else:
        _motion(six, 46, out)
        out[11] = unsigned(six, 147 if kind == 18 else 305, 1)


def static(kind, six, bits, out):
    """Fill `out` (schema `ais-static`) from message 5, 19 or 24 of `bits` bits."""
    _clear(out)
    out[0] = kind
    out[1] = unsigned(six, 8, 30)
    if kind == 5:
        out[3] = unsigned(six, 40, 30) or None
        out[4] = text(six, 70, 7)
        out[5] = text(six, 112, 20)
        out[6] = unsigned(six, 232, 8)
        _dimensions(six, 240, out, 7)
        out[11] = unsigned(six, 270, 4)
        out[12] = _eta(six)
        out[13] = unsigned(six, 294, 8) or None
        out[14] = text(six, 302, min(20, (bits - 302) // 6))
    elif kind == 19:
        out[5] = text(six, 143, 20)
        out[6] = unsigned(six, 263, 8)
        _dimensions(six, 271, out, 7)
        out[11] = unsigned(six, 301, 4)
    else:
        out[2] = unsigned(six, 38, 2)
        if out[2] == 0:
            out[5] = text(six, 40, 20)
        else:
            _static_b(six, out)


def aton(six, bits, out):
    """Fill `out` (schema `ais-aton`) from message 21 of `bits` bits."""
    _clear(out)
    out[0] = unsigned(six, 8, 30)
    out[1] = unsigned(six, 38, 5)
    out[2] = text(six, 43, 20)
    _place(six, 164, 192, out, 4)
    out[6] = unsigned(six, 163, 1)
    out[7] = unsigned(six, 259, 1)
    out[8] = unsigned(six, 260, 8)
    out[9] = unsigned(six, 269, 1)
    out[10] = unsigned(six, 253, 6)
    out[11] = unsigned(six, 249, 4)
    _dimensions(six, 219, out, 12)
    out[16] = unsigned(six, 268, 1)
    out[17] = unsigned(six, 270, 1)
    # The extension goes on where a name of all 20 characters ends; blanks between the two stay.
    for i in range(43, 163, 6):
        if unsigned(six, i, 6) == 0:
            return
    out[3] = text(six, 272, min(14, (bits - 272) // 6))
    if out[3] and len(out[2] or b"") < 20:
        out[2] = (out[2] or b"") + b" " * (20 - len(out[2] or b""))


def _clear(out):
    for i in range(len(out)):
        out[i] = None


def _motion(six, at, out):
    # From speed over ground (bit `at`) to the time stamp, the same in class A and class B.
    speed = unsigned(six, at, 10)
    out[4] = speed if speed < 1023 else None
    out[9] = unsigned(six, at + 10, 1)
    _place(six, at + 11, at + 39, out, 2)
    course = unsigned(six, at + 66, 12)
    out[5] = course if course < 3600 else None
    heading = unsigned(six, at + 78, 9)
    out[6] = heading if heading < 360 else None
    out[10] = unsigned(six, at + 87, 6)


def _place(six, lon_at, lat_at, out, i):
    # Latitude and longitude into out[i] and out[i + 1]; 1/10,000 minute is 5/3 of 10⁻⁶ degree.
    lat = signed(six, lat_at, 27)
    lon = signed(six, lon_at, 28)
    if -_LAT_MAX <= lat <= _LAT_MAX and -_LON_MAX <= lon <= _LON_MAX:
        out[i] = (5 * lat + 1) // 3
        out[i + 1] = (5 * lon + 1) // 3


def _long_range(six, out):
    out[9] = unsigned(six, 38, 1)
    out[11] = unsigned(six, 39, 1)
    out[7] = unsigned(six, 40, 4)
    lon = signed(six, 44, 18)
    lat = signed(six, 62, 17)
    if -_LAT_MAX_27 <= lat <= _LAT_MAX_27 and -_LON_MAX_27 <= lon <= _LON_MAX_27:
        out[2] = (5000 * lat + 1) // 3
        out[3] = (5000 * lon + 1) // 3
    speed = unsigned(six, 79, 6)
    out[4] = speed * 10 if speed < 63 else None
    course = unsigned(six, 85, 9)
    out[5] = course * 10 if course < 360 else None


def _base_station(six, out):
    hour = unsigned(six, 61, 5)
    minute = unsigned(six, 66, 6)
    second = unsigned(six, 72, 6)
    if hour < 24 and minute < 60 and second < 60:
        year = unsigned(six, 38, 14)
        second += 3600 * hour + 60 * minute
        at = seconds_since_2020(year, unsigned(six, 52, 4), unsigned(six, 56, 5), second)
        out[12] = at if at is not None and -_M <= at <= _M else None
    out[9] = unsigned(six, 78, 1)
    _place(six, 79, 107, out, 2)
    out[11] = unsigned(six, 148, 1)


def _static_b(six, out):
    out[4] = text(six, 90, 7)
    out[6] = unsigned(six, 40, 8)
    if _CRAFT <= out[1] < _CRAFT_END:
        out[15] = unsigned(six, 132, 30) or None
    else:
        _dimensions(six, 132, out, 7)
    out[11] = unsigned(six, 162, 4)
    out[16] = _vendor(six)


def _vendor(six):
    # Three characters of the maker, then model (4 bits) and serial number (20 bits), big-endian.
    number = unsigned(six, 66, 24)
    out = bytearray(6)
    for i in range(3):
        c = unsigned(six, 48 + 6 * i, 6)
        out[i] = c + 0x40 if c < 0x20 else c
        out[3 + i] = number >> (16 - 8 * i) & 0xFF
    return None if out == b"@@@\0\0\0" else bytes(out)


def _dimensions(six, at, out, i):
    # To bow, stern, port and starboard; all four zero: neither the antenna's place nor the size.
    a = unsigned(six, at, 9)
    b = unsigned(six, at + 9, 9)
    c = unsigned(six, at + 18, 6)
    d = unsigned(six, at + 24, 6)
    if a or b or c or d:
        out[i] = a
        out[i + 1] = b
        out[i + 2] = c
        out[i + 3] = d


def _eta(six):
    month = unsigned(six, 274, 4)
    day = unsigned(six, 278, 5)
    hour = unsigned(six, 283, 5)
    minute = unsigned(six, 288, 6)
    if month == 0 and day == 0 and hour == 24 and minute == 60:
        return None
    return month * 1000000 + day * 10000 + hour * 100 + minute

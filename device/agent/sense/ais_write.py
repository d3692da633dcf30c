r"""AIS messages as sentences for a transmitter (IEC 61162-1): bits, armour, lines.

    bits = Bits()
    bits.put(b"\x06\x02\x1e", (21, 0, 994131234))     widths and values
    bits.text("WUSONG 12", 20)
    lines(bits, VDM, 21, 0, sequence, channel)           bytes, each line with its CR and LF

With BINARY only the application data go, and the unit makes the message of them: ABM (addressed,
message 6) or BBM (broadcast, message 8).
"""

from agent.compat import const

BINARY = 0
VDM = 1
VDO = 2

# The longest messages made here: 8/1/31, and 21 with all of its name, 360 bits.
_SIX_MAX = const(60)


class Bits:
    """A message in the making: `six` has its six-bit values, `size` how many bits there are."""

    def __init__(self):
        self.six = bytearray(_SIX_MAX)
        self.size = 0

    def put(self, widths, values):
        """Append `values`, each in as many bits as `widths` (bytes) says; negative ones too."""
        for i in range(len(widths)):
            width = widths[i]
            value = values[i]
            while width:
                width -= 1
                if value >> width & 1:
                    self.six[self.size // 6] |= 0x20 >> self.size % 6
                self.size += 1

    def text(self, text, length):
        """Append `length` six-bit characters; what these cannot say becomes a question mark."""
        for c in text.upper():
            c = ord(c)
            self.put(b"\x06", (c & 0x3F if 0x20 <= c < 0x60 else 0x3F,))
        self.size += 6 * (length - len(text))


def lines(bits, form, kind, dest, sequence, channel):
    """Return the sentences of message `kind` as bytes.

    `dest` is the MMSI an ABM goes to; `sequence` 0 to 3; `channel` 0 the unit's choice, 1 A, 2 B, 3
    both (VDM and VDO: none named).
    """
    count = (bits.size + 5) // 6
    # Six-bit characters in the first line and in each further one: with them a line has 82 characters.
    # (IEC 61162-1 has 60 for further lines of ABM, which makes 83; no message made here has one.)
    first = 60
    more = 60
    name = "VDM" if form == VDM else "VDO"
    channels = ["", "A", "B", ""]
    if form == BINARY:
        name = "BBM"
        first = 58
        channels = ["0", "1", "2", "3"]
        if kind == 6:
            name = "ABM"
            first = 48
            more = 59
    total = 1 + max(0, (count - first + more - 1) // more)
    out = b""
    at = 0
    for number in range(1, total + 1):
        body = "AI%s,%d,%d,%s," % (name, total, number, sequence if total > 1 or not form else "")
        if kind == 6 and not form:
            body += "%09d," % dest if number == 1 else ","
        if form or number == 1:
            body += channels[channel]
        body += ","
        if not form:
            body += "%d," % kind if number == 1 else ","
        line = bytearray(body.encode())
        end = min(at + (first if number == 1 else more), count)
        while at < end:
            c = bits.six[at]
            line.append(c + 48 if c < 40 else c + 56)
            at += 1
        line.extend(b",%d" % (6 * count - bits.size if number == total else 0))
        check = 0
        for c in line:
            check ^= c
        out += b"!" + line + b"*%02X\r\n" % check
    return out

"""A DL/T 645 meter with a relay that counts its own moves; as a line on both interpreters.

It takes requests apart by its own means. It obeys the order to close at once, too, so that a board that
sent it would be found out. `mute` swallows so many answers, `refuse` is the error an order is answered
with, `stuck` says yes and leaves the relay.
"""

CLOSED = 0x0000
OPEN = 0x0010

TRIP = 0x1A
PERMIT = 0x1B
CLOSE_AT_ONCE = 0x1C

DATA = {
    0x0201FF00: b"\x98\x22\x01\x23\x89\x22",
    0x0202FF00: b"\x45\x34\x01\x01\x20\x01\x50\x02\x80",
    0x0203FF00: b"\x25\x21\x58\0\0\x30\x25\x21\x29\0\0\x81",
    0x02040000: b"\0\x10\0",
    0x02050000: b"\0\0\x59",
    0x02060000: b"\x01\x05",
    0x0208FF00: b"\x10\x02\0\x02\x90\x01",
    0x02800002: b"\x02\x50",
    0x0001FF00: b"\x97\x99\x99\x99" + bytes(16),
    0x00020000: b"\x26\0\0\0",
}


class RelayMeter:
    """The meter `number`; `password` is the four bytes it wants with an order."""

    def __init__(self, number="202410010001", password=b"\x02\x12\x34\x56"):
        self.address = bytes([int(number[i : i + 2], 16) for i in range(10, -1, -2)])
        self.password = password
        self.status = CLOSED
        self.permitted = False
        self.moves = 0
        self.orders = []  # the first byte of each, N1
        self.operators = []
        self.mute = 0
        self.refuse = 0
        self.stuck = False
        self._line = b""

    def take(self, data):
        """Take bytes from the line; return the meter's."""
        self._line += bytes(data)
        out = b""
        while True:
            frame = self._frame()
            if frame is None:
                return out
            out += self._answer(frame)

    def close_by_hand(self):
        """Somebody closes the switch at the pile; it holds only where that was permitted."""
        if self.permitted and self.status == OPEN:
            self.status = CLOSED
            self.moves += 1
            self.permitted = False

    def _frame(self):
        line = self._line
        while line and line[0] != 0x68:
            line = line[1:]
        self._line = line
        if len(line) < 10 or len(line) < 12 + line[9]:
            return None
        size = 12 + line[9]
        frame, self._line = line[:size], line[size:]
        if sum(frame[:-2]) & 0xFF != frame[-2] or frame[-1] != 0x16:
            raise ValueError("a broken request")
        return frame

    def _answer(self, frame):
        control = frame[8]
        data = bytes([(byte - 0x33) & 0xFF for byte in frame[10:-2]])
        if control == 0x13:
            return self._packed(0x93, self.address)
        if frame[1:7] != self.address:
            return b""
        if control == 0x11:
            di = data[0] | data[1] << 8 | data[2] << 16 | data[3] << 24
            if di == 0x04000503:
                return self._packed(0x91, data + bytes([self.status & 0xFF, self.status >> 8]))
            if di not in DATA:
                return self._packed(0xD1, b"\x02")
            return self._packed(0x91, data + DATA[di])
        if control == 0x1C:
            return self._order(data)
        raise ValueError("function %02x" % control)

    def _order(self, data):
        if len(data) != 16 or data[9]:
            raise ValueError("an order of %d bytes" % len(data))
        self.orders.append(data[8])
        self.operators.append(data[4:8])
        if self.mute:
            self.mute -= 1
            self._obey(data[8])
            return b""
        if self.refuse:
            return self._packed(0xDC, bytes([self.refuse]))
        if data[:4] != self.password:
            return self._packed(0xDC, b"\x04")
        self._obey(data[8])
        return self._packed(0x9C, b"")

    def _obey(self, order):
        if order == PERMIT:
            self.permitted = True
            return
        wanted = {TRIP: OPEN, CLOSE_AT_ONCE: CLOSED}[order]
        if wanted != self.status and not self.stuck:
            self.status = wanted
            self.moves += 1

    def _packed(self, control, data):
        body = b"\x68" + self.address + bytes([0x68, control, len(data)])
        body += bytes([(byte + 0x33) & 0xFF for byte in data])
        return body + bytes([sum(body) & 0xFF, 0x16])


class MeterLine:
    """A serial line to a RelayMeter that answers at once."""

    def __init__(self, meter):
        self.meter = meter
        self._incoming = b""

    def write(self, data):
        self._incoming += self.meter.take(data)
        return len(data)

    def readinto(self, buf):
        n = min(len(buf), len(self._incoming))
        buf[:n] = self._incoming[:n]
        self._incoming = self._incoming[n:]
        return n

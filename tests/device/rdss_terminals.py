"""A BeiDou terminal for device tests: answers in one dialect, refuses as it is told. Both interpreters."""

import binascii

from fakes import FakeLine

# Reasons of rdss_dialects that the agent's code has no use for by name.
INHIBITED, SILENCE, NO_LOCK = 2, 3, 4
NO_RIGHT, CHECKSUM, BATTERY, CRYPTO, FAILED = 6, 7, 8, 9, 10


def refused(terminal):
    """How many sendings a terminal refused, for whatever reason."""
    return sum(terminal.reasons[1:12])


def sentence(text):
    check = 0
    for c in text.encode():
        check ^= c
    return ("$%s*%02X\r\n" % (text, check)).encode()


def frame(word, address, body):
    size = 11 + len(body)
    data = b"$" + word + size.to_bytes(2, "big") + address.to_bytes(3, "big") + body
    check = 0
    for c in data:
        check ^= c
    return data + bytes([check])


class FakeTerminal(FakeLine):
    """`dialect` "2.1", "3.0" or "4.0"; `feedback` holds what the next sendings are answered with.

    A feedback is "ok", "" (none), or bytes to be sent as they are. `messages` are (card, content).
    `greedy` is how many bytes a write takes at most.
    """

    def __init__(self, dialect, card=4207733, interval_s=60, level=3, crypt="N"):
        FakeLine.__init__(self)
        self.dialect = dialect
        self.card = card
        self.interval_s = interval_s
        self.level = level
        self.crypt = crypt
        self.feedback = []
        self.messages = []
        self.asked = 0
        self.greedy = 4096
        self.deaf = False

    def write(self, data):
        n = FakeLine.write(self, bytes(data[: self.greedy]))
        while not self.deaf and self._answer():
            pass
        if self.deaf:
            self.written = b""
        return n

    def receive(self, sender, content):
        """A message comes from the satellite."""
        text = str(binascii.hexlify(content), "ascii").upper()
        if self.dialect == "2.1":
            self.incoming += sentence("BDTXR,1,%07d,2,,%s" % (sender, text))
        elif self.dialect == "3.0":
            self.incoming += sentence("BDTCI,%d,%d,2,142204,2,0,%s" % (sender, self.card, text))
        else:
            body = b"\x60" + sender.to_bytes(3, "big") + b"\x0e\x16"
            body += (len(content) * 8).to_bytes(2, "big") + content + b"\x00"
            self.incoming += frame(b"TXXX", self.card, body)

    def refuse(self, code, wait_s=0):
        """Refuse the next sending with the dialect's code."""
        if self.dialect == "2.1":
            freq = "N" if code == "interval" else "Y"
            code = 0 if code == "interval" else code
            wait = wait_s // 60 * 100 + wait_s % 60
            answer = sentence("BDFKI,TXA,N,%s,%d,%04d" % (freq, code, wait))
        elif self.dialect == "3.0":
            code = 1 if code == "interval" else code
            answer = sentence("BDFKI,082920,TCQ,N,%d,%d" % (code, wait_s))
        else:
            code = 4 if code == "interval" else code
            more = bytes([0, 0, 0, wait_s]) if code == 4 else b"TXSQ"
            answer = frame(b"FKXX", self.card, bytes([code]) + more)
        self.feedback.append(answer)

    def _answer(self):
        """Answer the first whole request in what was written; tell whether there was one."""
        data = self.written
        if data[:2] in (b"$I", b"$T"):
            size = data[5] << 8 | data[6] if len(data) > 6 else 9999
            if len(data) < size:
                return False
            self.written = data[size:]
            if self.dialect == "4.0":
                self._take_frame(data[:size])
            return True
        end = data.find(b"\r\n")
        if end < 0:
            return False
        self.written = data[end + 2 :]
        if self.dialect != "4.0":
            self._take_sentence(data[:end])
        return True

    def _take_frame(self, data):
        check = 0
        for c in data:
            check ^= c
        if check:
            raise AssertionError("bad checksum from the agent")
        if data[:5] == b"$ICJC":
            self.asked += 1
            body = b"\x00\x00\x00\x01\x03" + self.interval_s.to_bytes(2, "big")
            self.incoming += frame(b"ICXX", self.card, body + bytes([self.level, 1, 0, 0]))
        elif data[:5] == b"$TXSQ":
            size = (data[14] << 8 | data[15]) // 8
            self._message(int.from_bytes(data[11:14], "big"), data[17 : 17 + size])

    def _take_sentence(self, line):
        star = line.find(b"*")
        if sentence(str(line[1:star], "ascii")) != line + b"\r\n":
            raise AssertionError("bad checksum from the agent")
        fields = str(line[1:star], "ascii").split(",")
        old, new = self.dialect == "2.1", self.dialect == "3.0"
        if fields[0] == "CCICA" and old:
            self.asked += 1
            self.incoming += sentence(
                "BDICI,%07d,00242286,0000011,6,%d,%d,%s,0"
                % (self.card, self.interval_s, self.level, self.crypt)
            )
        elif fields[0] == "CCICR" and new:
            self.asked += 1
            self.incoming += sentence(
                "BDICP,%d,0,0,3,0,%s,2,N,1,0,0,3,1,%d,%d,0,0,0,0,21,0,0,0"
                % (self.card, self.crypt, self.interval_s, self.level)
            )
        elif fields[0] == "CCTXA" and old:
            self._message(int(fields[1]), binascii.unhexlify(fields[4]))
        elif fields[0] == "CCTCQ" and new:
            self._message(int(fields[1]), binascii.unhexlify(fields[5]))

    def _message(self, card, content):
        answer = self.feedback.pop(0) if self.feedback else "ok"
        if answer == "ok":
            self.messages.append((card, content))
            if self.dialect == "2.1":
                answer = sentence("BDFKI,TXA,Y,Y,0,0000")
            elif self.dialect == "3.0":
                answer = sentence("BDFKI,082920,TCQ,Y,0,0")
            else:
                answer = frame(b"FKXX", self.card, b"\x00TXSQ")
        if answer:
            self.incoming += answer

"""A simulated BeiDou terminal at the end of a UART: one dialect, one card, its limits enforced.

It speaks as reference/navaid.md §3 has it, with code of its own: neither the device's nor the
gateway's. What a test may decide: `refusals` holds reasons for the next sendings ("silent": neither
sent nor answered, "unsaid": sent without a word), `refusal` is the share refused for want of a beam.
"""

import asyncio
import random
import time
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from simulators.beidou import Network
from simulators.lines import CHUNK, UART

DIALECTS: Final = ("2.1", "3.0", "4.0")

# Bits of a message by the card's level, civil and encrypted; 5 is BDS-3's.
_BITS: Final = {1: (110, 140), 2: (408, 360), 3: (628, 580), 4: (848, 1680), 5: (14_000, 14_000)}
_TRANSMIT_S: Final = 0.5
_BUFFER_MAX: Final = 8192

# How each dialect says no.
_REASONS_2_1: Final = {"inhibited": 1, "battery": 2, "silence": 3, "no lock": 4}
_REASONS_3_0: Final = {
    "interval": 1, "inhibited": 2, "silence": 3, "no lock": 4, "no card": 5, "no right": 6,
    "checksum": 11,
}  # fmt: skip
_REASONS_4_0: Final = {
    "failed": 1, "no lock": 2, "battery": 3, "interval": 4, "crypto": 5, "checksum": 6,
    "inhibited": 7,
}  # fmt: skip


@dataclass(frozen=True)
class Card:
    """A BeiDou card: its number, the least seconds between two messages, its level 1 to 5."""

    number: int
    interval_s: float
    level: int
    encrypted: bool = False

    @property
    def bits(self) -> int:
        """The longest message."""
        return _BITS[self.level][self.encrypted]


class RDSSTerminal(UART):
    """The terminal.

    Attributes:
        card: its card; may be exchanged.
        refusals: reasons for the next sendings, in order.
        refused: how many sendings were refused.
    """

    def __init__(
        self, network: Network, dialect: str, card: Card, seed: int = 0, refusal: float = 0.0
    ) -> None:
        super().__init__(115_200)
        if dialect not in DIALECTS:
            raise ValueError(f"{dialect!r} is none of {', '.join(DIALECTS)}")
        self.card = card
        self.refusals: list[str] = []
        self.refused = 0
        self._network = network
        self._dialect = dialect
        self._rng = random.Random(seed)
        self._refusal = refusal
        self._sent_s = -1e9
        self._buffer = b""
        self._clock: asyncio.Task[None] | None = None
        network.join(card.number, self)

    def deliver(self, sender: int, content: bytes) -> bool:
        """Hand a message to the board."""
        digits = content.hex().upper()
        if self._dialect == "2.1":
            return self._say(f"BDTXR,1,{sender:07d},2,,{digits}")
        if self._dialect == "3.0":
            now = time.strftime("%H%M%S", time.gmtime())
            return self._say(f"BDTCI,{sender},{self.card.number},2,{now},2,0,{digits}")
        body = b"\x60" + sender.to_bytes(3, "big") + bytes(time.gmtime()[3:5])
        body += (len(content) * 8).to_bytes(2, "big") + content + b"\0"
        return self._send(self._frame(b"TXXX", body))

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Do what the board asks."""
        self._buffer = b""
        try:
            while data := await reader.read(CHUNK):
                self._buffer = (self._buffer + data)[-_BUFFER_MAX:]
                while self._next():
                    pass
        finally:
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None

    def _next(self) -> bool:
        """Take the first request in the buffer; tell whether there may be another."""
        start = self._buffer.find(b"$")
        if start < 0:
            self._buffer = b""
            return False
        self._buffer = self._buffer[start:]
        if self._buffer[1:5] in {b"ICJC", b"TXSQ"}:
            size = int.from_bytes(self._buffer[5:7], "big")
            if len(self._buffer) < max(size, 11):
                return False
            request, self._buffer = self._buffer[:size], self._buffer[size:]
            if self._dialect == "4.0" and not reduce(xor, request):
                self._take_frame(request)
            return True
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            return False
        self._buffer = rest
        text, _, check = line[1:].partition(b"*")
        if self._dialect != "4.0" and check == b"%02X" % reduce(xor, text, 0):
            self._take_sentence(text.decode("ascii").split(","))
        return True

    def _take_sentence(self, fields: list[str]) -> None:
        card = self.card
        crypt = "E" if card.encrypted else "N"
        match (self._dialect, fields):
            case ("2.1", ["CCICA", *_]):
                self._say(
                    f"BDICI,{card.number:07d},{card.number:08d},0000011,6,"
                    f"{round(card.interval_s)},{card.level},{crypt},0"
                )
            case ("3.0", ["CCICR", *_]):
                level = 0 if card.level == 5 else card.level
                self._say(
                    f"BDICP,{card.number},0,0,3,0,{crypt},2,N,1,0,0,3,1,"
                    f"{round(card.interval_s)},{level},0,0,0,0,21,0,0,0"
                )
            case (_, ["CCRMO", "ZDA", "2", seconds]):
                if self._clock is not None:
                    self._clock.cancel()
                self._clock = asyncio.create_task(self._tell_time(max(1, int(seconds))))
            case ("2.1", ["CCTXA", to, _, "2", digits]):
                self._transmit(int(to), bytes.fromhex(digits))
            case ("3.0", ["CCTCQ", to, "2", "1", "2", digits, "0"]):
                self._transmit(int(to), bytes.fromhex(digits))

    def _take_frame(self, request: bytes) -> None:
        if request[1:5] == b"ICJC":
            card = self.card
            body = bytes(4) + b"\x03" + round(card.interval_s).to_bytes(2, "big")
            self._send(self._frame(b"ICXX", body + bytes([card.level, not card.encrypted, 0, 0])))
        else:
            size = int.from_bytes(request[14:16], "big") // 8
            self._transmit(int.from_bytes(request[11:14], "big"), request[17 : 17 + size])

    async def _tell_time(self, period_s: int) -> None:
        while True:
            now = time.time()
            hundredths = int(now * 100) % 100
            self._say(
                time.strftime(f"BDZDA,%H%M%S.{hundredths:02d},%d,%m,%Y,00,00", time.gmtime(now))
            )
            await asyncio.sleep(period_s)

    def _transmit(self, to: int, content: bytes) -> None:
        """Send by satellite, or say why not."""
        now_s = self._network.now_s()
        wait_s = self._sent_s + self.card.interval_s - now_s
        if self.refusals:
            reason = self.refusals.pop(0)
        elif wait_s > 0:
            reason = "interval"
        elif len(content) * 8 > self.card.bits:
            reason = "failed"
        elif self._rng.random() < self._refusal:
            reason = "no lock"
        else:
            reason = ""
        if reason in {"", "unsaid"}:
            self._sent_s = now_s
            self._network.accept(self.card.number, to, content)
        else:
            self.refused += 1
        if reason not in {"silent", "unsaid"}:
            wait = max(0, round(wait_s + 0.5))
            self._network.later(_TRANSMIT_S, self._feed_back, reason, wait)

    def _feed_back(self, reason: str, wait_s: int) -> None:
        if self._dialect == "2.1":
            yes = "N" if reason else "Y"
            in_time = "N" if reason == "interval" else "Y"
            code = _REASONS_2_1.get(reason, 0)
            wait = f"{wait_s // 60:02d}{wait_s % 60:02d}" if reason == "interval" else "0000"
            self._say(f"BDFKI,TXA,{yes},{in_time},{code},{wait}")
        elif self._dialect == "3.0":
            yes = "N" if reason else "Y"
            code = _REASONS_3_0.get(reason, 0)
            wait_s = wait_s if reason == "interval" else 0
            now = time.strftime("%H%M%S", time.gmtime())
            self._say(f"BDFKI,{now},TCQ,{yes},{code},{wait_s}")
        else:
            code = _REASONS_4_0.get(reason, 1) if reason else 0
            more = bytes([0, 0, 0, min(wait_s, 255)]) if reason == "interval" else b"TXSQ"
            self._send(self._frame(b"FKXX", bytes([code]) + more))

    def _say(self, text: str) -> bool:
        return self._send(f"${text}*{reduce(xor, text.encode()):02X}\r\n".encode("ascii"))

    def _frame(self, word: bytes, body: bytes) -> bytes:
        size = 11 + len(body)
        frame = b"$" + word + size.to_bytes(2, "big") + self.card.number.to_bytes(3, "big") + body
        return frame + bytes([reduce(xor, frame)])

"""A receiver on a line: reads it, finds the sentences, hands each to whom it concerns.

Without consumers the sentences of a line are counted and left.

    receiver = Receiver(hal.uart("ais", settings), (ais,), bytearray(512))
    wait_ms = receiver.poll(now_ms)
"""

from agent.compat import const
from agent.sense.nmea import Assembler

# Sentences read in one poll, so that a step of the agent stays short: at 38,400 Bd this many take
# 0.16 s to arrive.
_SENTENCES_MAX = const(8)

# How long a line that had nothing more may wait: at 38,400 Bd 200 bytes, well within a UART's buffer.
_WAIT_MS = const(50)

# How often consumers look for what has become stale; they wait for seconds.
_POLL_MS = const(250)


class Receiver:
    """A part of the agent; `poll` is called again after as many milliseconds as it returns.

    `line` has `readinto(buf) -> int`. `consumers` have `take(sentence, now_ms) -> bool` and
    `poll(now_ms)`. `buffer` is this receiver's alone: bytes wait in it from one poll to the next.

    `assembler` has the counters of good and bad sentences; `unknown` counts good ones that no
    consumer took.
    """

    def __init__(self, line, consumers, buffer, assembler=None):
        self.assembler = assembler or Assembler()
        self.unknown = 0
        self._line = line
        self._consumers = consumers
        self._buffer = buffer
        self._read = True  # all bytes in the buffer are read
        self._good_ms = 0
        self._polled_ms = 0

    def silent_ms(self, now_ms):
        """Return the time since the last good sentence, or since the start."""
        return now_ms - self._good_ms

    def poll(self, now_ms):
        """Read some of what has come; return 0 if there is more, else how long to wait."""
        wait_ms = self._read_sentences(now_ms)
        if now_ms - self._polled_ms >= _POLL_MS:
            self._polled_ms = now_ms
            for consumer in self._consumers:
                consumer.poll(now_ms)
        return wait_ms

    def _read_sentences(self, now_ms):
        wait_ms = 0
        if self._read:
            n = self._line.readinto(self._buffer)
            self.assembler.feed(self._buffer, n)
            if n < len(self._buffer):
                wait_ms = _WAIT_MS
        for _ in range(_SENTENCES_MAX):
            sentence = self.assembler.next_sentence()
            self._read = sentence is None
            if self._read:
                return wait_ms
            self._good_ms = now_ms
            self._offer(sentence, now_ms)
        return 0

    def _offer(self, sentence, now_ms):
        for consumer in self._consumers:
            if consumer.take(sentence, now_ms):
                return
        self.unknown += 1

"""Parts of AIS messages that came in several sentences, until each message is whole.

A message is known by talker, VDM or VDO, sequential id, channel and number of parts. Its parts may
come in any order and between those of other messages.
"""

from agent.compat import const

PARTS_MAX = const(9)  # of one message: the sentence has one digit for it

# Characters of a message that fills the five slots which M.1371 allows (message 26, 1,064 bits).
_CHARS_MAX = const(178)

# Messages open at once. A receiver sends a message's parts one behind the other; only streams mixed
# from several receivers hold more than two open.
_OPEN_MAX = const(4)

# A message that is not whole after it is given up. Nine sentences take 0.2 s at 38,400 Bd, but they
# may wait a second in the UART's buffer while something else is busy.
EXPIRY_MS = const(2000)


class Parts:
    """Collects parts in fixed buffers.

    `torn` counts messages given up: a part missing after EXPIRY_MS, too many open, another message
    with the same id, more characters than any message has.
    """

    def __init__(self):
        self.torn = 0
        self._open = [_Message() for _ in range(_OPEN_MAX)]

    def expire(self, now_ms):
        """Give up what has been waiting for longer than EXPIRY_MS."""
        for message in self._open:
            if message.parts and now_ms - message.since_ms > EXPIRY_MS:
                self._give_up(message)

    def add(self, source, key, total, number, six, length, fill, now_ms):
        """Add part `number` of `total`: `length` six-bit values in `six`, the last `fill` bits void.

        `source` and `key` are any two numbers that tell messages apart. Returns None while parts are
        missing, then the message: `copy(out) -> number of values` and `fill`, valid until the next
        call.
        """
        self.expire(now_ms)
        message = self._find(source, key, total)
        if message is not None and message.lengths[number]:
            if message.has(number, six, length):
                return None  # the same sentence once more
            self._give_up(message)
            message = None
        if message is None:
            message = self._free()
            message.begin(source, key, total, now_ms)
        if not message.add(number, six, length):
            self._give_up(message)
            return None
        message.fill += fill
        if message.parts < total:
            return None
        message.parts = 0  # free for the next one; what it holds stays until then
        return message

    def _find(self, source, key, total):
        for message in self._open:
            if message.parts and message.is_for(source, key, total):
                return message
        return None

    def _free(self):
        oldest = self._open[0]
        for message in self._open:
            if not message.parts:
                return message
            if message.since_ms < oldest.since_ms:
                oldest = message
        self._give_up(oldest)
        return oldest

    def _give_up(self, message):
        message.parts = 0
        self.torn += 1


class _Message:
    """One message: its parts in the order of their coming, in one buffer."""

    def __init__(self):
        self.parts = 0  # parts here; 0: this place is free
        self.since_ms = 0
        self.fill = 0  # bits behind the last value that do not count
        self.lengths = bytearray(PARTS_MAX + 1)
        self._starts = bytearray(PARTS_MAX + 1)
        self._six = bytearray(_CHARS_MAX)
        self._size = 0
        self._source = 0
        self._key = 0
        self._total = 0

    def is_for(self, source, key, total):
        return self._key == key and self._source == source and self._total == total

    def begin(self, source, key, total, now_ms):
        self._source = source
        self._key = key
        self._total = total
        self._size = 0
        self.fill = 0
        self.since_ms = now_ms
        for i in range(PARTS_MAX + 1):
            self.lengths[i] = 0

    def add(self, number, six, length):
        """Keep a part; return False if there is no room for it."""
        if self._size + length > _CHARS_MAX:
            return False
        self._starts[number] = self._size
        self.lengths[number] = length
        for i in range(length):
            self._six[self._size + i] = six[i]
        self._size += length
        self.parts += 1
        return True

    def has(self, number, six, length):
        start = self._starts[number]
        if self.lengths[number] != length:
            return False
        for i in range(length):
            if self._six[start + i] != six[i]:
                return False
        return True

    def copy(self, out):
        """Put the parts in order into `out`, as far as it goes; return how many values there are."""
        size = 0
        for number in range(1, self._total + 1):
            start = self._starts[number]
            for i in range(start, start + self.lengths[number]):
                if size < len(out):
                    out[size] = self._six[i]
                size += 1
        return size

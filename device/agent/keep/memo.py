"""What a start is told by the one before it, in RAM that survives resets but not power.

    memo = Memo(hal.backup())       reads it once, and wipes it
    memo.intent                     why the agent itself asked for the reset, codes.INTENT_*
    memo.part                       the part that was running when nobody asked (a watchdog), or None
    memo.resume(cause)              (boot, seq, uptime_s) to go on with after deep sleep, or None
    memo.running(part)              part number `part` (0 to 254) runs now; allocates nothing
    memo.leave(intent)              before each deliberate reset
    memo.leave(codes.INTENT_SLEEP, boot, seq, uptime_s, kept, more)

`uptime_s` is the uptime at the wake: one boot, one count. `kept`, a byte, is `memo.kept` then, and
`more`, up to MORE_MAX bytes of the profile's own, `memo.more`.

A boot and its seq are given out once: they are wiped and read back before anybody uses them, or a crash
after the wake would use the same identities again. Where the store lies on flash (`wears`), parts are
not noted.
"""

import binascii

from agent.compat import const
from agent.wire.codes import INTENT_NONE, INTENT_SLEEP, RESET_DEEP_SLEEP

# Magic, intent, kept, spare, boot (4), seq (4), uptime (4), CRC-32 (4); then, apart from the CRC because it changes
# several times in every step: part + 1, and the same with all bits turned.
_SIZE = const(22)
_BODY = const(16)
_CRC_END = const(20)
_PART = const(20)
_MAGIC = const(0x4D)
_CRC = const(4)

MORE_MAX = const(96)


class Memo:
    """The memo in `store`: load() -> bytes | None, save(bytes ≤ 128), wears -> bool."""

    def __init__(self, store):
        self.intent = INTENT_NONE
        self.part = None
        self.kept = 0
        self.more = b""
        self._store = store
        self._left = False
        self._data = bytearray(_SIZE)
        self._data[0] = _MAGIC
        self._slept = None
        data = self._load()
        if data is not None:
            self.intent = data[1]
            self.kept = data[2]
            if data[_PART] and data[_PART] ^ data[_PART + 1] == 0xFF:
                self.part = data[_PART] - 1
            if data[1] == INTENT_SLEEP:
                self._slept = (_number(data[4:8]), _number(data[8:12]), _number(data[12:16]))
                more = self._raw()[_SIZE:]
                size = more[0] if more else 0
                if len(more) > size + _CRC and more[1 + size : 5 + size] == _crc(more, 1 + size):
                    self.more = more[1 : 1 + size]
        self._save()
        if self._slept is not None and self._load() != self._data:
            self._slept = None
            self.more = b""

    def resume(self, cause):
        """Return (boot, seq, uptime_s) when this start is a wake; `cause` is codes.RESET_*."""
        return self._slept if cause == RESET_DEEP_SLEEP else None

    def running(self, part):
        """Note who runs, for whoever looks after a watchdog."""
        data = self._data
        if data[_PART] != part + 1 and not (self._left or self._store.wears):
            data[_PART] = part + 1
            data[_PART + 1] = 0xFE - part
            self._store.save(data)

    def leave(self, intent, boot=0, seq=0, uptime_s=0, kept=0, more=b""):
        """Say why the agent resets; with a boot and a seq, what the wake goes on with."""
        self._left = True  # what runs from here on is no matter, and would wipe `more`
        self._data[1] = intent
        self._data[2] = kept
        self._data[_PART] = 0  # nobody hung
        self._data[4:8] = boot.to_bytes(4, "big")
        self._data[8:12] = seq.to_bytes(4, "big")
        self._data[12:16] = uptime_s.to_bytes(4, "big")
        if more:
            more = bytes((len(more),)) + more
            more += _crc(more, len(more))
        self._save(more)

    def _raw(self):
        try:
            return self._store.load() or b""
        except OSError:
            return b""

    def _load(self):
        data = self._raw()[:_SIZE]
        good = len(data) == _SIZE and data[0] == _MAGIC
        return data if good and data[_BODY:_CRC_END] == _crc(data, _BODY) else None

    def _save(self, more=b""):
        self._data[_BODY:_CRC_END] = _crc(self._data, _BODY)
        try:
            self._store.save(self._data + more if more else self._data)
        except OSError:
            pass  # the next start knows less; that is all


def _crc(data, n):
    return binascii.crc32(memoryview(data)[:n]).to_bytes(4, "big")


def _number(data):
    return int.from_bytes(data, "big")

"""What both meter protocols share: one request, and its answer among whatever comes back.

    line.write(master.read(…))
    result = master.feed(chunk, n)      # WAITING, ANSWER or ERROR

A subclass builds requests and tells frames apart; this class keeps the received bytes and counts
everything in them that was not the answer. No I/O and no clock: the caller decides when it has
waited long enough. Nothing raises for what a line may carry, and a request forgets all bytes that
came before it.
"""

from agent.compat import const

# What `feed` returns.
IDLE = const(0)  # nothing was asked
WAITING = const(1)
ANSWER = const(2)  # `size` bytes of data lie in `rx` from `at` on, until the next request
ERROR = const(3)  # the meter refused; `error` is its code

# Indexes of `counts`: what became of the bytes that were not the answer. NOISE and WAKEUP count
# bytes, the rest frames.
NOISE = const(0)  # bytes that begin no frame
WAKEUP = const(1)  # FEh before DL/T 645 frames
ECHO = const(2)  # our own request: the RS-485 receiver was not switched off while we sent
BAD_SUM = const(3)  # check sum or CRC
BAD_END = const(4)  # no 16h where a DL/T 645 frame ends
BAD_LENGTH = const(5)  # longer than the standard allows, or not the length of what was asked for
OTHER_ADDRESS = const(6)  # another meter's
OTHER_FUNCTION = const(7)  # not an answer, or an answer to another function
LATE = const(8)  # an answer to something asked earlier
ERROR_ANSWER = const(9)  # the meter refused
REASONS = (
    "noise",
    "wake-up",
    "echo",
    "check sum",
    "end",
    "length",
    "address",
    "function",
    "late",
    "error answer",
)

INCOMPLETE = const(0)  # `_frame`: a frame may start here, bytes are missing


class LineMaster:
    """Keeps one request's bytes in both directions.

    A subclass offers `_frame(pos)`: the size of the frame that starts at `rx[pos]`, INCOMPLETE, or
    `~reason` if none does; and `_judge(pos, size)`: what a well-formed frame is to us. It sets
    `_INSIDE` if a whole frame is to be looked for behind the start of an incomplete one.
    """

    _INSIDE = False

    def __init__(self, request_max, frame_max):
        self.counts = [0] * len(REASONS)
        self.rx = bytearray(frame_max)
        self.at = 0
        self.size = 0
        self.error = 0
        self._tx = bytearray(request_max)
        self._sent = 0
        self._have = 0
        self._state = IDLE

    @property
    def bad(self):
        """Frames refused, the meter's own refusals included."""
        return sum(self.counts) - self.counts[NOISE] - self.counts[WAKEUP] - self.counts[ECHO]

    def feed(self, data, n):
        """Take the first `n` bytes of `data`; return what the request has come to."""
        taken = 0
        while taken < n and self._state == WAITING:
            room = min(len(self.rx) - self._have, n - taken)
            self.rx[self._have : self._have + room] = data[taken : taken + room]
            self._have += room
            taken += room
            self._state = self._scan()
        self.counts[NOISE] += n - taken
        return self._state

    def _begin(self, n):
        """Start waiting for the answer to the request in the first `n` bytes of `_tx`."""
        self._sent = n
        self._have = 0
        self._state = WAITING
        return memoryview(self._tx)[:n]

    def _scan(self):
        """Look for the answer; drop what cannot belong to it, so that there is room again."""
        pos = 0
        kept = -1  # where the first frame starts that may still become complete
        while pos < self._have:
            size = self._frame(pos)
            if size > 0:
                if kept >= 0:
                    self.counts[NOISE] += pos - kept
                    kept = -1
                state = self._judge(pos, size)
                if state != WAITING:
                    self.counts[NOISE] += self._have - pos - size
                    return state
                pos += size
                continue
            if size == INCOMPLETE and kept < 0:
                kept = pos
                if not self._INSIDE:
                    break
            elif kept < 0:
                self.counts[~size] += 1
            pos += 1
        if kept < 0:
            self._have = 0
        elif kept:
            left = self._have - kept
            self.rx[:left] = self.rx[kept : self._have]
            self._have = left
        return WAITING

    def _refuse(self, reason):
        self.counts[reason] += 1
        return WAITING

    def _frame(self, pos):
        raise NotImplementedError

    def _judge(self, pos, size):
        raise NotImplementedError

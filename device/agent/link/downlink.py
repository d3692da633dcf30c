"""What comes down from the gateway: acknowledgements, the time, what it misses, commands, updates.

    downlink.take(b"ack", buf, start, end, now_ms)

Bad messages are counted in `bad` and change nothing. Without `commands` or `update` (see those
modules) the one or the other is answered "unsupported". `heard_ms` is the uptime when the gateway last
said something that only a living gateway says: an acknowledgement, or the answer to our question.
"""

from agent.compat import const
from agent.errors import RemoteError
from agent.wire import messages
from agent.wire.codes import CLOCK_GATEWAY, UPDATE_OTHER_BOARD
from agent.wire.read import Reader

_ASK_AGAIN_MS = const(15000)  # while the clock is unset: the gateway may not have been there
_ASK_LATER_MS = const(3600000)  # to keep a clock right that has no better source
_ANSWER_MAX_MS = const(10000)  # an answer that took longer says too little about the time
_REPLIES_MAX = const(4)  # answers waiting for the link; who misses one sends the command again
_ASK_SIZE = const(16)
_WANTS_MAX = const(
    4
)  # answered within _WANTS_MS: each costs a look through the outbox, and gap records
_WANTS_MS = const(60000)


class Downlink:
    """Takes the messages of the `dn/` topics apart and keeps the answers until the link takes them."""

    def __init__(self, boot_number, outbox, clock, commands=None, update=None):
        self.bad = 0
        self.acks = 0
        self.heard_ms = None
        self._boot_number = boot_number
        self._outbox = outbox
        self._clock = clock
        self._commands = commands
        self._update = update
        self._replies = []
        self._ask = 0
        self._ask_due = False
        self._asked_ms = None
        self._wants = 0
        self._wants_ms = 0

    def connected(self):
        """Note that the link is up: the time was asked on the old connection."""
        self._asked_ms = None
        if self._update is not None:
            self._update.connected()

    def ask(self, now_ms):
        """Ask for the time though the clock needs none: the answer says that the gateway is there."""
        if self._asked_ms is None or now_ms - self._asked_ms >= _ASK_AGAIN_MS:
            self._ask_due = True

    def poll(self, now_ms):
        """Ask for the time when it is needed; return the milliseconds until it wants to again."""
        source = self._clock.source
        needed = source is None or source >= CLOCK_GATEWAY or self._boot_number.lost()
        pause_ms = _ASK_AGAIN_MS if source is None else _ASK_LATER_MS
        if needed and (self._asked_ms is None or now_ms - self._asked_ms >= pause_ms):
            self._ask_due = True
        if self._commands is not None:
            answer = self._commands.next_answer(now_ms)
            if answer is not None:
                self._reply(b"cmd", answer)
        if self._update is not None and len(self._replies) < _REPLIES_MAX:
            report = self._update.next_report(now_ms)
            if report is not None:
                self._reply(b"ota", report)
        return 1000

    def waiting(self):
        """Return how many messages wait for the link."""
        return len(self._replies) + self._ask_due

    def next_size(self):
        """Return how many bytes of payload the next one has."""
        return len(self._replies[0][1]) if self._replies else _ASK_SIZE

    def next_message(self, now_ms):
        """Return (kind, payload) of the next one; the link sends it now."""
        if self._replies:
            return self._replies.pop(0)
        self._ask_due = False
        self._ask += 1
        self._asked_ms = now_ms
        buf = bytearray(_ASK_SIZE)
        return b"cmd", buf[: messages.put_clock_ask(buf, self._ask, self._clock.uptime_s())]

    def next_answer(self):
        """Return the payload of the next answer to a command, or None; for links that tell no time."""
        for i in range(len(self._replies)):
            if self._replies[i][0] == b"cmd":
                return self._replies.pop(i)[1]
        return None

    def take(self, kind, buf, start, end, now_ms):
        """Take the message `buf[start:end]` of the topic `dn/<kind>`."""
        try:
            if kind == b"ack":
                self._take_ack(Reader(buf, start, end), now_ms)
            elif kind == b"cmd":
                self._take_command(
                    messages.read_cmd_down(buf, start, end), buf, start, end, now_ms
                )
            elif kind == b"ota":
                self._take_update(messages.read_ota_down(buf, start, end), now_ms)
            else:
                self.bad += 1
        except RemoteError:
            self.bad += 1

    def _take_ack(self, reader, now_ms):
        while not reader.at_end():
            boot, first, last = messages.read_ack(reader)
            self.acks += self._outbox.ack(boot, first, last)
            self.heard_ms = now_ms

    def _take_command(self, message, buf, start, end, now_ms):
        if message[0] == messages.CLOCK:
            self._take_time(message, now_ms)
            return
        if message[0] == messages.WANT:
            self._take_want(message, now_ms)
            return
        commands = self._commands
        if message[0] == messages.DO:
            if commands is None:
                answer = bytearray(16)
                n = messages.put_done(answer, message[1], messages.RESULT_UNSUPPORTED, b"")
                answer = answer[:n]
            else:
                answer = commands.take(message, buf, start, end, now_ms)
            if answer is not None:
                self._reply(b"cmd", answer)
        elif commands is not None:
            self._reply(b"cmd", commands.ask_nonce(message[1], now_ms))

    def _take_want(self, message, now_ms):
        if now_ms >= self._wants_ms:
            self._wants = 0
            self._wants_ms = now_ms + _WANTS_MS
        self._wants += 1
        if self._wants > _WANTS_MAX:
            self.bad += 1
            return
        _, boot, first, last = message
        current = boot == self._boot_number.value
        self._outbox.want(boot, first, last, now_ms // 1000, current)

    def _take_time(self, message, now_ms):
        _, ask, t, ms, boot = message
        trip_ms = now_ms - self._asked_ms if self._asked_ms is not None else _ANSWER_MAX_MS
        if ask != self._ask or trip_ms >= _ANSWER_MAX_MS:
            return
        self.heard_ms = now_ms
        half_ms = trip_ms // 2
        self._clock.offer(CLOCK_GATEWAY, t, ms, now_ms - half_ms, half_ms + 1)
        if boot is not None:
            self._boot_number.take_fresh(boot)

    def _take_update(self, message, now_ms):
        if self._update is not None:
            self._update.take(message, now_ms)
            return
        buf = bytearray(16)
        n = messages.put_ota_report(buf, message[1], UPDATE_OTHER_BOARD, b"")
        self._reply(b"ota", buf[:n])

    def _reply(self, kind, payload):
        if len(self._replies) < _REPLIES_MAX:
            self._replies.append((kind, payload))
        else:
            self.bad += 1

"""What comes down from the gateway: acknowledgements, the time, commands, updates.

    downlink.take(b"ack", buf, start, end, now_ms)

Bad messages are counted in `bad` and change nothing. Commands and updates are answered
"unsupported": this agent has none yet, and says so.
"""

from agent.compat import const
from agent.errors import RemoteError
from agent.wire import messages
from agent.wire.codes import CLOCK_GATEWAY
from agent.wire.read import Reader

_ASK_AGAIN_MS = const(15000)  # while the clock is unset: the gateway may not have been there
_ASK_LATER_MS = const(3600000)  # to keep a clock right that has no better source
_ANSWER_MAX_MS = const(10000)  # an answer that took longer says too little about the time
_REPLIES_MAX = const(4)  # answers waiting for the link; a fifth command is not read before


class Downlink:
    """Takes the messages of the `dn/` topics apart and keeps the answers until the link takes them."""

    def __init__(self, boot_number, outbox, clock):
        self.bad = 0
        self.acks = 0
        self._boot_number = boot_number
        self._outbox = outbox
        self._clock = clock
        self._replies = []
        self._ask = 0
        self._ask_due = False
        self._asked_ms = None

    def connected(self):
        """Note that the link is up: what waited for the old connection is void."""
        self._replies = []
        self._asked_ms = None

    def poll(self, now_ms):
        """Ask for the time when it is needed; return the milliseconds until it wants to again."""
        source = self._clock.source
        needed = source is None or source >= CLOCK_GATEWAY or self._boot_number.lost()
        pause_ms = _ASK_AGAIN_MS if source is None else _ASK_LATER_MS
        if needed and (self._asked_ms is None or now_ms - self._asked_ms >= pause_ms):
            self._ask_due = True
        return 1000

    def waiting(self):
        """Return how many messages wait for the link."""
        return len(self._replies) + self._ask_due

    def next_message(self, now_ms):
        """Return (kind, payload) of the next one; the link sends it now."""
        if self._replies:
            return self._replies.pop(0)
        self._ask_due = False
        self._ask += 1
        self._asked_ms = now_ms
        buf = bytearray(16)
        return b"cmd", buf[: messages.put_clock_ask(buf, self._ask, self._clock.uptime_s())]

    def take(self, kind, buf, start, end, now_ms):
        """Take the message `buf[start:end]` of the topic `dn/<kind>`."""
        try:
            if kind == b"ack":
                self._take_ack(Reader(buf, start, end))
            elif kind == b"cmd":
                self._take_command(messages.read_cmd_down(buf, start, end), now_ms)
            elif kind == b"ota":
                self._take_update(messages.read_ota_down(buf, start, end))
            else:
                self.bad += 1
        except RemoteError:
            self.bad += 1

    def _take_ack(self, reader):
        while not reader.at_end():
            boot, first, last = messages.read_ack(reader)
            if boot == self._boot_number.value:
                self.acks += self._outbox.ack(first, last)

    def _take_command(self, message, now_ms):
        if message[0] == messages.CLOCK:
            self._take_time(message, now_ms)
            return
        buf = bytearray(16)
        n = messages.put_done(buf, message[1], messages.RESULT_UNSUPPORTED, b"")
        self._reply(b"cmd", buf[:n])

    def _take_time(self, message, now_ms):
        _, ask, t, ms, boot = message
        trip_ms = now_ms - self._asked_ms if self._asked_ms is not None else _ANSWER_MAX_MS
        if ask != self._ask or trip_ms >= _ANSWER_MAX_MS:
            return
        half_ms = trip_ms // 2
        self._clock.offer(CLOCK_GATEWAY, t, ms, now_ms - half_ms, half_ms + 1)
        if boot is not None:
            self._boot_number.take_fresh(boot)

    def _take_update(self, message):
        buf = bytearray(16)
        n = messages.put_ota_report(buf, message[1], messages.RESULT_UNSUPPORTED, b"")
        self._reply(b"ota", buf[:n])

    def _reply(self, kind, payload):
        if len(self._replies) < _REPLIES_MAX:
            self._replies.append((kind, payload))
        else:
            self.bad += 1

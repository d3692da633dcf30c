"""When the main link is down: what goes by BeiDou short message, and when.

    fallback = Fallback(terminal, outbox, downlink, clock, identity, card, settings)
    wait_ms = fallback.poll(now_ms)            a part of the agent, after the downlink and the link

The main link is down when records wait and the gateway has not answered on it; it is up again when it
has. After `alarm_after_s` alarms go, as often as the card allows; after `after_s` the newest status
goes, every `status_s`, older ones as room allows, alarms first. A card of level 2 carries alarms only.
What went by BeiDou stays in the outbox until the gateway acknowledges it, on whatever path.

Acknowledgements and commands that come down are handed to the same `downlink` as those of the broker,
but do not count as heard from the gateway there: the main link is as silent as before.
"""

from agent.compat import const
from agent.wire import frame as f
from agent.wire import messages
from agent.wire.codes import CLOCK_BEIDOU, LANE_ALARM, LANE_STATUS

_LEVEL_FOR_STATUS = const(3)
_TIME_MS = const(1000)  # a sentence comes up to a second after the second it names
_LOOK_MS = const(5000)  # how often the outbox is asked: looking through it costs time
_ANSWER_MS = const(300000)  # a command that came by BeiDou is answered by BeiDou within this time


class Fallback:
    """`settings` are (after_s, alarm_after_s, status_s); `card` is the gateway's command card.

    What was sent is counted by the terminal. `foreign` counts messages that are no frames of this
    device, `cut` answers whose detail did not fit into a message.
    """

    def __init__(self, terminal, outbox, downlink, clock, identity, card, settings):
        self.terminal = terminal
        self.foreign = 0
        self.cut = 0
        self._outbox = outbox
        self._downlink = downlink
        self._clock = clock
        self._device = identity.device
        self._key = identity.key
        self._card = card
        self._after_s, self._alarm_after_s, self._status_s = settings
        self._body = bytearray(f.BODY_MAX)
        self._frame = bytearray(f.FRAME_MAX)
        self._size = 0  # of the frame that the terminal has not accepted yet
        self._accepted = 0  # `terminal.sent` when it was given
        self._since_ms = 0  # records wait, and the gateway is silent, since
        self._down = False  # for so long that only its answer ends it
        self._status_due_s = 0
        self._answer_until_ms = 0
        self._look_ms = 0

    def poll(self, now_ms):
        """Do what is due; return the milliseconds until it wants to run again."""
        terminal = self.terminal
        wait_ms = terminal.poll(now_ms)
        time = terminal.take_time()
        if time is not None:
            self._clock.offer(CLOCK_BEIDOU, time[0], time[1], time[2], _TIME_MS)
        message = terminal.next_message()
        if message is not None:
            self._take(message[1], now_ms)
        if terminal.sent != self._accepted:
            self._accepted = terminal.sent
            self._size = 0
        heard_ms = self._downlink.heard_ms
        if heard_ms is not None and heard_ms > self._since_ms:
            self._since_ms = heard_ms
            self._down = False
        elif not self._outbox.kept and not self._down:
            self._since_ms = now_ms  # nobody has a reason to answer
        if now_ms >= self._look_ms and terminal.ready(now_ms):
            self._look_ms = now_ms + _LOOK_MS
            self._send(now_ms)
        return wait_ms

    def _send(self, now_ms):
        down_s = (now_ms - self._since_ms) // 1000
        room = self.terminal.room()
        if self._frame[1] == f.RECORDS and down_s < self._alarm_after_s:
            self._size = 0  # it was refused, and the main link is back with the same records
        if not 0 < self._size <= room:
            room -= f.HEAD + f.TAG
            kind = f.COMMAND
            n = self._answer(room) if now_ms < self._answer_until_ms else 0
            if not n:
                kind = f.RECORDS
                n = self._records(room, down_s, now_ms // 1000)
            if not n:
                return
            self._size = f.put_frame(
                self._frame, self._key, f.UP, self._device, kind, self._body, n
            )
        self.terminal.send(self._card, self._frame, self._size, now_ms)

    def _records(self, room, down_s, now_s):
        if down_s < self._alarm_after_s:
            return 0
        self._down = True
        lane = LANE_ALARM
        if (
            down_s >= self._after_s
            and now_s >= self._status_due_s
            and self.terminal.level >= _LEVEL_FOR_STATUS
        ):
            lane = LANE_STATUS
        n = self._outbox.short(self._body, room, now_s, lane)
        if n and lane == LANE_STATUS:
            self._status_due_s = now_s + self._status_s
        return n

    def _answer(self, room):
        payload = self._downlink.next_answer()
        if payload is None:
            return 0
        n = len(payload)
        if n > room:
            self.cut += 1
            message = messages.read_cmd_up(payload)
            return messages.put_done(self._body, message[1], message[2], b"")
        self._body[:n] = payload
        return n

    def _take(self, content, now_ms):
        try:
            kind, body = f.read_frame(content, self._key, f.DOWN, self._device)
        except f.FrameError:
            self.foreign += 1
            return
        downlink = self._downlink
        heard_ms = downlink.heard_ms
        if kind == f.ACK:
            downlink.take(b"ack", body, 0, len(body), now_ms)
        elif kind == f.COMMAND:
            self._answer_until_ms = now_ms + _ANSWER_MS
            downlink.take(b"cmd", body, 0, len(body), now_ms)
        else:
            self.foreign += 1
        downlink.heard_ms = heard_ms

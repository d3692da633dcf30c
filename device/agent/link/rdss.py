"""A BeiDou terminal on a line: finds out its dialect and its card, sends, receives.

    terminal = Terminal(hal.uart("rdss", 115200, None))
    wait_ms = terminal.poll(now_ms)
    if terminal.ready(now_ms): terminal.send(command_card, frame, n, now_ms)
    message = terminal.next_message()          (sender, content) or None

It keeps to the card: its interval, also after a refusal with a wait, and its level. What to send, and
when, is not decided here (see `fallback`). States:

    ASKING    one dialect after the other is asked for the card; leaves with an answer     -> RESTING
    RESTING   nothing is under way; a message may be given when `ready` says so             -> SENDING
    SENDING   the terminal owes its feedback; leaves with it                                -> RESTING
              without it in time, or with "no card"                                         -> ASKING
"""

from agent.compat import const
from agent.errors import LocalError
from agent.link import rdss_dialects as d
from agent.sense.nmea import Assembler
from agent.sense.sentence import FieldError
from agent.wire.frame import FRAME_MAX

ASKING = const(0)
RESTING = const(1)
SENDING = const(2)

_ANSWER_MS = const(2000)  # a terminal that is there answers at once
_AGAIN_MS = const(60000)  # after all dialects were asked in vain
_ASK_AGAIN_MS = const(3600000)  # cards are exchanged, and their rights change
_FEEDBACK_MS = const(15000)  # longer than a terminal takes to find its beam and transmit
_MARGIN_MS = const(1000)  # the terminal's clock and ours are not the same
_FORBIDDEN_MS = const(600000)  # while the system forbids sending: look again after
_INTERVAL_MAX_S = const(3600)  # a card that says more is misread

_CHUNK = const(128)
_CHUNKS_MAX = const(4)  # read in one poll: 45 ms at 115,200 Bd
_WAIT_MS = const(50)
_INBOX_MAX = const(4)

# 3.0 first: newer terminals answer the older question as well.
_ORDER = (d.D30, d.D21, d.D40)

# Bytes of a message by the card's level 0 to 4 (reference/navaid.md §3): civil, encrypted.
_ROOM = b"\x00\x0d\x33\x4e\x6a"
_ROOM_ENCRYPTED = b"\x00\x11\x2d\x48\xd2"
_LEVEL_MIN = const(2)  # 13 bytes are no frame


class Terminal:
    """The terminal. `card` is 0 while it has none, or none was read.

    Counters: `sent` (accepted by the terminal), `reasons[…]` (feedback by `rdss_dialects` reason;
    all but OK and LIFTED are sendings refused), `received` (messages), `lost` (messages that nobody
    fetched in time), `bad` (sentences and frames refused).
    """

    def __init__(self, line):
        self.dialect = 0
        self.card = 0
        self.level = 0
        self.interval_s = 0
        self.state = ASKING
        self.sent = 0
        self.received = 0
        self.lost = 0
        self.reasons = [0] * (d.LIFTED + 1)
        self._line = line
        self._chunk = bytearray(_CHUNK)
        self._sentences = Assembler()
        self._frames = d.Frames(self)
        self._malformed = 0
        self._encrypted = False
        self._asked = 0  # dialects asked in this round
        self._until_ms = 0  # ASKING: the next question; SENDING: given up; RESTING: asked again
        self._sent_ms = 0
        self._next_ms = 0  # no sending before
        self._out = b""
        self._now_ms = 0
        self._inbox = []
        self._time = None

    @property
    def bad(self):
        return self._sentences.bad + self._malformed + self._frames.bad

    def room(self):
        """Return how many bytes a message may have; 0 when the card cannot carry a frame."""
        if not self.card or self.level < _LEVEL_MIN:
            return 0
        table = _ROOM_ENCRYPTED if self._encrypted else _ROOM
        return min(FRAME_MAX, table[self.level]) if self.level < len(table) else FRAME_MAX

    def ready(self, now_ms):
        """Return whether a message may be given to it now."""
        return self.state == RESTING and now_ms >= self._next_ms and self.room() > 0

    def send(self, to, data, n, now_ms):
        """Send `data[:n]` to the card `to`. Raises LocalError when `ready` was not asked."""
        if not self.ready(now_ms) or n > self.room():
            raise LocalError("not ready")
        self._write(d.message(self.dialect, to, bytes(data[:n])))
        self._sent_ms = now_ms
        self._enter(SENDING, now_ms + _FEEDBACK_MS)

    def next_message(self):
        """Return (sender's card, content) of the next message received, or None."""
        return self._inbox.pop(0) if self._inbox else None

    def take_time(self):
        """Return (seconds since 2020, milliseconds, when it came) once per time given, else None."""
        time = self._time
        self._time = None
        return time

    def poll(self, now_ms):
        """Read what has come and ask what is due; return how long to wait."""
        self._now_ms = now_ms
        wait_ms = self._read()
        if self._out:
            self._write(b"")
        elif now_ms >= self._until_ms:
            if self.state == SENDING:
                self.on_feedback(d.NO_ANSWER, 0)
            elif self.state == RESTING:
                self._enter(ASKING, now_ms)
            else:
                self._ask(now_ms)
        return wait_ms

    def on_card(self, dialect, card, interval_s, level, encrypted):
        """Take the card's answer."""
        if self.state == SENDING:
            return
        self.dialect = dialect
        self.card = card
        self.interval_s = min(interval_s, _INTERVAL_MAX_S)
        self.level = level
        self._encrypted = encrypted
        if card:
            if self.state == ASKING:
                self._write(d.ask_time(dialect))
            self._asked = 0
            self._enter(RESTING, self._now_ms + _ASK_AGAIN_MS)

    def on_feedback(self, reason, wait_s):
        """Take what became of a sending."""
        self.reasons[reason] += 1
        now_ms = self._now_ms
        if reason == d.LIFTED:
            self._next_ms = min(self._next_ms, now_ms)
        if self.state != SENDING or reason == d.LIFTED:
            return
        next_ms = self._sent_ms + self.interval_s * 1000
        if reason == d.OK:
            self.sent += 1
        elif reason == d.INTERVAL:
            if wait_s < 1:
                wait_s = self.interval_s
            next_ms = now_ms + min(wait_s, _INTERVAL_MAX_S) * 1000
        elif reason in d.FORBIDDEN:
            next_ms = now_ms + _FORBIDDEN_MS
        self._next_ms = next_ms + _MARGIN_MS
        if reason in (d.NO_CARD, d.NO_ANSWER):
            self._enter(ASKING, now_ms)
        else:
            self._enter(RESTING, now_ms + _ASK_AGAIN_MS)

    def on_message(self, sender, content):
        """Take a message."""
        self.received += 1
        if len(self._inbox) < _INBOX_MAX:
            self._inbox.append((sender, content))
        else:
            self.lost += 1

    def on_time(self, t, ms):
        """Take the time."""
        self._time = (t, ms, self._now_ms)

    def _ask(self, now_ms):
        if self._asked == len(_ORDER):
            self._asked = 0
            self.card = 0
            self._until_ms = now_ms + _AGAIN_MS
            return
        self._write(d.ask_card(_ORDER[self._asked]))
        self._asked += 1
        self._until_ms = now_ms + _ANSWER_MS

    def _read(self):
        for _ in range(_CHUNKS_MAX):
            n = self._line.readinto(self._chunk)
            if self.dialect == d.D40 or self.state == ASKING:
                self._frames.feed(self._chunk, n)
            if self.dialect != d.D40 or self.state == ASKING:
                self._read_sentences(n)
            if n < _CHUNK:
                return _WAIT_MS
        return 0

    def _read_sentences(self, n):
        self._sentences.feed(self._chunk, n)
        while True:
            sentence = self._sentences.next_sentence()
            if sentence is None:
                return
            try:
                d.take_sentence(sentence, self)
            except FieldError:
                self._malformed += 1

    def _enter(self, state, until_ms):
        self.state = state
        self._until_ms = until_ms

    def _write(self, data):
        """Write `data` behind what the line has not taken yet."""
        out = self._out + data
        self._out = out[self._line.write(out) :]

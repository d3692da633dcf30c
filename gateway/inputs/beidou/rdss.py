"""Records by BeiDou short message: a command terminal on a serial port.

    rdss = RDSSInput(config.beidou, inbox)
    rdss.start()
    for delivery in inbox.take(…): …commit…;  rdss.acknowledge(device, ranges)

What comes goes the way of what comes by MQTT: into the queue, the journal, and only then back as an
acknowledgement. Which device a message is from is said by its sender's card, and proven by the tag; a
message of an unknown card, or without a good tag, becomes a dead letter. Acknowledgements are gathered
per device and go as frames, as the command card's interval allows; they wait in memory only, because
a device that does not get them sends again.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import serial

from agent.wire import body as contract
from agent.wire import frame, messages
from agent.wire.read import Reader
from gateway.accept import Message
from gateway.access.revocation import nobody
from gateway.config import BeiDou
from gateway.inbox import Delivery, Inbox
from gateway.inputs.beidou.terminal import CommandTerminal
from gateway.journal.ranges import Ranges

log = logging.getLogger(__name__)

COMMANDS_MAX: Final = 64  # waiting for the card
_READ_S: Final = 0.1
_READ_MAX: Final = 512
_RETRY_S: Final = 1.0
_RETRY_MAX_S: Final = 30.0
_RANGE_MAX: Final = 16  # bytes of one range
_KINDS: Final = {frame.RECORDS: "rec", frame.COMMAND: "cmd"}


class Waiting:
    """What is to go down: commands in order, ranges to acknowledge by device. For any thread."""

    def __init__(self, gather_s: float) -> None:
        self._gather_s = gather_s
        self._lock = threading.Lock()
        self._acks: dict[str, dict[int, Ranges]] = {}
        self._since_s: dict[str, float] = {}  # device -> when its oldest range was added
        self._commands: deque[tuple[str, bytes]] = deque()

    def acknowledge(
        self, device: str, ranges: Iterable[tuple[int, int, int]], now_s: float
    ) -> None:
        """Add ranges (boot, first, last)."""
        with self._lock:
            boots = self._acks.setdefault(device, {})
            self._since_s.setdefault(device, now_s)
            for boot, first, last in ranges:
                seen = boots.setdefault(boot, Ranges())
                for seq in range(first, last + 1):
                    seen.add(seq)

    def command(self, device: str, payload: bytes) -> bool:
        """Add a `dn/cmd` payload; return whether it fits a message and there is room."""
        with self._lock:
            if (device, payload) in self._commands:
                return True
            if len(payload) > frame.BODY_MAX or len(self._commands) >= COMMANDS_MAX:
                return False
            self._commands.append((device, payload))
            return True

    def next(self, room: int, now_s: float) -> tuple[str, int, bytes] | None:
        """Return (device, kind, body) of what goes next, at most `room` bytes; it stays until `done`."""
        with self._lock:
            while self._commands and len(self._commands[0][1]) > room:
                device, _ = self._commands.popleft()
                log.warning("a command for %s is too long for the command card", device)
            if self._commands:
                device, payload = self._commands[0]
                return device, frame.COMMAND, payload
            due = [item for item in self._since_s.items() if now_s - item[1] >= self._gather_s]
            if not due:
                return None
            device, _ = min(due, key=lambda item: item[1])
            return device, frame.ACK, _pack(self._acks[device], room)

    def done(self, device: str, kind: int, payload: bytes, now_s: float) -> None:
        """Forget what was sent."""
        with self._lock:
            if kind == frame.COMMAND:
                self._commands.popleft()
                return
            boots = self._acks.pop(device)
            del self._since_s[device]
            said = set(_unpack(payload))
            left = {
                boot: Ranges(
                    (first, last) for first, last in ranges if (boot, first, last) not in said
                )
                for boot, ranges in boots.items()
            }
            left = {boot: ranges for boot, ranges in left.items() if list(ranges)}
            if left:
                self._acks[device] = left
                self._since_s[device] = now_s


class RDSSInput:
    """The gateway's command terminal. Its thread opens the port again when it is lost."""

    def __init__(
        self, config: BeiDou, inbox: Inbox, revoked: Callable[[str], bool] = nobody
    ) -> None:
        self._config = config
        self._revoked = revoked
        self._cards = {device: card for card, device in config.cards.items()}
        self._inbox = inbox
        self._waiting = Waiting(config.gather_s)
        self._sending: tuple[str, int, bytes] | None = None
        self._counts: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._terminal = CommandTerminal()
        self._fault = "not open yet"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rdss", daemon=True)

    def start(self) -> None:
        """Open the port, and keep it open."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def acknowledge(self, device: str, ranges: Iterable[tuple[int, int, int]]) -> None:
        """Let a device know that ranges (boot, first, last) are committed."""
        if device in self._cards:
            self._waiting.acknowledge(device, ranges, time.monotonic())

    def command(self, device: str, payload: bytes) -> bool:
        """Send a `dn/cmd` payload; return whether it is on its way.

        False for a device without a card, a payload longer than a frame's body, or a full queue.
        """
        return device in self._cards and self._waiting.command(device, payload)

    def fault(self) -> str:
        """Return why nothing comes in; nothing while the terminal works."""
        return self._fault

    def take_counts(self) -> dict[str, int]:
        """Return what was counted since the last call, for the journal's counters."""
        # A copy in one step: the terminal's thread goes on counting.
        now = Counter(dict(self._counts)) + Counter(dict(self._terminal.counts))
        changes = {f"beidou.{name}": n for name, n in (now - self._told).items()}
        self._told = now
        return changes

    def _run(self) -> None:
        retry_s = _RETRY_S
        while not self._stopping.is_set():
            started_s = time.monotonic()
            try:
                with serial.serial_for_url(
                    self._config.port, baudrate=self._config.baud, timeout=_READ_S
                ) as port:
                    self._serve(port)
            except (serial.SerialException, OSError) as error:
                self._counts["port_errors"] += 1
                self._fault = str(error)
                log.warning("the BeiDou terminal at %s: %s", self._config.port, error)
            except Exception:
                log.exception("the BeiDou thread failed; it starts again")
            if time.monotonic() - started_s > _RETRY_MAX_S:
                retry_s = _RETRY_S
            self._stopping.wait(retry_s)
            retry_s = min(retry_s * 2, _RETRY_MAX_S)

    def _serve(self, port: Any) -> None:
        """Talk to the terminal until the port is lost or we are stopped."""
        self._counts += self._terminal.counts
        self._terminal = CommandTerminal(self._terminal.dialect)
        self._sending = None
        card = 0
        while not self._stopping.is_set():
            data = port.read(_READ_MAX)
            now_s = time.monotonic()
            for message in self._terminal.feed(data, now_s):
                self._take(message.sender, message.content)
            out = self._step(now_s)
            if out:
                port.write(out)
            if self._terminal.card != card:
                card = self._terminal.card
                self._tell_card()

    def _step(self, now_s: float) -> bytes:
        """Return what is to be written now: a question, a message, or nothing."""
        terminal = self._terminal
        if self._sending and terminal.outcome is not None:
            if terminal.outcome:
                self._waiting.done(*self._sending, now_s)
            self._sending = None
        question = terminal.outgoing(now_s)
        if question or not terminal.ready(now_s):
            return question
        room = terminal.room - frame.HEAD - frame.TAG
        self._sending = self._waiting.next(room, now_s)
        if self._sending is None:
            return b""
        device, kind, payload = self._sending
        if self._revoked(device):
            # Nothing is signed for it any more, and the card's time is the others'.
            self._waiting.done(device, kind, payload, now_s)
            self._sending = None
            return b""
        buf = bytearray(frame.FRAME_MAX)
        key = self._config.keys[device]
        n = frame.put_frame(buf, key, frame.DOWN, device, kind, bytearray(payload), len(payload))
        return terminal.send(self._cards[device], bytes(buf[:n]), now_s)

    def _take(self, card: int, content: bytes) -> None:
        """Hand a message on: a device's, or a dead letter."""
        received_ms = time.time_ns() // 1_000_000
        device = self._config.cards.get(card)
        fault = None
        topic = f"beidou/{card}"
        payload = content
        if device is None:
            fault = ("beidou-unknown-card", f"card {card} is not in the table")
        else:
            try:
                kind, payload = frame.read_frame(
                    content, self._config.keys[device], frame.UP, device
                )
                topic = messages.topic(device, "up", _KINDS[kind])
            except frame.FrameError as error:
                fault = (f"beidou-{error.code}", f"{device}, card {card}, {len(content)} bytes")
            except KeyError:
                fault = ("beidou-kind", f"{device}, card {card}: kind {kind}")
                payload = content
        message = Message(topic, payload, contract.LINK_BEIDOU, received_ms, fault)
        self._inbox.put(Delivery([message]))

    def _tell_card(self) -> None:
        terminal = self._terminal
        self._fault = ""
        if not terminal.card:
            self._fault = "the terminal has no card, or does not answer"
            log.warning("BeiDou: %s", self._fault)
        elif not terminal.room:
            self._fault = f"card {terminal.card} is of level {terminal.level}: too low"
            log.error("BeiDou: %s", self._fault)
        else:
            log.info(
                "BeiDou terminal %s, card %d, every %d s, level %d",
                terminal.dialect, terminal.card, terminal.interval_s, terminal.level,
            )  # fmt: skip


def _pack(boots: dict[int, Ranges], room: int) -> bytes:
    """Return as many ranges as fit, the newest boot's first."""
    buf = bytearray(room + _RANGE_MAX)
    n = 0
    for boot in sorted(boots, reverse=True):
        for first, last in boots[boot]:
            end = messages.put_ack(buf, n, boot, first, last)
            if end > room:
                return bytes(buf[:n])
            n = end
    return bytes(buf[:n])


def _unpack(payload: bytes) -> list[tuple[int, int, int]]:
    """Return the ranges of an acknowledgement of ours."""
    reader = Reader(payload, 0, len(payload))
    ranges = []
    while not reader.at_end():
        ranges.append(messages.read_ack(reader))
    return ranges

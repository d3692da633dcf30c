"""Carries out rollouts: offers the release, sends the chunks that are missing, notes what came of it.

    sender = Sender(rollouts, send)
    sender.poll(now_ms)                      what is due
    sender.take("buoy-1", report, now_ms)    what a device said on up/ota

Sans-IO but for the rollouts' file. The device knows what it has, and says so in a bitmap: nothing of
that need be kept here, so a gateway that restarts, and a device that does, go on where they were. At
most WINDOW chunks are on their way to a device. It ends with the device's result, or with a reason of
ours. `SenderThread` runs a sender in a gateway.
"""

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.errors import RemoteError
from agent.wire import codes, messages, schema, words
from agent.wire.release import Release
from gateway.access.revocation import nobody
from gateway.down.rollouts import Rollout, Rollouts

log = logging.getLogger(__name__)

WINDOW: Final = 8  # chunks; one window a second is what a device reports
_LOST_MS: Final = 8_000  # a chunk that is not in the bitmap by then is sent again
_OFFER_MS: Final = 10_000  # without a word from the device it is asked again, doubling to
_OFFER_MAX_MS: Final = 600_000
_FORGOTTEN_MS: Final = 2_000
_STAGED_MAX_MS: Final = 6 * 3_600_000  # while it only waits for its command
_SILENT_MS: Final = 30 * 86_400_000  # who comes back later is better offered what is new then
_SENDINGS: Final = (
    20  # times an image's chunks before the link is given up: data plans have an end
)
_LOOK_MS: Final = 1_000  # how often the file is looked at for new rollouts
_PAUSE_S: Final = 0.25

Send = Callable[[str, bytes], None]
Report = tuple[int, int, bytes]

STATES: Final = words.FIELDS["birth.update"]
# Where an update ends. A device that refused an arming tells of it, and stays staged.
FINAL: Final = frozenset(STATES) - {
    codes.UPDATE_NONE,
    codes.UPDATE_RECEIVING,
    codes.UPDATE_VERIFYING,
    codes.UPDATE_STAGED,
    codes.UPDATE_ARMED,
    codes.UPDATE_TRIAL,
    codes.UPDATE_BAD_TAG,
}


@dataclass(slots=True)
class _Going:
    """A rollout on its way: its chunks, when which was sent, when the next offer is due."""

    rollout: Rollout
    release: Release
    chunks: list[bytes]
    state: int
    sent: int
    missing: int | None
    offer_ms: int = 0
    offered_ms: int = 0
    pause_ms: int = _OFFER_MS
    flying: dict[int, int] = field(default_factory=dict)


class Sender:
    """The rollouts that are open. `send` takes a device and a payload for dn/ota.

    A `revoked` device is offered nothing, and what it was offered ends.

    Raises:
        sqlite3.Error: from every method, when the rollouts' file does not take it.
    """

    def __init__(
        self, rollouts: Rollouts, send: Send, revoked: Callable[[str], bool] = nobody
    ) -> None:
        self._rollouts = rollouts
        self._send = send
        self._revoked = revoked
        self._going: dict[int, _Going] = {}
        self._look_ms = 0
        self._buf = bytearray(schema.PAYLOAD_MAX)

    def poll(self, now_ms: int) -> None:
        """Look for new rollouts, offer what is due, give up what has no end."""
        if now_ms >= self._look_ms:
            self._look_ms = now_ms + _LOOK_MS
            self._look()
        for going in list(self._going.values()):
            if self._revoked(going.rollout.device):
                self._end(going, "the device is revoked", now_ms)
            elif now_ms - going.rollout.heard_ms > _SILENT_MS:
                self._end(going, "no answer for 30 days", now_ms)
            elif now_ms >= going.offer_ms:
                going.offer_ms = now_ms + going.pause_ms
                staged = going.state == codes.UPDATE_STAGED
                longest_ms = _STAGED_MAX_MS if staged else _OFFER_MAX_MS
                going.pause_ms = min(going.pause_ms * 2, longest_ms)
                going.offered_ms = now_ms
                self._offer(going)

    def take(self, device: str, report: Report, now_ms: int) -> None:
        """Take what a device said."""
        image, state, have = report
        if image not in self._going:
            self._look()
        going = self._going.get(image)
        if going is None or going.rollout.device != device or self._revoked(device):
            return
        missing = None
        if state == codes.UPDATE_RECEIVING and have:
            missing = sum(not _holds(have, index) for index in range(len(going.chunks)))
        if (state, missing) != (going.state, going.missing):
            # It gets on: asking again may wait its shortest time.
            going.pause_ms = _OFFER_MS
            going.offer_ms = now_ms + _OFFER_MS
        if state != going.state:
            word = STATES.get(state, str(state))
            self._rollouts.note(going.rollout, f"the device says: {word}", now_ms)
        going.state, going.missing = state, missing
        if state in FINAL:
            self._rollouts.heard(going.rollout, state, missing, going.sent, now_ms)
            self._end(going, STATES[state], now_ms)
            return
        if state == codes.UPDATE_NONE:
            # It has forgotten, or never had it: soon, but not at once, should it say so for ever.
            going.offer_ms = min(going.offer_ms, going.offered_ms + _FORGOTTEN_MS)
        elif missing:
            self._send_missing(going, have, now_ms)
        self._rollouts.heard(going.rollout, state, missing, going.sent, now_ms)
        going.rollout = self._rollouts.get(image)

    def _send_missing(self, going: _Going, have: bytes, now_ms: int) -> None:
        if going.sent >= _SENDINGS * len(going.chunks):
            self._end(going, f"the link is too poor: {going.sent} chunks were sent", now_ms)
            return
        flying = going.flying = {
            index: sent_ms
            for index, sent_ms in going.flying.items()
            if not _holds(have, index) and now_ms - sent_ms < _LOST_MS
        }
        for index, data in enumerate(going.chunks):
            if len(flying) >= WINDOW:
                return
            if index not in flying and not _holds(have, index):
                flying[index] = now_ms
                going.sent += 1
                n = messages.put_ota_chunk(self._buf, going.rollout.image, index, data)
                self._send(going.rollout.device, bytes(self._buf[:n]))

    def _offer(self, going: _Going) -> None:
        release = going.release
        n = messages.put_ota_offer(
            self._buf,
            going.rollout.image,
            len(release.image),
            release.manifest,
            release.signature,
        )
        self._send(going.rollout.device, bytes(self._buf[:n]))

    def _look(self) -> None:
        found = {rollout.image: rollout for rollout in self._rollouts.open()}
        for image in set(self._going) - set(found):
            del self._going[image]
        for image, rollout in found.items():
            if image not in self._going:
                release = self._rollouts.release(rollout.release)
                self._going[image] = _Going(
                    rollout,
                    release,
                    release.chunks(),
                    rollout.state,
                    rollout.sent,
                    rollout.missing,
                )

    def _end(self, going: _Going, result: str, now_ms: int) -> None:
        self._rollouts.end(going.rollout, result, now_ms)
        self._going.pop(going.rollout.image, None)
        log.info("update %d of %s: %s", going.rollout.image, going.rollout.device, result)


def _holds(have: bytes, index: int) -> bool:
    return index >> 3 < len(have) and bool(have[index >> 3] >> (index & 7) & 1)


class SenderThread(threading.Thread):
    """A sender in a gateway: a thread, so that a slow disk holds up no record."""

    def __init__(self, path: Path, send: Send, revoked: Callable[[str], bool] = nobody) -> None:
        super().__init__(name="updates", daemon=True)
        self._path = path
        self._send = send
        self._revoked = revoked
        self._stopping = threading.Event()
        self._inbox: queue.Queue[tuple[str, Report]] = queue.Queue(1000)

    def take(self, device: str, report: Report) -> None:
        """Hand over what a device said; where the thread is behind, the device says it again."""
        try:
            self._inbox.put_nowait((device, report))
        except queue.Full:
            log.warning("a report of %s on its update is dropped: the disk is slow", device)

    def stop(self) -> None:
        """End it; what is open goes on at the next start."""
        self._stopping.set()
        self.join(5)

    def run(self) -> None:
        """Work until stopped; a file that refuses is tried again."""
        while not self._stopping.is_set():
            try:
                rollouts = Rollouts(self._path)
                try:
                    self._work(Sender(rollouts, self._send, self._revoked))
                finally:
                    rollouts.close()
            except (sqlite3.Error, RemoteError) as error:
                log.warning("%s: %s; updates wait", self._path, error)
                self._stopping.wait(5)

    def _work(self, sender: Sender) -> None:
        while not self._stopping.is_set():
            try:
                device, report = self._inbox.get(timeout=_PAUSE_S)
            except queue.Empty:
                pass
            else:
                sender.take(device, report, _now_ms())
            sender.poll(_now_ms())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""Server-sent events: what changed, to everyone who is listening.

A change has consecutive numbers, one for each event; a listener that comes back says the last one
it saw, and is given what it missed, or, if that is too much or too long ago, everything anew. So is
a listener that reads too slowly: it is dropped, and comes back by itself.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

_QUEUE_MAX: Final = 1_000  # events that one listener may be behind
_KEPT_MAX: Final = 1_000  # events that are kept for those who come back


class Event(NamedTuple):
    """One event: its number, "asset", "device" or "target", and its data as JSON.

    Kind "reload" has no data: more changed than is worth telling, read everything anew.
    """

    number: int
    kind: str
    data: str


class Listener:
    """One stream. `get` gives the next event, or None when the stream must end."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(_QUEUE_MAX)

    async def get(self) -> Event | None:
        """Wait for the next event."""
        return await self._queue.get()

    def put(self, event: Event) -> bool:
        """Add an event; return False, and end the stream, if it is too far behind."""
        if self._queue.full():
            self.end()
            return False
        self._queue.put_nowait(event)
        return True

    def end(self) -> None:
        """Let the stream end, at once: what it has not read by now it would read too late."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)


class Hub:
    """Everyone who is listening. All methods but `publish` belong to the event loop's thread."""

    def __init__(self) -> None:
        self.dropped = 0
        self._run = secrets.token_hex(4)  # numbers of another process or database mean nothing
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[Listener] = set()
        self._kept: deque[Event] = deque(maxlen=_KEPT_MAX)
        self._ended = False

    @property
    def listening(self) -> int:
        """How many streams there are."""
        return len(self._listeners)

    def start(self) -> None:
        """Remember the event loop that the listeners live in."""
        self._loop = asyncio.get_running_loop()

    def publish(self, events: Sequence[Event]) -> None:
        """Hand events to everyone, in order; from any thread."""
        if self._loop is not None and events:
            self._loop.call_soon_threadsafe(self._deliver, events)

    def listen(self) -> Listener:
        """Add a listener, who is given every event from now on."""
        listener = Listener()
        if self._ended:
            listener.end()
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Remove a listener."""
        self._listeners.discard(listener)

    def id_of(self, number: int) -> str:
        """Return the id of the event of this number, as a browser gives it back."""
        return f"{self._run}-{number}"

    def since(self, event_id: str | None) -> list[Event] | None:
        """Return the events after an id; None if they are not all there any more."""
        run, _, digits = (event_id or "").partition("-")
        if run != self._run or not digits.isdecimal():
            return None
        seen = int(digits)
        if not self._kept or not self._kept[0].number - 1 <= seen <= self._kept[-1].number:
            return None
        missed = [event for event in self._kept if event.number > seen]
        return None if any(event.kind == "reload" for event in missed) else missed

    def end(self) -> None:
        """End every stream: the process stops."""
        self._ended = True
        for listener in self._listeners:
            listener.end()

    def _deliver(self, events: Sequence[Event]) -> None:
        self._kept.extend(events)
        for listener in list(self._listeners):
            if not all(listener.put(event) for event in events):
                self.dropped += 1
                self._listeners.discard(listener)

"""What the inputs hand to the thread that commits: bounded, so that a full one slows them down.

    inbox = Inbox(5000)
    inbox.put(Delivery([message], done))       from any input's thread
    for delivery in inbox.take(500, 0.005, 0.5): …commit…; delivery.done()

A delivery is committed whole or not at all, and `done` is called by the committing thread after the
commit: that is where an input acknowledges.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from gateway.accept import Message


class Delivery(NamedTuple):
    """Messages that came together, and what to do when they are committed."""

    messages: list[Message]
    done: Callable[[], None] | None = None


class Inbox:
    """A queue of deliveries whose size counts messages. For any thread."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._waiting: deque[Delivery] = deque()
        self._messages = 0
        self._stopping = False
        self._change = threading.Condition()

    def __len__(self) -> int:
        return self._messages

    def put(self, delivery: Delivery) -> bool:
        """Add a delivery; wait while the inbox is full. False: it is stopping, and was not added."""
        with self._change:
            while self._messages >= self.size and not self._stopping:
                self._change.wait()
            if self._stopping:
                return False
            self._waiting.append(delivery)
            self._messages += len(delivery.messages)
            self._change.notify_all()
            return True

    def take(self, most: int, linger_s: float, idle_s: float) -> list[Delivery]:
        """Return what came: at least `most` messages, or what there is `linger_s` after the first.

        Waits up to `idle_s` for the first. A delivery is never split, so the last one may go beyond
        `most`.
        """
        with self._change:
            if not self._waiting:
                self._change.wait(idle_s)
            if self._waiting and self._messages < most:
                until_s = time.monotonic() + linger_s
                while self._messages < most and not self._stopping:
                    left_s = until_s - time.monotonic()
                    if left_s <= 0 or not self._change.wait(left_s):
                        break
            out = []
            taken = 0
            while self._waiting and taken < most:
                delivery = self._waiting.popleft()
                taken += len(delivery.messages)
                out.append(delivery)
            self._messages -= taken
            self._change.notify_all()
            return out

    def stop(self) -> None:
        """Refuse what still comes; whoever waits goes on."""
        with self._change:
            self._stopping = True
            self._change.notify_all()

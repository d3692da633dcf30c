"""The BeiDou short message service between simulated terminals: late, and not always there.

    network = Network(seed=1, loss=0.02)
    buoy = RDSSTerminal(network, "2.1", Card(4207733, interval_s=60, level=3))
    shore = RDSSTerminal(network, "3.0", Card(2097151, interval_s=1, level=5))
    await buoy.open(0);  await shore.open(0)

A message that was accepted is delivered once, after a while, or lost without a word; one to a card
that nobody has, or whose terminal has nobody listening, is lost, too.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Protocol

Verdict = Callable[[int, int, bytes], bool]


class Station(Protocol):
    """What the network delivers to."""

    def deliver(self, sender: int, content: bytes) -> bool:
        """Take a message; tell whether there was somebody to take it."""


class Network:
    """Satellites and ground station.

    Args:
        seed: of its losses and delays.
        loss: the share of messages that vanish.
        delay_s: the shortest and the longest way of a message.
        speed: seconds of the network and its cards that pass in a real one.

    Attributes:
        loses: which messages vanish beside the share, by sender, addressee and content.
        counts: `accepted`, `delivered`, `lost`, `unheard` messages.
        carried: every message accepted, as (sender, addressee, content).
    """

    def __init__(
        self,
        seed: int,
        loss: float = 0.0,
        delay_s: tuple[float, float] = (0.5, 5.0),
        speed: float = 1.0,
    ) -> None:
        self.loses: Verdict = lambda _sender, _to, _content: False
        self.counts: Counter[str] = Counter()
        self.carried: list[tuple[int, int, bytes]] = []
        self._rng = random.Random(seed)
        self._loss = loss
        self._delay_s = delay_s
        self._speed = speed
        self._stations: dict[int, Station] = {}

    def join(self, card: int, station: Station) -> None:
        """Put a card's terminal on the air."""
        self._stations[card] = station

    def accept(self, sender: int, to: int, content: bytes) -> None:
        """Carry a message."""
        self.counts["accepted"] += 1
        self.carried.append((sender, to, content))
        lost = self._rng.random() < self._loss
        delay_s = self._rng.uniform(*self._delay_s)
        if lost or self.loses(sender, to, content):
            self.counts["lost"] += 1
            return
        self.later(delay_s, self._deliver, sender, to, content)

    def now_s(self) -> float:
        """Return the network's time."""
        return asyncio.get_running_loop().time() * self._speed

    def later(self, delay_s: float, call: Callable[..., object], *arguments: object) -> None:
        """Call something when so many seconds of the network's time have passed."""
        asyncio.get_running_loop().call_later(delay_s / self._speed, call, *arguments)

    def _deliver(self, sender: int, to: int, content: bytes) -> None:
        station = self._stations.get(to)
        heard = station is not None and station.deliver(sender, content)
        self.counts["delivered" if heard else "unheard"] += 1

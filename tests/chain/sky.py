"""A BeiDou network with simulated terminals, in a thread of its own."""

import asyncio
import threading
from typing import Self

from simulators.beidou import Network
from simulators.sensors.rdss import Card, RDSSTerminal


class Sky:
    """The network, faster than life; `terminal` adds one."""

    def __init__(self, seed: int, loss: float = 0.0, speed: float = 10.0) -> None:
        self.speed = speed
        self.network = Network(seed, loss, speed=speed)
        self.terminals: list[RDSSTerminal] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for terminal in self.terminals:
            self.run(terminal.close())
        self.run(self._quiet())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def run(self, work):
        """Run something in the network's thread; return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def terminal(self, dialect: str, card: Card, **more: float) -> RDSSTerminal:
        """Add a terminal; its `address` is its line's."""

        async def make() -> RDSSTerminal:
            terminal = RDSSTerminal(self.network, dialect, card, **more)
            await terminal.open(0)
            return terminal

        terminal = self.run(make())
        self.terminals.append(terminal)
        return terminal

    async def _quiet(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

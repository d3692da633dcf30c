"""A sink in a process of its own, and the gateway's hold on it.

    worker = SinkProcess(config, "series")
    worker.start();  worker.wake();  worker.status();  worker.stop()

Python lets one thread of a process compute at a time: a sink in the gateway's own process would take
its time from the input's. The child is told by its standard input what to do (its configuration,
pickled, then a byte for every "there is something new"; the end of it is the order to finish, also
when the gateway was killed), and tells by its standard output, a line of JSON every second, how it
gets on. A child that ends by itself is started again.
"""

import json
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from gateway.config import Config
from gateway.operation.status import SinkStatus

log = logging.getLogger(__name__)

_AGAIN_S: Final = 1.0
_AGAIN_MAX_S: Final = 30.0


def names(config: Config) -> list[str]:
    """Return the sinks that a configuration asks for."""
    return ["series", "centre"] if config.centre.url else ["series"]


def cursors(config: Config) -> list[str]:
    """Return the names of the cursors that the journal must not be pruned beyond."""
    # Where a store that forgets would be sent things from again: gateway.sinks.trail.
    again = [] if config.series.url.startswith("sqlite:") else ["series.again"]
    return [*names(config), *again]


class SinkProcess:
    """The child that runs one sink, watched and started again."""

    def __init__(self, config: Config, name: str) -> None:
        self.name = name
        self._config = config
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._told: dict[str, Any] = {}
        self._starts = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"sink-{name}", daemon=True)

    def start(self) -> None:
        """Start the child, and keep it going."""
        self._thread.start()

    def wake(self) -> None:
        """Tell that there is something new."""
        with self._lock, suppress(OSError, ValueError):
            if self._child and self._child.stdin:
                # A full pipe says that plenty of wakes wait already.
                os.write(self._child.stdin.fileno(), b"w")

    def stop(self) -> None:
        """Ask the child to end after the present batch."""
        self._stopping.set()
        with self._lock, suppress(OSError, ValueError):
            if self._child and self._child.stdin:
                self._child.stdin.close()

    def join(self, timeout_s: float) -> None:
        """Wait until it has ended; kill it if it does not."""
        self._thread.join(timeout_s)
        if self._thread.is_alive() and self._child:
            log.warning("the %s sink does not end; it is killed", self.name)
            self._child.kill()
            self._thread.join(timeout_s)

    def status(self) -> SinkStatus:
        """Return how it gets on, as it said last."""
        child = self._child
        running = child is not None and child.poll() is None
        told = self._told
        return SinkStatus(
            name=self.name,
            running=running,
            behind=told.get("behind", 0),
            rows=told.get("rows", 0),
            errors=told.get("errors", 0),
            refused=told.get("refused", 0),
            restarts=max(0, self._starts - 1),
            fault=told.get("fault", "") if running else "its process has ended",
        )

    def _watch(self) -> None:
        wait_s = _AGAIN_S
        while not self._stopping.is_set():
            self._begin()
            for line in self._lines():
                with suppress(ValueError):
                    self._told = json.loads(line)
                    wait_s = _AGAIN_S
            if not self._stopping.is_set():
                log.error("the %s sink has ended; it starts again in %.0f s", self.name, wait_s)
                self._stopping.wait(wait_s)
                wait_s = min(wait_s * 2, _AGAIN_MAX_S)

    def _begin(self) -> None:
        child = subprocess.Popen(
            [sys.executable, "-m", "gateway.sinks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._starts += 1
        if child.stdin is None:
            return
        with suppress(OSError):
            pickle.dump((self._config, self.name), child.stdin)
            child.stdin.flush()
        os.set_blocking(child.stdin.fileno(), False)
        with self._lock:
            self._child = child
        if self._stopping.is_set():
            self.stop()

    def _lines(self) -> Iterator[bytes]:
        """Yield what the child tells, until it has ended."""
        child = self._child
        if child is None or child.stdout is None or child.stdin is None:
            return
        with child.stdout:
            yield from child.stdout
        child.wait()
        with self._lock, suppress(OSError):
            child.stdin.close()

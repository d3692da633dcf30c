"""For whoever runs the gateway: metrics and health by HTTP, and word to systemd.

    operation = OperationServer(config.operation.listen, service.status, lambda: service.beat_s)
    operation.start()
    operation.stop()

    /metrics    for Prometheus (metrics.py)
    /healthz    200 while the committing thread comes round, else 503: end the process, start it again
    /readyz     200 while everything that comes is taken in; else 503 and a line for each thing that is not

A store that is down does not make a gateway unready: it takes in what comes and keeps it. Under
systemd (Type=notify) the first turn of the committing thread says READY, and every further one keeps
the watchdog quiet.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from gateway.operation.answering import Answer, Answering
from gateway.operation.metrics import Metrics
from gateway.operation.status import Status

log = logging.getLogger(__name__)

HEALTHY_S: Final = (
    30.0  # a commit to a slow card takes seconds; half a minute without one turn is ill
)
_KEPT_S: Final = 0.5  # a look at the gateway serves everybody who asks within this time
_TURN_S: Final = 0.25
_TELL_S: Final = 10.0  # between lines of status for `systemctl status`
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"


class OperationServer:
    """Pages for Prometheus and supervisors, in one thread of its own.

    Args:
        listen: HOST:PORT, or "" for no pages; systemd is told in any case.
        status: how the gateway is; called from this thread, at most twice a second.
        beat_s: when the committing thread last came round, by time.monotonic.
        environ: where NOTIFY_SOCKET and WATCHDOG_USEC stand; default: the process's own.
    """

    def __init__(
        self,
        listen: str,
        status: Callable[[], Status],
        beat_s: Callable[[], float],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._look = status
        self._looked: tuple[float, Status] | None = None
        self._metrics = Metrics(self._status)
        pages = {"/metrics": self._page, "/healthz": self._health, "/readyz": self._readiness}
        self._http = Answering(listen, pages)
        self._systemd = Notifier(environ)
        self._beat_s = beat_s
        self._started_s = time.monotonic()
        self._told_s = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operation", daemon=True)

    @property
    def port(self) -> int:
        """The port of the pages, or 0 while there are none."""
        return self._http.port

    def start(self) -> None:
        """Open the pages and begin to answer."""
        self._started_s = time.monotonic()
        self._http.open()
        self._thread.start()

    def stop(self) -> None:
        """Tell systemd that this is the end, and close the pages."""
        self._systemd.send("STOPPING=1")
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(2 * _TURN_S)

    def _run(self) -> None:
        ready = False
        while not self._stopping.is_set():
            try:
                self._http.turn(_TURN_S)
                if not ready and self._beat_s() > self._started_s:
                    ready = True
                    self._systemd.send("READY=1")
                self._tell(ready=ready)
            except Exception:
                log.exception("metrics and health checks failed for a moment")
                self._stopping.wait(_TURN_S)
        self._http.close()

    def _tell(self, *, ready: bool) -> None:
        """Keep systemd's watchdog quiet while the gateway lives, and say how it is."""
        if not self._systemd.listens:
            return
        now_s = time.monotonic()
        if ready and self._age_s() < HEALTHY_S:
            self._systemd.watchdog(now_s)
        if now_s - self._told_s > _TELL_S:
            self._told_s = now_s
            status = self._status()
            faults = unready(status) + troubles(status)
            self._systemd.send("STATUS=" + "; ".join(faults or [summary(status)])[:500])

    def _status(self) -> Status:
        now_s = time.monotonic()
        if self._looked is None or now_s - self._looked[0] > _KEPT_S:
            self._looked = now_s, self._look()
        return self._looked[1]

    def _age_s(self) -> float:
        return time.monotonic() - max(self._beat_s(), self._started_s)

    def _page(self) -> Answer:
        return Answer(200, self._metrics.page(), _METRICS)

    def _health(self) -> Answer:
        age_s = self._age_s()
        if age_s < HEALTHY_S:
            return Answer(200, b"ok\n")
        return Answer(
            503, f"the committing thread has not come round for {age_s:.0f} s\n".encode()
        )

    def _readiness(self) -> Answer:
        health = self._health()
        if health.code != 200:
            return health
        status = self._status()
        faults = unready(status)
        notes = [f"note: {line}" for line in troubles(status)]
        lines = [f"not ready: {line}" for line in faults] if faults else ["ready"]
        return Answer(503 if faults else 200, "\n".join([*lines, *notes, ""]).encode())


def unready(status: Status) -> list[str]:
    """Return what keeps the gateway from taking everything in; nothing while it is ready."""
    lines = [f"{name}: {fault}" for name, fault in status.inputs.items() if fault]
    if status.journal_fault:
        lines.append(f"journal: {status.journal_fault}; nothing is acknowledged")
    lines += [
        f"{sink.name}: its process does not run" + (f": {sink.fault}" if sink.fault else "")
        for sink in status.sinks
        if not sink.running
    ]
    return lines


def troubles(status: Status) -> list[str]:
    """Return what is amiss on the way out: records are kept, and wait."""
    return [
        f"{sink.name}: {sink.fault}; {sink.behind} rows wait"
        for sink in status.sinks
        if sink.running and sink.fault
    ]


def summary(status: Status) -> str:
    """Return one line for `systemctl status` while all is well."""
    behind = "".join(f", {sink.name} {sink.behind} behind" for sink in status.sinks)
    return f"{status.counters.get('records', 0)} records{behind}"


class Notifier:
    """Word to the service manager: datagrams as sd_notify(3) sends them; silent where there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds = environ.get("WATCHDOG_USEC", "")
        self._every_s = int(microseconds) / 3e6 if microseconds.isdecimal() else 0.0
        self._last_s = 0.0

    @property
    def listens(self) -> bool:
        """Whether there is a service manager to tell."""
        return bool(self._address)

    def watchdog(self, now_s: float) -> None:
        """Say that all is well, three times in a watchdog's time."""
        if self._every_s and now_s - self._last_s >= self._every_s:
            self._last_s = now_s
            self.send("WATCHDOG=1")

    def send(self, state: str) -> None:
        """Send one assignment, as READY=1."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
                s.settimeout(1.0)
                s.sendto(state.replace("\n", " ").encode(), self._address)
        except OSError as error:
            log.warning("systemd does not listen: %s", error.strerror or error)

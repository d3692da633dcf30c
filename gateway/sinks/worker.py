"""The child of gateway.sinks.process: runs one sink until it is told to end."""

import json
import logging
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Final

from gateway.config import Config
from gateway.journal.journal import JournalError
from gateway.operation import heap, logs
from gateway.sinks.sink import Sink

log = logging.getLogger(__name__)

_TELL_S: Final = 1.0


def make(config: Config, name: str) -> Sink:
    """Return a sink, ready to run; each brings libraries that the others need not load."""
    if name == "centre":
        from gateway.sinks.centre import CentreSink

        return CentreSink(config.centre, config.name, config.data)
    if config.series.url.startswith("sqlite:"):
        from gateway.sinks.sqlite import SQLiteSink

        return SQLiteSink(config.series, config.data)
    from gateway.sinks.influx import InfluxSink

    return InfluxSink(config.series, config.data)


def serve(orders: IO[bytes], tell: Callable[[str], None]) -> None:
    """Be the child: run the sink that `orders` name, until they end."""
    config, name = pickle.load(orders)  # noqa: S301  (from the gateway that started us)
    logs.set_up(config.operation.log)
    wake, stopping = threading.Event(), threading.Event()

    def listen() -> None:
        while orders.read1(4096):  # type: ignore[attr-defined]
            wake.set()
        stopping.set()
        wake.set()

    threading.Thread(target=listen, daemon=True).start()
    sink = make(config, name)

    def report() -> None:
        while not stopping.wait(_TELL_S):
            tell(_numbers(sink))

    threading.Thread(target=report, daemon=True).start()
    heap.settle()
    sink.run(wake, stopping)


def _numbers(sink: Sink) -> str:
    return json.dumps(
        {
            "rows": sink.rows,
            "errors": sink.errors,
            "refused": sink.refused,
            "behind": sink.behind,
            "fault": sink.fault,
        }
    )


def _main() -> int:
    # The gateway says when to end; a Ctrl-C at its terminal reaches us too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Its own lines only: what a library prints must not stand between them.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(line: str) -> None:
        with suppress(OSError):
            out.write(line + "\n")
            out.flush()

    try:
        serve(sys.stdin.buffer, tell)
    except JournalError as error:
        log.error("%s", error)  # noqa: TRY400  (one line says it)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())

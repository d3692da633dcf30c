"""How the gateway's processes log: text or JSON lines, and never so much that a disk fills.

    logs.set_up("json")         in each process, once, first of all

A store that is down for a week says so every few seconds. The same text over and over is therefore
written once in QUIET_S, and different texts of one kind KIND_MAX times in it; what was left out is
counted, and the count is written when the time is over.
"""

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any, Final, TextIO

QUIET_S: Final = 60.0
KIND_MAX: Final = 30  # texts from one line of the program in QUIET_S
TEXT_MAX: Final = 4000  # characters of one message
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Line breaks and the like in what a device or a server said would forge lines of their own.
_CONTROLS: Final = {n: f"\\x{n:02x}" for n in (*range(32), 127)} | {10: "\\n", 13: "\\r", 9: "\t"}


def set_up(how: str = "text", level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Log everything of this process to `stream` (default: standard error), as "text" or "json"."""
    handler = BoundedHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JSONFormatter() if how == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


class TextFormatter(logging.Formatter):
    """`2026-11-22 12:00:00,123 WARNING gateway.sinks.series: …`, one line each, tracebacks below."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Return the line, with nothing in it that would break it."""
        record.message = clean(record.message)
        return super().formatMessage(record)


class JSONFormatter(logging.Formatter):
    """One object a line: ts (RFC 3339, ms, UTC), level, logger, message, what `extra` gave."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            name: value for name, value in vars(record).items() if name not in _STANDARD
        }
        line |= {
            "ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _short(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class BoundedHandler(logging.StreamHandler[TextIO]):
    """Writes a text once, then counts it for a while. logging calls it under its lock.

    A text counts as the same while its logger says nothing else: what comes and goes is written each
    time. A kind is what one line of the program says, so their number has a bound.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._kinds: dict[tuple[str, int], _Seen] = {}  # in the order of first sight
        self._last: dict[str, _Seen] = {}  # of each logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it."""
        now_s = time.monotonic()
        self._tell_counts(now_s)
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  (a wrong call of logging: it says so itself)
            self.handleError(record)
            return
        last = self._last.get(record.name)
        if last is not None and last.text == text and record.levelno >= logging.WARNING:
            last.left_out += 1
            return
        kind = self._kinds.setdefault(
            (record.pathname, record.lineno), _Seen(record, text, now_s + QUIET_S)
        )
        if kind.times >= KIND_MAX:
            kind.left_out += 1
            return
        kind.times += 1
        if last is not None:
            self._tell(last)
        self._last[record.name] = _Seen(record, text, now_s + QUIET_S)
        super().emit(record)

    def close(self) -> None:
        """Write the counts that are open."""
        self._tell_counts(float("inf"))
        super().close()

    def _tell_counts(self, now_s: float) -> None:
        """Forget what is over, and say how much of it was left out."""
        for name, seen in list(self._last.items()):
            if seen.until_s <= now_s:
                del self._last[name]
                self._tell(seen)
        while self._kinds:
            key, seen = next(iter(self._kinds.items()))
            if seen.until_s > now_s:
                return
            del self._kinds[key]
            self._tell(seen)

    def _tell(self, seen: "_Seen") -> None:
        if seen.left_out:
            super().emit(seen.told())


class _Seen:
    """A text, or a kind of text, that was written lately."""

    def __init__(self, first: logging.LogRecord, text: str, until_s: float) -> None:
        self.text = text
        self.until_s = until_s
        self.times = 0
        self.left_out = 0
        self._first = first

    def told(self) -> logging.LogRecord:
        """Return a record that says what was left out."""
        first = self._first
        return logging.makeLogRecord({
            "name": first.name,
            "levelno": first.levelno,
            "levelname": first.levelname,
            "msg": "%s (and %d more like it)",
            "args": (self.text, self.left_out),
            "left_out": self.left_out,
        })  # fmt: skip


def clean(text: str) -> str:
    """Return a text as one line of at most TEXT_MAX characters."""
    return _short(text).translate(_CONTROLS)


def _short(text: str) -> str:
    return text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "…"

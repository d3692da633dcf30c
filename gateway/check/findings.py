"""What a check finds: good, doubtful or bad, with what to do about it."""

from typing import Final, NamedTuple

OK: Final = "ok"
WARNING: Final = "warning"
ERROR: Final = "error"


class Finding(NamedTuple):
    """One thing that was looked at. `action` says what to do, empty where `what` does already."""

    level: str
    what: str
    action: str = ""


def ok(what: str) -> Finding:
    """Return what is as it should be."""
    return Finding(OK, what)


def warning(what: str, action: str) -> Finding:
    """Return what works, and may not tomorrow."""
    return Finding(WARNING, what, action)


def error(what: str, action: str) -> Finding:
    """Return what keeps the gateway from its work, or costs data."""
    return Finding(ERROR, what, action)

"""Asks devices for what is missing.

    gaps = Gaps()
    gaps.note(account, now_ms)                after each commit, for accounts that were added to
    for device, boot, first, last in gaps.due(now_ms): …send WANT…

A device sends what is not acknowledged again by itself, later and later. What has been missing for a
while, of a device that is there, is asked for: the device sends it at once, or tells that it is gone
(docs/wire.md, `dn/cmd`).
"""

import time
from dataclasses import dataclass
from typing import Final

from agent.wire import body, messages
from gateway.journal.journal import Account
from gateway.journal.reading import missing

PATIENCE_MS: Final = 120_000  # a device's own repetition takes 30 s, and twice that
AGAIN_MS: Final = 3_600_000
TRIES_MAX: Final = 5
BOOTS_MAX: Final = 20_000  # boots with gaps that are watched
PASS_MAX: Final = 200  # questions in one pass
BUDGET_S: Final = 0.05  # of a pass: commits wait for it; the rest has its turn in the next
RANGES_MAX: Final = 4  # of one boot in one pass: a device answers no more in a minute


@dataclass(slots=True)
class _Open:
    """A boot with gaps; `asked` is how many were open at the last question, `tries` since it fell."""

    account: Account
    missing: int
    next_ms: int
    asked: int = -1
    tries: int = 0


class Gaps:
    """The boots of which something is missing. Used by the one thread that writes the journal."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], _Open] = {}

    def note(self, account: Account, now_ms: int) -> None:
        """Watch a boot of which something is missing; more of it begins anew."""
        key = (account.device, account.boot)
        if account.seen.whole:
            self._open.pop(key, None)
            return
        gap = self._open.get(key)
        now_missing = account.seen.missing()
        if gap is None or now_missing > gap.missing:
            if gap is not None or len(self._open) < BOOTS_MAX:
                self._open[key] = _Open(account, now_missing, now_ms + PATIENCE_MS)
        else:
            gap.account, gap.missing = account, now_missing

    def due(self, now_ms: int) -> list[tuple[str, int, int, int]]:
        """Return what to ask for now, as (device, boot, first, last)."""
        out: list[tuple[str, int, int, int]] = []
        until_s = time.monotonic() + BUDGET_S
        for key, gap in self._open.items():
            if gap.next_ms > now_ms or gap.tries >= TRIES_MAX:
                continue
            account = gap.account
            if now_ms - account.heard.get(body.LINK_MQTT, 0) >= AGAIN_MS:
                continue
            explained, gaps = missing(account.seen, account.told)
            still = gap.missing - explained
            gap.tries = gap.tries + 1 if still == gap.asked else 0
            gap.asked = still
            gap.next_ms = now_ms + AGAIN_MS
            parts = _parts(gaps)
            # What was asked in vain comes last.
            at = gap.tries * RANGES_MAX % len(parts) if parts else 0
            out += [(*key, *part) for part in (parts[at:] + parts[:at])[:RANGES_MAX]]
            if len(out) >= PASS_MAX or time.monotonic() > until_s:
                break
        return out


def _parts(gaps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return gaps in pieces that one question may name, as many as can matter."""
    out: list[tuple[int, int]] = []
    for first, last in gaps[:PASS_MAX]:
        for low in range(first, last + 1, messages.WANT_MAX):
            out.append((low, min(last, low + messages.WANT_MAX - 1)))
            if len(out) >= PASS_MAX:
                return out
    return out

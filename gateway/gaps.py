"""Asks devices for what is missing.

    gaps = Gaps()
    gaps.note(account, now_ms)                after each commit, for accounts that were added to
    for device, boot, first, last in gaps.due(now_ms): …send WANT…

A device sends what is not acknowledged again by itself, later and later. What has been missing for a
while, of a device that is there, is asked for: the device sends it at once, or tells that it is gone
(docs/wire.md, `dn/cmd`).
"""

from dataclasses import dataclass
from typing import Final

from agent.wire import body, messages
from gateway.journal import Account
from gateway.reading import missing

PATIENCE_MS: Final = 120_000  # a device's own repetition takes 30 s, and twice that
AGAIN_MS: Final = 3_600_000
TRIES_MAX: Final = 5
BOOTS_MAX: Final = 20_000  # boots with gaps that are watched
PASS_MAX: Final = 200  # questions in one pass


@dataclass(slots=True)
class _Open:
    account: Account
    missing: int
    next_ms: int
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
        """Return what to ask for now: (device, boot, first, last), one range of a boot at most."""
        out: list[tuple[str, int, int, int]] = []
        for key, gap in self._open.items():
            if gap.next_ms > now_ms or gap.tries >= TRIES_MAX:
                continue
            account = gap.account
            if now_ms - account.heard.get(body.LINK_MQTT, 0) >= AGAIN_MS:
                continue
            _, gaps = missing(account.seen, account.told)
            if gaps:
                first, last = gaps[gap.tries % len(gaps)]
                out.append((*key, first, min(last, first + messages.WANT_MAX - 1)))
            gap.tries += 1
            gap.next_ms = now_ms + AGAIN_MS
            if len(out) >= PASS_MAX:
                break
        return out

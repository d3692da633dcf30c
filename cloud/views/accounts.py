"""What came of a device and what did not: the accounts of its gateways, put together.

Two gateways may share one start of a device, because one took over from the other. What the one never
saw the other may have: a record is missing where it is missing at every gateway.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection

from agent.wire import words
from agent.wire.body import LINKS
from agent.wire.body import Account as Told
from cloud import times
from cloud.store import accounts
from cloud.views.models import Account, BootCount, Gap, Heard

GAPS_MAX: Final = 8  # of a device; the newest start's first, because those can still be filled

_SOURCES: Final = words.FIELDS["clock.source"]
_Range = tuple[int, int]


def account(connection: Connection, device: str) -> Account | None:
    """Return what came of a device's last starts; None if no gateway says."""
    boots = by_boot(connection, device)
    if not boots:
        return None
    newest = boots[0]
    return Account(
        starts=len(boots),
        first=min(boot.first for boot in boots),
        last=max(boot.last for boot in boots),
        records=sum(boot.records for boot in boots),
        duplicates=sum(boot.duplicates for boot in boots),
        conflicts=sum(boot.conflicts for boot in boots),
        missing=sum(boot.missing for boot in boots),
        filled=sum(boot.filled for boot in boots),
        told=sum(boot.told for boot in boots),
        source=newest.source,
        uncertainty_ms=newest.uncertainty_ms,
        links=_latest(heard for boot in boots for heard in boot.links),
        gaps=[gap for boot in boots for gap in boot.gaps][:GAPS_MAX],
    )


def flaws(
    connection: Connection, devices: Iterable[str] | None = None
) -> dict[str, tuple[int, int]]:
    """Return how many records are missing and how many conflict, of those devices where any do."""
    out: dict[str, tuple[int, int]] = {}
    for (device, _), pairs in accounts.flawed(connection, devices).items():
        boot = _boot(pairs)
        missing, conflicts = out.get(device, (0, 0))
        if boot.missing or boot.conflicts:
            out[device] = (missing + boot.missing, conflicts + boot.conflicts)
    return out


def by_boot(connection: Connection, device: str) -> list[BootCount]:
    """Return the same of each start, the newest first."""
    told: dict[int, list[tuple[str, Told]]] = {}
    for gateway, one in accounts.of(connection, device):
        told.setdefault(one.boot, []).append((gateway, one))
    boots = [_boot(pairs) for pairs in told.values()]
    return sorted(boots, key=lambda boot: (boot.first, boot.boot), reverse=True)


def _boot(pairs: list[tuple[str, Told]]) -> BootCount:
    told = [one for _, one in pairs]
    highest = max(one.highest for one in told)
    missing, gaps = _missing(told, highest)
    records, lost = told[0].records, told[0].told
    if len(told) > 1:
        # What came to two gateways is one record; what was told to one may have come to another.
        records = min(sum(one.records for one in told), highest + 1 - missing)
        lost = highest + 1 - missing - records
    clocks = [one for one in told if one.source is not None]
    clock = max(clocks, key=lambda one: one.last_ms, default=told[0])
    return BootCount(
        boot=told[0].boot,
        highest=highest,
        gateways=sorted(gateway for gateway, _ in pairs),
        first=times.moment_of_ms(min(one.first_ms for one in told)),
        last=times.moment_of_ms(max(one.last_ms for one in told)),
        records=records,
        duplicates=sum(one.duplicates for one in told),
        conflicts=sum(one.conflicts for one in told),
        missing=missing,
        filled=sum(one.filled for one in told),
        told=lost,
        source=None if clock.source is None else _SOURCES.get(clock.source, str(clock.source)),
        uncertainty_ms=clock.uncertainty_ms,
        links=_latest(
            Heard(link=LINKS.get(link, str(link)), last=times.moment_of_ms(ms))
            for one in told
            for link, ms in one.links
        ),
        gaps=[Gap(boot=told[0].boot, first=first, last=last) for first, last in gaps],
    )


def _missing(told: Sequence[Told], highest: int) -> tuple[int, list[_Range]]:
    """Return how many records are missing at every gateway, and ranges of them."""
    if len(told) == 1:
        return told[0].missing, list(told[0].gaps)
    open_: list[_Range] = [(0, highest)]
    bound = highest + 1
    whole = True
    for one in told:
        bound = min(bound, one.missing + highest - one.highest)
        if sum(last - first + 1 for first, last in one.gaps) == one.missing:
            open_ = _both(open_, [*one.gaps, (one.highest + 1, highest)])
        else:
            whole = False
    return sum(
        last - first + 1 for first, last in open_
    ) if whole else bound, open_ if whole else []


def _both(one: Iterable[_Range], other: Sequence[_Range]) -> list[_Range]:
    """Return what lies in both."""
    shared = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return sorted((first, last) for first, last in shared if first <= last)


def _latest(heard: Iterable[Heard]) -> list[Heard]:
    """Return the latest of each link, the latest first."""
    newest: dict[str, Heard] = {}
    for one in heard:
        if one.link not in newest or one.last > newest[one.link].last:
            newest[one.link] = one
    return sorted(newest.values(), key=lambda one: one.last, reverse=True)

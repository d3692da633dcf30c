"""What gateways count of each device and start: the newest account of each, of the last starts.

An account says how things stand, so the newest replaces the others. Which is newer is told by what it
counts and not by a clock that may be set back: within one count nothing ever falls. A gateway that lost
its journal counts anew, which shows in a later `first_ms`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select

from agent.wire.body import Account
from cloud.store import database
from cloud.store.tables import accounts

BOOTS_MAX: Final = 20  # starts of one device that are kept: those heard of last

_Key = tuple[str, int]
_Row = dict[str, Any]


def fold(connection: Connection, gateway: str, told: Sequence[Account]) -> set[str]:
    """Take a gateway's accounts in; return the devices of which something is newer."""
    known = _known(connection, gateway, {account.device for account in told})
    changed: dict[_Key, _Row] = {}
    begun: set[str] = set()
    for account in told:
        key = (account.device, account.boot)
        row = _row(gateway, account)
        before = known.get(key)
        if before is None:
            begun.add(account.device)
        elif row == before or _order(row) < _order(before):
            continue
        known[key] = changed[key] = row
    database.upsert(connection, accounts, list(changed.values()))
    for device in begun:
        _forget(connection, device)
    return {device for device, _ in changed}


def of(connection: Connection, device: str) -> list[tuple[str, Account]]:
    """Return what is kept of a device, as (gateway, account): one of each gateway and start."""
    rows = connection.execute(select(accounts).where(accounts.c.device == device)).mappings()
    return [(row["gateway"], _account(row)) for row in rows]


def flawed(
    connection: Connection, devices: Iterable[str] | None
) -> dict[tuple[str, int], list[tuple[str, Account]]]:
    """Return the same, by (device, start), of those starts where something is missing or conflicts.

    Of some devices, or of all of them.
    """
    wrong = (accounts.c.missing > 0) | (accounts.c.conflicts > 0)
    out: dict[tuple[str, int], list[tuple[str, Account]]] = {}
    for some in [None] if devices is None else database.chunks(sorted(devices)):
        starts = select(accounts.c.device, accounts.c.boot).where(wrong).distinct()
        if some is not None:
            starts = starts.where(accounts.c.device.in_(some))
        these = starts.subquery()
        same = (accounts.c.device == these.c.device) & (accounts.c.boot == these.c.boot)
        for row in connection.execute(select(accounts).join(these, same)).mappings():
            out.setdefault((row["device"], row["boot"]), []).append(
                (row["gateway"], _account(row))
            )
    return out


def _account(row: Any) -> Account:
    return Account(*(row[name] for name in Account._fields))


def _row(gateway: str, account: Account) -> _Row:
    links, gaps = ([list(pair) for pair in pairs] for pairs in (account.links, account.gaps))
    return {"gateway": gateway, **account._asdict(), "links": links, "gaps": gaps}


def _known(connection: Connection, gateway: str, devices: set[str]) -> dict[_Key, _Row]:
    """Return what is kept of some devices, by (device, boot)."""
    out = {}
    for some in database.chunks(sorted(devices)):
        here = (accounts.c.gateway == gateway) & accounts.c.device.in_(some)
        for row in connection.execute(select(accounts).where(here)).mappings():
            out[row["device"], row["boot"]] = dict(row)
    return out


def _order(account: _Row) -> tuple[int, ...]:
    """Return what newer means; `missing` and `filled` follow from the others."""
    again = account["duplicates"] + account["conflicts"]
    return account["first_ms"], account["records"], account["told"], again, account["last_ms"]


def _forget(connection: Connection, device: str) -> None:
    """Delete the starts of a device beyond the last ones."""
    query = (
        select(accounts.c.boot)
        .where(accounts.c.device == device)
        .group_by(accounts.c.boot)
        .order_by(func.max(accounts.c.last_ms).desc(), accounts.c.boot.desc())
        .offset(BOOTS_MAX)
    )
    old = list(connection.scalars(query))
    for some in database.chunks(old):
        here = (accounts.c.device == device) & accounts.c.boot.in_(some)
        connection.execute(delete(accounts).where(here))

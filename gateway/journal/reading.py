"""Reads a gateway's journal: sinks follow it, people look into it. Never writes.

reader = JournalReader(folder / "journal.sqlite")
rows = reader.records(after=0, limit=1000)
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

from agent.wire import body
from gateway.journal import journal
from gateway.journal.deadletters import DeadLetters
from gateway.journal.journal import JournalError
from gateway.journal.ranges import Ranges

_BOOTS_MAX: Final = 100_000  # remembered by a reader


class Row(NamedTuple):
    """A record on its way to a sink.

    `time` is in seconds since 2020, null when it will never be known; `flawed`: some of its values
    are outside their fields' ranges and count as not measured.
    """

    id: int
    device: str
    boot: int
    seq: int
    schema: int
    time: int | None
    dated: int
    link: int
    received_ms: int
    raw: bytes
    flawed: bool


# Row(*values) in half the time: a sink reads every record there is.
_row: Final = partial(tuple.__new__, Row)


class JournalReader:
    """A reading side of its own, for one thread; works beside the writer and in other processes.

    Raises:
        JournalError: at construction, when there is no journal.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise JournalError(f"{path}: there is no journal here")
        self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
        self.dead_letters = DeadLetters(self._db)
        self._boots: dict[int, tuple[str, int]] = {}

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def check(self) -> str:
        """Read the whole file; return what is wrong with it, nothing if it is whole."""
        return journal.check(self._db)

    def records(self, after: int, limit: int) -> list[Row]:
        """Return records behind a cursor, in the order of commitment."""
        return self._rows("WHERE id > ? AND held = 0 ORDER BY id LIMIT ?", (after, limit))

    def releases(self, after: int, limit: int) -> tuple[int, list[Row]]:
        """Return (the new cursor, records released behind the old one)."""
        found = self._db.execute(
            "SELECT id, record FROM releases WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        ).fetchall()
        rows: list[Row] = []
        for _, record in found:
            rows += self._rows("WHERE id = ?", (record,))
        return (found[-1][0] if found else after), rows

    def newest(self, device: str, boot: int | None, limit: int) -> list[Row]:
        """Return the latest records, newest first, of one device and start if they are given."""
        sights = [
            sight
            for (sight,) in self._db.execute(
                "SELECT sight FROM boots WHERE (?1 = '' OR device = ?1)"
                " AND (?2 IS NULL OR boot = ?2) ORDER BY sight DESC",
                (device, boot),
            )
        ]
        if not device and boot is None:
            return self._rows("ORDER BY id DESC LIMIT ?", (limit,))
        rows: list[Row] = []
        for sight in sights:
            rows += self._rows(
                "WHERE sight = ? ORDER BY id DESC LIMIT ?", (sight, limit - len(rows))
            )
        return rows

    def ends(self) -> tuple[int, int]:
        """Return the cursors (records, releases) that leave nothing before them."""
        records, releases = self._db.execute(
            "SELECT (SELECT coalesce(max(id), 0) FROM records),"
            " (SELECT coalesce(max(id), 0) FROM releases)"
        ).fetchone()
        return records, releases

    def counters(self) -> dict[str, int]:
        """Return every counter, and how many rows wait."""
        return journal.counters(self._db)

    def states(self) -> list[tuple[str, int, int, int, int]]:
        """Return (device, boot, connection, up, at_ms) of every device."""
        return self._db.execute(
            "SELECT device, boot, connection, up, at_ms FROM states"
        ).fetchall()

    def conflicts(self, limit: int) -> list[tuple[str, int, int, int, int, bytes, bytes | None]]:
        """Return the latest (device, boot, seq, link, received_ms, raw, the bytes that came first)."""
        return self._db.execute(
            "SELECT c.device, c.boot, c.seq, c.link, c.received_ms, c.raw, r.raw FROM conflicts c"
            " LEFT JOIN boots b ON b.device = c.device AND b.boot = c.boot"
            " LEFT JOIN records r ON r.sight = b.sight AND r.seq = c.seq ORDER BY c.id DESC LIMIT ?",
            (limit,),
        ).fetchall()

    def accounts(self, device: str = "") -> list[body.Account]:
        """Return every start's account, of one device if it is given, in the order of sight."""
        return [
            account
            for _, account in self._accounts(
                "WHERE ?1 = '' OR device = ?1 ORDER BY sight", (device,)
            )
        ]

    def accounts_since(self, saved: int, limit: int) -> tuple[int, list[body.Account]]:
        """Return (the new cursor, accounts that were saved behind the old one)."""
        found = self._accounts("WHERE saved > ? ORDER BY saved LIMIT ?", (saved, limit))
        return (found[-1][0] if found else saved), [account for _, account in found]

    def _accounts(self, tail: str, keys: tuple[object, ...]) -> list[tuple[int, body.Account]]:
        rows = self._db.execute(
            # This module's own texts; every value is bound.
            "SELECT saved, sight, device, boot, first_ms, last_ms, duplicates, conflicts,"  # noqa: S608
            f" filled, source, uncertainty_ms FROM boots {tail}",
            keys,
        ).fetchall()
        return [(row[0], self._account(*row[1:])) for row in rows]

    def _account(
        self,
        sight: int,
        device: str,
        boot: int,
        first_ms: int,
        last_ms: int,
        duplicates: int,
        conflicts: int,
        filled: int,
        source: int | None,
        uncertainty_ms: int | None,
    ) -> body.Account:
        seen = Ranges(self._db.execute("SELECT first, last FROM ranges WHERE sight = ?", (sight,)))
        told = self._db.execute("SELECT first, last, lost FROM told WHERE sight = ?", (sight,))
        lost, gaps = missing(seen, told)
        links = self._db.execute("SELECT link, at_ms FROM heard WHERE sight = ?", (sight,))
        return body.Account(
            device=device,
            boot=boot,
            sight=sight,
            first_ms=first_ms,
            last_ms=last_ms,
            records=len(seen),
            duplicates=duplicates,
            conflicts=conflicts,
            highest=max(seen.highest, 0),
            missing=seen.missing() - lost,
            filled=filled,
            told=lost,
            source=source,
            uncertainty_ms=uncertainty_ms,
            links=links.fetchall(),
            gaps=gaps[: body.GAPS_MAX],
        )

    def _rows(self, tail: str, keys: tuple[object, ...]) -> list[Row]:
        out = []
        boots = self._boots
        for id_, sight, seq, time, dated, link, received_ms, raw, flawed in self._db.execute(
            "SELECT id, sight, seq, time, dated, link, received_ms, raw, flawed"  # noqa: S608
            f" FROM records {tail}",
            keys,
        ):
            device, boot = boots.get(sight) or self._boot(sight)
            kind = raw[1] if raw[0] != 0x98 and raw[1] < 24 else _schema(raw)
            row = id_, device, boot, seq, kind, time, dated, link, received_ms, raw, flawed != 0
            out.append(_row(row))
        return out

    def _boot(self, sight: int) -> tuple[str, int]:
        if len(self._boots) >= _BOOTS_MAX:
            self._boots.clear()
        device, boot = self._db.execute(
            "SELECT device, boot FROM boots WHERE sight = ?", (sight,)
        ).fetchone()
        self._boots[sight] = (device, boot)
        return device, boot


def _schema(raw: bytes) -> int:
    """Return a record's schema: the first item of its array, in its one encoding."""
    at = 2 if raw[0] == 0x98 else 1
    first = raw[at]
    if first < 24:
        return first
    size = 1 << (first - 24)
    return int.from_bytes(raw[at + 1 : at + 1 + size], "big")


def missing(
    seen: Ranges, told: Iterable[tuple[int, int, int]]
) -> tuple[int, list[tuple[int, int]]]:
    """Return (how many absent numbers are known to be lost, the gaps that nobody has explained).

    `told` holds (first, last, lost). Where all of a range is lost, its numbers are; where only some
    of it is, as many of its absent ones. One sweep: a device that sends rubbish has thousands of both.
    """
    ordered = sorted(told)
    whole = _joined((first, last) for first, last, lost in ordered if lost > last - first)
    explained = n = 0
    left: list[tuple[int, int]] = []
    for first, last in seen.gaps():
        while n < len(whole) and whole[n][1] < first:
            n += 1
        at, k = first, n
        while k < len(whole) and whole[k][0] <= last:
            low, high = whole[k]
            if at < low:
                left.append((at, low - 1))
            explained += min(high, last) - max(low, at) + 1
            at = high + 1
            k += 1
        if at <= last:
            left.append((at, last))
    starts = [first for first, _ in left]
    ends = [last for _, last in left]
    sums = [0, *accumulate(last - first + 1 for first, last in left)]
    for low, high, lost in ordered:
        if lost > high - low:
            continue
        i, j = bisect_left(ends, low), bisect_right(starts, high)
        if i < j:
            absent = sums[j] - sums[i] - max(0, low - starts[i]) - max(0, ends[j - 1] - high)
            explained += min(lost, absent)
    total = seen.missing()
    return min(explained, total), (left if explained < total else [])


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges in rising order, those that touch put together."""
    out: list[tuple[int, int]] = []
    for first, last in ranges:
        if out and first <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], last))
        else:
            out.append((first, last))
    return out

"""Decides what each message is: new records, duplicates, conflicts, dead letters.

    acceptor = Acceptor(journal)
    outcome = acceptor.commit(messages)      one transaction
    outcome.acks                             what every device may now forget

What may be acknowledged is exactly what is committed, plus what would never be: duplicates, conflicts
and refused records whose identity can be read (DESIGN §2).
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from agent.errors import RemoteError
from agent.wire import body, decode, messages, schema
from gateway.access.revocation import REASON, nobody
from gateway.journal import journal as j
from gateway.journal.accounts import Accounts
from gateway.journal.deadletters import Letter
from gateway.journal.ranges import spans

_DRAWN: Final = 1 << 29  # boot numbers from here on were drawn by a device that lost its own


class Message(NamedTuple):
    """One message as it came in; `fault` is why its input refuses it already: (reason, detail)."""

    topic: str
    payload: bytes
    link: int
    received_ms: int
    fault: tuple[str, str] | None = None


class RefusedError(Exception):
    """A message outside the contract; it becomes a dead letter."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Outcome:
    """What a commit did: per device the ranges (boot, first, last) to acknowledge, and more.

    `beidou` are those of `acks` that came by short message, and are acknowledged by one, too.
    """

    acks: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    beidou: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    fresh: list[tuple[str, int, int]] = field(default_factory=list)  # device, ask, boot number
    answers: list[tuple[str, tuple[int | bytes, ...]]] = field(default_factory=list)  # to commands
    updates: list[tuple[str, tuple[int, int, bytes]]] = field(default_factory=list)  # how far
    touched: set[j.Account] = field(default_factory=set)  # that were added to
    counts: Counter[str] = field(default_factory=Counter)


@lru_cache(maxsize=100_000)
def parse_topic(topic: str) -> tuple[str, str]:
    """Return (device, kind) of an `up` topic.

    Raises:
        RefusedError: it is not one, or its shard is not its device's.
    """
    parts = topic.split("/")
    if len(parts) != 6 or parts[:2] != ["fw", "1"] or parts[4] != "up":
        raise RefusedError("topic", "not fw/1/{shard}/{device}/up/{kind}")
    device = parts[3]
    if not messages.valid_device(device) or parts[2] != messages.shard(device):
        raise RefusedError("topic", f"{device!r} is no device of shard {parts[2]!r}")
    return device, parts[5]


class Acceptor:
    """Turns messages into journal rows. Used by the one thread that writes the journal.

    What comes from a device that is `revoked` is kept apart, as dead letters, and nothing answers it.
    """

    def __init__(self, journal: j.Journal, revoked: Callable[[str], bool] = nobody) -> None:
        self._journal = journal
        self._revoked = revoked
        self.accounts = Accounts(journal)

    def commit(self, batch: Iterable[Message], replayed: Iterable[int] = ()) -> Outcome:
        """Commit a batch in one transaction; `replayed` dead letters, which it holds again, go.

        Raises:
            sqlite3.OperationalError: nothing of it was committed; it may be tried again.
        """
        work = _Batch(self._journal, self.accounts, self._revoked)
        try:
            with self._journal.transaction():
                self._journal.mark(j.now_ms())
                self._journal.dead_letters.remove(replayed)
                for message in batch:
                    work.take(message)
                work.write()
        except BaseException:
            # What memory says of these boots may be ahead of the file now.
            self.accounts.forget()
            raise
        return work.outcome

    def release_known_schemas(self) -> int:
        """Release rows that an older version of this program held for their schema."""
        with self._journal.transaction():
            return self._journal.release_schemas(len(schema.SCHEMAS) - 1)

    def give_up_dating(self, before_ms: int) -> int:
        """Release what still has no date and was received before a time."""
        with self._journal.transaction():
            return self._journal.give_up_dating(before_ms)

    def count(self, changes: dict[str, int]) -> None:
        """Add to the journal's counters what an input has counted, and save the accounts."""
        with self._journal.transaction():
            self._journal.count(changes)
            self.accounts.save()

    def prune(self, before_ms: int, passed: tuple[int, int], limit: int) -> int:
        """Delete up to `limit` old records that every sink has passed; return how many."""
        with self._journal.transaction():
            return self._journal.prune(before_ms, passed, limit)


class _Batch:
    """One batch on its way into the journal."""

    def __init__(
        self, journal: j.Journal, accounts: Accounts, revoked: Callable[[str], bool]
    ) -> None:
        self.outcome = Outcome()
        self._journal = journal
        self._accounts = accounts
        self._revoked = revoked
        self._rows: list[tuple[object, ...]] = []
        self._written = 0  # rows that are no longer in `_rows`
        self._dead: list[Letter] = []
        self._to_ack: dict[tuple[str, int], list[int]] = {}
        self._to_ack_beidou: dict[tuple[str, int], list[int]] = {}
        self._to_date: dict[j.Account, int] = {}

    def take(self, message: Message) -> None:
        """Sort one message."""
        self.outcome.counts["messages"] += 1
        device = kind = ""
        try:
            if message.fault is not None:
                raise RefusedError(*message.fault)
            device, kind = parse_topic(message.topic)
            if self._revoked(device):
                raise RefusedError(REASON, f"{device} has been revoked")
            if kind == "rec":
                self._take_records(device, message)
            elif kind == "state":
                self._take_state(device, message)
            elif kind == "cmd":
                self._take_command(device, message)
            elif kind == "ota":
                self.outcome.updates.append((device, messages.read_ota_up(message.payload)))
            else:
                raise RefusedError("topic", f"no such kind: {kind!r}")
        except RemoteError as error:
            self._bury(device, message, f"{kind}-{error.code}", error.detail, message.payload)
        except RefusedError as error:
            self._bury(device, message, error.reason, error.detail, message.payload)

    def write(self) -> None:
        """Write what was gathered; the transaction is the caller's."""
        journal, counts = self._journal, self.outcome.counts
        self._add_rows()
        counts["records"] = self._written
        # Now that this batch's rows are there, a boot's date reaches them too.
        for account, epoch in self._to_date.items():
            counts["released"] += journal.date_boot(account.sight, epoch, body.DATED_BY_BOOT)
            account.epoch = epoch
        journal.save_ranges(self.outcome.touched)
        if self._dead:
            journal.dead_letters.add(self._dead)
        journal.count(dict(counts))
        for gathered, acks in (
            (self._to_ack, self.outcome.acks),
            (self._to_ack_beidou, self.outcome.beidou),
        ):
            for (device, boot), seqs in gathered.items():
                ranges = [(boot, first, last) for first, last in spans(seqs)]
                acks.setdefault(device, []).extend(ranges)

    def _take_records(self, device: str, message: Message) -> None:
        known = len(self._rows) + self._written
        account: j.Account | None = None
        by_boot: dict[int, list[int]] = {}
        for item in decode.sequence(message.payload):
            if isinstance(item, decode.Bad):
                self._take_bad(device, message, item)
                continue
            if account is None or account.boot != item.boot:
                account = self._accounts.get(device, item.boot, message.received_ms)
                account.last_ms = account.heard[message.link] = message.received_ms
                if not account.changed:
                    self._accounts.change(account)
                seqs = by_boot.setdefault(item.boot, [])
            seqs.append(item.seq)
            self._take_record(account, message, item)
        for boot, seqs in by_boot.items():
            self._acknowledge(device, boot, seqs, message.link)
        if message.link == body.LINK_BEIDOU and known == len(self._rows) + self._written:
            # Sent again because our answer was lost, or played again by somebody else.
            self.outcome.counts["beidou.nothing_new"] += 1

    def _take_record(self, account: j.Account, message: Message, record: decode.Record) -> None:
        raw, schema_id, _, seq, t, _ = record
        seen = account.seen
        account.filled += seq < seen.highest
        if not seen.add(seq):
            self._take_again(account, message, record)
            return
        self.outcome.touched.add(account)
        time: int | None
        if t >= 0:
            time, dated, held = t, body.DATED_BY_DEVICE, j.GO
        elif account.epoch is not None:
            time, dated, held = account.epoch - 1 - t, body.DATED_BY_BOOT, j.GO
        else:
            time, dated, held = None, body.UNDATED, j.AWAITS_DATE
        flawed = 0
        if not decode.sound(record):
            try:
                flawed = self._tell_faults(account.device, message, record)
            except decode.DecodeError:
                held = j.AWAITS_SCHEMA
        if schema_id in _READ_HERE and held != j.AWAITS_SCHEMA and not flawed:
            self._read(account, record, message.received_ms)
        self._rows.append(
            (account.sight, seq, time, dated, held, flawed, message.link, message.received_ms, raw)
        )

    def _take_again(self, account: j.Account, message: Message, record: decode.Record) -> None:
        account.filled -= record.seq < account.seen.highest
        self._add_rows()  # what this batch has is asked of the file too
        before = self._journal.raw_of(account.sight, record.seq)
        counts = self.outcome.counts
        if before is None or before == record.raw:
            account.duplicates += 1
            counts["duplicates"] += 1
        elif self._journal.add_conflict(
            account, record.seq, message.link, message.received_ms, record.raw
        ):
            account.conflicts += 1
            counts["conflicts"] += 1

    def _tell_faults(self, device: str, message: Message, record: decode.Record) -> int:
        """Let staff see what was outside its range; return whether anything was.

        Raises:
            DecodeError: `unknown-schema`.
        """
        faults = decode.check(record)
        for fault in faults:
            self._bury(device, message, fault.error.code, fault.error.detail, record.raw, record)
        return int(bool(faults))

    def _read(self, account: j.Account, record: decode.Record, now_ms: int) -> None:
        """Read what tells of other records: when a boot was, or what of it is lost."""
        values = [*record.values, *(None,) * 4][:4]
        if record.schema == schema.CLOCK:
            uptime_s, source, uncertainty_ms, _ = values
            if isinstance(source, int):
                account.source = source
            if isinstance(uncertainty_ms, int):
                account.uncertainty_ms = uncertainty_ms
            # The first `clock` record of a boot dates all of it.
            if record.t >= 0 and account.epoch is None and isinstance(uptime_s, int):
                self._to_date.setdefault(account, record.t - uptime_s)
            return
        boot, first, last, lost = values
        if (
            isinstance(boot, int)
            and isinstance(first, int)
            and isinstance(last, int)
            and isinstance(lost, int)
            and first <= last
        ):
            other = self._accounts.get(account.device, boot, now_ms)
            self._journal.tell(other, first, last, min(lost, last - first + 1))

    def _take_bad(self, device: str, message: Message, bad: decode.Bad) -> None:
        self._bury(device, message, bad.error.code, bad.error.detail, bad.raw, bad)
        if bad.identity is None:
            return
        boot, seq = bad.identity
        self._acknowledge(device, boot, [seq], message.link)
        # A start that is known from nothing better is not believed in.
        account = self._accounts.find(device, boot)
        if account is not None and seq not in account.seen:
            self._journal.tell(account, seq, seq, 1)

    def _acknowledge(self, device: str, boot: int, seqs: list[int], link: int) -> None:
        if link not in _NO_ONE_LISTENS:
            self._to_ack.setdefault((device, boot), []).extend(seqs)
        if link == body.LINK_BEIDOU:
            self._to_ack_beidou.setdefault((device, boot), []).extend(seqs)

    def _add_rows(self) -> None:
        self._journal.add(self._rows)
        self._written += len(self._rows)
        self._rows.clear()

    def _take_state(self, device: str, message: Message) -> None:
        boot, connection, up = messages.read_state(message.payload)
        sight = self._accounts.get(device, boot, message.received_ms).sight
        before = self._journal.state(device)
        if before is not None:
            last = self._accounts.get(device, before[0], message.received_ms)
            if (sight, connection) < (last.sight, before[1]):
                return
            if before[:3] == (boot, connection, up):
                return
        self._journal.save_state(device, boot, connection, up, message.received_ms)

    def _take_command(self, device: str, message: Message) -> None:
        up = messages.read_cmd_up(message.payload)
        if up[0] == messages.CLOCK:
            # The time itself was told at once, by the input; here a lost boot number is replaced.
            state = self._journal.state(device)
            if state is not None and state[0] >= _DRAWN:
                fresh = self._journal.hand_out(device, state[0], _DRAWN)
                self.outcome.fresh.append((device, up[1], fresh))
        else:
            self.outcome.answers.append((device, up))

    def _bury(
        self,
        device: str,
        message: Message,
        reason: str,
        detail: str,
        raw: bytes,
        item: decode.Record | decode.Bad | None = None,
    ) -> None:
        boot = seq = None
        position = 0
        if isinstance(item, decode.Record):
            boot, seq = item.boot, item.seq
        elif item is not None:
            position = item.offset
            boot, seq = item.identity or (None, None)
        self.outcome.counts["dead_letters"] += 1
        self.outcome.counts[f"dead_letters.{reason}"] += 1
        self._dead.append(
            Letter(
                message.topic, device, boot, seq, reason, detail, position, message.link,
                message.received_ms, raw,
            )
        )  # fmt: skip


# These make their records here, and have no `dn/ack` to hear.
_NO_ONE_LISTENS: Final = frozenset({body.LINK_STATION, body.LINK_ADAPTER})
_READ_HERE: Final = frozenset({schema.CLOCK, schema.GAP})

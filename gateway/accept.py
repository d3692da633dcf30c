"""Decides what each message is: new records, duplicates, conflicts, dead letters.

    acceptor = Acceptor(journal)
    outcome = acceptor.commit(messages)      one transaction
    outcome.acks                             what every device may now forget

What may be acknowledged is exactly what is committed, plus what would never be: duplicates, conflicts
and refused records whose identity can be read (DESIGN §2).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from agent.errors import RemoteError
from agent.wire import body, decode, messages, schema
from gateway import journal as j
from gateway.ranges import Ranges, spans

_UPTIME_AT: Final = schema.HEAD_ITEMS  # `clock.uptime_s` among a record's items
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
    states: set[str] = field(default_factory=set)
    fresh: list[tuple[str, int, int]] = field(default_factory=list)  # device, ask, boot number
    answers: list[tuple[str, tuple[int | bytes, ...]]] = field(default_factory=list)  # to commands
    updates: list[tuple[str, tuple[int, int, bytes]]] = field(default_factory=list)  # how far
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Account:
    """A boot while it is being added to."""

    boot: j.Boot
    seen: Ranges


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
    """Turns messages into journal rows. Used by the one thread that writes the journal."""

    def __init__(self, journal: j.Journal) -> None:
        self._journal = journal
        self._accounts: dict[tuple[str, int], _Account] = {}

    def commit(self, batch: Iterable[Message]) -> Outcome:
        """Commit a batch in one transaction.

        Raises:
            sqlite3.OperationalError: nothing of it was committed; it may be tried again.
        """
        work = _Batch(self._journal, self._accounts)
        try:
            with self._journal.transaction():
                for message in batch:
                    work.take(message)
                work.write()
        except BaseException:
            # What memory says of these boots may be ahead of the file now.
            self._accounts.clear()
            raise
        return work.outcome

    def release_known_schemas(self) -> int:
        """Release rows that an older version of this program held for their schema."""
        with self._journal.transaction():
            return sum(self._journal.release_schema(row[0]) for row in schema.SCHEMAS[1:])

    def give_up_dating(self, before_ms: int) -> int:
        """Release what still has no date and was received before a time."""
        with self._journal.transaction():
            return self._journal.give_up_dating(before_ms, body.UNDATED)

    def count(self, changes: dict[str, int]) -> None:
        """Add to the journal's counters what an input has counted."""
        with self._journal.transaction():
            self._journal.count(changes)

    def prune(self, received_before_ms: int, passed_id: int, passed_release: int) -> int:
        """Delete records that are old and that every sink has passed; return how many."""
        with self._journal.transaction():
            return self._journal.prune(received_before_ms, passed_id, passed_release)


class _Batch:
    """One batch on its way into the journal."""

    def __init__(self, journal: j.Journal, accounts: dict[tuple[str, int], _Account]) -> None:
        self.outcome = Outcome()
        self._journal = journal
        self._accounts = accounts
        self._rows: list[tuple[object, ...]] = []
        self._dead: list[tuple[object, ...]] = []
        self._raws: dict[tuple[str, int, int], bytes] = {}
        self._to_ack: dict[tuple[str, int], list[int]] = {}
        self._to_ack_beidou: dict[tuple[str, int], list[int]] = {}
        self._to_date: dict[tuple[str, int], int] = {}
        self._changed: set[tuple[str, int]] = set()

    def take(self, message: Message) -> None:
        """Sort one message."""
        self.outcome.counts["messages"] += 1
        device = kind = ""
        try:
            if message.fault is not None:
                raise RefusedError(*message.fault)
            device, kind = parse_topic(message.topic)
            if kind == "rec":
                known = self.outcome.counts["records"]
                for item in decode.sequence(message.payload):
                    if isinstance(item, decode.Record):
                        self._take_record(device, message, item)
                    else:
                        self._take_bad(device, message, item)
                if message.link == body.LINK_BEIDOU and known == self.outcome.counts["records"]:
                    # Sent again because our answer was lost, or played again by somebody else.
                    self.outcome.counts["beidou.nothing_new"] += 1
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
        journal.add(self._rows)
        # Now that this batch's rows are there, a boot's date reaches them too.
        for (device, boot), epoch in self._to_date.items():
            counts["released"] += journal.date_boot(device, boot, epoch, body.DATED_BY_BOOT)
            account = self._accounts[device, boot]
            account.boot = j.Boot(account.boot.sight, epoch)
        for device, boot in self._changed:
            journal.save_ranges(device, boot, list(self._accounts[device, boot].seen))
        if self._dead:
            journal.add_dead_letters(self._dead)
        journal.count(dict(counts))
        for gathered, acks in (
            (self._to_ack, self.outcome.acks),
            (self._to_ack_beidou, self.outcome.beidou),
        ):
            for (device, boot), seqs in gathered.items():
                ranges = [(boot, first, last) for first, last in spans(seqs)]
                acks.setdefault(device, []).extend(ranges)

    def _take_record(self, device: str, message: Message, record: decode.Record) -> None:
        boot, seq = record.boot, record.seq
        account = self._account(device, boot)
        self._acknowledge(device, message, boot, seq)
        if not account.seen.add(seq):
            self._take_again(device, message, record)
            return
        self._changed.add((device, boot))
        self._raws[device, boot, seq] = record.raw
        time, dated, held = self._judge(device, message, account, record)
        self.outcome.counts["records"] += 1
        self._rows.append((
            device, boot, seq, record.schema, record.t, time, dated, held,
            message.link, message.received_ms, record.raw,
        ))  # fmt: skip

    def _take_again(self, device: str, message: Message, record: decode.Record) -> None:
        identity = (device, record.boot, record.seq)
        before = self._raws.get(identity) or self._journal.raw_of(*identity)
        if before is None or before == record.raw:
            self.outcome.counts["duplicates"] += 1
        elif self._journal.add_conflict(*identity, message.link, message.received_ms, record.raw):
            self.outcome.counts["conflicts"] += 1

    def _judge(
        self, device: str, message: Message, account: _Account, record: decode.Record
    ) -> tuple[int | None, int, int]:
        """Return (time, dated, held) of a new record."""
        if record.t >= 0:
            time, dated = record.t, body.DATED_BY_DEVICE
        elif account.boot.epoch is not None:
            time, dated = account.boot.epoch - 1 - record.t, body.DATED_BY_BOOT
        else:
            time, dated = None, body.UNDATED
        try:
            faults = decode.check(record)
        except decode.DecodeError:
            return time, dated, j.AWAITS_SCHEMA
        for fault in faults:
            # The record goes on without this value; staff see what it was.
            self._bury(device, message, fault.error.code, fault.error.detail, record.raw, record)
        if record.schema == schema.CLOCK and not faults:
            self._date(device, account, record)
        return time, dated, j.AWAITS_DATE if time is None else j.GO

    def _date(self, device: str, account: _Account, record: decode.Record) -> None:
        """Let the first `clock` record of a boot date all of it."""
        if record.t < 0 or account.boot.epoch is not None or len(record.items) <= _UPTIME_AT:
            return
        uptime_s = record.items[_UPTIME_AT]
        if isinstance(uptime_s, int):
            self._to_date.setdefault((device, record.boot), record.t - uptime_s)

    def _take_bad(self, device: str, message: Message, bad: decode.Bad) -> None:
        self._bury(device, message, bad.error.code, bad.error.detail, bad.raw, bad)
        if bad.identity is not None:
            self._acknowledge(device, message, *bad.identity)

    def _acknowledge(self, device: str, message: Message, boot: int, seq: int) -> None:
        self._to_ack.setdefault((device, boot), []).append(seq)
        if message.link == body.LINK_BEIDOU:
            self._to_ack_beidou.setdefault((device, boot), []).append(seq)

    def _take_state(self, device: str, message: Message) -> None:
        boot, connection, up = messages.read_state(message.payload)
        sight = self._account(device, boot).boot.sight
        before = self._journal.state(device)
        if before is not None:
            last = (self._account(device, before[0]).boot.sight, before[1])
            if (sight, connection) < last or before[:3] == (boot, connection, up):
                return
        self._journal.save_state(device, boot, connection, up, message.received_ms)
        self.outcome.states.add(device)

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

    def _account(self, device: str, boot: int) -> _Account:
        account = self._accounts.get((device, boot))
        if account is None:
            known = self._journal.boot(device, boot) or self._journal.see_boot(device, boot)
            account = _Account(known, Ranges(self._journal.ranges(device, boot)))
            self._accounts[device, boot] = account
        return account

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
        self._dead.append((
            message.topic, device, boot, seq, reason, detail, position, message.received_ms, raw,
        ))  # fmt: skip

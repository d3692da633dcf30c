"""What a shore-power session comes to: a fold over the set of its events, in whole counts.

    session = fold(events, rated_w=100_000)
    session.kwh, session.low_kwh, session.high_kwh, session.reasons
    sessions = fold_all(events_of_a_device, rated_w=100_000)

Events may come in any order, more than once, and not all of them yet: the result depends on which there
are and on nothing else. `kwh` is what the meter's registers prove, segment by segment; `low` and `high`
hold what it may have been where they prove nothing, and `high` is None where nobody can say. A session
whose three are equal and that has no `reasons` can be settled without looking at it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Final

from agent.wire import codes, words
from cloud.berths.events import MICRO, Event, ended, moved

# A pile may deliver 1.2 times its rated power for a while: W·s times 1.2 / 3600 s / 1000, in 10**-6 kWh.
_WATT_SECONDS: Final = 3
_SLACK_COUNTS: Final = 2  # a count at either end that was not full yet
CLOCK_SLACK_S: Final = 7200  # between two boots, whose clocks may have been stepped
GAP_REVIEW_S: Final = 1800  # a shorter gap that the session went on after is no reason to look
_ROUND_S: Final = 4  # uptimes and ages are whole seconds, and a contact is believed after two
_TARIFFS: Final = 4
_TARIFF_SLACK: Final = 2  # counts per register and stretch: they are read one after the other


class State(Enum):
    """How far a session is."""

    OPEN = "open"
    CLOSED = "closed"  # its end and every event before it are there: it will not change
    CLOSED_WITH_GAP = "closed-with-gap"  # events are missing, or it never told its end


@dataclass(frozen=True, slots=True)
class Moment:
    """It happened at `t` or up to `bound_s` before; None is not known."""

    t: int | None
    bound_s: int | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """One meter's steady counting: raw import counts, one count being `unit` 10**-6 kWh."""

    segment: int
    meter_id: bytes
    pt: int
    ct: int
    count_e: int
    modulus: int | None
    first: int
    last: int
    counts: int

    @property
    def unit(self) -> int:
        """10**-6 kWh of one count, ratios included."""
        power: int = 10 ** (self.count_e + MICRO)
        return power * self.pt * self.ct


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its events tell it. Energies are whole 10**-6 kWh; times as in `Moment`.

    device, begun_boot, number   its id
    events      the number of the newest event, from 0
    micro       energy that the registers prove; `low` and `high` what it may have been
    tariffs     of tariffs 1 to 4; None where not every register at both ends was read
    exported    energy from the ship; None as above
    missing     event numbers that have not come
    conflicts   identities (boot, seq) of events that contradict another one
    reasons     why a person has to look, in the words of `words.FLAWS` and those of this module
    """

    device: str
    begun_boot: int
    number: int
    state: State
    events: int
    started: Moment
    ended: Moment
    start_reason: int | None
    end_reason: int | None
    stretches: tuple[Stretch, ...]
    micro: int
    low: int
    high: int | None
    tariffs: tuple[int | None, ...]
    exported: int | None
    ship: tuple[int | None, bytes | None, int | None, bytes | None] | None
    certified_t: int | None
    flaws: int
    missing: tuple[int, ...]
    conflicts: tuple[tuple[int, int], ...]
    reasons: tuple[str, ...]

    @property
    def needs_review(self) -> bool:
        """Whether a person has to look before it is settled."""
        return bool(self.reasons)

    @property
    def kwh(self) -> Decimal:
        """The proven energy, exact."""
        return Decimal(self.micro).scaleb(-MICRO)

    @property
    def low_kwh(self) -> Decimal:
        """The least it can have been."""
        return Decimal(self.low).scaleb(-MICRO)

    @property
    def high_kwh(self) -> Decimal | None:
        """The most it can have been; None: nobody can say."""
        return None if self.high is None else Decimal(self.high).scaleb(-MICRO)


def fold(
    events: Iterable[Event], rated_w: int | None = None, followed_by: Event | None = None
) -> Session:
    """Return what the events of one session come to.

    Args:
        events: at least one; all of one session.
        rated_w: what the pile can deliver; without it nothing bounds what was not read.
        followed_by: the first event of the pile's next session, if there is one: this one is over
            then, even if it never told its end.

    Raises:
        ValueError: no event, or events of several sessions.
    """
    items = list(events)
    if len({item.session for item in items}) != 1:
        raise ValueError("fold takes the events of one session")
    chosen, conflicts = _choose(items)
    end = next((item for item in chosen if ended(item)), None)
    if end is not None:
        conflicts |= {(item.boot, item.seq) for item in chosen if item.event > end.event}
        chosen = [item for item in chosen if item.event <= end.event]
    first, last = chosen[0], chosen[-1]
    missing = tuple(sorted(set(range(last.event)) - {item.event for item in chosen}))
    counting = _count(chosen, rated_w)
    if end is None and followed_by is not None:
        counting.leave(last, followed_by)
    started = first if first.what == codes.SESSION_STARTED else None
    flaws = 0
    for item in chosen:
        flaws |= item.flaws
    state = State.OPEN
    if end is not None or followed_by is not None:
        state = State.CLOSED_WITH_GAP if missing or end is None else State.CLOSED
    certified_t = next((e.certified_t for e in reversed(chosen) if e.certified_t), None)
    tariffs = tuple(counting.register(i) for i in range(_TARIFFS))
    reasons = counting.reasons
    reasons |= _flaw_reasons(flaws, chosen)
    if conflicts:
        reasons.add("conflict")
    if missing and state is not State.OPEN:
        reasons.add("events-missing")
    if end is None and followed_by is not None:
        reasons.add("never-ended")
    if certified_t is not None and any(e.t is not None and e.t > certified_t for e in chosen):
        reasons.add("certificate-expired")
    if counting.tariffs_differ(tariffs):
        reasons.add("tariffs-differ")
    return Session(
        *first.session,
        state=state,
        events=last.event,
        started=_moment(started),
        ended=_moment(end),
        start_reason=started.reason if started else None,
        end_reason=end.reason if end else None,
        stretches=tuple(counting.stretches()),
        micro=counting.micro,
        low=counting.micro - counting.doubtful,
        high=None if counting.unread is None else counting.micro + counting.unread,
        tariffs=tariffs,
        exported=counting.register(_TARIFFS),
        ship=next((e.ship for e in reversed(chosen) if e.ship), None),
        certified_t=certified_t,
        flaws=flaws,
        missing=missing,
        conflicts=tuple(sorted(conflicts)),
        reasons=tuple(sorted(reasons)),
    )


def fold_all(events: Iterable[Event], rated_w: int | None = None) -> list[Session]:
    """Return every session of one pile's events, in the order in which they began."""
    groups: dict[tuple[str, int, int], list[Event]] = defaultdict(list)
    for item in events:
        groups[item.session].append(item)
    order = sorted(groups, key=lambda key: key[1:])
    firsts = {
        key: min(groups[key], key=lambda item: (item.event, item.boot, item.seq)) for key in order
    }
    after = [*order[1:], None]
    return [
        fold(groups[key], rated_w, None if then is None else firsts[then])
        for key, then in zip(order, after, strict=True)
    ]


def revise(kept: Session, folded: Session) -> Session:
    """Return what to keep of a session that was folded again with later events.

    One that was closed keeps its figures: what contradicts them is a reason to look, not a new figure.
    """
    if kept.state is not State.CLOSED:
        return folded
    # `low` may come nearer, when a first telling arrives after the second: that contradicts nothing.
    if (kept.micro, kept.tariffs) == (folded.micro, folded.tariffs):
        reasons = set(kept.reasons) | set(folded.reasons)
    else:
        reasons = set(kept.reasons) | {"changed-after-close"}
    conflicts = tuple(sorted(set(kept.conflicts) | set(folded.conflicts)))
    return replace(kept, reasons=tuple(sorted(reasons)), conflicts=conflicts)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A meter's counting between two readings against the sessions in it; raw counts."""

    counted: int
    assigned: int

    @property
    def unassigned(self) -> int:
        """Counts that no session has: power taken without one, or not proven. Negative: counted twice."""
        return self.counted - self.assigned


def reconcile(sessions: Iterable[Session], begin: Event, end: Event) -> Reconciled:
    """Compare what a meter counted from `begin` to `end` with what its sessions have of it.

    Any two readings of one meter will do (events, or `energy-count` records put into one). Stretches
    that reach beyond them are counted as far as they lie between.

    Raises:
        ValueError: the two are no readings of the same meter, or its register went back between them.
    """
    if begin.imported is None or end.imported is None or begin.meter != end.meter:
        raise ValueError("two readings of one meter are needed")
    counted = moved(begin.imported, end.imported, begin.modulus)
    if counted is None:
        raise ValueError("the register went back between the two readings")
    assigned = 0
    for session in sessions:
        for stretch in session.stretches:
            meter = (stretch.meter_id, stretch.count_e, stretch.pt, stretch.ct, stretch.modulus)
            if meter != begin.meter:
                continue
            ahead = moved(begin.imported, stretch.first, stretch.modulus)
            if ahead is None:
                ahead = -(moved(stretch.first, begin.imported, stretch.modulus) or 0)
            assigned += max(0, min(ahead + stretch.counts, counted) - max(ahead, 0))
    return Reconciled(counted, assigned)


def _choose(items: Sequence[Event]) -> tuple[list[Event], set[tuple[int, int]]]:
    """Return one event for each number, in order, and the identities of what contradicts them.

    Of an event that was told again after a restart the first telling counts: it knows its time.
    """
    conflicts: set[tuple[int, int]] = set()
    tellings: dict[int, list[Event]] = defaultdict(list)
    seen: dict[tuple[int, int], Event] = {}
    for item in sorted(
        set(items), key=lambda e: (e.boot, e.seq, repr(e.values), e.t is None, e.t)
    ):
        first = seen.get((item.boot, item.seq))
        if first is not None:
            if first.values != item.values:
                conflicts.add((item.boot, item.seq))
        else:
            seen[item.boot, item.seq] = item
            tellings[item.event].append(item)
    chosen = []
    for number in sorted(tellings):
        best = min(tellings[number], key=lambda e: (e.uptime_s is None, e.boot, e.seq))
        chosen.append(best)
        conflicts |= {(e.boot, e.seq) for e in tellings[number] if e.content != best.content}
    return chosen, conflicts


def _moment(item: Event | None) -> Moment:
    if item is None:
        return Moment(None, None)
    bound_s = item.bound_s
    if bound_s is None and item.uptime_s is not None and item.reason != codes.REASON_POWER_LOSS:
        bound_s = 0
    return Moment(item.t, bound_s)


def _flaw_reasons(flaws: int, chosen: Sequence[Event]) -> set[str]:
    reasons = {word for bit, word in enumerate(words.FLAWS) if flaws >> bit & 1}
    gaps = [
        _gap_s(before, item)
        for before, item in zip([None, *chosen], chosen, strict=False)
        if item.reason == codes.REASON_POWER_LOSS
    ]
    if not chosen[0].flaws & codes.FLAW_GAP and all(
        gap is not None and gap <= GAP_REVIEW_S for gap in gaps
    ):
        reasons.discard(words.FLAWS[codes.FLAW_GAP.bit_length() - 1])
    return reasons


def _gap_s(before: Event | None, item: Event) -> int | None:
    """Return how long the pile was without power before `item`; None: not known, or it ended there."""
    if ended(item):
        return None
    if item.bound_s is not None:
        return item.bound_s
    if before is None or before.t is None or item.t is None:
        return None
    return max(item.t - before.t, 0)


def _seconds(first: Event, last: Event) -> int | None:
    """Return at most how long after the reading of `first` that of `last` was made; None: not known."""
    if first.uptime_s is None:
        return None
    age_s = (first.read_age_s or 0) - (last.read_age_s or 0)
    if first.boot == last.boot and last.uptime_s is not None:
        return max(last.uptime_s - first.uptime_s + age_s + _ROUND_S, 0)
    if first.t is None or last.t is None:
        return None
    return max(last.t - first.t, 0) + CLOCK_SLACK_S + max(age_s, 0)


class _Counting:
    """Counts of a session's readings, taken in order.

    `doubtful` is of `micro` what may not be the session's, `unread` what may be its and was not read;
    None: without a bound.
    """

    def __init__(self, rated_w: int | None) -> None:
        self.micro = 0
        self.doubtful = 0
        self.unread: int | None = 0
        self.reasons: set[str] = set()
        self.runs: list[list[Event]] = []
        self.counts: list[int] = []
        self._rated_w = rated_w
        self._step = 0  # counts between the last two readings of a run

    def take(self, item: Event) -> None:
        """Take the next event that has registers."""
        if self.runs:
            previous = self.runs[-1][-1]
            ahead = self._ahead(previous, item)
            if ahead is not None:
                self.runs[-1].append(item)
                self.counts[-1] += ahead
                self.micro += ahead * item.unit
                self._step = ahead
                undated = ahead > 0 and _seconds(previous, item) is None
                if undated:
                    # Nobody can say whether the pile can have delivered it in that time.
                    self.reasons.add("undated-gap")
                if undated or (ended(item) and item.reason == codes.REASON_POWER_LOSS):
                    self.doubtful += ahead * item.unit
                return
            self.unknown(previous, item)
            if previous.meter == item.meter:
                # It may have been the last reading before that was wrong.
                back = (previous.imported or 0) - (item.imported or 0)
                self.doubtful += (min(back, self._step) if back > 0 else self._step) * item.unit
        self.runs.append([item])
        self.counts.append(0)
        self._step = 0

    def unknown(self, first: Event | None, last: Event) -> None:
        """Note that nothing was read from `first` to `last`."""
        seconds = None if first is None else _seconds(first, last)
        if seconds is None or self._rated_w is None or self.unread is None:
            self.unread = None
            return
        units = [item.unit * (item.step or 1) for item in (first, last) if item is not None]
        self.unread += self._rated_w * seconds // _WATT_SECONDS + _SLACK_COUNTS * sum(units)

    def leave(self, last: Event, then: Event) -> None:
        """Note that the session never ended, and another one began with `then`."""
        previous = self.runs[-1][-1] if self.runs else None
        if previous is not None and then.read and then.meter == previous.meter:
            ahead = moved(previous.imported or 0, then.imported or 0, then.modulus)
            if ahead is not None and self.unread is not None:
                self.unread += ahead * then.unit
                return
        self.unknown(previous or last, then)

    def stretches(self) -> list[Stretch]:
        """Return what was counted, run by run."""
        return [
            Stretch(
                run[0].segment,
                run[0].meter_id or b"",
                run[0].pt or 1,
                run[0].ct or 1,
                run[0].count_e or 0,
                run[0].modulus,
                run[0].imported or 0,
                run[-1].imported or 0,
                counts,
            )
            for run, counts in zip(self.runs, self.counts, strict=True)
        ]

    def register(self, place: int) -> int | None:
        """Return the energy of one of `Event.registers`, None when an end of a run lacks it."""
        total = 0
        for run in self.runs:
            first, last = run[0].registers[place], run[-1].registers[place]
            if first is None or last is None:
                return None
            ahead = moved(first, last, run[0].modulus)
            if ahead is None:
                return None
            total += ahead * run[0].unit
        return total if self.runs else None

    def tariffs_differ(self, tariffs: Sequence[int | None]) -> bool:
        """Return whether the tariffs' energies do not add up to the total's."""
        known = [value for value in tariffs if value is not None]
        if len(known) < _TARIFFS:
            return False
        units = [run[0].unit * (run[0].step or 1) for run in self.runs]
        return abs(sum(known) - self.micro) > _TARIFF_SLACK * (_TARIFFS + 1) * sum(units)

    def _ahead(self, previous: Event, item: Event) -> int | None:
        """Return the counts between two readings, None when they do not follow each other."""
        if item.segment != previous.segment:
            return None
        if item.meter != previous.meter:
            self.reasons.add("meter-replaced")
            return None
        ahead = moved(previous.imported or 0, item.imported or 0, item.modulus)
        if ahead is None:
            self.reasons.add("register-went-back")
            return None
        seconds = _seconds(previous, item)
        if self._rated_w is not None and seconds is not None:
            slack = _SLACK_COUNTS * (item.step or 1) * item.unit
            if ahead * item.unit > self._rated_w * seconds // _WATT_SECONDS + slack:
                self.reasons.add("implausible")
                return None
        return ahead


def _begun(first: Event) -> Event | None:
    """Return the start if it tells when it was; a load found without a reading is older than that."""
    if first.what != codes.SESSION_STARTED or first.reason == codes.REASON_LOAD:
        return None
    return first


def _count(chosen: Sequence[Event], rated_w: int | None) -> _Counting:
    counting = _Counting(rated_w)
    for item in chosen:
        if item.read:
            if not counting.runs and item.event:
                counting.unknown(_begun(chosen[0]), item)
            counting.take(item)
    last = chosen[-1]
    if chosen[0].flaws & codes.FLAW_GAP:
        counting.unread = None  # it began while nobody watched
    if ended(last) and (last.flaws & codes.FLAW_NO_END or not last.read):
        reading = counting.runs[-1][-1] if counting.runs else None
        if reading is None:
            counting.unknown(_begun(chosen[0]), last)
        else:
            counting.unknown(reading, last._replace(read_age_s=0))
    return counting

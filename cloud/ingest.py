"""Takes a gateway's delivery in: all of it in one transaction, or nothing.

A record that does not decode is set aside with its reason, and the others are taken. Everything
else that may be wrong with a record costs one value or the live view, never the record:

- a value outside its field's range counts as not measured (`faults`);
- a record dated later than it arrived is kept, but never becomes the latest (`ahead`): a receiver
  that lost its calendar would otherwise hide years of good reports behind it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from agent.wire import decode
from agent.wire.body import Body, Entry
from cloud import times
from cloud.live import Change, Live
from cloud.store import accounts, alarms, counts, latest, presence, records, targets
from cloud.store.records import Arrival, Refusal


class Outcome(NamedTuple):
    """What came of a delivery; every entry is counted once."""

    taken: int
    duplicates: int
    conflicts: int
    refused: list[Refusal]


def ingest(live: Live, body: Body) -> Outcome:
    """Take a delivery in and tell everyone who is listening what changed."""
    arrivals, refusals, faults = _sort(body.entries)
    with live.change() as change:
        kept = records.keep(change.connection, arrivals, body.gateway, change.now_ms)
        timely = [arrival for arrival in kept.new if not _is_ahead(arrival, change.now_ms)]
        fold(live, change, timely)
        change.devices |= presence.fold(change.connection, body.states)
        _hear(change, body.entries)
        _touch(live, change, accounts.fold(change.connection, body.gateway, body.accounts))
        counts.delivered(change.connection, body.gateway, body.counters, change.now_ms)
        refused = records.refuse(change.connection, refusals, body.gateway, change.now_ms)
        counts.add(
            change.connection,
            {
                "taken": len(kept.new),
                "duplicates": kept.duplicates,
                "conflicts": kept.conflicts,
                "refused": refused,
                "faults": sum(faults[arrival.identity] for arrival in kept.new),
                "ahead": len(kept.new) - len(timely),
            },
        )
    return Outcome(len(kept.new), kept.duplicates, kept.conflicts, refusals)


def fold(live: Live, change: Change, arrivals: Iterable[Arrival]) -> None:
    """Let records that are newer than what is shown take its place."""
    arrivals = list(arrivals)
    change.devices |= latest.fold_devices(change.connection, arrivals)
    change.assets |= latest.fold_assets(change.connection, live.registry, arrivals)
    heard = targets.fold(change.connection, arrivals)
    change.targets |= heard
    change.assets |= {aid for mmsi in heard if (aid := live.registry.aid_of(mmsi)) is not None}
    _touch(live, change, alarms.fold(change.connection, arrivals))


def _touch(live: Live, change: Change, devices: set[str]) -> None:
    """Note that something of devices is other than it was, and so of the assets they serve now."""
    change.devices |= devices
    now_t = times.t_of_ms(change.now_ms)
    services = [live.registry.service_of(device, now_t) for device in devices]
    change.assets |= {service.asset for service in services if service}


def _sort(
    entries: list[Entry],
) -> tuple[list[Arrival], list[Refusal], dict[records.Identity, int]]:
    """Decode entries into arrivals and refusals, and count the arrivals' bad values."""
    arrivals, refusals, faults = [], [], {}
    for n, entry in enumerate(entries):
        try:
            record = decode.one(entry.record)
        except decode.DecodeError as error:
            detail = error.detail or decode.CODES.get(error.code, "")
            refusals.append(Refusal(n, entry.device, error.code, detail, entry.record))
            continue
        arrival = Arrival(
            entry.device,
            record.boot,
            record.seq,
            record.schema,
            entry.t,
            entry.dated,
            entry.link,
            entry.received_ms,
            entry.record,
        )
        arrivals.append(arrival)
        faults[arrival.identity] = _faults(record)
    return arrivals, refusals, faults


def _faults(record: decode.Record) -> int:
    try:
        return len(decode.check(record))
    except decode.DecodeError:
        return 0  # a schema of tomorrow: kept whole until this centre knows it


def _is_ahead(arrival: Arrival, now_ms: int) -> bool:
    """Whether a record says that it was made after it came, by the later of two shore clocks."""
    if arrival.t is None:
        return False
    return arrival.t > times.t_of_ms(max(arrival.received_ms, now_ms)) + latest.AHEAD_MAX_S


def _hear(change: Change, entries: Iterable[Entry]) -> None:
    last_ms: dict[str, int] = {}
    for entry in entries:
        last_ms[entry.device] = max(entry.received_ms, last_ms.get(entry.device, 0))
    counts.heard(change.connection, last_ms)
    change.devices |= last_ms.keys()

"""What a gateway tells the centre: the body of `POST /api/ingest`. Host only.

    body    = [1, gateway, [* entry], [* state], [* counter], [* account]]
    entry   = [device, link, received_ms, t / null, dated, record]
    state   = [device, boot, connection, up, at_ms]
    counter = [name, value]
    account = [device, boot, sight, first_ms, last_ms, records, duplicates, conflicts, highest,
               missing, filled, told, source / null, uncertainty_ms / null,
               [* [link, last_ms]], [* [first, last]]]

Names that end in `_ms`, but for `uncertainty_ms`, are milliseconds since 1970-01-01 UTC by the
gateway's clock; `t` is the record's time in seconds since 2020-01-01 UTC, null only when it will never
be known; `dated` says how it is known. `record` are the record's bytes as the device made them. A
gateway from before there were accounts sends a body of five items.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import cbor2

from agent.errors import RemoteError
from agent.wire import messages, schema

VERSION: Final = 1
BODY_MAX: Final = 4 * 1024 * 1024  # bytes; a gateway sends 500 entries at a time, about 60 kB
ENTRIES_MAX: Final = 10_000  # and of states, counters, accounts
GAPS_MAX: Final = 8  # open gaps that an account names, the oldest first; `missing` counts them all
LINKS_MAX: Final = 8  # of one account

LINK_MQTT: Final = 1
LINK_BEIDOU: Final = 2
LINK_STATION: Final = 3  # an AIS or NMEA station at the gateway itself
LINK_ADAPTER: Final = 4  # a terminal of another make
LINKS: Final = {
    LINK_MQTT: "mqtt",
    LINK_BEIDOU: "beidou",
    LINK_STATION: "station",
    LINK_ADAPTER: "adapter",
}

DATED_BY_DEVICE: Final = 0  # the record carried its time
DATED_BY_BOOT: Final = 1  # its boot's clock record gave it
UNDATED: Final = 2  # nothing ever will; `received_ms` is the upper bound
DATED: Final = {DATED_BY_DEVICE: "device", DATED_BY_BOOT: "boot", UNDATED: "undated"}

_UNIX_MS_MAX: Final = 1 << 43  # year 2248
_COUNT_MAX: Final = 1 << 62
_FIVE: Final = 5  # items of a body without accounts


class BodyError(RemoteError):
    """A body that does not follow the contract. `code`: too-long, malformed, version, type, range."""


class Entry(NamedTuple):
    """One record on its way to the centre."""

    device: str
    link: int
    received_ms: int
    t: int | None
    dated: int
    record: bytes


class State(NamedTuple):
    """Whether a device is connected, as its retained state or will said."""

    device: str
    boot: int
    connection: int
    up: int
    at_ms: int


class Account(NamedTuple):
    """What came at one gateway of one start of a device, as it stands; a later one replaces it.

    Seqs count from 0, so what should have come up to now is 0 to `highest`; of these, `records` came,
    `told` are known to be lost, and `missing` are neither.
    """

    device: str
    boot: int
    sight: int  # order of first sight at this gateway: a later start has a higher one
    first_ms: int  # when the first record of this boot came
    last_ms: int  # and the latest
    records: int  # distinct ones, kept
    duplicates: int
    conflicts: int
    highest: int  # seq
    missing: int  # seqs between the lowest that came and `highest`, neither received nor told lost
    filled: int  # seqs that had been missing, and came
    told: int  # seqs below `highest` that the device gave up, says its `gap` record, and that did not come
    source: int | None  # clock.source of its newest clock record
    uncertainty_ms: int | None  # and how far that may be off
    links: Sequence[tuple[int, int]]  # (link, when it was last heard by it)
    gaps: Sequence[tuple[int, int]]  # (first, last) of open gaps, oldest first, at most GAPS_MAX


class Body(NamedTuple):
    """One delivery from a gateway."""

    gateway: str
    entries: list[Entry]
    states: list[State]
    counters: dict[str, int]
    accounts: Sequence[Account] = ()


def encode(body: Body) -> bytes:
    """Return the body's bytes."""
    counters = [[name, value] for name, value in sorted(body.counters.items())]
    items = [VERSION, body.gateway, body.entries, body.states, counters, body.accounts]
    return cbor2.dumps(items, canonical=True)


def decode(raw: bytes) -> Body:
    """Read a body.

    Raises:
        BodyError: what is wrong and where.
    """
    if len(raw) > BODY_MAX:
        raise BodyError("too-long", f"{len(raw)} bytes, at most {BODY_MAX}")
    try:
        items = cbor2.loads(raw, max_depth=6, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORDecodeError, ValueError, OverflowError) as error:
        raise BodyError("malformed", str(error)) from error
    body = _list(items, "body")
    if len(body) == _FIVE:
        body = [*body, []]
    body = _list(body, "body", _FIVE + 1)
    if body[0] != VERSION:
        raise BodyError("version", f"{body[0]!r}, this program reads {VERSION}")
    gateway = _device(body[1], "gateway")
    entries = [_entry(e, f"entry {n}") for n, e in enumerate(_list(body[2], "entries"))]
    states = [_state(s, f"state {n}") for n, s in enumerate(_list(body[3], "states"))]
    counters = {}
    for n, pair in enumerate(_list(body[4], "counters")):
        name, value = _list(pair, f"counter {n}", 2)
        if not isinstance(name, str) or len(name) > 64:
            raise BodyError("type", f"counter {n}: name {name!r}")
        counters[name] = _int(value, f"counter {name}", 0, _COUNT_MAX)
    accounts = [_account(a, f"account {n}") for n, a in enumerate(_list(body[5], "accounts"))]
    return Body(gateway, entries, states, counters, accounts)


def _entry(item: object, where: str) -> Entry:
    device, link, received_ms, t, dated, record = _list(item, where, 6)
    if not isinstance(record, bytes) or not 0 < len(record) <= schema.RECORD_MAX:
        raise BodyError("type", f"{where}: the record is not 1 to {schema.RECORD_MAX} bytes")
    entry = Entry(
        _device(device, where),
        _int(link, f"{where}: link", 0, 255),
        _int(received_ms, f"{where}: received_ms", 0, _UNIX_MS_MAX),
        None if t is None else _int(t, f"{where}: t", 0, schema.T_MAX),
        _int(dated, f"{where}: dated", 0, UNDATED),
        record,
    )
    if (entry.t is None) != (entry.dated == UNDATED):
        raise BodyError("range", f"{where}: t is {t} but dated is {dated}")
    return entry


def _state(item: object, where: str) -> State:
    device, boot, connection, up, at_ms = _list(item, where, 5)
    return State(
        _device(device, where),
        _int(boot, f"{where}: boot", 0, schema.BOOT_MAX),
        _int(connection, f"{where}: connection", 0, schema.BOOT_MAX),
        _int(up, f"{where}: up", 0, 1),
        _int(at_ms, f"{where}: at_ms", 0, _UNIX_MS_MAX),
    )


def _account(item: object, where: str) -> Account:
    items = _list(item, where, len(Account._fields))
    values = dict(zip(Account._fields, items, strict=True))

    def number(name: str, high: int) -> int:
        return _int(values[name], f"{where}: {name}", 0, high)

    def known(name: str) -> int | None:
        return None if values[name] is None else number(name, schema.BOOT_MAX)

    seqs = schema.SEQ_MAX + 1
    return Account(
        _device(values["device"], where),
        number("boot", schema.BOOT_MAX),
        number("sight", _COUNT_MAX),
        number("first_ms", _UNIX_MS_MAX),
        number("last_ms", _UNIX_MS_MAX),
        number("records", seqs),
        number("duplicates", _COUNT_MAX),
        number("conflicts", _COUNT_MAX),
        number("highest", schema.SEQ_MAX),
        number("missing", seqs),
        number("filled", seqs),
        number("told", seqs),
        known("source"),
        known("uncertainty_ms"),
        _pairs(values["links"], f"{where}: links", LINKS_MAX, (255, _UNIX_MS_MAX)),
        _gaps(values["gaps"], f"{where}: gaps"),
    )


def _gaps(item: object, where: str) -> list[tuple[int, int]]:
    gaps = _pairs(item, where, GAPS_MAX, (schema.SEQ_MAX, schema.SEQ_MAX))
    for first, last in gaps:
        if first > last:
            raise BodyError("range", f"{where}: {first} to {last}")
    return gaps


def _pairs(item: object, where: str, most: int, highs: tuple[int, int]) -> list[tuple[int, int]]:
    pairs = []
    for pair in _list(item, where):
        first, second = _list(pair, where, 2)
        pairs.append((_int(first, where, 0, highs[0]), _int(second, where, 0, highs[1])))
    if len(pairs) > most:
        raise BodyError("range", f"{where}: {len(pairs)}, at most {most}")
    return pairs


def _list(item: object, where: str, length: int | None = None) -> list[object]:
    if not isinstance(item, list) or len(item) > ENTRIES_MAX:
        raise BodyError("type", f"{where} is not a list of at most {ENTRIES_MAX}")
    if length is not None and len(item) != length:
        raise BodyError("type", f"{where} has {len(item)} items, not {length}")
    return item


def _int(item: object, where: str, low: int, high: int) -> int:
    if type(item) is not int or not low <= item <= high:
        raise BodyError("range", f"{where} is {item!r}, allowed {low} to {high}")
    return item


def _device(item: object, where: str) -> str:
    if not isinstance(item, str) or not messages.valid_device(item):
        raise BodyError("type", f"{where}: {item!r} is not an id of a-z, 0-9 and -, 1 to 32 long")
    return item

"""One event of a shore-power session, as the centre gets it: a row of schema `session`."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from agent.errors import RemoteError
from agent.wire import codes, schema

MICRO: Final = 6  # energies are integers in 10**-6 kWh: `count_e` is -6 or more
_FIELDS: Final = schema.SCHEMAS[schema.SESSION][3]
_MODULUS_32: Final = 1 << 32
_SHIP_FIELDS: Final = 4


class EventError(RemoteError):
    """A record that is no event of a session. `code`: missing, type."""


class Event(NamedTuple):
    """An event; None is "not known". Registers are raw counts, times are seconds.

    `t` is the record's time since 2020-01-01 UTC; None: undated. `uptime_s` is None for an event that
    happened before a restart and was told after it: `t` is then the latest time that it can have been.
    """

    device: str
    boot: int
    seq: int
    t: int | None
    what: int
    begun_boot: int
    number: int
    event: int
    uptime_s: int | None = None
    reason: int | None = None
    segment: int = 0
    flaws: int = 0
    bound_s: int | None = None
    read_age_s: int | None = None
    imported: int | None = None
    exported: int | None = None
    import_t1: int | None = None
    import_t2: int | None = None
    import_t3: int | None = None
    import_t4: int | None = None
    count_e: int | None = None
    modulus: int | None = None
    step: int | None = None
    pt: int | None = None
    ct: int | None = None
    meter_id: bytes | None = None
    certified_t: int | None = None
    ship_mmsi: int | None = None
    ship_id: bytes | None = None
    ship_by: int | None = None
    told_by: bytes | None = None

    @property
    def session(self) -> tuple[str, int, int]:
        """The session's id: device, boot it began in, number within that boot."""
        return self.device, self.begun_boot, self.number

    @property
    def content(self) -> tuple[object, ...]:
        """What stays the same when an event is told again after a restart."""
        return self[4:8] + self[9:12] + self[14:]

    @property
    def values(self) -> tuple[object, ...]:
        """What the record says; its time may come to be known later."""
        return self[4:]

    @property
    def read(self) -> bool:
        """Whether it carries the meter's registers."""
        return None not in (self.imported, self.count_e, self.pt, self.ct, self.meter_id)

    @property
    def meter(self) -> tuple[object, ...]:
        """What must not change while counts are subtracted: meter, scale, ratios, modulus."""
        return self.meter_id, self.count_e, self.pt, self.ct, self.modulus

    @property
    def unit(self) -> int:
        """10**-6 kWh of one count, ratios included; 0 without registers."""
        if self.count_e is None or self.pt is None or self.ct is None:
            return 0
        power: int = 10 ** (self.count_e + MICRO)
        return power * self.pt * self.ct

    @property
    def registers(self) -> tuple[int | None, ...]:
        """Import of tariffs 1 to 4, then export."""
        return self.import_t1, self.import_t2, self.import_t3, self.import_t4, self.exported

    @property
    def ship(self) -> tuple[int | None, bytes | None, int | None, bytes | None] | None:
        """MMSI, id, how it is known, who said so; None when nobody has said anything."""
        told = (self.ship_mmsi, self.ship_id, self.ship_by, self.told_by)
        return None if told == (None,) * _SHIP_FIELDS else told


def event(
    device: str, boot: int, seq: int, t: int | None, values: Sequence[int | bytes | None]
) -> Event:
    """Return the event in a record's values; `t` is None or negative while nothing dates it.

    Raises:
        EventError: it says not which event of which session it is, or a value has the wrong type.
    """
    row: dict[str, int | bytes | None] = {}
    for field, value in zip(_FIELDS, values, strict=False):
        if value is not None and isinstance(value, bytes) != (field[1] == "bytes"):
            raise EventError("type", field[0])
        row[field[0]] = value
    for name in ("what", "begun_boot", "number", "event"):
        if row.get(name) is None:
            raise EventError("missing", name)
    row["segment"] = row.get("segment") or 0
    row["flaws"] = row.get("flaws") or 0
    dated = None if t is None or t < 0 else t
    return Event(device, boot, seq, dated, **row)  # type: ignore[arg-type]


def moved(first: int, last: int, modulus: int | None) -> int | None:
    """Return the counts from one value of a register to another, None when it cannot have gone so.

    With a modulus, what looks like more than half of it is a register that went back.
    """
    if last >= first:
        ahead = last - first
    elif modulus is None:
        return None
    else:
        ahead = (last - first) % (modulus or _MODULUS_32)
    whole = modulus or _MODULUS_32
    return ahead if ahead <= whole // 2 else None


def ended(item: Event) -> bool:
    """Return whether it is the end of its session."""
    return item.what == codes.SESSION_ENDED

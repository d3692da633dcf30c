"""The AIS channels of an estuary: who transmits when, and who hears it.

Messages are encoded by pyais and come at the intervals of ITU-R M.1371-5, annex 1, table 1 and annex
7 (base stations 10 s, class B table 2, aids to navigation 3 min). A receiver on a buoy hears all
that is near, less with distance, nothing beyond the horizon.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from pyais.encode import ais_to_nmea_0183, encode_dict

from simulators.world.aid import Aid
from simulators.world.place import Place
from simulators.world.traffic import AT_ANCHOR, MOORED, Motion, Mover, Ship

BAUD = 38400

_CERTAIN_MILES = 14.0  # within this only collisions of slots are lost
_HORIZON_MILES = 22.0
_COLLISIONS = 0.01
_STATIC_S = 360.0
_TURNING_DEG_MIN = 6.0  # a ship that turns faster counts as changing course
_ON_GPS = 1
_SURVEYED = 7

Payload = dict[str, str | int | float | bytes | bool]


class Armoured(NamedTuple):
    """A message that is six-bit characters already, and where it is sent."""

    place: Place
    text: str
    fill: int  # bits that fill up the last character


class Transmission(NamedTuple):
    """What goes on air at one moment from one place."""

    place: Place
    sentences: list[str]


class Station(ABC):
    """Something that transmits. Each kind of message has its own timetable."""

    def __init__(self, mmsi: int, rng: random.Random) -> None:
        self._mmsi = mmsi
        self._rng = rng
        self._due: dict[str, float] = {}

    @abstractmethod
    def messages(self, t: float) -> Iterable[tuple[Place, Payload]]:
        """Yield what is due at the time `t`."""

    def armoured(self, t: float) -> Iterable[Armoured]:  # noqa: ARG002  (most are given nothing)
        """Yield what it was given to transmit."""
        return ()

    def _is_due(self, what: str, t: float, interval_s: float) -> bool:
        """Tell whether `what` is due, and put down when it is next.

        It begins somewhere within the first interval. A shorter interval takes effect at once.
        """
        due = self._due.setdefault(what, t + self._rng.uniform(0, interval_s))
        due = min(due, t + interval_s)
        now = t >= due
        self._due[what] = max(due + interval_s, t) if now else due
        return now

    def _payload(self, kind: int, **fields: str | float) -> Payload:
        return {"msg_type": kind, "mmsi": self._mmsi, **fields}


class ShipStation(Station):
    """A ship's transponder, class A or B by its `Ship`."""

    def __init__(self, ship: Ship, mover: Mover, rng: random.Random) -> None:
        super().__init__(ship.mmsi, rng)
        self._ship = ship
        self._mover = mover

    def messages(self, t: float) -> Iterable[tuple[Place, Payload]]:
        """Yield position and static reports that are due; nothing while the ship is away."""
        motion = self._mover.motion(t)
        if motion is None:
            return
        if self._is_due("position", t, _position_interval_s(motion, class_b=self._ship.class_b)):
            yield motion.place, self._position(t, motion)
        if self._is_due("static", t, _STATIC_S):
            for payload in self._static(t):
                yield motion.place, payload

    def _position(self, t: float, motion: Motion) -> Payload:
        common: dict[str, str | float] = {
            "lat": motion.place.lat,
            "lon": motion.place.lon,
            "speed": round(motion.sog_kn, 1),
            "course": round(motion.cog_deg, 1) % 360,
            "heading": round(motion.heading_deg) % 360,
            "second": int(t) % 60,
            "accuracy": 1,
        }
        if self._ship.class_b:
            return self._payload(18, cs=1, band=1, msg22=1, **common)
        return self._payload(
            3 if _turning(motion) else 1,
            status=motion.status,
            turn=round(motion.turn_deg_min, 1),
            **common,
        )

    def _static(self, t: float) -> list[Payload]:
        ship = self._ship
        sizes: dict[str, str | float] = {
            "ship_type": ship.ship_type,
            "to_bow": ship.length_m - ship.length_m // 5,
            "to_stern": ship.length_m // 5,
            "to_port": ship.beam_m // 2,
            "to_starboard": ship.beam_m - ship.beam_m // 2,
            "callsign": ship.callsign,
        }
        if ship.class_b:
            return [
                self._payload(24, partno=0, shipname=ship.name),
                self._payload(24, partno=1, **sizes),
            ]
        eta = datetime.fromtimestamp(t + 6 * 3600, UTC)
        voyage: dict[str, str | float] = {
            "month": eta.month,
            "day": eta.day,
            "hour": eta.hour,
            "minute": 0,
            "draught": ship.draught_m,
            "destination": ship.destination,
        }
        return [
            self._payload(5, imo=ship.imo, shipname=ship.name, epfd=_ON_GPS, **sizes, **voyage)
        ]


class BaseStation(Station):
    """A shore station, whose message 4 tells the time."""

    _INTERVAL_S = 10.0

    def __init__(self, mmsi: int, place: Place, rng: random.Random) -> None:
        super().__init__(mmsi, rng)
        self._place = place

    def messages(self, t: float) -> Iterable[tuple[Place, Payload]]:
        """Yield the base station report when it is due."""
        if not self._is_due("base", t, self._INTERVAL_S):
            return
        now = datetime.fromtimestamp(t, UTC)
        yield (
            self._place,
            self._payload(
                4,
                year=now.year,
                month=now.month,
                day=now.day,
                hour=now.hour,
                minute=now.minute,
                second=now.second,
                accuracy=1,
                lat=self._place.lat,
                lon=self._place.lon,
                epfd=_SURVEYED,
            ),
        )


# Table 74: as it stands, and as it floats.
AID_TYPES = {
    "north": (9, 20),
    "east": (10, 21),
    "south": (11, 22),
    "west": (12, 23),
    "port": (13, 24),
    "starboard": (14, 25),
    "preferred-port": (15, 26),
    "preferred-starboard": (16, 27),
    "isolated-danger": (17, 28),
    "safe-water": (18, 29),
    "special": (19, 30),
    "emergency-wreck": (4, 4),
    "light": (5, 31),
}
# Status bits: page 7, racon none, then the light: 01 on, 10 off.
_LIGHT_ON = 0b111_00_01_0
_LIGHT_OFF = 0b111_00_10_0


class AidStation(Station):
    """The AIS unit of an aid to navigation: message 21.

    Args:
        mmsi: 99MID1xxx for an aid that is really there.
        name: any text; what AIS has no letters for is left out.
        kind: the registry's kind of mark.
        floating: whether it floats.
        aid: the aid itself, for where it is and whether it is lit.
        rng: where its timetable's chance comes from.
    """

    _INTERVAL_S = 180.0
    _NAME, _EXTENSION = 20, 14

    def __init__(
        self,
        mmsi: int,
        name: str,
        kind: str,
        aid: Aid,
        rng: random.Random,
        *,
        floating: bool,
    ) -> None:
        super().__init__(mmsi, rng)
        self._name = six_bit(name)
        self._type = AID_TYPES[kind][floating]
        self._aid = aid

    def messages(self, t: float) -> Iterable[tuple[Place, Payload]]:
        """Yield the report when it is due."""
        if not self._is_due("aid", t, self._INTERVAL_S):
            return
        place = self._aid.place
        yield (
            place,
            self._payload(
                21,
                aid_type=self._type,
                name=self._name[: self._NAME],
                name_ext=self._name[self._NAME :][: self._EXTENSION],
                lat=place.lat,
                lon=place.lon,
                accuracy=1,
                to_bow=1,
                to_stern=1,
                to_port=1,
                to_starboard=1,
                epfd=_ON_GPS,
                second=int(t) % 60,
                reserved_1=_LIGHT_ON if self._aid.lit else _LIGHT_OFF,
            ),
        )


class Channels:
    """Both AIS channels: puts what is due on air."""

    def __init__(self) -> None:
        self.stations: list[Station] = []
        self._sequence = 0
        self._channel = 0

    def transmit(self, t: float) -> list[Transmission]:
        """Return all that is transmitted at the time `t`, as `!AIVDM` sentences."""
        air = []
        for station in self.stations:
            for place, payload in station.messages(t):
                sentences = encode_dict(
                    payload,
                    sentence_type="VDM",
                    radio_channel=self._next_channel(),
                    seq_id=self._sequence,
                )
                air.append(Transmission(place, self._counted(sentences)))
            for place, text, fill in station.armoured(t):
                sentences = ais_to_nmea_0183(
                    text, "AI", "VDM", self._next_channel(), fill, self._sequence
                )
                air.append(Transmission(place, self._counted(sentences)))
        return air

    def _next_channel(self) -> str:
        self._channel ^= 1
        return "AB"[self._channel]

    def _counted(self, sentences: list[str]) -> list[str]:
        if len(sentences) > 1:
            self._sequence = (self._sequence + 1) % 10
        return sentences


def hears(rng: random.Random, miles: float) -> bool:
    """Draw whether a transmission is received over a distance in nautical miles."""
    chance = (_HORIZON_MILES - miles) / (_HORIZON_MILES - _CERTAIN_MILES)
    return rng.random() < min(chance, 1 - _COLLISIONS)


def six_bit(text: str) -> str:
    """Return `text` in AIS's alphabet: capitals, digits and the signs from space to `_`."""
    return "".join(c for c in text.upper() if " " <= c <= "_" and c != "@").strip()


def _turning(motion: Motion) -> bool:
    return abs(motion.turn_deg_min) > _TURNING_DEG_MIN


def _position_interval_s(motion: Motion, *, class_b: bool) -> float:
    """Return the reporting interval of tables 1 and 2."""
    speed = motion.sog_kn
    if class_b:
        return 180.0 if speed <= 2 else 30.0
    if motion.status in {AT_ANCHOR, MOORED} and speed <= 3:
        return 180.0
    if speed > 23:
        return 2.0
    if speed > 14:
        return 2.0 if _turning(motion) else 6.0
    return 10.0 / 3 if _turning(motion) else 10.0

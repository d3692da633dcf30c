"""The ships: those that pass along the routes, those at anchor, those alongside a berth.

A passing ship goes its route at a steady speed, is away for a while, and comes back the other way.
Where it is, is a function of time alone.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from simulators.world.noise import BandNoise
from simulators.world.place import MPS_PER_KNOT, Place, bearing_deg, towards
from simulators.world.tide import Tide
from simulators.world.track import Track

UNDER_WAY = 0  # navigational status, ITU-R M.1371-5 table 45
AT_ANCHOR = 1
MOORED = 5


@dataclass(frozen=True)
class Ship:
    """What a ship says of itself. Lengths in metres, `ship_type` of M.1371-5 table 53."""

    mmsi: int
    name: str
    callsign: str
    imo: int  # 0: none
    ship_type: int
    length_m: int
    beam_m: int
    draught_m: float
    destination: str
    class_b: bool = False


class Motion(NamedTuple):
    """Where a ship is and how it moves."""

    place: Place
    sog_kn: float
    cog_deg: float
    heading_deg: float
    turn_deg_min: float  # positive to starboard
    status: int


class Mover(Protocol):
    """Something that knows its motion at any time, None while it is not there."""

    def motion(self, t: float) -> Motion | None:
        """Return the motion at the time `t`."""


class Passage:
    """To and fro on a route, with a rest out of sight at either end."""

    _REST_S = (600.0, 2400.0)
    _KEEP_RIGHT_M = 150.0  # of the route's line, so that ships meet port to port
    _HELM_DEG = 1.5  # how straight it is steered, root mean square

    def __init__(self, waypoints: Sequence[Place], speed_kn: float, rng: random.Random) -> None:
        self._tracks = (Track(waypoints), Track(list(reversed(waypoints))))
        self._speed = speed_kn * MPS_PER_KNOT
        self._way_s = self._tracks[0].length_m / self._speed
        self._leg_s = self._way_s + rng.uniform(*self._REST_S)
        self._offset_s = rng.uniform(0, 2 * self._leg_s)
        self._helm = BandNoise(rng, shortest_s=60, longest_s=600, rms=self._HELM_DEG)

    def motion(self, t: float) -> Motion | None:
        """Return the motion at the time `t`; None while it is out of sight."""
        leg, since = divmod(t + self._offset_s, self._leg_s)
        if since > self._way_s:
            return None
        here = self._tracks[int(leg) % 2].at(since * self._speed)
        course = (here.course_deg + self._helm.at(t)) % 360
        return Motion(
            here.place.moved(self._KEEP_RIGHT_M * towards(here.course_deg + 90)),
            self._speed / MPS_PER_KNOT,
            course,
            course,
            math.degrees(here.curvature * self._speed) * 60,
            UNDER_WAY,
        )


class Anchorage:
    """At anchor: swings with the stream around where the anchor lies."""

    _CABLE_M = 120.0
    _YAW_DEG = 8.0

    def __init__(self, anchor: Place, tide: Tide, rng: random.Random) -> None:
        self._anchor = anchor
        self._tide = tide
        self._yaw = BandNoise(rng, shortest_s=300, longest_s=1800, rms=self._YAW_DEG)

    def motion(self, t: float) -> Motion:
        """Return the motion at the time `t`; the ship heads into the stream."""
        heading = (bearing_deg(-self._tide.stream(t)) + self._yaw.at(t)) % 360
        place = self._anchor.moved(-self._CABLE_M * towards(heading))
        return Motion(place, 0.1, (heading + 180) % 360, heading, 0.0, AT_ANCHOR)


class Alongside:
    """Made fast at a berth."""

    def __init__(self, berth: Place, heading_deg: float) -> None:
        self._motion = Motion(berth, 0.0, 0.0, heading_deg, 0.0, MOORED)

    def motion(self, _t: float) -> Motion:
        """Return the motion, which is none."""
        return self._motion


_FIRST = (
    "HAI",
    "JIANG",
    "XIN",
    "CHANG",
    "HUA",
    "DONG",
    "SHUN",
    "JIN",
    "YUAN",
    "PENG",
    "FU",
    "RUI",
)
_SECOND = (
    "FENG",
    "YANG",
    "HANG",
    "TONG",
    "SHENG",
    "LONG",
    "AN",
    "XING",
    "DA",
    "YUN",
    "HE",
    "MING",
)
_DESTINATIONS = ("SHANGHAI", "NINGBO", "NANTONG", "ZHANGJIAGANG", "TAICANG", "QINGDAO", "XIAMEN")
_CARGO, _TANKER, _FISHING = 70, 80, 30


class Shipyard:
    """Makes ships, each with a number of its own; names and numbers are invented."""

    _MID = 413  # China

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._built = 0

    def ship(self, *, class_b: bool = False) -> Ship:
        """Return a new ship; a `class_b` one is a small fishing boat."""
        rng = self._rng
        self._built += 1
        number = self._built
        length = rng.randint(18, 35) if class_b else rng.randint(80, 220)
        imo = 0 if class_b else _imo_number(900_000 + rng.randint(0, 899) * 100 + number % 100)
        return Ship(
            mmsi=self._MID * 1_000_000 + 900_000 + number,
            name=f"{rng.choice(_FIRST)} {rng.choice(_SECOND)} {rng.randint(1, 199)}",
            callsign=f"B{rng.choice('HIJKLPQRV')}{rng.choice('ABCDEFGHJK')}{number % 100:02d}",
            imo=imo,
            ship_type=_FISHING if class_b else rng.choice((_CARGO, _CARGO, _CARGO, _TANKER)),
            length_m=length,
            beam_m=max(5, round(length / 6.5)),
            draught_m=round(length / 22, 1),
            destination=rng.choice(_DESTINATIONS),
            class_b=class_b,
        )


def _imo_number(serial: int) -> int:
    """Return the seven-digit number of a six-digit serial: its last digit is a check digit."""
    check = sum(
        int(digit) * weight for digit, weight in zip(str(serial), range(7, 1, -1), strict=True)
    )
    return serial * 10 + check % 10

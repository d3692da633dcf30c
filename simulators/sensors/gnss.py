"""A GPS and BeiDou receiver: NMEA 0183 sentences, one epoch a second.

The sentences are put together by pynmea2, in the form of NMEA 4.11: combined sentences with the
talker GN, satellites in view with GP and GB and a signal number, and the system number at the end of
GSA. After power-up the receiver has no time for a while, then time but no fix (status V, no
position), then a fix; its error wanders over a few metres.
"""

import math
import random
from datetime import UTC, datetime

import pynmea2

from simulators.sensors.satellites import BEIDOU, GPS, Seen, in_view
from simulators.world.noise import BandNoise
from simulators.world.place import MPS_PER_KNOT, Place, bearing_deg

BAUD = 9600
# After power-up: the first satellite's message is decoded; enough of them are.
TIME_AFTER_S = 8
FIX_AFTER_S = 20

_SEES_AFTER_S = 4  # it hears no satellite before
_CHANNELS = 12  # per constellation; with this many an epoch fits into its second at 9600 baud
_PER_GSV = 4
_SYSTEM = {GPS: "1", BEIDOU: "4"}  # GSA's system number
_SIGNAL = "1"  # GPS L1 C/A and BeiDou B1I both have number 1
_GEOID_M = 11.5  # of the ellipsoid over mean sea level at the Yangtze mouth
_ANTENNA_M = 4.0  # over the water
_ERROR_S = (20.0, 1800.0)
_NO_DOP = 99.99  # what stands for no dilution of precision
_CREEP_KN = 0.2  # below this a receiver knows no course


class Receiver:
    """One receiver; its chance comes from `rng`."""

    def __init__(self, rng: random.Random) -> None:
        shortest, longest = _ERROR_S
        self._east = BandNoise(rng, shortest_s=shortest, longest_s=longest, rms=1.2)
        self._north = BandNoise(rng, shortest_s=shortest, longest_s=longest, rms=1.5)
        self._up = BandNoise(rng, shortest_s=shortest, longest_s=longest, rms=2.5)
        self._fading = BandNoise(rng, shortest_s=15, longest_s=300, rms=1.5)
        self._powered_at: int | None = None

    def power_up(self) -> None:
        """Start anew with the next epoch, without time and fix."""
        self._powered_at = None

    def epoch(self, t: int, place: Place, velocity: complex, level_m: float) -> list[str]:
        """Return the sentences of the whole second `t`, without line ends.

        Args:
            t: Unix seconds.
            place: where the antenna's mast stands.
            velocity: how it moves, m/s.
            level_m: height of the water over mean sea level.
        """
        if self._powered_at is None:
            self._powered_at = t
        age = t - self._powered_at
        moment = datetime.fromtimestamp(t, UTC) if age >= TIME_AFTER_S else None
        fixed = age >= FIX_AFTER_S
        view = {system: in_view(system, t, place)[:_CHANNELS] for system in _SYSTEM}
        used = {
            system: [one.prn for one in seen] if fixed else [] for system, seen in view.items()
        }
        count = sum(map(len, used.values()))
        hdop = 4.0 / math.sqrt(count) if count else _NO_DOP
        sentences = []
        if fixed:
            shown = place.moved(complex(self._east.at(t), self._north.at(t)))
            height = _ANTENNA_M + level_m + self._up.at(t)
            sentences += _solution(moment, shown, height, velocity, count, hdop)
        else:
            sentences += _no_solution(moment)
        for system, prns in used.items():
            slots = [f"{prn:02d}" for prn in prns] + [""] * (_CHANNELS - len(prns))
            dilution = [f"{min(_NO_DOP, hdop * factor):.2f}" for factor in (1.7, 1.0, 1.4)]
            mode = "3" if fixed else "1"
            sentences.append(_sentence("GN", "GSA", "A", mode, *slots, *dilution, _SYSTEM[system]))
        for system, seen in view.items():
            sentences += self._in_view(system, seen if age >= _SEES_AFTER_S else [], t)
        day = moment.strftime("%d,%m,%Y").split(",") if moment else ["", "", ""]
        sentences.append(_sentence("GN", "ZDA", _clock(moment), *day, "00", "00"))
        return sentences

    def _in_view(self, system: str, seen: list[Seen], t: float) -> list[str]:
        total = max(1, -(-len(seen) // _PER_GSV))
        sentences = []
        for number in range(total):
            fields = [str(total), str(number + 1), f"{len(seen):02d}"]
            for one in seen[number * _PER_GSV : (number + 1) * _PER_GSV]:
                cn0 = 30 + 17 * math.sin(math.radians(one.elevation))
                cn0 += self._fading.at(t + 977 * one.prn)
                fields += [
                    f"{one.prn:02d}",
                    f"{round(one.elevation):02d}",
                    f"{round(one.azimuth) % 360:03d}",
                    f"{cn0:02.0f}",
                ]
            sentences.append(_sentence(system, "GSV", *fields, _SIGNAL))
        return sentences


def _solution(
    moment: datetime | None,
    place: Place,
    height: float,
    velocity: complex,
    count: int,
    hdop: float,
) -> list[str]:
    clock, position = _clock(moment), _position(place)
    speed = abs(velocity) / MPS_PER_KNOT
    course = f"{bearing_deg(velocity):.2f}" if speed >= _CREEP_KN else ""
    knots, kmh = f"{speed:.2f}", f"{abs(velocity) * 3.6:.2f}"
    quality = ("1", f"{count:02d}", f"{hdop:.2f}")
    heights = (f"{height:.1f}", "M", f"{_GEOID_M}", "M")
    return [
        _sentence("GN", "GGA", clock, *position, *quality, *heights, "", ""),
        _sentence(
            "GN", "RMC", clock, "A", *position, knots, course, _date(moment), "", "", "A", "V"
        ),
        _sentence("GN", "VTG", course, "T", "", "M", knots, "N", kmh, "K", "A"),
    ]


def _no_solution(moment: datetime | None) -> list[str]:
    clock, nothing = _clock(moment), [""] * 4
    return [
        _sentence("GN", "GGA", clock, *nothing, "0", "00", f"{_NO_DOP}", "", "", "", "", "", ""),
        _sentence("GN", "RMC", clock, "V", *nothing, "", "", _date(moment), "", "", "N", "V"),
        _sentence("GN", "VTG", "", "T", "", "M", "", "N", "", "K", "N"),
    ]


def _clock(moment: datetime | None) -> str:
    return moment.strftime("%H%M%S.00") if moment else ""


def _date(moment: datetime | None) -> str:
    return moment.strftime("%d%m%y") if moment else ""


def _position(place: Place) -> list[str]:
    fields = []
    for degrees, digits, letters in ((place.lat, 2, "NS"), (place.lon, 3, "EW")):
        whole, minutes = divmod(round(abs(degrees) * 6_000_000), 6_000_000)
        text = f"{whole:0{digits}d}{minutes // 100_000:02d}.{minutes % 100_000:05d}"
        fields += [text, letters[degrees < 0]]
    return fields


def _sentence(talker: str, kind: str, *fields: str) -> str:
    return str(getattr(pynmea2, kind)(talker, kind, fields))

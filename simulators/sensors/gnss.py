"""A GPS and BeiDou receiver: NMEA 0183 sentences, one epoch a second.

The sentences are put together by pynmea2, in the form of NMEA 4.11: combined sentences with the
talker GN, satellites in view with GP and GB and a signal number, and the system number at the end of
GSA. After power-up the receiver has no time for a while, then time but no fix (status V, no
position), then a fix. How far off that is, is `simulators.world.fixes`'.
"""

import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime

import pynmea2

from simulators.sensors.satellites import BEIDOU, GPS, Seen, in_view
from simulators.world.fixes import NO_DOP, FixErrors, FixSettings
from simulators.world.noise import BandNoise
from simulators.world.place import MPS_PER_KNOT, Place, bearing_deg

BAUD = 9600
# After power-up: the first satellite's message is decoded; enough of them are.
TIME_AFTER_S = int(FixSettings.time_after_s)
FIX_AFTER_S = int(FixSettings.fix_after_s)

_SEES_AFTER_S = 4  # it hears no satellite before
_CHANNELS = 12  # per constellation; with this many an epoch fits into its second at 9600 baud
_PER_GSV = 4
_SYSTEM = {GPS: "1", BEIDOU: "4"}  # GSA's system number
_SIGNAL = "1"  # GPS L1 C/A and BeiDou B1I both have number 1
_GEOID_M = 11.5  # of the ellipsoid over mean sea level at the Yangtze mouth
_ANTENNA_M = 4.0  # over the water
_HEIGHT_S = (20.0, 1800.0)
_SPEED_NOISE_MPS = 0.04  # of each axis at an HDOP of 1: Doppler is better than position
_CREEP_KN = 0.2  # below this a receiver knows no course


class Receiver:
    """One receiver; its chance comes from `rng`, how bad it is from `settings`."""

    def __init__(self, rng: random.Random, settings: FixSettings | None = None) -> None:
        self._rng = rng
        self._errors = FixErrors(rng, settings)
        shortest, longest = _HEIGHT_S
        self._up = BandNoise(rng, shortest_s=shortest, longest_s=longest, rms=2.5)
        self._fading = BandNoise(rng, shortest_s=15, longest_s=300, rms=1.5)

    def power_up(self) -> None:
        """Start anew with the next epoch, without time and fix."""
        self._errors.power_up()

    def epoch(self, t: int, place: Place, velocity: complex, level_m: float) -> list[str]:
        """Return the sentences of the whole second `t`, without line ends.

        Args:
            t: Unix seconds.
            place: where the antenna is.
            velocity: how it moves, m/s.
            level_m: height of the water over mean sea level.
        """
        view = {system: in_view(system, t, place)[:_CHANNELS] for system in _SYSTEM}
        look = self._errors.look(t, sum(map(len, view.values())))
        moment = datetime.fromtimestamp(t, UTC) if look.clock else None
        used = _used(view, look.sats)
        hdop = look.hdop
        sentences = []
        if look.error is not None:
            height = _ANTENNA_M + level_m + self._up.at(t)
            noise = complex(self._rng.gauss(0, 1), self._rng.gauss(0, 1))
            felt = velocity + _SPEED_NOISE_MPS * hdop * noise
            shown = place.moved(look.error)
            sentences += _solution(moment, shown, height, felt, look.sats, hdop)
        else:
            sentences += _no_solution(moment)
        for system, prns in used.items():
            slots = [f"{prn:02d}" for prn in prns] + [""] * (_CHANNELS - len(prns))
            dilution = [f"{min(NO_DOP, hdop * factor):.2f}" for factor in (1.7, 1.0, 1.4)]
            mode = "3" if look.sats else "1"
            sentences.append(_sentence("GN", "GSA", "A", mode, *slots, *dilution, _SYSTEM[system]))
        for system, seen in view.items():
            sentences += self._in_view(system, seen if look.age_s >= _SEES_AFTER_S else [], t)
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


def _used(view: Mapping[str, list[Seen]], count: int) -> dict[str, list[int]]:
    """Return which satellites are used, `count` in all: the highest, in the order of the view."""
    every = [(one.elevation, system, one.prn) for system, seen in view.items() for one in seen]
    best = {(system, prn) for _, system, prn in sorted(every, reverse=True)[:count]}
    return {
        system: [one.prn for one in seen if (system, one.prn) in best]
        for system, seen in view.items()
    }


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
        _sentence("GN", "GGA", clock, *nothing, "0", "00", f"{NO_DOP}", "", "", "", "", "", ""),
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

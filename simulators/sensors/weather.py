"""A weather station on a buoy: wind, air, water, visibility and level as NMEA 0183 sentences.

Put together by pynmea2. The station has a compass, so that wind is given against the bow (MWV) and
true (MWD); the bow lies into the stream, as a buoy's does. Visibility and water level have no sentence
of their own: they come as transducers (XDR) of the kind "linear displacement" with a name.
"""

import random

import pynmea2

from simulators.world.place import MPS_PER_KNOT, bearing_deg
from simulators.world.sea import Sea

BAUD = 4800
VISIBILITY, LEVEL = "Visibility", "WaterLevel"  # names of the transducers

_SLOW_S = 5  # wind comes every second, the rest less often
_WIND_NOISE = 0.03  # share of the speed
_VARIATION_DEG = -6.5  # of the compass at the Yangtze mouth
_HPA_PER_INCH = 33.8639


class WeatherStation:
    """One station; `rng` is where its noise comes from."""

    def __init__(self, rng: random.Random, sea: Sea) -> None:
        self._rng = rng
        self._sea = sea

    def second(self, t: int) -> list[str]:
        """Return the sentences of the whole second `t`, without line ends."""
        wind = self._sea.wind.at(t)
        knots = abs(wind) / MPS_PER_KNOT * (1 + self._rng.gauss(0, _WIND_NOISE))
        stream = self._sea.tide.stream(t)
        bow_deg = bearing_deg(-stream)
        from_deg = bearing_deg(-wind) if wind else 0.0
        relative = f"{(from_deg - bow_deg) % 360:.1f}"
        speed = f"{max(0.0, knots):.1f}"
        sentences = [_sentence("WI", "MWV", relative, "R", speed, "N", "A")]
        if t % _SLOW_S == 0:
            true, magnetic = f"{from_deg:.1f}", f"{(from_deg - _VARIATION_DEG) % 360:.1f}"
            mps = f"{max(0.0, knots) * MPS_PER_KNOT:.1f}"
            sentences.append(
                _sentence("WI", "MWD", true, "T", magnetic, "M", speed, "N", mps, "M")
            )
            sentences += self._slow(t, (true, "T", "", "M", speed, "N", mps, "M"), stream)
        return sentences

    def _slow(self, t: int, wind: tuple[str, ...], stream: complex) -> list[str]:
        weather, tide = self._sea.weather, self._sea.tide
        hpa, air, water = weather.pressure_hpa(t), weather.air_c(t), weather.water_c(t)
        humidity, dew = 100 * weather.humidity(t), weather.dew_c(t)
        set_deg = bearing_deg(stream)
        return [
            _sentence(
                "WI", "MDA", f"{hpa / _HPA_PER_INCH:.2f}", "I", f"{hpa / 1000:.4f}", "B",
                f"{air:.1f}", "C", f"{water:.1f}", "C", f"{humidity:.1f}", "", f"{dew:.1f}", "C",
                *wind,
            ),
            _sentence("YX", "MTW", f"{water:.1f}", "C"),
            _sentence(
                "VW", "VDR", f"{set_deg:.1f}", "T", f"{(set_deg - _VARIATION_DEG) % 360:.1f}", "M",
                f"{abs(stream) / MPS_PER_KNOT:.2f}", "N",
            ),
            _sentence(
                "YX", "XDR", "D", f"{weather.visibility_m(t):.0f}", "M", VISIBILITY,
                "D", f"{tide.level_m(t):.2f}", "M", LEVEL,
            ),
        ]  # fmt: skip


def _sentence(talker: str, kind: str, *fields: str) -> str:
    return str(getattr(pynmea2, kind)(talker, kind, fields))

"""The sun: how high it stands, and how much light that is.

Altitude: the low-precision formulas for the Sun's coordinates of the Astronomical Almanac (section
C; 0.01° between 1950 and 2050), with mean sidereal time. Refraction, at most 0.6° at the horizon, is
left out. Illuminance: Janiczek and DeYoung, USNO Circular 171 (1987), clear sky.
"""

import math

from simulators.world.place import Place

_J2000 = 946_728_000  # 2000-01-01T12:00:00Z

# log10 of the illuminance in lux is a cubic in altitude/90°: from which altitude on, coefficients.
_ILLUMINANCE = (
    (20.0, (3.74, 3.97, -4.07, 1.47)),
    (5.0, (3.05, 13.28, -45.98, 64.33)),
    (-0.8, (2.88, 22.26, -207.64, 1034.30)),
    (-5.0, (2.88, 21.81, -258.11, -858.36)),
    (-12.0, (2.70, 12.17, -431.69, -1899.83)),
    (-18.0, (13.84, 262.72, 1447.42, 2797.93)),
)
_NIGHT_LUX = 6.5e-4  # below 18° the sun adds nothing to the stars


def altitude_deg(t: float, place: Place) -> float:
    """Return the altitude of the sun's centre over the horizon at `place`, degrees."""
    days = (t - _J2000) / 86400
    anomaly = math.radians(357.528 + 0.9856003 * days)
    longitude = math.radians(
        280.460 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)
    )
    obliquity = math.radians(23.439 - 0.0000004 * days)
    ascension = math.atan2(math.cos(obliquity) * math.sin(longitude), math.cos(longitude))
    declination = math.asin(math.sin(obliquity) * math.sin(longitude))
    sidereal = math.radians(280.46062 + 360.98564737 * days)
    hour_angle = sidereal + math.radians(place.lon) - ascension
    latitude = math.radians(place.lat)
    sine = math.sin(latitude) * math.sin(declination)
    sine += math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    return math.degrees(math.asin(max(-1.0, min(1.0, sine))))


def illuminance_lux(altitude: float) -> float:
    """Return the light of sun and sky on a level surface at the sun's `altitude` in degrees."""
    for low, (a, b, c, d) in _ILLUMINANCE:
        if altitude > low:
            x = altitude / 90
            return float(10 ** (a + x * (b + x * (c + x * d))))
    return _NIGHT_LUX

"""Places on the chart, and the plane around them.

Within the 100 km that an estuary measures, a flat chart around a place is good to some metres; the
simulated sea needs no better. Degrees are WGS-84/CGCS2000.
"""

import cmath
import math
from typing import NamedTuple

_METRES_PER_DEGREE = math.radians(6_371_008.8)  # mean Earth radius (IUGG)
METRES_PER_MILE = 1852.0  # nautical mile
MPS_PER_KNOT = METRES_PER_MILE / 3600


class Place(NamedTuple):
    """A latitude and a longitude in degrees, north and east positive."""

    lat: float
    lon: float

    def moved(self, offset: complex) -> "Place":
        """Return the place `offset` metres (east + north·1j) from here."""
        east_scale = _METRES_PER_DEGREE * math.cos(math.radians(self.lat))
        return Place(
            self.lat + offset.imag / _METRES_PER_DEGREE, self.lon + offset.real / east_scale
        )

    def to(self, other: "Place") -> complex:
        """Return the way from here to `other` in metres, east + north·1j."""
        east_scale = _METRES_PER_DEGREE * math.cos(math.radians(self.lat))
        return complex(
            (other.lon - self.lon) * east_scale, (other.lat - self.lat) * _METRES_PER_DEGREE
        )

    def miles_to(self, other: "Place") -> float:
        """Return the distance to `other` in nautical miles."""
        return abs(self.to(other)) / METRES_PER_MILE


def bearing_deg(vector: complex) -> float:
    """Return the true bearing of `vector`, 0 to below 360."""
    return (90.0 - math.degrees(cmath.phase(vector))) % 360.0


def towards(bearing: float) -> complex:
    """Return the unit vector that points to the true `bearing` in degrees."""
    return cmath.exp(1j * math.radians(90.0 - bearing))

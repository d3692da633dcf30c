"""Where GPS and BeiDou satellites stand in the sky.

Circular orbits around a round Earth, with the number of satellites, planes, inclinations and radii
of the real constellations (GPS: IS-GPS-200; BeiDou: BDS-SIS-ICD) but invented phases: the right kind
of sky, not today's. PRN numbers are those in use.
"""

import cmath
import math
from typing import NamedTuple

from simulators.world.place import Place

_EARTH_KM = 6371.0
_MU = 398_600.4418  # km³/s²
_TURN = math.radians(360.98564737) / 86400  # the Earth's rotation, rad/s
_DAY_ORBIT_KM = 42_164.0
_MEO_BEIDOU_KM = 27_906.0
_GPS_KM = 26_560.0

GPS = "GP"
BEIDOU = "GB"


class Seen(NamedTuple):
    """A satellite over the horizon, angles in degrees."""

    prn: int
    elevation: float
    azimuth: float


class _Orbit(NamedTuple):
    prn: int
    radius_km: float
    motion: float  # rad/s
    inclination: float
    node: float  # right ascension of the ascending node
    phase: float  # along the orbit, at time 0


def _planes(
    prns: list[int], radius_km: float, planes: int, inclination_deg: float, skew_deg: float
) -> list[_Orbit]:
    """Spread satellites evenly over planes and within each plane."""
    per_plane = -(-len(prns) // planes)
    return [
        _Orbit(
            prn,
            radius_km,
            math.sqrt(_MU / radius_km**3),
            math.radians(inclination_deg),
            2 * math.pi * (i % planes) / planes,
            2 * math.pi * (i // planes) / per_plane + math.radians(skew_deg) * (i % planes),
        )
        for i, prn in enumerate(prns)
    ]


def _over(prn: int, lon_deg: float, inclination_deg: float, phase_deg: float) -> _Orbit:
    """Return an orbit of one sidereal day that crosses the equator northwards at a longitude."""
    node = math.radians(lon_deg - phase_deg)
    inclination, phase = math.radians(inclination_deg), math.radians(phase_deg)
    return _Orbit(prn, _DAY_ORBIT_KM, _TURN, inclination, node, phase)


_GEO = {1: 140.0, 2: 80.0, 3: 110.5, 4: 160.0, 5: 58.75}  # PRN: longitude
_IGSO = {6: (118, 0), 7: (118, 120), 8: (118, 240), 9: (95, 60), 10: (95, 180), 13: (95, 300)}
_MEO = [*range(19, 31), *range(32, 38), *range(41, 47)]
_CONSTELLATIONS = {
    GPS: _planes(list(range(1, 32)), _GPS_KM, 6, 55.0, 15.0),
    BEIDOU: [
        *(_over(prn, lon, 0, 0) for prn, lon in _GEO.items()),
        *(_over(prn, lon, 55, phase) for prn, (lon, phase) in _IGSO.items()),
        *_planes(_MEO, _MEO_BEIDOU_KM, 3, 55.0, 15.0),
    ],
}


def in_view(system: str, t: float, place: Place, mask_deg: float = 5.0) -> list[Seen]:
    """Return the satellites of `GPS` or `BEIDOU` above `mask_deg`, the highest first."""
    lat, lon = math.radians(place.lat), math.radians(place.lon)
    seen = []
    for orbit in _CONSTELLATIONS[system]:
        along = orbit.phase + orbit.motion * t
        node = orbit.node - _TURN * t  # the Earth turns under the orbit
        in_plane = complex(math.cos(along), math.sin(along) * math.cos(orbit.inclination))
        # In the plane of the equator, turned so that the place's meridian is the real axis.
        level = orbit.radius_km * in_plane * cmath.exp(1j * (node - lon))
        z = orbit.radius_km * math.sin(along) * math.sin(orbit.inclination)
        east = level.imag
        north = z * math.cos(lat) - level.real * math.sin(lat)
        up = level.real * math.cos(lat) + z * math.sin(lat) - _EARTH_KM
        elevation = math.degrees(math.atan2(up, math.hypot(east, north)))
        if elevation >= mask_deg:
            azimuth = math.degrees(math.atan2(east, north)) % 360
            seen.append(Seen(orbit.prn, elevation, azimuth))
    return sorted(seen, key=lambda one: -one.elevation)

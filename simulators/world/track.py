"""A ship's way along waypoints: straight legs, joined by arcs that a ship can steer."""

import bisect
import cmath
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from simulators.world.place import Place, bearing_deg


class OnTrack(NamedTuple):
    """Where one is after some metres of track."""

    place: Place
    course_deg: float
    curvature: float  # radians per metre, positive to starboard


class _Piece(NamedTuple):
    """A straight (curvature 0) or an arc."""

    start: complex
    direction: complex  # unit vector at its start
    length: float
    curvature: float


class Track:
    """Waypoints with their corners rounded.

    Args:
        waypoints: at least two places.
        radius_m: the turning radius, less where legs are too short for it.
    """

    def __init__(self, waypoints: Sequence[Place], radius_m: float = 800.0) -> None:
        self._origin = waypoints[0]
        points = [self._origin.to(place) for place in waypoints]
        legs = [end - start for start, end in itertools.pairwise(points)]
        self._pieces: list[_Piece] = []
        cut = 0.0
        for i, leg in enumerate(legs):
            direction = leg / abs(leg)
            start = points[i] + cut * direction
            turn = cmath.phase(legs[i + 1] / leg) if i + 1 < len(legs) else 0.0
            next_cut = 0.0
            if turn:
                tangent = math.tan(abs(turn) / 2)
                next_cut = min(radius_m * tangent, abs(leg) / 2, abs(legs[i + 1]) / 2)
            self._pieces.append(_Piece(start, direction, abs(leg) - cut - next_cut, 0.0))
            if turn:
                radius = next_cut / tangent
                corner = points[i + 1] - next_cut * direction
                self._pieces.append(
                    _Piece(corner, direction, radius * abs(turn), -math.copysign(1 / radius, turn))
                )
            cut = next_cut
        self._ends: list[float] = []
        self.length_m = 0.0
        for piece in self._pieces:
            self.length_m += piece.length
            self._ends.append(self.length_m)

    def at(self, distance_m: float) -> OnTrack:
        """Return where the track is after `distance_m`, held to its two ends."""
        distance = min(max(0.0, distance_m), self.length_m)
        i = min(bisect.bisect_left(self._ends, distance), len(self._pieces) - 1)
        piece = self._pieces[i]
        along = distance - (self._ends[i] - piece.length)
        point, direction = piece.start + along * piece.direction, piece.direction
        if piece.curvature:
            turned = cmath.exp(-1j * piece.curvature * along)  # to starboard is clockwise
            direction = piece.direction * turned
            point = piece.start + piece.direction * 1j * (turned - 1) / piece.curvature
        return OnTrack(self._origin.moved(point), bearing_deg(direction), piece.curvature)

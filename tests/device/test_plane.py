"""Distances, bearings and roots in whole numbers, against floating point and WGS 84."""

import math
import unittest

from agent.sense.plane import bearing_dd, cos_e6, isqrt, length, local_dm


def metres_per_degree(lat):
    """Lengths of a degree of longitude and of latitude, from the ellipsoid (NGA.STND.0036)."""
    a = 6378137.0
    e2 = 0.00669437999014
    phi = math.radians(lat)
    w = 1 - e2 * math.sin(phi) ** 2
    return (
        math.radians(1) * a * math.cos(phi) / math.sqrt(w),
        math.radians(1) * a * (1 - e2) / w / math.sqrt(w),
    )


class Roots(unittest.TestCase):
    def test_around_every_square(self):
        for root in list(range(200)) + [1000, 32767, 32768, 46340, 999999, 1 << 31]:
            square = root * root
            self.assertEqual(isqrt(square), root)
            self.assertEqual(isqrt(square + 2 * root), root)
            if root:
                self.assertEqual(isqrt(square - 1), root - 1)

    def test_length(self):
        self.assertEqual(length(-3, 4), 5)
        self.assertEqual(length(300, 90, -1), 286)
        self.assertEqual(length(0, 0), 0)


class Bearings(unittest.TestCase):
    def test_the_eight_winds_are_exact(self):
        winds = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
        for i, (east, north) in enumerate(winds):
            self.assertEqual(bearing_dd(7 * east, 7 * north), 450 * i)
        self.assertEqual(bearing_dd(0, 0), 0)

    def test_all_round_to_a_fifth_of_a_degree(self):
        for tenth in range(0, 3600, 3):
            angle = math.radians(tenth / 10)
            east = round(10000 * math.sin(angle))
            north = round(10000 * math.cos(angle))
            off = (bearing_dd(east, north) - tenth + 1800) % 3600 - 1800
            self.assertTrue(abs(off) <= 2, (tenth, off))
            self.assertTrue(0 <= bearing_dd(east, north) <= 3599)


class Local(unittest.TestCase):
    def test_cosine(self):
        for lat in range(-90, 91):
            off = cos_e6(lat * 1000000) - 1e6 * math.cos(math.radians(lat))
            self.assertTrue(abs(off) <= (3 if abs(lat) <= 60 else 30), (lat, off))
            self.assertTrue(cos_e6(lat * 1000000) >= 0)

    def test_metres_of_the_ellipsoid(self):
        x = 4
        for lat in (0, 1, 31, -31, 52, 60, 80, -85):
            for _ in range(20):
                x = x * 1103515245 + 12345 & 0x7FFFFFFF
                d_lat = x % 40001 - 20000
                d_lon = (x >> 8) % 40001 - 20000
                east, north = local_dm(
                    lat * 1000000 + d_lat, 122000000 + d_lon, (lat * 1000000, 122000000)
                )
                east_m, north_m = metres_per_degree(lat)
                true = (east_m * d_lon / 1e5, north_m * d_lat / 1e5)
                self.assertTrue(abs(east - true[0]) <= 2 + abs(true[0]) / 1000, (lat, east, true))
                self.assertTrue(
                    abs(north - true[1]) <= 2 + abs(true[1]) / 1000, (lat, north, true)
                )

    def test_across_the_date_line(self):
        west = (0, -179999900)
        east = (0, 179999900)
        self.assertEqual(local_dm(0, -179999900, east), (222, 0))
        self.assertEqual(local_dm(0, 179999900, west), (-223, 0))

    def test_what_is_far_is_shown_as_far(self):
        east, north = local_dm(-90000000, 180000000, (90000000, 0))
        self.assertEqual(north, -1000000)
        east, north = local_dm(0, 0, (31000000, 122000000))
        self.assertEqual((east, north), (-1000000, -1000000))

"""The sun's altitude where it matters; tests/sense/test_sun_astral.py compares it everywhere."""

import unittest

from agent.sense.sun import altitude_dd

# t, lat_e6, lon_e6, tenths of a degree as astral has them, to nearest.
ALTITUDES = (
    (0, 31100000, 122200000, 120),  # the epoch
    (204177120, 31100000, 122200000, 823),  # midsummer noon in the Yangtze's mouth
    (219988200, 31100000, 122200000, 355),  # midwinter noon
    (217503000, 31100000, 122200000, -88),  # dusk
    (196171200, 0, 0, 881),
    (330393600, 78200000, 15600000, 120),  # Svalbard: midnight sun
    (346248000, 78200000, 15600000, -121),  # and polar night at noon
    (488239200, 69600000, 18900000, 34),
    (946771140, -33900000, -70000000, -17),
    (257601600, 0, 180000000, -817),
    (257601600, 0, -180000000, -817),
)


class Sun(unittest.TestCase):
    def test_altitudes(self):
        for t, lat, lon, dd in ALTITUDES:
            self.assertTrue(abs(altitude_dd(t, lat, lon) - dd) <= 2, (t, altitude_dd(t, lat, lon)))

    def test_polar_day_and_night(self):
        for hour in range(24):
            self.assertTrue(altitude_dd(204177120 + hour * 3600, 78200000, 0) > 0)
            self.assertTrue(altitude_dd(219988200 + hour * 3600, 78200000, 0) < -60)

    def test_at_the_poles_it_does_not_rise_and_set(self):
        t = 778482000
        for hour in range(24):
            dd = altitude_dd(t + hour * 3600, 90000000, 0)
            self.assertTrue(76 <= dd <= 84, dd)
            self.assertTrue(abs(altitude_dd(t + hour * 3600, -90000000, 0) + dd) <= 2)

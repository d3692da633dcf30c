"""How high the sun stands, in integers.

The low-precision formulas of the Astronomical Almanac (section C: 0.01° from 1950 to 2050), without
refraction, which is 0.6° at the horizon. Right to 0.3° from 2020 to 2050 at any place
(tests/sense/test_sun_astral.py). Allocates: for once a minute, not for every poll.
"""

from agent.compat import const

_ONE = const(1 << 20)  # what a sine of 1 is here
_QUARTER = const(90000000)  # angles are in 10⁻⁶ degrees

# At 2020-01-01 00:00 UTC, 7304.5 days after J2000.0, and in 10⁻⁷ degrees a day.
_LONGITUDE = const(280121433)
_LONGITUDE_RATE = const(9856474)
_ANOMALY = const(356845391)
_ANOMALY_RATE = const(9856003)
_SIDEREAL = const(100121834)
_SIDEREAL_RATE = const(3609856474)
_DAY = const(864000)  # seconds, and the tenth
_OBLIQUITY = const(23436000)  # in 2035; it falls by 0.004° in 30 years


def altitude_dd(t, lat_e6, lon_e6):
    """Return the altitude of the sun's centre in tenths of a degree, negative below the horizon.

    `t` is in seconds since 2020-01-01 UTC.
    """
    anomaly = _ANOMALY + t * _ANOMALY_RATE // _DAY
    longitude = _LONGITUDE + t * _LONGITUDE_RATE // _DAY
    longitude += (1915000 * _sine(anomaly) + 20000 * _sine(2 * anomaly)) // _ONE
    sidereal = _SIDEREAL + t * _SIDEREAL_RATE // _DAY + lon_e6
    # The sun in the equator's coordinates, along the place's zenith.
    east = _sine(longitude)
    high = _cosine(sidereal) * _cosine(longitude)
    high += _sine(sidereal) * _cosine(_OBLIQUITY) * east // _ONE
    high = _cosine(lat_e6) * high // _ONE + _sine(lat_e6) * _sine(_OBLIQUITY) * east // _ONE
    # Of the tenths of a degree, the one whose sine this is.
    found = -900
    step = 1024
    while step:
        if found + step <= 900 and _sine((found + step) * 100000 - 50000) * _ONE <= high:
            found += step
        step >>= 1
    return found


def _cosine(angle):
    return _sine(angle + _QUARTER)


def _sine(angle):
    # Good to 2·10⁻⁶: polynomial of Hastings, Approximations for Digital Computers (1955), sheet 15.
    angle %= 4 * _QUARTER
    half = angle // (2 * _QUARTER)
    angle %= 2 * _QUARTER
    x = min(angle, 2 * _QUARTER - angle) * _ONE // _QUARTER
    square = x * x // _ONE
    value = 83349 - 4574 * square // _ONE
    value = 677297 - square * value // _ONE
    value = (1647098 - square * value // _ONE) * x // _ONE
    return -value if half else value

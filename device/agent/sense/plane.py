"""Distances, bearings and roots in whole numbers, for places some kilometres apart.

east_dm, north_dm = local_dm(lat_e6, lon_e6, origin)
bearing_dd(east_dm, north_dm), length(east_dm, north_dm)
"""

from agent.compat import const

_TURN_E6 = const(360000000)

# Farther than a buoy drifts in a day; what is beyond is shown as this far.
_FAR_DM = const(1000000)


def isqrt(n):
    """Return the root of `n` ≥ 0, rounded down."""
    if n < 2:
        return n
    bits = 0
    while n >> bits:
        bits += 2
    root = 1 << (bits >> 1)
    while True:
        next_root = (root + n // root) >> 1
        if next_root >= root:
            return root
        root = next_root


def length(a, b, sign=1):
    """Return the root of a² + b², or with `sign` -1 of a² − b², which must not be below 0."""
    return isqrt(a * a + sign * b * b)


def bearing_dd(east, north):
    """Return the direction of a vector in tenths of a degree from north, 0 to 3599, good to 0.2°."""
    x = abs(east)
    y = abs(north)
    long = max(x, y)
    if not long:
        return 0
    # Rajan et al., Efficient Approximations for the Arctangent Function, IEEE Signal Processing
    # Magazine 23(3), 2006, equation 9: t·45° + t·(1 − t)·(14.02° + 3.79°·t). Here t is in 1/4096.
    t = (min(x, y) * 4096 + long // 2) // long
    angle = (t * 4500 + t * (4096 - t) // 4096 * (1402 + 379 * t // 4096) + 20480) // 40960
    if x > y:
        angle = 900 - angle
    if north < 0:
        angle = 1800 - angle
    if east < 0:
        angle = 3600 - angle
    return angle % 3600


def cos_e6(lat_e6):
    """Return the cosine of a latitude, ±90°, in millionths, good to 3 of them at 60°, 30 at 90°."""
    x = lat_e6 * 355 // 20340  # millionths of a radian, with 355/113 for π
    x = x * x // 1000000
    c = 1000000 - x // 56
    for k in (30, 12, 2):
        c = 1000000 - x * c // (1000000 * k)
    return max(c, 0)


def local_dm(lat_e6, lon_e6, origin):
    """Return (east, north) of a place in decimetres from `origin` (lat_e6, lon_e6).

    The lengths of a degree are WGS 84's at the origin (NGA.STND.0036, section 4); good to a
    thousandth up to 10 km.
    """
    east = (lon_e6 - origin[1] + _TURN_E6 // 2) % _TURN_E6 - _TURN_E6 // 2
    c = cos_e6(origin[0])
    cc = c * c // 1000000
    # Metres per degree: 111,692.7 − 1,119.6 cos², and (111,693.3 − 374.0 cos²) cos.
    north = (lat_e6 - origin[0]) * (1116927 - 11196 * cc // 1000000) // 1000000
    east = east * ((1116933 - 3740 * cc // 1000000) * c // 1000000) // 1000000
    return max(-_FAR_DM, min(east, _FAR_DM)), max(-_FAR_DM, min(north, _FAR_DM))

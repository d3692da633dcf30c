"""The sea, the sky and the ships: small models in which time is an argument.

Times are Unix seconds (UTC). Vectors in the plane are complex numbers, east + north·1j, in metres
or metres per second, around a `place.Place`. Whatever is random is drawn from a named seed, so that
the same seed gives the same sea.
"""

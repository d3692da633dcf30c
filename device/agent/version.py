"""Which agent this is.

`BUILT` is the floor of every clock check: no true time is earlier (a GNSS receiver whose week number
rolled over, or a recorded log, is).
"""

VERSION = b"0.1.0"
BUILT = 217300000  # seconds since 2020-01-01 UTC: 2026-11-20

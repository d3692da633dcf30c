"""Batteries by chemistry: what a cell's voltage says. Millivolts per cell, at rest, at 20 °C.

A row is `(full, warning, alarm, clear, resistance, efficiency, curve)`:

    full        held while the current is small, the charger has filled it; 0: nobody charges it
    warning     a boat should be planned; below `alarm` it should sail
    clear       well again
    resistance  mΩ·Ah: divided by the capacity it is a cell's resistance, polarisation included
    efficiency  of charge put in that can be taken out, %
    curve       rest voltage at 0, 10, … 100 % of charge

Defaults from experience, to be held against the sheet of the battery that is fitted (docs/energy.md).
`clear` of lead is 12.5 V of six cells, as ANST's monitoring units have it, whose 11.0 V for "low" is
too late to send a boat; lithium iron phosphate as in docs/power.md.
"""

NAMES = ("lead", "agm", "lifepo4", "li-ion", "primary")

# fmt: off
_ROWS = (
    (2350, 2000, 1930, 2083, 300, 85,
     (1890, 1918, 1943, 1969, 1993, 2017, 2040, 2062, 2083, 2103, 2122)),
    (2350, 2010, 1945, 2090, 200, 90,
     (1900, 1935, 1965, 1990, 2013, 2035, 2058, 2082, 2105, 2125, 2145)),
    (3450, 3200, 3100, 3275, 200, 99,
     (2500, 3000, 3200, 3225, 3250, 3255, 3270, 3300, 3320, 3350, 3400)),
    (4120, 3550, 3400, 3700, 150, 99,
     (3000, 3610, 3690, 3730, 3770, 3800, 3840, 3900, 3970, 4060, 4150)),
    # Zinc-air and alkaline packs; a cell of 1.5 V.
    (0, 1150, 1050, 1250, 300, 100,
     (900, 1080, 1160, 1210, 1250, 1290, 1330, 1380, 1430, 1500, 1580)),
)
# fmt: on


def row(name):
    """Return a chemistry's row. Raises ValueError for a name that is none of `NAMES`."""
    return _ROWS[NAMES.index(name)]


def percent(curve, cell_mv):
    """Return the charge that a cell at rest has, 0 to 100 %."""
    for i in range(10):
        if cell_mv < curve[i + 1]:
            return max(10 * i + 10 * (cell_mv - curve[i]) // (curve[i + 1] - curve[i]), 0)
    return 100

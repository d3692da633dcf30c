"""What an aid says of itself, for tests of what composes and decodes it. Both interpreters."""

AID = (994131234, 30, "WUSONG KOU 12", 1, 0, 2, 3, 1, 4)
T = 217000000  # 2026-11-16 13:46:40 UTC

ITEMS = ("t", "lat_e6", "lon_e6", "accuracy", "second", "off", "light", "racon", "health",
         "supply_mv", "lamp_ma", "low", "inputs", "first_mv", "second_mv")  # fmt: skip
USUAL = (T, 31250000, 121500000, True, 17, False, 1, 0, False, 13100, 350, False, 0, None, None)

# A `weather` record, and what a sensorless aid has.
WEATHER = (103, 2705, 155, -53, 805, -80, 10132, 9000, 181, 123, 77, 905)
NO_WEATHER = (None,) * 12


def state(**changes):
    """Return the tuple of `ais_compose`, as usual but for `changes`."""
    for name in changes:
        if name not in ITEMS:
            raise ValueError(name)
    return tuple(changes.get(name, USUAL[i]) for i, name in enumerate(ITEMS))

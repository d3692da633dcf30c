"""What the simulators read from a settings table besides the values of `toolkit.settings`."""

from simulators.world.place import Place
from toolkit.settings import Table


def place(table: Table) -> Place:
    """Read the place of the keys `lat` and `lon`, degrees."""
    return Place(
        table.number("lat", low=-89, high=89, unit="degrees"),
        table.number("lon", low=-180, high=180, unit="degrees"),
    )

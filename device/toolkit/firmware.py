"""Tells our firmware from stock MicroPython, by the marker that it carries (device/boards).

    marker(Path("firmware.bin").read_bytes())  ->  Marker(version=1, board="esp32s3-devkitc")

On a running board the same bytes are `fairway_board.MARKER`.
"""

import re
from typing import Final, NamedTuple

_MARKER: Final = re.compile(rb"fairway-board:(\d{1,4}):([a-z0-9-]{1,32}):")


class Marker(NamedTuple):
    """What a firmware says of itself."""

    version: int
    board: str


def marker(image: bytes) -> Marker | None:
    """Return the marker in a firmware image, or in the bytes a board told; None: not ours."""
    found = _MARKER.search(image)
    return None if found is None else Marker(int(found[1]), found[2].decode())

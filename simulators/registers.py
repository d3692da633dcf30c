"""What the meters remember while they have no power: their energy registers, in a small file.

A register must never run backwards, so it is written down before the meter shows it.
"""

import json
import logging
import random
from pathlib import Path

from simulators.files import write_json
from simulators.world.piles import WATT_MS_PER_COUNT

_log = logging.getLogger(__name__)
_MOST_KWH = 999_999  # a DL/T 645 meter begins anew at a million
_FIRST_KWH = (2_000.0, 60_000.0)  # what a meter that nobody remembers has already counted


class Registers:
    """Import registers by device, in watt-milliseconds.

    Args:
        path: the file; it is made when there is something to keep.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = self._load()

    def first(self, device: str, rng: random.Random) -> int:
        """Return what a device's meter remembers, or a used meter's register."""
        kwh = rng.uniform(*_FIRST_KWH)
        return self._kept.setdefault(device, round(kwh * 100) * WATT_MS_PER_COUNT)

    def keep(self, registers: dict[str, int]) -> None:
        """Write the registers down if one shows another count than before."""
        counts = {device: watt_ms // WATT_MS_PER_COUNT for device, watt_ms in registers.items()}
        kept = {device: watt_ms // WATT_MS_PER_COUNT for device, watt_ms in self._kept.items()}
        if counts.items() <= kept.items():
            return
        self._kept.update(registers)
        write_json(self._path, self._kept)

    def _load(self) -> dict[str, int]:
        try:
            kept = json.loads(self._path.read_text("utf-8"))
            return {device: watt_ms for device, watt_ms in kept.items() if _usable(watt_ms)}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError) as error:
            _log.warning("%s cannot be read (%s): the meters start anew", self._path, error)
            return {}


def _usable(watt_ms: object) -> bool:
    return type(watt_ms) is int and 0 <= watt_ms < _MOST_KWH * 100 * WATT_MS_PER_COUNT

"""What the lanterns did, in a file: a line of JSON for each time a light comes or goes.

    {"device": "buoy-1", "ms": 1795269600300, "lit": false}

The times are those of the light's character, to the millisecond, not those of our looking; a light
that photocell or control line switched has the time at which that was seen.
"""

import json
from pathlib import Path

from simulators.world.lamp import Lamp


class LampTrace:
    """A trace of all lanterns.

    Args:
        file: where it goes; it begins anew.
    """

    def __init__(self, file: Path) -> None:
        self._out = file.open("w", encoding="utf-8", buffering=1)
        self._seen: dict[str, tuple[float, bool, bool]] = {}  # time, whether it shone, was lit

    def see(self, device: str, lamp: Lamp, t: float) -> None:
        """Write what a lantern has done until the time `t`."""
        before, shone, lit = self._seen.get(device, (t, False, not lamp.lit_at(t)))
        if shone and lamp.shines and not lamp.stuck:
            for edge, lit_then in lamp.edges(before, t):
                self._write(device, edge, lit_then)
                lit = lit_then
        elif lamp.lit_at(t) != lit:
            lit = lamp.lit_at(t)
            self._write(device, t, lit)
        self._seen[device] = (max(before, t), lamp.shines, lit)

    def close(self) -> None:
        """Close the file."""
        self._out.close()

    def _write(self, device: str, t: float, lit: bool) -> None:
        line = {"device": device, "ms": round(1000 * t), "lit": lit}
        self._out.write(json.dumps(line) + "\n")

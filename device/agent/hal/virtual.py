"""The virtual board (simulators/board): an ESP32 whose host calls `step`."""

import _board

from agent.hal import esp32


class Board(esp32.Board):
    """A virtual board; everything but its loop is the ESP32's."""

    def run(self, step, stop):
        """Hand over to the host: this port collects garbage only between calls from outside."""
        _board.run(step, stop)

"""The virtual board (simulators/board): an ESP32 whose host calls `step`."""

import random

import _board

from agent.hal import esp32


class Board(esp32.Board):
    """A virtual board; everything but its loop and its random numbers is the ESP32's."""

    def random(self, n):
        return bytes(random.getrandbits(8) for _ in range(n))

    def run(self, step, stop):
        """Hand over to the host: this port collects garbage only between calls from outside."""
        _board.run(step, stop)

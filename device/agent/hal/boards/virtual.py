"""The virtual board (simulators/board): an ESP32-S3 carrier without the solder.

The same channels and ratios as the reference board, so that the simulator has to produce what real
pins would see.
"""

from agent.hal.boards.esp32s3_devkitc import ADCS, DIGITALS, I2C, NETWORK, OUTPUTS, UARTS

NAME = "virtual"

__all__ = ("ADCS", "DIGITALS", "I2C", "NAME", "NETWORK", "OUTPUTS", "UARTS")

"""The reference board with a BeiDou terminal on UART0, in place of weather sensors.

Not yet tried on hardware.
"""

from agent.hal.boards import esp32s3_devkitc
from agent.hal.boards.esp32s3_devkitc import ADCS, DIGITALS, I2C, NETWORK, OUTPUTS

NAME = "esp32s3-beidou"
UARTS = dict(esp32s3_devkitc.UARTS)
del UARTS["weather"]
UARTS["rdss"] = (0, 43, 44, None)

__all__ = ("ADCS", "DIGITALS", "I2C", "NAME", "NETWORK", "OUTPUTS", "UARTS")

"""The reference board with a BeiDou terminal on UART0: its console is on USB (GPIO 19 and 20).

Not yet tried on hardware.
"""

from agent.hal.boards import esp32s3_devkitc
from agent.hal.boards.esp32s3_devkitc import ADCS, DIGITALS, NETWORK, OUTPUTS

NAME = "esp32s3-beidou"
UARTS = dict(esp32s3_devkitc.UARTS)
UARTS["rdss"] = (0, 43, 44, None)

__all__ = ("ADCS", "DIGITALS", "NAME", "NETWORK", "OUTPUTS", "UARTS")

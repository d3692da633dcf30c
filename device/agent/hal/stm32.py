"""STM32 boards: Ethernet, pins by name, UARTs with fixed pins."""

import machine
import network

from agent.compat import const
from agent.hal.port import Port
from agent.hal.rp2 import ScaledADC

_RXBUF = const(4096)


class Board(Port):
    """An STM32 board with Ethernet."""

    def start_network(self, settings):
        self._network = network.LAN()
        self._network.active(True)

    def _open_uart(self, number, tx, rx, baud, parity):
        # The pins of a UART are fixed by the port; only the number chooses them.
        return machine.UART(number, baudrate=baud, parity=parity, rxbuf=_RXBUF, timeout=0)

    def _open_adc(self, pin):
        return ScaledADC(super()._open_adc(pin))

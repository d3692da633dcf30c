"""STM32 boards: Ethernet, pins by name, UARTs with fixed pins."""

import machine
import network

from agent.compat import const
from agent.hal.life import RTC
from agent.hal.port import Port
from agent.hal.rp2 import ScaledADC
from agent.version import BUILT

_RXBUF = const(4096)


class Board(Port):
    """An STM32 board with Ethernet."""

    _watchdog_max_ms = 32000  # what its counter holds, nearly

    def rtc(self):
        return RTC(machine.RTC().datetime, BUILT, monday=1)

    def _open_ethernet(self, wiring):
        if not wiring:
            return network.LAN()
        bus, select, reset = wiring
        return network.WIZNET5K(machine.SPI(bus), machine.Pin(select), machine.Pin(reset))

    def _open_uart(self, number, tx, rx, baud, parity):
        # The pins of a UART are fixed by the port; only the number chooses them.
        return machine.UART(number, baudrate=baud, parity=parity, rxbuf=_RXBUF, timeout=0)

    def _open_adc(self, pin):
        return ScaledADC(super()._open_adc(pin))

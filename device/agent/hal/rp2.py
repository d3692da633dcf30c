"""RP2040 and RP2350 (Pico W, Pico 2 W): 16-bit ADC readings, receive buffer up to 32,766 bytes.

Flash writes stop all interrupts on this port, so a busy AIS line loses bytes while the flash is
written (reference B5): the counters in `rx` show it.
"""

from agent.hal.port import Port


class Board(Port):
    """A Pico W or Pico 2 W."""

    _watchdog_max_ms = 8388  # what its counter holds

    def _open_adc(self, pin):
        return ScaledADC(super()._open_adc(pin))


class ScaledADC:
    """Gives microvolts from a 16-bit reading against the 3.3 V reference."""

    def __init__(self, adc):
        self._adc = adc

    def read_uv(self):
        # 3,300,000 / 65,536 in steps that stay within a small integer.
        return (self._adc.read_u16() * 3300 >> 6) * 125 >> 7

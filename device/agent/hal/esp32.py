"""ESP32 family (the reference board is an ESP32-S3): Wi-Fi, NVS as the second boot store."""

import esp32
import machine
import network

from agent.hal.files import FileStore
from agent.hal.life import RAMBackup
from agent.hal.port import Port

# What of a LAN's wiring are pins; the rest are numbers, and `phy_type` is a name in `network`.
_LAN_PINS = ("mdc", "mdio", "power", "reset", "ref_clk", "cs", "int")


class Board(Port):
    """An ESP32 board."""

    def boot_stores(self):
        return FileStore("/data/boot-a"), NVSStore("fairway", "boot")

    def backup(self):
        return RAMBackup(machine.RTC().memory)

    def _open_ethernet(self, wiring):
        named = {}
        for name, value in wiring.items():
            if name == "phy_type":
                named[name] = getattr(network, value)
            else:
                named[name] = machine.Pin(value) if name in _LAN_PINS else value
        return network.LAN(0, **named)

    def _open_adc(self, pin):
        # 11 dB: up to about 3.1 V; read_uv is calibrated by the factory's values.
        return machine.ADC(machine.Pin(pin), atten=machine.ADC.ATTN_11DB)


class NVSStore:
    """A value in the non-volatile storage partition, apart from the file system."""

    def __init__(self, namespace, key):
        self._nvs = esp32.NVS(namespace)
        self._key = key

    def load(self):
        buf = bytearray(64)
        try:
            n = self._nvs.get_blob(self._key, buf)
        except OSError:
            return None
        return bytes(buf[:n])

    def save(self, data):
        self._nvs.set_blob(self._key, data)
        self._nvs.commit()

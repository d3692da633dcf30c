"""ESP32 family (the reference board is an ESP32-S3): Wi-Fi, NVS as the second boot store."""

import esp32
import machine
import network

from agent.hal.files import FileStore
from agent.hal.port import Port


class Board(Port):
    """An ESP32 board."""

    def start_network(self, settings):
        if settings is None:
            return
        self._network = network.WLAN(network.STA_IF)
        self._network.active(True)
        self._network.connect(settings["ssid"], settings["key"])

    def boot_stores(self):
        return FileStore("/boot-a"), NVSStore("fairway", "boot")

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

# mypy: ignore-errors
"""The virtual board's `network`: a Wi-Fi that the simulator switches on and off."""

import _board
import micropython

STA_IF = micropython.const(0)
AP_IF = micropython.const(1)

STAT_IDLE = micropython.const(1000)
STAT_CONNECTING = micropython.const(1001)
STAT_GOT_IP = micropython.const(1010)


class WLAN:
    """The station interface; it is connected while the simulator says so."""

    IF_STA = STA_IF
    IF_AP = AP_IF

    _active = True  # one radio, however many objects

    def __init__(self, interface=STA_IF):
        if interface != STA_IF:
            raise ValueError("the virtual board is no access point")

    def active(self, *flag):
        """Tell, or set, whether the radio is on."""
        if flag:
            WLAN._active = bool(flag[0])
        return WLAN._active

    def connect(self, ssid=None, key=None, **options):
        """Ask for a connection; the simulator decides."""

    def disconnect(self):
        """Accept it, without effect."""

    def isconnected(self):
        """Tell whether there is an address to send from."""
        return WLAN._active and _board.network()

    def status(self, *what):
        """Return the state of the connection, or the signal strength in dBm."""
        if what:
            if what[0] == "rssi":
                return -60
            raise ValueError("unknown status param")
        if not WLAN._active:
            return STAT_IDLE
        return STAT_GOT_IP if _board.network() else STAT_CONNECTING

    def ifconfig(self):
        """Return (address, netmask, gateway, name server)."""
        if not self.isconnected():
            return ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def config(self, name):
        """Return the MAC address; nothing else can be asked."""
        if name == "mac":
            return bytes.fromhex(_board.mac)
        raise ValueError("unknown config param")

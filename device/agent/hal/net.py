"""The interfaces below the link (their protocol: `link.bearer.Nothing`).

A board file's `NETWORK` says which it has: "wifi": (), "ethernet": what the port's constructor takes,
"ppp": (line, power key's pin or None, its active level, milliseconds to press it). Access chooses among
them: an APN wants PPP, a Wi-Fi its key, and neither means Ethernet.
"""

import network

from agent.link.bearer import Nothing
from agent.wire.codes import LINK_ETHERNET, LINK_WIFI

# Ports that tell why there is no Wi-Fi give these numbers; their names are for people as well.
_REASONS = ("WRONG_PASSWORD", "NO_AP_FOUND", "CONNECT_FAIL")


def choose(access, fitted):
    """Return which of the `fitted` interfaces this access wants: wifi, ethernet, ppp, or None."""
    for name, section, key in (
        ("ppp", "apn", "name"),
        ("wifi", "wifi", "ssid"),
        ("ethernet", "", ""),
    ):
        if name in fitted and (not section or (access.get(section) or {}).get(key)):
            return name
    return None


class WiFi(Nothing):
    """A station; `wifi` is {"ssid", "key"}."""

    kind = LINK_WIFI
    error = ""

    def __init__(self, wifi):
        self._ssid = wifi["ssid"]
        self._key = wifi.get("key")
        self._wlan = network.WLAN(network.STA_IF)

    def start(self, now_ms):
        wlan = self._wlan
        wlan.active(True)
        if wlan.isconnected():
            return
        try:
            # Not every port tries again by itself, and ESP32 refuses while it still does.
            wlan.disconnect()
            wlan.connect(self._ssid, self._key)
        except OSError as error:
            self.error = str(error)

    def up(self, now_ms):
        if self._wlan.isconnected():
            self.error = ""
            return True
        status = self._wlan.status()
        for reason in _REASONS:
            if status == getattr(network, "STAT_" + reason, None):
                self.error = reason
        return False

    def stop(self):
        self._wlan.active(False)

    def cycle(self, now_ms):
        self.stop()
        self.start(now_ms)

    def signal(self):
        return self._wlan.status("rssi") if self._wlan.isconnected() else None


class Ethernet(Nothing):
    """A wired interface; `nic` is the port's own object."""

    kind = LINK_ETHERNET
    error = "no cable, or no address"

    def __init__(self, nic):
        self._nic = nic

    def start(self, now_ms):
        if not self._nic.active():
            self._nic.active(True)

    def up(self, now_ms):
        return self._nic.isconnected()

    def stop(self):
        self._nic.active(False)

    def cycle(self, now_ms):
        self.stop()
        self.start(now_ms)

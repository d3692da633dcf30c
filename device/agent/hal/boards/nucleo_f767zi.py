"""STM32 Nucleo-F767ZI: Ethernet, pins by the chip's names. Not yet tried on hardware.

UART numbers choose the pins: 2 is D5/D6, 4 is A0/A1, 6 is C6/C7.
"""

NAME = "nucleo-f767zi"
UARTS = {
    "gnss": (2, None, None, None),
    "ais": (6, None, None, None),
    "rs485": (6, None, None, "G2"),
}
NETWORK = {"ethernet": ()}
ADCS = {
    "lamp_ma": ("A3", 1, 1, 0),  # 0.1 ohm shunt, amplifier ×10: 1 mV is 1 mA
    "batt_mv": ("C0", 11, 1, 0),  # divider 100k/10k
    "batt_ma": ("C3", 10, 1, -15000),  # Hall sensor, 1500 mV at zero
    "solar_mv": ("F3", 11, 1, 0),
    "temp_dc": ("F5", 1, 1, -500),  # TMP36
}
DIGITALS = {
    "plug": ("F12", 0),
    "breaker": ("D15", 0),
}
I2C: dict = {}
OUTPUTS = {
    "lantern": ("E13", 1),  # with a pull-down, as all of them: let go, it asks for nothing
    "lamp_test": ("F15", 1),
}

"""Raspberry Pi Pico 2 W on a carrier: two UARTs, three analogue inputs.

Only GPIO 26-28 are analogue, so current and temperature need a board with more. Not yet tried on
hardware.
"""

NAME = "pico2-w"
UARTS = {
    "gnss": (0, 0, 1, None),
    "ais": (1, 4, 5, None),
    "rs485": (1, 4, 5, 6),
}
NETWORK = {"wifi": ()}
ADCS = {
    "lamp_ma": (26, 1, 1, 0),  # 0.1 ohm shunt, amplifier ×10: 1 mV is 1 mA
    "batt_mv": (27, 11, 1, 0),  # divider 100k/10k
    "solar_mv": (28, 11, 1, 0),
}
DIGITALS = {
    "plug": (10, 0),
    "breaker": (11, 0),
}
I2C: dict = {}
OUTPUTS = {
    "lantern": (12, 1),  # with a pull-down, as all of them: let go, it asks for nothing
    "lamp_test": (13, 1),
}

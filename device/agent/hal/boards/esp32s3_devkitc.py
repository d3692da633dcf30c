"""ESP32-S3-DevKitC-1 (N8R8) on Fairway's reference carrier: the reference board.

UART0 stays the console. GPIO 35-37 belong to the PSRAM, 19 and 20 to USB, 0/3/45/46 are straps:
none of them is used here. All analogue inputs are on ADC1 (GPIO 1-10): ADC2 and Wi-Fi share the
converter. Not yet tried on hardware.
"""

NAME = "esp32s3-devkitc"
UARTS = {
    "gnss": (1, 17, 18, None),
    "ais": (2, 15, 16, None),
    "rs485": (2, 15, 16, 14),
}
NETWORK = {"wifi": ()}
ADCS = {
    "lamp_ma": (4, 1, 1, 0),  # 0.1 ohm shunt, amplifier ×10: 1 mV is 1 mA
    "batt_mv": (5, 11, 1, 0),  # divider 100k/10k: 0 to 33 V
    "batt_ma": (6, 10, 1, -15000),  # Hall sensor, 1500 mV at zero, 0.1 mV per mA: ±15 A
    "solar_mv": (7, 11, 1, 0),
    "temp_dc": (8, 1, 1, -500),  # TMP36: 500 mV at 0 °C, 10 mV per kelvin: 1 mV is 0.1 °C
}
DIGITALS = {
    "plug": (10, 0),
    "breaker": (11, 0),
}
OUTPUTS = {
    "lantern": (12, 1),  # with a pull-down, as all of them: let go, it asks for nothing
    "lamp_test": (13, 1),
}

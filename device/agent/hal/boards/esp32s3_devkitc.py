"""ESP32-S3-DevKitC-1 (N8R8) on Fairway's reference carrier: the reference board.

The console is the USB port (GPIO 19 and 20), so that UART0 is free for weather and water sensors.
GPIO 35-37 belong to the PSRAM, 0/3/45/46 are straps: none of them is used here. All analogue inputs
are on ADC1 (GPIO 1-10): ADC2 and Wi-Fi share the converter. Not yet tried on hardware.
"""

NAME = "esp32s3-devkitc"
UARTS = {
    "gnss": (1, 17, 18, None),
    "ais": (2, 15, 16, None),
    "rs485": (2, 15, 16, 14),
    "weather": (0, 43, 44, None),
}
NETWORK = {"wifi": ()}
ADCS = {
    "lamp_ma": (4, 1, 1, 0),  # 0.1 ohm shunt, amplifier ×10: 1 mV is 1 mA
    "batt_mv": (5, 11, 1, 0),  # divider 100k/10k: 0 to 33 V
    "batt_ma": (6, 10, 1, -15000),  # Hall sensor, 1500 mV at zero, 0.1 mV per mA: ±15 A
    "solar_mv": (7, 11, 1, 0),
    "temp_dc": (8, 1, 1, -500),  # TMP36: 500 mV at 0 °C, 10 mV per kelvin: 1 mV is 0.1 °C
    "lux": (9, 1, 1, 0),  # TEMT6000 at 10 kohm: 1 mV is about 1 lx, full at 3,100 lx
    "residual_ma": (1, 1, 10, 0),  # residual current transformer and converter: 10 mV per mA
    "plug_dc": (2, 1, 1, -500),  # TMP36 in the connector
}
DIGITALS = {
    "plug": (10, 0),
    "breaker": (11, 0),
    "hatch": (21, 0),  # closed contact: the hatch is open
    "water": (40, 0),  # float switch in the housing
    "loop": (41, 0),  # auxiliary contact of the safety loop's relay: closed while the loop is
}
I2C = {
    "motion": (0, 48, 47),  # bus, SCL, SDA: LIS3DH accelerometer
}
OUTPUTS = {
    "lantern": (12, 1),  # with a pull-down, as all of them: let go, it asks for nothing
    "lamp_test": (13, 1),
}

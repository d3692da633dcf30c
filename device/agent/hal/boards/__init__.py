"""Pins as data: one file per board, named as in the configuration.

NAME        the name, again, for the birth record
UARTS       port -> (uart number, tx pin, rx pin, direction pin or None)
ADCS        channel -> (pin, numerator, denominator, offset): sensor value in mV or mA =
            pin millivolts * numerator // denominator + offset
DIGITALS    name -> (pin, active level)
I2C         name -> (bus number, scl pin, sda pin)
NETWORK     interface -> its wiring: "wifi": (), "ethernet": what the port's layer takes,
            "ppp": (line in UARTS, power key's pin or None, its active level, ms to press it);
            such a board file imports `agent.hal.ppp`, so that a bundle for it has the module
"""

"""Pins as data: one file per board, named as in the configuration.

NAME        the name, again, for the birth record
UARTS       port -> (uart number, tx pin, rx pin, direction pin or None)
ADCS        channel -> (pin, numerator, denominator, offset): sensor value in mV or mA =
            pin millivolts * numerator // denominator + offset
DIGITALS    name -> (pin, active level)
"""

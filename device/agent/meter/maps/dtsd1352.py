"""Acrel DTSD1352: holding registers, integers with the high word first, secondary values.

Source: the maker's manual; addresses as it has them. Energies count 0.01 kWh before PT and CT. Where
they begin anew is not confirmed, and tariff registers and THD are not either: they are not read.
"""

from agent.meter.maps import (
    EXPORT,
    I_A,
    I_B,
    I_C,
    IMPORT,
    P_A,
    P_B,
    P_C,
    PF,
    U_A,
    U_B,
    U_C,
    F,
    P,
    Q,
    S,
)
from agent.meter.modbus import I16, I32, U16

FUNCTION = 3
LOW_FIRST = False
MODULUS = None
SPANS = (
    (
        0x0061,
        23,
        (
            (U_A, 0x0061, U16, -1),
            (U_B, 0x0062, U16, -1),
            (U_C, 0x0063, U16, -1),
            (I_A, 0x0064, U16, -2),
            (I_B, 0x0065, U16, -2),
            (I_C, 0x0066, U16, -2),
            (F, 0x0077, U16, -2),
        ),
    ),
    (
        0x0164,
        28,
        (
            (P_A, 0x0164, I32, 0),
            (P_B, 0x0166, I32, 0),
            (P_C, 0x0168, I32, 0),
            (P, 0x016A, I32, 0),
            (Q, 0x0172, I32, 0),
            (S, 0x017A, I32, 0),
            (PF, 0x017F, I16, -3),
        ),
    ),
    (0x000A, 12, ((IMPORT, 0x000A, I32, -2), (EXPORT, 0x0014, I32, -2))),
)

"""Acrel ADW300: holding registers, integers with the high word first.

Source: evcc's template, which multiplies by no ratio; whether values are secondary is not said there.
Where the energy registers begin anew is not known. f, PF, Q, S and THD are not in it.
"""

from agent.meter.maps import EXPORT, I_A, I_B, I_C, IMPORT, P_A, P_B, P_C, U_A, U_B, U_C, P
from agent.meter.modbus import I32, U16

FUNCTION = 3
LOW_FIRST = False
MODULUS = None
SPANS = (
    (
        20,
        18,
        (
            (U_A, 20, U16, -1),
            (U_B, 21, U16, -1),
            (U_C, 22, U16, -1),
            (I_A, 26, U16, -2),
            (I_B, 27, U16, -2),
            (I_C, 28, U16, -2),
            (P_A, 30, I32, 0),
            (P_B, 32, I32, 0),
            (P_C, 34, I32, 0),
            (P, 36, I32, 0),
        ),
    ),
    (62, 4, ((IMPORT, 62, I32, -2), (EXPORT, 64, I32, -2))),
)

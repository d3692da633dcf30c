"""Chint DTSU666: holding registers, floats with the high word first, in 0.1 V, 0.001 A, 0.1 W … kWh.

Source: mbmd, and reference/shore-power.md §3.4 for the phase voltages (mbmd reads those between phases,
from 2000h). Whether values are secondary is not said there. S and THD are not in it.
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
)
from agent.meter.modbus import F32

FUNCTION = 3
LOW_FIRST = False
MODULUS = None
SPANS = (
    (
        0x2006,
        64,
        (
            (U_A, 0x2006, F32, -1),
            (U_B, 0x2008, F32, -1),
            (U_C, 0x200A, F32, -1),
            (I_A, 0x200C, F32, -3),
            (I_B, 0x200E, F32, -3),
            (I_C, 0x2010, F32, -3),
            (P, 0x2012, F32, -1),
            (P_A, 0x2014, F32, -1),
            (P_B, 0x2016, F32, -1),
            (P_C, 0x2018, F32, -1),
            (Q, 0x201A, F32, -1),
            (PF, 0x202A, F32, -3),
            (F, 0x2044, F32, -2),
        ),
    ),
    (0x101E, 12, ((IMPORT, 0x101E, F32, 0), (EXPORT, 0x1028, F32, 0))),
)

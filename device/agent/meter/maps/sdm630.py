"""Eastron SDM630: input registers, floats with the high word first, in V, A, W, var, VA, %, kWh.

Source: the maker's protocol, as mbmd has it. Whether values are primary is not said there: a meter
that was told its transformer ratios multiplies by itself, and then `pt` and `ct` stay 1.

A float's step grows: 0.016 kWh from 131,072 kWh on (reference/shore-power.md §3.4).
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
    THD_A,
    THD_B,
    THD_C,
    U_A,
    U_B,
    U_C,
    F,
    P,
    Q,
    S,
)
from agent.meter.modbus import F32

FUNCTION = 4
LOW_FIRST = False
MODULUS = None
SPANS = (
    (
        0x0000,
        72,
        (
            (U_A, 0x0000, F32, 0),
            (U_B, 0x0002, F32, 0),
            (U_C, 0x0004, F32, 0),
            (I_A, 0x0006, F32, 0),
            (I_B, 0x0008, F32, 0),
            (I_C, 0x000A, F32, 0),
            (P_A, 0x000C, F32, 0),
            (P_B, 0x000E, F32, 0),
            (P_C, 0x0010, F32, 0),
            (P, 0x0034, F32, 0),
            (S, 0x0038, F32, 0),
            (Q, 0x003C, F32, 0),
            (PF, 0x003E, F32, 0),
            (F, 0x0046, F32, 0),
        ),
    ),
    (0x0048, 4, ((IMPORT, 0x0048, F32, 0), (EXPORT, 0x004A, F32, 0))),
    (0x00EA, 6, ((THD_A, 0x00EA, F32, 0), (THD_B, 0x00EC, F32, 0), (THD_C, 0x00EE, F32, 0))),
)

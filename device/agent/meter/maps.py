"""Which data identifier or register holds which quantity: the meters we can read, as data.

A value is `integer × 10**exponent` in V, A, W, 1, Hz or kWh. Float registers are read one digit
finer than a record wants them, so that transformer ratios multiply before the rounding.

Sources: DL/T 645-2007 annex A; SDM630 Modbus protocol, input registers.
"""

from agent.compat import const
from agent.meter.modbus import F32, READ_INPUT

# Quantities, the first ten in the order of the `meter` schema behind its flags.
U_A = const(0)
U_B = const(1)
U_C = const(2)
I_A = const(3)
I_B = const(4)
I_C = const(5)
P = const(6)
PF = const(7)
F = const(8)
STATUS = const(9)
IMPORT = const(10)  # energy registers from here on
EXPORT = const(11)
QUANTITIES = const(12)

# Which transformer ratios lead to the primary value.
PT = const(1)
CT = const(2)
RATIOS = (PT, PT, PT, CT, CT, CT, PT | CT, 0, 0, 0)

# How DL/T 645 data hold a number.
BCD = const(0)
SIGNED = const(1)  # BCD, the top bit is the sign
BITS = const(2)

# (quantity, data identifier, bytes, kind, exponent)
DLT645 = (
    (STATUS, 0x04000503, 2, BITS, 0),  # status word 3
    (U_A, 0x02010100, 2, BCD, -1),
    (U_B, 0x02010200, 2, BCD, -1),
    (U_C, 0x02010300, 2, BCD, -1),
    (I_A, 0x02020100, 3, SIGNED, -3),
    (I_B, 0x02020200, 3, SIGNED, -3),
    (I_C, 0x02020300, 3, SIGNED, -3),
    (P, 0x02030000, 3, SIGNED, -1),  # XX.XXXX kW
    (PF, 0x02060000, 2, SIGNED, -3),
    (F, 0x02800002, 2, BCD, -2),
    (IMPORT, 0x00010000, 4, BCD, -2),
    (EXPORT, 0x00020000, 4, BCD, -2),
)
RELAY_OPEN = const(0x10)  # bit 4 of status word 3

# A Modbus map: its function and its spans, each one read: (first register, registers, rows), a row
# being (quantity, register, kind, exponent). A span holds energy registers or others, not both.
# Spans differ in length, so that an answer that comes too late is never taken for another span's.
#
# SDM630: a count of energy is 0.01 kWh, because a float32 register steps by more than 0.001 kWh
# from 16,384 kWh on and by more than 0.01 kWh from 131,072 kWh on.
SDM630 = (
    READ_INPUT,
    (
        (
            0x0000,
            72,
            (
                (U_A, 0x0000, F32, -2),
                (U_B, 0x0002, F32, -2),
                (U_C, 0x0004, F32, -2),
                (I_A, 0x0006, F32, -4),
                (I_B, 0x0008, F32, -4),
                (I_C, 0x000A, F32, -4),
                (P, 0x0034, F32, -1),
                (PF, 0x003E, F32, -3),
                (F, 0x0046, F32, -2),
            ),
        ),
        (
            0x0048,
            4,
            (
                (IMPORT, 0x0048, F32, -2),
                (EXPORT, 0x004A, F32, -2),
            ),
        ),
    ),
)

MODBUS = {"sdm630": SDM630}

"""What meters measure, and in maps of their own how each kind of meter is asked for it, as data.

A value is kept as `integer / 10**PLACES[quantity]` in V, A, W, var, VA, 1, %, Hz or kWh, as the meter
counts it: secondary values where there are transformers. Most are one digit finer than a record wants
them, so that the ratios multiply before the rounding.

One map is imported, that of the meter at the pile: `dlt645`, or a Modbus map with

    FUNCTION   3 holding registers, 4 input registers
    LOW_FIRST  whether a number's low word comes first
    MODULUS    the energy registers begin anew at so many counts of 0.01 kWh; None: not known, or a
               float, which has no such number
    SPANS      each one read: (first register, registers, rows), a row being (quantity, register, kind,
               exponent); the register's number times 10**exponent is the value in V, A, W … kWh

A span holds energy registers or others, not both. The spans of a map differ in length, so that an
answer that comes too late is never taken for another span's.
"""

from agent.compat import const

# Quantities: the first ten in the order of the `meter` schema behind its flags, the next eight in the
# order of `supply`, then the energy registers.
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
P_A = const(10)
P_B = const(11)
P_C = const(12)
Q = const(13)
S = const(14)
THD_A = const(15)
THD_B = const(16)
THD_C = const(17)
IMPORT = const(18)
T1 = const(19)
T2 = const(20)
T3 = const(21)
T4 = const(22)
EXPORT = const(23)
QUANTITIES = const(24)

PLACES = b"\2\2\2\4\4\4\1\3\2\0\1\1\1\1\1\2\2\2\2\2\2\2\2\2"
COUNT_E = const(-2)  # one count of an energy register is 10**COUNT_E kWh

# Which transformer ratios lead to the primary value.
PT = const(1)
CT = const(2)
RATIOS = b"\1\1\1\2\2\2\3\0\0\0\3\3\3\3\3\0\0\0"

RELAY_OPEN = const(0x10)  # bit 4 of DL/T 645's status word 3

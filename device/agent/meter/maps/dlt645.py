"""Data of DL/T 645-2007 meters (annex A). Secondary values; energy registers are decimal.

A row of `ROWS` is (data identifier, quantities, bytes of each, kind, exponent). A row of several
quantities is read as a block, whose identifier has FFh in its second lowest byte; from a meter that
has no blocks one by one, each identifier 100h above the last.
"""

from agent.compat import const

# How a datum holds a number.
BCD = const(0)
SIGNED = const(1)  # BCD, the top bit is the sign
BITS = const(2)

MODULUS = const(100000000)  # 999999.99 kWh and one count more is nought
# fmt: off
ROWS = (
    (0x04000503, b"\x09", 2, BITS, 0),  # status word 3; the first row: orders are followed by it
    (0x02010100, b"\x00\x01\x02", 2, BCD, -1),  # U of A, B, C
    (0x02020100, b"\x03\x04\x05", 3, SIGNED, -3),  # I
    (0x02030000, b"\x06\x0a\x0b\x0c", 3, SIGNED, -1),  # P total, A, B, C: XX.XXXX kW
    (0x02060000, b"\x07", 2, SIGNED, -3),  # PF total
    (0x02800002, b"\x08", 2, BCD, -2),  # f
    (0x00010000, b"\x12\x13\x14\x15\x16", 4, BCD, -2),  # import total and tariffs 1 to 4
    (0x00020000, b"\x17", 4, BCD, -2),  # export total
    (0x02040000, b"\x0d", 3, SIGNED, -1),  # Q total
    (0x02050000, b"\x0e", 3, BCD, -1),  # S total
    (0x02080100, b"\x0f\x10\x11", 2, BCD, -2),  # THD of U
)
# fmt: on

"""One sentence of NMEA 0183 / IEC 61162-1: its fields, read as integers.

Nothing here allocates except `copy` and an error. Numbers are decimal digits with or without a sign
and a point; an exponent, blanks or anything else is refused, as is what does not fit ±(2**30 - 1),
where a 32-bit board's small integers end.
"""

from array import array

from agent.compat import const
from agent.errors import RemoteError

FIELDS_MAX = const(64)  # XDR and GSA of unusual receivers come to about 30

_NUMBER_MAX = const(0x3FFFFFFF)
_FRACTION_DIGITS = const(7)  # of a minute: 0.02 mm, more than any receiver resolves

_PLUS = const(0x2B)
_MINUS = const(0x2D)
_POINT = const(0x2E)
_ZERO = const(0x30)
_E = const(0x45)
_N = const(0x4E)
_S = const(0x53)
_W = const(0x57)


class FieldError(RemoteError):
    """A field of a sentence whose checksum is right does not say what its format wants.

    `code` is "number" (not one, or beyond ±(2**30 - 1)), "char" (more than one character) or
    "value" (out of its range, or missing where the sentence needs it).
    """


class Sentence:
    """The fields of one sentence.

    Field 0 is the address, the data fields are 1 to `fields`; a field that is not there reads as an
    empty one.

    `talker` and `type` are the address's letters as one number: `$GPGGA` has 0x4750 and 0x474741.
    Both are 0 for an address that is not five characters long, which is compared by `equals`.
    """

    def __init__(self, buffer):
        self.buffer = buffer  # the characters between `$` and `*`
        self.fields = 0
        self.talker = 0
        self.type = 0
        # Field i begins at starts[i] and ends before starts[i + 1] - 1, the comma.
        self.starts = array("H", bytes(2 * (FIELDS_MAX + 2)))

    def start(self, i):
        """Return where field `i` begins in `buffer`."""
        return self.starts[i] if i <= self.fields else 0

    def end(self, i):
        """Return where field `i` ends in `buffer`."""
        return self.starts[i + 1] - 1 if i <= self.fields else 0

    def is_empty(self, i):
        return self.start(i) == self.end(i)

    def copy(self, i):
        """Return field `i` as new bytes."""
        return bytes(self.buffer[self.start(i) : self.end(i)])

    def equals(self, i, text):
        """Tell whether field `i` is exactly `text` (bytes)."""
        at = self.start(i)
        if self.end(i) - at != len(text):
            return False
        for c in text:
            if self.buffer[at] != c:
                return False
            at += 1
        return True

    def char(self, i):
        """Return the code of a field of one character, 0 if it is empty; FieldError if longer."""
        at = self.start(i)
        length = self.end(i) - at
        if length > 1:
            raise self.error("char", i)
        return self.buffer[at] if length else 0

    def integer(self, i):
        """Return field `i`, decimal digits with or without a sign; None if it is empty.

        Raises FieldError if it is anything else, a decimal fraction included.
        """
        return self._number(i, 0, 10, False)

    def hexadecimal(self, i):
        """Return field `i`, hexadecimal digits; None if it is empty, FieldError if it is no such."""
        return self._number(i, 0, 16, False)

    def decimal(self, i, places):
        """Return field `i` times 10**places, rounded to nearest, halves away from zero.

        None if it is empty, FieldError if it is no decimal number or too large.
        """
        return self._number(i, places, 10, True)

    def latitude_e6(self, i):
        """Return fields `i` (`ddmm.mmm`) and `i` + 1 (N or S) in degrees·10⁶, to nearest.

        Raises FieldError if they are empty, no such number, or beyond 90°.
        """
        return self._coordinate(i, _N, _S, 90000000)

    def longitude_e6(self, i):
        """Return fields `i` (`dddmm.mmm`) and `i` + 1 (E or W); see `latitude_e6`."""
        return self._coordinate(i, _E, _W, 180000000)

    def time_of_day_ms(self, i):
        """Return field `i` (`hhmmss.sss`) in milliseconds since midnight; None if it is empty.

        During a leap second it reaches 86,400,999. FieldError if there is no such time.
        """
        value = self.decimal(i, 3)
        if value is None:
            return None
        second = value % 100000
        minute = value // 100000 % 100
        if not 0 <= value < 240000000 or minute > 59 or second > 60999:
            raise self.error("value", i)
        return value // 10000000 * 3600000 + minute * 60000 + second

    def error(self, code, i):
        """Return a FieldError that names the sentence and field `i`."""
        return FieldError(code, "field %d of %s" % (i, str(self.copy(0), "ascii")))

    def _coordinate(self, i, positive, negative, limit):
        value = self._angle_e6(i)
        side = self.char(i + 1)
        if value > limit:
            raise self.error("value", i)
        if side == negative:
            return -value
        if side != positive:
            raise self.error("value", i + 1)
        return value

    def _angle_e6(self, i):
        at = self.start(i)
        end = self.end(i)
        if at == end:
            raise self.error("value", i)
        whole = 0
        fraction = 0
        digits = -1  # of the fraction; -1 before the point
        while at < end:
            c = self.buffer[at]
            at += 1
            if c == _POINT and digits < 0:
                digits = 0
            elif not _ZERO <= c < _ZERO + 10:
                raise self.error("number", i)
            elif digits < 0:
                whole = whole * 10 + c - _ZERO
                if whole > 99999:
                    raise self.error("number", i)
            elif digits < _FRACTION_DIGITS:  # further digits cannot change the rounding below
                fraction = fraction * 10 + c - _ZERO
                digits += 1
        minute = whole % 100
        if minute > 59:
            raise self.error("value", i)
        while digits < _FRACTION_DIGITS:
            if digits >= 0:
                fraction *= 10
            digits += 1
        # A minute is 10⁶/60 of our units: minutes·10⁷ / 600.
        return whole // 100 * 1000000 + (minute * 10000000 + fraction + 300) // 600

    def _number(self, i, places, base, pointed):
        at = self.start(i)
        end = self.end(i)
        if at == end:
            return None
        sign = 1
        if base == 10 and self.buffer[at] in (_PLUS, _MINUS):
            sign = -1 if self.buffer[at] == _MINUS else 1
            at += 1
        value = 0
        digits = 0
        point = False
        up = 0  # 1 when the first digit cut off is five or more
        while at < end:
            c = self.buffer[at]
            at += 1
            if c == _POINT and pointed and not point:
                point = True
                continue
            c = digit(c)
            if not 0 <= c < base:
                raise self.error("number", i)
            digits += 1
            if not point or places > 0:
                if value > (_NUMBER_MAX - 15) // base:
                    raise self.error("number", i)
                value = value * base + c
                if point:
                    places -= 1
            elif places == 0:
                up = 1 if c > 4 else 0
                places = -1
        if not digits:
            raise self.error("number", i)
        while places > 0:
            if value > _NUMBER_MAX // 10:
                raise self.error("number", i)
            value *= 10
            places -= 1
        return sign * (value + up)


def digit(c):
    """Return the value of a hexadecimal digit's code, -1 for any other."""
    if 0x30 <= c <= 0x39:
        return c - 0x30
    c |= 0x20
    return c - 0x57 if 0x61 <= c <= 0x66 else -1

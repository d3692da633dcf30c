"""An AIS unit for aids to navigation: sends message 21 by itself, and what its board gives it.

A board writes `!AIVDM` (a whole message, sent as it is), `!AIABM` or `!AIBBM` (the data of an addressed
or of a broadcast message, which the unit puts into one; IEC 61162-1) to its line. ABM and BBM are
answered with `$AIABK`. While the board gives message 21 for this aid, the unit's own rests.
"""

import random
from collections import deque
from collections.abc import Iterable

from simulators.sensors.ais import AidStation, Armoured, Payload
from simulators.world.aid import Aid
from simulators.world.place import Place

_QUEUE = 16  # messages; a unit has no more slots than that reserved
_REST_S = 400.0  # two reports and a bit
_SENT, _NOT_SENT = 3, 2  # ABK: broadcast or addressed without waiting; could not be
_ATON = 21
_LINE_MOST = 82


class AidUnit(AidStation):
    """The unit of one aid.

    Args:
        mmsi, name, kind, aid, rng, floating: as of `AidStation`.

    Attributes:
        silent: whether it has stopped transmitting.
        refused: lines that were not understood, or came while the queue was full.
    """

    def __init__(
        self, mmsi: int, name: str, kind: str, aid: Aid, rng: random.Random, *, floating: bool
    ) -> None:
        super().__init__(mmsi, name, kind, aid, rng, floating=floating)
        self.silent = False
        self.refused = 0
        self._given: deque[str] = deque()
        self._parts: list[str] = []
        self._to = ("", "")
        self._own_rests_s: float | None = None

    def messages(self, t: float) -> Iterable[tuple[Place, Payload]]:
        """Yield its own message 21 when it is due and the board gives none."""
        if not self.silent and (self._own_rests_s is None or t > self._own_rests_s):
            yield from super().messages(t)

    def armoured(self, t: float) -> Iterable[Armoured]:
        """Yield what it was given since."""
        while self._given:
            bits = self._given.popleft()
            if self.silent:
                continue
            if _number(bits, 0, 6) == _ATON and _number(bits, 8, 30) == self._mmsi:
                self._own_rests_s = t + _REST_S
            text, fill = _armour(bits)
            yield Armoured(self._aid.place, text, fill)

    def take(self, line: str) -> str | None:
        """Take a line from the board; return the unit's answer, if it gives one."""
        fields = _fields(line)
        kind = fields[0][2:] if fields else ""
        try:
            if kind == "VDM" and len(fields) == 7:
                bits = self._whole(fields[1], fields[2], fields[5], fields[6])
                self.refused += not (bits is None or self._queue(bits))
                return None
            if kind == "ABM" and len(fields) == 9:
                return self._binary(fields, dest=fields[4], message=fields[6], data=fields[7:])
            if kind == "BBM" and len(fields) == 8:
                return self._binary(fields, dest="", message=fields[5], data=fields[6:])
        except ValueError:
            self._parts.clear()
        self.refused += 1
        return None

    def _binary(self, fields: list[str], dest: str, message: str, data: list[str]) -> str | None:
        if int(fields[2]) == 1:
            self._to = dest, message  # what follows need not say it again
        bits = self._whole(fields[1], fields[2], *data)
        if bits is None:
            return None
        dest, message = self._to
        number, sequence = int(message), int(fields[3])
        head = f"{number:06b}00{self._mmsi:030b}"
        if dest and number == 6:
            head += f"{sequence % 4:02b}{int(dest):030b}00"
        elif not dest and number == 8:
            head += "00"
        else:
            raise ValueError
        sent = self._queue(head + bits)
        if not sent:
            self.refused += 1
        words = ["AIABK", dest, "", message, str(sequence), str(_SENT if sent else _NOT_SENT)]
        return _sentence(",".join(words))

    def _whole(self, total: str, number: str, data: str, fill: str) -> str | None:
        """Return the bits when the last part has come."""
        if int(number) == 1:
            self._parts.clear()
        elif int(number) != len(self._parts) + 1:
            raise ValueError
        bits = "".join(f"{_value(letter):06b}" for letter in data)
        self._parts.append(bits[: len(bits) - int(fill)])
        if int(number) < int(total):
            return None
        whole = "".join(self._parts)
        self._parts.clear()
        return whole

    def _queue(self, bits: str) -> bool:
        if len(self._given) >= _QUEUE or not bits:
            return False
        self._given.append(bits)
        return True


def _fields(line: str) -> list[str]:
    """Return a line's fields; none if its checksum is wrong or it is no encapsulated sentence."""
    body, star, checksum = line.strip().rpartition("*")
    if not star or len(line.rstrip()) > _LINE_MOST - 2 or body[:1] != "!":
        return []
    if _checksum(body[1:]) != checksum.upper():
        return []
    return body[1:].split(",")


def _sentence(body: str) -> str:
    return f"${body}*{_checksum(body)}"


def _checksum(body: str) -> str:
    total = 0
    for byte in body.encode("ascii", "replace"):
        total ^= byte
    return f"{total:02X}"


def _value(letter: str) -> int:
    """Return the six bits of a letter (ITU-R M.1371, IEC 61162-1 table of six-bit characters)."""
    value = ord(letter) - 48
    if value > 40:
        value -= 8
    if not 0 <= value < 64:
        raise ValueError
    return value


def _armour(bits: str) -> tuple[str, int]:
    fill = -len(bits) % 6
    bits += "0" * fill
    values = (int(bits[i : i + 6], 2) for i in range(0, len(bits), 6))
    return "".join(chr(value + (48 if value < 40 else 56)) for value in values), fill


def _number(bits: str, at: int, size: int) -> int:
    return int(bits[at : at + size] or "0", 2)

"""What pynmea2 and pyais read in a log, as the rows that tests/device/replay.py prints.

The rules of the agent that go beyond those two packages (what is null, what is refused) are written
here once more, from the standards, and each time one of them makes a difference it is counted under
a key of DIFFERENCES.
"""

import math
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import reduce
from operator import xor
from typing import Any, ClassVar

import pynmea2
from pyais.decode import decode_nmea_and_ais
from pyais.messages import to_turn

from agent.wire.schema import AIS, AIS_ATON, AIS_STATIC

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)

# What the agent reads otherwise than pyais, in the words of docs/nmea-and-ais.md.
DIFFERENCES = {
    "short": "shorter than its type",
    "at": "text ends before the first `@`",
    "blank": "leading blanks stay",
    "code": "reserved codes stay as they are sent",
    "fifteenth": "no fifteenth character",
    "not available": "not available is null",
    "meaningless": "without a meaning is null",
}

SENTENCE = re.compile(rb"([$!])([^\x00-\x1f\x7f-\xff$!*]{1,256})\*([0-9A-Fa-f]{2})")


def sentences(data: bytes) -> list[bytes]:
    """Return the sentences with a right checksum, from start character to checksum."""
    return [
        match[0]
        for match in SENTENCE.finditer(data)
        if reduce(xor, match[2]) == int(match[3], 16)
        and match[2][:1] != b","
        and match[2].count(b",") <= 64
    ]


def scaled(number: Any, places: int) -> int | None:
    """Return a decimal number as an integer, halves away from zero; None for an empty field."""
    if number in (None, ""):
        return None
    return int(Decimal(str(number)).scaleb(places).to_integral_value(ROUND_HALF_UP))


class SkyModel:
    """Satellites used and in view, kept as sets: what pynmea2's GSA and GSV say of each."""

    ORDER = ("GPS", "GLONASS", "Galileo", "BeiDou")
    TALKERS: ClassVar = {"GL": "GLONASS", "GA": "Galileo", "GB": "BeiDou", "BD": "BeiDou"}
    SYSTEMS: ClassVar = {"1": "GPS", "2": "GLONASS", "3": "Galileo", "4": "BeiDou"}

    def __init__(self) -> None:
        self.used: list[int | None] = [None] * 4
        self.view: list[int | None] = [None] * 4
        self.mode: int | None = None
        self.strongest: dict[str, int] = {}
        self._epoch: list[pynmea2.GSA] = []
        self._round: dict[str, list[pynmea2.GSV]] = {}

    @property
    def cn0(self) -> int | None:
        return max(self.strongest.values(), default=None)

    def gsa(self, message: Any) -> None:
        self._epoch.append(message)

    def epoch(self) -> None:
        if not self._epoch:
            return
        seen = {
            (self._name(message, number, message.data[17:18]), number)
            for message in self._epoch
            for number in message.data[2:14]
            if number
        }
        self.used = [sum(name == wanted for name, _ in seen) for wanted in self.ORDER]
        self.mode = max(int(message.mode_fix_type) for message in self._epoch)
        self._epoch = []

    def gsv(self, message: Any) -> None:
        earlier = self._round.setdefault(message.talker, [])
        if message.msg_num == "1":
            if earlier:
                self._close(message.talker, earlier)
            earlier.clear()
        earlier.append(message)

    def _close(self, talker: str, messages: list[Any]) -> None:
        if len(messages) != int(messages[0].num_messages):
            return  # the log begins in the middle
        seen = {}
        for message in messages:
            for i in range(3, len(message.data) - 3, 4):
                number, cn0 = message.data[i], message.data[i + 3]
                seen[self._name(message, number, []), number] = int(cn0 or 0)
        for name in {self.TALKERS.get(talker, "GPS"), *(name for name, _ in seen)} & {*self.ORDER}:
            self.view[self.ORDER.index(name)] = sum(name == found for found, _ in seen)
        self.strongest[talker] = max(seen.values())

    def _name(self, message: Any, number: str, system: list[str]) -> str:
        if message.talker in self.TALKERS:
            return self.TALKERS[message.talker]
        if system and message.talker == "GN":
            return self.SYSTEMS[system[0]]
        ranges = {"GPS": range(1, 33), "GLONASS": range(65, 97), "BeiDou": range(201, 238)}
        return next((name for name, numbers in ranges.items() if int(number) in numbers), "SBAS")


class GNSSModel:
    """What pynmea2 reads."""

    def __init__(self) -> None:
        self.position: list[Any] = [None, None]
        self.fix: list[Any] = [None, None, None, None]  # quality, satellites, HDOP, altitude
        self.motion: list[Any] = [None, None]
        self.time: list[Any] = [None, None]
        self.sky = SkyModel()
        self._timestamp: Any = None

    def read(self, raw: bytes) -> list[Any] | None:
        """Return the row for one sentence, None if it is none of the agent's."""
        kind = raw.split(b",")[0][3:].decode()
        if kind not in ("GGA", "GNS", "RMC", "GLL", "VTG", "ZDA", "GSA", "GSV"):
            return None
        message = pynmea2.parse(raw.decode(), check=True)
        if kind in ("GGA", "GNS", "RMC", "GLL"):
            stamp = getattr(message, "timestamp", None)
            if stamp not in (None, "", self._timestamp):
                self._timestamp = stamp
                self.sky.epoch()
        getattr(self, kind.lower())(message)
        sky = (*self.sky.used, *self.sky.view, self.sky.cn0)
        return [
            "gnss", message.talker + kind, *self.position, *self.fix, *self.motion, self.sky.mode,
            *self.time, *sky, 0,
        ]  # fmt: skip

    def gga(self, message: Any) -> None:
        self._place(message, bool(message.gps_qual))
        self.fix = [message.gps_qual, scaled(message.num_sats, 0), None, None]
        if message.gps_qual:
            self.fix[2:] = [scaled(message.horizontal_dil, 2), scaled(message.altitude, 1)]

    def gns(self, message: Any) -> None:
        letters = set(message.mode_indicator)
        assert letters <= {"A", "N"}, "this model knows these modes only"
        self._place(message, "A" in letters)
        self.fix = [int("A" in letters), scaled(message.num_sats, 0), None, None]
        if "A" in letters:
            self.fix[2:] = [scaled(message.hdop, 2), scaled(message.altitude, 1)]

    def rmc(self, message: Any) -> None:
        self._place(message, message.status == "A")
        if message.status == "A":
            self.motion = [scaled(message.data[6], 2), scaled(message.data[7], 2)]
        self._date(message)

    def gll(self, message: Any) -> None:
        self._place(message, message.status == "A")

    def vtg(self, message: Any) -> None:
        if self.position[0] is not None:
            self.motion = [scaled(message.data[4], 2), scaled(message.data[0], 2)]

    def zda(self, message: Any) -> None:
        self._date(message)

    def gsa(self, message: Any) -> None:
        self.sky.gsa(message)

    def gsv(self, message: Any) -> None:
        self.sky.gsv(message)

    def _place(self, message: Any, valid: bool) -> None:
        if not valid:
            self.position = [None, None]
            self.fix[2:] = [None, None]
            self.motion = [None, None]
            return
        self.position = []
        for text, side, degrees in (
            (message.lat, message.lat_dir, message.latitude),
            (message.lon, message.lon_dir, message.longitude),
        ):
            whole, minutes = divmod(Fraction(text), 100)
            e6 = math.floor((whole + minutes / 60) * 1_000_000 + Fraction(1, 2))
            self.position.append(e6 if side in "NE" else -e6)
            assert abs(self.position[-1] - degrees * 1e6) <= 1  # pynmea2's own arithmetic

    def _date(self, message: Any) -> None:
        since = message.datetime.replace(tzinfo=UTC) - EPOCH
        self.time = [since.days * 86400 + since.seconds, since.microseconds // 1000]


class AISModel:
    """What pyais reads; counts as the agent's counters do."""

    ARMOUR = b"0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVW`abcdefghijklmnopqrstuvw"
    MAKERS: ClassVar = dict.fromkeys((1, 2, 3, 4, 18, 27), ((AIS, "position"),)) | {
        5: ((AIS_STATIC, "static"),),
        19: ((AIS, "position"), (AIS_STATIC, "static")),
        21: ((AIS_ATON, "aton"),),
        24: ((AIS_STATIC, "static"),),
    }

    def __init__(self) -> None:
        self.types: Counter[int] = Counter()
        self.owns = 0
        self.refused = 0
        self.differences: Counter[str] = Counter()
        self._parts: dict[tuple[bytes, ...], dict[bytes, bytes]] = {}

    def read(self, raw: bytes) -> list[list[Any]] | None:
        """Return the reports that a sentence completes, None if it is no VDM or VDO."""
        if raw[3:6] not in (b"VDM", b"VDO"):
            return None
        address, total, number, sequence, channel, payload, _ = raw.split(b",")
        parts = self._parts.setdefault((address, total, sequence, channel), {})
        parts[number] = raw
        if len(parts) < int(total):
            return []
        del self._parts[address, total, sequence, channel]
        own = raw[3:6] == b"VDO"
        payload = parts[b"1"].split(b",")[5]
        kind = self.ARMOUR.index(payload[:1])
        if kind not in self.MAKERS:
            self._count(kind, own)
            return []
        sentence, message = decode_nmea_and_ais(*parts.values())
        if kind <= 3 and len(sentence.bv) < 168:
            self.differences["short"] += 1
            self.refused += 1
            return []
        self._count(kind, own)
        return [
            ["ais", schema_id, int(own), *getattr(self, name)(message, sentence.bv)]
            for schema_id, name in self.MAKERS[kind]
        ]

    def unfinished(self) -> int:
        """Return how many messages lack a part at the log's end."""
        return len(self._parts)

    def _count(self, kind: int, own: bool) -> None:
        if own:
            self.owns += 1
        else:
            self.types[kind] += 1

    def position(self, m: Any, bits: Any) -> tuple[Any, ...]:
        turn = None
        if m.msg_type <= 3:
            turn = bits.get_num(42, 8, True)
            assert to_turn(turn) == m.turn
        at = self._utc(m) if m.msg_type == 4 else None
        status = None
        if hasattr(m, "status"):
            status = self._code(m.status, bits, 40 if m.msg_type == 27 else 38, 4)
        knots, degrees = getattr(m, "speed", None), getattr(m, "course", None)
        top = 63 if m.msg_type == 27 else 102.3
        return (
            m.msg_type, m.mmsi, *self._place(m),
            self._known(knots, top, 0, top - 0.05, 1),
            self._known(degrees, {360, 511}, 0, 359.9, 1),
            self._known(getattr(m, "heading", None), 511, 0, 359, 0),
            status, turn, int(m.accuracy),
            None if m.msg_type in (4, 27) else m.second, int(m.raim), at,
        )  # fmt: skip

    def static(self, m: Any, bits: Any) -> tuple[Any, ...]:
        eta = draught = vendor = mother = epfd = part = ship_type = None
        if m.msg_type == 5:
            sent = (m.month, m.day, m.hour, m.minute)
            eta = sum(value * 100**i for i, value in enumerate(reversed(sent)))
            eta = self._known(eta, 2460, 0, 15316363, 0)
            draught = self._known(m.draught, 0, 0.1, 25.5, 1)
        if m.msg_type == 24:
            part = m.partno
            if part == 1:
                vendor = self._vendor(m, bits)
                epfd = bits.get_num(162, 4)  # pyais has the six bits at the end as spare
                mother = getattr(m, "mothership_mmsi", None)
        else:
            epfd = self._code(m.epfd, bits, {5: 270, 19: 301}[m.msg_type], 4)
        if part != 0:
            ship_type = self._code(m.ship_type, bits, {5: 232, 19: 263, 24: 40}[m.msg_type], 8)
        size = self._size(m) if hasattr(m, "to_bow") else (None,) * 4
        texts = [
            self._text(getattr(m, name, None), bits, place, length)
            for name, place, length in (
                ("callsign", 70 if m.msg_type == 5 else 90, 7),
                ("shipname", {5: 112, 19: 143, 24: 40}[m.msg_type], 20),
                ("destination", 302, 20),
            )
        ]
        imo = self._known(getattr(m, "imo", None), 0, 1, 2**30, 0)
        return (
            m.msg_type, m.mmsi, part, imo, *texts[:2], ship_type, *size, epfd, eta,
            draught, texts[2], mother, vendor,
        )  # fmt: skip

    def aton(self, m: Any, bits: Any) -> tuple[Any, ...]:
        name = self._text(m.name, bits, 43, 20)
        extension = self._text(m.name_ext, bits, 272, 14, read=15)
        if extension and any(bits.get_num(43 + 6 * i, 6) == 0 for i in range(20)):
            self.differences["extension"] += 1
            extension = None
        return (
            m.mmsi, self._code(m.aid_type, bits, 38, 5), name, extension, *self._place(m),
            int(m.accuracy), int(m.off_position), m.reserved_1, int(m.virtual_aid), m.second,
            self._code(m.epfd, bits, 249, 4), *self._size(m), int(m.raim), int(m.assigned),
        )  # fmt: skip

    def _known(self, value: Any, none: Any, low: float, high: float, places: int) -> int | None:
        # pyais gives the number that means "not available", or one that the standard leaves out.
        if value is None:
            return None
        if value in (none if isinstance(none, set) else {none}):
            self.differences["not available"] += 1
            return None
        if not low <= value <= high:
            self.differences["meaningless"] += 1
            return None
        return round(value * 10**places)

    def _code(self, code: int, bits: Any, place: int, width: int) -> int:
        # pyais has no names for reserved codes and gives another code instead.
        sent = int(bits.get_num(place, width))
        if sent != int(code):
            self.differences["code"] += 1
        return sent

    def _place(self, m: Any) -> tuple[int | None, int | None]:
        if (m.lat, m.lon) == (91, 181):
            self.differences["not available"] += 1
            return None, None
        if abs(m.lat) > 90 or abs(m.lon) > 180:
            self.differences["meaningless"] += 1
            return None, None
        return round(m.lat * 1e6), round(m.lon * 1e6)

    def _size(self, m: Any) -> tuple[int | None, ...]:
        size = (m.to_bow, m.to_stern, m.to_port, m.to_starboard)
        if not any(size):
            self.differences["not available"] += 1
            return (None,) * 4
        return size

    def _text(
        self, text: str | None, bits: Any, place: int, length: int, read: int = 0
    ) -> bytes | None:
        # `read`: how many characters pyais takes, where that is not `length`.
        if text is None:
            return None
        codes = [bits.get_num(place + 6 * i, 6) for i in range(read or length)]
        sent = "".join(chr(code + 64 if code < 32 else code) for code in codes)
        assert sent.rstrip("@").strip() == text  # pyais's way
        if sent[length:].strip("@"):
            self.differences["fifteenth"] += 1
            text = sent[:length].rstrip("@").strip()
        ours = sent[:length].split("@")[0].rstrip()
        if ours.strip() != text:
            self.differences["at"] += 1
        elif ours != text:
            self.differences["blank"] += 1
        return ours.encode() or None

    def _vendor(self, m: Any, bits: Any) -> bytes | None:
        maker = self._text(m.vendorid, bits, 48, 3) or b""
        number = (m.model << 20 | m.serial).to_bytes(3, "big")
        return maker.ljust(3, b"@") + number if maker or any(number) else None

    def _utc(self, m: Any) -> int | None:
        try:
            at = datetime(m.year, m.month, m.day, m.hour, m.minute, m.second, tzinfo=UTC)
        except ValueError:
            sent = (m.year, m.month, m.day, m.hour, m.minute, m.second)
            unset = any(a == b for a, b in zip(sent, (0, 0, 0, 24, 60, 60), strict=True))
            self.differences["not available" if unset else "meaningless"] += 1
            return None
        return int((at - EPOCH).total_seconds())


class Expected:
    """All rows of a log's replay, and what was compared."""

    def __init__(self, data: bytes) -> None:
        gnss = GNSSModel()
        self.ais = AISModel()
        self.rows: list[list[Any]] = []
        self.kinds: Counter[str] = Counter()
        self.good = sentences(data)
        for raw in self.good:
            reports = self.ais.read(raw)
            if reports is not None:
                self.rows += reports
                continue
            row = gnss.read(raw)
            if row is not None:
                self.rows.append(row)
                self.kinds[raw[3:6].decode()] += 1

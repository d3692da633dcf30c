"""AIS reports from a receiver's VDM and VDO sentences (IEC 61162-1, ITU-R M.1371-5).

    ais = AIS()
    ais.take(sentence, now_ms)    # True: it was a VDM or VDO
    ais.poll(now_ms)              # gives up messages whose parts stayed away
    while True:
        report = ais.next_report()
        if report is None:
            break
        schema_id, values = report    # valid until the next call; `ais.own`: sent by this station

Messages 1-4, 18, 19 and 27 become reports of the schema `ais`, 5, 19 and 24 of `ais-static`, 21 of
`ais-aton`; all others are counted. Message 19 makes two reports.
"""

from array import array

from agent.compat import const
from agent.errors import LocalError
from agent.sense import ais_messages
from agent.sense.ais_messages import BITS_MIN, PART_B_BITS, SIX_MAX
from agent.sense.ais_parts import PARTS_MAX, Parts
from agent.sense.sentence import FieldError
from agent.wire import schema

_VDM = const(0x56444D)
_VDO = const(0x56444F)

_TYPES = const(28)  # message types 0 to 27

# Messages waiting to be fetched: two polls of a receiver, were they all reports.
_QUEUE_MAX = const(16)

_CHARS_MAX = const(255)  # of one sentence's payload; its length must fit a byte
_FILL_MAX = const(5)
_NO_SEQUENCE = const(10)  # beside the ids 0 to 9


class AIS:
    """Decodes AIS sentences; see the module's text.

    Counters, growing for ever. Of messages heard: `ships` (1-3, 18, 19, 27), `statics` (5, 24),
    `bases` (4), `atons` (21), `others`; by type in `counts[type]`. `owns`: messages of this station
    itself (VDO), which are in none of these. `bad`: sentences and messages refused (fields, armour,
    length); `torn`: messages given up because parts were missing; `dropped`: good messages that
    found the queue full.
    """

    def __init__(self):
        self.ships = 0
        self.statics = 0
        self.bases = 0
        self.atons = 0
        self.others = 0
        self.owns = 0
        self.bad = 0
        self.dropped = 0
        self.counts = [0] * _TYPES
        self.own = False
        self._parts = Parts()
        # A ring with one place more than it holds: the free one is where sentences are unpacked.
        self._six = [bytearray(SIX_MAX) for _ in range(_QUEUE_MAX + 1)]
        self._bits = array("H", bytes(2 * (_QUEUE_MAX + 1)))
        self._owns = bytearray(_QUEUE_MAX + 1)
        self._first = 0
        self._free = 0
        self._second_half = False  # of a message 19: the next report is its static part
        self._part = bytearray(_CHARS_MAX)
        self._position = (schema.AIS, _values(schema.AIS))
        self._static = (schema.AIS_STATIC, _values(schema.AIS_STATIC))
        self._aton = (schema.AIS_ATON, _values(schema.AIS_ATON))

    @property
    def torn(self):
        return self._parts.torn

    def poll(self, now_ms):
        """Give up messages whose parts stayed away."""
        self._parts.expire(now_ms)

    def take(self, sentence, now_ms):
        """Read `sentence` if it is VDM or VDO, of whatever talker; tell whether it is."""
        if sentence.type not in (_VDM, _VDO):
            return False
        try:
            good = self._take(sentence, now_ms)
        except FieldError:
            good = False
        if not good:
            self.bad += 1
        return True

    def next_report(self):
        """Return the next `(schema id, list of values)`, None if there is none.

        The same tuples and lists are used again by the next call.
        """
        if self._first == self._free:
            return None
        six = self._six[self._first]
        bits = self._bits[self._first]
        self.own = bool(self._owns[self._first])
        kind = six[0]
        if kind == 19 and not self._second_half:
            self._second_half = True
            ais_messages.position(kind, six, self._position[1])
            return self._position
        self._second_half = False
        self._first = (self._first + 1) % (_QUEUE_MAX + 1)
        if kind == 21:
            ais_messages.aton(six, bits, self._aton[1])
            return self._aton
        if kind in (5, 19, 24):
            ais_messages.static(kind, six, bits, self._static[1])
            return self._static
        ais_messages.position(kind, six, self._position[1])
        return self._position

    def _take(self, s, now_ms):
        total = s.integer(1)
        number = s.integer(2)
        sequence = s.integer(3)
        fill = s.integer(6) or 0  # left empty by some transponders
        if not total or not number or not 1 <= number <= total <= PARTS_MAX:
            return False
        if not 0 <= fill <= _FILL_MAX or (fill and number < total):
            return False
        if sequence is not None and not 0 <= sequence < _NO_SEQUENCE:
            return False
        own = s.type == _VDO
        if total == 1:
            length = _unarmour(s, self._six[self._free])
            return length > 0 and self._accept(6 * length - fill, own)
        length = _unarmour(s, self._part)
        if not 0 < length <= _CHARS_MAX:
            return False
        source = s.talker << 1 | own
        key = s.char(4) << 4 | (_NO_SEQUENCE if sequence is None else sequence)
        message = self._parts.add(source, key, total, number, self._part, length, fill, now_ms)
        if message is None:
            return True
        return self._accept(6 * message.copy(self._six[self._free]) - message.fill, own)

    def _accept(self, bits, own):
        # A whole message in the ring's free place: count it, and keep it if we read its type.
        six = self._six[self._free]
        kind = six[0]
        wanted = BITS_MIN[kind] if kind < _TYPES else 0
        if kind == 24 and bits >= wanted:
            part = ais_messages.unsigned(six, 38, 2)
            if part > 1 or (part == 1 and bits < PART_B_BITS):
                return False
        if kind == 0 or bits < wanted:
            return False
        self._count(kind, own)
        if not wanted:
            return True
        after = (self._free + 1) % (_QUEUE_MAX + 1)
        if after == self._first:
            self.dropped += 1
            return True
        self._bits[self._free] = bits
        self._owns[self._free] = own
        self._free = after
        return True

    def _count(self, kind, own):
        if own:
            self.owns += 1
            return
        if kind < _TYPES:
            self.counts[kind] += 1
        if kind in (1, 2, 3, 18, 19, 27):
            self.ships += 1
        elif kind in (5, 24):
            self.statics += 1
        elif kind == 4:
            self.bases += 1
        elif kind == 21:
            self.atons += 1
        else:
            self.others += 1


def _unarmour(s, out):
    # The payload's six-bit values into `out`, as far as it goes; how many there are, 0 if one of the
    # characters is none of the 64.
    at = s.start(5)
    length = s.end(5) - at
    room = len(out)
    line = s.buffer
    for i in range(length):
        c = line[at + i]
        if 0x30 <= c < 0x58:
            c -= 0x30
        elif 0x60 <= c < 0x78:
            c -= 0x38
        else:
            return 0
        if i < room:
            out[i] = c
    return length


def _values(schema_id):
    for row in schema.SCHEMAS:
        if row and row[0] == schema_id:
            return [None] * len(row[3])
    raise LocalError("schema %d" % schema_id)

"""Light characters: what "Fl(2) R 6s" on a chart says that a lantern does.

    character = read("Q(6)+LFl 15s")
    character.phases     light, dark, light, dark … in ms

Reads the abbreviations of INT 1 (section P) and IALA R0110 as charts and lists of lights write them,
older spellings too, with lengths in brackets behind them if need be ("Fl R 4s (0.5+3.5)"), and the
sequences of S-57 (SIGSEQ) and OpenStreetMap: "0.5+(1),0.5+(4)", "(1)+5", eclipses in brackets.

A character on a chart gives class, group and period; how long each flash lasts is the lantern
maker's choice. Lengths that are not given are those of common lanterns: a flash of 0.5 s with 1 s to
the next of its group and 2.5 s to the next group, a long flash of 2 s, quick ones of 0.3 s in 1 s,
0.2 s in 0.5 s and 0.1 s in 0.25 s, an eclipse of 1 s, a Morse dot of 0.5 s. Where a period has no
room for them they shrink; a long flash and the rate of a quick light do not.
"""

import re
from array import array

from agent.compat import const

FIXED = const(0)
FLASHING = const(1)
LONG = const(2)
QUICK = const(3)
VERY_QUICK = const(4)
ULTRA_QUICK = const(5)
ISO = const(6)
OCCULTING = const(7)
MORSE = const(8)
ALTERNATING = const(9)

_PERIOD_MAX_MS = const(60000)
_PHASES_MAX = const(64)  # 32 flashes: IUQ with 10 s has 28

_SHORTEST_MS = const(80)  # a flash of an ultra quick light has 100
_SHARE = const(48)  # % of the period that a group may fill: it is darker than light
_LONG_MS = const(2000)  # R0110: at least
_ECLIPSE_MS = const(1000)
_INTERRUPTION_MS = const(3000)
_DOT_MS = const(500)

# By kind. Each is an expression of its own: one for all is too long for MicroPython's.
_CLASSES = const(
    (
        "F(?:FL)?",
        "FL",
        "LFL",
        "(?:INT|I)?Q(?:K?FL|K)?",
        "I?VQ(?:K?FL|K)?",
        "I?UQ",
        "ISO",
        "OCC?",
        "MO",
        "",
    )
)
_ORDER = const(b"\x08\x07\x06\x05\x04\x03\x02\x01\x00\x09")
_GROUP = const(r"(?:\(([1-9](?:\+[1-9])*)\))?(\+ *LFL)?")
_LETTERS = const(r"\(([A-Z]+)\)()")
# Colour; period; height or range; lengths.
_DETAIL = const(r"(BU|BL|VI|AM|OR|[WRGY])|([0-9.]+) *S|[0-9./-]+ *M|\([0-9].*\)$")

# From FLASHING: light, and darkness within a group.
_LENGTHS = const(((500, 1000), (2000, 2000), (300, 700), (200, 300), (100, 150)))

# From A: the marks behind the first 1, a dash is 1.
_MORSE = const(
    b"\x05\x18\x1a\x0c\x02\x12\x0e\x10\x04\x17\x0d\x14\x07\x06\x0f\x16\x1d\x0a\x08\x03\x09\x11\x0b\x19\x1b\x1c"
)


class Character:
    """What a light does in one period, beginning with light.

    `phases` is light, dark, light, dark … in ms; it sums to `period_ms`. A light that is never dark
    has no phases and the period 0. `exact`: the lengths were given; else only class, group and period
    are binding, and of an interrupted quick light (IQ) not even the number of flashes.
    """

    # No method, so that a Character does not keep this module's code in the heap (docs/light.md).
    kind: int
    phases: array
    period_ms: int
    exact: bool


def read(text):
    """Return the Character that `text` names; ValueError, with a text for people, if it is none."""
    try:
        s = text.strip().upper()
        kind, phases, exact, turns = _sequence(s) if re.match("[(0-9]", s) else _chart(s)
        period = sum(phases)
        if period > _PERIOD_MAX_MS or len(phases) > _PHASES_MAX or len(phases) % 2:
            raise ValueError("more than 60 s or 32 lights, or no darkness after one")
        dark = not phases or sum(phases[::2]) * 2 < period or kind in (ISO, OCCULTING, ALTERNATING)
        if not dark or (phases and not exact and min(phases) < _SHORTEST_MS):
            raise ValueError("the period is too short, or the light too long")
    except ValueError as error:
        raise ValueError("light character '%s': %s" % (text, error))
    character = Character()
    character.kind = ALTERNATING if turns else kind
    character.phases = array("H", phases)
    character.period_ms = period
    character.exact = exact
    return character


def _sequence(s):
    phases = []
    dark = first = s[0] == "("
    for part in s.replace(",", "+").split("+"):
        part = part.strip()
        if dark != (part[:1] == "("):
            raise ValueError("light and eclipse (in brackets) do not alternate")
        phases.append(_ms(part[1:-1] if dark and part[-1] == ")" else part))
        dark = not dark
    if first:
        phases.append(phases.pop(0))
    light = sum(phases[::2]) * 2
    kind = FLASHING if min(phases[::2]) < _LONG_MS else LONG
    if light >= sum(phases):
        kind = ISO if light == sum(phases) else OCCULTING
    return kind, phases, True, False


def _chart(s):
    # Blanks and points that part words go; inside a number they stay, because "2.5s" is not 25 s,
    # and what ".5s" is nobody knows.
    s = s.replace("·", ".").replace(",", ".").replace("..", "?").replace(" .", "?")
    s = re.sub("([A-Z)])[ .]+", r"\1", s + " ")
    turns, _, s = _taken("(?:DIR)?(?:GP)?(ALT?)?()", s)
    broken = s[:1] == "I" and s[1:2] != "S"
    for kind in _ORDER:
        found = _taken(_CLASSES[kind] + (_LETTERS if kind == MORSE else _GROUP), s)
        if found:
            break
    group, longer, s = found
    alone = broken or kind in (FIXED, ISO, ALTERNATING)
    if (alone and (group or longer)) or (kind == ALTERNATING and not turns):
        raise ValueError("it is not like 'Fl(2) R 6s', 'Q(6)+LFl 15s', 'Mo(A) 8s' or 'F G'")
    period = lengths = None
    colours = ""
    while s:
        found = _taken(_DETAIL, s)
        if not found or (period and found[1]):
            raise ValueError(
                "'%s' is no colour (W R G Y Bu Vi Am Or), period, height or range" % s
            )
        if found[0]:
            colours += found[0][0]
        elif found[1]:
            period = _ms(found[1])
        elif s[0] == "(":
            lengths = [_ms(part) for part in re.sub("[A-Z ]", "", s[1:-1]).split("+")]
        s = found[2].strip()

    if lengths and not period:
        period = sum(lengths)
    if turns and colours == "BY":
        kind = ALTERNATING  # the emergency wreck mark, dark between its colours
    elif kind in (FIXED, ALTERNATING):
        period = -1
    if QUICK <= kind <= ULTRA_QUICK and group in (None, "1") and not broken:
        usual = sum(_LENGTHS[kind - 1])
        period = period or usual
        if not usual * 3 <= period * 4 <= usual * 5:
            period = None
    if not period:
        raise ValueError("the period is missing, or not that of a quick light")
    phases = []
    if period > 0:
        times = max(2, len(colours)) if turns and not group else 1
        phases = _phases(kind, group, longer, period // times, broken) * times
    if lengths:
        if sum(lengths) != period or (not broken and len(lengths) != len(phases)):
            raise ValueError("the lengths do not fit to class and period")
        phases = lengths
    return kind, phases, lengths is not None, turns


def _taken(pattern, s):
    # The first two groups of what `s` begins with, and the rest of it.
    head = re.match(pattern, s)
    return (head.group(1), head.group(2), s[len(head.group(0)) :]) if head else None


def _phases(kind, group, longer, period, broken):
    off = 0
    phases: list = []
    if kind == MORSE:
        for letter in group:
            bits = _MORSE[ord(letter) - 65]
            bit = 16
            while bit > bits:
                bit >>= 1
            while bit > 1:
                bit >>= 1
                phases += (_DOT_MS * 3 if bits & bit else _DOT_MS, _DOT_MS)
            phases[-1] = _DOT_MS * 3
    else:
        counts = [int(count) for count in (group or "1").split("+")]
        if kind == OCCULTING:
            on = off = min(_ECLIPSE_MS, period // (4 * sum(counts)))
        elif kind > ULTRA_QUICK:
            on = period // 2 if kind == ISO else period * 2 // 3
        else:
            on, off = _LENGTHS[kind - 1]
            if broken:
                counts[0] = max(1, (period - _INTERRUPTION_MS) // (on + off))
        for count in counts:
            phases += (on, off) * count
            phases[-1] = off * 5 // 2
    phases.pop()
    used = sum(phases)
    room = period * _SHARE // 100
    if used > room and kind in (FLASHING, LONG, MORSE):
        still = sum(phases[::2]) if kind == LONG else 0
        for i in range(len(phases)):
            if i % 2 or not still:
                phases[i] = phases[i] * (room - still) // (used - still)
    rest = period - sum(phases)
    if kind == OCCULTING:
        return [rest] + phases
    if len(phases) > 1:
        off = phases[1]
    if longer:
        phases += (off, _LONG_MS)
        rest -= off + _LONG_MS
    if len(phases) > 1 and rest <= off:
        rest = 0  # no darkness between the groups: too short
    return phases + [rest]


def _ms(text):
    whole, point, part = text.partition(".")
    value = 0
    if whole.isdigit() and (part.isdigit() or not point):
        value = int(whole) * 1000 + int((part + "000")[:3])
    if not 0 < value <= _PERIOD_MAX_MS:
        raise ValueError("'%s' is no length up to 60 s" % text)
    return value

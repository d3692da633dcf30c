"""Light characters: from "Fl(2) R 6s" to the seconds that the light is on and off.

A character (IALA R0110, INT 1 section P) fixes class, group and period; how long each flash lasts is
the lantern maker's choice. The conventions here are those of common lanterns: a flash of 0.5 s with
1 s to the next of its group, quick flashes of 0.3 s in 1 s and very quick ones of 0.2 s in 0.5 s, a
long flash of 2 s, an eclipse of 1 s, Morse dots of 0.5 s. Where a short period leaves no room for
them, they shrink in proportion.

    >>> phases("Q(6)+LFl 15s")[-2:]
    [Phase(on=0.3, off=0.7), Phase(on=2.0, off=7.0)]
"""

import re
from typing import NamedTuple


class LightError(ValueError):
    """A light character that is not understood: says which, and why."""


class Phase(NamedTuple):
    """Light, then darkness, in seconds. A fixed light is one phase without darkness."""

    on: float
    off: float


_FLASHES = {"Fl": (0.5, 1.0), "LFl": (2.0, 2.0)}  # light, and darkness within the group
_GROUP_GAP = 2.5  # darkness between the groups of a composite character
_ECLIPSE = 1.0
_QUICK = {"Q": (0.3, 0.7), "VQ": (0.2, 0.3), "UQ": (0.1, 0.15)}
_INTERRUPTION = 3.0  # the least total eclipse of an interrupted quick light
_DOT = 0.5
_DASH = 1.5
_SHARE = 0.48  # of the period that a group may fill: a flashing light is darker than light
_EMERGENCY_WRECK = {"Bu", "Y"}  # alternates with darkness between its colours (IALA R1001)

_MORSE = {
    "A": ".-", "B": "-...", "C": "-.-.", "D": "-..", "E": ".", "F": "..-.", "G": "--.",
    "H": "....", "I": "..", "J": ".---", "K": "-.-", "L": ".-..", "M": "--", "N": "-.",
    "O": "---", "P": ".--.", "Q": "--.-", "R": ".-.", "S": "...", "T": "-", "U": "..-",
    "V": "...-", "W": ".--", "X": "-..-", "Y": "-.--", "Z": "--..",
}  # fmt: skip

# How charts and notices also write it: other abbreviations, dots, elevation and range.
_SPELLINGS = (
    (r"\bGp\.?\s*", ""),
    (r"\bAlt\b", "Al"),
    (r"\bOcc\b", "Oc"),
    (r"\bV\.?\s?Qk\.?\s?(?:Fl\b)?", "VQ"),
    (r"\bQk\.?\s?(?:Fl\b)?", "Q"),
    (r"\bL\.?\s?Fl\b", "LFl"),
    (r"\bBl\b", "Bu"),
    (r"\b\d+(?:\.\d+)?\s*[mM]\b", ""),
    (r"(?<!\d)\.|\.(?!\d)", " "),
)
_COLOUR = r"(?:Bu|Vi|Am|Or|[WRGY])"
_CHARACTER = re.compile(
    rf"""(?P<kind>Al\s+Fl|Al|Fl|LFl|IQ|IVQ|IUQ|Q|VQ|UQ|Iso|Oc|Mo|F)
    (?:\s*\(\s*(?P<group>[1-9](?:\+[1-9])*|[A-Z]+)\s*\))?
    (?P<long>\s*\+\s*LFl)?
    (?P<colours>(?:\s*{_COLOUR})*)
    (?:\s*(?P<period>\d+(?:\.\d+)?)\s*s)?""",
    re.VERBOSE,
)
_GROUPS = {
    "Fl": r"\d(\+\d)*",
    "LFl": r"\d(\+\d)*",
    "Q": r"\d",
    "VQ": r"\d",
    "UQ": r"\d",
    "Oc": r"\d",
    "Mo": r"[A-Z]+",
}


def phases(character: str) -> list[Phase]:
    """Return the phases of one period of a light character, beginning with light.

    Raises:
        LightError: the class, group or period is not one this module knows.
    """
    text = character
    for pattern, replacement in _SPELLINGS:
        text = re.sub(pattern, replacement, text)
    match = _CHARACTER.fullmatch(text.strip())
    if match is None:
        raise LightError(
            f"light character {character!r} is not understood; expected the like of "
            "'Fl(2) R 6s', 'Q(6)+LFl 15s', 'Iso 4s', 'Mo(A) 8s' or 'F R'"
        )
    kind, group = match["kind"], match["group"]
    if group is None and kind == "Mo":
        raise LightError(f"light character {character!r} names no Morse letter")
    if group is not None and not re.fullmatch(_GROUPS.get(kind, ""), group):
        raise LightError(f"light character {character!r}: {kind} has no group ({group})")
    if kind == "F":
        return [Phase(1.0, 0.0)]
    if match["period"] is None:
        if kind in _QUICK and group is None:
            return [Phase(*_QUICK[kind])]
        raise LightError(f"light character {character!r} has no period")
    colours = re.findall(_COLOUR, match["colours"])
    result = _phases(kind, group or "1", float(match["period"]), colours)
    if match["long"]:
        result = _with_long_flash(result)
    if any(on <= 0 or (off <= 0 and kind != "Al") for on, off in result):
        raise LightError(f"light character {character!r}: its period is too short for it")
    return result


def _phases(kind: str, group: str, period: float, colours: list[str]) -> list[Phase]:
    if kind == "Iso":
        return [Phase(period / 2, period / 2)]
    if kind == "Al" and set(colours) != _EMERGENCY_WRECK:
        return [Phase(period, 0.0)]
    if kind.startswith("Al"):
        turn = period / max(2, len(colours))
        return [Phase(turn * 2 / 3, turn / 3)] * max(2, len(colours))
    if kind == "Oc":
        return _occulting(int(group), period)
    if kind == "Mo":
        return _filled(_morse(group), period, shrink=True)
    if kind in _QUICK:
        return _filled([_QUICK[kind]] * int(group), period, shrink=False)
    if kind.startswith("I"):
        rate = _QUICK[kind[1:]]
        count = max(1, int((period - _INTERRUPTION) / sum(rate)))
        return _filled([rate] * count, period, shrink=False)
    flashes: list[tuple[float, float]] = []
    for part in group.split("+"):
        flashes += [_FLASHES[kind]] * int(part)
        flashes[-1] = (_FLASHES[kind][0], _GROUP_GAP)
    return _filled(flashes, period, shrink=True)


def _morse(letters: str) -> list[tuple[float, float]]:
    marks: list[tuple[float, float]] = []
    for letter in letters:
        marks += [(_DOT if mark == "." else _DASH, _DOT) for mark in _MORSE[letter]]
        marks[-1] = (marks[-1][0], _DASH)
    return marks


def _occulting(eclipses: int, period: float) -> list[Phase]:
    """Put the light that is left first, then the eclipses with as much light between them."""
    eclipse = min(_ECLIPSE, period / (4 * eclipses))
    rest = period - eclipse * (2 * eclipses - 1)
    return [Phase(rest, eclipse)] + [Phase(eclipse, eclipse)] * (eclipses - 1)


def _filled(flashes: list[tuple[float, float]], period: float, *, shrink: bool) -> list[Phase]:
    """Give the last flash the darkness that is left, after shrinking the group if it may."""
    used = sum(on + off for on, off in flashes) - flashes[-1][1]
    scale = min(1.0, _SHARE * period / used) if shrink else 1.0
    result = [Phase(on * scale, off * scale) for on, off in flashes]
    return [*result[:-1], Phase(result[-1].on, period - used * scale)]


def _with_long_flash(group: list[Phase]) -> list[Phase]:
    """Put a long flash behind a group, in the darkness that its last flash has."""
    long = _FLASHES["LFl"][0]
    last = group[-1]
    return [*group[:-1], Phase(last.on, group[0].off), Phase(long, last.off - group[0].off - long)]

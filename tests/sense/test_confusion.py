"""Every character of the table, shown in many ways, against every other: who is taken for whom.

A lantern shows a character with 5 % noise on every length, plain, dimmed, soft or as a contact; a
board samples it as it does at sea. Each string of the table then judges what was seen. It must know
its own light and no other, but for those that no current sensor can tell apart (`Entry.base`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from characters import GOOD as TABLE
from lanterns import FakeLantern, Watched

from agent.sense import character as kinds
from agent.sense.current import Current
from agent.sense.rhythm import BAD, GOOD, Rhythm

MATRIX = Path(__file__).parents[2] / "build" / "confusion.txt"
PERIODS = 5  # the first is only learned from


@dataclass(frozen=True)
class Entry:
    text: str
    kind: int
    period_ms: int
    phases: tuple[int, ...]
    exact: bool

    @property
    def base(self) -> tuple:
        """What a current sensor can know of it: class, period, which phases are longer than others.

        Colours do not reach it, so that an alternating light is a flashing or occulting one, with
        half the period if its flashes are equal; a flash and a long flash are a dot and a dash.
        Quick lights without a group are one, whatever period they name.
        """
        if quick(self):
            return (self.kind,)
        phases = repeated(self.phases)
        kind = self.kind
        if kind == kinds.ALTERNATING:
            kind = kinds.FLASHING if 2 * sum(phases[::2]) < sum(phases) else kinds.OCCULTING
        parts = phases[::2], phases[1::2]
        longer = [[ms > 1.3 * min(part) for ms in part] for part in parts]
        pairs = list(zip(*longer, strict=True))
        if kind == kinds.FLASHING and any(longer[0]):
            kind = kinds.MORSE
        return kind, sum(phases), min(pairs[i:] + pairs[:i] for i in range(len(pairs)))


def may_be(entry: Entry, shown: Sequence[int], other: Entry) -> bool:
    """Whether `other` is right to know this light, which is `entry` and shows these lengths."""
    if other.exact:
        want = repeated(other.phases)
        shown = repeated(shown)
        return len(want) == len(shown) and any(
            all(abs(a - b) <= max(200, b // 10) for a, b in zip(turned, want, strict=True))
            for i in range(0, len(shown), 2)
            for turned in [[*shown[i:], *shown[:i]]]
        )
    return entry.base == other.base and not (other.kind == kinds.FLASHING and too_quick(shown))


def repeated(phases: Sequence[int]) -> tuple[int, ...]:
    """Return the shortest sequence that, repeated, gives these phases."""
    for n in range(2, len(phases) + 1, 2):
        if len(phases) % n == 0 and tuple(phases[:n]) * (len(phases) // n) == tuple(phases):
            return tuple(phases[:n])
    return tuple(phases)


def quick(entry: Entry) -> bool:
    return kinds.QUICK <= entry.kind <= kinds.ULTRA_QUICK and len(entry.phases) == 2


def too_quick(phases: Sequence[int]) -> bool:
    """Whether it flashes 50 times a minute and more within its group: no flashing light (R0110)."""
    return len(phases) > 2 and min(map(sum, zip(phases[::2], phases[1::2], strict=True))) < 1200


@cache
def entries() -> tuple[Entry, ...]:
    found = []
    for text, kind, period_ms, _ in TABLE:
        character = kinds.read(text)
        if character.phases:
            phases = tuple(character.phases)
            found.append(Entry(text, kind, period_ms, phases, bool(character.exact)))
    return tuple(found)


def lantern_of(entry: Entry, dice: Random) -> list[int]:
    """Draw lengths as another maker chooses them: class, group and period stay."""
    if entry.exact or entry.kind == kinds.ISO:
        return list(entry.phases)
    lights, eclipses = list(entry.phases[::2]), list(entry.phases[1::2])
    if quick(entry):
        period = {
            kinds.QUICK: (1000, 1091, 1200),
            kinds.VERY_QUICK: (500, 545, 600),
            kinds.ULTRA_QUICK: (240, 250, 300),
        }[entry.kind]
        every = dice.choice(period)
        light = max(every * dice.choice((25, 30, 40, 50)) // 100, 100)
        return [light, every - light]
    if entry.kind == kinds.OCCULTING:
        marks, spaces = eclipses, lights
    else:
        marks, spaces = lights, eclipses
    for _ in range(200):
        mark, space, dash = lengths(entry.kind, marks, spaces, dice)
        gap = space * dice.choice((150, 200, 250, 300)) // 100
        short = min(spaces)
        new_marks = [dash if ms > 1.3 * min(marks) else mark for ms in marks]
        new_spaces = [space if ms <= 1.25 * short else gap for ms in spaces]
        place = spaces.index(max(spaces))  # this one takes what is left
        new_spaces[place] = 0
        rest = entry.period_ms - sum(new_marks) - sum(new_spaces)
        new_spaces[place] = rest
        if rest < 1.4 * space and len(marks) > 1:
            continue
        if rest < 1.4 * sum(new_marks) - sum(new_spaces) + rest:
            continue
        if entry.kind == kinds.OCCULTING:
            new_marks, new_spaces = new_spaces, new_marks
        return [ms for pair in zip(new_marks, new_spaces, strict=True) for ms in pair]
    return list(entry.phases)


def lengths(kind: int, marks: list[int], spaces: list[int], dice: Random) -> tuple[int, int, int]:
    """Return a flash (or eclipse), the space to the next, and the longer flash."""
    long = dice.choice((2000, 2400, 3000))
    if kind == kinds.MORSE:
        dot = min(*marks, *spaces) * dice.choice((75, 90, 100)) // 100
        dash = dot * dice.choice((25, 30, 35)) // 10
        return (dash if min(marks) > 2 * min(spaces) else dot), dot, dash
    if kind in {kinds.QUICK, kinds.VERY_QUICK, kinds.ULTRA_QUICK}:
        every = marks[0] + spaces[0]
        flash = max(every * dice.choice((25, 30, 40, 50)) // 100, 100)
        return flash, every * dice.choice((100, 105, 110)) // 100 - flash, 2000
    if kind == kinds.OCCULTING:
        eclipse = min(marks) * dice.choice((80, 100, 120)) // 100
        return eclipse, eclipse * dice.choice((80, 100, 120)) // 100, eclipse
    if kind == kinds.LONG:
        return long, dice.choice((1700, 2000, 2500)), long
    if kind == kinds.ALTERNATING:
        return marks[0], spaces[0], marks[0]
    flash = dice.choice((200, 300, 400, 500, 700, 1000))
    return flash, max(1300 - flash, flash, dice.choice((900, 1000, 1300))), long


class Recorder:
    """A part that only writes down how the lamp turned, and where it looked away."""

    def __init__(self, lantern: FakeLantern) -> None:
        self.current = Current(lantern, 20, lantern.contact)
        self.seen: list[tuple[int, bool | None, int]] = []
        self.last: int | None = None

    def poll(self, now_ms: int) -> int:
        gap = 0 if self.last is None else now_ms - self.last
        self.last = now_ms
        if gap > 40:
            self.seen.append((now_ms, None, gap))
        if self.current.sample(now_ms, gap):
            self.seen.append((self.current.turn_ms, self.current.on, self.current.slack_ms))
        return 17 + (now_ms & 7)


def watch(entry: Entry, phases: list[int], condition: str, seed: int) -> list:
    lantern = FakeLantern(phases, seed)
    if condition == "pwm":
        lantern.pwm_hz, lantern.duty = 1000, 20
    elif condition == "soft":
        lantern.ramp_ms = min(300, min(phases) // 2)
    elif condition == "contact":
        lantern.contact = True
    recorder = Recorder(lantern)
    watched = Watched(recorder, lantern)
    if entry.kind == kinds.ULTRA_QUICK:  # its flashes are over before a late poll
        watched.late = ((40, 20),)
    watched.run(PERIODS * max(entry.period_ms, 1000) + 1500)
    return recorder.seen


def judge(entry: Entry, seen: list) -> tuple[int, int]:
    """Return the good and the bad periods that this entry finds."""
    rhythm = Rhythm(kinds.read(entry.text))
    hole_ms = min(rhythm.shortest_ms * 2 // 5, 120)
    found: Counter = Counter()
    for at_ms, lit, gap_ms in seen:
        if gap_ms > hole_ms:
            rhythm.hole(gap_ms)
        if lit is not None:
            found[rhythm.turn(at_ms, lit, gap_ms)] += 1
    return found[GOOD], found[BAD]


CONDITIONS = ("canonical", "plain", "pwm", "soft", "contact")


def matrix(seed: int) -> tuple[list[str], Counter, list[str]]:
    """Return lines for people, known strings by condition, and what went wrong."""
    dice = Random(seed)
    known: Counter = Counter()
    wrong = []
    lines = []
    for condition in CONDITIONS:
        seen_by: dict[tuple, list] = {}
        shown: dict[tuple, list[int]] = {}
        for n, entry in enumerate(entries()):
            canonical = condition == "canonical"
            phases = list(entry.phases) if canonical else lantern_of(entry, dice)
            key = entry.kind, entry.phases, entry.exact
            if key not in seen_by:  # strings that say the same share a lantern
                shown[key] = phases
                seen_by[key] = watch(entry, phases, condition, seed * 1000 + n)
            row = []
            for other in entries():
                good, bad = judge(other, seen_by[key])
                if other == entry and (bad or good < 2):
                    wrong.append(f"{condition}: {entry.text} {shown[key]}: {good} good, {bad} bad")
                taken = good >= 2 and not bad
                if taken and not may_be(entry, shown[key], other):
                    wrong.append(f"{condition}: {entry.text} {shown[key]} taken for {other.text}")
                row.append("#" if other == entry and taken else "+" if taken else ".")
            known[condition] += row[n] == "#"
            lines.append(f"{condition:9} {n:3} {entry.text[:34]:34} {''.join(row)}")
    return lines, known, wrong


def check(seed: int) -> None:
    lines, known, wrong = matrix(seed)
    MATRIX.parent.mkdir(exist_ok=True)
    head = "A row is what was shown, a column who knows it: # itself, + another, . nobody.\n"
    MATRIX.write_text(head + "\n".join(lines) + "\n", "utf-8")
    n = len(entries())
    print(f"\n{n} strings with a rhythm, each judged by all of them (build/confusion.txt):")
    for condition in CONDITIONS:
        rows = [line.split()[-1] for line in lines if line.startswith(condition)]
        others = sum(row.count("+") for row in rows)
        print(
            f"  {condition:9} {known[condition]} known, {others} times for one that is the same "
            f"to a current sensor, {sum(w.startswith(condition) for w in wrong)} wrong"
        )
    assert not wrong, "\n".join(wrong)
    assert min(known.values()) >= 60


def test_each_is_known_and_taken_for_no_other():
    check(1)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(2, 12))
def test_each_is_known_whatever_the_lantern(seed):
    check(seed)


def test_a_matrix_can_fail():
    """Half the flashes of Fl(2) 6s left out is Fl 6s, to nobody Fl(2) 6s."""
    by_text = {entry.text: entry for entry in entries()}
    entry = by_text["Fl(2) R 6s"]
    seen = watch(entry, [500, 5500], "plain", 3)
    good, bad = judge(entry, seen)
    assert good == 0
    assert bad >= 2


def seen_share(pwm_hz: int, duty: int, *, filtered: bool) -> int:
    """Return the % of flashes of Fl 4s (0.5 s) that come out with the right length, to 100 ms."""
    lantern = FakeLantern([500, 3500], 9, noise=0)
    lantern.pwm_hz, lantern.duty, lantern.filtered = pwm_hz, duty, filtered
    recorder = Recorder(lantern)
    Watched(recorder, lantern, late=()).run(60000)
    turns = [(at, lit) for at, lit, _ in recorder.seen if lit is not None]
    spans = [b[0] - a[0] for a, b in pairwise(turns) if a[1]]
    return 100 * sum(400 <= ms <= 600 for ms in spans) // max(len(spans), 15)


def test_what_dimming_can_be_seen():
    """docs/light.md quotes these: unfiltered, eight readings in 0.7 ms must meet the pulse."""
    print("\n% of flashes seen with their length, by PWM frequency and duty, unfiltered:")
    table = {}
    for pwm_hz in (100, 150, 200, 400, 700, 1000, 2000):
        row = {duty: seen_share(pwm_hz, duty, filtered=False) for duty in (10, 20, 30, 50, 70, 90)}
        table[pwm_hz] = row
        print(f"  {pwm_hz:5} Hz ", "  ".join(f"{d} %: {share:3}" for d, share in row.items()))
        assert seen_share(pwm_hz, 10, filtered=True) == 100
    for pwm_hz, duty in ((1000, 30), (2000, 10), (400, 70), (100, 90)):
        assert table[pwm_hz][duty] >= 95
    assert table[100][10] < 50

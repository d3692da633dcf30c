"""The agent's light characters against the simulator's, which were written apart from them."""

import random

import pytest
from characters import GOOD, REFUSED

from agent.sense import character
from agent.sense.character import Character, read
from simulators.world.light import LightError, phases

# Where the two mean different things, and why.
DIFFERENT = {
    "Al Fl WR 10s": "light.py shows two thirds of each turn; a flashing light is darker than light",
    "Gp.L.Fl(2+1)G. 25s": "light.py has 2.5 s between the groups and 2 s within: hardly to be told",
    "LFl(2) 10s": "light.py shrinks the flashes, but a long one has 2 s at least",
}
TOLERANCE_MS = 12  # each length is rounded down here, and the last one has the rest


def theirs(text: str) -> list[int] | None:
    try:
        found = phases(text)
    except LightError:
        return None
    if all(off == 0 for _, off in found):
        return []
    return [round(ms * 1000) for phase in found for ms in phase]


def same(text: str, it: Character) -> bool:
    wanted = theirs(text)
    assert wanted is not None, text
    assert len(it.phases) == len(wanted), text
    return all(abs(a - b) <= TOLERANCE_MS for a, b in zip(it.phases, wanted, strict=True))


def test_the_table():
    compared = 0
    for text, *_ in GOOD:
        # light.py knows no lengths in brackets, no sequences, no ranges, no FFl, no composite Oc.
        if theirs(text) is None or text in DIFFERENT:
            continue
        compared += 1
        assert same(text, read(text)), (text, list(read(text).phases), theirs(text))
    print(f"\ncharacters: {compared} of {len(GOOD)} the same in the simulator")
    assert compared >= 60


@pytest.mark.parametrize("text", DIFFERENT)
def test_the_differences_are_still_there(text):
    assert not same(text, read(text))


def drawn(rng: random.Random) -> str:
    period = rng.choice((f"{rng.uniform(2, 30):.1f}", str(rng.randrange(2, 31))))
    colour = rng.choice(("", " R", " G", " W", " Y", ".G.", " WRG"))
    kind = rng.choice(
        ("Fl", "Fl(%d)", "Fl(%d+1)", "LFl", "Q(%d)", "VQ(%d)", "Iso", "Oc", "Oc(%d)", "Mo(%s)")
    )
    if "%d" in kind:
        kind %= rng.randrange(1, 6)
    elif "%s" in kind:
        kind %= "".join(
            rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(rng.choice((1, 1, 2)))
        )
    long = "+LFl" if kind.startswith(("Q(", "VQ(", "Fl(")) and rng.random() < 0.2 else ""
    return f"{kind}{long}{colour} {period}s"


def test_drawn_ones():
    """Whatever both can read is the same; whatever is read obeys the law of its class."""
    rng = random.Random(3)
    read_by_both = 0
    for _ in range(3000):
        text = drawn(rng)
        try:
            it = read(text)
        except ValueError:
            continue
        light = sum(it.phases[::2])
        assert sum(it.phases) == it.period_ms
        assert it.period_ms == round(float(text.split()[-1].rstrip("s").split(".G.")[-1]) * 1000)
        if it.kind in (character.FLASHING, character.LONG, character.QUICK, character.MORSE):
            assert light * 2 < it.period_ms, text
        if it.kind == character.LONG:
            assert min(it.phases[::2]) >= 2000, text
        if it.kind == character.OCCULTING:
            assert light * 2 > it.period_ms, text
        if it.kind == character.ISO:
            assert light * 2 in (it.period_ms, it.period_ms - 1), text
        wanted = theirs(text)
        if wanted is not None and len(wanted) == len(it.phases):
            read_by_both += 1
            long = it.kind == character.LONG or "LFl" in text
            assert long or same(text, it), (text, list(it.phases), wanted)
    assert read_by_both > 1500


def test_random_text_is_refused_and_nothing_else():
    rng = random.Random(8)
    letters = "FlLQVUIsoOcMAkp()+.,0123456789 sRGWYBuGp-·m/"
    texts = ["".join(rng.choice(letters) for _ in range(rng.randrange(20))) for _ in range(20_000)]
    for text, *_ in GOOD:
        for _ in range(40):
            at = rng.randrange(len(text))
            texts.append(text[:at] + rng.choice(letters) + text[at + rng.randrange(2) :])
    good = 0
    for text in (*texts, *REFUSED):
        try:
            it = read(text)
        except ValueError as error:
            assert str(error).startswith("light character '"), text
            continue
        good += 1
        assert it.period_ms == sum(it.phases) <= 60_000
        assert len(it.phases) % 2 == 0 and len(it.phases) <= 64
        assert all(it.phases), text
    assert 300 < good < 3000

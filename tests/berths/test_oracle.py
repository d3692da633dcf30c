"""The device's sessions, folded by the ledger, against the exact integral of the load."""

import random
from itertools import pairwise

import pytest

from cloud.berths.ledger import State, fold, fold_all, revise
from tests.berths.pile import RATED_W, Pile

NONE = ()
ALL = ("reboot", "cut", "clock", "rollover", "swap", "back", "glitch", "silent", "chatter")
# The energy is exact though somebody has to look.
HARMLESS = {"power-gap", "certificate-expired"}
# A plug that was in for no longer than this while the agent ran, and a meter that was silent then, tell
# nobody of a ship.
SEEN_S = 90


def judge(pile, rng):
    """Hold every call against the truth; return how many were exact, and how many only bounded."""
    sent = delivered(pile.events, rng)
    folded = {(s.device, s.begun_boot, s.number): s for s in fold_all(sent, RATED_W)}
    exact = bounded = 0
    for call in pile.calls:
        sessions = [folded[key] for key in call.sessions]
        if not sessions:
            assert call.seen_s < SEEN_S or not call.micro, "a call that nobody noticed"
            exact += not call.micro
            bounded += bool(call.micro)
            continue
        assert all(session.state is State.CLOSED for session in sessions)
        assert not any(session.conflicts for session in sessions)
        reasons = {reason for session in sessions for reason in session.reasons}
        micro = sum(session.micro for session in sessions)
        low = sum(session.low for session in sessions)
        highs = [session.high for session in sessions]
        high = None if None in highs else sum(highs)
        if reasons <= HARMLESS and low == micro == high:
            assert micro == call.micro, (reasons, sessions)
            exact += 1
            continue
        assert reasons, "bounds without a reason to look"
        bounded += 1
        assert low <= call.micro, reasons
        assert high is None or call.micro <= high, reasons
    return exact, bounded


def delivered(events, rng):
    """Lose, double and disorder events; what was lost comes again, last."""
    lost = [item for item in events if rng.random() < 0.2]
    twice = [item for item in events if rng.random() < 0.2]
    sent = [item for item in events if item not in lost] + twice
    rng.shuffle(sent)
    before = {}
    for key in {item.session for item in sent}:
        mine = [item for item in sent if item.session == key]
        steps = [fold(mine[:n], RATED_W) for n in range(1, len(mine) + 1)]
        for old, new in pairwise(steps):
            assert new.events >= old.events
            if not (old.conflicts or new.conflicts or set(new.reasons) - HARMLESS):
                assert new.micro >= old.micro, "the live view went back"
        before[key] = steps[-1]
    rng.shuffle(lost)
    sent += lost
    for key, old in before.items():
        if old.state is State.CLOSED:
            new = revise(old, fold([item for item in sent if item.session == key], RATED_W))
            assert "changed-after-close" not in new.reasons
            assert new.micro == old.micro
    return sent


@pytest.mark.parametrize(
    "trouble", [NONE, *((name,) for name in ALL), ALL, ("contactless", "glitch")], ids="+".join
)
def test_against_the_truth(trouble):
    exact = bounded = 0
    for seed in range(4):
        pile = Pile(seed, trouble)
        pile.run(4)
        told = judge(pile, random.Random(seed))
        exact += told[0]
        bounded += told[1]
    assert exact + bounded == 16
    if not set(trouble) & {"swap", "back", "silent", "reboot", "cut"}:
        assert bounded == 0


@pytest.mark.prove
def test_against_the_truth_long():
    for seed in range(200):
        pile = Pile(1000 + seed, ALL)
        pile.run(8)
        judge(pile, random.Random(seed))

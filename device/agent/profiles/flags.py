"""States as bits, with a second bit that says whether they are known."""

from agent.wire.codes import KNOWN_SHIFT


def flag(bit, value):
    """Return a state and the bit that says it is known; nothing when `value` is None."""
    if value is None:
        return 0
    return bit << KNOWN_SHIFT | (bit if value else 0)

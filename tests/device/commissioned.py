"""Commissions a fake board: identity, settings and access in its flash, as the toolkit writes them."""

import json

from agent import identity
from agent.keep.slots import Slots
from agent.main import Start

KEY = bytes(range(32))


def commission(files, settings, access, device="buoy-1"):
    text = json.dumps({"device": device, "key": KEY.hex(), "release": "02" + "00" * 31})
    for name in identity.NAMES:
        files.replace(name, identity.seal(text.encode()))
    for name, values in (("settings", settings), ("access", access)):
        Slots(files, name).stage(json.dumps(values).encode(), confirmed=True)


def given(board, settings=None, access=None):
    """Return what a start on `board` knows; commissions it if `settings` are given."""
    if settings is not None:
        commission(board.flash, settings, access or {"host": "broker", "password": "pw"})
    return Start(board.flash, lambda name: board)

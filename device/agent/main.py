"""Starts the agent on a board: reads who it is and what it shall do, and hands over to the loop."""

import hashlib

from agent import config as settings
from agent import identity as who
from agent.agent import Agent
from agent.hal import open_board

_PROFILES = {
    "beacon": ("agent.profiles.beacon", "Beacon"),
    "shorepower": ("agent.profiles.shorepower", "ShorePower"),
}


def start():
    """Run the agent for ever; return only on a virtual board, or when the board is not commissioned."""
    try:
        identity = who.load(_read("/identity.json"))
    except OSError:
        print("fairway: no /identity.json: this board has not been commissioned")
        return
    except who.IdentityError as error:
        print("fairway: /identity.json:", error)
        return
    try:
        text = _read("/config.json")
    except OSError:
        text = "{}"
        print("fairway: no /config.json: defaults are used")
    config, errors = settings.load(text)
    for wrong in errors:
        print("fairway:", wrong)
    hal = open_board(config["board"])
    hal.start_network(identity.wifi)
    config_hash = hashlib.sha256(text.encode()).digest()[:4]
    agent = Agent(hal, config, errors, config_hash, identity, profile_of(config["profile"]))
    print("fairway: %s, boot %d, %s" % (identity.device, agent.boot.value, config["profile"]))
    hal.run(agent.step, agent.stop)


def profile_of(name):
    """Return the class of a profile; only the one that is used is loaded."""
    module, cls = _PROFILES[name]
    return getattr(__import__(module, None, None, (cls,)), cls)


def _read(path):
    with open(path) as file:
        return file.read()

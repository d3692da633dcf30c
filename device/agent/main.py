"""Starts the agent on a board: reads who it is and what it shall do, and hands over to the loop."""

import hashlib

from agent import config as settings
from agent import identity as who
from agent.agent import Agent
from agent.hal import open_board
from agent.hal.files import Files
from agent.keep.memo import Memo
from agent.keep.slots import Slots
from agent.wire.codes import MODE_SAFE, SETTINGS_TRIAL

_PROFILES = {
    "beacon": ("agent.profiles.beacon", "Beacon"),
    "shorepower": ("agent.profiles.shorepower", "ShorePower"),
    "safe": ("agent.profiles.safe", "Safe"),
}


class Start:
    """What a start knows before the agent is made; the agent's one argument besides its board.

    `identity`; `config` and `access`, values; `settings_slots` and `access_slots`, where they lie;
    `errors`, what was wrong with them, for people; `config_hash`; `memo`; `guard`; `dog`, the watchdog;
    `make_profile`.
    """

    def __init__(self, files, open_board):
        """Raise IdentityError, OSError; ValueError where there is no such board."""
        self.identity = who.read(files)
        self.settings_slots = Slots(files, "settings")
        self.access_slots = Slots(files, "access")
        self.settings_slots.start()
        self.access_slots.start()
        try:
            self._read(open_board)
        except Exception:
            # What is on trial is refused at once: the crash that follows costs one start, not three.
            for slots in (self.settings_slots, self.access_slots):
                if slots.state == SETTINGS_TRIAL:
                    slots.back()
            raise

    def _read(self, open_board):
        text = self.settings_slots.body or b"{}"
        self.config, self.errors = settings.load(text)
        self.access, errors = settings.load_access(self.access_slots.body or b"{}")
        self.errors += errors
        self.config_hash = hashlib.sha256(text).digest()[:4]
        name = self.config["board"]
        try:
            self.hal = open_board(name)
        except ValueError:
            if self.settings_slots.state == SETTINGS_TRIAL:
                raise
            # Settings that are lost must not keep the board silent: the bundle knows what it is for.
            self.hal = open_board("fitted")
            self.errors.append("settings: board: no board file %s" % name)
        self.guard = self.hal.guard()
        self.memo = Memo(self.hal.backup())
        self.make_profile = self._profile()
        self.dog = self.hal.watchdog(self.config["watchdog_s"] * 1000)

    def _profile(self):
        name = self.config["profile"]
        if self.guard.mode != MODE_SAFE:
            try:
                return profile_of(name)
            except ImportError:
                # Lost settings, again: a pile's bundle has no beacon. Better a link than nothing.
                if self.settings_slots.state == SETTINGS_TRIAL:
                    raise
                self.errors.append("settings: profile: no parts for a " + name)
        return profile_of("safe")


def start():
    """Run the agent for ever. Return only on a virtual board, or False when there is no identity."""
    try:
        files = Files("/data")
        given = Start(files, open_board)
    except who.IdentityError as error:
        print("fairway: identity:", error)
        return False
    for wrong in given.errors:
        print("fairway:", wrong)
    copy(files, given.hal.spare())
    agent = Agent(given)
    print("fairway: %s, boot %d" % (given.identity.device, agent.boot.value))
    given.hal.run(agent.step, agent.stop)
    return True


def copy(files, spare):
    """Keep what a link needs on the second file system too, for the day the first cannot be mounted."""
    if spare is None:
        return
    for name in ("identity", "access", "settings"):
        for which in ("-a", "-b"):
            try:
                data = files.read(name + which)
                if data is not None and data != spare.read(name + which):
                    spare.replace(name + which, data)
            except OSError:
                pass  # the first is the one that counts


def profile_of(name):
    """Return the class of a profile; only the one that is used is loaded."""
    module, cls = _PROFILES[name]
    return getattr(__import__(module, None, None, (cls,)), cls)

"""Whether this start has come to work well: what the guard counts, and what settings wait for.

    proof = Proof(given, link)          a part like others
    proof.reset                         an INTENT_ code once the agent must reset, else 0

A start is good when the gateway has answered, or when the steps have gone on for `good_s`: a gateway that
is silent is not the application's fault. Settings and access on trial want the gateway's own answer, within
`confirm_s`, or they go back. (An update on trial is the update part's: agent/update.)
"""

from agent.compat import const
from agent.errors import RemoteError
from agent.wire.codes import INTENT_NONE, INTENT_SETTINGS

_LOOK_MS = const(1000)


class Proof:
    """`given` is the main.Start, `link` has `heard_ms` and `use(access)`."""

    def __init__(self, given, link):
        self.reset = INTENT_NONE
        self._given = given
        self._link = link
        self._good = False
        self._good_ms = given.config["good_s"] * 1000
        self._confirm_ms = given.config["confirm_s"] * 1000

    def poll(self, now_ms):
        """Do what is due; return the milliseconds until it wants to run again."""
        heard_ms = self._link.heard_ms
        given = self._given
        if not self._good and ((heard_ms or -1) >= 0 or now_ms >= self._good_ms):
            self._good = True
            given.guard.good()
        if given.access_slots.poll(now_ms, heard_ms, self._confirm_ms):
            self.use()
        if given.settings_slots.poll(now_ms, heard_ms, self._confirm_ms):
            self.reset = INTENT_SETTINGS
        return _LOOK_MS

    def use(self):
        """Connect with the access that counts now: after `access_slots.apply`, and after its refusal.

        Access that the link cannot use is refused at once.
        """
        from agent.config import load_access

        slots = self._given.access_slots
        try:
            self._link.use(load_access(slots.body or b"{}")[0])
        except RemoteError:
            slots.back()
            self._link.use(load_access(slots.body or b"{}")[0])

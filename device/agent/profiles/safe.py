"""No sensors: what is left when neither application came to work well. Link, update, log, and waiting."""

from agent.compat import const
from agent.wire import codes, schema

_PROFILES = {"beacon": codes.PROFILE_BEACON, "shorepower": codes.PROFILE_SHOREPOWER}

# What broke the application may be over (a battery, a bad night): it gets another chance now and then.
_AGAIN_MS = const(86400000)


class Safe:
    """The safe agent's profile; `code` still says which kind of device it is."""

    parts = ()
    actions: dict = {}
    stretch = 1
    hurry = False

    def __init__(self, hal, config, errors, works):
        self.code = _PROFILES[config["profile"]]
        self._hal = hal
        self._told = False
        self._again = False

    def gather(self, agent, now_ms):
        """Raise the alarm, once; after a day let the guard try the application again."""
        guard = self._hal.guard()
        if guard.mode != codes.MODE_SAFE:
            return
        if not self._told:
            self._told = True
            agent.emit(schema.ALARM, (codes.ALARM_SAFE_MODE, 1, guard.failed, None))
        if now_ms > _AGAIN_MS and not self._again:
            self._again = True
            guard.retry()
            agent.restart(codes.INTENT_BACKOFF, now_ms)

    def report(self, agent, now_ms):
        """Do nothing: there is nothing to report."""

    def detail(self, agent, now_ms):
        """Do nothing: health is the agent's."""

    def kept(self):
        """Return what a wake goes on with: nothing."""
        return b""

    def busy(self):
        """Return whether a sleep would cut something off."""
        return False

    def release(self):
        """Do nothing: nothing is held."""

    def refused(self):
        """Return how many values were left out before the encoder saw them."""
        return 0

"""Aids heard by AIS: is our own message 21 on the air, and is a neighbour's missing.

    aids = Aids(994131234, (994135678,), alarms, health)
    aids.heard(values, now_ms)      of each `ais-aton` report, this station's own (VDO) too
    aids.poll(now_ms)
    aids.values(now_ms)             `rx`: own_aton_s, aton_missing

Absence counts only while the receiver is known to hear: after a deaf night nobody is missing yet.
"""

from array import array

from agent.compat import const
from agent.wire import codes

_NEIGHBOURS_MAX = const(8)
_POLL_MS = const(10000)
_STEP_MAX_S = const(60)  # a longer pause between polls says nothing about what was heard in it
_OWN_S = const(900)  # at least; three intervals if they are longer
_NEIGHBOUR_S = const(3600)
_NEVER = const(0xFFFF)  # not heard since the start: perhaps out of reach
_MISSED_MAX = const(0xFFFE)


class Aids:
    """A part. `own_mmsi` 0: this aid has no AIS; `interval_s` is how often its message 21 comes.

    `health` (ais_health) says whether the receiver hears. Of more than eight neighbours the first
    eight are watched.
    """

    def __init__(self, own_mmsi, neighbours, alarms, health, interval_s=180):
        self._alarms = alarms
        self._health = health
        self._mmsis = (own_mmsi,) + tuple(neighbours[:_NEIGHBOURS_MAX])
        # For how long each has not been heard by a hearing receiver, in seconds; first our own.
        self._missed_s = array("H", [_NEVER] * len(self._mmsis))
        self._missed_s[0] = 0
        self._own_limit_s = max(3 * interval_s, _OWN_S)
        self._own_s = None
        self._polled_s = 0

    def heard(self, values, now_ms):
        """Take an `ais-aton` report."""
        for i in range(len(self._mmsis)):
            if self._mmsis[i] == values[0]:
                self._missed_s[i] = 0
                if i == 0:
                    self._own_s = now_ms // 1000
                self._tell(i)

    def poll(self, now_ms):
        step_s = min(now_ms // 1000 - self._polled_s, _STEP_MAX_S)
        self._polled_s = now_ms // 1000
        verdict = self._health.verdict
        hears = verdict == codes.AIS_HEARS
        # Our own transmitter is heard on a quiet channel too, if only the receiver lives.
        own = hears or (verdict == codes.AIS_QUIET and self._health.alive)
        for i in range(len(self._mmsis)):
            missed_s = self._missed_s[i]
            if (hears if i else own) and missed_s < _MISSED_MAX:
                self._missed_s[i] = min(missed_s + step_s, _MISSED_MAX)
                self._tell(i)
        return _POLL_MS

    def own_s(self, now_ms):
        """Return for how long our own message 21 has not been heard; None: never since the start."""
        return None if self._own_s is None else now_ms // 1000 - self._own_s

    def values(self, now_ms):
        """Return (own_aton_s, aton_missing); None where there is nothing to watch."""
        missing = None
        for i in range(1, len(self._mmsis)):
            if self._missed_s[i] != _NEVER:
                missing = (missing or 0) + (self._missed_s[i] >= _NEIGHBOUR_S)
        return self.own_s(now_ms), missing

    def _tell(self, i):
        missed_s = self._missed_s[i]
        limit_s = _NEIGHBOUR_S if i else self._own_limit_s
        mmsi = self._mmsis[i]
        if mmsi:
            self._alarms.set(
                codes.ALARM_NEIGHBOUR_AIS if i else codes.ALARM_OWN_AIS,
                codes.LEVEL_ALARM if missed_s >= limit_s else 0,
                missed_s,
                limit_s,
                mmsi if i else None,
            )

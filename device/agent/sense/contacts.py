"""Contacts in the housing: is the hatch open, is there water inside.

    contacts = Contacts(hal.digital("hatch"), hal.digital("water"), alarms)
    contacts.hatch_open, contacts.water_inside      True, False, or None: not fitted, not known yet

A contact that chatters is believed once it has stayed for a time, and a float switch swims in what
sloshes: water is told after five seconds, and over only after a dry minute.
"""

from agent.compat import const
from agent.wire.codes import ALARM_HATCH, ALARM_WATER, LEVEL_ALARM, LEVEL_AT_ONCE

_LOOK_MS = const(500)
_CONTACT_MS = const(1000)
_WET_MS = const(5000)
_DRY_MS = const(60000)


class Contacts:
    """`hatch` and `water` are readers that give 1 when active, None where not fitted."""

    def __init__(self, hatch, water, alarms):
        self.hatch_open = None
        self.water_inside = None
        self._hatch = hatch
        self._water = water
        self._alarms = alarms
        # Since when a contact has been otherwise than believed, None: it is as believed.
        self._hatch_ms = None
        self._water_ms = None

    def poll(self, now_ms):
        """Look at both; return the milliseconds until the next look."""
        if self._hatch is not None:
            closed = self._hatch.read() > 0
            if closed == self.hatch_open:
                self._hatch_ms = None
            elif self._hatch_ms is None:
                self._hatch_ms = now_ms
            elif now_ms - self._hatch_ms >= _CONTACT_MS:
                self.hatch_open = closed
            if self.hatch_open is not None:
                self._alarms.set(ALARM_HATCH, LEVEL_ALARM if self.hatch_open else 0)
        if self._water is not None:
            wet = self._water.read() > 0
            if wet == self.water_inside:
                self._water_ms = None
            elif self._water_ms is None:
                self._water_ms = now_ms
            elif now_ms - self._water_ms >= (_DRY_MS if self.water_inside else _WET_MS):
                self.water_inside = wet
            if self.water_inside is not None:
                self._alarms.set(ALARM_WATER, LEVEL_AT_ONCE if self.water_inside else 0)
        return _LOOK_MS

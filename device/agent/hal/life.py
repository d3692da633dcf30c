"""What a board remembers over resets, and its calendar; nothing here touches a machine.

`RTC` is for every port: MicroPython's `machine.RTC.datetime` has no epoch, so neither 2000 nor 1970 can
get in between.
"""

from agent.compat import const
from agent.sense.utc import date, seconds_since_2020
from agent.wire.codes import MODE_NORMAL, UPDATE_NONE

_DAY_S = const(86400)
_WEDNESDAY = const(2)  # 2020-01-01, counted from Monday


class NoGuard:
    """The guard's face (device/root/guard.py) where the agent was started without it."""

    mode = MODE_NORMAL
    failed = 0
    update = UPDATE_NONE
    trial = False

    def other(self):
        return None

    def claim(self):
        """Do nothing: there is no other slot."""

    good = confirm = retry = claim

    def arm(self):
        return False

    def roll_back(self, result):
        self.update = result


class FileBackup:
    """Stands in for backup RAM: a file, which wears, and outlives a power cut."""

    wears = True

    def __init__(self, store):
        self.load = store.load
        self.save = store.save


class RAMBackup:
    """Backup RAM behind one function: memory() gives bytes, memory(data) keeps them."""

    wears = False

    def __init__(self, memory):
        self.load = memory
        self.save = memory


class RTC:
    """A calendar clock in seconds since 2020-01-01 UTC, behind a `datetime` as machine.RTC has it.

    `monday` is what the port calls that day. `valid_from`: an earlier time means that it was never set.
    """

    def __init__(self, datetime, valid_from, monday=0):
        self._datetime = datetime
        self._valid_from = valid_from
        self._monday = monday

    def get(self):
        now = self._datetime()
        t = seconds_since_2020(now[0], now[1], now[2], now[4] * 3600 + now[5] * 60 + now[6])
        return t if t is not None and t >= self._valid_from else None

    def set(self, t):
        year, month, day = date(t)
        s = t % _DAY_S
        weekday = (t // _DAY_S + _WEDNESDAY) % 7 + self._monday
        self._datetime((year, month, day, weekday, s // 3600, s // 60 % 60, s % 60, 0))

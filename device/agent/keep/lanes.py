"""The table of the log's segments, and who may push whom out.

    slot = lanes.victim(lane, 1, False)     what must go before `lane` gets another segment

Bulk goes first, then status, the oldest first; alarms and sessions have budgets of their own.
"""

import array

from agent.compat import const

# Of agent/wire/codes; here the compiler folds them.
_ALARM = const(0)
_SESSION = const(1)
_STATUS = const(2)
_BULK = const(3)

FREE = const(0xFF)  # in place of the lane
_BUDGET_MIN = const(16)  # segments
_OWN_SHARE = const(8)  # alarms and sessions have an eighth each that nobody else can take


class Lanes:
    """Rows for `budget` segments: lane, number, records not done, and of those not in the window."""

    def __init__(self, budget):
        budget = max(budget, _BUDGET_MIN)
        self._own = budget // _OWN_SHARE
        self._shared = budget - 2 * self._own
        n = budget + 1  # one more, for what a larger budget left
        self.lane = [FREE] * n
        self.number = array.array("I", bytes(4 * n))
        self.live = bytearray(n)
        self.away = bytearray(n)

    def victim(self, lane, more, full):
        """Return which segment must go before `lane` may have `more`: -1 none, -2 it may not.

        When others have filled the flash (`full`), alarms and sessions too take the lower lanes' room.
        """
        count = self.lane.count
        if lane <= _SESSION and count(lane) + more > self._own:
            return self.edge(lane, False, False)
        if not full:
            shared = count(_STATUS) + count(_BULK)
            if lane <= _SESSION or shared + more <= self._shared:
                return -1
        for other in (_BULK, _STATUS, lane):
            slot = self.edge(other, False, False)
            if slot >= 0 and other >= lane:
                return slot
        return -2

    def first_away(self):
        """Return the segment that the window is filled from next, -1 if there is none."""
        for lane in range(_BULK + 1):
            slot = self.edge(lane, lane == _ALARM, True)
            if slot >= 0:
                return slot
        return -1

    def edge(self, lane, newest, away):
        """Return a lane's oldest or newest segment; `away`: of those with records away."""
        found = -1
        for slot in range(len(self.lane)):
            if self.lane[slot] == lane and (self.away[slot] or not away):
                if found < 0 or (self.number[slot] > self.number[found]) == newest:
                    found = slot
        return found

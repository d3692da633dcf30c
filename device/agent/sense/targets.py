"""Which AIS reports are worth sending on: each ship at most once in a while.

A busy roadstead gives hundreds of position reports a minute; a ship that was reported a moment ago is
counted and left. Static and dynamic data of a ship are told apart.
"""

from agent.compat import const

_SLOTS = const(128)  # when so many are new, those before the last so many are forgotten


class Targets:
    """`interval_s`: a ship's data of one kind is not wanted again earlier; 0 wants everything."""

    def __init__(self, interval_s):
        self.thinned = 0
        self._interval_ms = interval_s * 1000
        self._sent_ms = {}
        self._older_ms = {}  # the generation before: nothing is searched for when it is full

    def wanted(self, schema_id, values, now_ms):
        """Return whether the report (values as in the schema table) should be sent."""
        if not self._interval_ms:
            return True
        key = (schema_id, values[0], values[1], values[2] if schema_id == 8 else 0)
        before_ms = self._sent_ms.get(key)
        if before_ms is None:
            before_ms = self._older_ms.get(key)
        if before_ms is not None and now_ms - before_ms < self._interval_ms:
            self.thinned += 1
            return False
        if key not in self._sent_ms and len(self._sent_ms) >= _SLOTS:
            self._older_ms = self._sent_ms
            self._sent_ms = {}
        self._sent_ms[key] = now_ms
        return True

"""The meter's relay, switched on command: tripped, or a hand permitted to close it. Never closed.

    relay = Relay(reader)
    actions = {messages.RELAY_TRIP: relay.trip, messages.RELAY_PERMIT: relay.permit}

The order goes out once. What is answered is what the meter said and, read afterwards, how the relay
stands: [closed, error], `closed` 0 or 1 or null when it was not told in time, `error` the code of a
refusal or null.
"""

from agent.compat import const
from agent.meter import maps
from agent.meter.master import ANSWER, ERROR, WAITING
from agent.wire import messages
from agent.wire.encode import put_array, put_int

_READ_BACK_MS = const(30000)  # a contactor is quicker; a meter shows it with its next reading


class Relay:
    """Switches the relay of `reader`'s meter. The verbs have no arguments."""

    def __init__(self, reader):
        self._reader = reader
        self._permit = False

    def trip(self, arguments, now_ms):
        return self._order(False, now_ms)

    def permit(self, arguments, now_ms):
        return self._order(True, now_ms)

    def _order(self, permit, now_ms):
        if not self._reader.order(permit, now_ms):
            return messages.RESULT_UNSUPPORTED, b""
        self._permit = permit
        return self._ended

    def _ended(self, now_ms):
        """Return None while it goes on, then (result, detail)."""
        reader = self._reader
        state = reader.ordered
        if state == WAITING:
            return None
        closed = None
        if reader.read_ms(maps.STATUS) > reader.ordered_ms:
            closed = reader.relay_closed(now_ms)
        opened = closed is not None and not closed
        # Any reading will do but for a trip, which is waited for.
        seen = opened or (closed is not None and (self._permit or state == ERROR))
        if not seen and now_ms - reader.ordered_ms <= _READ_BACK_MS:
            return None
        if state == ERROR:
            return messages.RESULT_REFUSED, _detail(closed, reader.error)
        done = state == ANSWER if self._permit else opened
        return (messages.RESULT_DONE if done else messages.RESULT_FAILED), _detail(closed, None)


def _detail(closed, error):
    buf = bytearray(8)
    pos = put_array(buf, 0, 2)
    pos = put_int(buf, pos, None if closed is None else int(closed))
    return bytes(buf[: put_int(buf, pos, error)])

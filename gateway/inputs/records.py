"""Records that the gateway makes in a device's name, packed into messages as the device would.

records = Records("vts-east", body.LINK_STATION, starts)
records.add(schema.AIS, values, at_ms)
inbox.put(Delivery(records.take(now_ms)))
"""

import time
from collections.abc import Sequence

from agent.wire import messages, schema
from agent.wire.encode import Encoder
from agent.wire.series import EPOCH_2020
from gateway.accept import Message
from gateway.inputs.starts import Numbers, Starts

Value = int | bytes | None


class Records:
    """Makes a device's records; for one thread.

    The first one is a `birth` whose board says what makes them (`kind`, as b"station"): from here on
    the device's states are known anew. What else it has is not ours to say.
    """

    def __init__(self, device: str, link: int, starts: Starts, kind: bytes) -> None:
        self._link = link
        self._kind = kind
        self._topic = messages.topic(device, "up", "rec")
        self._numbers = Numbers(starts)
        self._encoder = Encoder()
        self._began_s = time.monotonic()
        self._boot: int | None = None
        self._raws: list[bytes] = []

    def take_refused(self) -> int:
        """Return how many values since the last call were outside their field's range, and are null."""
        refused, self._encoder.refused = self._encoder.refused, 0
        return refused

    def add(self, schema_id: int, values: Sequence[Value], at_ms: int) -> None:
        """Make a record of a time in Unix milliseconds.

        Raises:
            OSError: the start number cannot be written.
        """
        boot, seq = self._numbers.take()
        if boot != self._boot:
            self._boot = boot
            self._put(schema.BIRTH, boot, seq, (None, None, None, self._kind), at_ms)
            boot, seq = self._numbers.take()
        self._put(schema_id, boot, seq, values, at_ms)

    def drain(self) -> list[bytes]:
        """Return the records that were made since the last call."""
        raws, self._raws = self._raws, []
        return raws

    def take(self, now_ms: int) -> list[Message]:
        """Return messages with everything that was made since the last call."""
        out: list[Message] = []
        payload = b""
        for raw in self.drain():
            if len(payload) + len(raw) > schema.PAYLOAD_MAX:
                out.append(Message(self._topic, payload, self._link, now_ms))
                payload = b""
            payload += raw
        if payload:
            out.append(Message(self._topic, payload, self._link, now_ms))
        return out

    def _put(
        self, schema_id: int, boot: int, seq: int, values: Sequence[Value], at_ms: int
    ) -> None:
        size = self._encoder.record(schema_id, boot, seq, self._t(at_ms), list(values))
        self._raws.append(bytes(self._encoder.buf[:size]))

    def _t(self, at_ms: int) -> int:
        t = at_ms // 1000 - EPOCH_2020
        if 0 <= t <= schema.T_MAX:
            return t
        # Our own clock is not set: undated, as a device would say it.
        return -1 - int(time.monotonic() - self._began_s)

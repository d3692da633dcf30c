"""What goes down to devices: acknowledgements and the time. Payloads only; sending is the input's."""

from collections.abc import Iterable, Iterator
from typing import Final

from agent.wire import messages, schema
from agent.wire.series import EPOCH_2020

_ACK_MAX: Final = schema.PAYLOAD_MAX - 16  # room for one more range


def acks(ranges: Iterable[tuple[int, int, int]]) -> Iterator[bytes]:
    """Yield `dn/ack` payloads that name exactly these ranges (boot, first, last)."""
    buf = bytearray(schema.PAYLOAD_MAX)
    n = 0
    for boot, first, last in ranges:
        n = messages.put_ack(buf, n, boot, first, last)
        if n > _ACK_MAX:
            yield bytes(buf[:n])
            n = 0
    if n:
        yield bytes(buf[:n])


def time_now(ask: int, unix_ms: int, fresh_boot: int | None = None) -> bytes:
    """Return the `dn/cmd` payload that answers a device's question for the time."""
    buf = bytearray(32)
    t, ms = divmod(unix_ms - EPOCH_2020 * 1000, 1000)
    n = messages.put_clock_tell(buf, ask, t, ms, fresh_boot)
    return bytes(buf[:n])


def want(boot: int, first: int, last: int) -> bytes:
    """Return the `dn/cmd` payload that asks for records that are missing."""
    buf = bytearray(32)
    n = messages.put_want(buf, boot, first, last)
    return bytes(buf[:n])

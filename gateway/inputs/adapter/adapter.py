"""What makes records of the words of another make's terminals: the one interface.

    for said in adapter.feed(data, now_s): …

An adapter reads the bytes of one connection and knows one protocol, nothing else: no sockets, no device
ids, no journal. Around it `gateway.inputs.adapter.terminals` looks up which device a terminal is, gives records
their identity, and sends the answer only when they are committed. To add a protocol: write a module with
a class that does what `Adapter` says, name it in `gateway.inputs.adapter.connections` and in
`config_inputs.PROTOCOLS`, and test it with frames from the air.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from gateway.inputs.records import Value


class Report(NamedTuple):
    """One report of a terminal.

    Attributes:
        records: (schema id, values) of each record that it becomes; at least one.
        t: when it was made, in seconds since 2020-01-01 UTC by the terminal's own clock; None if that
            does not say: then the gateway's clock does.
        mark: the same bytes for the same report sent again, however it is sent again, and for no other
            one. This is how a report whose answer was lost is known, also after a restart of ours.
        alarms: what it says of alarms (`codes.ALARM_…`): the level that stands, 0 for none.
    """

    records: Sequence[tuple[int, Sequence[Value]]]
    t: int | None
    mark: bytes
    alarms: Mapping[int, int] = {}


class Said(NamedTuple):
    """One message of a terminal.

    Attributes:
        terminal: its own number, without leading zeros.
        raw: the message, for a dead letter.
        reports: what it reports; often nothing.
        answer: what to send when its reports are committed; at once if there are none.
        denied: what to send instead if the terminal is not in the table.
        refused: why it, or a part of it, cannot be read, (reason, detail): it becomes a dead letter; its
            `reports` are good all the same.
    """

    terminal: str
    raw: bytes
    reports: Sequence[Report] = ()
    answer: bytes = b""
    denied: bytes = b""
    refused: tuple[str, str] | None = None


class Adapter(Protocol):
    """One connection's reader. `counts`: bytes and messages that were refused, by reason."""

    counts: Counter[str]

    def feed(self, data: bytes, now_s: int) -> list[Said]:
        """Take bytes as they came, cut anywhere; return the messages in them.

        Never raises for what a terminal sends, and keeps no more than one message of bytes.

        Args:
            data: what the connection brought.
            now_s: our clock, in seconds since 2020-01-01 UTC.
        """

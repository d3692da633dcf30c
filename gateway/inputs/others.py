"""The ways into the gateway besides MQTT and BeiDou, as the configuration names them."""

from typing import Protocol

from gateway.config import Config
from gateway.inbox import Inbox
from gateway.inputs.adapter.terminals import adapters
from gateway.inputs.starts import Starts
from gateway.inputs.station.station import stations


class Input(Protocol):
    """What every input has; it hands on by `gateway.inbox`."""

    def start(self) -> None:
        """Begin, in a thread of its own."""

    def stop(self) -> None:
        """End."""

    def take_counts(self) -> dict[str, int]:
        """Return what was counted since the last call, for the journal's counters."""

    def fault(self) -> str:
        """Return what is wrong; "" while it works."""


def others(config: Config, inbox: Inbox) -> dict[str, Input]:
    """Return stations and adapters by name, as "station vts-east" and "adapter buoys"."""
    starts = Starts(config.data / "starts")
    some = stations(config.inputs.stations, config.inputs.aids, inbox, starts)
    more = adapters(config.inputs.adapters, inbox, config.data, starts)
    named: dict[str, Input] = {source.name: source for source in some}
    return named | {source.name: source for source in more}

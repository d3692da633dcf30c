"""How the gateway is: one consistent look at it, for metrics and health checks."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """One way out. `fault` is empty while it works; `behind` are journal rows not yet handed on."""

    name: str
    running: bool
    behind: int
    rows: int  # written since the start, repeats included
    errors: int  # failed writes since the start
    refused: int  # rows set aside for good since the start
    restarts: int  # of its process
    fault: str


@dataclass(frozen=True, slots=True)
class Status:
    """A gateway at one moment. Times are Unix milliseconds; faults are empty while all is well."""

    gateway: str
    started_ms: int
    inbox: int  # messages that wait for their commit
    inbox_size: int
    journal_fault: str  # why nothing is being acknowledged, as "the disk is full"
    journal_bytes: int
    commits: int  # since the start
    commit_s: float  # time spent in them
    committed_ms: int | None  # when the last one ended
    inputs: Mapping[str, str]  # name -> fault
    sinks: tuple[SinkStatus, ...]
    counters: Mapping[str, int]  # the journal's, for ever; names as in docs/gateway.md

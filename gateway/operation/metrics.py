"""The gateway's metrics for Prometheus, made from one look at its status.

    metrics = Metrics(service.status)
    metrics.page()          the text that Prometheus reads

Names and units follow Prometheus' conventions: `_total` counts up for ever, seconds and bytes are base
units. The journal's counters survive restarts; those of sinks and commits begin anew with the process,
as Prometheus expects. docs/operation.md lists them.
"""

import re
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from gateway.operation.status import Status

LABELS_MAX: Final = 64  # different values of one label; what comes beyond them is "other"
OTHER: Final = "other"

_P: Final = "fairway_gateway"
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_DEAD: Final = "dead_letters."
# The journal's plain counters: name there -> help.
_COUNTERS: Final = {
    "messages": "Messages that were taken in and committed.",
    "records": "Distinct records that were committed.",
    "duplicates": "Records that were there already, with the same bytes.",
    "conflicts": "Records whose identity was there already with other bytes; the first is kept.",
    "released": "Records that had waited for their boot's date and went on.",
}
_WAITING: Final = {"awaiting_date": "date", "awaiting_schema": "schema"}


class Names:
    """Values of a label, bounded: what is no plain word, or one too many, becomes "other"."""

    def __init__(self, most: int = LABELS_MAX) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        """Return the value for this name."""
        if name not in self._known:
            if len(self._known) >= self._most or not _LABEL.fullmatch(name):
                return OTHER
            self._known.add(name)
        return name


class Metrics(Collector):
    """All metrics of one gateway; `status` is called once for each page.

    The process's own (memory, CPU, open files) come from prometheus-client; those of the sinks'
    processes are not in them.
    """

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status
        self._reasons, self._inputs, self._events = Names(), Names(), Names(4 * LABELS_MAX)
        self._version = _version()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """Return everything in Prometheus' text format, version 0.0.4 and later."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Return nothing: registering must not ask a gateway that is only just starting."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Return the metrics of this moment."""
        status = self._status()
        about = {"gateway": status.gateway, "version": self._version}
        yield InfoMetricFamily(f"{_P}_build", "This gateway and its version.", about)
        yield _gauge("start_time_seconds", "When it started, Unix time.", status.started_ms / 1000)
        yield from self._counted(status)
        yield _gauge("inbox_messages", "Messages that wait for their commit.", status.inbox)
        yield _gauge("inbox_size_messages", "Room for such messages.", status.inbox_size)
        yield SummaryMetricFamily(
            f"{_P}_commit_seconds",
            "Time spent committing to the journal, since the start.",
            count_value=status.commits,
            sum_value=status.commit_s,
        )
        if status.committed_ms is not None:
            ended_s = status.committed_ms / 1000
            yield _gauge(
                "last_commit_time_seconds", "When the last commit ended, Unix time.", ended_s
            )
        works = not status.journal_fault
        yield _gauge("journal_up", "1 while the journal takes what comes, 0 when not.", works)
        yield _gauge("journal_bytes", "Size of the journal's files.", status.journal_bytes)
        inputs = GaugeMetricFamily(
            f"{_P}_input_up", "1 while this way in works, 0 when not.", labels=["input"]
        )
        for name, fault in status.inputs.items():
            inputs.add_metric([self._inputs(name)], float(not fault))
        yield inputs
        yield from _sinks(status)

    def _counted(self, status: Status) -> Iterator[Metric]:
        """Return the journal's counters; a name that is not known here is an input's own."""
        left = dict(status.counters)
        for name, what in _COUNTERS.items():
            yield CounterMetricFamily(f"{_P}_{name}", what, value=left.pop(name, 0))
        held = GaugeMetricFamily(
            f"{_P}_held_records", "Records that wait, and for what.", labels=["waiting_for"]
        )
        for name, waits in _WAITING.items():
            if name in left:  # no zero for what nobody looked at
                held.add_metric([waits], left.pop(name))
        yield held
        # Beside its parts, because a part begins with its first letter, and no rate sees a beginning.
        refused = left.pop("dead_letters", 0)
        yield CounterMetricFamily(
            f"{_P}_refused", "What was refused and set aside.", value=refused
        )
        dead: dict[str, int] = {}
        events: dict[tuple[str, str], int] = {}
        for name, value in left.items():
            if name.startswith(_DEAD):
                reason = self._reasons(name.removeprefix(_DEAD))
                dead[reason] = dead.get(reason, 0) + value
            else:
                event = self._event(name)
                events[event] = events.get(event, 0) + value
        letters = CounterMetricFamily(
            f"{_P}_dead_letters", "The same by reason.", labels=["reason"]
        )
        for reason, value in dead.items():
            letters.add_metric([reason], value)
        yield letters
        others = CounterMetricFamily(
            f"{_P}_events", "What inputs and parts counted besides.", labels=["part", "event"]
        )
        for (part, event_name), value in events.items():
            others.add_metric([part, event_name], value)
        yield others

    def _event(self, name: str) -> tuple[str, str]:
        """Return (part, event) of a counter such as `beidou.refused.interval`."""
        part, dot, event = self._events(name).partition(".")
        return (part, event) if dot else ("gateway", part)


def _sinks(status: Status) -> Iterator[Metric]:
    def gauge(name: str, what: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"{_P}_sink_{name}", what, labels=["sink"])

    def counter(name: str, what: str) -> CounterMetricFamily:
        return CounterMetricFamily(f"{_P}_sink_{name}", what, labels=["sink"])

    up = gauge("up", "1 while this way out works, 0 when not.")
    running = gauge("running", "1 while its process runs, 0 when not.")
    behind = gauge("behind_rows", "Rows of the journal that it has not handed on yet.")
    rows = counter("rows", "Rows written since the start, repeats included.")
    errors = counter("errors", "Writes that failed since the start; each is tried again.")
    refused = counter("refused_rows", "Rows set aside for good since the start.")
    restarts = counter("restarts", "How often its process was started again.")
    for sink in status.sinks:
        label = [sink.name]
        up.add_metric(label, float(sink.running and not sink.fault))
        running.add_metric(label, float(sink.running))
        behind.add_metric(label, sink.behind)
        rows.add_metric(label, sink.rows)
        errors.add_metric(label, sink.errors)
        refused.add_metric(label, sink.refused)
        restarts.add_metric(label, sink.restarts)
    yield from (up, running, behind, rows, errors, refused, restarts)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_P}_{name}", what, value=float(value))


def _version() -> str:
    try:
        return version("fairway")
    except PackageNotFoundError:
        return "unknown"

"""Time series to VictoriaMetrics or InfluxDB 2: line protocol, written synchronously.

A store that answers 204 has not necessarily kept it: VictoriaMetrics loses its last seconds when it
is killed (reference/gateway.md §3), and passes over lines that it does not like. So whenever its
start time has changed, what was sent in the last ten minutes is sent again (`gateway.sinks.trail`);
the same identity is the same point. Two starts within one second look like one, so nothing is sent to a
store whose start is new before that second is over. And its own counts of lines passed over are watched.
"""

import ipaddress
import re
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from gateway.config import Series
from gateway.journal.reading import JournalReader, Row
from gateway.sinks.cursors import Cursor
from gateway.sinks.lines import line_of
from gateway.sinks.points import Limits, Point
from gateway.sinks.sink import SettlingError, Sink, SinkError
from gateway.sinks.trail import Trail

_LOOK_S: Final = 2.0  # between looks at the store's start time and counters
_SETTLED_S: Final = 1.2  # a start is told in whole seconds: longer than one
_MET_MAX: Final = 64  # starts that are remembered until then
_TIMEOUT_MS: Final = 10_000
_AT_ONCE: Final = 1250  # lines made while others are on their way
_REQUEST_BYTES: Final = 1 << 20  # of lines in one request
_GZIP_LEVEL: Final = 1  # four times smaller at a tenth of what level 9, the client's own, costs
_GZIP_FORMAT: Final = 31
_DOUBT_AT: Final = 16  # lines refused, and none taken: then it is not the lines
_SHOWN: Final = 200  # characters of an answer
_RETENTION_YEARS: Final = 10
_STARTED: Final = re.compile(
    r"^(?:vm_app_start_timestamp|process_start_time_seconds) ([\d.e+]+)$", re.MULTILINE
)
_FLAG: Final = re.compile(
    r'^-?(dedup\.minScrapeInterval|retentionPeriod)[= ]"?([^"\s]*)"?', re.MULTILINE
)
# What VictoriaMetrics passed over though it answered 204.
_PASSED_OVER: Final = re.compile(
    r'^(vm_rows_ignored_total\{[^}]*\}|vm_rows_invalid_total\{type="influx"\}'
    r"|vm_(?:hourly|daily)_series_limit_rows_dropped_total"
    r"|vm_concurrent_addrows_dropped_rows_total) ([\d.e+]+)$",
    re.MULTILINE,
)
_DATA: Final = frozenset({400, 413, 422})  # answers that are about the lines
_SETTINGS: Final = {
    401: "series.token is missing or not valid there",
    403: "series.token may not write into series.bucket",
    404: "it has no series.org or series.bucket of these names, or is no InfluxDB 2 (1.x is not)",
}

Line = tuple[Row, str]


class InfluxSink(Sink):
    """Writes SERIES records by the InfluxDB 2 write endpoint."""

    batch = 5000

    def __init__(self, store: Series, folder: Path) -> None:
        super().__init__("series", folder)
        self._store = store
        self._limits = Limits(store.future_s, store.past_days)
        self._gzip = store.gzip == "on" or (store.gzip == "auto" and not _loopback(store.url))
        self._http = urllib3.PoolManager(timeout=5.0, retries=False)
        client = InfluxDBClient(
            url=store.url, token=store.token, org=store.org, timeout=_TIMEOUT_MS
        )
        # Its `write` compresses at level 9, four times the work of everything else here together;
        # the service behind it takes bytes that are compressed already.
        self._service = WriteService(client.api_client)  # type: ignore[no-untyped-call]
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="influx")
        self._trail: Trail | None = None
        # What a store took before we were started it may have lost since, if it was started anew.
        # Several behind one address have each their own start: so those known are remembered.
        self._in_doubt = True
        self._started = self._cursors.get("series.started").records
        self._known = {self._started}
        self._met: dict[
            int, float
        ] = {}  # starts that are not known yet, and when each was first told
        self._looked_s = 0.0
        self._passed_over: dict[str, float] = {}
        self._taken: str | None = None  # a line that the store took: whether it still takes any

    def open(self) -> None:
        """Look at the store's settings; say which line to change where they would lose data."""
        flags = self._get("/flags")
        if flags is None:
            return
        found = dict(_FLAG.findall(flags))
        if found.get("dedup.minScrapeInterval") != "1ms":
            self._log.warning(
                "VictoriaMetrics runs without -dedup.minScrapeInterval=1ms:"
                " points that are sent again will be counted twice"
            )
        if found.get("retentionPeriod") in {None, "", "1"}:
            self._log.warning(
                "VictoriaMetrics keeps one month only: start it with -retentionPeriod=%dy",
                _RETENTION_YEARS,
            )

    def rewind(self, cursor: Cursor, _reader: JournalReader) -> Cursor:
        """Go back ten minutes when the store may have forgotten what it had taken."""
        now_s = time.monotonic()
        if self._trail is None:
            self._trail = Trail(self.name, self._cursors, now_s)
        if not self._has_forgotten(now_s):
            self._trail.note(cursor, now_s)
            return cursor
        at = self._trail.restart(now_s)
        back = Cursor(min(cursor.records, at.records), min(cursor.releases, at.releases))
        if back != cursor:
            self._log.info("what was sent in the last ten minutes is sent to the store again")
            self._cursors.set(self.name, back)
        # Only now: killed between the two, we would take it for one that has forgotten nothing.
        self._known.add(self._started)
        self._cursors.set(f"{self.name}.started", Cursor(self._started, 0))
        return back

    def write(self, rows: list[Row]) -> None:
        """Write the rows that belong in the time series.

        Lines are made while those before them are on their way: the store takes as long as we do.
        """
        points = self._limits.points(rows, self.refuse)
        sent: Future[None] | None = None
        try:
            for part in _stretches(points, _AT_ONCE):
                lines = [(row, line_of(row, ts)) for row, ts in part]
                if sent:
                    sent.result()
                sent = self._sender.submit(self._deliver_all, lines)
            if sent:
                sent.result()
        except SinkError:
            self._in_doubt = True
            raise

    def _deliver_all(self, lines: list[Line]) -> None:
        for request in _requests(lines):
            self._deliver(request)

    def _deliver(self, lines: list[Line]) -> None:
        """Send lines; set aside those that the store refuses, if it takes any at all."""
        refused: list[tuple[Row, str]] = []
        for row, why in self._send(lines):
            refused.append((row, why))
            if len(refused) == _DOUBT_AT:
                self._must_take_some(why)
        if refused:
            self._must_take_some(refused[-1][1])
        for row, why in refused:
            self.refuse(row, "store-refused", why)

    def _send(self, lines: list[Line]) -> Iterator[tuple[Row, str]]:
        """Send lines in one request; yield each that the store refuses, and why.

        One bad line must not hold up the others: they are halved until it is alone. What a store
        had taken of a request that it refused is the same point when it comes again.
        """
        why = self._post("\n".join(line for _, line in lines))
        if not why:
            self._taken = lines[-1][1]
        elif len(lines) == 1:
            yield lines[0][0], why
        else:
            half = len(lines) // 2
            yield from self._send(lines[:half])
            yield from self._send(lines[half:])

    def _must_take_some(self, why: str) -> None:
        """Raise SinkError unless the store takes a line that it took before."""
        if self._taken is None or self._post(self._taken):
            raise SinkError(f"{self._store.url} refuses every line: {why}")

    def _post(self, lines: str) -> str:
        """Send lines; return "", or why the store refuses them."""
        body = lines.encode()
        headers = {"content_type": "text/plain; charset=utf-8"}
        if self._gzip:
            body = zlib.compress(body, _GZIP_LEVEL, _GZIP_FORMAT)
            headers["content_encoding"] = "gzip"
        try:
            self._service.post_write(  # type: ignore[no-untyped-call]
                self._store.org, self._store.bucket, body, precision="ms", **headers
            )
        except ApiException as error:
            said = _said(error)
            if error.status in _DATA:
                return said or f"answers {error.status}"
            what = _SETTINGS.get(error.status, said)
            raise SinkError(f"{self._store.url} answers {error.status}: {what}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise SinkError(f"{self._store.url}: {type(error).__name__}") from error
        return ""

    def _has_forgotten(self, now_s: float) -> bool:
        """Look whether the store was started anew since what we sent last, or may have been."""
        if not self._in_doubt and now_s - self._looked_s < _LOOK_S:
            return False
        self._looked_s = now_s
        said = self._get("/metrics") or ""
        found = _STARTED.search(said)
        started = round(float(found[1]) * 1000) if found else None
        if started is not None:
            self._settle(started, now_s)
        in_doubt, self._in_doubt = self._in_doubt, False
        if started is None:
            return in_doubt  # one without a start time is trusted until it fails
        if started != self._started:
            self._passed_over.clear()
        self._started = started
        self._watch(said)
        return started not in self._known

    def _settle(self, started: int, now_s: float) -> None:
        """Let nothing be sent to a store that may yet be started anew within the second that it tells.

        Seen by our own clock, as the store's may differ.

        Raises:
            SettlingError: it has not told this start for long enough.
        """
        if started in self._known:
            return
        if len(self._met) >= _MET_MAX:
            self._met.clear()
        if now_s - self._met.setdefault(started, now_s) < _SETTLED_S:
            self._in_doubt = True
            raise SettlingError(f"{self._store.url} has just been started, or is new to us")
        del self._met[started]

    def _watch(self, said: str) -> None:
        """Tell when the store has passed over lines that it answered 204 for."""
        for name, told in _PASSED_OVER.findall(said):
            count = float(told)
            more = count - self._passed_over.setdefault(name, count)
            self._passed_over[name] = count
            if more > 0:
                self.errors += 1
                self._log.error("the store passed over %d lines or values: %s", more, name)

    def _get(self, path: str) -> str | None:
        try:
            answer = self._http.request("GET", self._store.url + path)
        except urllib3.exceptions.HTTPError as error:
            raise SinkError(f"{self._store.url}: {type(error).__name__}") from error
        return answer.data.decode("utf-8", "replace") if answer.status == 200 else None


def _stretches(points: list[Point], n: int) -> Iterator[list[Point]]:
    """Yield stretches of at most n points."""
    for at in range(0, len(points), n):
        yield points[at : at + n]


def _requests(lines: list[Line]) -> Iterator[list[Line]]:
    """Yield lines in stretches that make one request each."""
    first = size = 0
    for n, (_, line) in enumerate(lines):
        if size + len(line) > _REQUEST_BYTES:
            yield lines[first:n]
            first, size = n, 0
        size += len(line) + 1
    if first < len(lines):
        yield lines[first:]


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _said(error: ApiException) -> str:
    """Return what the store said, on one line."""
    text = error.body or error.reason or ""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return " ".join(str(text).split())[:_SHOWN]

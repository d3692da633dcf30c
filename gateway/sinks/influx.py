"""Time series to VictoriaMetrics or InfluxDB 2: line protocol, written synchronously.

A store that answers 204 has not necessarily kept it: VictoriaMetrics loses its last seconds when it
is killed (reference/gateway.md §3). So after a failed write, and whenever the store's start time has
changed, the last ten minutes are sent again; the same identity is the same point.
"""

import re
import time
from pathlib import Path
from typing import Final

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from agent.wire import schema, series
from gateway.config import Series
from gateway.journal import JournalReader, Row
from gateway.sinks.cursors import Cursor, Cursors
from gateway.sinks.sink import Sink, SinkError
from gateway.sinks.sqlite import fields, point_ms

_AGAIN_S: Final = 600  # what is sent again after the store may have lost something
_LOOK_S: Final = 2.0  # between looks at the store's start time
_TIMEOUT_MS: Final = 10_000
_RETENTION_YEARS: Final = 10
_STARTED: Final = re.compile(
    r"^(?:vm_app_start_timestamp|process_start_time_seconds) (\S+)", re.MULTILINE
)
_FLAG: Final = re.compile(
    r'^-?(dedup\.minScrapeInterval|retentionPeriod)[= ]"?([^"\s]*)"?', re.MULTILINE
)


class InfluxSink(Sink):
    """Writes SERIES records by the InfluxDB 2 write endpoint."""

    def __init__(self, store: Series, journal: Path, cursors: Cursors) -> None:
        super().__init__("series", journal, cursors)
        self._store = store
        self._http = urllib3.PoolManager(timeout=5.0, retries=False)
        self._client = InfluxDBClient(
            url=store.url,
            token=store.token,
            org=store.org,
            timeout=_TIMEOUT_MS,
            enable_gzip=True,
        )
        self._write = self._client.write_api(write_options=SYNCHRONOUS)
        self._started: str | None = None
        self._looked_s = 0.0
        # What a store took just before we were started it may have lost since.
        self._failed = True

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

    def rewind(self, cursor: Cursor, reader: JournalReader) -> Cursor:
        """Go back ten minutes when the store may have forgotten what it had taken."""
        if not (self._has_restarted() or self._failed):
            return cursor
        self._failed = False
        then = Cursor(*reader.cursors_at(int((time.time() - _AGAIN_S) * 1000)))
        back = Cursor(min(cursor.records, then.records), min(cursor.releases, then.releases))
        if back != cursor:
            self._log.info("the last ten minutes are sent to the store again")
        return back

    def write(self, rows: list[Row]) -> None:
        """Write the rows that belong in the time series, in one request."""
        lines = [line for row in rows if (line := line_of(row)) is not None]
        if not lines:
            return
        try:
            self._send(lines)
        except SinkError:
            self._failed = True
            raise

    def _send(self, lines: list[bytes]) -> None:
        try:
            self._write.write(
                bucket=self._store.bucket,
                record=b"\n".join(lines),
                write_precision=WritePrecision.MS,  # type: ignore[arg-type] # a plain text
            )
        except ApiException as error:
            if error.status == 400 and len(lines) > 1:
                # One bad line must not hold up the others: halve until it is alone.
                half = len(lines) // 2
                self._send(lines[:half])
                self._send(lines[half:])
                return
            if error.status == 400:
                self._log.error("the store refuses %s: %s", lines[0], error.body)
                self.errors += 1
                return
            raise SinkError(f"{self._store.url} answers {error.status}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise SinkError(f"{self._store.url}: {type(error).__name__}") from error

    def _has_restarted(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_S:
            return False
        self._looked_s = now_s
        found = _STARTED.search(self._get("/metrics") or "")
        if found is None:
            return False
        before, self._started = self._started, found[1]
        return before not in {None, found[1]}

    def _get(self, path: str) -> str | None:
        try:
            answer = self._http.request("GET", self._store.url + path)
        except urllib3.exceptions.HTTPError as error:
            raise SinkError(f"{self._store.url}: {type(error).__name__}") from error
        return answer.data.decode("utf-8", "replace") if answer.status == 200 else None


def line_of(row: Row) -> bytes | None:
    """Return a row in line protocol, or None when it is no SERIES record.

    Integers stay integers, byte strings stay at home: a store would make 0 of them.
    """
    schema_row = schema.SCHEMAS[row.schema]
    if schema_row[2] != schema.SERIES:
        return None
    known, newer = fields(row)
    parts = [f"boot={row.boot}i,seq={row.seq}i,dated={row.dated}i"]
    parts += [
        f"{field[0]}={value}i"
        for field, value in zip(schema_row[3], known, strict=True)
        if isinstance(value, int)
    ]
    at = schema.HEAD_ITEMS + len(known)
    parts += [f"x{n}={value}i" for n, value in enumerate(newer, at) if isinstance(value, int)]
    name = series.measurement(schema_row)
    return f"{name},device={row.device} {','.join(parts)} {point_ms(row)}".encode()

"""Looks at the stores as the sinks will: the time series, and the centre. Writes nothing there."""

import os
import re
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import urllib3

from gateway.check.findings import Finding, error, ok, warning
from gateway.config import Centre, Series

_TIMEOUT_S: Final = 5.0
_SKEW_S: Final = 60.0
_FREE_FEW: Final = 2_000_000_000  # bytes
_FLAG: Final = re.compile(
    r'^-?(dedup\.minScrapeInterval|retentionPeriod)[= ]"?([^"\s]*)"?', re.MULTILINE
)
_VICTORIA: Final = re.compile(r'^vm_app_version\{.*?short_version="([^"]*)"', re.MULTILINE)
_FREE: Final = re.compile(r"^vm_free_disk_space_bytes(?:\{[^}]*\})? (\S+)", re.MULTILINE)


def series(store: Series) -> Iterator[Finding]:
    """Look at the time series."""
    if store.url.startswith("sqlite:"):
        path = Path(store.url.removeprefix("sqlite:"))
        if path.is_file():
            yield error(f"series {store.url}: is a file", "name a folder, and move the file away")
            return
        while not path.exists() and path != path.parent:
            path = path.parent
        may = os.access(path, os.W_OK)
        yield (
            ok(f"series {store.url}: can be written")
            if may
            else error(f"series {store.url}: {path} cannot be written", "look at its owner")
        )
        return
    http = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False)
    parts = urlsplit(store.url)
    root = f"{parts.scheme}://{parts.netloc}"
    try:
        health = http.request("GET", f"{root}/health")
        metrics = http.request("GET", f"{root}/metrics")
        ping = http.request("GET", f"{root}/ping")
    except urllib3.exceptions.HTTPError as problem:
        yield _unreached("series.url", store.url, problem)
        return
    yield from _skew("the time series store", health)
    if found := _VICTORIA.search(metrics.data.decode("utf-8", "replace")):
        yield ok(f"series {store.url}: VictoriaMetrics is there {found[1]}".rstrip())
        yield from _victoria(http, root, metrics.data.decode("utf-8", "replace"), parts.path)
    elif ping.headers.get("X-Influxdb-Version", "").lstrip("v").startswith("1."):
        yield error(
            f"series {store.url}: InfluxDB {ping.headers['X-Influxdb-Version']} has no /api/v2/write",
            "take InfluxDB 2, or VictoriaMetrics",
        )
    elif health.status == 200 and b"influxdb" in health.data:
        yield ok(f"series {store.url}: InfluxDB is there")
        yield _bucket(http, store)
    else:
        yield warning(
            f"series {store.url}: answers, and is neither VictoriaMetrics nor InfluxDB 2",
            "check series.url",
        )


def _victoria(http: urllib3.PoolManager, root: str, metrics: str, path: str) -> Iterator[Finding]:
    if path.strip("/"):
        yield ok(
            "this is a cluster's address: -dedup.minScrapeInterval=1ms belongs to its vmselect and"
            " vmstorage, -retentionPeriod=10y to its vmstorage; they cannot be seen from here"
        )
        return
    answer = http.request("GET", f"{root}/flags")
    flags = dict(_FLAG.findall(answer.data.decode("utf-8", "replace")))
    if answer.status != 200:
        yield warning(
            "VictoriaMetrics does not show its flags",
            "see to it that it runs with -dedup.minScrapeInterval=1ms -retentionPeriod=10y",
        )
        return
    if flags.get("dedup.minScrapeInterval") != "1ms":
        yield error(
            "VictoriaMetrics counts points twice that are sent again",
            "start it with -dedup.minScrapeInterval=1ms",
        )
    if flags.get("retentionPeriod") in {None, "", "1"}:
        yield error(
            "VictoriaMetrics deletes what is older than a month",
            "start it with -retentionPeriod=10y",
        )
    if found := _FREE.search(metrics):
        free = float(found[1])
        room = f"VictoriaMetrics has {free / 1e9:.1f} GB of room"
        yield warning(room, "give it more") if free < _FREE_FEW else ok(room)


def _bucket(http: urllib3.PoolManager, store: Series) -> Finding:
    where = f"{store.url}/api/v2/buckets?org={quote(store.org)}&name={quote(store.bucket)}"
    answer = http.request("GET", where, headers={"Authorization": f"Token {store.token}"})
    if answer.status == 401:
        return error("InfluxDB refuses the token", "check series.token_file")
    if answer.status != 200 or store.bucket.encode() not in answer.data:
        return error(
            f"InfluxDB shows no bucket {store.bucket!r} of {store.org!r} to this token",
            "make it, or set series.bucket and series.org; the token must read and write it",
        )
    return ok(f"InfluxDB has bucket {store.bucket!r}, and the token is good")


def centre(config: Centre) -> Iterator[Finding]:
    """Look at the centre. An empty delivery is answered 400 when the token is good, and kept nowhere."""
    http = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False)
    try:
        health = http.request("GET", f"{config.url}/healthz")
        answer = http.request(
            "POST",
            f"{config.url}/api/ingest",
            body=b"",
            headers={
                "Authorization": f"Bearer {config.token}",
                "Content-Type": "application/cbor",
            },
        )
    except urllib3.exceptions.HTTPError as problem:
        yield _unreached("centre.url", config.url, problem)
        return
    yield from _skew("the centre", health)
    if health.status != 200:
        yield error(f"centre {config.url}: is not well ({health.status})", "look at its log")
    if answer.status == 401:
        todo = "it must be the centre's: centre.token_file, or FAIRWAY_INGEST_TOKEN"
        yield error(f"centre {config.url}: refuses the token", todo)
    elif answer.status == 400:
        yield ok(f"centre {config.url}: is there, and takes the token")
    else:
        yield error(
            f"centre {config.url}: answers {answer.status} to a delivery", "check centre.url"
        )


def _unreached(key: str, url: str, problem: Exception) -> Finding:
    return error(f"{key} {url}: cannot be reached: {type(problem).__name__}", "does it run?")


def _skew(who: str, answer: urllib3.BaseHTTPResponse) -> Iterator[Finding]:
    """Compare clocks: points from the future are dropped, and alarms are late."""
    try:
        theirs_s = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except (ValueError, TypeError):
        return
    off_s = time.time() - theirs_s
    if abs(off_s) > _SKEW_S:
        yield warning(
            f"this clock and that of {who} differ by {abs(off_s):.0f} s",
            "find out which one is wrong, and set up NTP on both",
        )

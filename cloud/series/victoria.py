"""Reads the time series from VictoriaMetrics, single node or a cluster's vmselect, by its address.

A schema's field is the metric `{measurement}_{field}{device="…"}`; boot and seq are fields too. The
export interface is used, which gives the samples as they were written: the query interface hides
the newest half minute, and gives values only at the steps it is asked for.
"""

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from agent.wire.body import UNDATED
from agent.wire.series import EPOCH_2020, Row, measurement, numbers
from cloud.series.store import Bucket, Buckets, Period, Sample, SeriesError
from cloud.values import Field, flag

_TIMEOUT_S: Final = 20.0
_LINE_ROWS: Final = 50_000  # samples that are in memory at a time
# How far back the newest records are looked for, one after the other: most devices have reported
# within the hour, and nothing that was read once need be read again.
_LOOK_BACK_MS: Final = (3_600_000, 24 * 3_600_000, 30 * 24 * 3_600_000)


class VictoriaSeries:
    """A VictoriaMetrics, given as http://HOST:PORT (cluster: …/select/0/prometheus)."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def buckets(self, row: Row, kind: Field, device: str, period: Period) -> list[Bucket]:
        """Return what was measured, in order of time; a bucket without values is left out."""
        undated = self._undated(row, device, period.start, period.end)
        out = Buckets(period)
        for _, times, values in self._export(row, [kind.column], device, period.start, period.end):
            _put_together(out, _measured(times, values, kind, undated))
        return out.in_order()

    def newest(
        self, row: Row, device: str, start_ms: int, end_ms: int, count: int
    ) -> list[Sample]:
        """Return up to `count` records, the newest in start ≤ time < end, in order of time."""
        times: list[int] = []
        start_ms = max(start_ms, EPOCH_2020 * 1000)  # windows over decades find nothing at all
        starts = [max(start_ms, end_ms - back) for back in _LOOK_BACK_MS]
        for start in (*starts, start_ms):
            undated = self._undated(row, device, start, end_ms)
            found = {
                time
                for _, some, _ in self._export(row, ["seq"], device, start, end_ms)
                for time in some
            }
            times = sorted(found - undated)[-count:]
            if len(times) == count or start == start_ms:
                break
        if not times:
            return []
        at: dict[int, dict[str, int | bytes]] = {time: {} for time in times}
        fields = [*numbers(row), "boot", "seq"]
        for field, some, values in self._export(row, fields, device, times[0], times[-1] + 1):
            for time, value in zip(some, values, strict=True):
                if time in at:
                    at[time][field] = value
        return [
            Sample(int(values.pop("boot")), int(values.pop("seq")), time, values)
            for time, values in at.items()
            if "boot" in values and "seq" in values
        ]

    def _undated(self, row: Row, device: str, start_ms: int, end_ms: int) -> set[int]:
        """Return the times of records whose own time is not known: mostly there are none."""
        metric = f'{measurement(row)}_dated{{device="{device}"}}'
        query = {
            "query": f"count_eq_over_time({metric}[{end_ms - start_ms}ms], {UNDATED})",
            "time": f"{(end_ms - 1) / 1000:.3f}",
            "nocache": "1",
        }
        try:
            answer = json.loads(b"".join(self._get("/api/v1/query", query)))
            some = any(int(series["value"][1]) for series in answer["data"]["result"])
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise self._unreadable(error) from error
        if not some:
            return set()
        return {
            time
            for _, times, dated in self._export(row, ["dated"], device, start_ms, end_ms)
            for time, how in zip(times, dated, strict=True)
            if how == UNDATED
        }

    def _export(
        self, row: Row, fields: Sequence[str], device: str, start_ms: int, end_ms: int
    ) -> Iterator[tuple[str, list[int], list[int]]]:
        """Yield (field, times, values) in start ≤ time < end, a stretch of a series at a time."""
        prefix = f"{measurement(row)}_"
        names = "|".join(prefix + field for field in fields)
        query = {
            "match[]": f'{{__name__=~"{names}",device="{device}"}}',
            "start": f"{start_ms / 1000:.3f}",
            "end": f"{(end_ms - 1) / 1000:.3f}",
            "max_rows_per_line": str(_LINE_ROWS),
        }
        for line in self._get("/api/v1/export", query):
            try:
                series: Any = json.loads(line)
                name = series["metric"]["__name__"].removeprefix(prefix)
                yield name, series["timestamps"], [int(value) for value in series["values"]]
            except (ValueError, KeyError, TypeError) as error:
                raise self._unreadable(error) from error

    def _get(self, path: str, query: dict[str, str]) -> Iterator[bytes]:
        """Yield the lines of an answer."""
        request = Request(f"{self.address}{path}", urlencode(query).encode())  # noqa: S310  (http)
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
                yield from response
        except HTTPError as error:
            detail = error.read(200).decode("utf-8", "replace").strip()
            raise SeriesError(f"{self.address}: {error.code} {detail}") from error
        except (OSError, HTTPException) as error:
            raise SeriesError(f"{self.address}: {error}") from error

    def _unreadable(self, error: Exception) -> SeriesError:
        return SeriesError(f"{self.address}: unreadable answer: {error!r}")


def _measured(
    times: list[int], values: list[int], kind: Field, undated: set[int]
) -> tuple[list[int], list[int]]:
    """Return what of a stretch counts: dated, in order of time, and of a flag what is known."""
    pairs = sorted(zip(times, values, strict=True))
    if undated:
        pairs = [pair for pair in pairs if pair[0] not in undated]
    if kind.bit is not None:
        states = [(time, flag(bits, kind.bit)) for time, bits in pairs]
        pairs = [(time, int(state)) for time, state in states if state is not None]
    return [time for time, _ in pairs], [value for _, value in pairs]


def _put_together(out: Buckets, measured: tuple[list[int], list[int]]) -> None:
    """Add a stretch to the buckets; a bucket may lie in two stretches."""
    times, values = measured
    origin, width = out.period.origin, out.period.width
    first = 0
    while first < len(times):
        n = (times[first] - origin) // width
        end = bisect_left(times, origin + (n + 1) * width, first + 1)
        some = values[first:end]
        out.add(
            Bucket(
                times[first], times[end - 1], min(some), max(some), sum(some), len(some), some[-1]
            )
        )
        first = end

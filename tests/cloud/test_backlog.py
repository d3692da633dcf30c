"""Late and out of order: a record belongs to the asset that its device stood on when it was made."""

import random
from datetime import datetime

import pytest

from agent.wire import schema, series
from cloud.times import moment_of_t
from tests.cloud.support import LocalCentre, beacon, entry, now_t

STEP_S = 600
DAYS_S = 3 * 86_400


def swapped_registry(swap_t):
    """Two devices that change places at a moment."""
    swap = moment_of_t(swap_t).isoformat()
    text = ""
    for aid, lat in (("c1", 31.1), ("c2", 31.2)):
        text += f"""
[[navaid]]
id = "{aid}"
name = {{ zh = "{aid}", en = "{aid}" }}
kind = "port"
[[navaid.station]]
from = 2020-01-01T00:00:00Z
lat = {lat}
lon = 122.2
light = "Q R"
notice = "N"
"""
    for device, before, after in (("a", "c1", "c2"), ("b", "c2", "c1")):
        text += f"""
[[device]]
id = "{device}"
profile = "beacon"
[[device.service]]
asset = "{before}"
from = 2020-01-01T00:00:00Z
to = {swap}
[[device.service]]
asset = "{after}"
from = {swap}
"""
    return text


def backlog(device, start_t, end_t, batt_mv):
    """Return three days of reports of a device, its battery telling whose they are and when."""
    return [
        entry(device, schema.BEACON, 1, n, t, beacon(batt_mv=batt_mv + n))
        for n, t in enumerate(range(start_t, end_t, STEP_S))
    ]


def seconds(iso):
    """Return an API time as a record's time."""
    return int(datetime.fromisoformat(iso).timestamp()) - series.EPOCH_2020


@pytest.mark.parametrize("seed", range(4))
def test_two_devices_swapped_while_both_hold_three_days_of_backlog(tmp_path, seed):
    """Whatever the order of arrival: nothing on the wrong asset, and no step backwards."""
    now = now_t()
    start, swap = now - DAYS_S, now - DAYS_S // 2
    a, b = backlog("a", start, now, 10_000), backlog("b", start, now, 20_000)
    order = a + b
    rng = random.Random(seed)
    if seed:
        rng.shuffle(order)
    if seed == 3:  # newest first, as a device may drain a stack
        order.sort(key=lambda e: -e.t)
    last = {"c1": 0, "c2": 0}
    sizes = [rng.randint(1, 120) for _ in order]
    with LocalCentre(tmp_path, registry=swapped_registry(swap)) as centre:
        while order:
            some, order = order[: sizes[0]], order[sizes.pop(0) :]
            centre.ingest(some)
            for asset in centre.get("/api/assets"):
                report, t = asset["report"], asset["freshness"]["t"]
                if not report:
                    continue
                at = seconds(t)
                assert at >= last[asset["id"]], "a live view went backwards"
                last[asset["id"]] = at
                # Which device stood there then: a before the swap at c1, after it at c2.
                device_a = (asset["id"] == "c1") == (at < swap)
                n = (at - start) // STEP_S
                assert report["beacon.batt_mv"] == ((10_000 if device_a else 20_000) + n) / 1000
        newest = (now - 1 - start) // STEP_S
        reports = {asset["id"]: asset["report"] for asset in centre.get("/api/assets")}
        assert reports["c1"]["beacon.batt_mv"] == (20_000 + newest) / 1000
        assert reports["c2"]["beacon.batt_mv"] == (10_000 + newest) / 1000


def test_backlog_of_before_the_swap_stays_with_the_former_asset(tmp_path):
    """When only the old place has been drained, the new one shows nothing of it."""
    now = now_t()
    swap = now - 3600
    with LocalCentre(tmp_path, registry=swapped_registry(swap)) as centre:
        centre.ingest(backlog("a", swap - 7200, swap, 10_000))
        assert centre.asset("c1")["service"]["device"] == "b"  # who is there now
        assert seconds(centre.asset("c1")["freshness"]["t"]) < swap
        assert centre.asset("c2")["freshness"]["state"] == "never"


def test_a_corrected_registry_moves_what_was_stored(tmp_path):
    """The swap was written down a day too late; after the correction everything is in its place."""
    now = now_t()
    wrong, right = now - 3600, now - 86_400
    told = [
        *backlog("a", right - 7200, now - 7200, 10_000),
        *backlog("b", right - 7200, now - 7200, 20_000),
        entry("a", schema.BIRTH, 2, 0, now - 50_000, [1, 1, b"0.1.0"]),
    ]
    with LocalCentre(tmp_path, registry=swapped_registry(wrong)) as centre:
        centre.ingest(told)
        assert centre.asset("c1")["report"]["beacon.batt_mv"] < 20
        births = [
            r for r in centre.get("/api/assets/c1")["readings"] if r["field"] == "birth.reset"
        ]
        assert births
    with LocalCentre(tmp_path, registry=swapped_registry(right)) as centre:
        # What is known of each device is its newest record; that belongs to the other aid now.
        assert centre.asset("c1")["report"]["beacon.batt_mv"] >= 20
        assert centre.asset("c2")["report"]["beacon.batt_mv"] < 20
        moved = centre.get("/api/assets/c2")["readings"]
        assert [r["value"] for r in moved if r["field"] == "birth.reset"] == ["power-on"]

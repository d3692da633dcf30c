"""Server-sent events: a snapshot, then what changes, and nobody who is slow holds anybody up."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from agent.wire import body, schema
from cloud.hub import Event, Hub
from tests.cloud.support import (
    REGISTRY,
    CentreProcess,
    LocalCentre,
    Stream,
    beacon,
    entry,
    meter,
    now_t,
)


def test_a_snapshot_comes_first_and_then_what_changes(centre):
    t = now_t()
    centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, t - 60, beacon(batt_mv=12_000))])
    with centre.stream() as stream:
        kind, everything = stream.next()
        assert kind == "snapshot"
        assert [asset["id"] for asset in everything["assets"]] == ["c1", "c2", "b1", "p1"]
        assert everything["assets"][0] == centre.asset("c1")
        assert everything["devices"] == [centre.get("/api/devices")[-1]]
        assert everything["devices"][0]["id"] == "spare-1"
        ship = [1, 413000001, 31_200_000, 122_100_000, 100, 900, 90]
        centre.ingest(
            [
                entry("buoy-1", schema.BEACON, 1, 1, t, beacon(batt_mv=12_100)),
                entry("buoy-1", schema.AIS, 1, 2, t, ship),
            ],
            [body.State("buoy-1", 1, 1, 1, 1000)],
        )
        told = {}
        for _ in range(3):
            kind, data = stream.next()
            told[kind] = data
        assert told["asset"]["report"]["beacon.batt_mv"] == 12.1
        assert told["asset"]["presence"]["connected"] is True
        assert told["device"]["id"] == "buoy-1"
        assert told["target"]["mmsi"] == 413000001


def test_a_pile_changes_its_berth_too(centre):
    with centre.stream() as stream:
        stream.next()
        centre.ingest([entry("pile-1", schema.METER, 1, 0, now_t(), meter())])
        berth = stream.until("asset", lambda asset: asset["id"] == "b1")
        assert berth["freshness"]["state"] == "live"
        assert berth["piles"] == ["p1"]


def test_late_records_are_no_news(centre):
    t = now_t()
    centre.ingest([entry("buoy-1", schema.BEACON, 1, 1, t, beacon())])
    with centre.stream() as stream:
        stream.next()
        centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, t - 600, beacon(batt_mv=1))])
        centre.ingest([entry("buoy-2", schema.BEACON, 1, 0, t, beacon())])
        first = stream.until("asset", lambda _: True)
        assert first["id"] == "c2"


def test_who_comes_back_gets_what_was_missed(centre):
    t = now_t()
    with centre.stream() as stream:
        stream.next()
        centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, t, beacon())])
        stream.until("device", lambda _: True)
        seen = stream.last_id
        with centre.stream() as other:  # somebody else goes on listening
            other.next()
            stream.close()
            centre.ingest([entry("buoy-2", schema.BEACON, 1, 0, t, beacon(batt_mv=11_111))])
            other.until("device", lambda device: device["id"] == "buoy-2")
            with centre.stream(seen) as again:
                kind, data = again.next()
                assert (kind, data["id"]) == ("asset", "c2")
                assert data["report"]["beacon.batt_mv"] == 11.111


@pytest.mark.parametrize("seen", ["00000000-5", "nonsense", "-1", "9" * 50])
def test_who_comes_back_with_what_nobody_knows_gets_everything(centre, seen):
    with centre.stream(seen) as stream:
        assert stream.next()[0] == "snapshot"


def test_what_happens_while_nobody_listens_is_not_missed(centre):
    t = now_t()
    with centre.stream() as stream:
        stream.next()
        centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, t, beacon())])
        stream.until("device", lambda _: True)
        seen = stream.last_id
    _until(lambda: centre.get("/api/system")["streams"] == 0)
    centre.ingest([entry("buoy-1", schema.BEACON, 1, 1, t + 1, beacon(batt_mv=11_500))])
    with centre.stream(seen) as stream:
        kind, everything = stream.next()
        assert kind == "snapshot"
        assert everything["assets"][0]["report"]["beacon.batt_mv"] == 11.5


def test_more_than_is_worth_telling_is_told_as_a_snapshot(tmp_path):
    count = 600
    aids = "".join(
        f'[[navaid]]\nid = "n{n}"\nname = {{ zh = "{n}", en = "{n}" }}\nkind = "port"\n'
        f'[[device]]\nid = "d{n}"\nprofile = "beacon"\n'
        f'[[device.service]]\nasset = "n{n}"\nfrom = 2020-01-01T00:00:00Z\n'
        for n in range(count)
    )
    with LocalCentre(tmp_path, registry=aids) as centre, centre.stream() as stream:
        stream.next()
        t = now_t()
        centre.ingest([entry(f"d{n}", schema.BEACON, 1, 0, t, beacon()) for n in range(count)])
        kind, everything = stream.next()
        assert kind == "snapshot"
        assert {asset["freshness"]["state"] for asset in everything["assets"]} == {"live"}


def test_the_clock_ticks_at_once_and_then_while_nothing_happens(centre):
    with centre.stream() as stream:
        kind, data = stream.next(ticks=True)
        assert kind == "tick"
        now = datetime.fromisoformat(data["now"])
        assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_binding_that_begins_is_told_by_itself(tmp_path):
    """The page of a night's watch shows the new light character when its time comes."""
    soon = datetime.now(UTC) + timedelta(seconds=3)
    text = REGISTRY.replace(
        'notice = "N1"',
        f'notice = "N1"\nto = {soon.isoformat()}\n'
        f"[[navaid.station]]\nfrom = {soon.isoformat()}\nlat = 31.0\nlon = 122.0\n"
        'light = "Q R"\nnotice = "N9"',
    )
    with LocalCentre(tmp_path, registry=text) as centre, centre.stream() as stream:
        assert stream.next()[1]["assets"][0]["station"]["light"] == "Fl(2) R 6s"
        told = stream.until("asset", lambda asset: asset["id"] == "c1")
        assert (told["station"]["light"], told["station"]["notice"]) == ("Q R", "N9")


@pytest.mark.parametrize("streams", [0, 3])
def test_it_stops_within_two_seconds_with_open_streams(tmp_path, streams):
    with CentreProcess(tmp_path) as centre:
        opened = [centre.stream() for _ in range(streams)]
        for stream in opened:
            stream.next()
        code, seconds = centre.stop()
        assert code == 0
        assert seconds < 2
        for stream in opened:
            assert stream.next() is None
            stream.close()
    assert "Traceback" not in centre.log.read_text("utf-8")


def test_a_page_that_does_not_read_is_dropped_and_the_others_go_on(tmp_path):
    """It holds a bounded amount of memory, and nobody else waits for it."""
    with LocalCentre(tmp_path) as centre:
        stalled = Stream(*centre.address)
        t = now_t()
        with centre.stream() as stream:
            stream.next()
            for n in range(60):
                told = [
                    entry(f"device-{k}", schema.BEACON, 1, n, t + n, beacon()) for k in range(300)
                ]
                centre.ingest(told)
                stream.until("device", lambda device: device["id"] == "device-99")
                if centre.get("/api/system")["streams_dropped"]:
                    break
            assert centre.get("/api/system")["streams_dropped"] == 1
        stalled.close()


class TestHub:
    """The bounds, without a network."""

    def test_a_listener_that_is_too_far_behind_ends(self):
        async def scenario():
            hub = Hub()
            hub.start()
            slow, quick = hub.listen(), hub.listen()
            got = []
            for n in range(1, 1201):
                hub.publish([Event(n, "asset", "{}")])
                await asyncio.sleep(0)
                got.append((await quick.get()).number)
            assert got == list(range(1, 1201))
            assert await slow.get() is None
            assert (hub.listening, hub.dropped) == (1, 1)

        asyncio.run(scenario())

    def test_what_is_kept_for_those_who_come_back_is_bounded(self):
        async def scenario():
            hub = Hub()
            hub.start()
            assert hub.since(hub.id_of(0)) is None
            hub.publish([Event(n, "asset", str(n)) for n in range(1, 1501)])
            await asyncio.sleep(0)
            assert hub.since(hub.id_of(400)) is None
            assert [event.number for event in hub.since(hub.id_of(1490))] == list(
                range(1491, 1501)
            )
            assert hub.since(hub.id_of(1500)) == []
            assert hub.since(hub.id_of(1501)) is None
            hub.publish([Event(1501, "reload", "")])
            await asyncio.sleep(0)
            assert hub.since(hub.id_of(1490)) is None

        asyncio.run(scenario())

    def test_at_the_end_every_stream_ends_also_one_that_comes_then(self):
        async def scenario():
            hub = Hub()
            hub.start()
            listener = hub.listen()
            hub.publish([Event(1, "asset", "{}")])
            await asyncio.sleep(0)
            hub.end()
            assert await listener.get() is None
            assert await hub.listen().get() is None

        asyncio.run(scenario())


def _until(found, seconds=10):
    until = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < until, "did not come true in time"
        time.sleep(0.05)

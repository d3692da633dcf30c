"""POST /api/ingest: exactly once, whatever comes, and nothing good lost beside what is bad."""

import time

import pytest

from agent.wire import body, schema
from tests.cloud.support import CentreProcess, beacon, delivery, entry, meter, now_t, record

T = 217_000_000


def counts(centre):
    """Return what the centre counted."""
    return centre.get("/api/system")["counts"]


def test_a_delivery_that_comes_again_changes_nothing(centre):
    t = now_t()
    entries = [
        entry("buoy-1", schema.BEACON, 1, 0, t - 5, beacon()),
        entry("buoy-1", schema.BIRTH, 1, 1, t - 5, [1, 1, b"0.1.0", b"virtual", b"abcd", 3, 0]),
        entry("pile-1", schema.METER, 1, 0, t, meter()),
    ]
    assert centre.ingest(entries) == {"taken": 3, "duplicates": 0, "conflicts": 0, "refused": []}
    before = centre.get("/api/assets")
    assert centre.ingest(entries) == {"taken": 0, "duplicates": 3, "conflicts": 0, "refused": []}
    assert centre.get("/api/assets") == before
    # In one delivery, too.
    twice = entry("buoy-2", schema.BEACON, 1, 0, t, beacon())
    assert centre.ingest([twice, twice])["duplicates"] == 1
    assert counts(centre)["taken"] == 4
    assert counts(centre)["duplicates"] == 4


@pytest.mark.parametrize("schema_id", [schema.BEACON, schema.CLOCK], ids=["series", "event"])
def test_of_two_contents_the_first_is_kept_and_the_second_set_apart(centre, schema_id):
    t = now_t()
    values = {schema.BEACON: beacon(batt_mv=12000), schema.CLOCK: [10, 1, 500, 0]}[schema_id]
    others = {schema.BEACON: beacon(batt_mv=9000), schema.CLOCK: [11, 1, 500, 0]}[schema_id]
    centre.ingest([entry("buoy-1", schema_id, 7, 3, t, values)])
    contradiction = entry("buoy-1", schema_id, 7, 3, t, others)
    assert centre.ingest([contradiction])["conflicts"] == 1
    assert centre.ingest([contradiction]) | {"refused": []} == {
        "taken": 0,
        "duplicates": 1,
        "conflicts": 0,
        "refused": [],
    }
    told = centre.get("/api/system")
    assert told["counts"]["conflicts"] == 1
    [conflict] = told["conflicts"]
    assert (conflict["device"], conflict["boot"], conflict["seq"]) == ("buoy-1", 7, 3)
    assert conflict["record"] == record(schema_id, 7, 3, t, others).hex()
    readings = {r["field"]: r["value"] for r in centre.get("/api/devices/buoy-1")["readings"]}
    if schema_id == schema.BEACON:
        assert readings["beacon.batt_mv"] == 12.0
    else:
        assert readings["clock.uptime_s"] == 10


def test_one_identity_in_two_schemas_is_a_conflict(centre):
    t = now_t()
    centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, t, beacon())])
    assert centre.ingest([entry("buoy-1", schema.CLOCK, 1, 0, t, [1, 1, 1])])["conflicts"] == 1


def test_a_record_that_does_not_decode_costs_only_itself(centre):
    t = now_t()
    good = [entry("buoy-1", schema.BEACON, 1, n, t + n, beacon()) for n in (0, 1)]
    bad = good[0]._replace(record=b"\x85\x01\x01\x02\xfb" + bytes(8) + b"\x00")
    answer = centre.ingest([good[0], bad, good[1]])
    assert answer["taken"] == 2
    [refused] = answer["refused"]
    assert refused == {
        "entry": 1,
        "device": "buoy-1",
        "code": "float",
        "detail": refused["detail"],
    }
    centre.ingest([bad])  # again: counted once
    told = centre.get("/api/system")
    assert told["counts"]["refused"] == 1
    assert told["refused"][0]["record"] == bad.record.hex()
    assert told["refused"][0]["code"] == "float"


def test_a_value_out_of_range_counts_as_not_measured(centre):
    t = now_t()
    values = beacon(batt_mv=12000)
    values[3] = 250  # satellites
    assert centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, t, values)])["taken"] == 1
    report = centre.asset("c1")["report"]
    assert report["beacon.sats"] is None
    assert report["beacon.batt_mv"] == 12.0
    assert counts(centre)["faults"] == 1


def test_a_schema_of_tomorrow_is_kept(centre):
    future = len(schema.SCHEMAS) + 3
    assert centre.ingest([entry("buoy-1", future, 1, 0, now_t(), [1, 2, 3])])["taken"] == 1
    assert centre.ingest([entry("buoy-1", future, 1, 0, now_t() - 1, [1, 2, 3])])["conflicts"] == 1
    assert centre.get("/api/assets/c1")["readings"] == []


def test_values_of_a_newer_schema_are_kept_and_the_known_ones_shown(centre):
    longer = [*beacon(batt_mv=11900), 5, 6]
    centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, now_t(), longer)])
    assert centre.asset("c1")["report"]["beacon.batt_mv"] == 11.9


def test_a_record_from_the_future_is_kept_but_never_hides_the_present(centre):
    t = now_t()
    centre.ingest(
        [entry("buoy-1", schema.BEACON, 1, 0, t + 5 * 365 * 86_400, beacon(batt_mv=9000))]
    )
    assert centre.asset("c1")["freshness"]["state"] == "never"
    assert counts(centre)["ahead"] == 1
    centre.ingest([entry("buoy-1", schema.BEACON, 1, 1, t, beacon(batt_mv=12000))])
    assert centre.asset("c1")["report"]["beacon.batt_mv"] == 12.0


def test_an_undated_record_is_the_devices_only(centre):
    answer = centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, None, beacon(batt_mv=12100))])
    assert answer["taken"] == 1
    assert centre.asset("c1")["freshness"]["state"] == "never"
    device = centre.get("/api/devices/buoy-1")
    assert device["undated"] is not None
    [reading] = [r for r in device["readings"] if r["field"] == "beacon.batt_mv"]
    assert (reading["value"], reading["t"], reading["age_s"]) == (12.1, None, None)


def test_an_unknown_device_is_kept_and_shown(centre):
    centre.ingest([entry("stranger", schema.BEACON, 1, 0, now_t(), beacon(lat=30.5, lon=121.5))])
    [device] = [d for d in centre.get("/api/devices") if d["id"] == "stranger"]
    assert device["known"] is False
    assert device["service"] is None
    assert (device["position"]["lat"], device["position"]["lon"]) == (30.5, 121.5)


def test_a_body_that_is_none_changes_nothing(centre):
    good = delivery([entry("buoy-1", schema.BEACON, 1, 0, now_t(), beacon())])
    for raw, said in (
        (b"", "malformed"),
        (b"{}", "malformed"),
        (b"\x80", "body has 0 items, not 6"),
        (good[:-3], "malformed"),
        (good.replace(b"buoy-1", b"BUOY-1"), "'BUOY-1' is not an id"),
        (b"\x85\x02" + good[2:], "version"),
    ):
        status, answer = centre.post(raw)
        assert status == 400, raw
        assert said in answer["detail"], answer
    assert counts(centre)["taken"] == 0
    assert centre.get("/api/system")["gateways"] == []


def test_only_who_knows_the_token_may_deliver(centre):
    raw = delivery([entry("buoy-1", schema.BEACON, 1, 0, now_t(), beacon())])
    for token in ("", "wrong", "a-token-for-tests-012345678", "é" * 28):
        headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
        status, answer = centre.request("POST", "/api/ingest", raw, headers)
        assert status == 401, (token, answer)
    assert centre.request("POST", "/api/ingest", raw)[0] == 401
    assert counts(centre)["taken"] == 0


def test_a_body_beyond_the_contract_is_cut_off(centre):
    status, answer = centre.post(bytes(body.BODY_MAX + 1))
    assert status == 413
    assert str(body.BODY_MAX) in answer["detail"]


class TestPresence:
    @pytest.mark.parametrize(
        ("states", "connected", "at"),
        [
            ([(1, 1, 1, 1000)], True, 1000),
            ([(1, 1, 1, 1000), (1, 1, 0, 2000)], False, 2000),
            ([(1, 1, 1, 1000), (1, 1, 0, 2000), (1, 1, 1, 3000)], False, 2000),
            ([(1, 1, 1, 1000), (1, 2, 1, 2000), (1, 1, 0, 3000)], True, 2000),
            ([(1, 9, 0, 1000), (2, 1, 1, 2000)], True, 2000),
            ([(1, 1, 1, 1000), (1, 1, 1, 2000)], True, 1000),
        ],
        ids=["up", "lost", "lost is final", "an older loss", "next boot", "told again"],
    )
    @pytest.mark.parametrize("at_once", [True, False])
    def test_the_newest_connection_counts(self, centre, states, connected, at, at_once):
        told = [body.State("buoy-1", *state) for state in states]
        for some in [told] if at_once else [[state] for state in told]:
            centre.ingest([], some)
        presence = centre.asset("c1")["presence"]
        assert presence["connected"] is connected
        assert presence["since"] == f"1970-01-01T00:00:0{at // 1000}Z"


def test_gateways_and_their_counters_are_shown_as_reported(centre):
    centre.ingest(counters={"dead_letters": 3, "accepted": 10})
    centre.ingest(counters={"dead_letters": 4}, gateway="gw-2")
    centre.ingest(counters={"accepted": 12})
    gateways = {g["gateway"]: g for g in centre.get("/api/system")["gateways"]}
    assert gateways["gw-1"]["counters"] == {"dead_letters": 3, "accepted": 12}
    assert gateways["gw-2"]["counters"] == {"dead_letters": 4}
    assert gateways["gw-1"]["age_s"] < 30


def test_what_was_taken_survives_a_power_cut(tmp_path):
    t = now_t()
    entries = [entry("buoy-1", schema.BIRTH, 1, 0, t, [1, 1, b"0.1.0"])]
    entries.append(entry("buoy-1", schema.BEACON, 1, 1, t, beacon(batt_mv=12300)))
    with CentreProcess(tmp_path) as centre:
        centre.ingest(entries)
        centre.kill()
    with CentreProcess(tmp_path) as centre:
        assert centre.ingest(entries)["duplicates"] == 2
        assert centre.asset("c1")["report"]["beacon.batt_mv"] == 12.3


class TestTargets:
    def ship(self, seq, t, *, mmsi=413000001, lat=31.2, lon=122.1, kind=1):
        """Return a position report of a ship as heard by buoy-1."""
        values = [kind, mmsi, round(lat * 1e6), round(lon * 1e6), 123, 900, 91, 0, 0, 0, 30, 0]
        return entry("buoy-1", schema.AIS, 1, seq, t, values)

    def test_a_ship_is_where_it_was_last_whoever_heard_it(self, centre):
        t = now_t()
        centre.ingest([self.ship(0, t, lat=31.25), self.ship(1, t - 60, lat=31.1)])
        other = self.ship(5, t - 30, lat=31.0)._replace(device="buoy-2")
        centre.ingest([other])
        [target] = centre.get("/api/targets")
        assert (target["lat"], target["lon"], target["heard_by"]) == (31.25, 122.1, "buoy-1")
        assert (target["sog_kn"], target["cog_deg"], target["heading_deg"]) == (12.3, 90.0, 91)
        assert target["kind"] == "ship"

    def test_what_it_says_of_itself_comes_together(self, centre):
        t = now_t()
        part_a = [24, 413000001, 0, None, None, b"HAI XUN 01"]
        part_b = [24, 413000001, 1, None, b"BSTX", None, 52, 20, 30, 5, 6]
        centre.ingest(
            [
                self.ship(0, t),
                entry("buoy-1", schema.AIS_STATIC, 1, 1, t - 100, part_a),
                entry("buoy-1", schema.AIS_STATIC, 1, 2, t - 50, part_b),
            ]
        )
        [target] = centre.get("/api/targets")
        assert (target["name"], target["callsign"], target["ship_type"]) == (
            "HAI XUN 01",
            "BSTX",
            52,
        )
        assert (target["length_m"], target["beam_m"]) == (50, 11)

    def test_aids_and_base_stations_are_told_apart(self, centre):
        t = now_t()
        aton = [994131405, 25, b"CHANGJIANGKOU LIGHTV", b"ESSEL", 31100000, 122200000]
        centre.ingest(
            [
                entry("buoy-1", schema.AIS_ATON, 1, 0, t, [*aton, 0, 0, 0, 1]),
                self.ship(1, t, mmsi=4131403, kind=4),
            ]
        )
        found = {target["kind"]: target for target in centre.get("/api/targets")}
        assert found["aton"]["name"] == "CHANGJIANGKOU LIGHTVESSEL"
        assert found["aton"]["virtual"] is True
        assert found["base"]["mmsi"] == 4131403

    def test_a_ship_without_a_position_or_not_heard_lately_is_not_shown(self, centre):
        t = now_t()
        centre.ingest([self.ship(0, t - 3600, mmsi=1)])
        centre.ingest([entry("buoy-1", schema.AIS, 1, 1, t, [1, 2, None, None, 10])])
        assert centre.get("/api/targets") == []

    def test_what_is_heard_is_not_the_assets(self, centre):
        centre.ingest([self.ship(0, now_t())])
        assert centre.get("/api/assets/c1")["readings"] == []
        [device] = [d for d in centre.get("/api/devices") if d["id"] == "buoy-1"]
        assert device["last_heard"] is not None


def test_the_view_is_told_within_a_second(centre):
    with centre.stream() as stream:
        assert stream.next()[0] == "snapshot"
        began = time.monotonic()
        centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, now_t(), beacon(batt_mv=12345))])
        told = stream.until("asset", lambda asset: asset["id"] == "c1")
        assert time.monotonic() - began < 1.0
        assert told["report"]["beacon.batt_mv"] == 12.345

"""The API's form: OpenAPI, headers, and what each answer holds."""

import gzip
import json
import urllib.error
import urllib.request

import pytest
from sqlalchemy.exc import OperationalError

from agent.wire import schema
from cloud.app import LIBRARIES, WEB
from cloud.store.database import Database
from cloud.values import fields
from tests.cloud.support import LocalCentre, beacon, delivery, entry, meter, now_t

TILES = """
[[tiles]]
name = "n"
url = "https://{s}.tiles.example/{z}/{x}/{y}.png"
datum = "gcj02"
attribution = "© a"
approval = "GS(2026)1"
"""


def headers(centre, path):
    """Return an answer's headers."""
    with urllib.request.urlopen(centre.url + path, timeout=10) as response:
        return response.headers


def test_every_route_is_described(centre):
    described = centre.get("/api/openapi.json")
    paths = {path: set(methods) for path, methods in described["paths"].items()}
    assert paths == {
        "/api/ingest": {"post"},
        "/api/fields": {"get"},
        "/api/assets": {"get"},
        "/api/assets/{asset}": {"get"},
        "/api/assets/{asset}/history": {"get"},
        "/api/devices": {"get"},
        "/api/devices/{device}": {"get"},
        "/api/devices/{device}/account": {"get"},
        "/api/devices/{device}/history": {"get"},
        "/api/targets": {"get"},
        "/api/stream": {"get"},
        "/api/system": {"get"},
        "/api/map": {"get"},
        "/healthz": {"get"},
    }
    for methods in described["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert operation["description"].endswith(".")


def test_nothing_may_come_from_elsewhere(centre):
    for path in ("/", "/api/assets", "/js/main.js", "/lib/leaflet/leaflet-src.esm.js"):
        told = headers(centre, path)
        policy = told["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy
        assert "http" not in policy
        assert told["X-Content-Type-Options"] == "nosniff"
        assert told["X-Frame-Options"] == "DENY"
        assert told["Referrer-Policy"] == "no-referrer"


def test_a_tile_source_may_be_asked_for_images_only(tmp_path):
    with LocalCentre(tmp_path, config=TILES) as centre:
        policy = headers(centre, "/")["Content-Security-Policy"]
        assert "img-src 'self' data: https://*.tiles.example;" in policy
        assert policy.count("tiles.example") == 1
        [source] = centre.get("/api/map")["tiles"]
        assert (source["datum"], source["approval"]) == ("gcj02", "GS(2026)1")


def test_data_is_never_kept_and_the_coastline_long(centre):
    assert headers(centre, "/api/assets")["Cache-Control"] == "no-store"
    assert headers(centre, "/")["Cache-Control"] == "no-cache"
    assert "max-age" in headers(centre, "/lib/world-atlas/land-10m.json")["Cache-Control"]


def test_the_pages_libraries_are_where_the_page_asks_for_them(centre):
    for path in LIBRARIES:
        assert centre.request("GET", path)[0] == 200, path


@pytest.mark.parametrize(
    "path",
    [
        "/js/../../config.py",
        "/package.json",
        "/js/",
        "/index.html/",
        "/js/%2e%2e/app.py",
        "/nothing",
    ],
)
def test_no_other_file_can_be_asked_for(centre, path):
    assert centre.request("GET", path)[0] == 404


def test_a_file_is_compressed_and_sent_once(centre):
    def ask(**given):
        request = urllib.request.Request(centre.url + "/js/panel.js", headers=given)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    _, plain_headers, plain = ask()
    assert plain_headers["Content-Type"].startswith("text/javascript")
    assert plain == (WEB / "js" / "panel.js").read_bytes()
    _, told, zipped = ask(**{"Accept-Encoding": "gzip"})
    assert told["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped) == plain
    status, _, nothing = ask(**{"If-None-Match": told["ETag"]})
    assert (status, nothing) == (304, b"")
    assert centre.request("POST", "/js/panel.js", b"x")[0] == 405


def test_health_and_map(centre):
    assert centre.get("/healthz") == {"ok": True}
    assert centre.get("/api/map") == {"tiles": [], "bounds": [[31.1, 121.62], [31.36, 122.3]]}


def test_a_database_that_is_away_is_said_and_a_gateway_comes_again(centre, monkeypatch):
    def broken(_):
        raise OperationalError("BEGIN", {}, Exception("disk I/O error"))

    with monkeypatch.context() as patched:
        patched.setattr(Database, "read", broken)
        patched.setattr(Database, "write", broken)
        for status, answer in (
            centre.request("GET", "/healthz"),
            centre.request("GET", "/api/assets"),
            centre.post(delivery([entry("buoy-1", schema.BEACON, 1, 0, now_t(), beacon())])),
        ):
            assert status == 503
            assert "disk I/O error" in answer["detail"]
    assert centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, now_t(), beacon())])["taken"] == 1


def test_every_value_is_in_the_catalogue_with_its_unit(centre):
    catalogue = {field["key"]: field for field in centre.get("/api/fields")}
    assert list(catalogue) == list(fields())
    assert catalogue["beacon.batt_mv"] == {"key": "beacon.batt_mv", "unit": "V", "history": True}
    assert catalogue["beacon.lit"] == {"key": "beacon.lit", "unit": "flag", "history": True}
    assert catalogue["birth.version"] == {
        "key": "birth.version",
        "unit": "bytes",
        "history": False,
    }


def test_an_assets_detail_has_every_value_with_unit_time_and_age(centre):
    t = now_t()
    centre.ingest(
        [
            entry("pile-1", schema.METER, 1, 0, t - 30, meter(p_w=8600)),
            entry(
                "pile-1",
                schema.ENERGY_COUNT,
                1,
                1,
                t - 90,
                [123_456_789, 12, -2, 1, 40, b"202410010001"],
            ),
        ]
    )
    told = centre.get("/api/assets/p1")
    readings = {r["field"]: r for r in told["readings"]}
    assert (readings["meter.p_w"]["value"], readings["meter.p_w"]["unit"]) == (8600, "W")
    assert readings["meter.u_a_dv"]["value"] == 230.1
    assert readings["meter.relay-closed"]["value"] is True
    assert 30 <= readings["meter.p_w"]["age_s"] < 60
    assert 90 <= readings["energy-count.imported"]["age_s"] < 120
    assert readings["energy-count.imported_kwh"]["value"] == 49_382_715.6
    assert readings["energy-count.imported_kwh"]["unit"] == "kWh"
    assert readings["energy-count.meter_id"]["value"] == "202410010001"
    assert told["services"][0]["device"] == "pile-1"
    assert told["berth"] == "b1"


def test_a_position_is_the_devices_if_it_has_one(centre):
    t = now_t()
    assert centre.asset("c1")["position"] == {
        "lat": 31.1,
        "lon": 122.2,
        "source": "registry",
        "t": None,
    }
    centre.ingest([entry("buoy-1", schema.BEACON, 1, 0, t - 1, beacon(lat=31.1005, lon=122.2003))])
    told = centre.asset("c1")
    assert told["position"]["source"] == "device"
    assert (told["position"]["lat"], told["station"]["lat"]) == (31.1005, 31.1)
    centre.ingest([entry("buoy-1", schema.BEACON, 1, 1, t, beacon(lat=None, lon=None))])
    assert centre.asset("c1")["position"]["source"] == "registry"


def test_what_is_not_there_is_said(centre):
    for path in ("/api/assets/nothing", "/api/devices/nothing"):
        status, answer = centre.request("GET", path)
        assert status == 404
        assert "there is no" in answer["detail"]
    assert centre.request("GET", "/api/assets/NOT-AN-ID")[0] == 422


def test_large_answers_are_compressed_and_streams_are_not(centre):
    request = urllib.request.Request(
        f"{centre.url}/api/fields", headers={"Accept-Encoding": "gzip"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.headers["Content-Encoding"] == "gzip"
    with centre.stream() as stream:
        assert stream.response.headers["Content-Encoding"] is None
        assert stream.response.headers["Content-Type"].startswith("text/event-stream")


def test_health_counters_come_with_the_device(centre):
    values = [100, 50_000, 12, 3, 90, 7, 2, 1, 0, 4, 5, 6, 0, 8]
    centre.ingest([entry("spare-1", schema.HEALTH, 1, 0, now_t(), values)])
    [device] = [d for d in centre.get("/api/devices") if d["id"] == "spare-1"]
    assert device["health"]["health.dropped"] == 7
    assert device["health"]["health.loop_max_ms"] == 0.012
    assert (device["known"], device["state"], device["service"]) == (True, "store", None)
    assert json.dumps(device)

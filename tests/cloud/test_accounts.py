"""What gateways count of each device: kept once, never set back, put together over gateways."""

import random
from contextlib import closing
from itertools import permutations

import pytest

from agent.wire import body, codes, schema
from cloud.registry import load
from cloud.store import accounts
from cloud.store.database import Database
from cloud.views import accounts as view
from tests.cloud.support import REGISTRY, LocalCentre, entry, now_t, record
from toolkit.settings import SettingsError

MS = 1_790_000_000_000
MMSI = 994_131_234


def account(boot=7, device="buoy-1", **given):
    """An account of 10 records without a gap, and what is otherwise in it."""
    records = given.get("records", 10)
    usual = {
        "sight": 1, "first_ms": MS, "last_ms": MS + 1000, "records": records, "duplicates": 0,
        "conflicts": 0, "highest": records - 1, "missing": 0, "filled": 0, "told": 0,
        "source": codes.CLOCK_GNSS, "uncertainty_ms": 500, "links": [(body.LINK_MQTT, MS + 1000)],
        "gaps": [],
    }  # fmt: skip
    return body.Account(device, boot, **(usual | given))


def deliver(centre, *told, gateway="gw-1", entries=()):
    raw = body.encode(body.Body(gateway, list(entries), [], {}, told))
    status, answer = centre.post(raw)
    assert status == 200, answer


@pytest.fixture
def database(tmp_path):
    with closing(Database.open(f"sqlite:///{tmp_path / 'c.sqlite'}")) as opened:
        yield opened


def fold(database, *told, gateway="gw-1"):
    with database.write() as connection:
        return accounts.fold(connection, gateway, told)


def kept(database, device="buoy-1"):
    with database.read() as connection:
        return view.by_boot(connection, device)


NEWER = {
    "more records": {"records": 11},
    "a duplicate": {"duplicates": 1},
    "a conflict": {"conflicts": 1},
    "told lost, of another boot's word": {"records": 8, "highest": 9, "missing": 1, "told": 1},
    "a later time": {"last_ms": MS + 2000},
    "a gateway that counts anew": {"first_ms": MS + 5000, "last_ms": MS + 5000, "records": 1},
}


@pytest.mark.parametrize("case", NEWER)
def test_the_newer_stays_in_whatever_order_they_come(tmp_path, case):
    old = account()
    if case.startswith("told"):
        old = account(records=8, highest=9, missing=2, gaps=[(3, 4)])
    new = account(**NEWER[case])
    for n, order in enumerate(permutations([old, new, old])):
        with closing(Database.open(f"sqlite:///{tmp_path / str(n)}.sqlite")) as database:
            for one in order:
                fold(database, one)
            (boot,) = kept(database)
            assert boot.records == new.records
            assert (boot.missing, boot.told) == (new.missing, new.told)
            assert (boot.duplicates, boot.conflicts) == (new.duplicates, new.conflicts)


def test_a_clock_that_is_set_back_holds_nothing_up(database):
    fold(database, account())
    fold(database, account(records=12, last_ms=MS - 3_600_000))
    assert kept(database)[0].records == 12


def test_who_changed_is_told_once(database):
    assert fold(database, account(), account(device="buoy-2")) == {"buoy-1", "buoy-2"}
    assert fold(database, account(), account(device="buoy-2", duplicates=1)) == {"buoy-2"}


def test_the_last_twenty_starts_are_kept(database):
    for boot in range(1, 41):
        fold(database, account(boot, last_ms=MS + 1000 * boot), account(boot, "buoy-2"))
    fold(database, account(3, last_ms=MS + 99_000))
    boots = sorted(one.boot for one in kept(database))
    assert boots == [3, *range(22, 41)]
    assert len(kept(database, "buoy-2")) == 20


def test_a_delivery_is_all_or_nothing(centre):
    raw = body.encode(body.Body("gw-1", [], [], {}, [account()]))
    assert centre.post(raw.replace(b"buoy-1", b"BUOY-1"))[0] == 400
    assert centre.get("/api/devices/spare-1")["account"] is None
    assert centre.post(raw)[0] == 200


def test_five_items_are_a_delivery_still(centre):
    raw = body.encode(body.Body("gw-1", [], [], {"n": 1}))
    assert raw[0] == 0x86
    assert centre.post(b"\x85" + raw[1:-1])[0] == 200


def test_the_device_and_its_asset_tell_the_account(centre):
    beidou = (body.LINK_BEIDOU, MS - 9000)
    deliver(
        centre,
        account(6, records=5, highest=9, missing=3, told=2, gaps=[(2, 3), (7, 7)], links=[beidou]),
        account(7, first_ms=MS + 500, duplicates=2, conflicts=1, filled=4, source=None),
        entries=[entry("buoy-1", schema.BEACON, 7, 1, now_t(), [])],
    )
    told = centre.get("/api/devices/buoy-1")["account"]
    assert centre.get("/api/assets/c1")["account"] == told
    assert centre.get("/api/assets/c2")["account"] is None
    counted = {
        "starts": 2, "records": 15, "duplicates": 2, "conflicts": 1,
        "missing": 3, "filled": 4, "told": 2, "source": None,
    }  # fmt: skip
    assert {key: told[key] for key in counted} == counted
    assert [one["link"] for one in told["links"]] == ["mqtt", "beidou"]
    listed = {one["id"]: (one["missing"], one["conflicts"]) for one in centre.get("/api/devices")}
    assert (listed["buoy-1"], listed["buoy-2"]) == ((3, 1), (0, 0))
    gap = {"boot": 6, "first": 2, "last": 3}
    assert told["gaps"] == [gap, {"boot": 6, "first": 7, "last": 7}]
    newest, older = centre.get("/api/devices/buoy-1/account")
    assert (newest["boot"], newest["gateways"], newest["gaps"]) == (7, ["gw-1"], [])
    assert (older["boot"], older["source"], older["uncertainty_ms"]) == (6, "gnss", 500)
    assert centre.get("/api/devices/nobody/account") == []


def test_an_account_alone_is_told_to_listeners(centre):
    deliver(centre, account(), entries=[entry("buoy-1", schema.BEACON, 7, 1, now_t(), [])])
    with centre.stream() as stream:
        assert stream.next()[0] == "snapshot"
        deliver(centre, account(conflicts=1))
        heard = {stream.next()[0], stream.next()[0]}
    assert heard == {"asset", "device"}


# Over several gateways


def share(seqs, top=None, **given):
    """The account of a gateway that has these seqs."""
    highest = max(seqs)
    lost = [n for n in range(highest) if n not in seqs]
    gaps = []
    for n in lost:
        if gaps and gaps[-1][1] == n - 1:
            gaps[-1] = (gaps[-1][0], n)
        else:
            gaps.append((n, n))
    shown = gaps[: body.GAPS_MAX if top is None else top]
    return account(records=len(seqs), highest=highest, missing=len(lost), gaps=shown, **given)


def test_what_one_gateway_has_the_other_does_not_miss(database):
    fold(database, share(range(500)), gateway="gw-1")
    fold(database, share(range(480, 1000)), gateway="gw-2")
    (boot,) = kept(database)
    assert (boot.records, boot.missing, boot.told, boot.highest) == (1000, 0, 0, 999)
    assert (boot.gaps, boot.gateways) == ([], ["gw-1", "gw-2"])
    fold(database, share({0, 2}, boot=8), share({0, 3}, boot=9), gateway="gw-1")
    fold(database, share({0, 1, 3}, boot=8), account(9, "buoy-2", conflicts=2), gateway="gw-2")
    with database.read() as connection:
        assert view.flaws(connection) == {"buoy-1": (2, 0), "buoy-2": (0, 2)}
        assert view.flaws(connection, ["buoy-2", "buoy-3"]) == {"buoy-2": (0, 2)}


def test_shared_starts_agree_with_a_count_of_the_records(database):
    chance = random.Random(5)
    for boot in range(200):
        parts = [
            {n for n in range(60) if chance.random() < density} | {chance.randrange(60)}
            for density in chance.choice(((0.97, 0.97), (0.99, 0.02), (0.9, 0.95, 0.1)))
        ]
        for n, seqs in enumerate(parts):
            fold(database, share(seqs, boot=boot), gateway=f"gw-{n}")
        (told,) = [one for one in kept(database) if one.boot == boot]
        top = max(max(seqs) for seqs in parts)
        missing = [n for n in range(top) if not any(n in seqs for seqs in parts)]
        named = [n for gap in told.gaps for n in range(gap.first, gap.last + 1)]
        whole = all(
            sum(last - first + 1 for first, last in share(seqs).gaps) == share(seqs).missing
            for seqs in parts
        )
        assert told.missing >= len(missing)
        assert told.records + told.missing + told.told == top + 1
        if whole:
            assert named == missing
            assert told.missing == len(missing)
        else:
            assert named == []


# Aids that are heard by AIS


def aton(mmsi=MMSI, status=0xE2, off=0, second=30):
    """Message 21: page 7, light on, healthy."""
    return [
        mmsi, 24, b"C1 LIGHT BUOY", b"", 31_102_000, 122_201_500, 1, off, status, 0, second,
        1, 0, 0, 0, 0, 0, 0,
    ]  # fmt: skip


@pytest.fixture
def aided(tmp_path):
    registry = REGISTRY.replace('kind = "port"', f'kind = "port"\nmmsi = {MMSI}')
    with LocalCentre(tmp_path, registry=registry) as running:
        yield running


def test_an_aid_is_shown_as_it_was_heard(aided):
    assert aided.get("/api/assets/c2")["ais"] is None
    assert aided.get("/api/assets/c1")["ais"]["t"] is None
    t = now_t()
    with aided.stream() as stream:
        stream.next()
        aided.ingest([entry("station-1", schema.AIS_ATON, 1, 1, t, aton())])
        stream.until("asset", lambda asset: asset["id"] == "c1")
    told = aided.get("/api/assets/c1")["ais"]
    said = {
        "mmsi": MMSI, "heard_by": "station-1", "lat": 31.102, "lon": 122.2015,
        "name": "C1 LIGHT BUOY", "virtual": False, "off_position": False, "healthy": True,
        "light": "on", "racon": None,
    }  # fmt: skip
    assert {key: told[key] for key in said} == said
    aided.ingest([entry("buoy-2", schema.AIS_ATON, 1, 1, t + 5, aton(status=0xED, off=1))])
    aided.ingest([entry("buoy-2", schema.AIS_ATON, 1, 2, t + 6, aton(MMSI + 1))])
    aided.ingest([entry("station-1", schema.AIS_ATON, 1, 2, t + 1, aton(status=0xE0))])
    told = aided.get("/api/assets/c1")["ais"]
    assert (told["heard_by"], told["off_position"], told["healthy"]) == ("buoy-2", True, False)
    assert (told["light"], told["racon"]) == ("off", "unmonitored")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"status": 0x03}, "healthy"),
        ({"status": 0x03}, "light"),
        ({"status": None}, "healthy"),
        ({"second": 60, "off": 1}, "off_position"),
        ({"second": None, "off": 1}, "off_position"),
        ({"off": None}, "off_position"),
    ],
)
def test_what_says_nothing_is_not_known(aided, given, field):
    aided.ingest([entry("station-1", schema.AIS_ATON, 1, 1, now_t(), aton(**given))])
    assert aided.get("/api/assets/c1")["ais"][field] is None


def test_a_record_cut_short_is_no_trouble(aided):
    aided.ingest([entry("station-1", schema.AIS_ATON, 1, 1, now_t(), aton()[:6])])
    told = aided.get("/api/assets/c1")["ais"]
    assert (told["name"], told["healthy"], told["virtual"]) == ("C1 LIGHT BUOY", None, None)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("mmsi = 413000000", "allowed: a whole number from 990000000 to 999999999"),
        ('mmsi = "994131234"', "allowed: a whole number"),
        (f"mmsi = {MMSI}", f"is {MMSI}, that of c1; allowed: one for each aid"),
    ],
)
def test_an_mmsi_that_cannot_be_is_refused(tmp_path, line, says):
    path = tmp_path / "registry.toml"
    text = REGISTRY.replace('kind = "starboard"', f'kind = "starboard"\n{line}')
    path.write_text(text.replace('kind = "port"', f'kind = "port"\nmmsi = {MMSI}'), "utf-8")
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert says in str(caught.value)


def test_the_record_of_these_tests_is_one():
    assert len(record(schema.AIS_ATON, 1, 1, 1, aton())) < schema.RECORD_MAX

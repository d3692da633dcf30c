"""`fairway run`, as a user starts it: virtual boards on MicroPython, a page, twice on the same data."""

import os
import re
import signal
import socket
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from agent.wire import body, codes, decode, schema, series
from gateway.journal.reading import JournalReader, Row
from simulators.site import brokers
from tests.chain import stores
from tests.chain.processes import Process, wait_for
from tests.chain.sites import Site
from tests.peers import absent, logs

STOPPED = re.compile(r"fairway: stopped, boot (\d+): (\d+) records made, (\d+) not acknowledged")
BUOYS = [f"buoy-{n}" for n in range(1, 7)]
BOARDS = [*BUOYS, "pile-1", "pile-2", "spare-1"]


def made(site: Site) -> dict[tuple[str, int], tuple[int, int]]:
    """Return (records made, not acknowledged) of each boot of each board, as their consoles said."""
    found = {}
    for board in BOARDS:
        text = (site.data / "log" / f"{board}.log").read_text("utf-8", "replace")
        for boot, records, waiting in STOPPED.findall(text):
            found[board, int(boot)] = int(records), int(waiting)
    return found


def stored(site: Site) -> Counter[stores.Identity]:
    """Return the identities in the time series and among the centre's events."""
    return stores.sqlite_series(site.data / "series") + stores.centre_events(site.data / "centre")


# Every other test of a site has mosquitto.
@pytest.mark.parametrize("broker", [pytest.param("mosquitto", marks=pytest.mark.prove), "amqtt"])
def test_a_site_twice_on_the_same_data(site, broker, capsys):
    if broker == "mosquitto" and brokers.installed() != "mosquitto":
        absent("mosquitto is not installed")
    for run in (1, 2):
        one = site("--broker", broker)
        one.wait_up()
        assets = one.ask("/api/assets")
        assert Counter(a["type"] for a in assets) == {"navaid": 6, "pile": 2, "berth": 2}
        wait_for(
            "values from all navaids and piles",
            lambda one=one: all(a["freshness"]["state"] == "live" for a in one.ask("/api/assets")),
            90,
        )
        before = one.ask("/api/assets/c1")["report"]
        os.kill(one.gateway_pid(), signal.SIGKILL)
        wait_for("the gateway again", lambda one=one: "starting it again" in one.said(), 20)
        wait_for(
            "changing values",
            lambda one=one, before=before: one.ask("/api/assets/c1")["report"] != before,
            60,
        )
        wait_for(
            "buoys whose clocks are set by GNSS",
            lambda one=one, run=run: (
                sum(
                    device in BUOYS
                    for device, _ in set_by(journal_rows(one.data), codes.CLOCK_GNSS)
                )
                == run * 6
            ),
            60,
        )
        one.stop()
        produced = made(one)
        assert len(produced) == run * len(BOARDS)
        expected = Counter(
            (board, boot, seq) for (board, boot), (n, _) in produced.items() for seq in range(n)
        )
        arrived = stored(one)
        assert arrived - expected == Counter(), "more than was made, or twice"
        # What a boot had not sent when it ended lies on its flash, and comes with the next one: amqtt
        # loses messages, which are sent again after 30 s.
        missing = Counter((board, boot) for board, boot, _ in expected - arrived)
        for (board, boot), n in missing.items():
            assert boot == run, f"{board} boot {boot}: {n} records never came"
            assert n <= produced[board, boot][1], f"{board} boot {boot}: {n} records lost"
        assert broker == "amqtt" or not missing
    with capsys.disabled():
        print(f"\n{broker}: {sum(arrived.values())} records of {len(produced)} boots, each once")
    check_dates(one.data)


def journal_rows(data: Path) -> list[Row]:
    reader = JournalReader(data / "gateway" / "journal.sqlite")
    with closing(reader):
        return reader.records(0, 1_000_000)


def set_by(rows: list[Row], source: int) -> set[tuple[str, int]]:
    """Return which boots of which devices had their clock set by `source`, as they reported."""
    told = [row for row in rows if row.schema == schema.CLOCK]
    return {(row.device, row.boot) for row in told if decode.one(row.raw).values[1] == source}


def check_dates(data: Path) -> None:
    """Boards that started before their receiver had a fix are dated rightly, piles by the gateway."""
    rows = journal_rows(data)
    with closing(JournalReader(data / "gateway" / "journal.sqlite")) as reader:
        assert reader.counters()["awaiting_date"] == 0
    assert {device for device, _ in set_by(rows, codes.CLOCK_GNSS)} >= set(BUOYS)
    assert {device for device, _ in set_by(rows, codes.CLOCK_GATEWAY)} >= {"pile-1", "pile-2"}
    early = [row for row in rows if row.dated == body.DATED_BY_BOOT]
    assert {row.device for row in early} == set(BOARDS)
    for row in early:
        late_s = row.received_ms / 1000 - (row.time + series.EPOCH_2020)
        assert -2.5 <= late_s <= 30, f"{row.device}: dated {late_s:.1f} s before it arrived"


def test_a_recorded_log_shows_up_on_the_page(site, browser, tmp_path):
    """A board that hears quectel-l76k-nmea.log is at its place, with its BeiDou satellites."""
    log = logs() / "nmea" / "quectel-l76k-nmea.log"
    lats, lons = [], []
    for line in log.read_text("ascii", "replace").splitlines():
        fields = line.split(",")
        if fields[0] == "$GNGGA" and fields[6] != "0":
            lats.append(int(fields[2][:2]) + float(fields[2][2:]) / 60)
            lons.append(-(int(fields[4][:3]) + float(fields[4][3:]) / 60))
            assert (fields[3], fields[5]) == ("N", "W")
    one = site()
    one.wait_up()
    wait_for("the board", lambda: one.ask("/api/devices/spare-1")["readings"], 60)
    replay = [
        *(sys.executable, "-m", "toolkit", "replay", str(log), "--device", "spare-1"),
        *("--state", str(one.data / "estuary.json"), "--rate", "4"),
    ]
    player = Process(replay, one.data / "replay.log")

    def there():
        readings = one.ask("/api/devices/spare-1")["readings"]
        values = {reading["field"]: reading["value"] for reading in readings}
        lat, lon = values.get("beacon.lat_e6"), values.get("beacon.lon_e6")
        return (
            lat is not None
            and min(lats) - 1e-5 <= lat <= max(lats) + 1e-5
            and min(lons) - 1e-5 <= lon <= max(lons) + 1e-5
            and values.get("gnss.view_beidou") == 3
        )

    try:
        wait_for("the recorded position and three BeiDou satellites", there, 120)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-GB")
        page.goto(f"http://127.0.0.1:{one.port}/?lang=en")
        page.locator('[data-view="devices"]').click()
        page.locator('[data-device="spare-1"] button').click()
        expect(page.locator('tr[data-field="gnss.view_beidou"]')).to_contain_text("3")
        shown = page.locator("#panel").inner_text()
        page.screenshot(path=tmp_path / "recorded.png")
        page.close()
        assert "47°39.719′N 122°19.584′W" in shown  # every GGA of the log rounds to it
    finally:
        player.stop()
    # Its clock stays the gateway's or its own: the log's dates are years old.
    assert one.ask("/api/devices/spare-1")["freshness"]["state"] == "live"
    one.stop()


def test_a_taken_port_is_said_plainly(site):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        one = site("--port", str(port))
        wait_for("its end", lambda: not one.process.running, 30)
    assert one.process._child.returncode == 1
    assert f"port {port} for the page is taken" in one.said()
    assert f"--port {port + 1}" in one.said()
    assert "Traceback" not in one.said()

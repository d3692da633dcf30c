"""The page in headless Chromium: what staff see, in both languages and at both widths.

Screenshots of the first test are left in pytest's folder of the run, for people to look at.
"""

from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from agent.wire import body, codes, schema
from tests.cloud.support import (
    REGISTRY,
    CentreProcess,
    LocalCentre,
    beacon,
    entry,
    meter,
    now_t,
    series_of,
)
from tests.cloud.test_accounts import MMSI, MS, account, aton, deliver

WIDTHS = {"desktop": (1440, 900), "phone": (390, 844)}
NAMES = {"zh": ("一号灯浮", "岸电桩", "实时"), "en": ("Buoy one", "Shore-power pile", "Live")}


@pytest.fixture
def start(tmp_path):
    """Start a centre that is set up in the test; it ends after the pages that look at it."""
    with ExitStack() as running:
        yield lambda **given: running.enter_context(LocalCentre(tmp_path, **given))


@pytest.fixture
def visit(browser, start):
    """Open the page of a centre; afterwards nothing may have gone wrong in it."""
    opened, wrong = [], []

    def open_page(centre, *, lang="zh", width="desktop", path="/", **context):
        size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
        visitor = browser.new_context(viewport=size, **context)
        opened.append(visitor)
        page = visitor.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on(
            "console",
            lambda said: wrong.append(f"console: {said.text}") if said.type != "log" else None,
        )
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith((centre.url + "/", "data:", "blob:"))
                else wrong.append(f"elsewhere: {asked.url}")
            ),
        )
        page.goto(f"{centre.url}{path}?lang={lang}")
        page.wait_for_selector("body[data-ready]")
        return page

    open_page.wrong = wrong
    yield open_page
    for visitor in opened:
        visitor.close()
    assert wrong == []


def fill(centre):
    """Deliver what every kind of thing on the page shows."""
    t = now_t()
    ship = [1, 413000001, 31_150_000, 122_100_000, 103, 900, 91, 0]
    return centre.ingest(
        [
            entry("buoy-1", schema.BEACON, 1, 0, t - 20, beacon(batt_mv=12_340, lat=31.1009)),
            entry(
                "buoy-1",
                schema.GNSS,
                1,
                1,
                t - 20,
                [1, 3, 90, 65, 1, 0, 0, 7, 3, 2, 9, 11, 6, 5, 14, 44],
            ),
            entry("buoy-2", schema.BEACON, 1, 0, t - 7000, beacon(lit=None)),
            entry("pile-1", schema.METER, 1, 0, t, meter(p_w=8600)),
            entry(
                "pile-1", schema.ENERGY_COUNT, 1, 1, t, [123_456, 0, -2, 1, 40, b"202410010001"]
            ),
            entry("spare-1", schema.BEACON, 1, 0, t, beacon(lat=31.15, lon=121.9)),
            entry("stranger", schema.BEACON, 1, 0, t, beacon(lat=31.05, lon=121.95)),
            entry("buoy-1", schema.AIS, 1, 2, t, ship),
            entry(
                "buoy-1",
                schema.AIS_STATIC,
                1,
                3,
                t,
                [5, 413000001, None, None, b"BABC", b"HAI XUN 01", 55],
            ),
        ],
        [body.State("buoy-1", 1, 1, 1, 1_790_000_000_000)],
        {"dead_letters": 3, "records": 1200},
    )


def row(page, asset):
    """Return a row of the list by its id."""
    return page.locator(f'.row[data-id="{asset}"]')


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("width", list(WIDTHS))
def test_it_shows_what_there_is(centre, visit, tmp_path, lang, width):
    fill(centre)
    page = visit(centre, lang=lang, width=width)
    name, kind, live = NAMES[lang]
    page.wait_for_selector("body[data-land]")
    assert page.locator(".row").count() == 4
    assert name in row(page, "c1").inner_text()
    assert "12.34 V" in row(page, "c1").inner_text()
    assert "8.6 kW" in row(page, "p1").inner_text()
    assert kind in row(page, "p1").inner_text()
    # The worst first: c2 has been silent for two hours.
    assert page.locator(".row").first.get_attribute("data-id") == "c2"
    assert page.locator("#count-silent b").inner_text() == "1"
    assert page.locator("#count-live b").inner_text() == "2"
    assert page.locator("#stream").get_attribute("data-state") == "live"
    if width == "desktop":
        assert page.locator("#stream-word").inner_text() == live
    assert page.locator("html").get_attribute("lang") == {"zh": "zh-CN", "en": "en-GB"}[lang]
    assert "Natural Earth" in page.locator("#map-credit").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == WIDTHS[width][0]
    assert colours_of(page, "symbols") > 20, "symbols are drawn"
    assert colours_of(page, "land") > 1, "land and water are drawn"
    page.screenshot(path=tmp_path / f"{width}-{lang}.png")


@pytest.mark.parametrize("width", list(WIDTHS))
def test_alarms_stand_out_until_they_are_cleared(centre, visit, tmp_path, width):
    fill(centre)
    t = now_t()
    unlit = [codes.ALARM_UNLIT, 1, None, None, codes.LEVEL_ALARM]
    tilt = [codes.ALARM_TILT, 1, 612, 450, codes.LEVEL_WARNING]
    sag = [codes.ALARM_VOLTAGE_LOW, 1, 1920, 1980, codes.LEVEL_ALARM, 2]
    centre.ingest(
        [
            entry("buoy-1", schema.ALARM, 1, 20, t, unlit),
            entry("buoy-1", schema.ALARM, 1, 21, t, tilt),
            entry("pile-1", schema.ALARM, 1, 20, t, sag),
        ]
    )
    page = visit(centre, width=width)
    expect(row(page, "c1")).to_contain_text("灯光熄灭")
    expect(row(page, "p1")).to_contain_text("电压低")
    expect(page.locator("#count-alarm b")).to_have_text("2")
    # Silent for two hours is more urgent than an alarm of a device that lives, that more than none.
    order = [one.get_attribute("data-id") for one in page.locator(".row").all()]
    assert order == ["c2", "b1", "c1", "p1"]
    row(page, "c1").click()
    told = page.locator("#panel-alarms li")
    assert [one.get_attribute("data-alarm") for one in told.all()] == ["light-unlit", "tilt"]
    assert "61.2 ° (限值 45 °)" in told.nth(1).inner_text()
    page.screenshot(path=tmp_path / f"alarms-{width}.png")
    centre.ingest([entry("buoy-1", schema.ALARM, 1, 22, t + 1, [codes.ALARM_UNLIT, 0])])
    expect(told).to_have_count(1)
    centre.ingest([entry("buoy-1", schema.BIRTH, 2, 0, t + 2, [1, 1])])
    expect(page.locator("#panel-alarms")).to_be_hidden()


def colours_of(page, pane):
    """Return how many different colours a canvas of the map has."""
    return page.evaluate(
        """(pane) => {
            const canvas = document.querySelector(`.leaflet-${pane}-pane canvas`);
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }""",
        pane,
    )


def test_values_change_when_a_record_comes(centre, visit):
    fill(centre)
    page = visit(centre)
    assert "12.34 V" in row(page, "c1").inner_text()
    centre.ingest([entry("buoy-1", schema.BEACON, 1, 9, now_t(), beacon(batt_mv=11_870))])
    expect(row(page, "c1")).to_contain_text("11.87 V")
    row(page, "c1").click()
    shown = page.locator('tr[data-field="beacon.batt_mv"]')
    expect(shown).to_contain_text("11.87")
    centre.ingest([entry("buoy-1", schema.BEACON, 1, 10, now_t() + 1, beacon(batt_mv=11_660))])
    expect(shown).to_contain_text("11.66")


def test_a_value_grows_old_by_itself(centre, visit):
    """Reports came every ten seconds and then no more: nobody needs to tell the page."""
    t = now_t()
    centre.ingest(
        [entry("buoy-1", schema.BEACON, 1, n, t - 87 + 10 * n, beacon()) for n in range(4)]
    )
    page = visit(centre)
    assert page.locator("#count-live b").inner_text() == "1"
    expect(page.locator("#count-overdue b")).to_have_text("1", timeout=15_000)
    assert "逾期" in row(page, "c1").inner_text()
    assert row(page, "c1").get_attribute("data-fresh") == "overdue"


class TestPanel:
    def test_everything_of_an_aid(self, tmp_path, start, visit):
        t = now_t()
        address = series_of(
            tmp_path,
            [
                ("buoy-1", 1, n, t - 6000 + n * 60, beacon(batt_mv=12_000 + n))
                for n in range(100)
                if not 40 <= n < 60
            ],
        )
        centre = start(config=f'series = "{address}"')
        fill(centre)
        page = visit(centre)
        row(page, "c1").click()
        page.wait_for_selector("#panel-readings tr")
        facts = page.locator("#panel-facts").inner_text()
        for said in (
            "Fl(2) R 6s",
            "31°06.000′N 122°12.000′E",  # charted
            "31°06.054′N",  # measured
            "100 m，方位 000°",
            "buoy-1",
            "W1",  # by which notice it serves
            "N1",
            "北斗 9/14",
            "在线，自",
        ):
            assert said in facts, said
        assert page.locator("#panel-badge").get_attribute("data-fresh") == "live"
        readings = page.locator("#panel-readings").inner_text()
        assert "电池电压\t12.34\tV" in readings
        assert "灯亮\t是" in readings
        assert "充电中\t不明" in readings
        # Reports of every minute: an hour of them; then a day, in which twenty are missing.
        page.wait_for_selector("#chart canvas")
        chart = page.locator("#chart")
        expect(chart).to_have_attribute("data-values", "40")
        assert page.locator("#chart-field").input_value() == "beacon.batt_mv"
        page.locator('#chart-ranges [data-range="24h"]').click()
        expect(chart).to_have_attribute("data-values", "80")
        page.screenshot(path=tmp_path / "panel.png")
        page.select_option("#chart-field", "beacon.temp_dc")
        page.locator('#chart-ranges [data-range="7d"]').click()
        expect(chart).to_have_attribute("data-values", "80")
        page.keyboard.press("Escape")
        assert page.locator("#panel").is_hidden()

    def test_a_pile_and_its_berth(self, centre, visit):
        fill(centre)
        page = visit(centre, lang="en")
        row(page, "p1").click()
        page.wait_for_selector("#panel-readings tr")
        facts = page.locator("#panel-facts").inner_text()
        assert "8.6 kW" in facts
        assert "49,382.4 kWh" in facts
        page.locator("#panel-facts button", has_text="Berth one").click()
        expect(page.locator("#panel-title")).to_have_text("Berth one")
        assert "8.6 kW" in page.locator("#panel-facts").inner_text()

    def test_on_a_phone_it_is_a_sheet_over_the_list(self, centre, visit, tmp_path):
        fill(centre)
        page = visit(centre, width="phone")
        row(page, "c1").click()
        page.wait_for_selector("#panel-readings tr")
        box = page.locator("#panel").bounding_box()
        assert (box["x"], box["width"]) == (0, 390)
        assert box["y"] > 250
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.screenshot(path=tmp_path / "sheet.png")
        page.locator("#panel-close").click()
        assert page.locator("#panel").is_hidden()

    @pytest.mark.parametrize(("lang", "width"), [("zh", "desktop"), ("en", "phone")])
    def test_what_is_missing_is_seen(self, start, visit, tmp_path, lang, width):
        centre = start(registry=REGISTRY.replace('kind = "port"', f'kind = "port"\nmmsi = {MMSI}'))
        fill(centre)
        deliver(
            centre,
            account(411, records=900, highest=903, missing=4, gaps=[(10, 13)], source=None),
            account(412, first_ms=MS + 1, records=940, highest=999, missing=12, told=48,
                    conflicts=1, gaps=[(5, 9), (100, 100), (203, 208)]),
        )  # fmt: skip
        centre.ingest([entry("buoy-2", schema.AIS_ATON, 1, 9, now_t() - 90, aton(off=1))])
        page = visit(centre, lang=lang, width=width)
        row(page, "c1").click()
        page.wait_for_selector("#panel-account:not([hidden])")
        counts = page.locator("#account-counts [data-mark]")
        assert [n.split()[-1] for n in counts.all_inner_texts()] == ["16", "1"]
        facts = page.locator("#account-facts").inner_text()
        assert "412" in facts and "5–9, 100, 203–208" in facts and "411" in facts
        assert "GNSS ±500 ms" in facts
        aid = page.locator("#panel-facts dd", has_text="C1 LIGHT BUOY")
        off, heard = {"zh": ("移位", "由 buoy-2 收到"), "en": ("off position", "heard by buoy-2")}[
            lang
        ]
        assert off in aid.locator('[data-mark="alarm"]').inner_text()
        assert heard in aid.inner_text()
        page.locator("#account-starts summary").click()
        page.wait_for_selector("#account-body tr")
        cells = page.locator("#account-body tr").first.locator("th, td").all_inner_texts()
        assert cells[:5] == ["412", "940", "12", "1", "48"]
        assert page.evaluate("document.documentElement.scrollWidth") == WIDTHS[width][0]
        page.screenshot(path=tmp_path / f"account-{lang}-{width}.png")
        deliver(
            centre,
            account(411, records=904, highest=903),
            account(412, first_ms=MS + 1, records=952, highest=999, told=48, filled=12,
                    conflicts=1),
        )  # fmt: skip
        expect(page.locator("#account-counts [data-mark]")).to_have_count(1)
        expect(page.locator("#account-body [data-mark]")).to_have_count(1, timeout=8000)
        page.locator("#panel-close").click()
        row(page, "c2").click()
        expect(page.locator("#panel-account")).to_be_hidden()

    def test_a_ship(self, centre, visit):
        fill(centre)
        page = visit(centre, lang="en")
        page.locator("#filters button", has_text="Ships").click()
        page.locator(".row", has_text="HAI XUN 01").click()
        facts = page.locator("#panel-facts").inner_text()
        assert "413000001" in facts
        assert "10.3 kn" in facts
        assert "law enforcement (55)" in facts
        assert page.locator("#history").is_hidden()


class TestMap:
    def test_a_click_on_a_symbol_opens_it(self, start, visit):
        only = REGISTRY[: REGISTRY.index("[[navaid]]", 5)]
        centre = start(registry=only)
        page = visit(centre)
        page.wait_for_selector("body[data-land]")
        box = page.locator("#map").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y - 6)
        page.wait_for_selector("#map-tip:visible")
        assert "一号灯浮" in page.locator("#map-tip").inner_text()
        assert page.locator("#map-cursor").inner_text().startswith("31°06.")
        page.mouse.click(x, y - 6)
        assert page.locator("#panel-title").inner_text() == "一号灯浮"
        page.mouse.click(x - 200, y + 200)
        expect(page.locator("#panel")).to_be_hidden()

    def test_only_what_cannot_be_seen_is_left_out_of_the_land(self, centre, visit):
        """The drawing skips most of a continent; it must look as if it did not."""
        page = visit(centre)
        page.wait_for_selector("body[data-land]")
        different = page.evaluate(
            """async () => {
                const {loadLand, traceLand} = await import("/js/map/coast.js");
                const {mercator} = await import("/js/geo.js");
                const rings = await loadLand();
                const draw = (view, trace) => {
                    const canvas = new OffscreenCanvas(view.width, view.height);
                    const context = canvas.getContext("2d");
                    trace({...view, context});
                    context.fill("evenodd");
                    return new Uint32Array(
                        context.getImageData(0, 0, view.width, view.height).data.buffer);
                };
                const whole = ({context, world, originX, originY}) => {
                    context.beginPath();
                    for (const {xy, box} of rings) {
                        const off = box[2] * world < originX || box[0] * world > originX + 400
                            || box[3] * world < originY || box[1] * world > originY + 300;
                        if (off) continue;
                        for (let n = 0; n < xy.length; n += 2) {
                            const [x, y] = [xy[n] * world - originX, xy[n + 1] * world - originY];
                            n ? context.lineTo(x, y) : context.moveTo(x, y);
                        }
                        context.closePath();
                    }
                };
                const out = [];
                const places = [[31.1, 122.2, 9], [31.3, 121.7, 12], [0, 0, 3], [22.5, 114, 10],
                    [35, 105, 5]];
                for (const [lat, lon, zoom] of places) {
                    const world = 256 * 2 ** zoom;
                    const [x, y] = mercator(lat, lon);
                    const view = {world, width: 400, height: 300,
                        originX: x * world - 200, originY: y * world - 150};
                    const a = draw(view, (v) => traceLand(v, rings));
                    const b = draw(view, whole);
                    let land = 0, differ = 0;
                    a.forEach((p, n) => {
                        const [inA, inB] = [(p >>> 24) > 127, (b[n] >>> 24) > 127];
                        land += inB; differ += inA !== inB;
                    });
                    out.push([lat, lon, zoom, land, differ]);
                }
                return out;
            }"""
        )
        assert sum(land for *_, land, _ in different) > 50_000
        for lat, lon, zoom, _, differ in different:
            assert differ < 60, (lat, lon, zoom, differ)  # of 120,000 pixels, at the edges

    def test_over_tiles_of_the_shifted_datum_everything_is_shifted(self, start, visit):
        tiles = (
            '[[tiles]]\nname = "影像"\nurl = "/img/icon.svg?{z}{x}{y}"\ndatum = "gcj02"\n'
            'attribution = "© 某图"\napproval = "GS(2026)1号"\n'
        )
        only = REGISTRY[: REGISTRY.index("[[navaid]]", 5)]
        centre = start(registry=only, config=tiles)
        page = visit(centre)
        page.wait_for_selector("body[data-land]")
        box = page.locator("#map").bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 - 6
        page.mouse.move(*middle)
        before = page.locator("#map-cursor").inner_text()
        page.select_option("#map-background", "0")
        assert "审图号：GS(2026)1号" in page.locator("#map-credit").inner_text()
        # The map is still about the same place on earth, and the symbol is still there.
        page.wait_for_timeout(300)
        page.mouse.move(middle[0] + 1, middle[1])
        page.mouse.move(*middle)
        after = page.locator("#map-cursor").inner_text()
        assert after[:8] == before[:8]
        page.mouse.click(*middle)
        assert page.locator("#panel-title").inner_text() == "一号灯浮"


def test_the_language_is_switched_in_place(centre, visit):
    fill(centre)
    page = visit(centre)
    row(page, "c1").click()
    page.wait_for_selector("#panel-readings tr")
    page.locator("#language").click()
    assert page.title() == "Fairway monitoring centre"
    assert "Buoy one" in row(page, "c1").inner_text()
    assert page.locator("#panel-title").inner_text() == "Buoy one"
    assert "Battery voltage" in page.locator("#panel-readings").inner_text()
    assert page.locator("#search").get_attribute("placeholder").startswith("Search")
    page.locator("#language").click()
    assert "一号灯浮" in row(page, "c1").inner_text()


def test_it_can_be_used_with_the_keyboard_alone(centre, visit):
    fill(centre)
    page = visit(centre)
    page.locator("#list").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#panel:visible")
    assert page.locator("#panel-title").inner_text() == "二号灯浮"  # the worst is first
    page.keyboard.press("End")
    assert page.locator('.row[aria-selected="true"]').count() == 1
    active = page.locator("#list").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    page.keyboard.press("Escape")
    assert page.locator("#panel").is_hidden()


def test_the_search_finds_by_name_id_and_device(centre, visit):
    fill(centre)
    page = visit(centre)
    for words, found in (("灯浮", 2), ("BUOY-2", 1), ("p1", 1), ("berth", 1), ("nothing", 0)):
        page.fill("#search", words)
        expect(page.locator(".row")).to_have_count(found)
    assert page.locator("#list-none").is_visible()


def test_the_devices_view_shows_strangers_and_what_went_wrong(centre, visit, tmp_path):
    fill(centre)
    bad = entry("buoy-1", schema.BEACON, 1, 50, now_t(), beacon())._replace(record=b"\x00")
    centre.ingest([bad, entry("buoy-1", schema.HEALTH, 1, 51, now_t(), [7300, 9, 9, 4, 80, 6])])
    page = visit(centre)
    page.locator('[data-view="devices"]').click()
    page.wait_for_selector("#refused-body td.bytes")
    first = page.locator("#devices-body tr").first
    assert "stranger" in first.inner_text()
    assert "未登记" in first.inner_text()
    assert "spare-1" in page.locator("#devices-body tr").nth(1).inner_text()
    buoy = page.locator('[data-device="buoy-1"]').inner_text()
    assert "一号灯浮" in buoy
    assert "2 小时" in buoy
    assert page.locator('[data-counter="dead_letters"]').inner_text() == "死信\n3"
    assert page.locator('[data-count="refused"]').inner_text() == "被拒\n1"
    assert "not-an-array" in page.locator("#refused-body").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == 1440
    page.screenshot(path=tmp_path / "devices.png")
    first.locator("button").click()
    page.wait_for_selector("#panel-readings tr")
    assert page.locator("#panel-title").inner_text() == "stranger"
    assert "未登记的设备" in page.locator("#panel-facts").inner_text()


def test_a_centre_that_is_gone_is_said_and_found_again(tmp_path, visit):
    with CentreProcess(tmp_path) as centre:
        fill(centre)
        page = visit(centre)
        port = centre.address[1]
        centre.stop()
        page.wait_for_selector("#banner:visible")
        assert "连接已中断" in page.locator("#banner").inner_text()
        assert page.locator("#stream").get_attribute("data-state") == "down"
    visit.wrong.clear()  # that a connection was refused is what this is about
    with CentreProcess(tmp_path, port=port) as again:
        page.wait_for_selector("#banner", state="hidden", timeout=20_000)
        again.ingest([entry("buoy-1", schema.BEACON, 2, 0, now_t(), beacon(batt_mv=11_110))])
        expect(row(page, "c1")).to_contain_text("11.11 V")
    visit.wrong.clear()

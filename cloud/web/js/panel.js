// The panel of whatever is chosen: facts, values with their ages, history.

import * as account from "./account.js";
import { get } from "./api.js";
import { atMostEvery, byId, fill, h, setText } from "./dom.js";
import { age, ago, degrees, distance, kilowatts, moment, number, position, reading } from "./format.js";
import * as geo from "./geo.js";
import { has, named, onLanguage, t } from "./i18n.js";
import * as history from "./history.js";
import { ageOf, chosen, freshness, lamp, model, now, onChange, select, timed } from "./model.js";

const READ_MS = 1000; // how often details are read, at most
const CONSTELLATIONS = ["gps", "glonass", "galileo", "beidou"];

const ENERGY = "energy-count.imported_kwh";
const SCHEMAS = [
  ...["beacon", "light", "station", "meter", "session", "supply", "energy-count", "weather", "motion"],
  ...["energy", "gnss", "rx", "health", "clock", "birth"],
];

let detail = null; // the last answer about what is chosen
let catalogue = []; // the answer of /api/fields

/** Begin; `fields` is the answer of /api/fields. */
export function begin(fields) {
  catalogue = fields;
  history.begin();
  account.begin();
  const read = atMostEvery(READ_MS, load);
  byId("panel-close").addEventListener("click", () => select(null));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && model.selected) select(null);
  });
  onChange((what) => {
    const { selected } = model;
    if (what.selected) open();
    else if (selected && (what.all || what[selected.type] === selected.id)) read();
  });
  onLanguage(draw);
  setInterval(tick, 1000);
}

function open() {
  detail = null;
  byId("panel").hidden = !model.selected;
  document.body.classList.toggle("panel-open", Boolean(model.selected));
  byId("panel-scroll").scrollTop = 0;
  draw();
  load();
}

async function load() {
  const { selected } = model;
  if (!selected) return;
  if (selected.type === "target") {
    draw();
    return;
  }
  try {
    const answer = await get(`/api/${selected.type}s/${selected.id}`);
    if (model.selected !== selected) return;
    detail = timed(answer);
    draw();
  } catch (error) {
    setText(byId("panel-note"), t("panel.failed", { why: error.message }));
  }
}

/** Return what is chosen; a device that serves an asset may be known by the last answer only. */
function shown() {
  return chosen() ?? detail;
}

function draw() {
  const { selected } = model;
  const thing = shown();
  if (!selected || !thing) return;
  setText(byId("panel-note"), selected.type === "target" || detail ? "" : t("panel.loading"));
  const head = { asset: assetHead, device: deviceHead, target: targetHead }[selected.type];
  const { title, under, facts } = head(thing);
  setText(byId("panel-title"), title);
  setText(byId("panel-under"), under);
  fill(
    byId("panel-facts"),
    facts.filter(Boolean).map(([name, ...lines]) => [h("dt", {}, name), h("dd", {}, ...lines)]),
  );
  drawAlarms(thing.alarms ?? []);
  account.show(detail?.service?.device ?? detail?.id ?? null, detail?.account ?? null);
  const readings = detail?.readings ?? [];
  drawReadings(readings);
  drawServices(detail?.services ?? []);
  const inHistory = new Set(catalogue.filter((field) => field.history).map((field) => field.key));
  const kept = readings.filter((r) => inHistory.has(r.field) && r.t !== null);
  history.show(
    selected.type === "target" ? null : `/api/${selected.type}s/${selected.id}`,
    kept.map(({ field, unit }) => ({ key: field, unit })),
    thing.freshness?.interval_s ?? null,
  );
  tick();
}

/** Write what changes by itself: ages. */
function tick() {
  const thing = shown();
  if (!thing) return;
  const badge = byId("panel-badge");
  badge.hidden = !thing.freshness;
  if (thing.freshness) {
    const fresh = freshness(thing);
    const seconds = ageOf(thing);
    badge.dataset.fresh = fresh;
    byId("panel-readings").classList.toggle("past", fresh === "silent");
    setText(badge, t(`fresh.${fresh}`) + (seconds === null ? "" : ` · ${ago(seconds)}`));
  }
  for (const element of byId("panel").querySelectorAll("[data-since]")) {
    setText(element, age((now() - Number(element.dataset.since)) / 1000));
  }
}

/** An element that shows how old something is, and goes on doing so. */
function ageElement(iso) {
  return h("span", { class: "age", "data-since": Date.parse(iso) });
}

function assetHead(asset) {
  const kind = asset.type === "navaid" ? t(`kind.${asset.kind}`) : t(`type.${asset.type}`);
  const facts = [
    ...(asset.type === "navaid" ? navaidFacts(asset) : powerFacts(asset)),
    asset.type === "berth" ? null : deviceFact(asset),
    presenceFact(asset.presence),
    reportFact(asset.freshness),
  ];
  return { title: named(asset.name), under: `${kind} · ${asset.id}`, facts };
}

function navaidFacts(asset) {
  const { station, position: at } = asset;
  const measured = at?.source === "device" ? at : null;
  const away = station && measured ? geo.distance(station, measured) : null;
  return [
    [t("panel.light"), h("b", {}, station?.light ?? t("value.none")), ` · ${t(`lamp.${lamp(asset)}`)}`],
    [t("panel.position"), measured ? position(measured) : t("value.none")],
    station && [t("panel.charted"), position(station), h("small", {}, `${t("panel.notice")} ${station.notice}`)],
    away !== null && [
      t("panel.offset"),
      t("panel.offset.value", {
        distance: distance(away),
        bearing: degrees(geo.bearing(station, measured)),
      }),
    ],
    satelliteFact(),
    account.aidFact(detail?.ais, station),
  ];
}

/** Return the values of the last answer by field. */
function known() {
  return new Map((detail?.readings ?? []).map((r) => [r.field, r.value]));
}

function satelliteFact() {
  const values = known();
  const seen = CONSTELLATIONS.map((key) => [
    t(`constellation.${key}`),
    values.get(`gnss.used_${key}`),
    values.get(`gnss.view_${key}`),
  ]);
  const heard = seen.filter(([, used, view]) => typeof used === "number" || typeof view === "number");
  if (!heard.length) return null;
  const count = (n) => (typeof n === "number" ? n : t("value.none"));
  return [
    t("panel.satellites"),
    h("span", { class: "chips" }, heard.map(([name, used, view]) => h("span", {}, `${name} ${count(used)}/${count(view)}`))),
  ];
}

function powerFacts(asset) {
  if (asset.type === "pile") {
    const berth = model.assets.get(asset.berth);
    const energy = known().get(ENERGY);
    return [
      [t("meter.p_w"), h("b", {}, kilowatts(asset.report["meter.p_w"]))],
      typeof energy === "number" && [t(ENERGY), `${number(energy, 2)} kWh`],
      [t("panel.rated"), `${number(asset.rated_kw, 1)} kW`],
      berth && [t("panel.berth"), link("asset", berth.id, named(berth.name))],
      [t("panel.place"), position(asset.position)],
    ];
  }
  const piles = asset.piles.map((id) => model.assets.get(id)).filter(Boolean);
  return [
    [t("panel.place"), position(asset.position)],
    ...piles.map((pile) => [
      link("asset", pile.id, named(pile.name)),
      `${kilowatts(pile.report["meter.p_w"])} · ${t(`fresh.${freshness(pile)}`)}`,
    ]),
  ];
}

function deviceHead(device) {
  const facts = [
    !device.known && ["", h("em", {}, t("panel.unknown.device"))],
    [t("devices.profile"), device.profile ? t(`profile.${device.profile}`) : t("devices.unknown")],
    device.state && [
      t("panel.state"),
      t(`state.${device.state}`),
      h("small", {}, t("panel.device.since", { since: moment(Date.parse(device.state_since)) })),
    ],
    device.service && [t("panel.asset"), assetLink(device.service.asset)],
    device.position && [t("panel.position"), position(device.position)],
    satelliteFact(),
    presenceFact(device.presence),
    device.last_heard && [t("panel.last"), moment(Date.parse(device.last_heard), { seconds: true })],
    device.first_heard && [t("panel.first"), moment(Date.parse(device.first_heard), { seconds: true })],
    reportFact(device.freshness),
  ];
  return { title: device.id, under: t("system.device"), facts };
}

function targetHead(target) {
  const kind = t(target.virtual ? "target.virtual" : `target.${target.kind}`);
  const type = target.ship_type;
  const shipType = [`ship.${type}`, `ship.${Math.floor(type / 10)}`].find(has);
  const line = (key, value) => value !== null && value !== undefined && value !== "" && [t(key), String(value)];
  const facts = [
    line("target.mmsi", target.mmsi),
    line("target.callsign", target.callsign),
    line("target.shiptype", type ? `${shipType ? t(shipType) : ""} (${type})` : null),
    [t("panel.position"), position(target)],
    line("target.speed", target.sog_kn === null ? null : `${number(target.sog_kn, 1)} ${t("unit.kn")}`),
    line("target.course", target.cog_deg === null ? null : degrees(target.cog_deg)),
    line("target.heading", target.heading_deg === null ? null : degrees(target.heading_deg)),
    line("target.size", target.length_m ? `${target.length_m} × ${target.beam_m ?? t("value.none")} m` : null),
    line("target.draught", target.draught_m ? `${number(target.draught_m, 1)} m` : null),
    line("target.destination", target.destination),
    [t("target.heard"), link("device", target.heard_by, target.heard_by)],
    [t("panel.report"), ageElement(target.t)],
  ];
  return { title: target.name ?? String(target.mmsi), under: kind, facts };
}

function deviceFact(asset) {
  const { service } = asset;
  if (!service) return [t("panel.device"), h("em", {}, t("panel.no.device"))];
  const since = t("panel.device.since", { since: moment(Date.parse(service.since)) });
  return [
    t("panel.device"),
    link("device", service.device, service.device),
    h("small", {}, service.notice ? `${since} · ${service.notice}` : since),
  ];
}

function presenceFact(presence) {
  if (!presence) return null;
  const since = moment(Date.parse(presence.since), { seconds: true });
  return [t("panel.presence"), t(presence.connected ? "panel.connected" : "panel.lost", { since })];
}

function reportFact(fresh) {
  if (!fresh.t) return null;
  const interval = fresh.interval_s ? `${t("panel.interval")} ${age(fresh.interval_s)}` : "";
  return [t("panel.report"), moment(Date.parse(fresh.t), { seconds: true }), h("small", {}, interval)];
}

/** What staff look at first comes first; what is not named comes last. */
function schemaOrder({ field }) {
  const n = SCHEMAS.indexOf(field.split(".")[0]);
  return n < 0 ? SCHEMAS.length : n;
}

function drawAlarms(alarms) {
  byId("panel-alarms").hidden = alarms.length === 0;
  fill(
    byId("panel-alarms"),
    alarms.map((alarm) => {
      const value = quantity(alarm.value, alarm.unit);
      const limit = quantity(alarm.limit, alarm.unit);
      return h(
        "li",
        { "data-level": alarm.level, "data-alarm": alarm.what },
        h("b", {}, t(`code.${alarm.what}`)),
        alarm.part ? ` ${has(`sensor.${alarm.part}`) ? t(`sensor.${alarm.part}`) : alarm.part}` : "",
        value ? ` ${value}` : "",
        limit ? ` (${t("alarms.limit", { limit })})` : "",
        h(
          "small",
          {},
          `${t(`code.${alarm.level}`)} · ${t("panel.device.since", { since: moment(Date.parse(alarm.since), { seconds: true }) })}`,
        ),
      );
    }),
  );
}

/** Write a value of an alarm with its unit. */
function quantity(value, unit) {
  if (value === null || unit === null) return "";
  if (unit === "s" && value >= 120) return age(value);
  return `${number(value, 2)} ${t(`unit.${unit}`)}`.trim();
}

function drawReadings(readings) {
  const ordered = readings.toSorted((a, b) => schemaOrder(a) - schemaOrder(b));
  const groups = Map.groupBy(ordered, (r) => `${r.field.split(".")[0]} ${r.t ?? ""} ${r.device}`);
  const parts = [];
  for (const group of groups.values()) {
    const [first] = group;
    const when = first.t ? ageElement(first.t) : h("em", {}, t("panel.undated"));
    parts.push(h("h4", {}, t(`schema.${first.field.split(".")[0]}`), when));
    parts.push(
      h(
        "table",
        {},
        group.map((r) => {
          const [text, unit] = reading(r);
          const properties = { "data-field": r.field, class: r.value === null ? "unknown" : null };
          return h("tr", properties, h("th", { scope: "row" }, t(r.field)), h("td", {}, text), h("td", {}, unit));
        }),
      ),
    );
  }
  if (!parts.length && detail) parts.push(h("p", { class: "note" }, t("panel.no.values")));
  fill(byId("panel-readings"), parts);
}

function drawServices(services) {
  byId("panel-services-box").hidden = services.length === 0;
  fill(
    byId("panel-services"),
    services.map((service) =>
      h(
        "li",
        {},
        link("device", service.device, service.device),
        ` ${moment(Date.parse(service.since))} – ${
          service.until ? moment(Date.parse(service.until)) : t("panel.until.now")
        }`,
        service.notice ? h("small", {}, service.notice) : null,
      ),
    ),
  );
}

function link(type, id, text) {
  return h("button", { type: "button", class: "link", onclick: () => select({ type, id }) }, text);
}

function assetLink(id) {
  const asset = model.assets.get(id);
  return asset ? link("asset", id, named(asset.name)) : id;
}
